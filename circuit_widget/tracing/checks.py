"""The methods `verify` and `fidelity`: are a graph's edges right, and how much of the model do transcoders explain?"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from circuit_widget.arguments import whole_number
from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.graph.verification import Verification
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.runs_model import runs_model
from circuit_widget.model.tokens.prompt import Prompt, PromptInput
from circuit_widget.nodes import PromptToken
from circuit_widget.progress import IsCancelled, ProgressChoice, reporting
from circuit_widget.system.memory import within_memory
from circuit_widget.tracing.fidelity import Fidelity, fidelity_on, prompts_of
from circuit_widget.tracing.generation import Generation, trace_request
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.tracing.verify import verify_graph
from circuit_widget.transcoder.transcoder_set import TranscoderSet


class CheckedModel(Protocol):
    """The parts of a ReplacementModel that `verify` and `fidelity` use."""

    model: LanguageModel
    transcoders: TranscoderSet
    lock: threading.RLock

    def read_prompt(self, prompt: PromptInput) -> Prompt:
        """Return the token ids and texts of a prompt."""

    def prompt_of(self, tokens: Sequence[PromptToken]) -> Prompt:
        """Return the prompt of exactly these tokens."""

    def _run_of(self, graph: Graph, cancelled: IsCancelled | None) -> PromptRun:
        """Return the run that a graph was traced from."""


@runs_model
def verify(
    model: CheckedModel,
    graph: Graph,
    n: int = 50,
    *,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> Verification:
    """Return the `n` edges of largest absolute weight beside their measured values, and what all edges add up to.

    Each source (a feature, error or token) is set to zero in mode "direct", and the change of its targets'
    pre-activations or logits is compared with the graph. For a model with 16-bit weights the same is also computed with
    all weights in float32. For each target the sums of all edges are beside its value in the model. What is left is split
    into position embeddings where the model adds learned ones, MLPs at tokens whose features do not count, such as the
    first, and biases where any is not zero.

    Raises:
        InterventionError: the graph is not of this model, or n is not a whole number from 1 up.
        Cancelled: `cancelled()` became true between two sources.
    """
    n = whole_number(n, "n, the number of edges to measure,", InterventionError, least=1)
    with reporting(progress) as report:
        return verify_graph(
            model.model,
            model.transcoders,
            model._run_of(graph, cancelled),
            graph,
            n,
            progress=lambda done: report(done, "Measuring edges"),
            cancelled=cancelled,
        )


@within_memory("Give shorter texts, or free memory.")
@runs_model
def fidelity(
    model: CheckedModel,
    texts: PromptInput | Generation | Sequence[PromptInput | Generation],
    *,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> Fidelity:
    """Return the share of each layer's MLP output that the transcoders explain, on one text or a list of prompts.

    Prompts are of any kind that `trace` accepts. Features at the first position are left out; nothing is frozen.

    Raises:
        PromptError: there is no prompt, or one cannot be used.
        OutOfMemory: the memory of a device, or of the machine, is full.
        Cancelled: `cancelled()` became true between two layers.
    """
    with reporting(progress) as report:
        prompts = prompts_of(texts, lambda one: model.read_prompt(trace_request(one, -1, None, model.prompt_of).prompt))
        return fidelity_on(
            model.model,
            model.transcoders,
            prompts,
            progress=lambda done: report(done, "Measuring fidelity"),
            cancelled=cancelled,
        )

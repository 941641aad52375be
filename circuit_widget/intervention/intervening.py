"""Running interventions on a model: they start from the forward pass that the graph was traced from."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.intervention.alignment import Alignment, alignment_between
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.execution.graph_features import GraphFeatures, LatestGraphFeatures
from circuit_widget.intervention.execution.run_interventions import run_interventions
from circuit_widget.intervention.kinds import Intervention, experiment_tuple
from circuit_widget.intervention.mode import Mode, read_mode
from circuit_widget.intervention.studies.running import Runner
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.runs_model import runs_model
from circuit_widget.model.tokens.prompt import PromptInput
from circuit_widget.nodes import PromptToken
from circuit_widget.progress import IsCancelled, ProgressChoice, reporting
from circuit_widget.system.memory import within_memory
from circuit_widget.tracing.prompt_run import PromptRun


class Intervenable(Runner, Protocol):
    """A language model with transcoders that keeps its runs, and the graph features of the latest graph."""

    model: LanguageModel
    lock: threading.RLock
    _graph_features: LatestGraphFeatures

    @property
    def n_layers(self) -> int:
        """Number of layers."""

    def tokenize(self, prompt: PromptInput) -> tuple[PromptToken, ...]:
        """Return the tokens that the model runs for a prompt."""

    def _run_of(self, graph: Graph, cancelled: IsCancelled | None) -> PromptRun:
        """Return the run that a graph was traced from."""

    def _run_of_prompt(self, prompt: str | Sequence[int]) -> PromptRun:
        """Return the run of another prompt, up to its last token."""

    def _label(self, layer: int, feature: int, activation: float) -> str | None:
        """Return the label of a feature for activations of this sign, if it has one."""


def intervene(
    model: Intervenable,
    graph: Graph,
    interventions: Sequence[Intervention] | Intervention,
    *,
    mode: Mode = "total",
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> Effect:
    """Return what changing some nodes does to the model, beside what the graph predicts.

    The real model runs. For each feature that an intervention clamps, `(value - activation) * decoder row` is added to
    the output of the MLPs it writes to, so their errors stay: `value` is what the feature is clamped at, `activation`
    what it would be otherwise (where the MLP's output is frozen: its activation on the prompt). The change of an error
    is added to its MLP's output, the change of a token's embedding to the residual stream that enters the first layer.

    `mode` names what is frozen. "direct" freezes attention, norms and every other MLP output: it measures the direct
    effect alone, which equals the graph's edges. "total" freezes nothing: it measures direct and indirect effects
    together, through attention, norms and all later MLPs. "frozen_attention" freezes the attention patterns. A range of
    layers (or a pair, first and last) freezes their MLP outputs, so that indirect effects do not pass through those
    layers' features (constrained patching).

    Raises:
        InterventionError: the interventions, the mode, or the graph cannot be used with this model.
        NodeError: a node that is not in the graph, or a feature that does not exist.
        OutOfMemory: the memory of a device, or of the machine, is full.
        Cancelled: `cancelled()` became true between two layers.
    """
    return model.intervene_many(graph, [interventions], mode=mode, progress=progress, cancelled=cancelled)[0]


@within_memory("Run fewer experiments, on a shorter prompt, or free memory.")
@runs_model
def intervene_many(
    model: Intervenable,
    graph: Graph,
    experiments: Sequence[Sequence[Intervention] | Intervention],
    *,
    mode: Mode = "total",
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> tuple[Effect, ...]:
    """Return the effect of each of several experiments, as `intervene` does, run as batches: many times faster.

    Their order is kept. All are checked before the first one runs. `seconds` of an effect is its share of its batch.

    Raises:
        InterventionError: there is no experiment; otherwise as `intervene` does.
        NodeError, OutOfMemory, Cancelled: as `intervene` does.
    """
    listed = experiment_tuple(experiments)
    checked_mode = read_mode(mode, model.n_layers)
    with reporting(progress) as report:
        run = model._run_of(graph, cancelled)
        mlp_inputs = [pieces.mlp_input for pieces in run.captured.layers]
        return run_interventions(
            model.model,
            model.transcoders,
            run,
            graph,
            model._graph_features.of(graph, run, lambda: GraphFeatures(graph, model.transcoders, mlp_inputs)),
            listed,
            checked_mode,
            run_prompt=model._run_of_prompt,
            label=model._label,
            progress=lambda done: report(done, "Running the model"),
            cancelled=cancelled,
        )


def align(model: Intervenable, graph: Graph, prompt: PromptInput) -> Alignment:
    """Return which positions of a graph's prompt and of another are counterparts; `SwapIn` uses this by default.

    Prompts of the same length are aligned one to one. Others are aligned at the tokens that they share at the beginning
    and at the end, and between these from the last token backwards. Positions left over have no counterpart.

    Raises:
        InterventionError: the lengths differ and the prompts share neither their beginning nor their end.
        PromptError: the other prompt cannot be used.
    """
    return alignment_between(require_graph(graph, InterventionError).tokens, model.tokenize(prompt))

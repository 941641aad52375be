"""A model put with a graph from a file: checked to be the one that traced it, and the texts of tokens that it knows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from circuit_widget.arguments import one_line, quoted
from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.graph.tracing_model import TracingModel
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.runs_model import runs_model
from circuit_widget.model.tokens.prompt import Prompt
from circuit_widget.nodes import UNKNOWN_TOKEN, PromptToken, token_name
from circuit_widget.progress import IsCancelled
from circuit_widget.system.warning import warn
from circuit_widget.tracing.foreign_graph import dtype_name
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.transcoder.transcoder_set import TranscoderSet

ATTENTION_NODES = (
    "This graph has features of attention or biases as nodes, and models here have transcoders of MLPs alone: it can be "
    "looked at, grouped and exported, not run."
)
FOREIGN = "This graph was traced with another model or other transcoders"


class AttachableModel(TracingModel, Protocol):
    """The parts of a ReplacementModel that are used here."""

    model: LanguageModel
    transcoders: TranscoderSet

    lock: threading.RLock

    def prompt_of(self, tokens: Sequence[PromptToken]) -> Prompt:
        """Return the prompt of exactly these tokens."""

    def _run_of(self, graph: Graph, cancelled: IsCancelled | None) -> PromptRun:
        """Return the run that a graph was traced from."""


@runs_model
def attach(model: AttachableModel, graph: Graph) -> Graph:
    """Return a graph from a file with this model, which then runs its interventions.

    Layers, token ids, numbers of features and the activations of the graph's features on its prompt have to be those of
    the model; if the graph was traced in another dtype, nearly all of them, and a warning says so. Tokens whose texts the
    file does not give get those of the tokenizer.

    Raises:
        InterventionError: the graph is not of this model; the text says in what they differ.
    """
    require_graph(graph, InterventionError)
    if graph.model is model:
        return graph
    model._run_of(graph, None)
    traced_in, computes_in = graph.recipe.get("dtype"), dtype_name(model.model.dtype)
    if traced_in is not None and traced_in != computes_in:
        warn(
            f"This graph was traced with weights in {one_line(str(traced_in), 40)}, and {quoted(model.model.name)} is loaded in "
            f"{computes_in}: what is measured differs from the numbers of the graph by rounding, and a few features may be "
            "active in one of the two only."
        )
    texts = model.prompt_of(graph.tokens).texts
    tokens = tuple(
        PromptToken(text, token.token_id) if token.text == token_name(token.token_id) else token
        for token, text in zip(graph.tokens, texts, strict=True)
    )
    return replace(graph, tokens=tokens, model=model)


def check_fits(graph: Graph, model: LanguageModel, transcoders: TranscoderSet) -> None:
    """Raise InterventionError, with what differs, where a graph cannot be of a model with these transcoders."""
    if "layer_names" in graph.recipe:
        raise InterventionError(ATTENTION_NODES)
    if graph.n_layers != model.n_layers:
        raise InterventionError(
            f"{FOREIGN}: it has {graph.n_layers} layers, and {quoted(model.name)} has {model.n_layers}. Load the model it was "
            "traced with."
        )
    ids = [token.token_id for token in graph.tokens]
    unknown = [position for position, number in enumerate(ids) if number == UNKNOWN_TOKEN]
    if unknown:
        raise InterventionError(
            f"The file of this graph does not say which tokens are at positions {', '.join(map(str, unknown[:8]))}, so its "
            "prompt cannot be run. Trace the prompt with model.trace(prompt)."
        )
    if max(ids) >= model.n_embeddings:
        raise InterventionError(
            f"{FOREIGN}: it has the token id {max(ids):,}, and those of {quoted(model.name)} end at "
            f"{model.n_embeddings - 1:,}. Load the model it was traced with."
        )
    for layer in np.unique(graph.feature_layer).tolist():
        most, count = int(graph.feature_index[graph.feature_layer == layer].max()), transcoders.n_features(layer)
        if most >= count:
            raise InterventionError(
                f"{FOREIGN}: it has feature {most:,} of layer {layer}, and {quoted(transcoders.name)} has {count:,} features "
                "there. Load the model with the transcoders it was traced with."
            )

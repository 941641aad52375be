"""A model put with a graph from a file: checked to be the one that traced it, and the texts of tokens that it knows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.running import runs_model
from circuit_widget.nodes import UNKNOWN_TOKEN, PromptToken, token_name
from circuit_widget.transcoder.transcoder_set import TranscoderSet

if TYPE_CHECKING:
    from circuit_widget.replacement_model import ReplacementModel


@runs_model
def attach(model: ReplacementModel, graph: Graph) -> Graph:
    """Return a graph from a file with this model, which then runs its interventions.

    Layers, token ids, numbers of features and the activations of the graph's features on its prompt have to be those of
    the model. Tokens whose texts the file does not give get those of the tokenizer.

    Raises:
        InterventionError: the graph is not of this model; the text says in what they differ.
    """
    require_graph(graph, InterventionError)
    if graph.model is model:
        return graph
    model._run_of(graph, None)
    texts = model.prompt_of(graph.tokens).texts
    tokens = tuple(
        PromptToken(text, token.token_id) if token.text == token_name(token.token_id) else token
        for token, text in zip(graph.tokens, texts, strict=True)
    )
    return replace(graph, tokens=tokens, model=model)


def check_fits(graph: Graph, model: LanguageModel, transcoders: TranscoderSet) -> None:
    """Raise InterventionError, with what differs, where a graph cannot be of a model with these transcoders."""
    if "layer_names" in graph.recipe:
        raise InterventionError(
            "This graph has features of attention or biases as nodes, and models here have transcoders of MLPs alone: it "
            "can be looked at, grouped and exported, not run."
        )
    if graph.n_layers != model.n_layers:
        raise InterventionError(
            f"The graph has {graph.n_layers} layers and the model {model.n_layers}: another model traced it. "
            "Load the model it was traced with."
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
            f"The graph has the token id {max(ids):,}, and the model's ids end at {model.n_embeddings - 1:,}: another model "
            "traced it. Load the model it was traced with."
        )
    for layer in np.unique(graph.feature_layer).tolist():
        most, count = int(graph.feature_index[graph.feature_layer == layer].max()), transcoders.n_features(layer)
        if most >= count:
            raise InterventionError(
                f"The graph has feature {most:,} of layer {layer}, and these transcoders have {count:,} features there: it "
                "was traced with other transcoders. Load the model with those."
            )

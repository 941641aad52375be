"""The names of nodes, layers and tokens."""

from collections.abc import Mapping
from typing import Any, Final

from circuit_widget.characters import shortened
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.graph import Graph
from circuit_widget.nodes import NodeKind
from circuit_widget.wording.text import printable, token_label

LONGEST_LAYER_NAME: Final = 24

BASIS_WORDS: Mapping[str, Mapping[str, str]] = {
    "features": {"feature": "feature", "error": "error"},
    "neurons": {"feature": "neuron", "error": "other neurons"},
}
"""What features and errors are called, by the basis of a graph."""


BASIS_CAUTIONS: Mapping[str, str] = {
    "features": "",
    "neurons": "predicted indirect effects may have the wrong sign",
}
"""What to keep in mind of an effect that a graph predicts, by its basis."""


def kind_word(graph: Graph, kind: str) -> str:
    """Return what nodes of a kind are called, one of them: the errors of neurons are those that are not nodes."""
    return BASIS_WORDS[graph.basis].get(kind, kind)


def node_label(graph: Graph, circuit: Circuit, node: str) -> str:
    """Return the circuit's label of a node, else the graph's, else an empty text."""
    return printable(circuit.labels.get(node) or graph.labels.get(node) or "")


def node_name(graph: Graph, circuit: Circuit, node: str) -> str:
    """The circuit's label, else the graph's, else what the node is; the graph may lack it."""
    label = node_label(graph, circuit, node)
    if label:
        return label
    index = graph.find(node)
    if index is None:
        _, number, *_ = node.split("_")
        return kind_word(graph, "error") if number == "-1" else f"{kind_word(graph, 'feature')} {number}"
    match graph.node_kinds[index]:
        case NodeKind.TOKEN:
            position = graph.token_position[index - graph.n_features - graph.n_errors]
            return token_text(graph.tokens[position].text)
        case NodeKind.LOGIT:
            return token_text(graph.targets[index - graph.weights.shape[1]].token)
        case NodeKind.ERROR:
            return kind_word(graph, "error")
        case NodeKind.FEATURE:
            return f"{kind_word(graph, 'feature')} {graph.feature_index[index]}"


def layer_names(graph: Graph) -> tuple[str, ...]:
    """Return what each layer is called: its number, or, where layers are parts of the model's, which part of which."""
    return tuple(layer_name(graph, layer) for layer in range(graph.n_layers))


def layer_name(graph: Graph, layer: int) -> str:
    """Return what a layer is called, as "5" or "5 attention"."""
    names = names_in_recipe(graph)
    return printable(shortened(names[layer], LONGEST_LAYER_NAME)) if layer < len(names) else str(layer)


def names_in_recipe(graph: Graph) -> tuple[str, ...]:
    """Return the names that a graph gives its layers; none where these are the layers of the model."""
    names: Any = graph.recipe.get("layer_names")
    return tuple(names or ())


def token_text(text: str) -> str:
    """Return token text as one visible line, or ∅ for an empty text."""
    return token_label(text) or "∅"

"""The names of nodes and tokens."""

from circuit_widget.circuit.document import Circuit
from circuit_widget.graph import Graph
from circuit_widget.nodes import NodeKind
from circuit_widget.wording.text import printable, token_label


def node_name(graph: Graph, circuit: Circuit, node: str) -> str:
    """The circuit's label, else the graph's, else what the node is; the graph may lack it.

    Where neurons are the features, an error consists of all neurons of its layer and position that are not nodes.
    """
    label = circuit.labels.get(node) or graph.labels.get(node)
    if label:
        return printable(label)
    index = graph.find(node)
    if index is None:
        _, number, *_ = node.split("_")
        return _error_name(graph) if number == "-1" else _feature_name(graph, number)
    match graph.node_kinds[index]:
        case NodeKind.TOKEN:
            position = graph.token_position[index - graph.n_features - graph.n_errors]
            return token_text(graph.tokens[position].text)
        case NodeKind.LOGIT:
            return token_text(graph.targets[index - graph.weights.shape[1]].token)
        case NodeKind.ERROR:
            return _error_name(graph)
        case NodeKind.FEATURE:
            return _feature_name(graph, graph.feature_index[index])


def _feature_name(graph: Graph, number: object) -> str:
    return f"{'neuron' if graph.basis == 'neurons' else 'feature'} {number}"


def _error_name(graph: Graph) -> str:
    return "other neurons" if graph.basis == "neurons" else "error"


def token_text(text: str) -> str:
    """Return token text as one visible line, or ∅ for an empty text."""
    return token_label(text) or "∅"

"""The names of nodes and tokens."""

from circuit_widget.circuit.document import Circuit
from circuit_widget.graph import Graph
from circuit_widget.nodes import NodeKind
from circuit_widget.wording.text import printable, token_label


def node_name(graph: Graph, circuit: Circuit, node: str) -> str:
    """The circuit's label, else the graph's, else what the node is; the graph may lack it."""
    label = circuit.labels.get(node) or graph.labels.get(node)
    if label:
        return printable(label)
    index = graph.find(node)
    if index is None:
        return _name_by_id(node)
    match graph.node_kinds[index]:
        case NodeKind.TOKEN:
            position = graph.token_position[index - graph.n_features - graph.n_errors]
            return token_text(graph.tokens[position].text)
        case NodeKind.LOGIT:
            return token_text(graph.targets[index - graph.weights.shape[1]].token)
        case NodeKind.ERROR:
            return "error"
        case NodeKind.FEATURE:
            return f"feature {graph.feature_index[index]}"


def _name_by_id(node: str) -> str:
    """What a node is that the graph lacks: a feature that is not active, or an error that was pruned."""
    _, index, *_ = node.split("_")
    return "error" if index == "-1" else f"feature {index}"


def token_text(text: str) -> str:
    """Return token text as one visible line, or ∅ for an empty text."""
    return token_label(text) or "∅"

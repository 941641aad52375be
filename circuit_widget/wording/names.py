"""The names of nodes and tokens."""

from circuit_widget.circuit.document import Circuit
from circuit_widget.graph import Graph
from circuit_widget.nodes import NodeKind
from circuit_widget.wording.text import printable, token_label


def node_name(graph: Graph, circuit: Circuit, node: str) -> str:
    """Return the name of a node: the circuit's label, else the graph's, else one made from its kind."""
    label = circuit.labels.get(node) or graph.labels.get(node)
    if label:
        return printable(label)
    index = graph.index(node)
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


def token_text(text: str) -> str:
    """Return token text as one visible line, or ∅ for an empty text."""
    return token_label(text) or "∅"

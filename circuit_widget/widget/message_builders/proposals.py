"""The message of what is proposed for a circuit: groups, tokens and outputs, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from circuit_widget.arguments import one_line
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import CircuitError
from circuit_widget.graph import Graph
from circuit_widget.nodes import NodeKind
from circuit_widget.proposal import Proposal, Proposals
from circuit_widget.widget.wire.graph_messages import ProposalMessage, ProposalsMessage

COSINES = ("sources", "origins", "targets", "logits", "promoted", "examples", "ablations")
"""The kinds of evidence whose mean cosine the page displays; see Proposal."""

TOKEN, OUTPUT = "One of the few tokens with most of the influence of all tokens.", "A likely output."


def proposals_message(graph: Graph, circuit: Circuit, groups: Proposals, pinned: Sequence[str]) -> ProposalsMessage:
    """Return the message of groups, and of the nodes to pin that the circuit has not.

    Raises CircuitError where neither is left.
    """
    present = {*circuit.pinned, *(node for supernode in circuit.supernodes for node in supernode.nodes)}
    found = (
        *(ProposalMessage(one.name, one.nodes, one.reason, _evidence(graph, one)) for one in groups),
        *(ProposalMessage(None, (node,), _reason(graph, node), "") for node in pinned if node not in present),
    )
    if not found:
        raise CircuitError("There is nothing to propose: all that has much influence is in the circuit.")
    return ProposalsMessage(found)


def _evidence(graph: Graph, one: Proposal) -> str:
    """Return the numbers behind a group, in words; a feature by itself is compared with no other."""
    numbers = one.evidence
    target = one_line(graph.targets[0].token.strip(), 24)
    effect = f"direct effect on “{target}” {_number(numbers['first_target'], '+.2f')}"
    if "measured" in numbers:
        effect = f"“{target}” {_number(numbers['measured'], '+.2f')} when ablated (log probability, measured)"
    if len(one.nodes) == 1:
        return effect
    cosines = ", ".join(f"{kind} {_number(numbers[kind], '.2f')}" for kind in COSINES if kind in numbers)
    return f"alike {_number(numbers['alike'], '.2f')} ({cosines}) · {effect}"


def _reason(graph: Graph, node: str) -> str:
    return TOKEN if graph.node_kinds[graph.index(node)] is NodeKind.TOKEN else OUTPUT


def _number(number: float, form: str) -> str:
    return format(round(number, 2) or 0.0, form).replace("-", "−")

"""A proposed circuit: few groups with most of the influence, what they do to the answer, and what one more would add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import CircuitError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.intervention.injected_edges import OUTPUT_LEAST
from circuit_widget.intervention.studies.faithfulness import Faithfulness, faithfulness
from circuit_widget.intervention.studies.running import part_of
from circuit_widget.progress import IsCancelled, ProgressChoice, reporting
from circuit_widget.proposal.grouping import check_arguments, groups_of_graph
from circuit_widget.proposal.naming import Namer
from circuit_widget.proposal.proposal import Proposal, Proposals
from circuit_widget.replacement_model import ReplacementModel

if TYPE_CHECKING:
    import pandas

GROUPS = 8
"""How many groups a proposed circuit has at most, unless another number is given."""

NEXT = 4
"""How many of the groups that are left are tried as the next one, the most influential ones."""

TOKENS = 0.8
"""Share of the influence of all tokens that the pinned ones have."""

MOST_TOKENS = 8
"""Most tokens that are pinned, however long the prompt is: more are no circuit to read."""


@dataclass(frozen=True)
class NextGroup:
    """The best group that a proposed circuit does not have, and the circuit's faithfulness with it.

    Of those tried it is the one with which most of the first target's probability is left with all other features ablated;
    without a model it is the most influential one, and `faithfulness` is None.
    """

    proposal: Proposal
    faithfulness: Faithfulness | None


@dataclass(frozen=True, repr=False)
class ProposedCircuit:
    """Few groups with most of the influence, the tokens they read, and the targets.

    Attributes:
        groups: the proposals.
        pinned: ids of the most influential tokens, the first target, and the other likely ones.
        influence_share: share of the influence of all features that the groups have.
        faithfulness: necessity and sufficiency of the groups' features; None without a model.
        next_group: the best group to add; None where every feature that was compared is in a group.
    """

    groups: Proposals
    pinned: tuple[str, ...]
    influence_share: float
    faithfulness: Faithfulness | None
    next_group: NextGroup | None

    def __repr__(self) -> str:
        lines = [
            f"{len(self.groups)} groups with {self.influence_share:.0%} of the influence of all features.",
            repr(self.groups),
        ]
        if self.faithfulness is not None:
            lines.append(repr(self.faithfulness))
        if self.next_group is not None:
            lines.append(_next_line(self.next_group))
        return "\n".join(lines)

    def to_circuit(self) -> Circuit:
        """Return the circuit: a supernode for each group, with tokens and targets pinned."""
        return self.groups.to_circuit(self.pinned)

    def to_frame(self) -> pandas.DataFrame:
        """Return one row for each group; see `Proposals.to_frame`."""
        return self.groups.to_frame()


def propose_circuit(
    graph: Graph,
    n: int | None = None,
    *,
    model: ReplacementModel | None = None,
    ablations: bool | None = None,
    namer: Namer | None = None,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> ProposedCircuit:
    """Return few groups with most of the influence as a circuit; see `Graph.propose_circuit`."""
    require_graph(graph, CircuitError)
    number, model = check_arguments(graph, n, GROUPS, model, ablations, namer, cancelled)
    with reporting(progress) as report:
        found = groups_of_graph(graph, number + NEXT, model, ablations, namer, part_of(report, 0.0, 0.5), cancelled)
        groups, others = Proposals(found.groups[:number]), found.groups[number:]
        measured: list[Faithfulness] = []
        if model is not None:
            circuits = [groups.groups, *((*groups.groups, other) for other in others)]
            for done, circuit in enumerate(circuits):
                part = part_of(report, 0.5 + 0.5 * done / len(circuits), 0.5 + 0.5 * (done + 1) / len(circuits))
                measure = partial(faithfulness, model, graph, progress=part, cancelled=cancelled)
                measured.append(measure({one.name: one.nodes for one in circuit}))
        report(1.0, "Proposed")
    share = sum(one.evidence["influence_share"] for one in groups)
    return ProposedCircuit(
        groups, pinned_nodes(graph), share, measured[0] if measured else None, _best(others, measured[1:])
    )


def pinned_nodes(graph: Graph) -> tuple[str, ...]:
    """Return the ids of the fewest tokens with most of the influence of all, at most 8, and of the likely targets."""
    first = graph.n_features + graph.n_errors
    influence = graph.influence[first : first + len(graph.token_position)].astype(np.float64)
    order = np.argsort(-influence, kind="stable")
    reached = min(int(np.searchsorted(np.cumsum(influence[order]), TOKENS * influence.sum())) + 1, MOST_TOKENS)
    tokens = sorted((first + order[:reached]).tolist()) if influence.any() else []
    targets = [
        graph.weights.shape[1] + number
        for number, target in enumerate(graph.targets)
        if number == 0 or target.probability >= OUTPUT_LEAST
    ]
    return tuple(graph.node_ids[index] for index in (*tokens, *targets))


def _best(others: Sequence[Proposal], measured: Sequence[Faithfulness]) -> NextGroup | None:
    if not others:
        return None
    if not measured:
        return NextGroup(others[0], None)
    best = max(range(len(others)), key=lambda number: (_finite(measured[number].sufficiency()), -number))
    return NextGroup(others[best], measured[best])


def _finite(value: float) -> float:
    return value if np.isfinite(value) else -np.inf


def _next_line(found: NextGroup) -> str:
    more = f"Next: {found.proposal.name}, with {found.proposal.evidence['influence_share']:.0%} of the influence"
    if found.faithfulness is None:
        return f"{more}."
    alone, without = found.faithfulness.sufficiency(), found.faithfulness.necessity()
    return f"{more}; with it, {alone:.0%} of it is left with all others ablated, and {without:.0%} without all of these groups."

"""A proposal: nodes that may belong together, with a name, the reason in a sentence, and the evidence in numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from circuit_widget.arguments import entries_of, of_type, quoted
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.rules import checked_name, checked_nodes
from circuit_widget.errors import CircuitError

if TYPE_CHECKING:
    import pandas

EVIDENCE = (
    "features",
    "influence_share",
    "alike",
    "sources",
    "origins",
    "targets",
    "logits",
    "promoted",
    "examples",
    "ablations",
    "first_target",
    "measured",
)
"""The numbers that a proposal can have, in the order of their columns; see Proposal."""


@dataclass(frozen=True)
class Proposal:
    """A group that a user may accept, change or refuse.

    Attributes:
        name: words that no other proposal beside it has.
        nodes: node ids, the most influential first.
        reason: why they may belong together, in a sentence.
        evidence: numbers by name. `features`: how many there are. `influence_share`: their share of the influence of all
            features. `alike`: their mean similarity, and of what it is the mean: the cosines of the features' direct inputs
            (`sources`), of their inputs from tokens and errors along all paths (`origins`), of their direct outputs
            (`targets`), of their outputs to the logits along all paths (`logits`), of the logits that their weights promote
            (`promoted`), of the words in their examples (`examples`), and of what ablating each changes (`ablations`).
            Each is in [-1, 1], missing where it is not known, and 1 for a single feature. `first_target`: the group's summed
            direct effect on the first target's logit, as the graph has it. `measured`: the change of the first target's log
            probability, in nats, when the group is ablated; of groups of neurons, where they are ablated.

    Raises CircuitError for anything else.
    """

    name: str
    nodes: tuple[str, ...]
    reason: str
    evidence: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", checked_name(self.name))
        object.__setattr__(self, "nodes", checked_nodes(self.nodes))
        reason = of_type(self.reason, str, "The reason of a proposal is a text", CircuitError)
        if not reason.strip():
            raise CircuitError("The reason of a proposal is a sentence; given an empty text.")
        given = of_type(self.evidence, Mapping, "The evidence of a proposal is numbers by name", CircuitError)
        object.__setattr__(
            self, "evidence", MappingProxyType({name: _number(name, one) for name, one in given.items()})
        )

    def __hash__(self) -> int:
        return hash((self.name, self.nodes))

    def __reduce__(self) -> tuple[type[Proposal], tuple[str, tuple[str, ...], str, dict[str, float]]]:
        return Proposal, (self.name, self.nodes, self.reason, dict(self.evidence))


@dataclass(frozen=True, repr=False)
class Proposals:
    """Proposals beside each other: a sequence. No node and no name is in two of them.

    The most influential is first; of neurons that are ablated, the one whose ablation changes the first target most.

    Raises CircuitError for anything else.
    """

    groups: tuple[Proposal, ...]

    def __post_init__(self) -> None:
        expected = "Proposals are a list of Proposals"
        groups = entries_of(self.groups, expected, CircuitError)
        object.__setattr__(self, "groups", tuple(of_type(one, Proposal, expected, CircuitError) for one in groups))
        self.to_circuit()

    def __repr__(self) -> str:
        return "\n".join(f"{one.name}: {one.reason}" for one in self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    def __iter__(self) -> Iterator[Proposal]:
        return iter(self.groups)

    def __getitem__(self, index: int) -> Proposal:
        return self.groups[index]

    def to_circuit(self, pinned: Iterable[str] = ()) -> Circuit:
        """Return a circuit with a supernode for each proposal, and these nodes pinned.

        Raises CircuitError for nodes that are no ids.
        """
        circuit = Circuit(pinned=tuple(entries_of(pinned, "Pinned nodes are a list of node ids", CircuitError)))
        seen: set[str] = set()
        for one in self.groups:
            if one.name in {supernode.name for supernode in circuit.supernodes}:
                raise CircuitError(f"Two proposals have the name “{one.name}”.")
            if twice := seen.intersection(one.nodes):
                raise CircuitError(f"Node “{min(twice)}” is in two proposals.")
            seen.update(one.nodes)
            circuit = circuit.group(one.name, one.nodes)
        return circuit

    def to_frame(self) -> pandas.DataFrame:
        """Return one row for each proposal: name, nodes, reason, and a column for each number of the evidence.

        Columns: name, nodes, reason, features, influence_share, alike, sources, origins, targets, logits, promoted, examples,
        ablations, first_target, measured; missing where it is not known.
        """
        import pandas

        rows = [
            {"name": one.name, "nodes": one.nodes, "reason": one.reason}
            | {column: one.evidence.get(column, math.nan) for column in EVIDENCE}
            for one in self.groups
        ]
        return pandas.DataFrame(rows, columns=["name", "nodes", "reason", *EVIDENCE])


def _number(name: object, value: object) -> float:
    if name not in EVIDENCE:
        raise CircuitError(f"The evidence of a proposal has the numbers {', '.join(EVIDENCE)}; given {quoted(name)}.")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CircuitError(f"The evidence {name} of a proposal is a finite number; given {quoted(value)}.")
    return float(value)

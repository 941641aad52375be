"""Filters of the map: what it hides beyond the thresholds. Plain data, saved with the circuit.

The frontend has the same rules in js/src/core/filters.ts. Both are tested on the same tables: tests/fixtures/circuit.json for
what filters may be, tests/fixtures/visible.json for what they hide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from circuit_widget.arguments import has_entries, plain_number
from circuit_widget.circuit.rules import (
    LONGEST_NAME,
    MOST_ENTRIES,
    checked_node,
    checked_share,
    checked_text,
    displayed,
)
from circuit_widget.errors import CircuitError

FILTERED_KINDS = ("feature", "error", "token")
"""The kinds of nodes that filters can hide; outputs, which the graph explains, stay."""

SIGNS = ("excites", "inhibits")
"""The signs that filters can leave visible: of edges with a positive weight, and with a negative one."""

LARGEST_BOUND = 32_767
"""The largest number of a layer or position that a filter names."""


@dataclass(frozen=True)
class Filters:
    """What the map hides beyond the thresholds; None and False hide nothing.

    Nodes in the circuit, and on screen those selected, stay whatever the filters say, and so do outputs. Filters hide
    no more than that: a feature stays whose way to an output leads through hidden nodes.

    Attributes:
        kinds: the kinds of nodes that are visible: "feature" (neurons, too), "error", "token".
        layers: the first and the last visible layer, counted from 0; tokens are in none and stay.
        positions: the first and the last visible position, counted from 0.
        sign: "excites" or "inhibits": only edges of this sign are visible.
        label: only features and errors are visible whose label, the circuit's or else the graph's, contains each of these
            words, in upper or lower case.
        stability: only features and errors are visible that stay in at least this share of the 20 prunings of
            `Graph.stability`; those of graphs that were pruned or have more than 4,000,000 edges stay, since theirs is not
            known.
        error_bands: errors, or other neurons, are one band a layer instead of nodes, without their edges.
        hidden: ids of nodes that were hidden by hand, in the order in which they were; outputs stay.

    Raises CircuitError for anything else.
    """

    kinds: tuple[str, ...] | None = None
    layers: tuple[int, int] | None = None
    positions: tuple[int, int] | None = None
    sign: str | None = None
    label: str | None = None
    stability: float | None = None
    error_bands: bool = False
    hidden: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", _kinds(self.kinds))
        object.__setattr__(self, "layers", _range("layers", self.layers))
        object.__setattr__(self, "positions", _range("positions", self.positions))
        object.__setattr__(self, "sign", _sign(self.sign))
        object.__setattr__(self, "label", _label(self.label))
        # No node stays in less than none of the prunings, so zero hides nothing.
        object.__setattr__(self, "stability", checked_share("least stability", self.stability) or None)
        object.__setattr__(self, "error_bands", _bands(self.error_bands))
        object.__setattr__(self, "hidden", _hidden(self.hidden))

    def to_json(self) -> dict[str, Any]:
        """Return the filters as plain JSON: only those that hide something."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None and value is not False and (name != "hidden" or value)
        }

    @classmethod
    def from_json(cls, value: object) -> Filters:
        """Return filters from plain JSON of any origin. Raises CircuitError for unknown keys and wrong values."""
        if not isinstance(value, Mapping):
            raise CircuitError(f"Filters are a JSON object; given {displayed(value)}.")
        names = [one.name for one in fields(cls)]
        for key in value:
            if key not in names:
                raise CircuitError(f"Filters have no {displayed(key)}; they are {', '.join(names)}.")
        return cls(**value)


def check_bounds(filters: Filters, n_layers: int, n_positions: int) -> None:
    """Raise CircuitError where filters name layers or positions that a graph with so many does not have."""
    for what, bounds, count in (("layers", filters.layers, n_layers), ("positions", filters.positions, n_positions)):
        if bounds is not None and bounds[1] >= count:
            raise CircuitError(
                f"The filter leaves {what} {bounds[0]} to {bounds[1]} visible, and the graph has {what} 0 to {count - 1}. "
                f"Give {what}=({min(bounds[0], count - 1)}, {count - 1}), or others up to {count - 1}."
            )


def _listed(given: object, expected: str) -> list[Any]:
    if isinstance(given, str | bytes) or not has_entries(given):
        raise CircuitError(f"{expected}; given {displayed(given)}.")
    return list(given)


def _kinds(given: object) -> tuple[str, ...] | None:
    """Return kinds in the order of nodes, each once; None for all of them."""
    if given is None:
        return None
    expected = f"The visible kinds are a list of {', '.join(FILTERED_KINDS)}"
    listed = _listed(given, expected)
    for one in listed:
        if not isinstance(one, str) or one not in FILTERED_KINDS:
            raise CircuitError(f"{expected}; given {displayed(one)}.")
    kinds = tuple(kind for kind in FILTERED_KINDS if kind in listed)
    return None if kinds == FILTERED_KINDS else kinds


def _range(what: str, given: object) -> tuple[int, int] | None:
    if given is None:
        return None
    expected = f"The visible {what} are two whole numbers from 0 to {LARGEST_BOUND:,}, the first and the last"
    numbers = [plain_number(one) for one in _listed(given, expected)]
    for one in numbers:
        if type(one) is not int or not 0 <= one <= LARGEST_BOUND:
            raise CircuitError(f"{expected}; given {displayed(one)}.")
    if len(numbers) != 2:
        raise CircuitError(f"{expected}; given {len(numbers)} numbers.")
    first, last = numbers
    if first > last:
        raise CircuitError(f"{expected}; given {first} and {last}.")
    return first, last


def _hidden(given: object) -> tuple[str, ...]:
    nodes = tuple(dict.fromkeys(checked_node(one) for one in _listed(given, "Hidden nodes are a list of node ids")))
    if len(nodes) > MOST_ENTRIES:
        raise CircuitError(f"At most {MOST_ENTRIES:,} nodes can be hidden by hand; given {len(nodes):,}.")
    return nodes


def _sign(given: object) -> str | None:
    if given is not None and (not isinstance(given, str) or given not in SIGNS):
        raise CircuitError(f"The sign of visible edges is {' or '.join(SIGNS)}; given {displayed(given)}.")
    return given


def _label(given: object) -> str | None:
    if given is None:
        return None
    text = checked_text("part of a label", given)
    if len(text) > LONGEST_NAME:
        raise CircuitError(f"A part of a label has at most {LONGEST_NAME} characters; given {len(text)}.")
    return text or None


def _bands(given: object) -> bool:
    bands = plain_number(given)
    if not isinstance(bands, bool):
        raise CircuitError(f"error_bands is true or false; given {displayed(bands)}.")
    return bands

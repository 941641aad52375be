"""What the page may set of the widget's traits, and which side is right when both change them.

The page may write the circuit, the selection, the settings, and None for the effect and the comparison; the rest is the kernel's. Every
change of the circuit raises its revision. Each side takes the other's document if its revision is higher, and the page
also if it is the same: so both end with the same one, whatever crosses on the way. A document that breaks the rules is
answered by the last good one under a higher revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from circuit_widget.arguments import quoted
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.circuit_argument import to_circuit_hint
from circuit_widget.comparison.compare import GraphComparison
from circuit_widget.comparison.prompt_stability import PromptStability
from circuit_widget.errors import CircuitWidgetError, MessageError
from circuit_widget.graph import Graph
from circuit_widget.widget.wire.graph_messages import Settings
from circuit_widget.widget.wire.schema import parse, plain, short_quote

HEIGHTS = range(120, 4001)
HIGHEST_REVISION = 2**53 - 2

SETTABLE: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "circuit": (Circuit, "a Circuit"),
    "selected": ((list, tuple), "a list of node ids"),
    "settings": (dict, "a dictionary of theme and height"),
    "comparison": ((GraphComparison, type(None)), "cw.compare(widget.graph, other), or None"),
    "prompt_stability": ((PromptStability, type(None)), "model.stability(prompts), or None"),
    "effect": (type(None), "set to None, which takes it off the screen; recall() displays another one"),
}
"""What a user may set each trait to."""

READABLE = ("snapshot", "study", "experiments", "capabilities", "kept", "graphs")


@dataclass
class PageWrites:
    """What a page set: values to take over, the reasons why others are refused, and names of traits that it cannot set."""

    accepted: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)


def page_writes(state: Mapping[str, Any], graph: Graph, circuit: Circuit) -> PageWrites:
    """Sort what a page set by whether it is taken over; `circuit` is the present one."""
    writes = PageWrites()
    for name, value in state.items():
        try:
            if _is_accepted(name, value, graph, circuit):
                writes.accepted[name] = value
            else:
                writes.foreign.append(name)
        except CircuitWidgetError as error:
            writes.refused[name] = str(error)
    return writes


def _is_accepted(name: str, value: object, graph: Graph, circuit: Circuit) -> bool:
    if name == "circuit":
        theirs = Circuit.from_json(value).check(graph)
        return theirs == circuit or theirs.revision > circuit.revision
    if name == "selected":
        if not isinstance(value, list):
            raise MessageError(f"It is {short_quote(value)}; expected a list of node ids.")
        graph.resolve(value)
        return True
    if name == "settings":
        check_settings(value)
        return True
    # These are the kernel's; the page can only take them off the screen.
    return name in ("effect", "comparison", "prompt_stability") and value is None


def above(circuit: Circuit, document: object) -> Circuit:
    """Return the circuit under a revision above that of a document from the page which is refused."""
    claimed = document.get("revision") if isinstance(document, dict) else None
    theirs = claimed if type(claimed) is int and claimed < HIGHEST_REVISION else 0
    return replace(circuit, revision=max(circuit.revision, theirs) + 1)


def revised(circuit: Circuit, before: Circuit) -> Circuit:
    """Return a circuit that is set in place of another, under a revision above that one's if it is not the same."""
    return circuit if circuit == before else replace(circuit, revision=max(circuit.revision, before.revision + 1))


def check_settings(value: object) -> dict[str, Any]:
    """Return the settings as JSON. Raises MessageError for others than those declared, and a height out of range."""
    settings = parse(Settings, value, "The settings")
    if settings.height not in HEIGHTS:
        raise MessageError(f"The height is {HEIGHTS[0]} to {HEIGHTS[-1]} pixels; given {short_quote(settings.height)}.")
    checked: dict[str, Any] = plain(settings)
    return checked


def check_trait(name: str, value: object) -> None:
    """Check what a user sets a trait to, before traitlets quotes it. Raises CircuitWidgetError."""
    if name in READABLE:
        raise CircuitWidgetError(f"The {name} of a widget can only be read; given {quoted(value)}.")
    if name in SETTABLE:
        kind, words = SETTABLE[name]
        if not isinstance(value, kind):
            hint = to_circuit_hint(value) if name == "circuit" else ""
            raise CircuitWidgetError(f"The {name} of a widget is {words}; given {quoted(value)}.{hint}")


def is_widget_message(data: object) -> bool:
    """Return whether a message is one that widgets of the page send, with a state that this one can read."""
    if not isinstance(data, dict):
        return False
    if data.get("method") == "update":
        # What is no list, ipywidgets would go through all the same.
        return isinstance(data.get("state"), dict) and data.get("buffer_paths", []) == []
    return data.get("method") == "request_state" or (data.get("method") == "custom" and "content" in data)


def nodes_in(circuit: Circuit) -> frozenset[str]:
    """Return the nodes that a circuit groups, pins or labels."""
    grouped = (node for supernode in circuit.supernodes for node in supernode.nodes)
    return frozenset([*grouped, *circuit.pinned, *circuit.labels])

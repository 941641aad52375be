"""The rules for the values of a circuit; the frontend has the same rules in js/src/core/circuit-rules.ts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import TypeGuard

from circuit_widget.arguments import FORBIDDEN_CHARACTERS, plain_number
from circuit_widget.characters import beginning
from circuit_widget.errors import CircuitError
from circuit_widget.nodes import Feature, several_nodes

COLORS = 6
"""Number of hues that supernodes have."""

LONGEST_NAME = 80
LONGEST_NODE = 64
LARGEST_DISPLAYED = 10**300
"""Absolute value up to which a whole number has a floating point number near it."""

MOST_ENTRIES = 20_000
"""The largest number of entries in any list of a circuit."""

SPACE = " \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
SUPERNODE_ID = re.compile(r"s([1-9][0-9]{0,8})")


def displayed(value: object) -> str:
    """Return a given value as errors display it: short, on one line, harmless."""
    if isinstance(value, str):
        text = FORBIDDEN_CHARACTERS.sub("\ufffd", beginning(value, LONGEST_NAME // 2))
        return f"“{text}…”" if len(value) > LONGEST_NAME // 2 else f"“{text}”"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and abs(value) > LARGEST_DISPLAYED:
        return f"a whole number of {value.bit_length()} bits"
    return f"{value:g}" if isinstance(value, int | float) else type(value).__name__


def checked_name(name: object) -> str:
    """Return the name of a supernode: 1 to 80 characters without the spaces around it."""
    text = checked_text("name", name)
    if not 1 <= len(text) <= LONGEST_NAME:
        given = f"{len(text)}" if text else "none"
        raise CircuitError(f"A name has 1 to {LONGEST_NAME} characters; given {given}.")
    return text


def checked_label(label: object) -> str:
    """Return the label of a node: up to 80 characters without the spaces around it."""
    text = checked_text("label", label)
    if len(text) > LONGEST_NAME:
        raise CircuitError(f"A label has at most {LONGEST_NAME} characters; given {len(text)}.")
    return text


def checked_text(what: str, text: object) -> str:
    """Return a text of one line without control characters, without the spaces around it."""
    if not isinstance(text, str):
        raise CircuitError(f"A {what} is a text; given {displayed(text)}.")
    stripped = text.strip(SPACE)
    if FORBIDDEN_CHARACTERS.search(stripped):
        raise CircuitError(f"A {what} is one line without control characters; given {displayed(stripped)}.")
    return stripped


def checked_node(node: object) -> str:
    """Return the id of a node, which may be given as a Feature."""
    wanted = node.id if isinstance(node, Feature) else node
    if not isinstance(wanted, str) or not 1 <= len(wanted) <= LONGEST_NODE or FORBIDDEN_CHARACTERS.search(wanted):
        raise CircuitError(
            f"A node is given by its id, a text of 1 to {LONGEST_NODE} characters; given {displayed(wanted)}."
        )
    if SUPERNODE_ID.fullmatch(wanted):
        raise CircuitError(f"{displayed(wanted)} is the id of a supernode, where a node is expected.")
    return wanted


def checked_nodes(nodes: str | Feature | Iterable[str | Feature]) -> tuple[str, ...]:
    """Return the ids of one or more nodes, each once, in the order given."""
    unique = tuple(dict.fromkeys(checked_node(node) for node in several_nodes(nodes, CircuitError)))
    if not unique:
        raise CircuitError("Give at least one node; given none.")
    return unique


def checked_position(x: object, y: object) -> tuple[float, float]:
    """Return a position in the unit square of the circuit pane."""
    x, y = plain_number(x), plain_number(y)
    if not (is_number(x) and is_number(y) and 0 <= x <= 1 and 0 <= y <= 1):
        raise CircuitError(
            f"A position is two numbers between 0 and 1, from the left and from the top; given {displayed(x)} and {displayed(y)}."
        )
    return float(x), float(y)


def checked_share(what: str, share: object) -> float | None:
    """Return a share between 0 and 1, or None; `what` names it in the error."""
    if share is None:
        return None
    share = plain_number(share)
    if not (is_number(share) and 0 <= share <= 1):
        raise CircuitError(f"The {what} is a share between 0 and 1; given {displayed(share)}.")
    return float(share)


def checked_switch(what: str, switch: object) -> bool:
    """Return whether something is on; `what` names it in the error, with its verb."""
    switch = plain_number(switch)
    if not isinstance(switch, bool):
        raise CircuitError(f"{what} on or off, true or false; given {displayed(switch)}.")
    return switch


def checked_revision(revision: object) -> int:
    """Return the revision of a circuit: its number of edits."""
    revision = plain_number(revision)
    if isinstance(revision, bool) or not isinstance(revision, int) or not 0 <= revision < 2**53:
        raise CircuitError(f"A revision is a whole number from 0 up; given {displayed(revision)}.")
    return revision


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a finite number, and not a truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= LARGEST_DISPLAYED if isinstance(value, int) else math.isfinite(value)

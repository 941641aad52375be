"""Messages that no page sends: those that pages do send, with wrong, missing and additional values in any place."""

import copy
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from circuit_widget.widget.requests.registry import REQUESTS
from circuit_widget.widget.wire.schema import OneOf, hints_of


def _nested(depth: int, end: Any) -> Any:
    for level in range(depth):
        end = [end] if level % 2 else {"nodes": end}
    return end


WRONG: tuple[Any, ...] = (
    None, True, False, 0, -1, 0.5, -0.0, 1e308, -1e308, 5e-324, 10**9, 2**63, -(2**63), 10**400, math.nan, math.inf,
    -math.inf, "", " ", "x", "1", "nan", "null", "x" * 10_000, "\ud800", "a\x00b", "\u202e", "<script>", "__proto__",
    "../../etc/passwd", "/etc/passwd", "9_9_9", "1_1_*", "s1", "0-99", "total", "ablate", b"bytes", bytearray(10_000),
    [], {}, [[]], [None], [1, 2], ["x"], {"x": 1}, {"__class__": "x"}, {1: 2}, {"kind": "ablate"}, {"type": "request"},
    lambda: [0.5] * 30_000, lambda: ["x"] * 30_000, lambda: dict.fromkeys(map(str, range(3_000)), 1),
    lambda: _nested(30, 1), lambda: _nested(90, 1), lambda: _nested(5_000, 1), lambda: memoryview(bytes(64)),
)  # fmt: skip
"""Values, and functions that make those that take long to copy, or cannot be."""

KEYS = ("type", "rid", "name", "body", "kind", "nodes", "__class__", "__proto__", "", "x" * 300, "\ud800", "method")


@dataclass(frozen=True)
class Malformed:
    """A message, and the binary buffers that come with it."""

    data: Any
    buffers: tuple[bytes, ...] = ()


def bodies(kind: Any, known: Mapping[str, Any], name: str = "") -> Iterator[Any]:
    """Yield JSON that a declared type takes, for each alternative in it; `known` has the values of some fields."""
    origin, arguments = get_origin(kind), get_args(kind)
    if name in known:
        yield known[name]
    elif origin is Annotated:
        yield from arguments[1].choices if isinstance(arguments[1], OneOf) else bodies(arguments[0], known)
    elif origin is Literal:
        yield from arguments
    elif origin in (Union, UnionType):
        for one in arguments:
            yield from bodies(one, known)
    elif origin is tuple:
        yield from ([one] for one in bodies(arguments[0], known))
    elif is_dataclass(kind):
        yield from _objects(kind, known)
    else:
        yield {str: "the capital of Ohio is", int: 2, float: 1.0, bool: False, NoneType: None}[kind]


def _objects(kind: Any, known: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    choices = {field.name: list(bodies(hints_of(kind)[field.name], known, field.name)) for field in fields(kind)}
    for number in range(max([1, *(len(some) for some in choices.values())])):
        yield {name: some[number % len(some)] for name, some in choices.items()}
    yield {field.name: choices[field.name][0] for field in fields(kind) if field.default is MISSING}


def requests(known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the content of requests as they are declared, at least one of each kind."""
    return [
        {"type": "request", "rid": "r", "name": name, "body": body}
        for name, kind in REQUESTS.items()
        for body in bodies(kind.body, known)
    ]


def spoiled(value: Any, chance: random.Random) -> Any:
    """Return JSON with a few places that have another value, none, or one too many."""
    changed = [copy.deepcopy(value)]
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        holder, key = chance.choice(list(_places(changed)))
        match chance.randrange(6):
            case 0 if holder is not changed:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[chance.choice(KEYS)] = _wrong(chance)
            case 2 if isinstance(holder, list) and holder is not changed:
                holder.extend([holder[key]] * chance.choice((1, 200)))
            case 3:
                holder[key] = [holder[key]]
            case _:
                holder[key] = _wrong(chance)
    return changed[0]


def _wrong(chance: random.Random) -> Any:
    value = chance.choice(WRONG)
    return value() if callable(value) else copy.deepcopy(value)


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(min(len(value), 20)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        if depth < 20:
            yield from _places(value[key], depth + 1)


def message(
    chance: random.Random, requests_of_pages: list[dict[str, Any]], traits: Mapping[str, Any], rid: str
) -> Malformed:
    """Return a request, a change of a trait, or the message around it, spoiled; a request's id is `rid` if it has one."""
    buffers = tuple(bytes(chance.choice((0, 1, 3, 7, 10_000))) for _ in range(chance.choice((0, 0, 1, 3))))
    match chance.randrange(8):
        case 0:
            state = {name: spoiled(traits[name], chance) for name in [chance.choice(list(traits))]}
            return Malformed({"method": "update", "state": state, "buffer_paths": []}, buffers)
        case 1:
            whole = {
                "method": "update",
                "state": {"circuit": traits["circuit"]},
                "buffer_paths": [["circuit", "pinned"]],
            }
            return Malformed(spoiled(whole, chance), buffers)
        case 2:
            return Malformed(
                spoiled({"method": "custom", "content": chance.choice(requests_of_pages)}, chance), buffers
            )
        case _:
            content = spoiled({**chance.choice(requests_of_pages), "rid": rid}, chance)
            return Malformed({"method": "custom", "content": content}, buffers)

"""Frozen dataclasses as a wire format: decoded JSON becomes an instance, or is refused with a sentence.

A field is a str, int, float or bool, a Literal, another dataclass, a tuple or a Mapping of those, a union, or object
(any JSON). `Limit` bounds texts and lists, `OneOf` numbers. Unions of dataclasses are told apart by the field whose
Literal has one value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from circuit_widget.arguments import quoted
from circuit_widget.characters import beginning, half_character
from circuit_widget.errors import MessageError

T = TypeVar("T")

DEFAULT_TEXT = 200
DEFAULT_ITEMS = 1_000


@dataclass(frozen=True)
class Limit:
    """The most characters of a text, counted as code points, or items of a list."""

    most: int


@dataclass(frozen=True)
class OneOf:
    """The only numbers that are taken."""

    choices: tuple[float, ...]


def parse(kind: type[T], value: object, where: str) -> T:
    """Return `value`, decoded JSON, as an instance of the dataclass `kind`.

    `where` names the value in the sentence of the MessageError, raised for unknown or missing keys, wrong types, texts
    and lists over their limit, texts that hold half of a character, and numbers that are not finite.
    """
    parsed: T = _parse(kind, value, where)
    return parsed


def plain(value: Any) -> Any:
    """Return an instance of such a dataclass, or what is in one, as the JSON that decodes to it: objects and lists."""
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def shown(value: object) -> str:
    """Return a value as it is quoted in an error: at most 40 characters, on one line."""
    if isinstance(value, str):
        text = repr(beginning(value, 40))
        return text if len(value) <= 40 else f"{text}… ({len(value):,} characters)"
    if isinstance(value, (dict, list, tuple)):
        return f"{_NAMES.get(type(value), 'a list')} of {len(value):,}"
    text = quoted(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


_NAMES: Mapping[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
}


def _refuse(where: str, expected: str, value: object) -> MessageError:
    return MessageError(f"{where} is {shown(value)}; expected {expected}.")


def _parse(kind: Any, value: object, where: str, limit: Limit | None = None) -> Any:
    origin = get_origin(kind)
    if origin is Annotated:
        inner, extra = get_args(kind)
        if isinstance(extra, OneOf):
            return _parse_choice(extra.choices, value, where)
        return _parse(inner, value, where, extra)
    if origin is Literal:
        return _parse_choice(get_args(kind), value, where)
    if origin in (Union, UnionType):
        return _parse_union(get_args(kind), value, where, limit)
    if origin is tuple:
        return _parse_list(get_args(kind), value, where, limit)
    if origin is not None:
        return _parse_mapping(get_args(kind)[1], value, where, limit)
    if is_dataclass(kind):
        return _parse_object(kind, value, where)
    return value if kind is object else _parse_plain(kind, value, where, limit)


def _parse_choice(choices: tuple[Any, ...], value: object, where: str) -> Any:
    if not isinstance(value, str | int | float) or value not in choices:
        raise _refuse(where, " or ".join(repr(choice) for choice in choices), value)
    return value


def _parse_plain(kind: Any, value: object, where: str, limit: Limit | None) -> Any:
    if kind is float and type(value) is int:
        value = float(value) if abs(value) < 2**1000 else math.inf
    if type(value) is not kind:
        raise _refuse(where, _NAMES[kind], value)
    if isinstance(value, float) and not math.isfinite(value):
        raise _refuse(where, "a finite number", value)
    if isinstance(value, str):
        most = limit.most if limit else DEFAULT_TEXT
        if len(value) > most:
            raise MessageError(f"{where} has {len(value):,} characters; at most {most:,} are taken.")
        if (half := half_character(value)) is not None:
            raise MessageError(f"{where} holds half of a character, {half}; expected whole characters.")
    return value


def _parse_object(kind: Any, value: object, where: str) -> Any:
    if not isinstance(value, dict):
        raise _refuse(where, "an object", value)
    hints = hints_of(kind)
    unknown = [key for key in value if key not in hints]
    if unknown:
        raise MessageError(
            f"{where} has the unknown key {shown(unknown[0])}; its keys are {', '.join(hints) or 'none'}."
        )
    missing = [f.name for f in fields(kind) if f.default is MISSING and f.name not in value]
    if missing:
        raise MessageError(f"{where} lacks {', '.join(missing)}.")
    return kind(**{key: _parse(hints[key], item, f"{where}.{key}") for key, item in value.items()})


def _parse_list(kinds: tuple[Any, ...], value: object, where: str, limit: Limit | None) -> Any:
    if not isinstance(value, list | tuple):
        raise _refuse(where, "a list", value)
    if kinds[-1] is not Ellipsis:
        if len(value) != len(kinds):
            raise MessageError(f"{where} has {len(value):,} items; expected {len(kinds)}.")
        return tuple(
            _parse(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, value, strict=True))
        )
    most = limit.most if limit else DEFAULT_ITEMS
    if len(value) > most:
        raise MessageError(f"{where} has {len(value):,} items; at most {most:,} are taken.")
    return tuple(_parse(kinds[0], item, f"{where}[{i}]") for i, item in enumerate(value))


def _parse_mapping(kind: Any, value: object, where: str, limit: Limit | None) -> Any:
    if not isinstance(value, dict):
        raise _refuse(where, "an object", value)
    most = limit.most if limit else DEFAULT_ITEMS
    if len(value) > most:
        raise MessageError(f"{where} has {len(value):,} entries; at most {most:,} are taken.")
    return {
        _parse_plain(str, key, f"a key of {where}", None): _parse(kind, item, f"{where}[{shown(key)}]")
        for key, item in value.items()
    }


def _parse_union(kinds: tuple[Any, ...], value: object, where: str, limit: Limit | None) -> Any:
    if value is None and NoneType in kinds:
        return None
    objects: list[Any] = [kind for kind in kinds if is_dataclass(kind)]
    if len(objects) == 1 and isinstance(value, dict):
        return _parse_object(objects[0], value, where)
    if objects and isinstance(value, dict):
        tags = [(_tag_of(kind), kind) for kind in objects]
        for (name, tag), kind in tags:
            if value.get(name) == tag:
                return _parse_object(kind, value, where)
        name = tags[0][0][0]
        raise _refuse(f"{where}.{name}", " or ".join(repr(tag) for (_, tag), _ in tags), value.get(name))
    plain = [kind for kind in kinds if kind is not NoneType]
    for kind in plain[:-1]:
        try:
            return _parse(kind, value, where, limit)
        except MessageError:
            continue
    return _parse(plain[-1], value, where, limit)


@cache
def hints_of(kind: Any) -> dict[str, Any]:
    """Return the declared type of each field of a dataclass."""
    return get_type_hints(kind, include_extras=True)


@cache
def _tag_of(kind: Any) -> tuple[str, str]:
    """Return the field of a dataclass that only has one value, and the value."""
    for name, hint in hints_of(kind).items():
        if get_origin(hint) is Literal and len(get_args(hint)) == 1:
            return name, get_args(hint)[0]
    raise TypeError(f"{kind.__name__} has no field with a single value to tell it apart by")

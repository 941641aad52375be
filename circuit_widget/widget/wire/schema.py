"""Messages as frozen dataclasses: pydantic turns decoded JSON into an instance, or this module states why not in a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar, dataclass_transform, get_type_hints

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from circuit_widget.arguments import quoted
from circuit_widget.characters import beginning, half_character
from circuit_widget.errors import MessageError

T = TypeVar("T")

LONGEST_TEXT = 200
"""Most characters of a text in a message, such as a label or the name of an experiment, where nothing else is declared."""

DEEPEST = 32
"""Most levels of lists and objects in a message; every message that is declared has far fewer."""

_CONFIG = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, str_max_length=LONGEST_TEXT)
"""What every message keeps to: no conversion, no unknown key, finite numbers, short texts."""

Listed: TypeAlias = Annotated[tuple[T, ...], Field(max_length=1_000, strict=False, fail_fast=True)]
"""A list of up to 1,000 items, which an instance has as a tuple."""

Many: TypeAlias = Annotated[tuple[T, ...], Field(max_length=20_000, strict=False, fail_fast=True)]
"""A list of up to 20,000 items."""

Pair: TypeAlias = Annotated[tuple[int, int], Field(strict=False)]


@dataclass(frozen=True)
class OneOf:
    """The only numbers that are taken."""

    choices: tuple[float, ...]

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(list(self.choices))


@dataclass_transform(frozen_default=True)
def message(kind: type[T]) -> type[T]:
    """Make a class a message: a frozen dataclass that `parse` reads from JSON, and `typescript` declares for the page."""
    made: Any = dataclass(frozen=True)(kind)
    made.__pydantic_config__ = _CONFIG
    made.__get_pydantic_core_schema__ = _schema_of_object
    return made  # type: ignore[no-any-return]


@staticmethod  # type: ignore[misc]
def _schema_of_object(kind: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
    names = [one.name for one in fields(kind)]

    def check_keys(value: object) -> object:
        unknown = [key for key in value if key not in names] if isinstance(value, dict) else []
        if unknown:
            known = ", ".join(names) or "none"
            raise PydanticCustomError("unknown_key", "", {"key": short_quote(unknown[0]), "known": known})
        return value

    # Strict about every field, but not about the object itself: from the page it comes as a dictionary.
    schema = handler(kind)
    definition: Any = handler.resolve_ref_schema(schema)
    definition["strict"] = False
    return core_schema.no_info_before_validator_function(check_keys, schema)


def parse(kind: type[T], value: object, where: str) -> T:
    """Return `value`, decoded JSON, as an instance of the message `kind`.

    `where` names the value in the sentence of the MessageError, raised for unknown or missing keys, wrong types, texts
    and lists over their limit, texts that have half of a character, numbers that are not finite, and too deep nesting.
    """
    if _is_deeper(value, DEEPEST):
        raise MessageError(f"{where} is nested more than {DEEPEST} levels deep.")
    try:
        parsed: T = _adapter(kind).validate_python(value)  # type: ignore[arg-type] # classes are hashable
    except ValidationError as error:
        raise MessageError(_sentence(error.errors(include_url=False), value, where)) from None
    return parsed


def _is_deeper(value: object, levels: int) -> bool:
    """Return whether a value has more levels; by level and not by recursion, since a message may have millions of items."""
    level: list[Any] = [value] if type(value) is list or type(value) is dict else []
    for _ in range(levels):
        level = [
            item
            for outer in level
            for item in (outer.values() if type(outer) is dict else outer)
            if type(item) is list or type(item) is dict
        ]
    return bool(level)


def plain(value: Any) -> Any:
    """Return a message, or what is in one, as the JSON that decodes to it: objects and lists."""
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {key: plain(item) if is_dataclass(item) else item for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def short_quote(value: object) -> str:
    """Return a value as an error quotes it: at most 40 characters, on one line."""
    if isinstance(value, str):
        text = repr(beginning(value, 40))
        return text if len(value) <= 40 else f"{text}… ({len(value):,} characters)"
    if isinstance(value, (dict, list, tuple)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    text = quoted(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


@cache
def hints_of(kind: Any) -> dict[str, Any]:
    """Return the declared type of each field of a message."""
    return get_type_hints(kind, include_extras=True)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


Sentence: TypeAlias = Callable[[str, Any, Mapping[str, Any]], str]


def _expected(what: str) -> Sentence:
    return lambda where, given, _: f"{where} is {short_quote(given)}; expected {what}."


def _choice(where: str, given: Any, context: Mapping[str, Any]) -> str:
    return f"{where} is {short_quote(given)}; expected {context['expected'].replace(', ', ' or ')}."


def _number(where: str, given: Any, _: Mapping[str, Any]) -> str:
    # A whole number that is too large for a float is no float either.
    if type(given) is int:
        return f"{where} is {math.inf}; expected a finite number."
    return f"{where} is {short_quote(given)}; expected a number."


def _tag(where: str, given: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    name = context["discriminator"].strip("'")
    return (
        f"{where}.{name} is {short_quote(given.get(name))}; expected {context['expected_tags'].replace(', ', ' or ')}."
    )


_SENTENCES: Mapping[str, Sentence] = {
    **dict.fromkeys(("dataclass_type", "dict_type", "model_attributes_type"), _expected("an object")),
    "string_type": _expected("a text"),
    "int_type": _expected("a whole number"),
    "bool_type": _expected("true or false"),
    "tuple_type": _expected("a list"),
    "finite_number": _expected("a finite number"),
    "float_type": _number,
    "literal_error": _choice,
    "union_tag_invalid": _tag,
    "union_tag_not_found": lambda where, _, context: f"{where} lacks {context['discriminator']}.".replace("'", ""),
    "unknown_key": lambda where, _, context: (
        f"{where} has the unknown key {context['key']}; its keys are {context['known']}."
    ),
    "string_too_long": lambda where, given, context: (
        f"{where} has {len(given):,} characters; at most {context['max_length']:,} are taken."
    ),
    "too_long": lambda where, given, context: (
        f"{where} has {len(given):,} items; at most {context['max_length']:,} are taken."
    ),
    "string_unicode": lambda where, given, _: (
        f"{where} has half of a character, {half_character(given)}; expected whole characters."
    ),
}
"""The sentence for each kind of error of pydantic."""


def _sentence(errors: Sequence[ErrorDetails], value: object, where: str) -> str:
    """Return what is wrong, what was given and what was expected, of one error among those that pydantic found."""
    found = [(one, *_located(one["loc"], value)) for one in errors]
    # Of a union's alternatives each has an error of its own; the one that went deepest understood the most.
    error, path, given = min(found, key=lambda one: (one[0]["type"] != "missing", -len(one[1])))
    if error["type"] != "missing":
        sentence = _SENTENCES.get(error["type"], _expected(error["msg"]))
        return sentence(where + path, error["input"], error.get("ctx", {}))
    if not isinstance(given, dict):
        return f"{where}{path} has {len(given):,} items; expected more."
    lacking = [str(one["loc"][-1]) for one, there, _ in found if one["type"] == "missing" and there == path]
    return f"{where}{path} lacks {', '.join(lacking)}."


def _located(steps: Iterable[str | int], value: Any) -> tuple[str, Any]:
    """Return the path to an error and what is there; steps that lead nowhere name an alternative, or what is missing."""
    path = ""
    for step in steps:
        if isinstance(value, dict) and isinstance(step, str) and step in value:
            path, value = f"{path}.{step}", value[step]
        elif isinstance(value, list | tuple) and isinstance(step, int) and step < len(value):
            path, value = f"{path}[{step}]", value[step]
    return path, value

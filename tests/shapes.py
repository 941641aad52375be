"""The type checker that executes circuit_widget's annotated shapes while the tests run.

conftest.py hands it to jaxtyping's import hook, which calls it for every function and every dataclass and gives each
call its own dimension names. It looks at annotations that contain a shape and at no other: mypy reads the rest.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache
from inspect import Parameter, signature
from typing import Any, ParamSpec, TypeAlias, TypeVar, Union, get_args, get_origin

from jaxtyping import AbstractArray

CHECKER = "tests.shapes.checked"
"""The name by which the import hook finds `checked`."""

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


def checked(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """Return a function that calls `function` with arguments and a result of the annotated shapes.

    It raises TypeError for any other. A function without shapes is returned as it is. Of a dataclass, the fields are
    checked once `__init__` has set them, so that it may refuse or convert what it is given.
    """
    expected = signature(function)
    shaped = {name: one for name, one in expected.parameters.items() if has_shape(one.annotation)}
    returned = expected.return_annotation
    if not shaped and not has_shape(returned):
        return function

    def check(*given: Parameters.args, **named: Parameters.kwargs) -> Returned:
        arguments = expected.bind(*given, **named).arguments
        is_new = function.__name__ == "__init__" and is_dataclass(arguments["self"])
        for name, value in _fields(arguments["self"], shaped) if is_new else _arguments(arguments, shaped):
            require(name, value, shaped[name].annotation)
        result = function(*given, **named)
        require("the result", result, returned)
        return result

    return check


Named: TypeAlias = Iterator[tuple[str, Any]]


def _arguments(arguments: Mapping[str, Any], shaped: Mapping[str, Parameter]) -> Named:
    for name, parameter in shaped.items():
        if name in arguments:
            value = arguments[name]
            if parameter.kind is Parameter.VAR_POSITIONAL:
                yield from ((name, one) for one in value)
            elif parameter.kind is Parameter.VAR_KEYWORD:
                yield from ((name, one) for one in value.values())
            else:
                yield name, value


def _fields(instance: Any, shaped: Mapping[str, Parameter]) -> Named:
    """Yield the fields that an instance has by now: none before its `__init__` ran."""
    yield from ((name, vars(instance)[name]) for name in shaped if name in vars(instance))


def require(name: str, value: object, annotation: Any) -> None:
    """Raise TypeError unless a value has the shapes that an annotation names."""
    if not fits(value, annotation):
        raise TypeError(f"{name} is {_described(value)}, which is not {annotation}.")


def has_shape(annotation: Any) -> bool:
    """Whether an annotation names the shape of an array anywhere within it."""
    return isinstance(annotation, Hashable) and _names_shape(annotation)


@cache
def _names_shape(annotation: Any) -> bool:
    return _is_array(annotation) or any(map(has_shape, get_args(annotation)))


def fits(value: object, annotation: Any) -> bool:
    """Whether a value has the shapes that an annotation names; dimension names are bound on the way.

    Looks into unions, tuples, sequences and mappings. Iterators are not consumed and functions are not called, so that
    what they return goes unchecked here.
    """
    if not has_shape(annotation):
        return True
    if _is_array(annotation):
        return isinstance(value, annotation)
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return any(_is_of_kind(value, part) and fits(value, part) for part in parts)
    if origin is tuple and parts[-1] is not Ellipsis:
        return isinstance(value, tuple) and len(value) == len(parts) and all(map(fits, value, parts))
    if isinstance(value, Mapping):
        return all(fits(content, parts[-1]) for content in value.values())
    if isinstance(value, tuple | list):
        return all(fits(content, parts[0]) for content in value)
    return True


def _is_of_kind(value: object, annotation: Any) -> bool:
    """Whether a value can be meant by one part of a union: for a part without a shape, whether it is of its class."""
    kind = get_origin(annotation) or annotation
    if kind is None:
        return value is None
    return not isinstance(kind, type) or isinstance(value, kind)


def _is_array(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, AbstractArray)


def _described(value: object) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return type(value).__name__ if shape is None else f"{type(value).__name__} of {dtype} with shape {tuple(shape)}"

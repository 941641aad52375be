"""Annotated shapes of circuit_widget are executed while the tests run.

`install` has every function and every dataclass of the package decorated with `checked` as its module is imported. Each
call gives the names of dimensions sizes of its own. What fits once, fits again: calls with types, dtypes and shapes that
have passed are not checked another time. Only annotations that contain a shape are looked at: mypy reads the
rest. jaxtyping has an import hook that does the same; it costs each call of each function so much that the tests would
take five times as long.
"""

from __future__ import annotations

import ast
import sys
import types
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import cache, wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from inspect import Parameter, isclass, signature
from os import PathLike, fspath
from typing import Any, Union, get_args, get_origin

from jaxtyping import AbstractArray, TypeCheckError, jaxtyped

DECORATOR = "__import__('tests.shapes').shapes.checked"
ABSENT = object()


def install(package: str) -> None:
    """Execute the shapes of a package that is not imported yet."""
    if package in sys.modules:
        raise RuntimeError(f"{package} is imported before its annotated shapes could be executed.")
    sys.meta_path.insert(0, _Finder(package))


class _Finder(MetaPathFinder):
    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.split(".")[0] != self.package:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    """Compiles a module with its functions and dataclasses decorated, and keeps no bytecode of that."""

    def path_stats(self, path: Any) -> Any:
        raise OSError("There is no bytecode of decorated modules.")

    def source_to_code(self, data: Any, path: str | PathLike[str], *, _optimize: int = -1) -> types.CodeType:  # type: ignore[override]
        tree = _Decorated().visit(ast.parse(data, fspath(path)))
        return compile(tree, path, "exec", dont_inherit=True, optimize=_optimize)


class _Decorated(ast.NodeTransformer):
    """Has `checked` stand below all other decorators of a function, and above those of a class."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.decorator_list.append(_decorator_at(node))
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list.insert(0, _decorator_at(node))
        return self.generic_visit(node)


def _decorator_at(node: ast.stmt) -> ast.expr:
    expression = ast.parse(DECORATOR, mode="eval").body
    for part in ast.walk(expression):
        ast.copy_location(part, node)
    return expression


def checked(decorated: Any) -> Any:
    """Return a function that raises TypeCheckError for arguments or a result of other shapes than those annotated.

    A function without shapes is returned as it is, and so is a class. The fields of a dataclass are checked once its
    `__init__` has set them, so that it may refuse or convert what it is given.
    """
    if not isclass(decorated):
        return _checked_function(decorated)
    if is_dataclass(decorated) and "__init__" in vars(decorated):
        shaped = {name: annotation for name, annotation in _annotations(decorated.__init__).items() if name != "return"}
        if shaped:
            setattr(decorated, "__init__", _checked_init(decorated, shaped))  # noqa: B010, mypy knows no other way
    return decorated


def _checked_function(function: Callable[..., Any]) -> Callable[..., Any]:
    shaped = _annotations(function)
    if not shaped:
        return function
    parameters = enumerate(signature(function).parameters.items())
    places = [(number, one, shaped[name]) for number, (name, one) in parameters if name in shaped]
    returned = shaped.get("return")
    name = f"{function.__module__}.{function.__qualname__}"
    passed: dict[tuple[Hashable, ...], set[Hashable]] = {}

    def require_arguments(given: tuple[Any, ...], named: dict[str, Any]) -> None:
        for number, parameter, annotation in places:
            for value in _arguments(number, parameter, given, named):
                require(f"{parameter.name} of {name}", value, annotation)

    @wraps(function)
    def check(*given: Any, **named: Any) -> Any:
        of_arguments = tuple(
            shape_of(value) for number, parameter, _ in places for value in _arguments(number, parameter, given, named)
        )
        results = passed.get(of_arguments)
        if results is None:
            with jaxtyped("context"):
                require_arguments(given, named)
            results = passed.setdefault(of_arguments, set())
        result = function(*given, **named)
        if returned is not None and (of_result := shape_of(result)) not in results:
            with jaxtyped("context"):
                require_arguments(given, named)
                require(f"the result of {name}", result, returned)
            results.add(of_result)
        return result

    return check


def _checked_init(kind: type, shaped: dict[str, Any]) -> Callable[..., None]:
    init: Callable[..., None] = vars(kind)["__init__"]
    passed: set[Hashable] = set()

    @wraps(init)
    def check(self: object, *given: Any, **named: Any) -> None:
        init(self, *given, **named)
        fields = [(name, getattr(self, name, ABSENT), annotation) for name, annotation in shaped.items()]
        of_fields = tuple(shape_of(value) for _, value, _ in fields)
        if of_fields in passed:
            return
        with jaxtyped("context"):
            for name, value, annotation in fields:
                if value is not ABSENT:
                    require(f"{name} of {kind.__module__}.{kind.__qualname__}", value, annotation)
        passed.add(of_fields)

    return check


def shape_of(value: object) -> Hashable:
    """All of a value that its annotation may contradict: its type, its dtype and shape, and those of what it contains.

    Whether values fit is decided by these alone, so that no two calls with the same have to be checked.
    """
    kind: Any = type(value)
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return kind, getattr(value, "dtype", None), shape
    if isinstance(value, Mapping):
        return kind, tuple(map(shape_of, value.values()))
    if isinstance(value, tuple | list):
        return kind, tuple(map(shape_of, value))
    found: Hashable = kind
    return found


def _arguments(number: int, parameter: Parameter, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """The values that a call gives to a parameter: none where its default is taken."""
    if parameter.kind is Parameter.VAR_POSITIONAL:
        return given[number:]
    if parameter.kind is Parameter.VAR_KEYWORD:
        raise TypeError(f"The shapes of **{parameter.name} cannot be executed.")
    if parameter.name in named:
        return (named[parameter.name],)
    is_given = number < len(given) and parameter.kind is not Parameter.KEYWORD_ONLY
    return (given[number],) if is_given else ()


def _annotations(function: Any) -> dict[str, Any]:
    """The annotations of a function that name a shape; those that only a type checker understands do not."""
    found = {}
    for name, annotation in function.__annotations__.items():
        value = annotation
        if isinstance(annotation, str):
            try:
                value = eval(annotation, function.__globals__)
            except Exception:
                continue
        if has_shape(value):
            found[name] = value
    return found


def require(name: str, value: object, annotation: Any) -> None:
    """Raise TypeCheckError unless a value has the shapes that an annotation names."""
    if not fits(value, annotation):
        raise TypeCheckError(f"{name} is {_described(value)}, which is not {annotation}.")


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
    """Whether a value can be of one part of a union: for a part without a shape, whether it is of its class."""
    kind = get_origin(annotation) or annotation
    if kind is None:
        return value is None
    return not isinstance(kind, type) or isinstance(value, kind)


def _is_array(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, AbstractArray)


def _described(value: object) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return type(value).__name__ if shape is None else f"{type(value).__name__} of {dtype} with shape {tuple(shape)}"

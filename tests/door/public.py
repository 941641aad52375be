"""The public interface, found by introspection: what `circuit_widget` names, and every class that any of it returns."""

import functools
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from typing import Any

import circuit_widget

OF_A_BASE_CLASS = {"Mapping"}
"""Classes whose methods are those of a standard protocol."""

PARTS_OF_A_MODEL = {"LanguageModel", "TranscoderSet", "Prompt", "Scene", "TracingModel", "GenerationTracer"}
"""What public classes are made of: the package's own, and nothing that a user calls.

`TracingModel` and `GenerationTracer` are protocols of ReplacementModel, which is walked itself.
"""


def package_classes() -> dict[str, type]:
    """Return every class of the package by its name."""
    for module in pkgutil.walk_packages(circuit_widget.__path__, "circuit_widget."):
        if ".demo" not in module.name:
            importlib.import_module(module.name)
    modules = [module for name, module in list(sys.modules.items()) if name.startswith("circuit_widget")]
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    }


@functools.cache
def public_classes() -> tuple[type, ...]:
    """Return the classes that a user can get, those that errors and warnings are left out."""
    known, found = package_classes(), {}
    waiting = [getattr(circuit_widget, name) for name in circuit_widget.__all__ if name != "__version__"]
    while waiting:
        one = waiting.pop()
        if inspect.isclass(one) and issubclass(one, BaseException):
            continue
        if inspect.isclass(one):
            found[one.__name__] = one
        for words in returned(one):
            for name in re.findall(r"\w+", words):
                if name in known and name not in found and name not in PARTS_OF_A_MODEL:
                    waiting.append(known[name])
    return tuple(found.values())


def returned(one: Any) -> Iterator[str]:
    """Yield the annotations of what a function returns, or what a class's attributes and public methods are."""
    if not inspect.isclass(one):
        yield str(one.__annotations__.get("return", ""))
        return
    for base in one.__mro__:
        if base.__module__.startswith("circuit_widget"):
            yield from (str(words) for name, words in inspect.get_annotations(base).items() if name[0] != "_")
            for name, member in vars(base).items():
                member = getattr(member, "fget", None) or getattr(member, "func", None) or member
                member = getattr(member, "__func__", member)
                if name[0] != "_" and inspect.isfunction(member):
                    yield str(member.__annotations__.get("return", ""))


def parameters() -> Iterator[tuple[str, str]]:
    """Yield (entry, parameter) for each argument that a user can give: `Graph.prune`, `edge_threshold`."""
    for name in ("compare", "load", "open", "panels", "redo"):
        function = getattr(circuit_widget, name)
        yield from ((function.__name__, name) for name in inspect.signature(function).parameters)
    for one in public_classes():
        for base in one.__mro__:
            if not base.__module__.startswith("circuit_widget") or base.__name__ in OF_A_BASE_CLASS:
                continue
            for name, member in vars(base).items():
                function = getattr(member, "__func__", member)
                called = name in dir(one) and not of_a_library(one, name)
                if name[0] != "_" and inspect.isfunction(function) and called:
                    # The first argument of a method is the object or the class, whatever its name.
                    own = 0 if isinstance(member, staticmethod) else 1
                    given = list(inspect.signature(function).parameters)[own:]
                    yield from ((f"{one.__name__}.{name}", argument) for argument in given)


def of_a_library(one: type, name: str) -> bool:
    """Return whether a method is one of a library's class, which the library calls."""
    return any(name in vars(base) for base in one.__mro__ if not base.__module__.startswith("circuit_widget"))


MADE_BY_USERS = (
    *(
        "Ablate",
        "Add",
        "Circuit",
        "CircuitWidget",
        "Contrast",
        "Direction",
        "Everywhere",
        "Feature",
        "Filters",
        "Scale",
    ),
    *("Set", "Supernode", "SwapIn"),
)
"""Classes whose instances users make themselves; the others come out of methods."""


def constructor_parameters() -> Iterator[tuple[str, str]]:
    """Yield (class, parameter) for each argument of a class that users make themselves."""
    for one in public_classes():
        if one.__name__ in MADE_BY_USERS:
            yield from ((one.__name__, name) for name in inspect.signature(one).parameters)

"""Copied code is calls of public names with literal arguments, whatever a document holds."""

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import circuit_widget as cw
from circuit_widget.characters import repaired
from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph, PromptToken
from circuit_widget.intervention.as_code import (
    effect_code,
    generation_code,
    groups_code,
    keyword_code,
    nodes_code,
    study_code,
    value_code,
)
from circuit_widget.intervention.kinds import Intervention
from circuit_widget.intervention.literal import literal
from tests.graph.graphs import random_graph

GRAPH = random_graph(3)

METHODS = {"intervene", "sweep", "sweep_last_layer", "sweep_groups", "validate", "generate", "trace", "prune"}
CLASSES = {"Ablate", "Scale", "Set", "Add", "SwapIn", "Contrast", "Direction", "Feature", "Everywhere", "load"}

HOSTILE = (
    "\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x00", "\ud800", "\u202e", "\u2066", "\\", "'",
    '"', "'''", '"""', "{x}", "#", ")", "__import__('os').system('touch RAN')", "\nimport os\nos.abort()\n", "%run x",
    "!ls", "?", "f'{x}'", "\N{ZERO WIDTH SPACE}", "é", "你好", "🙂", "\\N{BULLET}", "-*- coding: utf-7 -*-",
)  # fmt: skip

texts = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(), max_size=6)), max_size=5).map("".join)
whole = texts.map(repaired)
"""Texts that graphs and prompts take: whole characters."""

numbers = st.integers(-(2**63), 2**63)
reals = st.floats(allow_nan=False, allow_infinity=False)
plain_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, reals, texts),
    lambda some: st.one_of(st.lists(some, max_size=3), st.dictionaries(texts, some, max_size=3)),
    max_leaves=8,
)
counts = st.integers(0, 2**31 - 1)


def statements(code: str) -> Iterator[ast.stmt]:
    """The statements of a program, the program itself checked: one import, and no character that ends a line early."""
    first, *rest = ast.parse(code).body
    assert ast.unparse(first) == "import circuit_widget as cw"
    assert not [character for character in code if not (character.isprintable() or character == "\n")]
    yield from rest


def assert_harmless(code: str) -> None:
    """Raise AssertionError where code is anything but assignments of calls of public names, literals, and prints."""
    for statement in statements(code):
        match statement:
            case ast.Assign(targets=[ast.Name(id="model")], value=ast.Constant(value=value)) if value is ...:
                continue
            case ast.Assign(targets=[ast.Name()], value=ast.Call() as call):
                assert_call(call)
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=[ast.Name()], keywords=[])):
                continue
            case ast.Expr(value=ast.Attribute(value=ast.Name(id="effect"), attr="tokens")):
                continue
            case _:
                raise AssertionError(ast.unparse(statement))


def assert_call(call: ast.Call) -> None:
    match call.func:
        case ast.Attribute(value=ast.Name(id="cw"), attr=name):
            assert name in CLASSES
        case ast.Attribute(value=ast.Name(id="model" | "graph"), attr=name):
            assert name in METHODS
        case other:
            raise AssertionError(ast.unparse(other))
    for value in [*call.args, *(keyword.value for keyword in call.keywords)]:
        assert_value(value)


def assert_value(value: ast.expr) -> None:
    match value:
        case ast.Call():
            assert_call(value)
        case ast.Name(id="graph"):
            return
        case ast.List(elts=entries) if any(isinstance(entry, ast.Call) for entry in entries):
            for entry in entries:
                assert_value(entry)
        case _:
            ast.literal_eval(value)


class Source:
    """Stands for a model that was loaded by names."""

    def __init__(self, *names: str | None) -> None:
        self.source = names


targets = st.lists(
    st.one_of(
        st.fixed_dictionaries({"token": st.one_of(counts, texts)}),
        st.fixed_dictionaries({"contrast": st.lists(st.one_of(counts, texts), min_size=2, max_size=2)}),
        st.fixed_dictionaries({"direction": texts, "vector": st.lists(reals, max_size=3)}),
    ),
    max_size=3,
)
recipes = st.fixed_dictionaries(
    {},
    optional={
        "model": texts, "transcoders": texts, "device": texts, "dtype": texts, "prompt": texts, "targets": targets,
        "step": counts, "active_features": counts, "left_out_features": counts,
        "thresholds": st.fixed_dictionaries({"node": reals, "edge": reals}),
    },
)  # fmt: skip


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    tokens = tuple(PromptToken(draw(whole), draw(counts)) for _ in GRAPH.tokens)
    model: Any = draw(st.one_of(st.none(), st.builds(Source, texts, st.one_of(st.none(), texts))))
    labels = {GRAPH.node_ids[0]: draw(whole)}
    return replace(
        GRAPH, tokens=tokens, labels=labels, recipe=draw(recipes), model=model, position=draw(st.integers(0, 2))
    )


nodes = st.lists(
    st.one_of(texts, st.builds(cw.Feature, counts, counts, counts), st.builds(cw.Everywhere, counts, counts)),
    min_size=1,
    max_size=3,
)
places = st.lists(st.one_of(texts, st.builds(cw.Feature, counts, counts, counts)), min_size=1, max_size=2)
experiments = st.lists(
    st.one_of(
        st.builds(cw.Ablate, nodes),
        st.builds(cw.Scale, nodes, reals),
        st.builds(cw.Set, nodes, reals),
        st.builds(cw.Add, texts.map(lambda text: [text]), st.lists(reals, min_size=1, max_size=1)),
        st.builds(
            cw.SwapIn,
            places,
            st.one_of(whole, st.lists(counts, min_size=1, max_size=3)),
            st.one_of(st.none(), places),
            st.one_of(st.none(), st.dictionaries(st.integers(0, 9), st.integers(0, 9), min_size=1, max_size=1)),
        ),
    ),
    max_size=3,
)


def assert_harmless_or_refused(graph: Graph, code: Callable[[], str]) -> None:
    """Only a recipe that leaves features out, without the number of all, is refused."""
    if graph.left_out and "active_features" not in graph.recipe:
        with pytest.raises(InterventionError, match="recipe of the graph cannot be written as Python code"):
            code()
    else:
        assert_harmless(code())


@given(graphs(), experiments, texts)
def test_an_effect_is_calls_with_literals(graph: Graph, experiment: list[Intervention], mode: str) -> None:
    assert_harmless_or_refused(graph, lambda: effect_code(graph, experiment, mode))


@given(graphs(), experiments, st.dictionaries(st.sampled_from(["seed", "temperature", "new_tokens"]), plain_values))
def test_a_generation_is_calls_with_literals(
    graph: Graph, experiment: list[Intervention], options: Mapping[str, Any]
) -> None:
    assert_harmless(generation_code(graph, experiment, options))


@given(graphs(), nodes, st.dictionaries(texts, st.lists(texts, max_size=2), max_size=3), st.lists(reals), texts)
def test_a_study_is_calls_with_literals(
    graph: Graph, some: list[Any], groups: dict[str, list[str]], factors: list[float], mode: str
) -> None:
    for method, arguments in (
        ("sweep", [nodes_code(some), value_code(factors), keyword_code("mode", mode)]),
        ("sweep_groups", [groups_code(groups), keyword_code("pairs", True), keyword_code("mode", mode)]),
        ("validate", [groups_code(groups), keyword_code("mode", mode)]),
    ):
        assert_harmless_or_refused(graph, partial(study_code, graph, method, arguments))


@pytest.mark.parametrize(
    "recipe",
    [
        {"targets": 5},
        {"targets": [{}]},
        {"targets": ["print(1)"]},
        {"targets": [{"contrast": [1]}]},
        {"thresholds": 0.5},
        {"thresholds": {"node": 1}},
        {"left_out_features": 3},
        {"left_out_features": 3, "active_features": "print(1)"},
    ],
)
def test_a_malformed_recipe_is_refused_with_a_sentence(recipe: dict[str, Any]) -> None:
    with pytest.raises(InterventionError, match="The recipe of the graph cannot be written as Python code: its"):
        effect_code(replace(GRAPH, recipe=recipe), [cw.Ablate("1_2_3")], "total")


@given(plain_values)
def test_a_literal_is_read_back_as_it_was(value: object) -> None:
    source = literal(value)
    assert ast.literal_eval(source) == value
    assert source.isprintable()
    assert "\n" not in source


class Text(str):
    """A text whose source would be something else."""

    def __repr__(self) -> str:
        return "__import__('os')"


@pytest.mark.parametrize(
    "value",
    [
        math.nan, math.inf, -math.inf, 2**65, 10**400, Text("x"), [Text("x")], {Text("x"): 1}, {"x": object()}, print,
        b"bytes", {1, 2}, 1j, np.float32(1), np.str_("x"), torch.tensor(1), MappingProxyType({}), range(3),
    ],
)  # fmt: skip
def test_what_is_no_plain_value_is_refused(value: object) -> None:
    with pytest.raises(InterventionError, match="cannot be written as Python code"):
        literal(value)


def test_what_is_nested_without_end_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InterventionError, match="cannot be written as Python code"):
        literal(endless)


@pytest.mark.parametrize(
    ("given", "source"),
    [
        (np.float32(0.5), "0.5"), (np.int64(7), "7"), (np.bool_(True), "True"), (np.str_("a"), "'a'"), (Text("a"), "'a'"),
        (torch.tensor(3), "3"), ((np.int32(1), 2), "[1, 2]"), (MappingProxyType({1: np.float64(2)}), "{1: 2.0}"), (-0.0, "-0.0"),
    ],
)  # fmt: skip
def test_what_a_user_gives_is_written_as_the_plain_value_it_is(given: object, source: str) -> None:
    assert value_code(given) == source


def test_a_direction_is_a_target_of_the_code(tmp_path: Any) -> None:
    recipe = {"targets": [{"token": 5}, {"direction": "so 'formal'", "vector": [0.25, -1.0]}]}
    code = effect_code(replace(GRAPH, recipe=recipe), [cw.Ablate("1_2_3")], "total")
    assert "targets=[5, cw.Direction(\"so 'formal'\", [0.25, -1.0])]" in code

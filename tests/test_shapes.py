"""Annotated shapes are executed while the tests run: what contradicts one raises."""

import ast
import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int, TypeCheckError
from torch import Tensor

from circuit_widget.circuit.box_edges import NodeEdges
from circuit_widget.system.linear_backend import linear
from circuit_widget.transcoder.activation import JumpReLU
from tests.house import ROOT
from tests.shapes import checked, has_shape

ARRAYS = r"\b(Bool|Float|Float32|Float64|Int|Int32|Int64|Integer|Real|Shaped|UInt|UInt8|Num)\["
ROWS = torch.zeros(3, 4)


def test_an_argument_of_another_width_raises() -> None:
    with pytest.raises(TypeCheckError, match="weight"):
        linear(ROWS, torch.zeros(5, 6))


def test_an_argument_of_another_type_raises() -> None:
    with pytest.raises(TypeCheckError, match=r"x of \S+linear_backend.linear is Tensor of torch.int32"):
        linear(ROWS.int(), torch.zeros(5, 4))


def test_a_method_is_executed_with_its_shapes_too() -> None:
    with pytest.raises(TypeCheckError, match=r"features of \S+JumpReLU\.of"):
        JumpReLU(torch.zeros(4)).of(ROWS, torch.zeros(3, dtype=torch.long))


def test_fields_of_a_dataclass_that_do_not_fit_together_raise() -> None:
    two, three = np.zeros(2, dtype=np.int64), np.zeros(3, dtype=np.int64)
    with pytest.raises(TypeCheckError, match="target"):
        NodeEdges(two, three, np.zeros(2, dtype=np.float32), np.zeros(4, dtype=np.float32))


def run(shape: Any, value: object, returned: object = None) -> object:
    """Call a function with one argument of an annotated shape, as the import hook would have it."""

    def function(given: object, result: object) -> object:
        return result

    function.__annotations__ = {"given": shape, "return": shape}
    return checked(function)(value, value if returned is None else returned)


FITTING: list[tuple[Any, object]] = [
    (Float[Tensor, "a b"] | None, ROWS),
    (tuple[Float[Tensor, "a b"], Float[Tensor, "b a"]], (ROWS, ROWS.T)),
    (tuple[Float[Tensor, "_ b"], ...], (ROWS, ROWS[:1])),
    (list[Float[Tensor, "_a _b"]], [ROWS, ROWS.T]),
    (Mapping[int, Float[Tensor, "a b"]], {0: ROWS, 1: ROWS}),
    (Sequence[tuple[int, Float[Tensor, "a b"]]], [(1, ROWS)]),
    (Sequence[float] | Float[Tensor, " a"], [1.0]),
]
CONTRADICTING: list[tuple[Any, object]] = [
    (Float[Tensor, "a a"], ROWS),
    (Float[Tensor, "a b"] | None, ROWS[0]),
    (Int[Tensor, "a b"], ROWS),
    (Float[np.ndarray, "a b"], ROWS),
    (tuple[Float[Tensor, "a b"], Float[Tensor, "b a"]], (ROWS, ROWS)),
    (tuple[Float[Tensor, "_ b"], ...], (ROWS, ROWS[:, :1])),
    (list[Float[Tensor, "a b"]], [ROWS, ROWS.T]),
    (Mapping[int, Float[Tensor, "a b"]], {0: ROWS, 1: ROWS[:1]}),
    (Sequence[tuple[int, Float[Tensor, "a b"]]], [(1, ROWS), (2, ROWS.T)]),
    (Sequence[float] | Float[Tensor, " a"], ROWS),
]


@pytest.mark.parametrize(("shape", "value"), FITTING)
def test_what_fits_an_annotation_is_returned(shape: Any, value: object) -> None:
    assert run(shape, value) is value


@pytest.mark.parametrize(("shape", "value"), CONTRADICTING)
def test_what_contradicts_an_annotation_raises(shape: Any, value: object) -> None:
    with pytest.raises(TypeCheckError, match="given of"):
        run(shape, value)


def test_a_result_that_contradicts_an_argument_raises() -> None:
    with pytest.raises(TypeCheckError, match="the result of"):
        run(Float[Tensor, "a b"], ROWS, ROWS.T)


def test_what_has_passed_before_lets_nothing_else_pass() -> None:
    def function(given: object, result: object) -> object:
        return result

    function.__annotations__ = {"given": Float[Tensor, "a b"], "return": tuple[Float[Tensor, "b a"], ...]}
    check = checked(function)
    for _ in range(2):
        check(ROWS, (ROWS.T,))
        for argument, result in (
            (ROWS, (ROWS,)),
            (ROWS, (ROWS.T, ROWS)),
            (ROWS, (ROWS.T.int(),)),
            (ROWS, (ROWS.T.numpy(),)),
            (ROWS.T, (ROWS.T,)),
            (ROWS.int(), (ROWS.T,)),
            (ROWS[0], (ROWS.T,)),
        ):
            with pytest.raises(TypeCheckError):
                check(argument, result)


def test_fields_that_have_passed_let_no_others_pass() -> None:
    two, three = np.zeros(2, dtype=np.int64), np.zeros(3, dtype=np.int64)
    of_two, of_three = np.zeros(2, dtype=np.float32), np.zeros(3, dtype=np.float32)
    for _ in range(2):
        NodeEdges(two, two, of_two, of_three)
        with pytest.raises(TypeCheckError, match="weight"):
            NodeEdges(two, two, of_three, of_three)
        with pytest.raises(TypeCheckError, match="target"):
            NodeEdges(two, three, of_two, of_three)


def annotations(source: str) -> Iterator[str]:
    """Yield the annotations of functions and classes that name a shape."""
    for node in ast.walk(ast.parse(source)):
        found: list[ast.expr | None] = []
        if isinstance(node, ast.FunctionDef):
            every = node.args
            found = [one.annotation for one in (*every.posonlyargs, *every.args, *every.kwonlyargs)] + [node.returns]
        elif isinstance(node, ast.ClassDef):
            found = [one.annotation for one in node.body if isinstance(one, ast.AnnAssign)]
        yield from (text for one in found if one is not None and re.search(ARRAYS, text := ast.unparse(one)))


def test_every_annotated_shape_can_be_executed() -> None:
    """The import hook passes over an annotation with a name that only a type checker knows."""
    unknown, executed = [], 0
    for path in sorted((ROOT / "circuit_widget").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for text in annotations(path.read_text(encoding="utf-8")):
            try:
                executed += has_shape(eval(text, vars(importlib.import_module(module))))
            except NameError as error:
                unknown.append(f"{path.relative_to(ROOT)}: {text}: {error}")
    assert unknown == []
    assert executed > 300

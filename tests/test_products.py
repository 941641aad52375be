"""Products by whichever library is faster: the same numbers, and a model that is left as it was."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from circuit_widget.model.rerun import rerun
from circuit_widget.system import linear_backend
from circuit_widget.system.linear_backend import (
    LEAST_PRODUCTS,
    SWITCH,
    fast_products,
    linear,
    linear_maps,
    onednn_operator,
)
from tests.models import PROMPT_IDS, run_of, tiny_model

LARGE, SMALL = 1024, 16


@pytest.mark.parametrize("n_inputs", [SMALL, LARGE])
@pytest.mark.parametrize("rows", [(1,), (3, 5), (0,), (1, 0)])
@pytest.mark.parametrize("with_bias", [False, True])
def test_a_product_is_torchs_own_up_to_rounding(n_inputs: int, rows: tuple[int, ...], with_bias: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    x, weight = (torch.randn(*shape, n_inputs, generator=generator) for shape in (rows, (LARGE,)))
    bias = torch.randn(LARGE, generator=generator) if with_bias else None
    expected = functional.linear(x.double(), weight.double(), None if bias is None else bias.double())
    with torch.inference_mode():
        found = linear(x, weight, bias)
    assert found.layout is torch.strided
    torch.testing.assert_close(found.double(), expected, atol=1e-5 * n_inputs**0.5, rtol=0)


def test_what_onednn_does_not_take_is_multiplied_too() -> None:
    x, weight = torch.randn(8, LARGE), torch.randn(LARGE, LARGE)
    assert x.numel() * LARGE >= LEAST_PRODUCTS
    with torch.inference_mode():
        for some, matrix in (
            (x[0], weight),
            (x.bfloat16(), weight.bfloat16()),
            (x, weight.T),
            (x.double(), weight.double()),
        ):
            torch.testing.assert_close(linear(some, matrix), functional.linear(some, matrix), atol=1e-3, rtol=1e-3)
    tracked = weight.requires_grad_()
    linear(x, tracked).sum().backward()
    assert tracked.grad is not None


def test_linear_maps_multiply_fast_within_the_context_and_are_left_as_they_were() -> None:
    module = nn.Sequential(nn.Linear(LARGE, LARGE), nn.ReLU(), nn.Linear(LARGE, 3, bias=False))
    replaced = nn.Linear(3, 3)
    vars(replaced)["forward"] = lambda x: x
    maps = linear_maps(nn.Sequential(module, replaced))
    assert maps == (module[0], module[2])
    x = torch.randn(4, LARGE)
    with torch.inference_mode():
        expected = module(x)
        with pytest.raises(KeyError), fast_products(maps):  # noqa: PT012
            assert all("forward" in vars(one) for one in maps)
            torch.testing.assert_close(module(x), expected, atol=1e-4, rtol=1e-4)
            raise KeyError
    assert not any("forward" in vars(one) for one in maps)


def calls_of_onednn(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """Return a list to which the shape of every product by oneDNN will be added."""
    operator, shapes = onednn_operator(torch.__version__, "x86_64"), list[torch.Size]()
    if operator is None or linear_backend._ONEDNN_LINEAR is None:
        pytest.skip("oneDNN multiplies nothing on this machine.")

    def count(x: torch.Tensor, *rest: object) -> torch.Tensor:
        shapes.append(x.shape)
        product: torch.Tensor = operator(x, *rest)
        return product

    monkeypatch.setattr(linear_backend, "_ONEDNN_LINEAR", count)
    return shapes


@pytest.mark.parametrize("version", ["2.5.1", "2.14.0+cpu", "3.0.0", "1.13.1", "2.14.0.dev20270101", "unknown"])
def test_a_version_of_torch_that_was_not_tested_multiplies_by_itself(version: str) -> None:
    assert onednn_operator(version, "x86_64") is None


@pytest.mark.parametrize("version", ["2.6.0+cu124", "2.9.1", "2.13.0", "2.13.0a0+git1234"])
def test_tested_versions_of_torch_use_its_operator_on_x86_alone(version: str) -> None:
    assert onednn_operator(version, "x86_64") is onednn_operator(version, "AMD64")
    assert onednn_operator(version, "x86_64") is getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    assert onednn_operator(version, "arm64") is None


def test_the_environment_turns_onednn_off_and_on_between_two_products(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = calls_of_onednn(monkeypatch)
    x, weight = torch.randn(4, LARGE), torch.randn(LARGE, LARGE)
    with torch.inference_mode():
        for setting, expected in (("0", 0), ("1", 1), ("", 2), ("0", 2)):
            monkeypatch.setenv(SWITCH, setting)
            torch.testing.assert_close(linear(x, weight), functional.linear(x, weight), atol=1e-3, rtol=1e-3)
            assert len(shapes) == expected
        monkeypatch.delenv(SWITCH)
        linear(x, weight)
    assert len(shapes) == 3


def test_no_module_is_changed_where_onednn_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = linear_maps(nn.Linear(3, 3))
    monkeypatch.setenv(SWITCH, "0")
    with fast_products(maps):
        assert not any("forward" in vars(one) for one in maps)
    monkeypatch.delenv(SWITCH)
    monkeypatch.setattr(linear_backend, "_ONEDNN_LINEAR", None)
    with fast_products(maps):
        assert not any("forward" in vars(one) for one in maps)


def test_a_forward_that_someone_else_replaced_is_theirs_before_during_and_after() -> None:
    before, during = nn.Linear(3, 3), nn.Linear(3, 3)
    maps = linear_maps(nn.Sequential(before, during))
    theirs: Callable[[torch.Tensor], torch.Tensor] = torch.neg
    vars(before)["forward"] = theirs
    with fast_products(maps):
        vars(during)["forward"] = theirs
        assert torch.equal(before(torch.ones(1, 3)), -torch.ones(1, 3))
    assert vars(before)["forward"] is vars(during)["forward"] is theirs


@pytest.mark.parametrize("fails", [False, True])
def test_a_model_has_forwards_of_ours_during_a_run_and_at_no_other_time(fails: bool) -> None:
    if linear_backend._ONEDNN_LINEAR is None:
        pytest.skip("oneDNN multiplies nothing on this machine.")
    model = tiny_model()
    maps = linear_maps(model.model.network)
    run = run_of(model, PROMPT_IDS)
    replaced: list[bool] = []

    def edit(layer: int, x: torch.Tensor) -> torch.Tensor | None:
        replaced.extend("forward" in vars(one) for one in maps)
        if fails:
            raise KeyError(layer)
        return None

    assert not any("forward" in vars(one) for one in maps)
    try:
        rerun(model.model, run.captured, edit, first_layer=0, first_position=0)
    except KeyError:
        assert fails
    assert replaced
    assert all(replaced)
    assert not any("forward" in vars(one) for one in maps)

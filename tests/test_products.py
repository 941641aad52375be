"""Products by whichever library is faster: the same numbers, and a model that is left as it was."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from circuit_widget.system.linear_backend import LEAST_PRODUCTS, fast_products, linear, linear_maps

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

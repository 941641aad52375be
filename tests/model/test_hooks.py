"""Hooks act in the thread that set them and in no other, and are gone after their context."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from circuit_widget.model.hooks import Hooks


class Shift(nn.Module):
    """Adds a number to its input."""

    def forward(self, x: Tensor, *, by: float = 0.0) -> Tensor:
        return x + by


SETTERS: dict[str, Callable[[Hooks, nn.Module], None]] = {
    "after": lambda hooks, module: hooks.after(module, lambda _, output: output + 10),
    "replace_input": lambda hooks, module: hooks.replace_input(module, lambda x: x + 10),
    "add_argument": lambda hooks, module: hooks.add_argument(module, "by", 10.0),
}


def in_another_thread(work: Callable[[], Any]) -> Any:
    """Return what some work returns in a thread of its own."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("name", SETTERS)
def test_a_hook_changes_a_module_for_its_own_thread_alone(name: str) -> None:
    module, one = Shift(), torch.ones(1)
    with Hooks() as hooks:
        SETTERS[name](hooks, module)
        assert module(one).item() == 11
        assert in_another_thread(lambda: module(one).item()) == 1
    assert module(one).item() == 1


def test_a_hook_before_a_module_is_called_in_its_own_thread_alone() -> None:
    module, calls = Shift(), []
    with Hooks() as hooks:
        hooks.before(module, lambda args, _: calls.append(args[0].item()))
        module(torch.ones(1))
        in_another_thread(lambda: module(torch.zeros(1)))
    module(torch.full((1,), 2.0))
    assert calls == [1]

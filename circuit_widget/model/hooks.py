"""Forward hooks that act for one thread only and never outlive their run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn


class Hooks:
    """A context whose hooks act only for the thread that opened it and are removed at its end, whatever happens."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._thread = threading.get_ident()

    def __enter__(self) -> Hooks:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def before(self, module: nn.Module, hook: Callable[[tuple[Any, ...], dict[str, Any]], None]) -> None:
        """Call `hook(args, kwargs)` before `module` runs."""

        def guarded(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if threading.get_ident() == self._thread:
                hook(args, kwargs)

        self._stack.callback(module.register_forward_pre_hook(guarded, with_kwargs=True).remove)

    def after(self, module: nn.Module, hook: Callable[[tuple[Any, ...], Any], Any]) -> None:
        """Call `hook(args, output)` after `module` ran; what it returns, unless None, takes the output's place."""

        def guarded(_: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            return hook(args, output) if threading.get_ident() == self._thread else None

        self._stack.callback(module.register_forward_hook(guarded).remove)

    def replace_input(self, module: nn.Module, hook: Callable[[Tensor], Tensor]) -> None:
        """Give `module` what `hook` returns for its input."""

        def guarded(_: nn.Module, args: tuple[Any, ...]) -> Any:
            return (hook(args[0]), *args[1:]) if threading.get_ident() == self._thread else None

        self._stack.callback(module.register_forward_pre_hook(guarded).remove)

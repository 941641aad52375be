"""Forward hooks that act for one thread only and are always removed at the end of a run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from circuit_widget.system.restoring import Change


class Hooks:
    """A context whose hooks act only for the thread that opened it and are removed at its end, also after an error."""

    def __init__(self) -> None:
        self._set: list[tuple[nn.Module, Callable[..., Any]]] = []
        self._change = Change(lambda: None, self._remove)
        self._thread = threading.get_ident()

    def __enter__(self) -> Hooks:
        self._change.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._change.__exit__(*error)

    def before(self, module: nn.Module, hook: Callable[[tuple[Any, ...], dict[str, Any]], None]) -> None:
        """Call `hook(args, kwargs)` before `module` runs."""

        def guarded(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if threading.get_ident() == self._thread:
                hook(args, kwargs)

        self._set.append((module, guarded))
        module.register_forward_pre_hook(guarded, with_kwargs=True)

    def after(self, module: nn.Module, hook: Callable[[tuple[Any, ...], Any], Any]) -> None:
        """Call `hook(args, output)` after `module` ran; its result, unless None, replaces the output."""

        def guarded(_: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            return hook(args, output) if threading.get_ident() == self._thread else None

        self._set.append((module, guarded))
        module.register_forward_hook(guarded)

    def replace_input(self, module: nn.Module, hook: Callable[[Tensor], Tensor]) -> None:
        """Replace the input of `module` by `hook(input)`."""

        def guarded(_: nn.Module, args: tuple[Any, ...]) -> Any:
            return (hook(args[0]), *args[1:]) if threading.get_ident() == self._thread else None

        self._set.append((module, guarded))
        module.register_forward_pre_hook(guarded)

    def add_argument(self, module: nn.Module, name: str, value: object) -> None:
        """Run `module` with a keyword argument of this value, whatever its caller gives."""

        def guarded(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            return (args, {**kwargs, name: value}) if threading.get_ident() == self._thread else None

        self._set.append((module, guarded))
        module.register_forward_pre_hook(guarded, with_kwargs=True)

    def _remove(self) -> None:
        """Remove the hooks that were set. They are found by the function they call: an interrupt can prevent a handle."""
        for module, hook in self._set:
            for hooks in (module._forward_hooks, module._forward_pre_hooks):
                for number in [number for number, registered in hooks.items() if registered is hook]:
                    module._forward_pre_hooks_with_kwargs.pop(number, None)
                    hooks.pop(number, None)


def set_lasting_hook(module: nn.Module, hook: Callable[[nn.Module, tuple[Any, ...], Any], Any]) -> None:
    """Set a forward hook that stays, as a part of a network that is being loaded; an interrupt discards the network."""
    module.register_forward_hook(hook)

"""Runs with torch's default settings, which are restored afterwards.

A notebook can set a default dtype, a default device, autocast and gradients for its process or thread. Runs of the model
ignore all of them but the default dtype, which all threads share; new tensors name their dtype.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch.amp import is_autocast_available
from torch.overrides import _get_current_function_mode_stack
from torch.utils import _device

from circuit_widget.system.restoring import Change, restoring

Result = TypeVar("Result")

AUTOCAST_DEVICES = tuple(name for name in ("cpu", "cuda", "mps", "xpu") if is_autocast_available(name))
"""Types of devices whose autocast the code of a model may turn off and on."""


def inference(on: bool = True) -> AbstractContextManager[Any]:
    """Return a context without autograd, as `torch.inference_mode`, or one with it.

    It is the context inside torch's own. It is implemented in C, so no interrupt can prevent its end.
    """
    context: AbstractContextManager[Any] = torch._C._InferenceMode(on)
    return context


def in_plain_torch(work: Callable[[], Result], *, gradients: bool = False) -> Result:
    """Return `work()`, run in inference mode, without autocast and without the thread's default device.

    With `gradients` it runs outside inference mode, so that its tensors can be trained. However `work` ends, the settings
    of torch are restored; where it raises, every `Change` in it is undone.
    """
    settings = _TorchSettings.now()

    def plainly() -> Result:
        settings.on_failure.keep()
        if not any(isinstance(mode, _device.DeviceContext) for mode in settings.modes):
            return work()
        with settings.without_default_device:
            return work()

    with inference(not gradients), torch._C._DisableAutocast():
        return restoring(plainly)


@dataclass(frozen=True)
class _TorchSettings:
    """The settings of torch that contexts of torch and of transformers change.

    Inference and gradient mode are not among them, because the context of `inference` restores both.
    """

    modes: tuple[Any, ...]
    device: Any
    autocast: tuple[bool, ...]
    autocast_dtypes: tuple[torch.dtype, ...]
    autocast_cache: bool
    autocast_depth: int
    vmap_depth: int

    @classmethod
    def now(cls) -> _TorchSettings:
        """Return the settings of this thread."""
        return cls(
            modes=tuple(_get_current_function_mode_stack()),
            device=_device.CURRENT_DEVICE,
            autocast=tuple(torch.is_autocast_enabled(name) for name in AUTOCAST_DEVICES),
            autocast_dtypes=tuple(torch.get_autocast_dtype(name) for name in AUTOCAST_DEVICES),
            autocast_cache=torch.is_autocast_cache_enabled(),
            autocast_depth=_autocast_depth(),
            vmap_depth=_vmap_depth(),
        )

    @property
    def on_failure(self) -> Change:
        """The change whose undoing restores these settings."""
        return Change(lambda: None, self._restore)

    @property
    def without_default_device(self) -> Change:
        """The change to settings without a default device."""
        kept = [mode for mode in self.modes if not isinstance(mode, _device.DeviceContext)]
        return Change(lambda: _set_modes(kept, None), lambda: _set_modes(self.modes, self.device))

    def _restore(self) -> None:
        while _vmap_depth() > self.vmap_depth:
            torch._C._functorch._vmap_decrement_nesting()
        _set_modes(self.modes, self.device)
        for name, on, dtype in zip(AUTOCAST_DEVICES, self.autocast, self.autocast_dtypes, strict=True):
            torch.set_autocast_enabled(name, on)
            torch.set_autocast_dtype(name, dtype)
        torch.set_autocast_cache_enabled(self.autocast_cache)
        while _autocast_depth() > self.autocast_depth:
            if torch.autocast_decrement_nesting() == 0:
                torch.clear_autocast_cache()


def _set_modes(modes: Any, device: Any) -> None:
    """Set the modes that calls of torch pass through; the default device is one."""
    for _ in range(torch._C._len_torch_function_stack()):
        torch._C._pop_torch_function_stack()
    for mode in modes:
        torch._C._push_on_torch_function_stack(mode)
    _device.CURRENT_DEVICE = device


def _autocast_depth() -> int:
    """Return how many autocast contexts are open, in one step that no interrupt can split."""
    counted: tuple[int, ...] = tuple(
        map(operator.call, (torch.autocast_increment_nesting, torch.autocast_decrement_nesting))
    )
    return counted[1]


def _vmap_depth() -> int:
    """Return how many vmaps of torch are active; transformers makes attention masks in some."""
    level: int | None = torch._C._functorch.maybe_current_level()
    return level or 0

"""Detects changes of a network after it was loaded: of its modules, their hooks, and its weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

SAMPLES = 8
"""How many numbers of each tensor are compared, because torch does not count writes through `tensor.data`."""

_BY_SIZE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Fingerprint:
    """The state of a network at one time, to be compared with its present state in a fraction of a millisecond.

    Of the weights it compares the identity of the tensors, their address, torch's count of changes, and evenly spaced
    numbers of each. A change of a few numbers through `tensor.data` can go undetected.
    """

    def __init__(self, network: nn.Module) -> None:
        modules = list(network.modules())
        self._types = [(module, type(module)) for module in modules]
        self._forwards = [(cls, cls.forward) for cls in {type(module) for module in modules}]
        self._state = [vars(module) for module in modules]
        self._children = [(state["_modules"], dict(state["_modules"])) for state in self._state]
        self._hooks = [
            *(state[name] for state in self._state for name in ("_forward_pre_hooks", "_forward_hooks")),
            torch_module._global_forward_pre_hooks,
            torch_module._global_forward_hooks,
        ]
        self._found_hooks = self._hooks_and_forwards()
        self._parameters = [
            (state["_parameters"], name, tensor)
            for state in self._state
            for name, tensor in state["_parameters"].items()
        ]
        tensors = [tensor for module in modules for tensor in _weights(module)]
        self._tensors = [(tensor, tensor.data_ptr(), _version(tensor)) for tensor in tensors]
        self._sampled = [(views, _concatenated(views)) for views in _views(tensors)]

    def has_other_modules(self) -> bool:
        """Return whether modules, their hooks or their `forward` have changed."""
        return (
            any(type(module) is not cls for module, cls in self._types)
            or any(now != then for now, then in self._children)
            or any(cls.forward is not forward for cls, forward in self._forwards)
            or self._hooks_and_forwards() != self._found_hooks
        )

    def has_other_weights(self) -> bool:
        """Return whether weights have changed."""
        return (
            any(tensors.get(name) is not tensor for tensors, name, tensor in self._parameters)
            or any(
                tensor.data_ptr() != address or _version(tensor) != count for tensor, address, count in self._tensors
            )
            or any(not bool((_concatenated(views) == then).all()) for views, then in self._sampled)
        )

    def _hooks_and_forwards(self) -> list[Any]:
        """Return all hooks, and every `forward` that replaces that of its class; empty for most networks."""
        hooks = [(index, list(hooks.values())) for index, hooks in enumerate(self._hooks) if hooks]
        replaced = [
            (index, name, state[name])
            for index, state in enumerate(self._state)
            for name in ("forward", "_compiled_call_impl")
            if state.get(name) is not None
        ]
        return [*hooks, *replaced]


def _weights(module: nn.Module) -> Iterator[Tensor]:
    """Yield the tensors that a module computes with: parameters and persistent buffers."""
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None and name not in module._non_persistent_buffers_set:
            yield from _plain(tensor)


def _plain(tensor: Tensor) -> Iterator[Tensor]:
    """Yield a tensor, or the tensors that a tensor subclass consists of."""
    inner = getattr(tensor, "__tensor_flatten__", None)
    if inner is None:
        yield tensor
        return
    for name in inner()[0]:
        yield from _plain(getattr(tensor, name))


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _views(tensors: list[Tensor]) -> Iterator[list[Any]]:
    """Yield views of evenly spaced numbers of all tensors, as integers, in groups that can be concatenated.

    Views on the CPU are NumPy's, which takes a fifth of torch's time for so few numbers.
    """
    groups: defaultdict[object, list[Any]] = defaultdict(list)
    for tensor in tensors:
        number = _BY_SIZE.get(tensor.element_size())
        if number is None or tensor.numel() == 0 or tensor.layout is not torch.strided:
            continue
        stored = tensor.untyped_storage().nbytes() // tensor.element_size() - tensor.storage_offset()
        count = min(SAMPLES, tensor.numel(), stored)
        step = min(tensor.numel(), stored) // count
        flat = torch.as_strided(tensor.detach(), (count * step,), (1,)).view(number)[step // 2 :: step]
        in_numpy = tensor.device == torch.device("cpu") and type(flat) is Tensor
        groups[tensor.device, number].append(flat.numpy() if in_numpy else flat)
    yield from groups.values()


def _concatenated(views: list[Any]) -> Any:
    return np.concatenate(views) if isinstance(views[0], np.ndarray) else torch.cat(views)

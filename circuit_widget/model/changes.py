"""Noticing that a network is no longer what it was: its modules, what acts on them, and its weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

SAMPLES = 8
"""Numbers of each tensor that are compared: writing through `tensor.data` is not counted by torch."""

_BY_SIZE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class Fingerprint:
    """What a network was when this was made, to be compared with what it is now in a fraction of a millisecond.

    Of the weights it compares which tensors they are, where they lie, torch's count of changes, and evenly spaced
    numbers of each. A change of a few numbers through `tensor.data` can go unnoticed.
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
        self._acting = self._what_acts()
        self._parameters = [
            (state["_parameters"], name, tensor)
            for state in self._state
            for name, tensor in state["_parameters"].items()
        ]
        tensors = [tensor for module in modules for tensor in _weights(module)]
        self._tensors = [(tensor, tensor.data_ptr(), _version(tensor)) for tensor in tensors]
        self._sampled = [(views, _together(views)) for views in _views(tensors)]

    def has_other_modules(self) -> bool:
        """Return whether modules, their hooks or their `forward` are others than they were."""
        return (
            any(type(module) is not cls for module, cls in self._types)
            or any(now != then for now, then in self._children)
            or any(cls.forward is not forward for cls, forward in self._forwards)
            or self._what_acts() != self._acting
        )

    def has_other_weights(self) -> bool:
        """Return whether weights are others than they were."""
        return (
            any(tensors.get(name) is not tensor for tensors, name, tensor in self._parameters)
            or any(tensor.data_ptr() != place or _version(tensor) != count for tensor, place, count in self._tensors)
            or any(not bool((_together(views) == then).all()) for views, then in self._sampled)
        )

    def _what_acts(self) -> list[Any]:
        """Return the hooks and what stands in place of a class's `forward`; empty for most networks."""
        hooks = [(place, list(hooks.values())) for place, hooks in enumerate(self._hooks) if hooks]
        instead = [
            (place, name, state[name])
            for place, state in enumerate(self._state)
            for name in ("forward", "_compiled_call_impl")
            if state.get(name) is not None
        ]
        return [*hooks, *instead]


def _weights(module: nn.Module) -> Iterator[Tensor]:
    """Yield the tensors that a module computes with: parameters and saved buffers, without what follows from settings."""
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None and name not in module._non_persistent_buffers_set:
            yield from _plain(tensor)


def _plain(tensor: Tensor) -> Iterator[Tensor]:
    """Yield a tensor, or those that one of torch's subclasses is made of."""
    inner = getattr(tensor, "__tensor_flatten__", None)
    if inner is None:
        yield tensor
        return
    for name in inner()[0]:
        yield from _plain(getattr(tensor, name))


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _views(tensors: list[Tensor]) -> Iterator[list[Any]]:
    """Yield views of evenly spaced numbers of all tensors, as integers, grouped so that each group can be put together.

    Those on the CPU are numpy's, which takes a fifth of the time for so few numbers.
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


def _together(views: list[Any]) -> Any:
    return np.concatenate(views) if isinstance(views[0], np.ndarray) else torch.cat(views)

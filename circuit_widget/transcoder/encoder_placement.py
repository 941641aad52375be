"""Where the encoders of transcoders are kept: on the device, in main memory, or in their files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from circuit_widget.arguments import quoted
from circuit_widget.errors import LoadError
from circuit_widget.system.memory import free_memory
from circuit_widget.transcoder.hook_names import HookSites

EncoderPlacement: TypeAlias = Literal["device", "cpu", "disk"]
PLACEMENTS: tuple[EncoderPlacement, ...] = ("device", "cpu", "disk")

SHARE_OF_FREE_MEMORY = 0.5
"""Share of the free memory that encoders may use by default; tracing needs the rest."""


def check_encoders(encoders: object) -> None:
    """Check the `encoders` argument of `load`. Raises LoadError for anything but a placement or None."""
    if encoders is not None and (not isinstance(encoders, str) or encoders not in PLACEMENTS):
        raise LoadError(
            f"encoders={quoted(encoders)} is not supported; expected one of {', '.join(PLACEMENTS)}, or None."
        )


@dataclass(frozen=True)
class Loading:
    """How to load transcoders.

    Decoders are always memory-mapped from their files. `encoders` chooses where encoders are kept, in the dtype of their
    file: "device" is the device of their layer, "cpu" main memory, "disk" a memory map of their file. From the last two,
    an encoder is moved to its layer's device for each use. None means "device" for an accelerator where the encoders of
    all its layers fit into half of its free memory, "cpu" for encoders on the CPU that are stored transposed and fit into
    half of the free main memory, and "disk" otherwise.

    `device_of` returns the device of a layer. `download` allows downloads of files that are not in the hub's local cache.
    `sites` states where features read and write. `n_layers` is the number of layers of the model: those that a layout of one
    folder a layer has no folder for have no features.

    Raises:
        LoadError: `encoders` is none of these.
    """

    device_of: Callable[[int], torch.device]
    encoders: EncoderPlacement | None = None
    download: bool = False
    sites: HookSites = field(default_factory=HookSites)
    n_layers: int = 0

    def __post_init__(self) -> None:
        check_encoders(self.encoders)

    def only(self, layers: Sequence[int]) -> Loading:
        """Return the same for some layers alone, which are then counted from 0."""
        return replace(self, device_of=lambda number: self.device_of(layers[number]))

    def placements(self, sizes: Sequence[int], *, transposed: bool) -> tuple[EncoderPlacement, ...]:
        """Return where to keep the encoder of each layer, given their sizes in bytes."""
        if self.encoders is not None:
            return (self.encoders,) * len(sizes)
        needed: dict[torch.device, int] = {}
        for layer, size in enumerate(sizes):
            device = self.device_of(layer)
            needed[device] = needed.get(device, 0) + size
        chosen: dict[torch.device, EncoderPlacement] = {}
        for device, size in needed.items():
            fits = size <= SHARE_OF_FREE_MEMORY * free_memory(device)
            if device.type != "cpu":
                chosen[device] = "device" if fits else "disk"
            else:
                chosen[device] = "cpu" if transposed and fits else "disk"
        return tuple(chosen[self.device_of(layer)] for layer in range(len(sizes)))


def load_encoder(encoder: Tensor, placement: EncoderPlacement, device: torch.device) -> Tensor:
    """Return an encoder where it is to be kept; "cpu", and "device" on the CPU, copy it out of its file.

    Raises:
        LoadError: the device has no room for it.
    """
    if placement == "disk":
        return encoder
    if placement == "cpu" or device.type == "cpu":
        return encoder.clone(memory_format=torch.contiguous_format)
    try:
        return encoder.to(device).contiguous()
    except torch.OutOfMemoryError as error:
        raise LoadError(
            f"{device} has no room for all encoders; keep them elsewhere: load(..., encoders='cpu') or 'disk'."
        ) from error

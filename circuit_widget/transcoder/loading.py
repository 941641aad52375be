"""Where the tensors of transcoders are held once they are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from circuit_widget.arguments import quoted
from circuit_widget.errors import LoadError
from circuit_widget.transcoder.hook_names import HookSites

EncoderPlacement: TypeAlias = Literal["device", "cpu", "disk"]
HELD: tuple[EncoderPlacement, ...] = ("device", "cpu", "disk")

SHARE_OF_FREE_MEMORY = 0.5
"""How much of what is free encoders may take, where nobody said where to hold them: tracing needs the rest."""


def check_encoders(encoders: object) -> None:
    """Check where a user wants encoders to be. Raises LoadError where that is no such place."""
    if encoders is not None and (not isinstance(encoders, str) or encoders not in HELD):
        raise LoadError(
            f"encoders={quoted(encoders)} is no place to hold encoders; expected one of {', '.join(HELD)}, or None."
        )


@dataclass(frozen=True)
class Loading:
    """How transcoders are to be loaded.

    Decoders are always mapped from their files. `encoders` says where encoders are held, in the type of their file:
    "device", on the device of their layer; "cpu", in main memory, and "disk", mapped from their file, from both of
    which each layer's is brought to its device when it is needed. None holds them on the device where it is an
    accelerator with room for all of its layers in half of its free memory, else maps them; of encoders that a CPU would
    have to turn around at every use it makes copies where these fit half of main memory.

    `device_of` leads from a layer to its device. `download` allows files of the hub that are not in its cache to be
    fetched. `sites` says where features read and write.

    Raises:
        LoadError: `encoders` is none of these.
    """

    device_of: Callable[[int], torch.device]
    encoders: EncoderPlacement | None = None
    download: bool = False
    sites: HookSites = field(default_factory=HookSites)

    def __post_init__(self) -> None:
        check_encoders(self.encoders)

    def holding(self, sizes: Sequence[int], *, transposed: bool) -> tuple[EncoderPlacement, ...]:
        """Return where the encoder of each layer is held, given their sizes in bytes."""
        if self.encoders is not None:
            return (self.encoders,) * len(sizes)
        needed: dict[torch.device, int] = {}
        for layer, size in enumerate(sizes):
            device = self.device_of(layer)
            needed[device] = needed.get(device, 0) + size
        held: dict[torch.device, EncoderPlacement] = {}
        for device, size in needed.items():
            if device.type != "cpu":
                held[device] = "device" if size <= SHARE_OF_FREE_MEMORY * free_memory(device) else "disk"
            elif transposed and size <= SHARE_OF_FREE_MEMORY * free_memory(device):
                held[device] = "cpu"
            else:
                held[device] = "disk"
        return tuple(held[self.device_of(layer)] for layer in range(len(sizes)))


def hold(encoder: Tensor, held: EncoderPlacement, device: torch.device) -> Tensor:
    """Return an encoder at its place; "cpu", and "device" where that is the CPU, make a copy that needs no file.

    Raises:
        LoadError: the device has no room for it.
    """
    if held == "disk":
        return encoder
    if held == "cpu" or device.type == "cpu":
        return encoder.clone(memory_format=torch.contiguous_format)
    try:
        return encoder.to(device).contiguous()
    except torch.cuda.OutOfMemoryError as error:
        raise LoadError(
            f"{device} has no room for all encoders; hold them elsewhere: load(..., encoders='cpu') or 'disk'."
        ) from error


def free_memory(device: torch.device) -> int:
    """Return the bytes that can still be taken on a device, as far as it tells; MPS shares main memory."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    table = Path("/proc/meminfo")
    if table.exists():
        fields = dict(line.split(":", 1) for line in table.read_text().splitlines() if ":" in line)
        if "MemAvailable" in fields:
            return int(fields["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 if hasattr(os, "sysconf") else 0

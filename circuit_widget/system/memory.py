"""How much memory this process may still take, and what is said where that was not enough."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

from circuit_widget.errors import OutOfMemory

Given = ParamSpec("Given")
Returned = TypeVar("Returned")

UNKNOWN_BYTES = 4 << 30
"""Taken to be available where the system does not say."""

_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)


def available_memory() -> int:
    """Return the bytes of main memory that can be taken without swapping, the limit of a container respected."""
    return max(0, int(min(_machine_available(), _container_available())))


def _machine_available() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    names = getattr(os, "sysconf_names", {})
    if "SC_AVPHYS_PAGES" in names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if "SC_PHYS_PAGES" in names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return UNKNOWN_BYTES


def _container_available() -> float:
    for limit, used, statistics in _CGROUP_FILES:
        try:
            free = int((_CGROUP / limit).read_text()) - int((_CGROUP / used).read_text())
            lines = (_CGROUP / statistics).read_text().splitlines()
        except (OSError, ValueError):
            continue
        # The file cache counts as used, but is given back when memory is asked for.
        return free + max((int(line.split()[1]) for line in lines if "inactive_file" in line), default=0)
    return float("inf")


def within_memory(what_to_do: str) -> Callable[[Callable[Given, Returned]], Callable[Given, Returned]]:
    """Make a function say in a sentence that the memory is full, and what to do then.

    Raises:
        OutOfMemory: where torch or Python could not have the memory that the function asked for.
    """

    def saying(run: Callable[Given, Returned]) -> Callable[Given, Returned]:
        @functools.wraps(run)
        def within(*given: Given.args, **named: Given.kwargs) -> Returned:
            try:
                return run(*given, **named)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                device = isinstance(error, torch.OutOfMemoryError)
            # Raised out here, without the other error, which holds on to all that filled the memory.
            raise OutOfMemory(
                f"The memory of {'the device' if device else 'this machine'} is full. {what_to_do} "
                "Earlier passes are dropped by model.forget(); other programs and notebooks may hold memory too."
            )

        return within

    return saying


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that the memory is full; torch says it of main memory with a plain RuntimeError."""
    full = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return full or isinstance(error, torch.OutOfMemoryError | MemoryError)

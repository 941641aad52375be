"""Free memory, within the limit of a container, and the error that users get when the memory is full."""

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
"""Assumed to be available on a system that does not report it."""

_CGROUP = Path("/sys/fs/cgroup")
_CGROUP_FILES = (
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)


def available_memory() -> int:
    """Return how many bytes of main memory this process can still use without swapping, within its container's limit."""
    return max(0, int(min(_machine_available(), _container_available())))


def free_memory(device: torch.device) -> int:
    """Return how many bytes of a device's memory this process can still use; MPS and the CPU share main memory."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else available_memory()


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
        # The file cache counts as used, but the kernel frees it on demand.
        return free + max((int(line.split()[1]) for line in lines if "inactive_file" in line), default=0)
    return float("inf")


def memory_text(amount: float) -> str:
    """Return an amount of memory as text, in MiB or GiB."""
    return f"{amount / 2**20:,.0f} MiB" if amount < 2**30 else f"{amount / 2**30:,.1f} GiB"


def within_memory(what_to_do: str) -> Callable[[Callable[Given, Returned]], Callable[Given, Returned]]:
    """Return a decorator that turns the errors of a full memory into OutOfMemory with `what_to_do` in its text.

    Raises:
        OutOfMemory: torch or Python could not allocate the memory that the function needs.
    """

    def decorate(run: Callable[Given, Returned]) -> Callable[Given, Returned]:
        @functools.wraps(run)
        def within(*given: Given.args, **named: Given.kwargs) -> Returned:
            try:
                return run(*given, **named)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                device = isinstance(error, torch.OutOfMemoryError)
            # Raised outside the handler, because the other error keeps alive everything that fills the memory.
            raise OutOfMemory(
                f"The memory of {'the device' if device else 'this machine'} is full. {what_to_do} "
                "Earlier passes are dropped by model.forget(); other programs and notebooks may use memory too."
            )

        return within

    return decorate


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the memory is full; for main memory torch raises a plain RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in error_text(error)


def error_text(error: BaseException) -> str:
    """Return the text of an error, also where the error's own code for it fails."""
    try:
        return str(error)
    except Exception:
        return "without a text"

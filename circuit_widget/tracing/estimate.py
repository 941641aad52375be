"""What a trace will take, said before it is run."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch

from circuit_widget.arguments import plain_number, quoted
from circuit_widget.errors import PromptError
from circuit_widget.system.memory import available_memory
from circuit_widget.tracing.run import Run

USABLE_SHARE = 0.6
"""Share of the available memory that a trace may take; the rest is left to the model and to other programs."""

WORKING_BYTES = 1 << 28
"""Taken beside the edges: vectors on their way through the layers, and rows being computed."""

SWEEP_EFFICIENCY = 0.5
"""Share of the rate of a large matrix product that the sweep reaches."""

PRODUCT_SIZE = {"cpu": 768}
ACCELERATOR_PRODUCT_SIZE = 4096

ITEM_BYTES = 4


@dataclass(frozen=True)
class Estimate:
    """What a trace will take.

    features: feature nodes, of `active_features` on the prompt. rows: features and targets, each with all its incoming
    edges. memory, available_memory: bytes, what the trace takes at its peak and what is there. seconds: rough. fits:
    whether the memory can be taken without risk.
    """

    features: int
    active_features: int
    rows: int
    memory: int
    available_memory: int
    seconds: float
    fits: bool

    def __str__(self) -> str:
        kept = f"all {self.features:,}" if self.features == self.active_features else f"{self.features:,}"
        of = "" if self.features == self.active_features else f" of {self.active_features:,}"
        verdict = "" if self.fits else ": too much"
        return (
            f"{kept}{of} active features as nodes, about {in_words(self.seconds)}, "
            f"{in_bytes(self.memory)} of memory with {in_bytes(self.available_memory)} available{verdict}"
        )


class Plan(NamedTuple):
    """How a trace fits into memory.

    `features` become nodes; `memory` bytes are taken at the peak, of `available`; rows of a limited trace are kept in
    `store_bytes` while its features are chosen. It fits when all edges between its nodes do.
    """

    features: int
    memory: int
    available: int
    store_bytes: int
    fits: bool


def estimate_run(run: Run, n_targets: int, max_features: int | None = None) -> Estimate:
    """Return what tracing a run will take, with all active features or at most `max_features` of them.

    Raises:
        PromptError: max_features is not a whole number from 1 up.
    """
    planned = plan(run, n_targets, max_features)
    return Estimate(
        features=planned.features,
        active_features=len(run.activations),
        rows=planned.features + n_targets,
        memory=planned.memory,
        available_memory=planned.available,
        seconds=sweep_seconds(run, n_targets, planned.features),
        fits=planned.fits,
    )


def require_limit(limit: object, name: str) -> int | None:
    """Return how many features a user wants, None for as many as there are.

    Raises:
        PromptError: not None, and not a whole number from 1 up.
    """
    number = plain_number(limit)
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
        raise PromptError(f"{name} is a whole number from 1 up, or None for all; given {quoted(limit)}.")
    return number


def plan(run: Run, n_targets: int, max_features: int | None) -> Plan:
    """Return how the edges of a run, with all features or at most `max_features`, fit into memory.

    Raises:
        PromptError: max_features is not a whole number from 1 up.
    """
    n_active = len(run.activations)
    limit = require_limit(max_features, "max_features")
    n_features = n_active if limit is None else min(n_active, limit)
    available = available_memory()
    store = max(0, int(USABLE_SHARE * available) - WORKING_BYTES)
    others = _n_others(run)
    result = ITEM_BYTES * (n_features + n_targets) * (n_features + others)
    wide = ITEM_BYTES * (n_features + n_targets) * (n_active + others)
    memory = WORKING_BYTES + (wide if n_features == n_active else max(result, min(wide, store)))
    return Plan(n_features, memory, available, store, result <= store)


def most_that_fit(run: Run, n_targets: int) -> int:
    """Return how many features' rows, with errors and tokens as further columns, fit into the usable memory; 0 if none.

    Positive root of `(n + targets) (n + errors + tokens) = room`.
    """
    room = plan(run, n_targets, None).store_bytes / ITEM_BYTES
    both, others = n_targets + _n_others(run), _n_others(run)
    root = (-both + math.sqrt(max(0.0, both**2 - 4 * (n_targets * others - room)))) / 2
    return max(0, min(len(run.activations), int(root)))


def sweep_seconds(run: Run, n_targets: int, n_features: int) -> float:
    """Return about how long the edges into the targets and into `n_features` features, any of them, take."""
    of_features, of_targets = sweep_operations(run, n_targets)
    share = n_features / max(1, len(run.activations))
    return (share * of_features + of_targets) / (SWEEP_EFFICIENCY * product_rate(run.captured.embedding.device))


def sweep_operations(run: Run, n_targets: int) -> tuple[float, float]:
    """Return the additions and multiplications behind the edges into all features, and into the targets.

    A target at one position of one layer passes all layers below, there through attention to all positions before it,
    and meets what every node on these positions writes.
    """
    n_layers, n_positions = len(run.nodes), len(run.prompt)
    counts = np.zeros((n_layers, n_positions), dtype=np.float64)
    np.add.at(counts, (run.activations.layer, run.activations.position), 1)
    upto = np.cumsum(counts, axis=1)
    positions = np.arange(1, n_positions + 1, dtype=np.float64)
    below = np.zeros(n_positions, dtype=np.float64)
    of_features = 0.0
    for layer, (frozen, nodes) in enumerate(zip(run.frozen.layers, run.nodes, strict=True)):
        d_model, heads, width = frozen.output.shape
        value_width = frozen.value.shape[0] * frozen.value.shape[1]
        from_one = heads * (2 * width + positions) * d_model
        from_all = positions * (d_model * (heads * width + value_width) + positions * heads * width)
        met = d_model * (positions + sum(upto[writes.layer] for writes in nodes.writes))
        of_features += float(counts[layer] @ (from_one + below))
        below = below + from_all + met
    return 2 * of_features, 2 * n_targets * float(below[run.position])


@cache
def product_rate(device: torch.device) -> float:
    """Return the operations a second of a large float32 matrix product, measured once on each device."""
    size = PRODUCT_SIZE.get(device.type, ACCELERATOR_PRODUCT_SIZE)
    square = torch.ones(size, size, dtype=torch.float32, device=device)
    seconds = []
    for _ in range(4):
        _finish(device)
        started = time.perf_counter()
        square @ square
        _finish(device)
        seconds.append(time.perf_counter() - started)
    return 2 * size**3 / min(seconds)


def in_words(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 1:
        return "a second"
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.0f} hours"


def in_bytes(amount: float) -> str:
    """Return an amount of memory in the unit that fits it."""
    return f"{amount / 2**20:,.0f} MiB" if amount < 2**30 else f"{amount / 2**30:,.1f} GiB"


def _finish(device: torch.device) -> None:
    """Wait until a device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _n_others(run: Run) -> int:
    """Return the number of errors and tokens."""
    return (len(run.nodes) + 1) * len(run.prompt)

"""The estimate of a trace: nodes, memory and seconds, before it runs."""

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
from circuit_widget.tracing.neuron_nodes import DEFAULT_NEURONS, n_candidates
from circuit_widget.tracing.run import Run

USABLE_SHARE = 0.6
"""Share of the available memory that a trace may use; the rest is for the model and other programs."""

WORKING_BYTES = 1 << 28
"""Memory beside the edges: propagated vectors, and rows while they are computed."""

EDGE_EFFICIENCY = 0.3
"""Share of the rate of a large matrix product that a trace reaches: 0.28 on 602 tokens and 0.37 on 240, on two cores."""

PRODUCT_SIZE = {"cpu": 768}
ACCELERATOR_PRODUCT_SIZE = 4096

ITEM_BYTES = 4


@dataclass(frozen=True)
class Estimate:
    """The estimated cost of a trace.

    features: number of feature nodes, of `active_features` on the prompt. rows: features and targets, each with all its
    incoming edges. memory, available_memory: bytes, at the peak of the trace and available now. seconds: approximate.
    fits: whether there is safely enough memory.
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
            f"{kept}{of} active features as nodes, about {duration_text(self.seconds)}, "
            f"{memory_text(self.memory)} of memory with {memory_text(self.available_memory)} available{verdict}"
        )


class MemoryFit(NamedTuple):
    """How a trace fits into memory.

    `features` is the number of feature nodes, `memory` the bytes at the peak, of `available`. While features are chosen,
    rows are kept in `store_bytes`. The trace `fits` when all edges between its nodes do.
    """

    features: int
    memory: int
    available: int
    store_bytes: int
    fits: bool


def estimate_run(run: Run, n_targets: int, max_features: int | None = None) -> Estimate:
    """Return the estimated cost of tracing a run, with all active features or at most `max_features` of them.

    Raises:
        PromptError: max_features is not a whole number from 1 up.
    """
    fit = fit_to_memory(run, n_targets, max_features)
    return Estimate(
        features=fit.features,
        active_features=len(run.activations),
        rows=fit.features + n_targets,
        memory=fit.memory,
        available_memory=fit.available,
        seconds=edge_seconds(run, n_targets, fit.features),
        fits=fit.fits,
    )


def require_limits(max_features: object, step: object = None, *, neurons: bool) -> tuple[int | None, int | None]:
    """Return how many features or neurons a user wants as nodes, and after how many they are ranked again, or None.

    Raises:
        PromptError: neither None nor a whole number from 1 up.
    """
    without = f"the {DEFAULT_NEURONS:,} neurons with most influence" if neurons else "as many as memory allows"
    return (
        _require_limit(max_features, "max_features", without),
        _require_limit(step, "step", "steps that grow with the number of features chosen"),
    )


def _require_limit(limit: object, name: str, otherwise: str) -> int | None:
    """Return a limit that a user gave, None for no limit; `otherwise` says what None means.

    Raises:
        PromptError: not None, and not a whole number from 1 up.
    """
    number = plain_number(limit)
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
        raise PromptError(f"{name} is a whole number from 1 up, or None for {otherwise}; given {quoted(limit)}.")
    return number


def fit_to_memory(run: Run, n_targets: int, max_features: int | None) -> MemoryFit:
    """Return how the edges of a run, with all features or at most `max_features`, fit into memory.

    Raises:
        PromptError: max_features is not a whole number from 1 up.
    """
    n_active = len(run.activations)
    limit, _ = require_limits(max_features, neurons=run.neurons is not None)
    if run.neurons is not None and limit is None:
        limit = DEFAULT_NEURONS
    n_features = n_active if limit is None else min(n_active, limit)
    available = available_memory()
    store = max(0, int(USABLE_SHARE * available) - WORKING_BYTES)
    others = _n_others(run)
    result = ITEM_BYTES * (n_features + n_targets) * (n_features + others)
    n_sources = _n_sources(run, n_features)
    wide = ITEM_BYTES * (n_features + n_targets) * (n_sources + others)
    memory = WORKING_BYTES + (wide if n_features == n_sources else max(result, min(wide, store)))
    return MemoryFit(n_features, memory, available, store, result <= store)


def most_that_fit(run: Run, n_targets: int) -> int:
    """Return how many features' rows, with errors and tokens as further columns, fit into the usable memory; 0 if none.

    Positive root n of `(n + targets) (n + errors + tokens) = room`: the numbers of features, targets, errors and tokens,
    and of float32 numbers that fit.
    """
    room = fit_to_memory(run, n_targets, None).store_bytes / ITEM_BYTES
    both, others = n_targets + _n_others(run), _n_others(run)
    root = (-both + math.sqrt(max(0.0, both**2 - 4 * (n_targets * others - room)))) / 2
    return max(0, min(len(run.activations), int(root)))


def edge_seconds(run: Run, n_targets: int, n_features: int) -> float:
    """Return the approximate seconds for the edges into the targets and into `n_features` features.

    The sources of these edges are all active features, of neurons the candidates.
    """
    n_active = max(1, len(run.activations))
    share = n_features / n_active
    of_features, of_targets = edge_operations(run, n_targets, _n_sources(run, n_features) / n_active)
    return (share * of_features + of_targets) / (EDGE_EFFICIENCY * product_rate(run.captured.embedding.device))


def edge_operations(run: Run, n_targets: int, sources: float = 1.0) -> tuple[float, float]:
    """Return the additions and multiplications for the edges into all features, and into the targets.

    `sources` is the share of the active features that are sources.

    A target at one layer and position is propagated through the attention of all layers below to all earlier positions,
    and multiplied with the writes of every node there.
    """
    n_layers, n_positions = len(run.captured.layers), len(run.prompt)
    counts = np.zeros((n_layers, n_positions), dtype=np.float64)
    np.add.at(counts, (run.activations.layer, run.activations.position), 1)
    upto = sources * np.cumsum(counts, axis=1)
    positions = np.arange(1, n_positions + 1, dtype=np.float64)
    below = np.zeros(n_positions, dtype=np.float64)
    of_features = 0.0
    for layer, frozen in enumerate(run.frozen.layers):
        d_model, heads, width = frozen.output.shape
        value_width = frozen.value.shape[0] * frozen.value.shape[1]
        from_one = heads * (2 * width + positions) * d_model
        from_all = positions * (d_model * (heads * width + value_width) + positions * heads * width)
        writers = [layer] if run.neurons is not None else [writes.layer for writes in run.nodes[layer].writes]
        products = d_model * (positions + sum(upto[writer] for writer in writers))
        of_features += float(counts[layer] @ (from_one + below))
        below = below + from_all + products
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


def duration_text(seconds: float) -> str:
    """Return a duration in words."""
    if seconds < 1:
        return "a second"
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.0f} hours"


def memory_text(amount: float) -> str:
    """Return an amount of memory as text, in MiB or GiB."""
    return f"{amount / 2**20:,.0f} MiB" if amount < 2**30 else f"{amount / 2**30:,.1f} GiB"


def _finish(device: torch.device) -> None:
    """Wait until a device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _n_sources(run: Run, n_features: int) -> int:
    """Return how many features are sources of edges while `n_features` of them are chosen as nodes."""
    n_active = len(run.activations)
    return n_active if run.neurons is None else n_candidates(n_features, n_active)


def _n_others(run: Run) -> int:
    """Return the number of errors and tokens."""
    return (len(run.captured.layers) + 1) * len(run.prompt)

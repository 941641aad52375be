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
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.tokens.prompt import Prompt
from circuit_widget.system.memory import available_memory, free_memory, memory_text
from circuit_widget.tracing.neuron_nodes import DEFAULT_NEURONS, n_candidates
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.tracing.run_cache import RunCache, traced_position
from circuit_widget.tracing.trace_size import (
    LONGEST_WHOLE,
    RANKED_BYTES,
    TraceSize,
    beginning_of,
    size_of,
    size_of_longer,
)
from circuit_widget.transcoder.transcoder_set import TranscoderSet

USABLE_SHARE = 0.6
"""Share of the available memory that a trace may use; the rest is for the model and other programs."""

WORKING_BYTES = 1 << 28
"""Memory beside the edges: propagated vectors, and rows while they are computed."""

EDGE_EFFICIENCY = 0.3
"""Share of the rate of a large matrix product that a trace reaches: 0.28 on 602 tokens and 0.37 on 240, on two cores."""

RUN_EFFICIENCY = 0.3
"""Share of the rate of a large matrix product that a run reaches."""

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


def estimate_size(size: TraceSize, n_targets: int, max_features: int | None = None) -> Estimate:
    """Return the estimated cost of a trace of this size, with all active features or at most `max_features` of them.

    Raises:
        PromptError: max_features is not a whole number from 1 up.
    """
    fit = fit_to_memory(size, n_targets, max_features)
    running = size.run_operations / (RUN_EFFICIENCY * product_rate(size.device)) if size.run_operations else 0.0
    return Estimate(
        features=fit.features,
        active_features=size.n_active,
        rows=fit.features + n_targets,
        memory=fit.memory,
        available_memory=fit.available,
        seconds=running + edge_seconds(size, n_targets, fit.features),
        fits=fit.fits,
    )


def run_for_estimate(
    model: LanguageModel, transcoders: TranscoderSet, runs: RunCache, prompt: Prompt, position: object
) -> tuple[PromptRun, TraceSize]:
    """Return the run of a prompt, or of the beginning of a long one, and the sizes of the trace of the whole prompt.

    Raises:
        PromptError: the position cannot be traced.
    """
    traced = traced_position(prompt, position)
    if len(prompt) <= LONGEST_WHOLE or runs.has(prompt, traced):
        run = runs.of(prompt, traced)
        return run, size_of(run)
    beginning = beginning_of(prompt)
    run = runs.of(beginning, min(traced, len(beginning) - 1))
    return run, size_of_longer(model, transcoders, run, len(prompt), traced)


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


def fit_to_memory(size: TraceSize, n_targets: int, max_features: int | None) -> MemoryFit:
    """Return how the edges of a trace, with all features or at most `max_features`, fit into memory.

    So does the run, where it is still to be made: on the model's device, which may have a memory of its own.

    Raises:
        PromptError: max_features is not a whole number from 1 up.
    """
    n_active = size.n_active
    limit, _ = require_limits(max_features, neurons=size.neurons)
    if size.neurons and limit is None:
        limit = DEFAULT_NEURONS
    n_features = n_active if limit is None else min(n_active, limit)
    own, available = size.device.type == "cuda", available_memory()
    kept, working = 0 if own else size.run_bytes, WORKING_BYTES + RANKED_BYTES * n_active * size.neurons
    usable = int(USABLE_SHARE * available) - kept - working
    store = max(0, usable)
    others = size.n_others
    result = ITEM_BYTES * (n_features + n_targets) * (n_features + others)
    n_sources = _n_sources(size, n_features)
    wide = ITEM_BYTES * (n_features + n_targets) * (n_sources + others)
    memory = kept + working + (wide if n_features == n_sources else max(result, min(wide, store)))
    if own and size.run_peak > (free := free_memory(size.device)):
        return MemoryFit(n_features, size.run_peak, free, store, False)
    running = 0 if own else size.run_peak
    return MemoryFit(
        n_features, max(memory, running), available, store, result <= store and usable >= 0 and running <= available
    )


def most_that_fit(size: TraceSize, n_targets: int) -> int:
    """Return how many features' rows, with errors and tokens as further columns, fit into the usable memory; 0 if none.

    Positive root n of `(n + targets) (n + errors + tokens) = room`: the numbers of features, targets, errors and tokens,
    and of float32 numbers that fit.
    """
    room = fit_to_memory(size, n_targets, None).store_bytes / ITEM_BYTES
    both, others = n_targets + size.n_others, size.n_others
    root = (-both + math.sqrt(max(0.0, both**2 - 4 * (n_targets * others - room)))) / 2
    return max(0, min(size.n_active, int(root)))


def edge_seconds(size: TraceSize, n_targets: int, n_features: int) -> float:
    """Return the approximate seconds for the edges into the targets and into `n_features` features.

    The sources of these edges are all active features, of neurons the candidates.
    """
    n_active = max(1, size.n_active)
    share = n_features / n_active
    of_features, of_targets = edge_operations(size, n_targets, _n_sources(size, n_features) / n_active)
    return (share * of_features + of_targets) / (EDGE_EFFICIENCY * product_rate(size.device))


def edge_operations(size: TraceSize, n_targets: int, sources: float = 1.0) -> tuple[float, float]:
    """Return the additions and multiplications for the edges into all features, and into the targets.

    `sources` is the share of the active features that are sources.

    A target at one layer and position is propagated through the attention of all layers below to all earlier positions,
    and multiplied with the writes of every node there.
    """
    upto = sources * np.cumsum(size.counts, axis=1)
    positions = np.arange(1, size.n_positions + 1, dtype=np.float64)
    below = np.zeros(size.n_positions, dtype=np.float64)
    of_features = 0.0
    for layer, shape in enumerate(size.attention):
        d_model, heads, width = shape.d_model, shape.heads, shape.width
        from_one = heads * (2 * width + positions) * d_model
        from_all = positions * (d_model * (heads * width + shape.value_width) + positions * heads * width)
        products = d_model * (positions + sum(upto[writer] for writer in size.writers[layer]))
        of_features += float(size.counts[layer] @ (from_one + below))
        below = below + from_all + products
    return 2 * of_features, 2 * n_targets * float(below[size.position])


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


def _finish(device: torch.device) -> None:
    """Wait until a device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _n_sources(size: TraceSize, n_features: int) -> int:
    """Return how many features are sources of edges while `n_features` of them are chosen as nodes."""
    return n_candidates(n_features, size.n_active) if size.neurons else size.n_active

"""What decides the cost of a trace: the active features of a run, the shapes of its attention, and the bytes of the run.

The sizes of a long prompt are those of its beginning, extrapolated: a forward pass on all of it may take minutes, and more
memory than there is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from circuit_widget.errors import OutOfMemory
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.tokens.prompt import Prompt
from circuit_widget.system.memory import free_memory, memory_text
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.transcoder.transcoder_set import TranscoderSet

LONGEST_WHOLE = 502
"""Tokens of the longest prompt that an estimate runs as a whole."""

BEGINNING = 251
"""Tokens of a longer prompt that an estimate runs. A prime number, which no other dimension of a tensor has."""

FOUND_BYTES = 56
"""Memory for each active feature while a run finds them: numbers, positions and values, of one layer and of all."""

RANKED_BYTES = 48
"""Memory for each active neuron while candidates are chosen: attributions, places and their order."""

SCORES_AT_ONCE = 3
"""Attention patterns of one layer, in float32, that a forward pass has beside those that are kept."""


@dataclass(frozen=True)
class AttentionShape:
    """The attention of one layer: width of the residual stream, heads, their width, and numbers in a token's values."""

    d_model: int
    heads: int
    width: int
    value_width: int


@dataclass(frozen=True, eq=False)
class TraceSize:
    """The sizes of a trace.

    Attributes:
        counts: the number of active features by layer and position.
        position: the traced position.
        neurons: whether features are neurons.
        writers: for each layer, the layers whose features write to it.
        attention: for each layer, the shape of its attention.
        device: where the model is.
        run_bytes, run_peak: memory of a run that is still to be made: what it keeps, and what it takes meanwhile. Both are 0
            for a run that was made.
        run_operations: additions and multiplications of a run that is still to be made.
    """

    counts: Float64[np.ndarray, "layers positions"]
    position: int
    neurons: bool
    writers: tuple[tuple[int, ...], ...]
    attention: tuple[AttentionShape, ...]
    device: torch.device
    run_bytes: int = 0
    run_peak: int = 0
    run_operations: float = 0.0

    @property
    def n_active(self) -> int:
        """Number of active features."""
        return int(self.counts.sum())

    @property
    def n_positions(self) -> int:
        """Number of tokens."""
        return int(self.counts.shape[1])

    @property
    def n_others(self) -> int:
        """Number of errors and tokens."""
        return (len(self.counts) + 1) * self.n_positions


def size_of(run: PromptRun) -> TraceSize:
    """Return the sizes of the trace of a run."""
    found = run.activations
    counts = np.zeros((len(run.captured.layers), len(run.prompt)), dtype=np.float64)
    np.add.at(counts, (found.layer, found.position), 1)
    shapes = []
    for layer in run.frozen.layers:
        d_model, heads, width = layer.output.shape
        shapes.append(AttentionShape(d_model, heads, width, layer.value.shape[0] * layer.value.shape[1]))
    return TraceSize(
        counts=counts,
        position=run.position,
        neurons=run.neurons is not None,
        writers=tuple((layer,) for layer in range(len(shapes)))
        if run.neurons is not None
        else tuple(tuple(writes.layer for writes in nodes.writes) for nodes in run.nodes),
        attention=tuple(shapes),
        device=run.captured.embedding.device,
    )


def beginning_of(prompt: Prompt) -> Prompt:
    """Return the tokens of a long prompt that are run in place of all."""
    return replace(prompt, token_ids=prompt.token_ids[:BEGINNING], texts=prompt.texts[:BEGINNING])


def size_of_longer(
    model: LanguageModel, transcoders: TranscoderSet, run: PromptRun, n_positions: int, position: int
) -> TraceSize:
    """Return the sizes of a prompt of `n_positions` tokens, traced at `position`, of which `run` is the beginning.

    Its tokens have as many active features as those of the beginning have on average. Attention patterns grow with the
    square of the number of tokens, everything else with the number.
    """
    short = size_of(run)
    first, n_run = run.prompt.first_position, len(run.prompt)
    counts = np.zeros((len(short.counts), n_positions), dtype=np.float64)
    counts[:, : run.position + 1] = short.counts[:, : run.position + 1]
    counts[:, run.position + 1 : position + 1] = short.counts[:, first : run.position + 1].mean(1, keepdims=True)
    growth = n_positions / n_run
    kept = sum(
        tensor.nbytes * growth ** (2 if tensor.shape.count(n_run) > 1 else 1)
        for tensor in {id(one): one for one in tensors_of((run.captured, run.nodes))}.values()
    )
    n_active = int(counts.sum())
    widest = max(shape.heads for shape in short.attention)
    scores = SCORES_AT_ONCE * 4 * widest * n_positions**2
    found = sum(array.itemsize for array in (run.activations.layer, run.activations.position)) + 8
    return replace(
        short,
        counts=counts,
        position=position,
        run_bytes=int(kept) + found * n_active,
        run_peak=int(kept) + max(FOUND_BYTES * n_active, scores),
        run_operations=_run_operations(model, transcoders, short, n_positions),
    )


def check_room(model: LanguageModel, n_positions: int) -> None:
    """Check that the attention patterns of a run, which are all kept, fit into the memory of the devices.

    Raises:
        OutOfMemory: they do not, by their shapes alone.
    """
    one = model.heads.n * n_positions**2 * model.dtype.itemsize
    layers = [model.layer_device(layer) for layer in range(model.n_layers)]
    for device in dict.fromkeys(layers):
        wanted, free = one * layers.count(device), free_memory(device)
        if wanted > free:
            raise OutOfMemory(
                f"A run on {n_positions:,} tokens keeps {memory_text(wanted)} of attention patterns, and "
                f"{memory_text(free)} of memory are available. Give a shorter prompt, or free memory. Earlier passes are "
                "dropped by model.forget(); other programs and notebooks may use memory too."
            )


def tensors_of(value: object) -> Iterator[Tensor]:
    """Yield all tensors in a value, in tuples, lists and dataclasses; some may come twice."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from tensors_of(entry)
    elif is_dataclass(value):
        for entry in fields(value):
            yield from tensors_of(getattr(value, entry.name))


def _run_operations(model: LanguageModel, transcoders: TranscoderSet, size: TraceSize, n_positions: int) -> float:
    """Return the additions and multiplications of a run: all weights at each token, and attention between all tokens."""
    weights = sum(math.prod(one.shape) for block in model.blocks for one in block.whole.parameters())
    weights += sum(transcoders.n_features(layer) * shape.d_model for layer, shape in enumerate(size.attention))
    between = sum(2 * shape.heads * shape.width * n_positions**2 for shape in size.attention)
    return 2.0 * (weights * n_positions + between)

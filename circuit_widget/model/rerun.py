"""Re-runs of the model under interventions, several as one batch, each from the first layer and position it changes.

Everything below that layer and before that position comes from the capture: the residual stream that enters the first
layer, and the keys and values of earlier positions in every layer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.errors import Cancelled
from circuit_widget.model.block import Block
from circuit_widget.model.capture import Capture, LayerCapture, first, hook_input_site, in_batch
from circuit_widget.model.hooks import Hooks
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.partial_mlp import CapturedOutput, run_at_rows
from circuit_widget.progress import IsCancelled
from circuit_widget.system.linear_backend import fast_products
from circuit_widget.system.plain_torch import inference

MlpEdit: TypeAlias = Callable[[int, Float[Tensor, "rows d_model"]], Float[Tensor, "rows d_model"] | None]
"""Maps a layer and its features' input in the re-run, from the first position on, to what is added to their output."""


@dataclass(frozen=True)
class Conditions:
    """What is frozen during a re-run: attention patterns, and MLP outputs in a range of layers."""

    frozen_attention: bool = False
    frozen_mlps: range = range(0)


@dataclass(frozen=True, eq=False)
class Edit:
    """One intervention of a batch: what it adds to the output of MLPs, and the first layer and position it changes.

    `entering` is added to the residual stream that enters the first layer, from the first position on.
    """

    first_layer: int
    first_position: int
    added: MlpEdit
    entering: Float[Tensor, "rows d_model"] | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """The inputs of features in several re-runs, at positions from `first_position` to the traced one, and the logits.

    `mlp_inputs[layer]` has rows only for the re-runs that have started at that layer: the first ones of the batch.
    `normed` is the residual stream after the final norm.
    """

    first_position: int
    mlp_inputs: Mapping[int, Float[Tensor, "_started rows d_model"]]
    normed: Float[Tensor, "batch d_model"]
    logits: Float[Tensor, "batch vocabulary"]


@dataclass(frozen=True, eq=False)
class Rerun:
    """The inputs of features from `first_layer` on, at positions `first_position` to the traced one, and the logits."""

    first_layer: int
    first_position: int
    mlp_inputs: Mapping[int, Float[Tensor, "rows d_model"]]
    logits: Float[Tensor, " vocabulary"]


def rerun(
    model: LanguageModel,
    captured: Capture,
    edit: MlpEdit,
    *,
    first_layer: int,
    first_position: int,
    conditions: Conditions = Conditions(),
    progress: Callable[[float], None] | None = None,
    cancelled: IsCancelled | None = None,
) -> Rerun:
    """Run layers `first_layer` and above on positions `first_position` to the traced one, and add the results of `edit`.

    It is a batch of one: see `rerun_batch`.

    Raises:
        Cancelled: `cancelled()` became true between two layers.
    """
    only = Edit(first_layer, first_position, edit)
    batch = rerun_batch(model, captured, [only], conditions=conditions, progress=progress, cancelled=cancelled)
    mlp_inputs = {layer: x[0] for layer, x in batch.mlp_inputs.items()}
    return Rerun(first_layer, first_position, mlp_inputs, batch.logits[0])


def rerun_batch(
    model: LanguageModel,
    captured: Capture,
    edits: Sequence[Edit],
    *,
    conditions: Conditions = Conditions(),
    progress: Callable[[float], None] | None = None,
    cancelled: IsCancelled | None = None,
) -> Batch:
    """Re-run the model once for each of `edits`, sorted by their first layer, all on the same positions.

    Each edit is a row of the batch from its first layer on. Positions go from the earliest one changed to the traced one.
    Features read and write at the sites of the capture. In a layer whose MLP is frozen, their output is the captured one, plus what the
    edit adds.

    Raises:
        ValueError: the edits are not sorted by their first layer, or there is none.
        Cancelled: `cancelled()` became true between two layers.
    """
    starts = [edit.first_layer for edit in edits]
    if not starts or starts != sorted(starts):
        raise ValueError(f"edits are sorted by their first layer; given first layers {starts}")
    rows = slice(min(edit.first_position for edit in edits), captured.position + 1)
    mlp_inputs: dict[int, Tensor] = {}
    with inference(), fast_products(model.linear_maps):
        residual = captured.layers[starts[0]].residual[None, rows][:0]
        for layer in range(starts[0], model.n_layers):
            if cancelled is not None and cancelled():
                raise Cancelled("The intervention was cancelled.")
            pieces = captured.layers[layer]
            started = edits[: bisect_right(starts, layer)]
            starting = started[len(residual) :]
            residual = residual.to(model.layer_device(layer))
            if any(edit.entering is not None for edit in starting):
                residual = torch.cat([residual, _entering_residual(starting, pieces.residual[rows], rows.start)])
            running, starting = started[: len(residual)], started[len(residual) :]
            if running:
                residual = _run(model, captured, layer, residual, running, rows, mlp_inputs, conditions)
            if starting:
                x = pieces.mlp_input[rows]
                given = x.expand(len(starting), *x.shape)
                mlp_inputs[layer] = torch.cat([mlp_inputs[layer], given]) if running else given
                residual = torch.cat([residual, _leaving_residual(model, captured, layer, starting, rows)])
            if progress is not None:
                progress((layer + 1 - starts[0]) / (model.n_layers - starts[0]))
        normed = model.normed(residual[:, -1])
        logits = model.capped(model.logits_of(normed))
    return Batch(rows.start, mlp_inputs, normed, logits)


def _run(
    model: LanguageModel,
    captured: Capture,
    layer: int,
    residual: Float[Tensor, "edits rows d_model"],
    edits: Sequence[Edit],
    rows: slice,
    mlp_inputs: dict[int, Tensor],
    conditions: Conditions,
) -> Float[Tensor, "edits rows d_model"]:
    """Run one layer with its edits and record its features' inputs; return the residual stream that leaves it."""
    block, pieces = model.blocks[layer], captured.layers[layer]
    with Hooks() as hooks:
        hook_input_site(
            hooks, block, model.sites.norm, captured.input_site, _store_in(mlp_inputs, layer), batch=len(edits)
        )
        is_frozen = layer in conditions.frozen_mlps
        rows_to_run = [range(0) if is_frozen else _rows_to_run(edit, layer, model.n_layers, rows) for edit in edits]
        indices = run_at_rows(hooks, block.mlp, block.mlp_end, rows_to_run, rows.stop - rows.start)
        unchanged = None if indices is None else CapturedOutput(indices, pieces.mlp_output[rows])
        hooks.after(block.writer(captured.output_site), _edit_hook(edits, layer, mlp_inputs, rows.start, unchanged))
        if conditions.frozen_attention:
            _freeze_pattern(hooks, model, block, pieces, rows)
        left: Tensor = first(block.whole(residual, **_arguments(pieces, rows)))
    return left


def _leaving_residual(
    model: LanguageModel, captured: Capture, layer: int, edits: Sequence[Edit], rows: slice
) -> Float[Tensor, "edits rows d_model"]:
    """Return the residual stream that leaves a layer in the re-runs whose first change is at its MLP output.

    The layer itself need not run: its residual stream is the captured one plus what the edits add.
    """
    block, pieces = model.blocks[layer], captured.layers[layer]
    above = captured.layers[layer + 1].residual if layer + 1 < model.n_layers else captured.final_residual
    left = above[rows].to(block.device, pieces.residual.dtype).repeat(len(edits), 1, 1)
    norm = block.mlp_post_norm if captured.output_site == "mlp_output" else None
    for row, edit in enumerate(edits):
        here = slice(edit.first_position, rows.stop)
        added = edit.added(layer, pieces.mlp_input[here])
        if added is not None:
            change = added.to(left.device)
            if norm is None:
                change = pieces.writing.apply(change, edit.first_position)
            else:
                before = pieces.mlp_output[here]
                before, after = (norm(x.to(left.dtype)).float() for x in (before, before + change))
                change = model.residual_multiplier * (after - before)
            left[row, edit.first_position - rows.start :] += change.to(left.dtype)
    return left


def _entering_residual(
    edits: Sequence[Edit], residual: Float[Tensor, "rows d_model"], first_position: int
) -> Float[Tensor, "edits rows d_model"]:
    """Return the residual stream that enters a layer in the re-runs that start there, with what their edits add."""
    entering = residual.repeat(len(edits), 1, 1)
    for row, edit in enumerate(edits):
        if edit.entering is not None:
            start = edit.first_position - first_position
            changed = entering[row, start:].float() + edit.entering.to(residual.device)
            entering[row, start:] = changed.to(residual.dtype)
    return entering


def _store_in(mlp_inputs: dict[int, Tensor], layer: int) -> Callable[[Tensor], None]:
    def store(x: Float[Tensor, "started rows d_model"]) -> None:
        mlp_inputs[layer] = x

    return store


def _rows_to_run(edit: Edit, layer: int, n_layers: int, rows: slice) -> range:
    """Return the rows at which the MLP of a layer must run, because its output may differ from the captured one.

    In the last layer this is the traced position alone, the only one whose logits are needed.
    """
    first = rows.stop - 1 if layer == n_layers - 1 else edit.first_position
    return range(first - rows.start, rows.stop - rows.start)


def _edit_hook(
    edits: Sequence[Edit],
    layer: int,
    mlp_inputs: Mapping[int, Tensor],
    first_position: int,
    unchanged: CapturedOutput | None,
) -> Callable[[tuple[Any, ...], Any], Any]:
    """Return a hook that fills in the captured output at rows that did not run, and adds the results of the edits."""

    def add_edits(_: tuple[Any, ...], output: Any) -> Any:
        whole: Tensor = first(output)
        own = in_batch(whole, len(edits))
        written = None if unchanged is None else unchanged.filled(own)
        for row, edit in enumerate(edits):
            start = edit.first_position - first_position
            added = edit.added(layer, mlp_inputs[layer][row, start:])
            if added is not None:
                written = own.clone() if written is None else written
                written[row, start:] += added.to(own.device, own.dtype)
        if written is None:
            return None
        changed = written.view_as(whole)
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    return add_edits


class _CapturedCache:
    """The cache of a block in a re-run: the captured keys and values of the positions before it."""

    def __init__(self, pieces: LayerCapture, first_position: int) -> None:
        self._keys = pieces.keys[:, :, :first_position]
        self._values = pieces.values[:, :, :first_position]

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Return keys and values of all positions."""
        batch = len(key_states)
        keys, values = (earlier.expand(batch, -1, -1, -1) for earlier in (self._keys, self._values))
        return torch.cat([keys, key_states], dim=2), torch.cat([values, value_states], dim=2)


def _arguments(pieces: LayerCapture, rows: slice) -> dict[str, Any]:
    """Return the keyword arguments of a block's captured call, reduced to the rows of the re-run.

    They have a batch of one, which broadcasts to any batch.
    """
    arguments = dict(pieces.arguments)
    mask = arguments.get("attention_mask")
    if mask is not None:
        arguments["attention_mask"] = mask[:, :, rows, : rows.stop]
    for name in ("position_ids", "cache_position"):
        if arguments.get(name) is not None:
            arguments[name] = arguments[name][..., rows]
    for name in arguments:
        if name.startswith("position_embeddings") and arguments[name] is not None:
            arguments[name] = tuple(table[:, rows] for table in arguments[name])
    arguments[pieces.cache_argument] = _CapturedCache(pieces, rows.start)
    return arguments


def _freeze_pattern(hooks: Hooks, model: LanguageModel, block: Block, pieces: LayerCapture, rows: slice) -> None:
    """Make attention use the captured pattern with its new values, whatever its queries and keys."""
    group = model.heads.group
    pattern = pieces.pattern[:, rows, : rows.stop].float()
    earlier = pieces.values[0, :, : rows.start].float().repeat_interleave(group, dim=0)
    moved_earlier = pattern[:, :, : rows.start] @ earlier
    moved: list[Tensor] = []

    def value(_: tuple[Any, ...], output: Tensor) -> None:
        new = model.heads.values(output.float()).transpose(1, 2).repeat_interleave(group, dim=1)
        heads = pattern[:, :, rows.start :] @ new + moved_earlier
        moved[:] = [heads.transpose(1, 2).flatten(2).to(output.dtype)]

    hooks.after(block.value, value)
    hooks.replace_input(block.output, lambda _: moved[0])


PASS_ROWS = 64
"""Number of rows whose time in a layer equals the layer's fixed cost: loading weights, starting operations."""

PASS_ROWS_ACCELERATED = 2048
"""The same on an accelerator."""

BATCH_BYTES = 1 << 28
"""Approximate memory of one batch."""


def batches(model: LanguageModel, captured: Capture, starts: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Return how to group re-runs that start at these (layer, position) into batches: lists of indices, sorted by layer.

    A batch runs all positions from its earliest on, through the layers from its lowest on. The batches are the groups of
    neighbouring positions with the lowest total cost; memory limits their size.
    """
    order = sorted(range(len(starts)), key=lambda index: starts[index][1], reverse=True)
    fixed = PASS_ROWS if model.device.type == "cpu" else PASS_ROWS_ACCELERATED
    least, previous = [0.0], [0]
    for end in range(1, len(order) + 1):
        width = captured.position + 1 - starts[order[end - 1]][1]
        furthest = max(0, end - _batch_size(model, captured, width))
        options: list[tuple[float, int]] = []
        layers, most = 0, 0
        for start in range(end - 1, furthest - 1, -1):
            above = model.n_layers - starts[order[start]][0]
            layers, most = layers + above, max(most, above)
            # Splitting re-runs that start at the same position saves nothing; only memory can require it.
            if start == furthest or starts[order[start]][1] != starts[order[start - 1]][1]:
                options.append((least[start] + width * layers + fixed * most, start))
        cost, start = min(options)
        least.append(cost)
        previous.append(start)
    found: list[list[int]] = []
    end = len(order)
    while end:
        found.append(sorted(order[previous[end] : end], key=lambda index: starts[index][0]))
        end = previous[end]
    return found


def _batch_size(model: LanguageModel, captured: Capture, width: int) -> int:
    """Return how many re-runs of `width` positions fit into the memory of a batch.

    Each row needs the inputs of features at every layer, some tens of vectors inside a block, and its attention scores.
    """
    scores = 4 * model.heads.n * captured.n_positions
    return max(1, BATCH_BYTES // (4 * (model.d_model * (model.n_layers + 32) + scores) * width))

"""Measures a graph's strongest edges in another way than the trace: by ablation, one source after the other.

A trace propagates targets downwards. Here each source is set to zero and the change of its targets' pre-activations or
logits is measured in mode `direct` (attention, norms and every other MLP output frozen). The two have only the frozen
values in common.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import nn

from circuit_widget.errors import Cancelled
from circuit_widget.graph import Graph
from circuit_widget.graph.verification import MeasuredEdge, TargetSum, Verification
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.progress import IsCancelled
from circuit_widget.system.plain_torch import inference
from circuit_widget.system.restoring import Change
from circuit_widget.tracing.direct_effects import DirectEffects
from circuit_widget.tracing.prompt_run import PromptRun, run_prompt
from circuit_widget.tracing.target_readout import chosen_targets
from circuit_widget.tracing.unattributed import outside_nodes
from circuit_widget.transcoder.transcoder_set import TranscoderSet

LOW_PRECISION = (torch.bfloat16, torch.float16)

ROWS_AT_ONCE = 1024


def verify_graph(
    model: LanguageModel,
    transcoders: TranscoderSet,
    run: PromptRun,
    graph: Graph,
    n: int,
    *,
    progress: Callable[[float], None] | None = None,
    cancelled: IsCancelled | None = None,
) -> Verification:
    """Measure the `n` edges of largest absolute weight; `run` is the run of the graph's prompt.

    For a graph that was limited to some features and then pruned, edges of errors are left out: which features are part
    of an error because of the limit is not known after pruning.

    Raises:
        Cancelled: `cancelled()` became true between two sources.
    """
    rows, columns = _strongest(graph.weights, _measurable(model, graph), n)
    low = model.dtype in LOW_PRECISION
    steps = _Steps(len(set(columns.tolist())) * (2 if low else 1), progress, cancelled)
    measured = _measure(model, transcoders, run, graph, rows, columns, steps)
    exact = _in_float32(model, transcoders, run, graph, rows, columns, steps) if low else None
    nodes = graph.row_nodes
    return Verification(
        tuple(
            MeasuredEdge(
                source=graph.node_ids[column],
                target=graph.node_ids[nodes[row]],
                weight=float(graph.weights[row, column]),
                measured=float(measured[index]),
                in_float32=None if exact is None else float(exact[index]),
            )
            for index, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True))
        ),
        str(model.dtype).removeprefix("torch."),
        () if graph.pruned else _target_sums(model, transcoders, run, graph),
    )


def _target_sums(
    model: LanguageModel, transcoders: TranscoderSet, run: PromptRun, graph: Graph
) -> tuple[TargetSum, ...]:
    """Return the value of each target in a run beside the sums of its edges, for a graph that lacks none."""
    chosen = chosen_targets(model, run, graph)
    if not chosen:
        return ()
    logits = run.captured.uncapped_logits
    outside = outside_nodes(model, transcoders, run, torch.stack([one.direction for one in chosen.values()]))
    places = {token: place for place, token in enumerate(chosen)}
    found = []
    for row, target in enumerate(graph.targets, graph.n_features):
        if target.token_id not in chosen:
            continue
        is_token = target.token_id < model.vocabulary_size
        value = float(logits[target.token_id] - logits.mean()) if is_token else chosen[target.token_id].logit
        ends = np.cumsum([graph.n_features, graph.n_errors])
        features, errors, tokens = (float(part.sum(dtype=np.float64)) for part in np.split(graph.weights[row], ends))
        place = places[target.token_id]
        positions = None if outside.positions is None else outside.positions[place]
        uncounted = outside.uncounted[place]
        rest = value - features - errors - tokens
        found.append(
            TargetSum(
                target.token,
                value,
                features,
                errors,
                tokens,
                position_embeddings=positions,
                uncounted=uncounted,
                biases=rest - uncounted - (positions or 0.0) if outside.has_biases else None,
            )
        )
    return tuple(found)


class _Steps:
    """Counts measured sources, reports the progress, and checks for a cancel."""

    def __init__(self, count: int, progress: Callable[[float], None] | None, cancelled: IsCancelled | None) -> None:
        self.cancelled = cancelled
        self._count, self._done, self._progress = max(count, 1), 0, progress

    def next(self) -> None:
        """Count one more source."""
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("The verification was cancelled.")
        self._done += 1
        if self._progress is not None:
            self._progress(self._done / self._count)


def _strongest(
    weights: Float32[np.ndarray, "targets sources"], measurable: Bool[np.ndarray, "targets sources"], n: int
) -> tuple[Int[np.ndarray, " edges"], Int[np.ndarray, " edges"]]:
    """Return rows and columns of the `n` largest absolute weights that can be measured, the largest first."""
    indices, sizes = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
    for start in range(0, len(weights), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        flat = (np.abs(weights[part]) * measurable[part]).ravel()
        count = min(n, len(flat))
        top = np.argpartition(flat, len(flat) - count)[len(flat) - count :] if count else np.zeros(0, dtype=np.int64)
        indices = np.concatenate([indices, top + start * weights.shape[1]])
        sizes = np.concatenate([sizes, flat[top]])
        order = np.argsort(-sizes, kind="stable")[:n]
        indices, sizes = indices[order], sizes[order]
    rows, columns = np.divmod(indices[sizes > 0], weights.shape[1])
    return rows, columns


def _measurable(model: LanguageModel, graph: Graph) -> Bool[np.ndarray, "targets sources"]:
    """Return a mask of the edges that can be measured; see `verify_graph`. Targets that no recipe describes cannot."""
    columns = np.ones(graph.weights.shape[1], dtype=bool)
    if graph.pruned and graph.left_out:
        columns[graph.n_features : graph.n_features + graph.n_errors] = False
    rows = np.ones(len(graph.weights), dtype=bool)
    if "targets" not in graph.recipe:
        rows[graph.n_features :] = [target.token_id < model.vocabulary_size for target in graph.targets]
    return np.broadcast_to(columns, graph.weights.shape) & rows[:, None]


def _measure(
    model: LanguageModel,
    transcoders: TranscoderSet,
    run: PromptRun,
    graph: Graph,
    rows: Int[np.ndarray, " edges"],
    columns: Int[np.ndarray, " edges"],
    steps: _Steps,
) -> Float[np.ndarray, " edges"]:
    """Return the direct effect of each edge's source on its target in this run."""
    direct = DirectEffects(model, transcoders, run, graph)
    measured = np.zeros(len(rows))
    with inference():
        for column in dict.fromkeys(columns.tolist()):
            steps.next()
            indices = np.flatnonzero(columns == column)
            measured[indices] = direct.of(column, rows[indices].tolist())
    return measured


def _in_float32(
    model: LanguageModel,
    transcoders: TranscoderSet,
    run: PromptRun,
    graph: Graph,
    rows: Int[np.ndarray, " edges"],
    columns: Int[np.ndarray, " edges"],
    steps: _Steps,
) -> Float[np.ndarray, " edges"] | None:
    """Return the direct effects in a run with all weights in float32; None where the memory is too small."""
    try:
        with _float32_weights(model.network):
            again = run_prompt(model, transcoders, run.prompt, run.position, cancelled=steps.cancelled)
            return _measure(model, transcoders, again, graph, rows, columns, steps)
    except (torch.OutOfMemoryError, MemoryError):
        return None


def _float32_weights(network: nn.Module) -> Change:
    """Return a context in which all weights are float32; converted back, they are the same 16-bit numbers."""
    parameters = [entry for entry in network.parameters() if entry.dtype in LOW_PRECISION]
    kept = [entry.data for entry in parameters]

    def make() -> None:
        for entry in parameters:
            entry.data = entry.data.float()

    def undo() -> None:
        for entry, data in zip(parameters, kept, strict=True):
            entry.data = data

    return Change(make, undo)

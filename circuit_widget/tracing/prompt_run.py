"""A run: one prompt through the replacement model, with capture, frozen model, active features and errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from circuit_widget.attribution.layer_nodes import LayerNodes, Writes
from circuit_widget.errors import Cancelled
from circuit_widget.model.capture import Capture, LayerCapture, capture, freeze
from circuit_widget.model.frozen import FrozenModel, FrozenNorm
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.model.tokens.prompt import Prompt
from circuit_widget.progress import IsCancelled
from circuit_widget.system.plain_torch import inference
from circuit_widget.tracing.activations import Activations
from circuit_widget.tracing.unexplained import Unexplained
from circuit_widget.transcoder.joint_top_k import JointTopKTranscoders
from circuit_widget.transcoder.transcoder_set import TranscoderSet

ENCODED_BYTES = 1 << 26
"""Memory for the activations of all features at some positions."""


@dataclass(frozen=True, eq=False)
class PromptRun:
    """A prompt and all that a trace or an intervention needs of its forward pass.

    Features and errors before the prompt's first position and after the traced position are left out. `unexplained` is the
    share of the MLP outputs that the errors make up, by layer.

    Of `neurons` all are active and add up to the MLP outputs; `nodes` is empty until some are chosen (`neuron_nodes`).
    """

    prompt: Prompt
    captured: Capture
    frozen: FrozenModel
    nodes: tuple[LayerNodes, ...]
    activations: Activations
    unexplained: tuple[Unexplained, ...]
    neurons: Neurons | None = None

    @property
    def position(self) -> int:
        """The traced position."""
        return self.captured.position


def run_prompt(
    model: LanguageModel,
    transcoders: TranscoderSet,
    prompt: Prompt,
    position: int,
    *,
    cancelled: IsCancelled | None = None,
) -> PromptRun:
    """Run the model once on a prompt and find its active features and errors.

    Raises:
        Cancelled: `cancelled()` became true between two layers.
    """
    captured = _captured(model, transcoders, prompt, position, cancelled)
    frozen = freeze(model, captured)
    used = slice(prompt.first_position, position + 1)
    nodes: list[LayerNodes] = []
    unexplained: list[Unexplained] = []
    active: list[_Active] = []
    if isinstance(transcoders, Neurons):
        with inference():
            for layer, pieces in enumerate(captured.layers):
                _stop(cancelled)
                active.append(_find_active(transcoders, layer, pieces.mlp_input, used))
            return PromptRun(prompt, captured, frozen, (), _table(active, prompt.first_position), (), transcoders)
    with inference():
        for layer, found in enumerate(_encoded(transcoders, captured, used, active, cancelled)):
            mlp_input, writing = captured.layers[layer].mlp_input, frozen.layers[layer].writing
            nodes.append(_layer_nodes(transcoders, active[-1], layer, found, mlp_input, writing))
            unexplained.append(_unexplained(captured.layers[layer], found, active[-1], used))
    return PromptRun(prompt, captured, frozen, tuple(nodes), _table(active, prompt.first_position), tuple(unexplained))


def unexplained_by(
    model: LanguageModel, transcoders: TranscoderSet, prompt: Prompt, *, cancelled: IsCancelled | None = None
) -> tuple[Unexplained, ...]:
    """Return the unexplained part of each MLP's output on a whole prompt, without the other parts of a run.

    Raises:
        Cancelled: `cancelled()` became true between two layers.
    """
    captured = _captured(model, transcoders, prompt, len(prompt) - 1, cancelled)
    used = slice(prompt.first_position, len(prompt))
    with inference():
        active: list[_Active] = []
        return tuple(
            _unexplained(captured.layers[layer], found, active[-1], used)
            for layer, found in enumerate(_encoded(transcoders, captured, used, active, cancelled))
        )


def _captured(
    model: LanguageModel,
    transcoders: TranscoderSet,
    prompt: Prompt,
    position: int,
    cancelled: IsCancelled | None,
) -> Capture:
    return capture(
        model,
        prompt.token_ids,
        position,
        input_site=transcoders.input_site,
        output_site=transcoders.output_site,
        cancelled=cancelled,
    )


def _encoded(
    transcoders: TranscoderSet,
    captured: Capture,
    used: slice,
    active: list[_Active],
    cancelled: IsCancelled | None,
) -> Iterator[_Written]:
    """Yield what features write to each layer; the active features of the layer are appended to `active` first."""
    jointly = _active_jointly(transcoders, captured, used) if isinstance(transcoders, JointTopKTranscoders) else None
    for layer, pieces in enumerate(captured.layers):
        _stop(cancelled)
        active.append(_find_active(transcoders, layer, pieces.mlp_input, used) if jointly is None else jointly[layer])
        yield _written(transcoders, active, pieces, used)


def _stop(cancelled: IsCancelled | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled("The run was cancelled.")


@dataclass(frozen=True, eq=False)
class _Active:
    """The active features of one layer, sorted by position, then number."""

    positions: Int[Tensor, " n"]
    features: Int[Tensor, " n"]
    values: Float[Tensor, " n"]


def _find_active(transcoders: TranscoderSet, layer: int, x: Float[Tensor, "positions d_model"], used: slice) -> _Active:
    """Return the active features at the positions `used`; few positions are encoded at once, to save memory."""
    at_once = max(1, ENCODED_BYTES // (x.element_size() * max(1, transcoders.n_features(layer))))
    parts = []
    for start in range(used.start, max(used.stop, used.start + 1), at_once):
        _, activation = transcoders.encode(layer, x[start : min(start + at_once, used.stop)])
        # Neurons that happen to be zero here are active all the same: another prompt may find them otherwise.
        active = torch.ones_like(activation) if isinstance(transcoders, Neurons) else activation
        positions, features = torch.nonzero(active, as_tuple=True)
        parts.append(_Active(positions + start, features, activation[positions, features]))
    return _Active(
        torch.cat([part.positions for part in parts]),
        torch.cat([part.features for part in parts]),
        torch.cat([part.values for part in parts]),
    )


def _active_jointly(transcoders: JointTopKTranscoders, captured: Capture, used: slice) -> list[_Active]:
    """Return the active features of all layers at the positions `used`, which are chosen among all layers at once."""
    inputs, outputs = (
        [getattr(pieces, side)[: used.stop] for pieces in captured.layers] for side in ("mlp_input", "mlp_output")
    )
    kept = transcoders.kept(inputs, outputs)[used]
    found = transcoders.active([x[used] for x in inputs], kept)
    return [_Active(one.rows + used.start, one.features, one.values) for one in found]


def _table(active: Sequence[_Active], first_position: int) -> Activations:
    layers = np.repeat(np.arange(len(active), dtype=np.int32), [len(found.values) for found in active])
    positions, features, values = (
        torch.cat([getattr(found, part).cpu() for found in active]).numpy()
        for part in ("positions", "features", "values")
    )
    return Activations(
        layers, positions.astype(np.int32), features.astype(np.int32), values.astype(np.float32), first_position
    )


@dataclass(frozen=True, eq=False)
class _Written:
    """What features write to one layer's MLP output: layer where they read, positions, and a row for each feature.

    `errors` is the rest of that output. Both are at the transcoders' output site, before any norm after it.
    """

    writes: tuple[tuple[int, Int[Tensor, " _n"], Float[Tensor, "_n d_model"]], ...]
    errors: Float[Tensor, "positions d_model"]


def _written(transcoders: TranscoderSet, active: Sequence[_Active], pieces: LayerCapture, used: slice) -> _Written:
    """Return writes and errors of a layer, given the active features of all layers up to it."""
    layer = len(active) - 1
    device = pieces.mlp_output.device
    skip = transcoders.skip(layer)
    errors = pieces.mlp_output - transcoders.decoder_bias(layer)
    if skip is not None:
        errors -= pieces.mlp_input @ skip.T
    writes = []
    for source, found in enumerate(active):
        if layer in transcoders.written_layers(source) and len(found.values):
            positions = found.positions.to(device)
            rows = transcoders.decoder_rows(source, found.features, layer).to(device)
            rows = rows * found.values.to(device)[:, None]
            errors.index_add_(0, positions, rows, alpha=-1)
            writes.append((source, positions, rows))
    errors[: used.start] = 0
    errors[used.stop :] = 0
    return _Written(tuple(writes), errors)


def _layer_nodes(
    transcoders: TranscoderSet,
    active: _Active,
    layer: int,
    written: _Written,
    mlp_input: Float[Tensor, "positions d_model"],
    writing: FrozenNorm,
) -> LayerNodes:
    """Return the nodes of one layer.

    Writes and errors are in units of the residual stream: after the norm behind the MLP, where the transcoders' output site
    is before it.
    """
    return LayerNodes(
        positions=active.positions,
        encoder_rows=transcoders.encoder_rows_at(layer, active.features, active.positions, mlp_input),
        writes=tuple(
            Writes(source, norm_at(writing, positions).apply(rows)) for source, positions, rows in written.writes
        ),
        errors=writing.apply(written.errors),
        skip=transcoders.skip(layer),
    )


def _unexplained(pieces: LayerCapture, written: _Written, active: _Active, used: slice) -> Unexplained:
    return Unexplained.of(pieces.mlp_output[used], written.errors[used], len(active.values))


def norm_at(norm: FrozenNorm, positions: Int[Tensor, " n"]) -> FrozenNorm:
    """Return a norm for rows at these positions."""
    return norm if norm.scale is None else replace(norm, scale=norm.scale[positions])

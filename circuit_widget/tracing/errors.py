"""The errors of a run at the transcoders' output site, which is before any norm after the MLP."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.tracing.run import Run
from circuit_widget.transcoder.transcoder_set import TranscoderSet


def errors_at(run: Run, transcoders: TranscoderSet, layer: int, positions: Sequence[int]) -> Float[Tensor, "n d_model"]:
    """Return the errors of one layer at some positions: its MLP's output less bias, skip and all active features.

    Float32, on the layer's device, in units of the transcoders' output site. `positions` are from the prompt's first
    position on, because features before it are not read.
    """
    pieces = run.captured.layers[layer]
    device = pieces.mlp_output.device
    rows = torch.tensor(list(positions), dtype=torch.long, device=device)
    errors = pieces.mlp_output[rows] - transcoders.decoder_bias(layer)
    skip = transcoders.skip(layer)
    if skip is not None:
        errors -= pieces.mlp_input[rows] @ skip.T
    for source in range(layer + 1):
        if layer in transcoders.written_layers(source):
            found = [run.activations.at(source, position) for position in positions]
            rows_of_features = [row for row, active in enumerate(found) for _ in active]
            numbers = torch.tensor([one.feature for active in found for one in active], dtype=torch.long, device=device)
            values = torch.tensor(
                [value for active in found for value in active.values()], dtype=torch.float32, device=device
            )
            directions = transcoders.decoder_rows(source, numbers, layer).to(device)
            errors.index_add_(
                0,
                torch.tensor(rows_of_features, dtype=torch.long, device=device),
                directions * values[:, None].to(directions.dtype),
                alpha=-1,
            )
    return errors

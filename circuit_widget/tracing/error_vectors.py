"""The errors of a run at the transcoders' output site, which is before any norm after the MLP."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.tracing.activations import rows_at
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.transcoder.transcoder_set import TranscoderSet


def errors_at(
    run: PromptRun, transcoders: TranscoderSet, layer: int, positions: Sequence[int]
) -> Float[Tensor, "n d_model"]:
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
            found = run.activations
            active = [rows_at(found, source, position) for position in positions]
            which = np.concatenate([np.arange(here.start, here.stop) for here in active]).astype(np.int64)
            counts = np.array([here.stop - here.start for here in active], dtype=np.int64)
            numbers = torch.as_tensor(found.feature[which].astype(np.int64), device=device)
            values = torch.as_tensor(found.value[which], device=device)
            directions = transcoders.decoder_rows(source, numbers, layer).to(device)
            errors.index_add_(
                0,
                torch.as_tensor(np.repeat(np.arange(len(active)), counts), device=device),
                directions * values[:, None].to(directions.dtype),
                alpha=-1,
            )
    return errors

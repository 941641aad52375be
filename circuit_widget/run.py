"""One prompt run through the replacement model: the captured pass, its frozen model, its active features and errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.activations import Activations
from circuit_widget.attribution.sweep import LayerNodes
from circuit_widget.model.capture import Capture, capture, freeze
from circuit_widget.model.frozen import FrozenModel
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.prompt import FIRST_POSITION, Prompt
from circuit_widget.transcoder.transcoder_set import TranscoderSet


@dataclass(frozen=True, eq=False)
class Run:
    """A prompt and all that a trace or an intervention needs of its forward pass.

    Features and errors before position FIRST_POSITION and after the traced position are left out.
    """

    prompt: Prompt
    captured: Capture
    frozen: FrozenModel
    nodes: tuple[LayerNodes, ...]
    activations: Activations

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
    cancelled: Callable[[], bool] | None = None,
) -> Run:
    """Run the model once on a prompt and find its active features and errors.

    Raises:
        Cancelled: `cancelled()` became true between two layers.
    """
    captured = capture(model, prompt.token_ids, position, cancelled=cancelled)
    nodes, tables = [], []
    with torch.inference_mode():
        for layer, pieces in enumerate(captured.layers):
            layer_nodes, features, values = _layer_nodes(transcoders, layer, pieces.mlp_input, pieces.mlp_output, position)
            nodes.append(layer_nodes)
            place = torch.full_like(features, layer)
            tables.append(torch.stack([place, layer_nodes.positions, features]).cpu().numpy())
            tables.append(values.cpu().numpy())
    places = np.concatenate(tables[::2], axis=1).astype(np.int32)
    values = np.concatenate(tables[1::2]).astype(np.float32)
    return Run(prompt, captured, freeze(model, captured), tuple(nodes), Activations(*places, values))


def _layer_nodes(
    transcoders: TranscoderSet,
    layer: int,
    mlp_input: Float[Tensor, "positions d_model"],
    mlp_output: Float[Tensor, "positions d_model"],
    position: int,
) -> tuple[LayerNodes, Tensor, Tensor]:
    """Return the nodes of one layer, the numbers of its active features and their activations."""
    _, activations = transcoders.encode(layer, mlp_input)
    activations[:FIRST_POSITION] = 0
    activations[position + 1 :] = 0
    errors = mlp_output - transcoders.reconstruct(layer, activations, mlp_input)
    errors[:FIRST_POSITION] = 0
    positions, features = activations.nonzero(as_tuple=True)
    values = activations[positions, features]
    nodes = LayerNodes(
        positions=positions,
        reads=transcoders.encoder_rows(layer, features),
        writes=transcoders.decoder_rows(layer, features) * values[:, None],
        errors=errors,
        skip=transcoders.skip(layer),
    )
    return nodes, features, values

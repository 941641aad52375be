"""Layers whose tensors are parts of larger ones, or are to be scaled: from views of their files to transcoder layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.activation import Activation
from circuit_widget.transcoder.encoder_placement import Loading, load_encoder
from circuit_widget.transcoder.formats.checked_file import READ_TO_CHECK
from circuit_widget.transcoder.gate import Gate
from circuit_widget.transcoder.layer import PIECE_BYTES, TranscoderLayer, all_finite

Layer = TypeVar("Layer", bound=TranscoderLayer)


@dataclass(frozen=True, eq=False)
class LayerParts:
    """The parts of one layer as in `TranscoderLayer`; encoder and decoder are views of tensors mapped from files.

    All others are float32 on the layer's device.
    """

    encoder: Float[Tensor, "features d_model"]
    encoder_bias: Float[Tensor, " features"]
    decoder: Float[Tensor, "features d_model"] | tuple[Float[Tensor, "features d_model"], ...]
    decoder_bias: Float[Tensor, " d_model"]
    activation: Activation
    encoder_origin: str
    decoder_origin: str
    files: tuple[Path, ...]
    skip: Float[Tensor, "d_model d_model"] | None = None
    input_scale: Float[Tensor, " d_model"] | None = None
    output_scale: Float[Tensor, "*written d_model"] | None = None
    gate: Gate | None = None


def make_layers(kind: type[Layer], parts: Sequence[LayerParts], loading: Loading) -> tuple[Layer, ...]:
    """Return the layers of which these are the parts, with each encoder where it is to be kept.

    Raises:
        LoadError: an encoder, decoder or bias has values that are not finite; a device has no room.
    """
    transposed = any(not part.encoder.is_contiguous() for part in parts)
    placements = loading.placements([part.encoder.nbytes for part in parts], transposed=transposed)
    found = []
    for number, (part, placement) in enumerate(zip(parts, placements, strict=True)):
        encoder = load_encoder(part.encoder, placement, loading.device_of(number))
        if placement != "disk" or part.encoder.nbytes <= READ_TO_CHECK:
            refuse_unless_finite(encoder, part.encoder_origin)
        slots = part.decoder if isinstance(part.decoder, tuple) else (part.decoder,)
        if sum(slot.nbytes for slot in slots) <= READ_TO_CHECK:
            for slot in slots:
                refuse_unless_finite(slot, part.decoder_origin)
        found.append(
            kind(
                encoder=encoder,
                encoder_bias=part.encoder_bias,
                decoder=part.decoder,
                decoder_bias=part.decoder_bias,
                activation=part.activation,
                skip=part.skip,
                input_scale=part.input_scale,
                output_scale=part.output_scale,
                gate=part.gate,
                encoder_origin=part.encoder_origin,
                decoder_origin=part.decoder_origin,
                files=part.files,
            )
        )
    return tuple(found)


def refuse_unless_finite(values: Tensor, origin: str) -> None:
    """Raise LoadError where a tensor has NaN or infinite values; `origin` names it."""
    if not all_finite(values):
        raise LoadError(f"{origin} has NaN or infinite values, expected finite numbers.")


def times(encoder: Float[Tensor, "features d_model"], vector: Float[Tensor, " d_model"]) -> Float[Tensor, " features"]:
    """Return the product of each encoder row with a vector, in float32 on the vector's device."""
    pieces = encoder.split(max(1, PIECE_BYTES // (4 * encoder.shape[1])))
    return torch.cat([piece.to(vector.device).float() @ vector for piece in pieces])


def squared_norms(decoder: Float[Tensor, "features d_model"], device: torch.device) -> Float[Tensor, " features"]:
    """Return the squared length of each decoder row, in float32 on `device`."""
    pieces = decoder.split(max(1, PIECE_BYTES // (4 * decoder.shape[1])))
    return torch.cat([piece.to(device).float().square().sum(1) for piece in pieces])

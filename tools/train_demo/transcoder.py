"""One layer's JumpReLU transcoder as it is trained and measured, and its file in circuit-tracer's per-layer layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch.nn.functional as F
from jaxtyping import Float, Int
from safetensors.torch import load_file, save_file
from torch import Tensor

from circuit_widget.errors import CircuitWidgetError
from circuit_widget.system.atomic_write import write_whole


@dataclass(frozen=True)
class Transcoder:
    """The weights of one layer: `encode` gives activations, `decode` the MLP's output."""

    w_enc: Float[Tensor, "features d_model"]
    w_dec: Float[Tensor, "features d_model"]
    b_enc: Float[Tensor, " features"]
    b_dec: Float[Tensor, " d_model"]
    threshold: Float[Tensor, " features"]

    def encode(self, x: Float[Tensor, "*rows d_model"]) -> Float[Tensor, "*rows features"]:
        """JumpReLU: a pre-activation above its feature's threshold stays, any other becomes 0."""
        preactivation = F.linear(x, self.w_enc, self.b_enc)
        return preactivation * (preactivation > self.threshold)

    def part(self, features: Int[Tensor, " part"]) -> Transcoder:
        """The transcoder with some of its features."""
        encoder = (self.w_enc[features], self.w_dec[features], self.b_enc[features])
        return Transcoder(*encoder, self.b_dec, self.threshold[features])

    def decode(self, activation: Float[Tensor, "*rows features"]) -> Float[Tensor, "*rows d_model"]:
        """The reconstructed MLP output."""
        return activation @ self.w_dec + self.b_dec


def load_transcoders(folder: Path) -> list[Transcoder]:
    """Read every layer of a folder in circuit-tracer's per-layer layout, in float32."""
    found = []
    for layer in range(len(list(folder.glob("layer_*.safetensors")))):
        t = {name: tensor.float() for name, tensor in load_file(folder / f"layer_{layer}.safetensors").items()}
        found.append(Transcoder(t["W_enc"], t["W_dec"], t["b_enc"], t["b_dec"], t["activation_function.threshold"]))
    return found


def save_transcoder(transcoder: Transcoder, path: Path) -> None:
    """Write one layer in half precision."""
    tensors = {
        "W_enc": transcoder.w_enc,
        "W_dec": transcoder.w_dec,
        "b_enc": transcoder.b_enc,
        "b_dec": transcoder.b_dec,
        "activation_function.threshold": transcoder.threshold,
    }
    halves = {name: tensor.half().contiguous() for name, tensor in tensors.items()}
    write_whole(path, lambda file: save_file(halves, file), "transcoder", CircuitWidgetError)

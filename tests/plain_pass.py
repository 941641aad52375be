"""Interventions done by hand: a plain forward pass of the whole transformers model with hooks of our own."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import torch

from circuit_widget.nodes import Feature
from circuit_widget.replacement_model import ReplacementModel

LAYERS = {
    **dict.fromkeys(("gpt2", "gptj", "gpt_neo", "gpt_bigcode"), "transformer.h"),
    "opt": "model.decoder.layers",
    "gpt_neox": "gpt_neox.layers",
    "gemma3": "model.language_model.layers",
}
NORMS = {
    **dict.fromkeys(("gpt2", "gpt_neo", "gpt_bigcode"), "ln_2"),
    "apertus": "feedforward_layernorm",
    "gptj": "ln_1",
    "opt": "final_layer_norm",
    "cohere": "input_layernorm",
    "olmo2": None,
    **dict.fromkeys(("gemma2", "gemma3", "gemma3_text", "vaultgemma"), "pre_feedforward_layernorm"),
}
CENTRED = ("cohere", "gpt2", "gpt_bigcode", "gpt_neo", "gptj", "gpt_neox", "nemotron", "olmo", "opt")


def rows_of(x: torch.Tensor) -> torch.Tensor:
    """What a module is given or gives at each position of a single prompt; OPT has no dimension for the batch there."""
    return x.reshape(-1, x.shape[-1])


class PlainPass:
    """A model, its logits for a prompt, and the inputs and outputs of its MLPs, all by plain hooks."""

    def __init__(
        self, model: ReplacementModel, token_ids: tuple[int, ...], nodes: Collection[Feature] | None = None
    ) -> None:
        """`nodes` are the features that a limited graph has; the others are part of its errors."""
        self.nodes = nodes
        self.transcoders, self.network = model.transcoders, model.model.network
        kind = self.network.config.model_type
        layers: Any = self.network.get_submodule(LAYERS.get(kind, "model.layers"))
        self.layers = layers
        norm = NORMS.get(kind, "post_attention_layernorm")
        self.norms = [None if norm is None else layer.get_submodule(norm) for layer in layers]
        self.centred = kind in CENTRED
        name = next(name for name in ("mlp", "block_sparse_moe", "fc1") if hasattr(layers[0], name))
        self.mlps = [getattr(layer, name) for layer in layers]
        ends = [layer.fc2 for layer in layers] if name == "fc1" else self.mlps
        self.readers = [
            mlp if norm is None or self.transcoders.input_site == "mlp_input" else norm
            for norm, mlp in zip(self.norms, self.mlps, strict=True)
        ]
        after = self.transcoders.output_site == "mlp_update" and hasattr(layers[0], "post_feedforward_layernorm")
        self.writers = [layer.post_feedforward_layernorm for layer in layers] if after else ends
        self.token_ids = token_ids
        self.read: dict[int, torch.Tensor] = {}
        self.written: dict[int, torch.Tensor] = {}
        self.logits = self._run({})
        self.plain_read, self.plain_written = self.read, self.written

    def before_norm_weight(self, layer: int, x: torch.Tensor) -> torch.Tensor:
        """What the norm before an MLP gives before its weight and bias; its denominators have no gradient."""
        norm = self.norms[layer]
        if norm is None:
            return x
        x = x - x.mean(-1, keepdim=True) if self.centred else x
        epsilon = next((getattr(norm, name) for name in ("variance_epsilon", "eps") if hasattr(norm, name)), 1e-5)
        return x / (x.detach().square().mean(-1, keepdim=True) + epsilon).sqrt()

    def activation(self, feature: Feature) -> float:
        """The activation of a feature in the latest pass."""
        _, activation = self.transcoders.encode(feature.layer, self.read[feature.layer])
        return float(activation[feature.position, feature.feature])

    def error(self, layer: int, position: int) -> torch.Tensor:
        """The error of a layer at a position: what the features that are nodes, encoded again, leave of its output."""
        left = self.plain_written[layer][position] - self.transcoders.decoder_bias(layer)
        skip = self.transcoders.skip(layer)
        if skip is not None:
            left = left - skip @ self.plain_read[layer][position]
        for source in range(layer + 1):
            if layer in self.transcoders.written_layers(source):
                _, activation = self.transcoders.encode(source, self.plain_read[source])
                every = torch.arange(activation.shape[1])
                if self.nodes is not None:
                    every = every[[Feature(source, position, number) in self.nodes for number in every.tolist()]]
                    activation = activation[:, every]
                left = left - activation[position] @ self.transcoders.decoder_rows(source, every, layer)
        return left

    def clamping(
        self,
        values: Mapping[Feature, float],
        clamped: range = range(0),
        *,
        added: Mapping[tuple[int, int], torch.Tensor] = MappingProxyType({}),
        embeddings: Mapping[int, float] = MappingProxyType({}),
    ) -> torch.Tensor:
        """The last position's logits with features clamped, and with captured MLP outputs in the layers `clamped`.

        `added` are vectors that are added to the output at (layer, position), `embeddings` factors of the tokens'
        embeddings, by position.
        """
        before = {feature: self._before(feature) for feature in values}

        def edits(layer: int, output: torch.Tensor) -> torch.Tensor:
            if layer in clamped:
                output = self.plain_written[layer].clone()
                skip = self.transcoders.skip(layer)
                if skip is not None:
                    output += (self.read[layer] - self.plain_read[layer]) @ skip.T
            for feature, value in values.items():
                if layer not in self.transcoders.written_layers(feature.layer):
                    continue
                if clamped and feature.layer <= clamped[-1] < layer:
                    continue
                now = before[feature] if layer in clamped else self.activation(feature)
                row = self.transcoders.decoder_rows(feature.layer, torch.tensor([feature.feature]), layer)[0]
                output[feature.position] += (value - now) * row
            for (written, position), vector in added.items():
                if written == layer:
                    output[position] += vector
            return output

        return self._run(dict.fromkeys(range(len(self.mlps)), edits), embeddings)

    def _before(self, feature: Feature) -> float:
        _, activation = self.transcoders.encode(feature.layer, self.plain_read[feature.layer])
        return float(activation[feature.position, feature.feature])

    def _run(self, edits: Mapping[int, Any], embeddings: Mapping[int, float] = MappingProxyType({})) -> torch.Tensor:
        self.read, self.written, handles = {}, {}, []

        def read(layer: int, x: torch.Tensor) -> None:
            self.read[layer] = self.before_norm_weight(layer, x) if self.transcoders.input_site == "mlp_norm" else x

        def write(layer: int, output: Any) -> Any:
            whole = output if isinstance(output, torch.Tensor) else output[0]
            rows = rows_of(whole)
            self.written[layer] = edits[layer](layer, rows.clone()) if layer in edits else rows
            changed = self.written[layer].view_as(whole)
            return changed if isinstance(output, torch.Tensor) else (changed, *output[1:])

        def embed(_: object, __: object, output: torch.Tensor) -> torch.Tensor:
            scaled = output.clone()
            for position, factor in embeddings.items():
                scaled[0, position] *= factor
            return scaled

        handles.append(self.network.get_input_embeddings().register_forward_hook(embed))
        for layer, (reader, writer) in enumerate(zip(self.readers, self.writers, strict=True)):
            handles.append(reader.register_forward_pre_hook(lambda _, args, layer=layer: read(layer, rows_of(args[0]))))
            handles.append(writer.register_forward_hook(lambda _, __, output, layer=layer: write(layer, output)))
        try:
            with torch.inference_mode():
                ids = torch.tensor([self.token_ids])
                logits: torch.Tensor = self.network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1]
        finally:
            for handle in handles:
                handle.remove()
        return logits

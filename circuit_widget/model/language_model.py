"""The language model: a causal model of transformers, its modules found by the sites of its architecture."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
import transformers
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

import circuit_widget
from circuit_widget.errors import LoadError
from circuit_widget.model.architectures import INPUT_SITES, OUTPUT_SITES, sites_of
from circuit_widget.model.block import (
    AttentionWeights,
    attention_weights,
    find_heads,
    find_modules,
    module_device,
)
from circuit_widget.model.fingerprint import Fingerprint
from circuit_widget.model.loading_changes import evaluating
from circuit_widget.model.module_checks import check_plain, has_hooked_mlps
from circuit_widget.model.norm import linear_norm
from circuit_widget.system.linear_backend import linear, linear_maps
from circuit_widget.system.plain_torch import inference

if TYPE_CHECKING:
    from circuit_widget.model.tokens.tokenizer import Tokenizer

Network: TypeAlias = PreTrainedModel
"""A loaded transformers model."""

UNEMBEDDING_ROWS = 16_384
"""Rows of the unembedding converted to float32 together: a second copy of a large one would not fit into memory."""


class LanguageModel:
    """A causal language model with its tokenizer, in evaluation mode and with eager attention, which returns patterns.

    Attributes:
        network: the model itself.
        sites: the row of its architecture, for its settings.
        body: the text model without its unembedding.
        blocks: the modules of each layer.
        positions: learned position embeddings, or None.
        final_norm, unembedding: the last modules.
        heads: shape of the attention.
        softcap: the cap on logits, or None.
        logit_scale: by what logits are multiplied after the unembedding, before any cap.
        residual_multiplier: by what the writes of attention and MLPs are multiplied.
        parallel: whether MLPs read the residual stream from before attention.
    """

    def __init__(self, network: PreTrainedModel, tokenizer: Tokenizer, name: str) -> None:
        self.sites = sites_of(network.config)
        evaluating(network).keep()
        self.network = network
        self.tokenizer = tokenizer
        self.name = name
        self._attention_weights: dict[int, AttentionWeights] = {}
        self._revision = 0
        self._fingerprint: Fingerprint | None = None
        self._reads_neurons = False
        self._find_modules()
        config = self._config
        self.heads = find_heads(name, self.blocks, int(config.num_attention_heads), self.sites.value_layout)
        self.softcap: float | None = None if self.sites.softcap is None else getattr(config, self.sites.softcap)
        self.logit_scale = self._multiplier(self.sites.logit_multiplier) / self._multiplier(self.sites.logit_divisor)
        self.residual_multiplier = self._multiplier(self.sites.residual_multiplier)
        self.parallel = bool(self.sites.parallel)

    @property
    def _config(self) -> Any:
        return self.network.config.get_text_config()

    def _multiplier(self, entry: str | None) -> float:
        return 1.0 if entry is None else float(getattr(self._config, entry))

    def _find_modules(self) -> None:
        """Find the modules of the network and check that they are those of its architecture."""
        self._check_named_outputs()
        for name, parameter in self.network.named_parameters():
            if parameter.device.type == "meta":
                raise LoadError(
                    f"{self.name}: tensor {name!r} is offloaded to the CPU or to disk; "
                    "give a device_map that keeps every layer on a device, or load the model on the CPU."
                )
        modules = find_modules(self.network, self.sites)
        neurons = self.sites.neurons if self._reads_neurons else None
        check_plain(self.name, modules, self.sites.norm, neurons, loaded=self._fingerprint is not None)
        self.body, self.blocks, self.positions = modules.body, modules.blocks, modules.positions
        self.final_norm, self.unembedding = modules.final_norm, modules.unembedding
        self._has_hooked_mlps = has_hooked_mlps(modules)
        self._fingerprint = Fingerprint(self.network)

    def _check_named_outputs(self) -> None:
        if not getattr(self.network.config, "return_dict", True):
            raise LoadError(
                f"{self.name}: its configuration has return_dict=False, with which outputs have no names and transformers' own "
                "models fail. Set model.config.return_dict = True."
            )

    def _use_eager_attention(self) -> None:
        if self.network.config._attn_implementation != "eager":
            self.network.set_attn_implementation("eager")

    def refresh(self) -> int:
        """Check before a run whether the network has changed, and drop cached values of weights that have.

        Returns a revision number, which is a new one whenever earlier runs are out of date.

        Raises:
            LoadError: the network is in training mode, or its modules were changed in a way that cannot be traced.
        """
        if self.network.training or self.body.training:
            raise LoadError(
                f"{self.name}: the model was put into training mode, in which dropout may change what it computes; "
                "call eval() on it first."
            )
        self._check_named_outputs()
        self._use_eager_attention()
        known = self._fingerprint
        if known is None or known.has_other_modules() or known.has_other_weights():
            self.forget()
        elif self._has_hooked_mlps:
            self._revision += 1
        return self._revision

    def read_neurons(self) -> None:
        """Check the MLPs too from now on: where neurons are features, their weights are read.

        Raises:
            LoadError: one of their modules is not the plain one of its architecture.
        """
        self._reads_neurons = True
        self.forget()

    def forget(self) -> None:
        """Drop cached values of weights, and check the modules again.

        Raises:
            LoadError: the modules were changed in a way that cannot be traced.
        """
        self._use_eager_attention()
        self._find_modules()
        self._attention_weights.clear()
        for cached in ("linear_maps", "mean_unembedding"):
            vars(self).pop(cached, None)
        self._revision += 1

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return len(self.blocks)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.unembedding.weight.shape[1])

    @property
    def vocabulary_size(self) -> int:
        """Number of logits."""
        return int(self.unembedding.weight.shape[0])

    @property
    def n_embeddings(self) -> int:
        """Number of rows of the embedding; usually equal to the number of logits."""
        embedding = cast(nn.Embedding, self.network.get_input_embeddings())
        return int(embedding.weight.shape[0])

    @property
    def context_length(self) -> int:
        """Most tokens of a prompt."""
        return int(self._config.max_position_embeddings)

    @property
    def device(self) -> torch.device:
        """Device of the unembedding; layers may be on others."""
        return self.unembedding.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return self.unembedding.weight.dtype

    @property
    def final_device(self) -> torch.device:
        """Device of the final norm; that of the last layer where the norm has no weight."""
        return next((each.device for each in self.final_norm.parameters()), self.blocks[-1].device)

    def layer_device(self, layer: int) -> torch.device:
        """Return the device of a layer; a model loaded with a `device_map` is spread over several devices."""
        return self.blocks[layer].device

    def check_sites(self, input_site: str, output_site: str) -> None:
        """Check that features can read and write at these sites of this model.

        Raises:
            LoadError: no such site, or this architecture does not have it.
        """
        for site, known in ((input_site, INPUT_SITES), (output_site, OUTPUT_SITES)):
            if site not in known:
                raise LoadError(f"{site!r} is not a site of a model; expected {' or '.join(known)}.")
        if self.parallel and input_site == "residual_mid":
            raise LoadError(
                f"{self.name}: its MLPs run beside attention, so there is no residual stream between the two for "
                "features to read (residual_mid); use transcoders that read mlp_input or mlp_norm."
            )

    def prompt_arguments(self, token_ids: Sequence[int]) -> dict[str, Tensor]:
        """Return the arguments for a run of the network, or of its body, on a prompt without padding."""
        ids = torch.tensor([token_ids], dtype=torch.long, device=module_device(self.network.get_input_embeddings()))
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def unembed(self, normed: Float[Tensor, "*n d_model"]) -> Float[Tensor, "*n vocabulary"]:
        """Return the logits of a change of the residual stream after the final norm, in float32: without a bias.

        The logit scale is applied, the softcap is not: see `capped`.
        """
        normed = normed.to(self.device)
        with inference():
            pieces = torch.split(self.unembedding.weight, UNEMBEDDING_ROWS)
            logits = torch.cat([linear(normed, rows.float()) for rows in pieces], dim=-1)
            return logits if self.logit_scale == 1 else self.logit_scale * logits

    def direct_logits(
        self, written: Float[Tensor, "*n d_model"], layer: int, output_site: str
    ) -> Float[Tensor, "*n vocabulary"]:
        """Return the change of logits, less its mean, due to what is written at a site of a layer, past all later layers.

        Norms do not divide, and the softcap is not applied: an edge to a logit is this times a positive number.
        """
        after_mlp = self.blocks[layer].mlp_post_norm if output_site == "mlp_output" else None
        for norm, device in ((after_mlp, self.layer_device(layer)), (self.final_norm, self.final_device)):
            written = linear_norm(norm, self.sites.norm).apply(written.to(device)[None])[0]
        written = written.to(self.device)
        return self.unembed(written) - (written @ self.mean_unembedding)[..., None]

    def capped(self, logits: Float[Tensor, "*n vocabulary"]) -> Float[Tensor, "*n vocabulary"]:
        """Return logits with the model's softcap, where it has one."""
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)

    def uncapped_logits(self, residual: Float[Tensor, "n d_model"]) -> Float[Tensor, "n vocabulary"]:
        """Return the logits of a residual stream after the last layer, before any softcap, in float32."""
        return self.logits_of(self.normed(residual))

    def normed(self, residual: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_model"]:
        """Return a residual stream after the final norm, in the model's dtype and on the device of the unembedding."""
        normed: Tensor = self.final_norm(residual)
        return normed.to(self.device)

    def logits_of(self, normed: Float[Tensor, "*n d_model"]) -> Float[Tensor, "*n vocabulary"]:
        """Return the logits of a residual stream after the final norm, before any softcap, in float32."""
        logits: Tensor = self.unembedding(normed)
        return logits.float() if self.logit_scale == 1 else self.logit_scale * logits.float()

    def unembedding_row(self, token: int) -> Float[Tensor, " d_model"]:
        """Return the gradient of a token's logit, before any softcap, after the final norm, in float32.

        It is the token's row of the unembedding, times the logit scale.
        """
        return self.logit_scale * self.unembedding.weight[token].detach().float()

    def unembedding_bias(self, token: int) -> float:
        """Return what the bias of the unembedding adds to a token's logit, before any softcap; 0 where it has none."""
        return 0.0 if self.unembedding.bias is None else self.logit_scale * float(self.unembedding.bias[token])

    def attention_weights(self, layer: int) -> AttentionWeights:
        """Return W_V and W_O of a layer's attention; cached until `refresh` finds that weights have changed."""
        cached = self._attention_weights.get(layer)
        if cached is None:
            with inference():
                cached = attention_weights(self.blocks[layer], self.heads, self.sites.norm, self.residual_multiplier)
            self._attention_weights[layer] = cached
        return cached

    @cached_property
    def linear_maps(self) -> tuple[nn.Linear, ...]:
        """The linear maps of the model, for `fast_products`; cached until `refresh` finds that modules have changed."""
        return linear_maps(self.network)

    @cached_property
    def mean_unembedding(self) -> Float[Tensor, " d_model"]:
        """Mean of `unembedding_row` over all tokens."""
        with inference():
            return self.logit_scale * self.unembedding.weight.mean(0, dtype=torch.float32)


def versions() -> dict[str, str]:
    """Return the versions of the packages that a run depends on."""
    return {
        "circuit_widget": circuit_widget.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }

"""A plain transformers causal language model, seen through the sites of its architecture."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import torch
import transformers
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

import circuit_widget
from circuit_widget.errors import LoadError
from circuit_widget.model.block import (
    AttentionWeights,
    Heads,
    attention_weights,
    find_block,
    find_module,
    module_device,
    projection_weight,
)
from circuit_widget.model.norm import norm_weight
from circuit_widget.model.preparing import evaluating, reading_network, without_progress_bar
from circuit_widget.model.sites import INPUT_SITES, OUTPUT_SITES, sites_of
from circuit_widget.products import linear, linear_maps
from circuit_widget.system.plain_torch import inference

if TYPE_CHECKING:
    from circuit_widget.model.prompt import Tokenizer

Network: TypeAlias = PreTrainedModel
"""A loaded transformers model."""

UNEMBEDDED_AT_ONCE = 16_384
"""Rows of the unembedding taken to float32 together: a large vocabulary would not fit twice."""


class LanguageModel:
    """A causal language model with its tokenizer, in evaluation mode and with eager attention (patterns can be read).

    Attributes:
        network: the model itself.
        sites: the row of its architecture.
        body: the text model without its unembedding.
        blocks: the modules of each layer.
        positions: learned position embeddings, or None.
        final_norm, unembedding: the modules at the end.
        heads: shape of the attention.
        softcap: the cap on logits, or None.
        parallel: whether MLPs read the residual stream from before attention.
    """

    def __init__(self, network: PreTrainedModel, tokenizer: Tokenizer, name: str) -> None:
        sites = sites_of(str(network.config.model_type))
        evaluating(network).keep()
        self.network = network
        self.tokenizer = tokenizer
        self.name = name
        self.sites = sites
        self.body = find_module(network, sites.body)
        layers = cast(nn.ModuleList, find_module(self.body, sites.blocks))
        self.blocks = tuple(find_block(block, sites) for block in layers)
        self.positions = None if sites.positions is None else find_module(self.body, sites.positions)
        self.final_norm = find_module(self.body, sites.final_norm)
        self.unembedding = cast(nn.Linear, network.get_output_embeddings())
        self._check_weights()
        config = self._config
        n_heads = int(config.num_attention_heads)
        self.heads = Heads(
            n=n_heads,
            n_value=int(getattr(config, "num_key_value_heads", None) or n_heads),
            width=projection_weight(self.blocks[0].output).shape[0] // n_heads,
            layout=sites.value_layout,
        )
        self.softcap: float | None = None if sites.softcap is None else getattr(config, sites.softcap)
        self.parallel = sites.parallel is not None and bool(getattr(config, sites.parallel))
        self._attention_weights: dict[int, AttentionWeights] = {}

    @property
    def _config(self) -> Any:
        return self.network.config.get_text_config()

    def _check_weights(self) -> None:
        if self.unembedding is None:
            raise LoadError(
                f"{self.name}: {type(self.network).__name__} has no unembedding, so it gives no logits; "
                "load it with AutoModelForCausalLM."
            )
        for name, parameter in self.network.named_parameters():
            if parameter.device.type == "meta":
                raise LoadError(
                    f"{self.name}: tensor {name!r} is offloaded to the CPU or to disk; "
                    "give a device_map that keeps every layer on a device, or load the model on the CPU."
                )
        read = [module for block in self.blocks for module in (block.value, block.output)]
        for module in (*read, self.unembedding):
            weight = cast(Tensor, module.weight)
            if not weight.is_floating_point():
                raise LoadError(
                    f"{self.name}: weights of its attention or unembedding are quantised ({weight.dtype}); "
                    "load the model in bfloat16 or float32."
                )

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
    def context_length(self) -> int:
        """Number of tokens the model was made for."""
        return int(self._config.max_position_embeddings)

    @property
    def device(self) -> torch.device:
        """Where the unembedding is; layers may be elsewhere."""
        return self.unembedding.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return self.unembedding.weight.dtype

    def layer_device(self, layer: int) -> torch.device:
        """Return where a layer computes; a model loaded with a `device_map` is spread over several devices."""
        return self.blocks[layer].device

    def check_sites(self, input_site: str, output_site: str) -> None:
        """Check that features can read and write at these sites of this model.

        Raises:
            LoadError: no such site, or this architecture does not have it.
        """
        for site, known in ((input_site, INPUT_SITES), (output_site, OUTPUT_SITES)):
            if site not in known:
                raise LoadError(f"{site!r} is no site of a model; expected {' or '.join(known)}.")
        if self.parallel and input_site == "residual_mid":
            raise LoadError(
                f"{self.name}: its MLPs run beside attention, so there is no residual stream between the two for "
                "features to read (residual_mid); use transcoders that read mlp_input or mlp_norm."
            )

    def prompt_arguments(self, token_ids: Sequence[int]) -> dict[str, Tensor]:
        """Return the arguments by which the network, or its body, is given a prompt without padding."""
        ids = torch.tensor([token_ids], dtype=torch.long, device=module_device(self.network.get_input_embeddings()))
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def unembed(self, normed: Float[Tensor, "*n d_model"]) -> Float[Tensor, "*n vocabulary"]:
        """Return the product of a normed residual stream, or a change of it, with the unembedding, in float32.

        The cap on logits is not applied: see `capped`.
        """
        normed = normed.to(self.device)
        with inference():
            pieces = torch.split(self.unembedding.weight, UNEMBEDDED_AT_ONCE)
            return torch.cat([linear(normed, rows.float()) for rows in pieces], dim=-1)

    def capped(self, logits: Float[Tensor, "*n vocabulary"]) -> Float[Tensor, "*n vocabulary"]:
        """Return logits as the model gives them: through its softcap, where it has one."""
        return logits if self.softcap is None else self.softcap * torch.tanh(logits / self.softcap)

    def uncapped_logits(self, residual: Float[Tensor, "n d_model"]) -> Float[Tensor, "n vocabulary"]:
        """Return the logits of a residual stream after the last layer, before any cap, in float32."""
        return self.logits_of(self.normed(residual))

    def normed(self, residual: Float[Tensor, "n d_model"]) -> Float[Tensor, "n d_model"]:
        """Return the residual stream after the last layer as the unembedding reads it, in the model's dtype."""
        normed: Tensor = self.final_norm(residual)
        return normed.to(self.device)

    def logits_of(self, normed: Float[Tensor, "n d_model"]) -> Float[Tensor, "n vocabulary"]:
        """Return the logits of a normed residual stream, before any cap, in float32."""
        logits: Tensor = self.unembedding(normed)
        return logits.float()

    def attention_weights(self, layer: int) -> AttentionWeights:
        """Return the linear part of a layer's attention; weights are read once and taken as unchanged from then on."""
        if layer not in self._attention_weights:
            with inference():
                self._attention_weights[layer] = attention_weights(self.blocks[layer], self.heads, self.sites.norm)
        return self._attention_weights[layer]

    @cached_property
    def linear_maps(self) -> tuple[nn.Linear, ...]:
        """The plain linear maps of the model, for `fast_products`; found once and taken as unchanged from then on."""
        return linear_maps(self.network)

    @cached_property
    def final_norm_weight(self) -> Float[Tensor, " d_model"]:
        """What the final norm multiplies by, in float32, where the unembedding is."""
        return norm_weight(self.final_norm, self.sites.norm).to(self.device)

    @cached_property
    def mean_unembedding(self) -> Float[Tensor, " d_model"]:
        """Mean row of the unembedding, in float32."""
        with inference():
            return self.unembedding.weight.mean(0, dtype=torch.float32)


def load_language_model(
    model: str | os.PathLike[str] | PreTrainedModel,
    *,
    tokenizer: Tokenizer | None,
    device: torch.device,
    dtype: torch.dtype,
    name: str | None = None,
) -> LanguageModel:
    """Load a model from a local directory or by its hub id from the local cache, or take a loaded one.

    Only safetensors are read, no remote code is run, and nothing is downloaded.

    A loaded model keeps its device and dtype; its attention implementation is set to eager.

    Raises:
        LoadError: the model or its tokenizer cannot be read, or its architecture is not supported.
    """
    if isinstance(model, PreTrainedModel):
        if tokenizer is None:
            raise LoadError("A loaded model was given without its tokenizer; pass tokenizer= as well.")
        return LanguageModel(model, tokenizer, Path(str(model.config.name_or_path or model.config.model_type)).name)
    source = str(model)
    found = Path(source).is_dir()
    if found and not (Path(source) / "config.json").is_file():
        raise LoadError(f"{Path(source) / 'config.json'}: the file is missing; {source} is not a model directory.")
    here: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    try:
        config = transformers.AutoConfig.from_pretrained(source, **here)
        sites_of(str(config.model_type))
        tokenizer = tokenizer or AutoTokenizer.from_pretrained(source, **here)
        reading_network().keep()
        with without_progress_bar():
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                source,
                dtype=dtype,
                use_safetensors=True,
                **here,
                attn_implementation="eager",
                output_loading_info=True,
            )
    except LoadError:
        raise
    except Exception as error:
        where = (
            "the files in this directory could not be read"
            if found
            else f"it is no directory, and as a hub id it could not be read from the local cache; try: hf download {source}"
        )
        raise LoadError(f"The model {source!r}: {where} ({_first_line(error)}).") from error
    network, report = loaded
    missing = sorted(report["missing_keys"])
    if missing:
        raise LoadError(
            f"{source}: tensor {missing[0]!r} is missing ({len(missing)} in all); get the whole checkpoint."
        )
    return LanguageModel(network.to(device), tokenizer, name or (Path(source).name if found else source))


def versions() -> dict[str, str]:
    """Return the versions of what a run depends on."""
    return {
        "circuit_widget": circuit_widget.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def choose_device(device: str | torch.device | None) -> torch.device:
    """Return the device asked for, by default CUDA, else MPS, else CPU.

    Raises:
        LoadError: the device does not exist on this machine.
    """
    if device is None:
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, dtype=torch.float32, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise LoadError(f"The device {str(device)!r} cannot be used here ({_first_line(error)}).") from error
    return chosen


def choose_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """Return the dtype asked for, by default bfloat16 on CUDA and float32 elsewhere.

    Raises:
        LoadError: not the name of a floating point type.
    """
    if dtype is None:
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    chosen = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(chosen, torch.dtype) or not chosen.is_floating_point:
        raise LoadError(f"dtype={dtype!r} is not a floating point type; expected float32, bfloat16 or float16.")
    return chosen


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300] or type(error).__name__

"""A plain transformers causal language model, seen through the sites of its architecture."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from circuit_widget.model.sites import Sites, sites_of

if TYPE_CHECKING:
    from circuit_widget.model.prompt import Tokenizer

Network: TypeAlias = PreTrainedModel
"""A loaded transformers model."""

UNEMBEDDED_AT_ONCE = 16_384
"""Rows of the unembedding taken to float32 together: a large vocabulary would not fit twice."""


@dataclass(frozen=True, eq=False)
class Block:
    """The modules of one layer."""

    whole: nn.Module
    attention_norm: nn.Module
    attention: nn.Module
    value: nn.Linear
    output: nn.Linear
    mlp_norm: nn.Module
    mlp: nn.Module


@dataclass(frozen=True, eq=False)
class AttentionWeights:
    """Value and output projections of one layer in float32; the weight of the norm before them is folded into `value`."""

    value: Float[Tensor, "value_heads head_width d_model"]
    output: Float[Tensor, "d_model heads head_width"]


class LanguageModel:
    """A causal language model with its tokenizer, in evaluation mode and with eager attention (patterns can be read).

    Attributes:
        network: the model itself.
        blocks: the modules of each layer.
        embedding, final_norm, unembedding: the modules at both ends.
        n_heads, n_value_heads, head_width: shape of the attention.
    """

    def __init__(self, network: PreTrainedModel, tokenizer: Tokenizer, name: str) -> None:
        sites = sites_of(str(network.config.model_type))
        network.train(False)
        network.set_attn_implementation("eager")
        self.network = network
        self.tokenizer = tokenizer
        self.name = name
        self.embedding = _module(network, sites.embedding)
        self.final_norm = _module(network, sites.final_norm)
        self.unembedding = cast(nn.Linear, _module(network, sites.unembedding))
        self.blocks = tuple(_block(block, sites) for block in cast(nn.ModuleList, _module(network, sites.blocks)))
        config = network.config
        self.n_heads = int(config.num_attention_heads)
        self.n_value_heads = int(getattr(config, "num_key_value_heads", None) or self.n_heads)
        self._attention_weights: dict[int, AttentionWeights] = {}
        self.head_width = self.blocks[0].output.weight.shape[1] // self.n_heads

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
        return int(self.network.config.max_position_embeddings)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.unembedding.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return self.unembedding.weight.dtype

    def unembed(self, normed: Float[Tensor, " d_model"]) -> Float[Tensor, " vocabulary"]:
        """Return the product of a normed residual stream, or a change of it, with the unembedding, in float32."""
        with torch.inference_mode():
            return torch.cat(
                [rows.float() @ normed for rows in torch.split(self.unembedding.weight, UNEMBEDDED_AT_ONCE)]
            )

    def attention_weights(self, layer: int) -> AttentionWeights:
        """Return the linear part of a layer's attention; weights are read once and taken as unchanged from then on."""
        if layer not in self._attention_weights:
            block = self.blocks[layer]
            with torch.inference_mode():
                value = block.value.weight.float() * norm_weight(block.attention_norm)
                self._attention_weights[layer] = AttentionWeights(
                    value=value.reshape(self.n_value_heads, self.head_width, self.d_model),
                    output=block.output.weight.float().reshape(self.d_model, self.n_heads, self.head_width),
                )
        return self._attention_weights[layer]

    @cached_property
    def final_norm_weight(self) -> Float[Tensor, " d_model"]:
        """Weight of the final norm, in float32."""
        return norm_weight(self.final_norm)

    @cached_property
    def mean_unembedding(self) -> Float[Tensor, " d_model"]:
        """Mean row of the unembedding, in float32."""
        with torch.inference_mode():
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
        with _no_progress_bar():
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


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    logging: Any = transformers.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


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
        torch.empty(0, device=chosen)
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


def _module(root: nn.Module, path: str) -> nn.Module:
    try:
        return root.get_submodule(path)
    except AttributeError as error:
        raise LoadError(
            f"{type(root).__name__} has no module {path!r}, expected by circuit_widget/model/sites.py."
        ) from error


def norm_weight(norm: nn.Module) -> Float[Tensor, " d_model"]:
    """Return the weight of a norm in float32, outside autograd."""
    return cast(Tensor, norm.weight).detach().float()


def _block(block: nn.Module, sites: Sites) -> Block:
    attention = _module(block, sites.attention)
    return Block(
        whole=block,
        attention_norm=_module(block, sites.attention_norm),
        attention=attention,
        value=cast(nn.Linear, _module(attention, sites.value)),
        output=cast(nn.Linear, _module(attention, sites.output)),
        mlp_norm=_module(block, sites.mlp_norm),
        mlp=_module(block, sites.mlp),
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300] or type(error).__name__

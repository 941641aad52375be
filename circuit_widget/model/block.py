"""The modules of one layer, and the shape of its attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from circuit_widget.errors import LoadError
from circuit_widget.model.architectures import NormKind, Sites, ValueLayout
from circuit_widget.model.norm import linear_norm, norm_bias


@dataclass(frozen=True, eq=False)
class Modules:
    """The modules of a network, found by the row of its architecture in `sites.py`.

    `body` is the text model without its unembedding. `positions` are learned position embeddings, None for rotary ones.
    """

    network: nn.Module
    body: nn.Module
    blocks: tuple[Block, ...]
    positions: nn.Module | None
    final_norm: nn.Module
    embedding: nn.Module
    unembedding: nn.Linear


@dataclass(frozen=True, eq=False)
class Block:
    """The modules of one layer; norms are None where the architecture has none.

    `mlp` is given the MLP's input and `mlp_end` gives its output. They are one module, unless the layer has none for the
    whole MLP.
    """

    whole: nn.Module
    attention_norm: nn.Module | None
    attention: nn.Module
    value: nn.Module
    output: nn.Module
    attention_post_norm: nn.Module | None
    mlp_norm: nn.Module | None
    mlp: nn.Module
    mlp_end: nn.Module
    mlp_post_norm: nn.Module | None

    @property
    def device(self) -> torch.device:
        """Device of the layer."""
        return module_device(self.value)

    @property
    def mlp_modules(self) -> tuple[nn.Module, ...]:
        """The MLP, or its first and its last module."""
        return (self.mlp,) if self.mlp_end is self.mlp else (self.mlp, self.mlp_end)

    @property
    def mlp_owner(self) -> nn.Module:
        """The module that has the parts of the MLP: the MLP itself, or the layer."""
        return self.mlp if self.mlp_end is self.mlp else self.whole

    def writer(self, output_site: str) -> nn.Module:
        """Return the module whose output is at an output site."""
        return self.mlp_post_norm if output_site == "mlp_update" and self.mlp_post_norm is not None else self.mlp_end


@dataclass(frozen=True)
class Heads:
    """Shape of the attention: number of heads, number of value heads that groups of heads share, and their width."""

    n: int
    n_value: int
    width: int
    layout: ValueLayout

    @property
    def group(self) -> int:
        """Number of heads that share a value head."""
        return self.n // self.n_value

    def values(self, projected: Float[Tensor, "*rows columns"]) -> Float[Tensor, "*rows value_heads head_width"]:
        """Return the values in the output of their projection, or in the columns of its weight."""
        if self.layout is ValueLayout.LAST_OF_EACH_HEAD:
            return projected.reshape(*projected.shape[:-1], self.n_value, 3, self.width)[..., 2, :]
        return projected[..., -self.n_value * self.width :].reshape(*projected.shape[:-1], self.n_value, self.width)


def find_heads(name: str, blocks: Sequence[Block], n_heads: int, layout: ValueLayout) -> Heads:
    """Return the shape of the attention of `n_heads` heads, read from the projections of all layers; `name` is the model's.

    A projection whose output is values alone has a value head for each head or for a group of heads. One with queries and
    keys as well has `n_heads` queries beside them. The configuration is not read for it: it can have entries that the
    architecture ignores.

    Raises:
        LoadError: names the first layer whose projections do not have such a shape.
    """
    shapes = [(projection_weight(block.value).shape[1], projection_weight(block.output).shape[0]) for block in blocks]
    for layer, (columns, inputs) in enumerate(shapes):
        if shapes[layer] != shapes[0] or not _fits_heads(columns, inputs, n_heads, layout):
            raise LoadError(
                f"{name}: the attention of layer {layer} does not fit {n_heads} heads in each layer: its projections give "
                f"{columns} numbers and read {inputs}. Check the number of heads in the configuration, and that these weights "
                "belong to it."
            )
    columns, inputs = shapes[0]
    width = inputs // n_heads
    return Heads(n_heads, _n_value(columns // width, n_heads), width, layout)


def _n_value(n_projected: int, n_heads: int) -> int:
    """Return the number of value heads where as many heads are projected together: values, or queries and keys as well."""
    return n_projected if n_projected <= n_heads else (n_projected - n_heads) // 2


def _fits_heads(columns: int, inputs: int, n_heads: int, layout: ValueLayout) -> bool:
    width = inputs // n_heads
    if width == 0 or inputs % n_heads or columns % width:
        return False
    n_projected = columns // width
    if layout is ValueLayout.LAST_OF_EACH_HEAD:
        return n_projected == 3 * n_heads
    n_value = _n_value(n_projected, n_heads)
    whole = n_projected in (n_value, n_heads + 2 * n_value)
    return whole and n_value > 0 and n_heads % n_value == 0


@dataclass(frozen=True, eq=False)
class AttentionWeights:
    """W_V and W_O of one layer's attention, in float32, with the norms around it folded in.

    Weight and centring of the norm before attention are folded into `value`, those of a norm after it into `output`, and
    the residual multiplier into `output` and `output_bias`. `value_bias` and `output_bias` are the biases of norms and
    projections: attention multiplies the first by the row sums of its pattern; the second is added before the norm after
    attention divides.
    """

    value: Float[Tensor, "value_heads head_width d_model"]
    output: Float[Tensor, "d_model heads head_width"]
    value_bias: Float[Tensor, "value_heads head_width"]
    output_bias: Float[Tensor, " d_model"]


def find_modules(network: Any, sites: Sites) -> Modules:
    """Return the modules of a network.

    Raises:
        LoadError: the network has no such module, or no unembedding.
    """
    unembedding = network.get_output_embeddings()
    if unembedding is None:
        raise LoadError(
            f"{type(network).__name__} has no unembedding, so it gives no logits; load it with AutoModelForCausalLM."
        )
    body = find_module(network, sites.body)
    layers = cast(nn.ModuleList, find_module(body, sites.blocks))
    if len(layers) == 0:
        raise LoadError(f"{type(network).__name__} has no layers; expected at least one.")
    return Modules(
        network=network,
        body=body,
        blocks=tuple(find_block(block, sites) for block in layers),
        positions=None if sites.positions is None else find_module(body, sites.positions),
        final_norm=find_module(body, sites.final_norm),
        embedding=network.get_input_embeddings(),
        unembedding=unembedding,
    )


def find_block(block: nn.Module, sites: Sites) -> Block:
    """Return the modules of a layer.

    Raises:
        LoadError: the layer has no such module.
    """
    attention = find_module(block, sites.attention)

    def norm(path: str | None) -> nn.Module | None:
        return None if path is None else find_module(block, path)

    old = sites.mlp_before_5
    mlp = old if old is not None and hasattr(block, old) else sites.mlp

    return Block(
        whole=block,
        attention_norm=norm(sites.attention_norm),
        attention=attention,
        value=find_module(attention, sites.value),
        output=find_module(attention, sites.output),
        attention_post_norm=norm(sites.attention_post_norm),
        mlp_norm=norm(sites.mlp_norm),
        mlp=find_module(block, mlp),
        mlp_end=find_module(block, sites.mlp_end or mlp),
        mlp_post_norm=norm(sites.mlp_post_norm),
    )


def find_module(root: nn.Module, path: str) -> nn.Module:
    """Return the module at a dotted path.

    Raises:
        LoadError: there is none.
    """
    try:
        return root.get_submodule(path)
    except AttributeError as error:
        cls = type(root)
        if not cls.__module__.startswith("transformers."):
            raise LoadError(
                f"A {cls.__module__}.{cls.__qualname__}, found in place of a module of transformers, has no module "
                f"{path!r}. Merge an adapter into the weights (merge_and_unload() in PEFT), take a wrapper off, and load "
                "quantised weights in bfloat16 or float32."
            ) from error
        raise LoadError(
            f"{cls.__name__} has no module {path!r}, expected by circuit_widget/model/architectures.py."
        ) from error


def module_device(module: nn.Module) -> torch.device:
    """Return the device of a module's first parameter."""
    return next(module.parameters()).device


def projection_weight(projection: nn.Module) -> Float[Tensor, "inputs outputs"]:
    """Return the weight of a linear map, outside autograd; rows are inputs."""
    weight = cast(Tensor, projection.weight).detach()
    return weight if isinstance(projection, Conv1D) else weight.T


def attention_weights(block: Block, heads: Heads, kind: NormKind, residual_multiplier: float = 1.0) -> AttentionWeights:
    """Return the linear part of a layer's attention."""
    norm = linear_norm(block.attention_norm, kind)
    weight = heads.values(projection_weight(block.value)).float()
    value = norm.transposed(weight.flatten(1).T, 0)
    value_bias = heads.values(_bias(block.value))
    before = norm_bias(block.attention_norm)
    if before is not None:
        value_bias = value_bias + torch.einsum("dvw,d->vw", weight, before)
    output, output_bias = projection_weight(block.output).float(), _bias(block.output)
    if block.attention_post_norm is not None:
        after = linear_norm(block.attention_post_norm, kind)
        output, output_bias = after.apply(output), after.apply(output_bias[None])[0]
    return AttentionWeights(
        value=value.reshape(heads.n_value, heads.width, -1).contiguous(),
        output=residual_multiplier * output.T.reshape(-1, heads.n, heads.width).contiguous(),
        value_bias=value_bias,
        output_bias=residual_multiplier * output_bias,
    )


def _bias(projection: nn.Module) -> Float[Tensor, " outputs"]:
    bias: Any = getattr(projection, "bias", None)
    weight = projection_weight(projection)
    return weight.new_zeros(weight.shape[1]).float() if bias is None else cast(Tensor, bias).detach().float()

"""The capture: one forward pass of the model on a prompt, with all activations that tracing and re-runs need."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import DynamicCache

from circuit_widget.errors import Cancelled, LoadError, PromptError
from circuit_widget.model.architectures import NormKind
from circuit_widget.model.block import Block
from circuit_widget.model.frozen import FrozenLayer, FrozenModel, FrozenNorm
from circuit_widget.model.hooks import Hooks
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.norm import frozen_norm, norm_scale
from circuit_widget.progress import IsCancelled
from circuit_widget.system.linear_backend import fast_products
from circuit_widget.system.plain_torch import inference


@dataclass(frozen=True, eq=False)
class LayerCapture:
    """The activations of one layer on one prompt.

    `residual` is the residual stream that enters the layer. It, `keys`, `values` and `pattern` have the model's dtype, the
    rest is float32. `mlp_input` is the input of features and `mlp_output` what they reconstruct, at the sites of the
    capture; `reading` maps the residual stream to the first, `writing` the second back to it. `arguments` are the
    arguments of the block other than residual stream and cache (masks, rotary tables), by name; `cache_argument` is the
    name of the cache's.
    """

    residual: Float[Tensor, "positions d_model"]
    arguments: Mapping[str, Any]
    cache_argument: str
    keys: Float[Tensor, "batch value_heads positions key_width"]
    values: Float[Tensor, "batch value_heads positions head_width"]
    pattern: Float[Tensor, "heads queries keys"]
    attention_scale: Float[Tensor, " positions"]
    attention_output_scale: Float[Tensor, " positions"] | None
    reading: FrozenNorm
    writing: FrozenNorm
    mlp_input: Float[Tensor, "positions d_model"]
    mlp_output: Float[Tensor, "positions d_model"]


@dataclass(frozen=True, eq=False)
class Capture:
    """A forward pass on one prompt: the activations of all layers, and the logits at one position (float32).

    `embedding` is the residual stream that enters the first layer, without learned position embeddings.
    `uncapped_logits` are the logits before the model's softcap.
    """

    token_ids: tuple[int, ...]
    position: int
    input_site: str
    output_site: str
    embedding: Float[Tensor, "positions d_model"]
    layers: tuple[LayerCapture, ...]
    final_residual: Float[Tensor, "positions d_model"]
    uncapped_logits: Float[Tensor, " vocabulary"]
    logits: Float[Tensor, " vocabulary"]

    @property
    def n_positions(self) -> int:
        """Number of tokens, BOS included."""
        return len(self.token_ids)


class _RecordingCache(DynamicCache):
    """A cache for one forward pass: it records the keys and values of each layer."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded: dict[int, tuple[Tensor, Tensor]] = {}

    def update(self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any) -> Any:
        self.recorded[layer_idx] = (key_states, value_states)
        return key_states, value_states


@dataclass
class _RecordedLayer:
    """The parts of a LayerCapture, which hooks fill in during the forward pass."""

    kind: NormKind
    parts: dict[str, Any] = field(default_factory=dict)

    def set_hooks(self, hooks: Hooks, block: Block, cache: object, input_site: str, output_site: str) -> None:
        """Set the hooks that record the activations of `block`."""
        self.parts |= {"attention_output_scale": None, "writing": FrozenNorm()}
        hooks.before(block.whole, lambda args, kwargs: self._whole(block, cache, args, kwargs))
        if "output_attentions" in inspect.signature(type(block.attention).forward).parameters:
            hooks.add_argument(
                block.attention, "output_attentions", True
            )  # else some of transformers 4 give no pattern
        hooks.after(block.attention, lambda _, output: self.parts.update(pattern=output[1][0]))
        norm = block.mlp_norm
        hooks.before(norm or block.mlp, lambda args, _: self._mlp_norm(norm, input_site, in_batch(args[0], 1)[0]))
        hook_input_site(hooks, block, self.kind, input_site, lambda x: self.parts.update(mlp_input=x[0]), batch=1)
        hooks.after(
            block.writer(output_site),
            lambda _, output: self.parts.update(mlp_output=in_batch(first(output), 1)[0].float()),
        )
        if block.attention_post_norm is not None:
            hooks.before(block.attention_post_norm, lambda args, _: self._attention_output(block, args[0][0]))
        if block.mlp_post_norm is not None and output_site == "mlp_output":
            hooks.before(block.mlp_post_norm, lambda args, _: self._mlp_post_norm(block, args[0][0]))

    def _whole(self, block: Block, cache: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        arguments = named_arguments(block.whole, args, kwargs)
        residual = next(iter(arguments.values()))[0].to(block.device)
        rest = dict(list(arguments.items())[1:])
        name = next((name for name, value in rest.items() if value is cache), None)
        if name is None:
            raise LoadError(
                f"{type(block.whole).__name__} is not given the cache of keys and values; expected it to be."
            )
        del rest[name]
        self.parts["residual"] = residual
        self.parts["attention_scale"] = norm_scale(block.attention_norm, self.kind, residual)
        self.parts["arguments"] = rest
        self.parts["cache_argument"] = name

    def _mlp_norm(self, norm: nn.Module | None, input_site: str, x: Float[Tensor, "positions d_model"]) -> None:
        frozen = frozen_norm(norm, self.kind, x)
        norms = {
            "mlp_input": frozen,
            "mlp_norm": FrozenNorm(scale=frozen.scale, centred=frozen.centred),
            "residual_mid": FrozenNorm(),
        }
        self.parts["reading"] = norms[input_site]

    def _attention_output(self, block: Block, x: Float[Tensor, "positions d_model"]) -> None:
        assert block.attention_post_norm is not None
        self.parts["attention_output_scale"] = norm_scale(block.attention_post_norm, self.kind, x)

    def _mlp_post_norm(self, block: Block, x: Float[Tensor, "positions d_model"]) -> None:
        assert block.mlp_post_norm is not None
        self.parts["writing"] = frozen_norm(block.mlp_post_norm, self.kind, x)


def hook_input_site(
    hooks: Hooks,
    block: Block,
    kind: NormKind,
    input_site: str,
    receive: Callable[[Float[Tensor, "batch positions d_model"]], None],
    *,
    batch: int,
) -> None:
    """Call `receive` with the values at an input site of a block, in float32, whenever the block runs on such a batch."""
    norm = block.mlp_norm
    if input_site == "mlp_input" or norm is None:
        hooks.before(block.mlp, lambda args, _: receive(in_batch(args[0], batch).float()))
        return

    def before_norm(args: tuple[Any, ...], _: dict[str, Any]) -> None:
        x = in_batch(args[0], batch).float()
        if input_site == "mlp_norm":
            rows = x.flatten(0, 1)
            x = FrozenNorm(norm_scale(norm, kind, rows), centred=kind.centred).apply(rows).view_as(x)
        receive(x)

    hooks.before(norm, before_norm)


def in_batch(x: Float[Tensor, "*rows d_model"], batch: int) -> Float[Tensor, "batch positions d_model"]:
    """Return what a module in a block is given or gives, by positions of a batch; some blocks pass all in one sequence."""
    return x if x.ndim == 3 else x.reshape(batch, -1, x.shape[-1])


def first(output: Any) -> Any:
    """Return the output of a module, or the first of several outputs."""
    return output[0] if isinstance(output, tuple) else output


def named_arguments(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return all arguments of a call of `module` by name, in order."""
    bound = inspect.signature(type(module).forward).bind(module, *args, **kwargs)
    named: dict[str, Any] = {}
    for name, value in list(bound.arguments.items())[1:]:
        if bound.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            named |= value
        else:
            named[name] = value
    return named


def capture(
    model: LanguageModel,
    token_ids: tuple[int, ...],
    position: int,
    *,
    input_site: str = "mlp_input",
    output_site: str = "mlp_output",
    cancelled: IsCancelled | None = None,
) -> Capture:
    """Run the model once on a prompt and capture the activations for its frozen model and its re-runs.

    Features read at `input_site` and write at `output_site`, two of those in `circuit_widget.model.architectures`.

    Raises:
        LoadError: the model does not have these sites.
        PromptError: the model's logits are not finite.
        Cancelled: `cancelled()` became true between two layers.
    """
    model.check_sites(input_site, output_site)
    recorded = [_RecordedLayer(model.sites.norm) for _ in model.blocks]
    recorded_ends: dict[str, Tensor] = {}
    cache = _RecordingCache()

    def check_cancelled(_: tuple[Any, ...], __: dict[str, Any]) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled("The run was cancelled.")

    with inference(), fast_products(model.linear_maps):
        with Hooks() as hooks:
            for record, block in zip(recorded, model.blocks, strict=True):
                hooks.before(block.whole, check_cancelled)
                record.set_hooks(hooks, block, cache, input_site, output_site)
            if model.positions is not None:
                hooks.after(model.positions, lambda _, output: recorded_ends.update(positions=output.float()))
            hooks.before(model.final_norm, lambda args, _: recorded_ends.update(final=args[0][0]))
            model.body(**model.prompt_arguments(token_ids), past_key_values=cache, use_cache=True)
        uncapped = model.uncapped_logits(recorded_ends["final"][position : position + 1])[0]
    if not bool(torch.isfinite(uncapped).all()):
        raise PromptError("The model's logits for this prompt are not finite; try another dtype, or check its weights.")
    layers = tuple(
        LayerCapture(**_multiplied(record.parts, model), keys=cache.recorded[layer][0], values=cache.recorded[layer][1])
        for layer, record in enumerate(recorded)
    )
    embedding = layers[0].residual.float()
    if "positions" in recorded_ends:
        embedding = embedding - recorded_ends["positions"].reshape(-1, model.d_model).to(embedding.device)
    return Capture(
        token_ids=tuple(token_ids),
        position=position,
        input_site=input_site,
        output_site=output_site,
        embedding=embedding,
        layers=layers,
        final_residual=recorded_ends["final"].to(model.final_device).float(),
        uncapped_logits=uncapped,
        logits=model.capped(uncapped),
    )


def _multiplied(parts: Mapping[str, Any], model: LanguageModel) -> dict[str, Any]:
    """Return the parts of a layer with the model's residual multiplier in `writing`."""
    if model.residual_multiplier == 1:
        return dict(parts)
    writing: FrozenNorm = parts["writing"]
    weight = torch.ones_like(parts["mlp_output"][0]) if writing.weight is None else writing.weight
    return {**parts, "writing": replace(writing, weight=model.residual_multiplier * weight)}


def frozen_layer(model: LanguageModel, captured: LayerCapture, layer: int) -> FrozenLayer:
    """Return one layer with its attention pattern and norm denominators frozen at their captured values."""
    weights = model.attention_weights(layer)
    return FrozenLayer(
        pattern=captured.pattern.float() if captured.pattern.dtype == torch.float64 else captured.pattern,
        value=weights.value,
        output=weights.output,
        attention_scale=captured.attention_scale,
        output_scale=captured.attention_output_scale,
        reading=captured.reading,
        writing=captured.writing,
        parallel=model.parallel,
    )


def freeze(model: LanguageModel, captured: Capture) -> FrozenModel:
    """Return the linear model whose attention patterns and norm denominators are those of a capture."""
    with inference():
        last = captured.final_residual[captured.position : captured.position + 1]
        return FrozenModel(
            layers=tuple(frozen_layer(model, layer, index) for index, layer in enumerate(captured.layers)),
            final=frozen_norm(model.final_norm, model.sites.norm, last),
            position=captured.position,
        )

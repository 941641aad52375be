"""The self check on load: the captured activations of each layer rebuild the model's own activations and logits."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.errors import LoadError, PromptError
from circuit_widget.model.capture import Capture, LayerCapture, capture, freeze
from circuit_widget.model.frozen import FrozenLayer
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.model.norm import norm_bias
from circuit_widget.system.plain_torch import inference

TOLERANCE = 1e-4
LOW_PRECISION_TOLERANCE = 5e-2
N_TOKENS = 5


def check_pieces(model: LanguageModel, *, given: bool = False) -> None:
    """Run a short prompt, and rebuild the output of each layer and the model's logits from the captured activations.

    Differences must be below 1e-4 of the largest number in float32, and 5e-2 in 16-bit dtypes and where products of float32
    matrices may be rounded. In the latter cases logits are rebuilt from the last layer alone, because rounding errors add
    up over layers. `given` is whether the model was given in memory, and not read from files here.

    Raises:
        LoadError: attention rows do not sum to 1 (at most 1 with sinks) or look ahead, a layer or the logits differ,
            weights are not finite, or the model cannot run in its dtype.
    """
    exact = model.dtype.itemsize >= 4 and torch.get_float32_matmul_precision() == "highest"
    tolerance = TOLERANCE if exact else LOW_PRECISION_TOLERANCE
    ids = _some_tokens(model)
    try:
        captured = capture(model, ids, len(ids) - 1)
    except PromptError as error:
        raise LoadError(_not_finite(model, given)) from error
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise LoadError(
            f"{model.name}: the model cannot run a short prompt in {_named(model.dtype)} on {model.device} "
            f"({str(error).strip().splitlines()[0]:.200}); load it in another dtype, or on another device."
        ) from error
    for layer, pieces in enumerate(captured.layers):
        _check_pattern(model, layer, pieces.pattern.float(), tolerance)
    _check_layers(model, captured, tolerance)
    last = captured.final_residual[captured.position]
    rebuilt = rebuild_logits(model, captured) if exact else _logits_of(model, captured, last)
    with inference():
        own = model.network(**model.prompt_arguments(ids)).logits[0, -1].float()
    difference = _difference(rebuilt, own.to(rebuilt.device))
    if not difference <= tolerance:
        raise LoadError(
            f"{model.name}: the captured pieces should rebuild the model's logits within {tolerance:g}, "
            f"found a difference of {difference:.2g}. Its row in circuit_widget/model/architectures.py does not fit it."
        )


def check_neurons(model: LanguageModel, neurons: Neurons) -> None:
    """Check on a short prompt that the neurons of each layer write what its MLP writes.

    Raises:
        LoadError: they do not, within the tolerance of `check_pieces`.
    """
    tolerance = TOLERANCE if model.dtype.itemsize >= 4 else LOW_PRECISION_TOLERANCE
    ids = _some_tokens(model)
    captured = capture(model, ids, len(ids) - 1)
    with inference():
        for layer, pieces in enumerate(captured.layers):
            _, activations = neurons.encode(layer, pieces.mlp_input)
            written = neurons.layer(layer).outputs(activations)
            difference = _difference(written, pieces.mlp_output)
            if not difference <= tolerance:
                raise LoadError(
                    f"{model.name}: the neurons of layer {layer} should write what its MLP writes within {tolerance:g}, "
                    f"found a difference of {difference:.2g}, so they cannot be its features; load it with transcoders."
                )


def rebuild_logits(model: LanguageModel, captured: Capture) -> Float[Tensor, " vocabulary"]:
    """Return the logits rebuilt from embeddings, frozen attention, biases and the captured MLP outputs."""
    frozen = freeze(model, captured)
    with inference():
        residual = captured.layers[0].residual.float()
        for index, (layer, pieces) in enumerate(zip(frozen.layers, captured.layers, strict=True)):
            residual = residual.to(layer.device)
            residual = _after_attention(model, index, layer, residual) + layer.writing.apply(pieces.mlp_output)
    return _logits_of(model, captured, residual[captured.position])


def _some_tokens(model: LanguageModel) -> tuple[int, ...]:
    """Return ids spread over the vocabulary."""
    count = min(N_TOKENS, model.context_length)
    return tuple(torch.linspace(0, model.n_embeddings - 1, count, dtype=torch.float64, device="cpu").long().tolist())


def _check_pattern(
    model: LanguageModel, layer: int, pattern: Float[Tensor, "heads queries keys"], tolerance: float
) -> None:
    sums = pattern.sum(-1)
    worst = float(((sums - 1).clamp(min=0) if model.sites.sinks else (sums - 1).abs()).max())
    if not worst <= tolerance or not float(pattern.min()) >= 0:
        expected = "to at most 1" if model.sites.sinks else "to 1"
        raise LoadError(
            f"{model.name}: attention rows of layer {layer} should sum {expected}, found a difference of {worst:.2g}. "
            "This attention cannot be traced."
        )
    if bool(pattern.triu(1).any()):
        raise LoadError(
            f"{model.name}: attention of layer {layer} looks at later tokens; only causal models can be traced."
        )


def _check_layers(model: LanguageModel, captured: Capture, tolerance: float) -> None:
    """Check that the captured activations of every layer rebuild its MLP input and the residual stream that leaves it."""
    frozen = freeze(model, captured)
    ends = [pieces.residual.float() for pieces in captured.layers[1:]] + [captured.final_residual]
    for index, (layer, pieces, end) in enumerate(zip(frozen.layers, captured.layers, ends, strict=True)):
        with inference():
            residual = pieces.residual.float()
            attended = _after_attention(model, index, layer, residual)
            mlp_input = _mlp_input(model, index, pieces, residual if model.parallel else attended)
            leaves = attended + layer.writing.apply(pieces.mlp_output)
        for what, rebuilt, own in (
            ("its MLP reads", mlp_input, pieces.mlp_input),
            ("leaves it", leaves, end.to(leaves.device)),
        ):
            difference = _difference(rebuilt, own)
            if not difference <= tolerance:
                raise LoadError(
                    f"{model.name}: the captured pieces of layer {index} should rebuild what {what} within "
                    f"{tolerance:g}, found a difference of {difference:.2g}. "
                    "Its row in circuit_widget/model/architectures.py does not fit it."
                )


def _after_attention(
    model: LanguageModel, index: int, layer: FrozenLayer, residual: Float[Tensor, "positions d_model"]
) -> Float[Tensor, "positions d_model"]:
    """Return the residual stream after attention, biases included."""
    weights = model.attention_weights(index)
    shared = weights.value_bias.repeat_interleave(layer.n_groups, dim=0)
    bias = torch.einsum("hp,hw,dhw->pd", layer.pattern.float().sum(-1), shared, weights.output) + weights.output_bias
    scaled = bias if layer.output_scale is None else bias * layer.output_scale[:, None]
    return residual + layer.attend(residual) + scaled


def _mlp_input(
    model: LanguageModel, index: int, pieces: LayerCapture, residual: Float[Tensor, "positions d_model"]
) -> Float[Tensor, "positions d_model"]:
    """Return the input of the MLP for a residual stream, with the bias of its norm."""
    bias = norm_bias(model.blocks[index].mlp_norm)
    normed = pieces.reading.apply(residual)
    return normed if bias is None else normed + bias


def _logits_of(
    model: LanguageModel, captured: Capture, residual: Float[Tensor, " d_model"]
) -> Float[Tensor, " vocabulary"]:
    """Return the logits of a residual stream after the last layer, with the frozen final norm."""
    frozen = freeze(model, captured)
    with inference():
        normed = frozen.final.apply(residual[None].to(frozen.device))[0]
        bias = norm_bias(model.final_norm)
        whole = normed if bias is None else normed + bias
        return model.capped(model.logits_of(whole.to(model.device, model.dtype)))


def _difference(rebuilt: Tensor, own: Tensor) -> float:
    """Return the largest difference, as a share of the largest number or of 1."""
    return float((rebuilt - own).abs().max()) / max(1.0, float(own.abs().max()))


def _not_finite(model: LanguageModel, given: bool) -> str:
    advice = (
        "the model was given with them: set them to numbers, or load it anew" if given else "get the checkpoint again"
    )
    for name, parameter in model.network.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            return f"{model.name}: tensor {name!r} has values that are not finite; {advice}."
    return f"{model.name}: its logits are not finite in {_named(model.dtype)}; try another dtype."


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

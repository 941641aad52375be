"""One forward pass of a batch, in which the activations of all features go into what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.errors import PromptError
from circuit_widget.examples.batch import WindowBatch
from circuit_widget.examples.layer_state import LayerState
from circuit_widget.model.block import module_device
from circuit_widget.model.capture import hook_input_site
from circuit_widget.model.hooks import Hooks
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.system.linear_backend import fast_products
from circuit_widget.system.plain_torch import inference
from circuit_widget.transcoder.activation import JumpReLU, TopK
from circuit_widget.transcoder.layer import LayeredTranscoders, all_finite
from circuit_widget.transcoder.transcoder_set import TranscoderSet

ENCODED_NUMBERS = 1 << 26
"""Activations of one layer that are in memory together."""


def run_batch(
    model: LanguageModel, transcoders: TranscoderSet, batch: WindowBatch, states: Sequence[LayerState]
) -> None:
    """Run a model on a batch and add the activations of its features to their states.

    Raises:
        PromptError: the values that features read are not finite.
        LoadError: the weights of transcoders are not finite.
    """
    with inference(), fast_products(model.linear_maps), Hooks() as hooks:
        for layer, block in enumerate(model.blocks):
            hook_input_site(
                hooks,
                block,
                model.sites.norm,
                transcoders.input_site,
                _LayerEncoding(transcoders, layer, batch, states[layer]),
            )
        # Without a mask for the padding: it is behind the texts, where attention does not look.
        model.body(input_ids=batch.tokens.to(module_device(model.network.get_input_embeddings())), use_cache=False)


class _LayerEncoding:
    """Encodes what the features of one layer read, and adds their activations to the layer's state."""

    def __init__(self, transcoders: TranscoderSet, layer: int, batch: WindowBatch, state: LayerState) -> None:
        self._transcoders = transcoders
        self._layer = layer
        self._batch = batch
        self._state = state

    def __call__(self, x: Float[Tensor, "windows positions d_model"]) -> None:
        """Receive the values at the input site."""
        if not all_finite(x):
            raise PromptError(
                f"What the features of layer {self._layer} read is not finite on these texts; try another dtype, or check "
                "the model's weights."
            )
        batch = self._batch.to(x.device)
        n_windows, length, _ = x.shape
        at_once = max(1, ENCODED_NUMBERS // (length * self._state.n_features))
        for first in range(0, n_windows, at_once):
            part = slice(first, first + at_once)
            rows = x[part]
            _, activations = self._transcoders.encode(self._layer, rows.flatten(0, 1))
            some = batch if at_once >= n_windows else batch.part(part)
            self._state.add(some, activations.unflatten(0, rows.shape[:2]))


def empty_states(model: LanguageModel, transcoders: TranscoderSet) -> list[LayerState]:
    """Return the states of all layers before any text."""
    signed = is_signed(transcoders)
    return [
        LayerState.empty(layer, transcoders.n_features(layer), signed=signed, device=model.layer_device(layer))
        for layer in range(transcoders.n_layers)
    ]


def is_signed(transcoders: TranscoderSet) -> bool:
    """Return whether activations can be below zero."""
    if not isinstance(transcoders, LayeredTranscoders):
        return isinstance(transcoders, Neurons)
    kinds = (layer.activation for layer in transcoders.layers)
    return any(
        (isinstance(kind, TopK) and not kind.rectified)
        or (isinstance(kind, JumpReLU) and bool(torch.any(kind.threshold < 0)))
        for kind in kinds
    )

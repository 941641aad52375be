"""One forward pass of a batch, in which the activations of all features go into what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.errors import PromptError
from circuit_widget.examples.batch import WindowBatch
from circuit_widget.examples.layer_state import LayerState
from circuit_widget.model.block import module_device
from circuit_widget.model.capture import first, hook_input_site, in_batch
from circuit_widget.model.hooks import Hooks
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.system.linear_backend import fast_products
from circuit_widget.system.plain_torch import inference
from circuit_widget.transcoder.activation import JumpReLU, TopK
from circuit_widget.transcoder.joint_top_k import JointTopKTranscoders
from circuit_widget.transcoder.layer import LayeredTranscoders, all_finite
from circuit_widget.transcoder.transcoder_set import TranscoderSet

ENCODED_NUMBERS = 1 << 26
"""Activations of one layer that are in memory together."""


class ActivationReceiver(Protocol):
    """What the activations of a layer's features are added to, as to a LayerState."""

    @property
    def n_features(self) -> int: ...

    def add(self, batch: WindowBatch, activations: Float[Tensor, "windows positions features"]) -> None:
        """Add the activations of a batch; those that are not used may be changed in place."""


def run_batch(
    model: LanguageModel, transcoders: TranscoderSet, batch: WindowBatch, states: Sequence[ActivationReceiver]
) -> None:
    """Run a model on a batch and add the activations of its features to their states, or other receivers.

    Raises:
        PromptError: the values that features read are not finite.
        LoadError: the weights of transcoders are not finite.
    """
    joint = _JointEncoding(transcoders, batch, states) if isinstance(transcoders, JointTopKTranscoders) else None
    with inference(), fast_products(model.linear_maps):
        with Hooks() as hooks:
            for layer, block in enumerate(model.blocks):
                if joint is not None:
                    joint.set_hooks(hooks, model, layer)
                elif states[layer].n_features:
                    receive = _LayerEncoding(transcoders, layer, batch, states[layer])
                    norm, n_windows = model.sites.norm, len(batch.tokens)
                    hook_input_site(hooks, block, norm, transcoders.input_site, receive, batch=n_windows)
            # Without a mask for the padding: it is behind the texts, where attention does not look.
            model.body(input_ids=batch.tokens.to(module_device(model.network.get_input_embeddings())), use_cache=False)
        if joint is not None:
            joint.finish()


class _LayerEncoding:
    """Encodes what the features of one layer read, and adds their activations to the layer's state."""

    def __init__(self, transcoders: TranscoderSet, layer: int, batch: WindowBatch, state: ActivationReceiver) -> None:
        self._transcoders = transcoders
        self._layer = layer
        self._batch = batch
        self._state = state

    def __call__(self, x: Float[Tensor, "windows positions d_model"]) -> None:
        """Receive the values at the input site."""
        _check_finite(x, f"What the features of layer {self._layer} read is")
        batch = self._batch.to(x.device)
        n_windows, length, _ = x.shape
        at_once = max(1, ENCODED_NUMBERS // (length * self._state.n_features))
        for start in range(0, n_windows, at_once):
            part = slice(start, start + at_once)
            rows = x[part]
            _, activations = self._transcoders.encode(self._layer, rows.flatten(0, 1))
            _check_finite(activations, f"Activations of the features of layer {self._layer} are")
            some = batch if at_once >= n_windows else batch.part(part)
            self._state.add(some, activations.unflatten(0, rows.shape[:2]))


class _JointEncoding:
    """Encodes what features of all layers read, where those of all layers compete, one window after the other."""

    def __init__(
        self, transcoders: JointTopKTranscoders, batch: WindowBatch, states: Sequence[ActivationReceiver]
    ) -> None:
        self._transcoders = transcoders
        self._batch = batch
        self._states = states
        self._inputs: dict[int, Tensor] = {}
        self._outputs: dict[int, Tensor] = {}

    def set_hooks(self, hooks: Hooks, model: LanguageModel, layer: int) -> None:
        """Record what a layer's features read, and the output that they reconstruct."""
        block, sites = model.blocks[layer], self._transcoders

        def receive(x: Float[Tensor, "windows positions d_model"]) -> None:
            _check_finite(x, f"What the features of layer {layer} read is")
            self._inputs[layer] = x

        n_windows = len(self._batch.tokens)
        hook_input_site(hooks, block, model.sites.norm, sites.input_site, receive, batch=n_windows)

        def write(_: tuple[Any, ...], output: Any) -> None:
            self._outputs[layer] = in_batch(first(output), n_windows).float()

        hooks.after(block.writer(sites.output_site), write)

    def finish(self) -> None:
        """Add the activations of all layers to their states."""
        for window, length in enumerate(self._batch.lengths.tolist()):
            inputs, outputs = (
                [recorded[layer][window, :length] for layer in range(len(self._states))]
                for recorded in (self._inputs, self._outputs)
            )
            active = self._transcoders.active(inputs, self._transcoders.kept(inputs, outputs))
            for found, state, x in zip(active, self._states, inputs, strict=True):
                activations = x.new_zeros(1, self._batch.tokens.shape[1], state.n_features)
                activations[0, found.rows, found.features] = found.values
                state.add(self._batch.to(x.device).part(slice(window, window + 1)), activations)


def _check_finite(x: Tensor, what: str) -> None:
    if not all_finite(x):
        raise PromptError(f"{what} not finite on these texts; try another dtype, or check the model's weights.")


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

"""Which neurons of a run can become nodes: those with the largest total attribution.

All neurons are active, far more than can have their edges computed. Total attributions of all are cheap, and the candidates
they find are then ranked by influence, as transcoder features are; the rest join the error of their layer and position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from circuit_widget.attribution.layer_nodes import LayerNodes, Writes
from circuit_widget.attribution.targets import ChosenTarget, probability_shares
from circuit_widget.attribution.total_attribution import total_attributions
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.progress import IsCancelled
from circuit_widget.system.plain_torch import inference
from circuit_widget.tracing.prompt_run import PromptRun, norm_at

DEFAULT_NEURONS = 2_000
"""Neurons that become nodes where no other number is given."""

CANDIDATES = 3
"""Candidates for each neuron that becomes a node. On SmolLM2, graphs of 2,000 neurons have a replacement score of .31 with
one, .39 with two, .42 with three and .44 with four, for which the trace takes 1, 1.6, 2 and 2.2 times as long."""


@dataclass(frozen=True, eq=False)
class CandidateNeurons:
    """The neurons that can become nodes: their rows in the run's activations, ascending, and what they read and write.

    The errors of `layers` are what all other neurons write.
    """

    rows: Int64[np.ndarray, " candidates"]
    layers: tuple[LayerNodes, ...]


def candidate_neurons(
    run: PromptRun,
    neurons: Neurons,
    targets: Sequence[ChosenTarget],
    count: int,
    cancelled: IsCancelled | None = None,
) -> CandidateNeurons:
    """Return the candidates for `count` nodes: the neurons with the largest total attribution.

    It is that of the sum of all targets' logits, each weighted by its probability.

    Raises:
        Cancelled: `cancelled()` became true between two layers.
    """
    found = run.activations
    with inference():
        attribution = torch.cat(
            [
                each.cpu().flatten()
                for each in total_attributions(
                    run.frozen,
                    [neurons.layer(layer) for layer in range(neurons.n_layers)],
                    [pieces.mlp_input for pieces in run.captured.layers],
                    weighted_direction(targets),
                    run.prompt.first_position,
                    cancelled,
                ).neurons
            ]
        ).numpy()
        rows = _largest(np.abs(attribution[_places(run, neurons)]), n_candidates(count, len(found)))
        layers = neuron_layers(run, neurons, rows)
    return CandidateNeurons(rows, layers)


def neuron_layers(run: PromptRun, neurons: Neurons, rows: Int64[np.ndarray, " chosen"]) -> tuple[LayerNodes, ...]:
    """Return the nodes of each layer that chosen neurons are, by their ascending rows in the run's activations.

    What all other neurons write is in the errors.
    """
    bounds = np.searchsorted(run.activations.layer[rows], np.arange(neurons.n_layers + 1))
    return tuple(
        _layer_nodes(run, neurons, layer, rows[bounds[layer] : bounds[layer + 1]]) for layer in range(neurons.n_layers)
    )


def n_candidates(count: int, n_active: int) -> int:
    """Return how many of the active neurons are candidates for `count` nodes."""
    return min(CANDIDATES * count, n_active)


def weighted_direction(targets: Sequence[ChosenTarget]) -> Float[Tensor, " d_model"]:
    """Return the sum of what targets read from the normed residual stream, each times its share of their probability."""
    directions = torch.stack([target.direction for target in targets])
    return torch.tensor(probability_shares(targets), dtype=torch.float32, device=directions.device) @ directions


def _places(run: PromptRun, neurons: Neurons) -> Int64[np.ndarray, " active"]:
    """Return where each active neuron is among all neurons of all layers and positions."""
    found, n_positions = run.activations, len(run.prompt)
    sizes = np.array([neurons.n_features(layer) for layer in range(neurons.n_layers)], dtype=np.int64)
    first = np.concatenate([[0], np.cumsum(sizes * n_positions)])
    layer = found.layer.astype(np.int64)
    places: Int64[np.ndarray, " active"] = first[layer] + found.position * sizes[layer] + found.feature
    return places


def _largest(values: Float[np.ndarray, " active"], count: int) -> Int64[np.ndarray, " candidates"]:
    """Return the places of the largest values, ascending; of equal ones the first."""
    order: Int64[np.ndarray, " candidates"] = np.sort(np.argsort(-values, kind="stable")[:count])
    return order


def _layer_nodes(run: PromptRun, neurons: Neurons, layer: int, rows: Int64[np.ndarray, " n"]) -> LayerNodes:
    """Return the nodes of one layer, given the rows of its chosen neurons in the run's activations."""
    pieces, writing, found = run.captured.layers[layer], run.frozen.layers[layer].writing, run.activations
    device = pieces.mlp_output.device
    positions = torch.as_tensor(found.position[rows].astype(np.int64), device=device)
    numbers = torch.as_tensor(found.feature[rows].astype(np.int64), device=device)
    values = torch.as_tensor(found.value[rows], device=device)
    written = neurons.decoder_rows(layer, numbers, layer) * values[:, None]
    errors = pieces.mlp_output - neurons.decoder_bias(layer)
    errors.index_add_(0, positions, written, alpha=-1)
    errors[: run.prompt.first_position] = 0
    errors[run.position + 1 :] = 0
    return LayerNodes(
        positions=positions,
        encoder_rows=neurons.encoder_rows_at(layer, numbers, positions, pieces.mlp_input),
        writes=(Writes(layer, norm_at(writing, positions).apply(written)),),
        errors=writing.apply(errors),
    )

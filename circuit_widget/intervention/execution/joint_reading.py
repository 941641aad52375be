"""Activations in re-runs where the active features of a token are chosen among all layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.intervention.execution.graph_features import GraphFeatures
from circuit_widget.intervention.execution.plan import ClampPlan
from circuit_widget.intervention.execution.predict import set_clamped
from circuit_widget.model.capture import Capture
from circuit_widget.model.rerun import Batch
from circuit_widget.system.plain_torch import inference
from circuit_widget.transcoder.joint_top_k import JointTopKTranscoders


def read_jointly(
    transcoders: JointTopKTranscoders,
    batch: Batch,
    captured: Capture,
    graph_features: GraphFeatures,
    plans: Sequence[ClampPlan],
) -> Float[Tensor, "batch features"]:
    """Return the activations of the graph's features in each re-run, in the graph's order.

    At each position all layers choose again, by what they read in the re-run; so a feature may change, and begin or cease
    to be active, below the first layer that an intervention changes. Positions before a plan's own first position keep their
    activations on the prompt.
    """
    after = graph_features.before.repeat(len(plans), 1)
    with inference():
        inputs = [_inputs(batch, captured, layer, len(plans)) for layer in range(transcoders.n_layers)]
        here = [graph_features.in_layer(layer, batch.first_position) for layer in range(transcoders.n_layers)]
        for row, one in enumerate(plans):
            wanted = [(features.rows, features.features) for features in here]
            found = transcoders.activations_of([x[row] for x in inputs], wanted)
            for features, values in zip(here, found, strict=True):
                changed = features.rows >= one.first_position - batch.first_position
                before = graph_features.before[features.columns]
                after[row, features.columns] = torch.where(changed.to(before.device), values.to(before.device), before)
            set_clamped(after[row], one)
    return graph_features.in_graph_order(after)


def _inputs(batch: Batch, captured: Capture, layer: int, n_plans: int) -> Float[Tensor, "batch rows d_model"]:
    """Return what a layer's features read in each re-run; on the prompt, where a re-run starts above the layer."""
    on_prompt = captured.layers[layer].mlp_input[batch.first_position : captured.position + 1]
    started = batch.mlp_inputs.get(layer, on_prompt[None][:0])
    return torch.cat([started, on_prompt.expand(n_plans - len(started), -1, -1)])

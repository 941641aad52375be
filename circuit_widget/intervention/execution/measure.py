"""What interventions do to the real model: several plans in one batch of re-runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.intervention.execution.graph_features import GraphFeatures
from circuit_widget.intervention.execution.joint_reading import read_jointly
from circuit_widget.intervention.execution.plan import ClampPlan, LayerClamps
from circuit_widget.intervention.execution.predict import (
    add_error_writes,
    add_feature_writes,
    logits_after,
    predict,
    set_clamped,
)
from circuit_widget.intervention.mode import CheckedMode
from circuit_widget.model.capture import Capture
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.rerun import Batch, Conditions, Edit, rerun_batch
from circuit_widget.progress import IsCancelled
from circuit_widget.system.plain_torch import inference
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.tracing.target_readout import final_normed
from circuit_widget.transcoder.joint_top_k import JointTopKTranscoders
from circuit_widget.transcoder.transcoder_set import TranscoderSet


@dataclass(frozen=True, eq=False)
class Measured:
    """The graph features after the interventions (clamped ones at their values), and the logits at the traced position.

    Features are in the graph's order. `normed` is the residual stream at the traced position, after the final norm.
    """

    features: Float[Tensor, "batch features"]
    normed: Float[Tensor, "batch d_model"]
    logits: Float[Tensor, "batch vocabulary"]


def measure(
    model: LanguageModel,
    transcoders: TranscoderSet,
    run: PromptRun,
    graph_features: GraphFeatures,
    plans: Sequence[ClampPlan],
    mode: CheckedMode,
    *,
    progress: Callable[[float], None] | None = None,
    cancelled: IsCancelled | None = None,
) -> Measured:
    """Return what the graph features and the logits become under each plan; plans are sorted by their first layer.

    In mode `direct` the model is linear and features are read before their activation function; in the other modes
    after it.

    Raises:
        Cancelled: `cancelled()` became true between two layers.
    """
    conditions = mode.conditions
    if conditions is None:
        direct = predict(run.frozen, transcoders, graph_features, plans, knock_on=())
        normed = final_normed(model, run) + direct.normed.to(model.device)
        return Measured(direct.features, normed, logits_after(model, run.captured, direct))
    batch = rerun_batch(
        model,
        run.captured,
        [
            Edit(
                one.first_layer,
                one.first_position,
                _ClampEdit(transcoders, one, conditions, run.captured),
                one.embedding_change(range(one.first_position, run.position + 1)),
            )
            for one in plans
        ],
        conditions=conditions,
        progress=progress,
        cancelled=cancelled,
    )
    if isinstance(transcoders, JointTopKTranscoders):
        features = read_jointly(transcoders, batch, run.captured, graph_features, plans)
    else:
        features = _read_features(transcoders, batch, graph_features, plans)
    return Measured(features, batch.normed, batch.logits)


class _ClampEdit:
    """What a plan adds to each MLP's output: `(value - activation) * decoder row` for each feature that writes there.

    `value` is what the feature is clamped at. `activation` is what it would otherwise be in this re-run, encoded from
    what it reads now; at layers whose MLP output is frozen it is its activation on the prompt, which that output
    contains. Clamped errors add a constant: their change from what they are on the prompt.

    A cross-layer feature that reads at or below the end of the frozen layers does not write to layers past them:
    the MLPs there respond to the change themselves, and it would count twice. A transcoder's skip connection is linear
    and not a feature: a frozen MLP output still follows it, as edges do.
    """

    def __init__(self, transcoders: TranscoderSet, plan: ClampPlan, conditions: Conditions, captured: Capture) -> None:
        self._transcoders = transcoders
        self._plan = plan
        self._frozen_layers = conditions.frozen_mlps
        self._captured = captured
        self._now: dict[int, Tensor] = {}

    def __call__(self, layer: int, x: Float[Tensor, "rows d_model"]) -> Float[Tensor, "rows d_model"] | None:
        plan, start = self._plan, self._plan.first_position
        if layer in plan.layers and layer not in self._frozen_layers:
            self._now[layer] = self._activations_now(layer, plan.layers[layer], x)
        sources = [source for source in plan.layers if source <= layer and self._writes_to(source, layer)]
        skip = self._transcoders.skip(layer) if layer in self._frozen_layers else None
        error_writes = [one for one in plan.error_writes.get(layer, ()) if self._writes_to(one.source, layer)]
        if skip is None and not sources and not error_writes:
            return None
        before = self._captured.layers[layer].mlp_input[start : start + len(x)]
        added = torch.zeros_like(x) if skip is None else (x - before) @ skip.T
        for source in sources:
            index = plan.layers[source].index
            now = plan.before[index] if layer in self._frozen_layers else self._now[source]
            changes = plan.values[index] - now.to(plan.before.device)
            add_feature_writes(added, self._transcoders, plan, source, layer, changes, start)
        for one in error_writes:
            add_error_writes(added, one, start)
        return added

    def _activations_now(
        self, layer: int, clamps: LayerClamps, x: Float[Tensor, "rows d_model"]
    ) -> Float[Tensor, " clamped"]:
        """Return what clamped features of a layer would otherwise be.

        Where all layers choose active features together, those above are not known yet: the choice is that of the prompt.
        """
        transcoders, positions = self._transcoders, clamps.positions - self._plan.first_position
        if isinstance(transcoders, JointTopKTranscoders):
            selected = (self._plan.before[clamps.index] != 0).to(x.device)
            return transcoders.read_selected(layer, clamps.features, positions, x[None], selected)[0]
        return transcoders.read(layer, clamps.features, positions, x[None])[1][0]

    def _writes_to(self, source: int, layer: int) -> bool:
        """Return whether clamped nodes of layer `source` write to `layer`."""
        past = len(self._frozen_layers) > 0 and source <= self._frozen_layers[-1] < layer
        return layer in self._transcoders.written_layers(source) and not past


def _read_features(
    transcoders: TranscoderSet, batch: Batch, graph_features: GraphFeatures, plans: Sequence[ClampPlan]
) -> Float[Tensor, "batch features"]:
    """Return activations encoded from what the MLPs read in the re-runs.

    Positions before a plan's own first position keep their activations on the prompt: the batch runs them again only
    because other plans need them.
    """
    after = graph_features.before.repeat(len(plans), 1)
    first = torch.tensor([one.first_position for one in plans], dtype=torch.long, device="cpu")
    with inference():
        for layer, x in batch.mlp_inputs.items():
            here = graph_features.in_layer(layer, batch.first_position)
            rows = graph_features.encoder_rows(layer, here)
            _, activation = transcoders.read(layer, here.features, here.rows, x, rows)
            values = activation.to(after.device)
            late = first[: len(x), None].to(after.device) - batch.first_position
            if bool(late.any()):
                before = graph_features.before[here.columns].expand(len(x), -1)
                values = torch.where(here.rows.to(after.device) < late, before, values)
            after[: len(x), here.columns] = values
        for row, one in enumerate(plans):
            set_clamped(after[row], one)
    return graph_features.in_graph_order(after)

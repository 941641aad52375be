"""Interventions: what can be done to features, what the graph predicts of it, and what the model really does."""

from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.kinds import (
    Ablate,
    Add,
    Intervention,
    Scale,
    Set,
    SwapIn,
    intervention_from_json,
)

__all__ = ["Ablate", "Add", "Effect", "Intervention", "Scale", "Set", "SwapIn", "intervention_from_json"]

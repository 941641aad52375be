"""Interventions on features, errors and tokens: what the graph predicts, and what the model does."""

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

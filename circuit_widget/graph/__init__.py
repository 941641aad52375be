"""The attribution graph of one prompt: its nodes, the signed direct effects between them, and its file."""

from circuit_widget.graph.graph import JSON, Graph
from circuit_widget.nodes import (
    Feature,
    NodeKind,
    PromptToken,
    Scores,
    Target,
    error_id,
    feature_id,
    logit_id,
    token_id,
)

__all__ = [
    "JSON",
    "Feature",
    "Graph",
    "NodeKind",
    "PromptToken",
    "Scores",
    "Target",
    "error_id",
    "feature_id",
    "logit_id",
    "token_id",
]

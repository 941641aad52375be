"""The protocol of the model that traced a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from circuit_widget.errors import NoModelError

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph
    from circuit_widget.graph.verification import Verification


class TracingModel(Protocol):
    """The methods of the model that a graph uses. ReplacementModel has them; its room is above this one."""

    @property
    def source(self) -> tuple[str, str | None] | None:
        """The arguments of `load` that load this model and its transcoders again; None for a model given as an object."""

    def verify(self, graph: Graph, n: int = 50) -> Verification:
        """Return the strongest edges of a graph with their values measured again."""

    def validate(self, graph: Graph, *arguments: Any, **settings: Any) -> Any:
        """Return how well a graph predicts ablations."""


def required(model: TracingModel | None, method: str) -> TracingModel:
    """Return the model of a graph. Raises NoModelError, naming the method to call, for a graph without one."""
    if model is None:
        raise NoModelError(
            f"This graph has no model with it; load the model it was traced with: model.{method}(graph)."
        )
    return model

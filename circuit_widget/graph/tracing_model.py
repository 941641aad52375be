"""The protocol of the model that traced a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

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

"""The trait for a comparison of the displayed graph with another one, which the page has as a message."""

from __future__ import annotations

from typing import Any

import traitlets

from circuit_widget.comparison.compare import GraphComparison
from circuit_widget.errors import CircuitError
from circuit_widget.widget.wire.other_graph import nodes_to_send, other_graph_message
from circuit_widget.widget.wire.schema import plain

ANOTHER_FIRST = "The first graph of the comparison is not the displayed one. Use cw.compare(widget.graph, other)."


class ComparisonTrait(traitlets.Instance[GraphComparison | None]):
    """A comparison whose first graph is the displayed one; None where no other graph is beside it."""

    def validate(self, obj: Any, value: Any) -> Any:
        """Return a comparison once the page has the nodes that it needs. Raises CircuitError for one of another graph."""
        compared = super().validate(obj, value)
        if compared is not None:
            if compared.graph.node_ids != obj.graph.node_ids:
                raise CircuitError(ANOTHER_FIRST)
            obj._graphs.send_nodes(nodes_to_send(compared))
        return compared


def comparison_trait() -> ComparisonTrait:
    """Return the trait, which the page can only set to None."""
    trait = ComparisonTrait(GraphComparison, allow_none=True, default_value=None)
    return trait.tag(sync=True, echo_update=False, to_json=lambda comparison, _: comparison_json(comparison))


def comparison_json(comparison: GraphComparison | None) -> Any:
    """Return a comparison as the page has it."""
    return None if comparison is None else plain(other_graph_message(comparison))

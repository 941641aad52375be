"""The edges onward from the features that an effect injected, to the boxes of a circuit and to new answers.

The screen runs the same function (js/src/circuit/onward.ts); tests/fixtures/outcome.json checks both.
"""

from collections.abc import Sequence

import numpy as np

from circuit_widget.circuit.box_edges import NodeEdges, shares_into
from circuit_widget.figure.layout.routing import Link
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.wording.outcome import NewAnswer


def onward_links(
    graph: Graph,
    edges: NodeEdges,
    members: Sequence[Sequence[int]],
    answers: Sequence[NewAnswer],
    effect: Effect | None,
) -> tuple[Link, ...]:
    """Return an edge for each box and each new answer that the injected features of an effect supply directly.

    `edges` are those between nodes of boxes, `members` the nodes of each box, by index. Targets count boxes, then answers; the source
    is the index after all of them. Shares are of the target's input on the graph's prompt, before the intervention, of
    which they are no part (see `InjectedEdges`).
    """
    found = None if effect is None else effect.injected_edges
    if found is None:
        return ()
    weights = np.zeros(graph.n_nodes, dtype=np.float64)
    weights[graph.row_nodes] = found.weights
    nodes = {target.token_id: int(node) for target, node in zip(graph.targets, _outputs(graph), strict=True)}
    # An answer that the graph does not explain has an input of its own.
    explained = [[nodes[one.token_id]] if one.token_id in nodes else [] for one in answers]
    shares = shares_into(edges, [*members, *explained], weights)
    for place, answer in enumerate(answers, len(members)):
        supplied = found.answers.get(answer.token_id)
        if answer.token_id not in nodes and supplied is not None and supplied.total > 0:
            shares[place] = supplied.weight / supplied.total
    return tuple(Link(len(shares), target, share) for target, share in enumerate(shares) if share != 0)


def _outputs(graph: Graph) -> range:
    return range(graph.n_nodes - len(graph.targets), graph.n_nodes)

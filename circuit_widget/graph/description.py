"""A graph in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circuit_widget.graph.qk_contributors import nodes_with_contributors

if TYPE_CHECKING:
    from circuit_widget.graph.graph import Graph


def described(graph: Graph) -> str:
    """Return how many tokens and features a graph has, its targets and its scores, and of what its file lists more."""
    words = [f"{len(graph.tokens)} tokens", f"{graph.n_features:,} {graph.basis}"]
    if graph.left_out:
        words[1] += f" ({graph.left_out:,} more are left out)"
    words.append(f"targets {', '.join(repr(target.token) for target in graph.targets)}")
    scores = graph.recorded_scores
    words.append(f"replacement {scores.replacement:.2f}, completeness {scores.completeness:.2f}")
    if listed := nodes_with_contributors(graph):
        words.append(f"qk_contributors() of {listed:,} node{'s' * (listed > 1)}")
    return f"Graph({'; '.join(words)}{'; pruned' if graph.pruned else ''})"

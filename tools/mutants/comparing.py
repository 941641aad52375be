"""Mistakes in stability and in comparisons of graphs, with which a node would look stable or shared that is not."""

from tools.mutants.mutation import Mutation

GRAPH = "circuit_widget/graph/"
STABILITY = ("tests/graph/test_stability.py",)

MUTATIONS = (
    Mutation(
        "a node counts as stable where its only path is pruned",
        GRAPH + "stability.py",
        "node_kept[part.columns[left.columns]] += 1",
        "node_kept[part.columns] += 1",
        STABILITY,
    ),
    Mutation(
        "an edge counts once for all edge thresholds",
        GRAPH + "stability.py",
        "counts += left.edges",
        "counts = counts | left.edges",
        STABILITY,
    ),
)

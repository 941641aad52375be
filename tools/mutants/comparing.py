"""Mistakes in stability and in comparisons of graphs, with which a node would look stable or shared that is not."""

from tools.mutants.mutation import Mutation

GRAPH = "circuit_widget/graph/"
COMPARISON = "circuit_widget/comparison/"
STABILITY = ("tests/graph/test_stability.py",)
PROMPTS = ("tests/comparison/test_prompt_stability.py",)
COMPARE = ("tests/comparison/test_compare.py",)

MUTATIONS = (
    Mutation(
        "what a circuit has counts as what it leaves out",
        "circuit_widget/intervention/studies/faithfulness.py",
        "node not in inside for node",
        "node in inside for node",
        ("tests/intervention/test_validation.py",),
    ),
    Mutation(
        "a p-value counts as the smallest where a control did as much",
        "circuit_widget/intervention/studies/controls.py",
        """if first["share"] == 0 else""",
        """if first["share"] >= 0 else""",
        ("tests/intervention/test_controls.py",),
    ),
    Mutation(
        "a node counts as stable where its only path is pruned",
        GRAPH + "pruning_stability.py",
        "node_kept[part.columns[left.columns]] += 1",
        "node_kept[part.columns] += 1",
        STABILITY,
    ),
    Mutation(
        "an edge counts once for all edge thresholds",
        GRAPH + "pruning_stability.py",
        "counts += left.edges",
        "counts = counts | left.edges",
        STABILITY,
    ),
    Mutation(
        "the displayed graph does not count among the prompts",
        COMPARISON + "other_words.py",
        "graphs = [graph]",
        "graphs = [trace_again(model, graph, TraceChanges(texts[1], targets))]",
        ("tests/widget/test_other_words.py",),
    ),
    Mutation(
        "overlap of influence counts the larger share",
        COMPARISON + "compare.py",
        "np.minimum(before, _shares(self.other)[there[are_features]])",
        "np.maximum(before, _shares(self.other)[there[are_features]])",
        COMPARE,
    ),
    Mutation(
        "a node that is nowhere else counts as in both",
        "circuit_widget/widget/wire/other_graph.py",
        "here=tuple(here for here, _ in same),",
        "here=graph.node_ids[: len(same)],",
        ("tests/widget/test_comparison.py",),
    ),
    Mutation(
        "a comparison of another graph is displayed",
        "circuit_widget/widget/state/comparison_trait.py",
        "if compared.graph.node_ids != obj.graph.node_ids:",
        "if len(compared.graph.node_ids) != len(obj.graph.node_ids):",
        ("tests/widget/test_comparison.py",),
    ),
    Mutation(
        "an edge has the stability of another target",
        "circuit_widget/display/filtering.py",
        "np.searchsorted(found.graph.row_nodes, target), source]",
        "np.searchsorted(found.graph.row_nodes, target) - 1, source]",
        ("tests/figure/test_open_edges.py", "tests/widget/test_snapshot.py"),
    ),
    Mutation(
        "an unstable edge is whole and a stable one is open",
        "circuit_widget/figure/layout/open_edge.py",
        "end = max(stability, LEAST_WHOLE) / 2",
        "end = max(1 - stability, LEAST_WHOLE) / 2",
        ("tests/figure/test_open_edges.py",),
    ),
    Mutation(
        "positions are matched by their number",
        COMPARISON + "matching.py",
        "positions = {other_position: position for position, other_position in pairs.items()}",
        "positions = {position: position for position in pairs}",
        COMPARE,
    ),
    Mutation(
        "counterparts are one position off",
        COMPARISON + "matching.py",
        "places = {key: index for index, key in enumerate(_keys(graph, {position: position for position in pairs}))}",
        "places = {key: index for index, key in enumerate(_keys(graph, {one: one + 1 for one in pairs}))}",
        COMPARE,
    ),
    Mutation(
        "weights before and after are exchanged",
        COMPARISON + "compare.py",
        '"weight_before": edges.before,',
        '"weight_before": edges.after,',
        COMPARE,
    ),
    Mutation(
        "influence before and after is exchanged",
        COMPARISON + "compare.py",
        '"influence_after": there["influence"],',
        '"influence_after": here["influence"],',
        COMPARE,
    ),
    Mutation(
        "a feature that pruning drops counts for its prompt",
        COMPARISON + "prompt_stability.py",
        "kept = np.unique(self._places(pruned))",
        "kept = np.unique(self._places(graph))",
        PROMPTS,
    ),
    Mutation(
        "all features have the influence of the strongest",
        COMPARISON + "prompt_stability.py",
        "np.bincount(one.places, _influence_shares(graph), minlength=count)",
        "np.zeros(count) + np.bincount(one.places, _influence_shares(graph), minlength=count).max()",
        PROMPTS,
    ),
)

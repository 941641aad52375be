"""Mistakes in proposals, with which a group would have what does not belong together, or a wrong name."""

from tools.mutants.mutation import Mutation

PROPOSAL = "circuit_widget/proposal/"
GROUPS = ("tests/proposal/test_proposals.py",)

MUTATIONS = (
    Mutation(
        "profiles lose their signs",
        PROPOSAL + "profiles.py",
        "shares = graph.weights * (",
        "shares = np.abs(graph.weights) * (",
        GROUPS,
    ),
    Mutation(
        "inputs of neurons below zero count with the sign of their output",
        PROPOSAL + "profiles.py",
        "sign = np.where(graph.activation < 0, -1, 1)",
        "sign = np.where(graph.activation < 0, 1, 1)",
        GROUPS,
    ),
    Mutation(
        "a feature is in two groups",
        PROPOSAL + "clustering.py",
        "members[kept] += members.pop(gone)",
        "members[kept] += members[gone]",
        ("tests/proposal/test_proposed_circuit.py",),
    ),
    Mutation(
        "groups with opposite members are joined",
        PROPOSAL + "clustering.py",
        "near = np.where(apart, NEVER, similarity)",
        "near = np.where(apart, similarity, similarity)",
        ("tests/proposal/test_proposed_circuit.py",),
    ),
    Mutation(
        "a group has the name of a target that it suppresses",
        PROPOSAL + "naming.py",
        "or None if raised[best] > 0 else None",
        "or None if raised[best] else None",
        GROUPS,
    ),
    Mutation(
        "neurons below zero promote what their weights promote",
        PROPOSAL + "knowledge.py",
        "return found * np.where(graph.activation[chosen] < 0, -1, 1)",
        "return found * np.where(graph.activation[chosen] < 0, 1, 1)",
        GROUPS,
    ),
    Mutation(
        "neurons that raise the answer are with those that lower it",
        PROPOSAL + "feature_similarity.py",
        " | (side[:, None] * side[None] < 0)",
        "",
        ("tests/proposal/test_neurons.py",),
    ),
    Mutation(
        "neurons at different tokens are in one group",
        PROPOSAL + "feature_similarity.py",
        "(position[:, None] != position[None]) | ",
        "",
        ("tests/proposal/test_neurons.py",),
    ),
    Mutation(
        "the groups that change least are proposed",
        PROPOSAL + "grouping.py",
        "key=lambda number: -abs(found[number].answer)",
        "key=lambda number: abs(found[number].answer)",
        ("tests/proposal/test_neurons.py",),
    ),
    Mutation(
        "the next group is the worst of those tried",
        PROPOSAL + "proposed_circuit.py",
        "best = max(range(len(others))",
        "best = min(range(len(others))",
        ("tests/proposal/test_proposed_circuit.py",),
    ),
)

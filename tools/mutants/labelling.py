"""Mistakes in labels of features, with which a node would have the name of something else."""

from tools.mutants.mutation import Mutation

LABELS = "circuit_widget/labels/"

MUTATIONS = (
    Mutation(
        "tokens that a label names count only where the feature is active",
        LABELS + "accuracy.py",
        "self.named += torch.bincount(features, minlength",
        "self.named += torch.bincount(features[hits], minlength",
        ("tests/labels/test_accuracy.py",),
    ),
    Mutation(
        "a label says what the feature does not promote",
        LABELS + "rule.py",
        "chosen = (promoted | ~used[:, :most]).all(1)",
        "chosen = torch.ones_like(promoted[:, 0])",
        ("tests/labels/test_rule.py",),
    ),
    Mutation(
        "the strongest examples alone make labels",
        LABELS + "evidence.py",
        "STRONGEST_SHARE = 1 / 3",
        "STRONGEST_SHARE = 1.0",
        ("tests/labels/test_evidence.py",),
    ),
    Mutation(
        "words that are far more frequent than the feature are a set",
        LABELS + "rule.py",
        "usable = sets.found & (evidence.active[likely] * sets.shares >= PRECISE * sets.occurrences)",
        "usable = sets.found",
        ("tests/labels/test_rule.py",),
    ),
    Mutation(
        "a label by rule stands at nodes that are hardly active",
        LABELS + "label.py",
        "if size < SUITING * label.level or (",
        "if (",
        ("tests/labels/test_label_features.py",),
    ),
    Mutation(
        "a node raises what its ablation raises",
        "circuit_widget/intervention/studies/local_labels.py",
        'lost = (effect.tokens["before"] - effect.tokens["after"])',
        'lost = (effect.tokens["after"] - effect.tokens["before"])',
        ("tests/intervention/test_local_labels.py",),
    ),
    Mutation(
        "first tokens are among all others",
        "circuit_widget/examples/batch.py",
        "used = (positions > first_position)",
        "used = (positions >= first_position)",
        ("tests/examples/test_collect.py",),
    ),
    Mutation(
        "a label is displayed far beyond what it was made from",
        LABELS + "label.py",
        "size > FAR_BEYOND * label.most",
        "False",
        ("tests/labels/test_store.py",),
    ),
    Mutation(
        "tokens that are no first tokens are named as such",
        LABELS + "accuracy.py",
        "hits = active[:, batch.first_position].sum(0)",
        "hits = active[:, batch.first_position + 1].sum(0)",
        ("tests/labels/test_accuracy.py",),
    ),
    Mutation(
        "what begins all texts counts as often as it is beside peaks",
        LABELS + "evidence.py",
        "= float(self.n_windows)",
        "+= 0.0",
        ("tests/labels/test_evidence.py",),
    ),
)

"""What an effect says of the next token: divergence, ranks, and everything as one frame."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from circuit_widget.attribution.targets import Contrast
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import PromptError
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Effect, Set
from circuit_widget.nodes import Feature
from tests.models import reference_model


@pytest.fixture(scope="module")
def graph() -> Graph:
    return reference_model().trace("the capital of France is")


@pytest.fixture(scope="module")
def effect(graph: Graph) -> Effect:
    return reference_model().intervene(
        graph, Ablate([graph.node_ids[n] for n in (-graph.influence[: graph.n_features]).argsort()[:9]])
    )


def with_logits(effect: Effect, before: list[float], after: list[float]) -> Effect:
    first, last = (np.array(values, dtype=np.float32) for values in (before, after))
    return replace(effect, logits_before=first, logits_after=last, logits_predicted=last)


def test_an_effect_is_printed_as_one_sentence(graph: Graph) -> None:
    model = reference_model()
    first = graph.targets[0]
    effect = model.intervene(graph, Ablate(graph.node_ids[:3]))
    before, after = effect.probability(first.token_id)
    text = repr(effect)
    assert text == str(effect)
    assert len(text.splitlines()) == 1
    predicted = effect.predicted_probability(first.token_id)
    assert (
        f"{effect.name} ({effect.frozen}): {first.token!r} {before:.3g} → {after:.3g}, predicted {predicted:.3g};"
        in text
    )
    likeliest = effect.tokens.sort_values("after")["token"].tolist()[-1]
    assert f"{likeliest!r} ({effect.tokens['after'].max():.3g})." in text
    many = model.intervene(graph, [Ablate(node) for node in graph.node_ids[:5]])
    assert " and 2 more (" in repr(many)


def test_the_sentence_about_a_contrast_has_its_values() -> None:
    model = reference_model()
    contrast = model.trace("the capital of France is", targets=Contrast("tea", "stay"))
    effect = model.intervene(contrast, Ablate(contrast.node_ids[:3]))
    row = effect.targets.iloc[0]
    assert f"'tea − stay' {row['before']:.3g} → {row['after']:.3g}, predicted {row['predicted']:.3g};" in repr(effect)


def test_the_divergence_is_that_of_after_from_before_in_nats(effect: Effect) -> None:
    before, after = (
        torch.tensor(logits).double().log_softmax(0) for logits in (effect.logits_before, effect.logits_after)
    )
    expected = torch.nn.functional.kl_div(after, before, log_target=True, reduction="sum")
    assert effect.kl == pytest.approx(float(expected), rel=1e-9)
    assert effect.kl > 0
    half = with_logits(effect, [0.0, 0.0], [np.log(3), 0.0])
    assert half.kl == pytest.approx(0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25), rel=1e-6)


def test_probabilities_are_computed_in_double_precision(effect: Effect) -> None:
    likely = with_logits(effect, [16.0, 1.0, 0.0], [0.5, 2.5, 0.25])
    before, after = (np.exp(row) / np.exp(row).sum() for row in ([16.0, 1.0, 0.0], [0.5, 2.5, 0.25]))
    for token in range(3):
        assert likely.probability(token) == pytest.approx((before[token], after[token]), rel=1e-13)


def test_what_changed_nothing_diverges_by_nothing_and_huge_logits_do_no_harm(effect: Effect) -> None:
    same = with_logits(effect, [3.0, -2.0, 0.5], [4.0, -1.0, 1.5])
    assert same.kl == pytest.approx(0, abs=1e-12)
    assert with_logits(effect, [1e4, 0.0], [0.0, 1e4]).kl == pytest.approx(1e4)


def test_ranks_count_from_one_and_ties_share_one(effect: Effect) -> None:
    ranked = with_logits(effect, [1.0, 3.0, 3.0, 2.0], [4.0, 3.0, 5.0, 5.0])
    assert [ranked.rank(token) for token in range(4)] == [(4, 3), (1, 4), (1, 1), (3, 1)]
    likeliest = effect.tokens.iloc[0]
    assert effect.rank(likeliest["token"])[0] == effect.rank(int(likeliest["token_id"]))[0] == 1
    assert effect.probability(likeliest["token"]) == pytest.approx((likeliest["before"], likeliest["after"]))


@pytest.mark.parametrize("spellings", [(" Paris", "Paris"), ("Paris", " Paris")])
@pytest.mark.parametrize("after", [-9.0, 9.0])
def test_a_text_is_the_same_token_whatever_was_changed(
    effect: Effect, after: float, spellings: tuple[str, str]
) -> None:
    """Of the spellings with and without a space, it is the likelier one before, as it is for targets."""
    first, second, *others = effect.graph.targets
    targets = (replace(first, token=spellings[0]), replace(second, token=spellings[1]), *others)
    before, changed = effect.logits_before.copy(), effect.logits_after.copy()
    before[[first.token_id, second.token_id]] = 3.0, 1.0
    changed[second.token_id] = after
    graph = replace(effect.graph, targets=targets)
    spelt = replace(effect, graph=graph, logits_before=before, logits_after=changed)
    assert spelt.token_id("Paris") == first.token_id
    assert spelt.token_id(" Paris") == (first if spellings[0] == " Paris" else second).token_id


@pytest.mark.parametrize(
    ("token", "message"),
    [("nowhere", "'nowhere' is neither a target nor among"), (-1, "Token ids lie in 0 to 205; given -1"), (206, "206")],
)
def test_a_token_that_is_not_there_is_named(effect: Effect, token: str | int, message: str) -> None:
    with pytest.raises(PromptError) as refusal:
        effect.rank(token)
    assert message in str(refusal.value)


def test_the_frame_holds_features_then_targets_before_after_and_predicted(graph: Graph) -> None:
    new = Feature(1, 5, next(n for n in range(512) if Feature(1, 5, n).id not in graph.node_ids))
    labelled = replace(graph, labels={graph.node_ids[0]: "first"})
    effect = reference_model().intervene(labelled, [Ablate(graph.node_ids[3]), Set(new, 2.0)])
    frame = effect.to_frame()
    assert list(frame.columns) == ["kind", "id", "label", "before", "after", "predicted"]
    features, logits = frame[frame["kind"] == "feature"], frame[frame["kind"] == "logit"]
    assert len(features) + len(logits) == len(frame)
    assert features["id"].tolist() == [*graph.node_ids[: graph.n_features], new.id]
    assert features["label"].tolist()[:2] == ["first", ""]
    assert (features.iloc[3]["after"], features.iloc[-1]["after"]) == (0.0, 2.0)
    assert logits["id"].tolist() == list(graph.node_ids[-len(graph.targets) :])
    assert logits["label"].tolist() == [target.token for target in graph.targets]
    np.testing.assert_allclose(logits["before"], [target.logit for target in graph.targets], rtol=1e-5)
    ids = [target.token_id for target in graph.targets]
    np.testing.assert_array_equal(logits["after"], effect.logits_after[ids])
    np.testing.assert_array_equal(logits["predicted"], list(effect.predicted_logits.values()))
    assert not np.array_equal(logits["after"], logits["predicted"])


def test_groups_have_rows_of_their_summed_activations(graph: Graph, effect: Effect) -> None:
    ids = graph.node_ids[: graph.n_features]
    groups = {"some": ids[:4], "others": ids[4:6]}
    frame = effect.to_frame(groups)
    rows: Any = frame[frame["kind"] == "supernode"].set_index("label")
    assert rows.index.tolist() == ["some", "others"]
    for name, nodes in groups.items():
        sums = effect.nodes.set_index("id").loc[list(nodes)].sum()
        for column in ("before", "after", "predicted"):
            assert rows.loc[name, column] == pytest.approx(sums[column], rel=1e-6)
        measured, predicted = effect.ratio(nodes)
        assert rows.loc[name, "after"] / rows.loc[name, "before"] == pytest.approx(measured, rel=1e-5)
        assert rows.loc[name, "predicted"] / rows.loc[name, "before"] == pytest.approx(predicted, rel=1e-5)
    circuit = Circuit().group("some", ids[:4]).pin([graph.node_ids[graph.n_features]])
    assert effect.to_frame(circuit)["kind"].tolist().count("supernode") == 1
    assert len(effect.to_frame()) == len(frame) - 2

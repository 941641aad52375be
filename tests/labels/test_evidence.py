"""The weights of examples: the strongest ones have a third, the random choice the rest by its histogram."""

import pytest
import torch

from circuit_widget.examples.layer_state import LayerState
from circuit_widget.labels.evidence import Evidence, WordCounts, evidence_of
from circuit_widget.labels.vocabulary import Spelling
from tests.labels.made_evidence import vocabulary_of

WORDS = ("<unk>", " Paris", " the", "The")
PARIS, THE, CAPITAL_THE = 1, 2, 3


def made(*, signed: bool, start: str | None = None) -> Evidence:
    """One feature with strongest examples at 8, 6 and 5, and one drawn at 7 and one at 3, that is active at 11 tokens."""
    state = LayerState.empty(0, 1, signed=signed, device=torch.device("cpu"))
    side = state.sides[0]
    strongest, drawn = side.strongest.slots, side.levels.slots
    for slots, places in ((strongest, {0: 8.0, 1: 6.0, 2: 5.0}), (drawn, {0: 7.0, 3: 3.0})):
        for place, value in places.items():
            slots.values[0, place] = value
            slots.texts[0, place] = int(value)
            slots.tokens[0, place] = THE
            slots.tokens[0, place, 3] = CAPITAL_THE
            slots.tokens[0, place, 15] = PARIS
    strongest.texts[0, 2] = 7
    side.histograms.exponents[0] = 4
    # Bins are 0.25 wide: one token near 7.1, ten near 3.1.
    side.histograms.counts[0, 28] = 1
    side.histograms.counts[0, 12] = 10
    # Ten windows: at the first tokens of four of them it is near 24.3, near 13.3 and near 4.3, the last two twice.
    state.windows.add_(10)
    first = side.first
    first.strongest.slots.values[0, 0] = 24.3
    first.histograms.exponents[0] = 5
    first.histograms.counts[0, [48, 26, 8]] = torch.tensor([1, 2, 2])
    vocabulary = vocabulary_of(WORDS, start=start)
    counts = WordCounts(state, vocabulary, n_tokens=230)
    return evidence_of(side, vocabulary, counts, slice(0, 1), signed=signed)


def test_the_random_choice_has_most_of_the_weight_by_the_histogram() -> None:
    found = made(signed=False)
    expected = torch.zeros(24)
    expected[:3] = torch.tensor([8.0, 6.0, 5.0]) / 19 / 3
    expected[[12, 15]] = torch.tensor([1 * 28.5, 10 * 12.5]) / (28.5 + 125) * 2 / 3
    torch.testing.assert_close(found.weights[0], expected)
    assert found.active.tolist() == [11.0]
    assert found.levels.tolist() == [0.0]


def test_a_neuron_counts_above_half_of_its_maximum() -> None:
    found = made(signed=True)
    assert found.levels.tolist() == [4.0]
    assert found.active.tolist() == [1.0]
    assert found.weights[0, 12].item() == pytest.approx(2 / 3)
    assert found.weights[0, 15].item() == 0.0


def test_an_example_that_is_there_twice_counts_once() -> None:
    assert made(signed=False).fresh[0].nonzero()[:, 0].tolist() == [0, 1, 2, 15]


def test_first_tokens_are_counted_apart() -> None:
    """At five first tokens it adds up to about 59.25, elsewhere to 38.375; three are above half of 24.3."""
    first = made(signed=False).first
    assert first.shares.tolist() == pytest.approx([59.25 / (59.25 + 38.375)])
    assert (first.active.tolist(), first.windows) == ([3.0], 10)


def test_words_are_counted_beside_the_peaks() -> None:
    """Of 23 tokens beside each peak one is "The" and 22 are "the"; there are 230 tokens in all texts."""
    found = made(signed=False)
    assert found.occurrences[Spelling.ANY_CASE][0, 0, 0].item() == pytest.approx(230)
    assert found.occurrences[Spelling.EXACT][0, 0, 0].item() == pytest.approx(220)
    assert found.occurrences[Spelling.EXACT][0, 0, 1].item() == 1.0


def test_what_begins_all_texts_is_as_frequent_as_windows_are() -> None:
    """Beside the peaks it is at nearly all places, in all texts at the beginning of each of the 10 windows."""
    found = made(signed=False, start=WORDS[THE])
    assert found.occurrences[Spelling.ANY_CASE][0, 0, 0].item() == 10.0

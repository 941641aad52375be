"""Which examples are kept: the strongest, of different words first, and random ones in ranges of activation."""

import itertools

import pytest
import torch

from circuit_widget.examples import activation_ranges, strongest_examples
from circuit_widget.examples.batch import batches_of, mixed, passages_of
from circuit_widget.examples.histogram import BINS, Histograms


def chosen(values: list[float], texts: list[int], words: list[int], count: int = 3) -> list[float]:
    order, filled = strongest_examples.choose(
        torch.tensor([values], dtype=torch.float32), torch.tensor([texts]), torch.tensor([words]), count
    )
    return [values[column] for column, full in zip(order[0].tolist(), filled[0].tolist(), strict=True) if full]


@pytest.mark.parametrize(
    ("values", "texts", "words", "expected"),
    [
        ([1, 3, 2, 4], [1, 2, 3, 4], [1, 2, 3, 4], [4, 3, 2]),
        ([5, 4, 3, 2.6], [1, 2, 3, 4], [7, 7, 7, 8], [5, 2.6, 4]),  # another word comes first
        ([5, 4, 3, 1], [1, 2, 3, 4], [7, 7, 7, 8], [5, 4, 3]),  # but not where it is weak
        ([5, 5, 3, 1], [1, 1, 2, 3], [7, 7, 7, 7], [5, 3, 1]),  # no passage twice
        ([5, 0, 0, 0], [1, 0, 0, 0], [7, 0, 0, 0], [5]),
        ([0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], []),
    ],
)
def test_the_strongest_are_of_different_words_first(
    values: list[float], texts: list[int], words: list[int], expected: list[float]
) -> None:
    assert chosen(values, texts, words) == pytest.approx(expected)


def test_of_equal_ones_the_earlier_is_kept() -> None:
    order, _ = strongest_examples.choose(
        torch.tensor([[2.0, 2.0, 2.0]]), torch.tensor([[1, 2, 3]]), torch.tensor([[1, 1, 1]]), 2
    )
    assert order.tolist() == [[0, 1]]


def test_each_range_keeps_the_examples_of_smallest_priority() -> None:
    values = torch.tensor([[7.0, 6.0, 5.0, 4.0, 3.0, 1.5, 0.1, 0.2, 0.0]])
    found = activation_ranges.level_of(values, torch.tensor([3]))
    assert found.tolist()[0][:8] == [0, 0, 0, 0, 1, 2, 3, 3]
    priorities = torch.tensor([[40, 30, 20, 10, 5, 5, 9, 8, 0]])
    texts = torch.tensor([[4, 3, 2, 1, 5, 6, 9, 8, 0]])
    order, filled = activation_ranges.choose(found, priorities, texts, values > 0)
    kept = [[values[0, column].item() for column in part] for part in order.unflatten(1, (4, 3))[0].tolist()]
    full = filled.unflatten(1, (4, 3))[0].tolist()
    named = [
        [round(one, 3) for one, is_full in zip(*pair, strict=True) if is_full] for pair in zip(kept, full, strict=True)
    ]
    assert named == [[4.0, 5.0, 6.0], [3.0], [1.5], [0.2, 0.1]]


def test_a_passage_is_chosen_at_random_once() -> None:
    values = torch.full((1, 5), 1.0)
    texts = torch.tensor([[3, 3, 3, 4, 4]])
    order, filled = activation_ranges.choose(
        activation_ranges.level_of(values, torch.tensor([1])), texts * 10, texts, values > 0
    )
    assert order[0][filled[0]].tolist() == [0, 3]


def test_a_histogram_does_not_depend_on_the_order_of_texts() -> None:
    generator = torch.Generator().manual_seed(0)
    parts = [torch.rand(50, 6, generator=generator) * size for size in (0.01, 3.0, 1.0, 4.0, 0.0)]
    found = []
    for order in itertools.permutations(parts):
        histograms = Histograms.empty(6, torch.device("cpu"))
        for part in order:
            histograms.widen(part.amax(0))
            histograms.add_all(part)
        found.append(histograms)
    values = torch.cat(parts)
    for one in found:
        assert torch.equal(one.counts, found[0].counts)
        assert torch.equal(one.exponents, found[0].exponents)
    width = 2.0 ** found[0].exponents[2].item() / BINS
    positive = values[:, 2][values[:, 2] > 0]
    assert found[0].counts[2].tolist() == torch.bincount((positive / width).long(), minlength=BINS).tolist()
    assert int(found[0].counts[2].nonzero().max()) >= BINS // 2


def test_few_activations_are_counted_as_many_are() -> None:
    values = torch.rand(40, 5, generator=torch.Generator().manual_seed(1)) - 0.5
    every, some = (Histograms.empty(5, torch.device("cpu")) for _ in range(2))
    for one in (every, some):
        one.widen(values.amax(0).clamp(min=0))
    positive = every.add_all(values)
    rows, features = torch.nonzero(values > 0, as_tuple=True)
    some.add(features, values[rows, features])
    assert torch.equal(every.counts, some.counts)
    assert torch.equal(positive, (values > 0).sum(0))


def test_windows_of_similar_length_run_together_and_none_is_lost() -> None:
    windows = [[1] * length for length in (3, 9, 4, 30, 8, 2)]
    batches = list(batches_of(windows, 20, 1, lambda token: token))
    assert [batch.lengths.tolist() for batch in batches] == [[30], [9, 8], [4, 3, 2]]
    assert sum(batch.n_tokens for batch in batches) == sum(len(window) - 1 for window in windows)


def test_a_passage_has_one_number_wherever_it_stands() -> None:
    tokens = torch.tensor([[9, 1, 2, 3, 4, 5, 6, 7, 8], [0, 1, 2, 3, 4, 5, 6, 7, 8]])
    found = passages_of(tokens)
    assert found[0, 8] == found[1, 8]
    assert found[0, 7] != found[1, 7]
    assert len(set(mixed(torch.arange(10_000)).tolist())) == 10_000

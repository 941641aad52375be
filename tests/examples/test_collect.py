"""What is collected is what plain passes give, whatever stops the collection in between."""

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from circuit_widget.errors import Cancelled, CircuitWidgetWarning, LoadError, PromptError
from circuit_widget.examples import collect
from circuit_widget.examples import folder as folders
from circuit_widget.examples.batch import BEFORE
from circuit_widget.examples.layer_file import write_layer
from circuit_widget.examples.manifest import read_manifest
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.transcoder.per_layer import PerLayerTranscoders
from tests.examples.models import contents, joint_model, neuron_model, random_texts, rows_of
from tests.models import per_layer, run_of, tiny_model

TEXTS = random_texts(24)


class Killed(BaseException):
    """Stands for the end of the process."""


def activations(model: ReplacementModel, text: str) -> list[torch.Tensor]:
    """The activations of all features of each layer on one text, BOS left out, from a run of this text alone."""
    found = run_of(model, model.read_prompt(text).token_ids).activations
    n_tokens = count_tokens(model, [text])
    dense = [torch.zeros(n_tokens, model.transcoders.n_features(layer), dtype=torch.float64) for layer in range(3)]
    for layer, values in enumerate(dense):
        here = found.layer == layer
        values[found.position[here] - 1, found.feature[here]] = torch.from_numpy(found.value[here]).double()
    return dense


def count_tokens(model: ReplacementModel, texts: list[str]) -> int:
    """The number of tokens of texts, BOS left out."""
    return sum(len(model.read_prompt(text)) - 1 for text in texts)


MODELS: dict[str, Callable[[], ReplacementModel]] = {
    "relu": tiny_model,
    "top_k": lambda: tiny_model(top_k=5),
    "cross_layer": lambda: tiny_model(cross_layer=True, jump=True),
    "joint": joint_model,
    "neurons": neuron_model,
}


@pytest.mark.parametrize("kind", list(MODELS))
def test_statistics_are_those_of_plain_passes(kind: str, tmp_path: Path) -> None:
    model = MODELS[kind]()
    found = model.collect_examples(TEXTS, tmp_path, progress=False)
    plain = [activations(model, text) for text in TEXTS]
    for layer in range(3):
        first = torch.stack([of_text[layer][0] for of_text in plain])
        expected = torch.cat([of_text[layer][1:] for of_text in plain])
        rows = rows_of(tmp_path, layer)
        assert found.n_tokens == len(first) + len(expected)
        assert set(rows["windows"]) == {len(TEXTS)}
        np.testing.assert_array_equal(rows["active"], (expected != 0).sum(0))
        np.testing.assert_allclose(rows["total"], expected.sum(0), atol=2e-3)
        parts = itertools.product((("", 1), ("low_", -1)), (("", "strongest", expected), ("first_", "first", first)))
        for (prefix, sign), (part, pool, values_there) in parts:
            if f"{prefix}exponent" not in rows:
                continue
            signed = sign * values_there
            best = [max(values, default=0.0) for values in rows[f"{prefix}{pool}_values"]]
            np.testing.assert_allclose(best, signed.amax(0).clamp(min=0), atol=1e-4)
            for feature in range(0, len(best), 7):
                width = 2.0 ** rows[f"{prefix}{part}exponent"][feature] / 64
                values = signed[:, feature][signed[:, feature] > 0]
                counts = np.bincount((values / width).long().numpy(), minlength=64)
                # A value at the border of two bins may be in the other one: batches round differently.
                assert np.abs(np.cumsum(counts - np.array(rows[f"{prefix}{part}histogram"][feature]))).max() <= 1


def test_the_strongest_example_has_the_texts_tokens_and_activations(tmp_path: Path) -> None:
    model = tiny_model()
    model.collect_examples(TEXTS, tmp_path, progress=False)
    plain = [activations(model, text) for text in TEXTS]
    for layer, feature in ((0, 3), (1, 11), (2, 25)):
        by_text = [of_text[layer][:, feature] for of_text in plain]
        for values in by_text:
            values[0] = 0.0  # the first token is left out
        best = max(range(len(TEXTS)), key=lambda number: float(by_text[number].max()))
        peak = int(by_text[best].argmax())
        example = model.feature_card(layer, feature).examples[0]
        texts = model.read_prompt(TEXTS[best]).texts
        start = max(0, peak + 1 - BEFORE)
        assert example.tokens == texts[start : start + len(example.tokens)]
        expected = [0.0, *by_text[best].tolist()][start : start + len(example.tokens)]
        np.testing.assert_allclose(example.activations, expected, atol=1e-4)


def test_long_texts_are_split_into_windows(tmp_path: Path) -> None:
    model = tiny_model()
    words = " ".join(random_texts(8, longest=20))
    count = len(model.model.tokenizer(words, add_special_tokens=False).input_ids)
    assert count > 2 * model.model.context_length
    assert model.collect_examples([words], tmp_path / "a", progress=False).n_tokens == count
    parts = words.split()
    pieces = [" ".join(parts[first : first + 7]) for first in range(0, len(parts), 7)]
    model.collect_examples([words], tmp_path / "b", window=8, progress=False)
    model.collect_examples(pieces, tmp_path / "c", progress=False)
    np.testing.assert_array_equal(rows_of(tmp_path / "b", 1)["active"], rows_of(tmp_path / "c", 1)["active"])


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a few texts, and a save after each."""
    monkeypatch.setattr(collect, "BATCH_TOKENS", 64)
    monkeypatch.setattr(collect, "BATCHES_IN_ROUND", 3)
    monkeypatch.setattr(collect, "SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(collect, "SHARE_OF_SAVING", 1e9)


def kill_after(batches: int) -> Any:
    left = [batches]

    def progress(_: float, __: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    return progress


def true_after(calls: int) -> Callable[[], bool]:
    answers = iter([False] * (calls - 1))
    return lambda: next(answers, True)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("kind", ["features", "neurons"])
def test_killed_anywhere_and_called_again_it_gives_the_same(kind: str, tmp_path: Path) -> None:
    model = neuron_model() if kind == "neurons" else tiny_model()
    texts = [*TEXTS[:6], "", *TEXTS[6:16]]
    whole = model.collect_examples(texts, tmp_path / "whole", progress=False)
    choice, kills = random.Random(0), 0
    while True:
        try:
            found = model.collect_examples(iter(texts), tmp_path / "killed", progress=kill_after(choice.randint(1, 3)))
            break
        except Killed:
            kills += 1
    assert kills >= 2
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert (found.n_tokens, found.skipped) == (whole.n_tokens, {"empty": 1})
    assert read_manifest(tmp_path / "killed").sources == read_manifest(tmp_path / "whole").sources


@pytest.mark.usefixtures("small_batches")
def test_killed_while_it_saves_it_goes_on_from_the_save_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()
    model.collect_examples(TEXTS, tmp_path / "whole", progress=False)
    left = [5]

    def killed(*given: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        write_layer(*given)

    with monkeypatch.context() as patched:
        patched.setattr(folders, "write_layer", killed)
        with pytest.raises(Killed):
            model.collect_examples(TEXTS, tmp_path / "killed", progress=False)
    saved = read_manifest(tmp_path / "killed")
    assert saved.generation == 1
    assert saved.n_tokens > 0
    model.collect_examples(TEXTS, tmp_path / "killed", progress=False)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    valid = read_manifest(tmp_path / "killed")
    names = {valid.file_of(tmp_path / "killed", layer).name for layer in range(3)}
    assert {path.name for path in (tmp_path / "killed").iterdir()} == {*names, "examples.json", ".lock"}


@pytest.mark.usefixtures("small_batches")
def test_cancelled_it_saves_and_goes_on(tmp_path: Path) -> None:
    model = tiny_model()
    model.collect_examples(TEXTS, tmp_path / "whole", progress=False)
    with pytest.raises(Cancelled, match="are saved; the same call goes on"):
        model.collect_examples(TEXTS, tmp_path / "some", progress=False, cancelled=true_after(2))
    assert 0 < read_manifest(tmp_path / "some").n_tokens < read_manifest(tmp_path / "whole").n_tokens
    model.collect_examples(TEXTS, tmp_path / "some", progress=False)
    assert contents(tmp_path / "some") == contents(tmp_path / "whole")


def test_more_texts_are_added_and_known_ones_passed_over(tmp_path: Path) -> None:
    model = tiny_model()
    both = tmp_path / "both"
    first = model.collect_examples(TEXTS[:10], both, progress=False)
    again = model.collect_examples(TEXTS[:10], both, progress=False)
    assert (again.n_tokens, read_manifest(both).generation) == (first.n_tokens, 1)
    longer = model.collect_examples(TEXTS[:15], both, progress=False)
    model.collect_examples(TEXTS[15:], both, progress=False)
    once = model.collect_examples(TEXTS, tmp_path / "once", progress=False)
    assert first.n_tokens < longer.n_tokens < once.n_tokens == read_manifest(both).n_tokens
    for found, expected in zip(contents(both), contents(tmp_path / "once"), strict=True):
        assert found["active"] == expected["active"]
        np.testing.assert_allclose(found["total"], expected["total"], atol=1e-3)
        for one, other in zip(found["strongest_values"], expected["strongest_values"], strict=True):
            np.testing.assert_allclose(one[:1], other[:1], atol=1e-4)
        for one, other in zip(found["levels_priorities"], expected["levels_priorities"], strict=True):
            assert len(set(one) ^ set(other)) <= 2  # of two ranges that a rounded value is between


def test_texts_that_only_begin_alike_are_refused(tmp_path: Path) -> None:
    model = tiny_model()
    model.collect_examples(TEXTS[:4], tmp_path, progress=False)
    for others, message in (
        ([TEXTS[0], *TEXTS[5:9]], "begin with the same one as texts that were collected before"),
        (TEXTS[:2], "There are 2 of these texts, and 4 were collected before"),
    ):
        with pytest.raises(PromptError, match=message):
            model.collect_examples(others, tmp_path, progress=False)
    assert read_manifest(tmp_path).generation == 1


@pytest.mark.usefixtures("small_batches")
def test_other_texts_after_an_unfinished_call_are_added_with_a_warning(tmp_path: Path) -> None:
    model = tiny_model()
    with pytest.raises(Cancelled):
        model.collect_examples(TEXTS[:16], tmp_path, progress=False, cancelled=true_after(2))
    before = read_manifest(tmp_path).n_tokens
    with pytest.warns(CircuitWidgetWarning, match="which a call did not finish"):
        model.collect_examples(TEXTS[16:], tmp_path, progress=False)
    assert read_manifest(tmp_path).n_tokens > before
    model.collect_examples(TEXTS[:16], tmp_path, progress=False)
    assert read_manifest(tmp_path).n_tokens == count_tokens(model, TEXTS)


def test_max_tokens_ends_early_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    model = tiny_model()
    few = model.collect_examples(TEXTS, tmp_path, max_tokens=50, progress=False)
    assert 50 <= few.n_tokens < 50 + model.model.context_length
    same = model.collect_examples(TEXTS, tmp_path, max_tokens=50, progress=False)
    assert same.n_tokens == few.n_tokens
    whole = model.collect_examples(TEXTS, tmp_path, progress=False)
    assert whole.n_tokens == count_tokens(model, TEXTS)


@pytest.mark.parametrize("batches", ["whole", "small"])
def test_max_tokens_ends_within_a_window_also_in_the_middle_of_a_long_text(
    batches: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if batches == "small":
        request.getfixturevalue("small_batches")
    model = tiny_model()
    window = model.model.context_length
    texts = [*random_texts(3), *(" ".join(random_texts(40, seed=seed)) for seed in range(3)), *random_texts(3, seed=1)]
    whole = model.collect_examples(texts, tmp_path / "whole", progress=False)
    assert whole.n_tokens > 20 * window
    n_tokens, most = 0, 5
    while n_tokens < whole.n_tokens:
        found = model.collect_examples(texts, tmp_path / "parts", max_tokens=most, progress=False)
        assert min(most, whole.n_tokens) <= found.n_tokens < max(most, n_tokens) + window
        n_tokens, most = found.n_tokens, most + 150
    assert read_manifest(tmp_path / "parts").sources[0].texts == len(texts)
    for found_rows, rows in zip(contents(tmp_path / "parts"), contents(tmp_path / "whole"), strict=True):
        assert found_rows["active"] == rows["active"]


@pytest.mark.usefixtures("small_batches")
def test_cancelled_with_max_tokens_it_goes_on_to_the_same_end(tmp_path: Path) -> None:
    model = tiny_model()
    texts = [" ".join(random_texts(40, seed=seed)) for seed in range(3)]
    model.collect_examples(texts, tmp_path / "whole", max_tokens=500, progress=False)
    with pytest.raises(Cancelled):
        model.collect_examples(texts, tmp_path / "some", max_tokens=500, progress=False, cancelled=true_after(3))
    model.collect_examples(texts, tmp_path / "some", max_tokens=500, progress=False)
    assert contents(tmp_path / "some") == contents(tmp_path / "whole")
    assert read_manifest(tmp_path / "some").n_tokens < 500 + model.model.context_length


def test_without_texts_the_model_is_sampled_and_the_card_says_so(tmp_path: Path) -> None:
    model = tiny_model()
    found = model.collect_examples(None, tmp_path / "a", max_tokens=100, progress=False)
    assert found.n_tokens >= 100
    model.collect_examples(None, tmp_path / "b", max_tokens=100, progress=False)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    more = model.collect_examples(None, tmp_path / "a", max_tokens=400, progress=False)
    assert more.n_tokens >= 400
    assert (
        model.feature_card(0, 0).origin == f"{more.n_tokens:,} tokens of samples of the model itself at temperature 1"
    )


def test_no_text_at_all_is_refused_and_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match=r"no text to run \(2 empty, 1 with half a character\)"):
        tiny_model().collect_examples(["", "  \n", "\ud800"], tmp_path / "new", progress=False)
    assert not (tmp_path / "new").exists()


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = tiny_model()
    with torch.no_grad():
        model.model.network.model.embed_tokens.weight.fill_(torch.inf)
    with pytest.raises(PromptError, match="features of layer 0 read is not finite"):
        model.collect_examples(TEXTS, tmp_path / "new", progress=False)
    assert not (tmp_path / "new").exists()


def test_a_window_that_differs_from_the_folders_is_refused(tmp_path: Path) -> None:
    model = tiny_model()
    model.collect_examples(TEXTS[:2], tmp_path, progress=False)
    with pytest.raises(LoadError, match="window is 16, but the examples in this folder are of windows of 32"):
        model.collect_examples(TEXTS[2:], tmp_path, window=16, progress=False)


def test_layers_without_features_are_passed_over(tmp_path: Path) -> None:
    whole = tiny_model()
    none = replace(
        per_layer(whole).layers[1], encoder=torch.zeros(0, 32), encoder_bias=torch.zeros(0), decoder=torch.zeros(0, 32)
    )
    layers = (per_layer(whole).layers[0], none, per_layer(whole).layers[2])
    some = ReplacementModel(whole.model, PerLayerTranscoders("some", layers, "mlp_input", "mlp_output"))
    for texts in (TEXTS[:4], TEXTS[4:8]):
        found = some.collect_examples(texts, tmp_path / "some", progress=False)
        whole.collect_examples(texts, tmp_path / "whole", progress=False)
    assert found.n_features == 80
    assert rows_of(tmp_path / "some", 1)["feature"] == []
    assert rows_of(tmp_path / "some", 2) == rows_of(tmp_path / "whole", 2)

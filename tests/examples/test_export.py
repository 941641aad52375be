"""Examples that this package writes for others: read back they are the same, and the files are those that others read."""

import gzip
import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from circuit_widget.errors import Cancelled, LoadError
from circuit_widget.examples.exchange.neuronpedia import NEGATIVE_NOTE
from circuit_widget.feature_card import FeatureCard
from circuit_widget.replacement_model import ReplacementModel
from tests.examples.models import neuron_model, random_texts
from tests.examples.published import HOSTILE, document, explanation, member, write_export, write_indexed
from tests.models import tiny_model

FORMATS = ("circuit-tracer", "neuronpedia")


def collected(make: Callable[[], ReplacementModel], folder: Path) -> ReplacementModel:
    """A model with examples of its own and two labels; if its features have two signs, one has a label for each."""
    model = make()
    model.collect_examples(random_texts(6), folder / "collected", progress=False)
    labels = [explanation(0, 3, "of Texas"), explanation(2, 7, HOSTILE)]
    if make is neuron_model:
        labels.append(explanation(0, 3, "of no state", notes=NEGATIVE_NOTE))
    model.read_examples(write_export(folder / "labels", {"a.jsonl": labels}), progress=False)
    return model


def without_first_tokens(card: FeatureCard) -> FeatureCard:
    """A card without its examples at first tokens."""
    return replace(card, levels=tuple(level for level in card.levels if level.name != "first tokens"))


def both(one: ReplacementModel, other: ReplacementModel) -> list[tuple[FeatureCard, FeatureCard]]:
    """The cards of all features of two models."""
    places = [(layer, feature) for layer in range(3) for feature in range(one.transcoders.n_features(layer))]
    return [(one.feature_card(*place), other.feature_card(*place)) for place in places]


@pytest.mark.parametrize("make", [tiny_model, neuron_model], ids=["transcoders", "neurons"])
@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_written_is_read_again(tmp_path: Path, kind: str, make: Callable[[], ReplacementModel]) -> None:
    model = collected(make, tmp_path)
    written = model.export_examples(tmp_path / "export", kind, progress=False)
    again = make()
    found = again.read_examples(tmp_path / "export", progress=False)
    cards = both(model, again)
    if kind == "neuronpedia":
        cards = [(without_first_tokens(before), after) for before, after in cards]
    counted = sum(
        len(card.examples) + len(card.lowest) + sum(len(one.examples) for one in card.levels) for card, _ in cards
    )
    assert written.n_examples == counted
    assert (written.n_features, written.n_labels) == (found.n_features, found.n_labels) == (found.n_features, 2)
    assert found.skipped == {}
    for before, after in cards:
        if kind == "neuronpedia":
            before = replace(before, levels=tuple(replace(level, share=None) for level in before.levels), origin=None)
            after = replace(after, origin=None)
        unknown: dict[str, Any] = {"mean": None, "histogram": None, "label_origin": None, "other_label": None}
        unknown["first_position"] = None
        if not before.examples and not before.lowest and not before.levels:
            unknown |= {"frequency": None, "maximum": None, "minimum": None, "origin": None}
        assert replace(after, **unknown) == replace(before, **unknown)
        assert after.at(-1).label == before.at(-1).label
    assert again.feature_card(0, 3).label == "of Texas"
    assert again.feature_card(0, 3).at(-1).label == ("of no state" if make is neuron_model else None)
    assert any(card.lowest for card, _ in cards) == (make is neuron_model)


def test_names_of_groups_are_kept(tmp_path: Path) -> None:
    quantiles = [
        {"quantile_name": "Top activations", "examples": [{"tokens": ["a", HOSTILE], "tokens_acts_list": [1, 2]}]},
        {"quantile_name": HOSTILE, "examples": [{"tokens": ["b"], "tokens_acts_list": [0.1]}]},
        {"quantile_name": "Random samples", "examples": [{"tokens": ["c"], "tokens_acts_list": [0]}]},
    ]
    content = document(3, examples_quantiles=quantiles, act_min=-0.5)
    model = tiny_model()
    model.read_examples(write_indexed(tmp_path / "features", [{3: member(content)}, {}, {}]), progress=False)
    model.export_examples(tmp_path / "export", progress=False)
    again = tiny_model()
    again.read_examples(tmp_path / "export", progress=False)
    for before, after in both(model, again):
        assert after == before
    assert [level.name for level in again.feature_card(0, 3).levels][1:] == ["Random samples"]


def test_other_tools_find_what_they_look_for(tmp_path: Path) -> None:
    model = collected(tiny_model, tmp_path)
    model.export_examples(tmp_path / "export", progress=False)
    index = json.loads(gzip.decompress((tmp_path / "export/index.json.gz").read_bytes()))
    assert list(index) == ["0", "1", "2"]
    for layer, entry in index.items():
        content = (tmp_path / "export" / entry["filename"]).read_bytes()
        assert (len(entry["offsets"]), entry["offsets"][0], entry["offsets"][-1]) == (41, 0, len(content))
        for feature, start in enumerate(entry["offsets"][:-1]):
            card = model.feature_card(int(layer), feature)
            if not card.examples and not card.levels:
                assert start == entry["offsets"][feature + 1]
                continue
            (length,) = struct.unpack("<I", content[start : start + 4])
            found = json.loads(gzip.decompress(content[start + 4 : start + 4 + length]))
            assert (found["index"], found["transcoder_id"], found["act_min"]) == (feature, "random", 0.0)
            assert (found["act_max"], found["activation_frequency"]) == (card.maximum, card.frequency)
            assert found["top_logits"] == [token for token, _ in card.promoted]
            assert found["bottom_logits"] == [token for token, _ in card.suppressed]
            names = [one["quantile_name"] for one in found["examples_quantiles"]]
            assert names[0] == "Top activations"
            ranges = [f"Activations {level.least:.4g} to {level.most:.4g}" for level in card.levels]
            assert names[1:] == [level.name or of_range for level, of_range in zip(card.levels, ranges, strict=True)]
            if not card.examples:
                assert names == ["Top activations", "first tokens"]
                continue
            first = found["examples_quantiles"][0]["examples"][0]
            assert first["tokens"] == list(card.examples[0].tokens)
            assert first["tokens_acts_list"][first["train_token_ind"]] == max(first["tokens_acts_list"])
            assert first["is_repeated_datapoint"] is False


def test_neuronpedia_has_its_folders_and_fields(tmp_path: Path) -> None:
    model = collected(tiny_model, tmp_path)
    model.export_examples(tmp_path / "export", "neuronpedia", progress=False)
    source = tmp_path / "export/tiny/0-random"
    lines = {
        name: [
            json.loads(line) for line in gzip.decompress((source / name / "batch-0.jsonl.gz").read_bytes()).splitlines()
        ]
        for name in ("activations", "explanations", "features")
    }
    assert [line["description"] for line in lines["explanations"]] == ["of Texas"]
    numbers = {line["index"]: line for line in lines["features"]}
    for line in lines["activations"]:
        assert (line["modelId"], line["layer"]) == ("tiny", "0-random")
        assert line["values"][line["maxValueTokenIndex"]] == line["maxValue"] == max(line["values"])
        assert line["minValue"] == min(line["values"])
        card = model.feature_card(0, int(line["index"]))
        assert numbers[line["index"]]["maxActApprox"] == card.maximum
        assert numbers[line["index"]]["frac_nonzero"] == card.frequency
        if line["binContains"] == -1:
            assert (line["binMin"], line["binMax"]) == (-1, card.maximum)
        else:
            (level,) = [one for one in card.levels if (one.least, one.most) == (line["binMin"], line["binMax"])]
            assert line["binContains"] == pytest.approx((level.share or 0.0) * (card.frequency or 0.0))


@pytest.mark.parametrize("kind", FORMATS)
def test_an_export_that_is_cancelled_leaves_nothing(tmp_path: Path, kind: str) -> None:
    model = collected(tiny_model, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    seen: list[float] = []
    for calls in (0, 1, 60):
        cancelled = iter([*[False] * calls, True]).__next__
        with pytest.raises(Cancelled, match="nothing was written"):
            model.export_examples(
                tmp_path / "export", kind, progress=lambda done, _: seen.append(done), cancelled=cancelled
            )
        assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert seen == [0.0, *(number / 120 for number in range(60))]


def test_an_export_into_a_folder_with_files_is_refused(tmp_path: Path) -> None:
    model = collected(tiny_model, tmp_path)
    (tmp_path / "export").mkdir()
    model.export_examples(tmp_path / "export", progress=False)
    before = sorted((path.name, path.read_bytes()) for path in (tmp_path / "export").iterdir())
    with pytest.raises(LoadError, match="there is something of this name"):
        model.export_examples(tmp_path / "export", progress=False)
    assert sorted((path.name, path.read_bytes()) for path in (tmp_path / "export").iterdir()) == before


def test_nothing_to_write_is_an_error(tmp_path: Path) -> None:
    for kind in FORMATS:
        with pytest.raises(LoadError, match="No feature of this model has examples or a label"):
            tiny_model().export_examples(tmp_path / "export", kind, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_format_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="format is circuit-tracer or neuronpedia; given 'saelens'"):
        tiny_model().export_examples(tmp_path / "export", "saelens", progress=False)

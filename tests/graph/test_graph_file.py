"""Graphs written and read back, and files that are not graphs."""

import dataclasses
import json
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save, save_file

from circuit_widget.errors import GraphFileError
from circuit_widget.graph import Graph, PromptToken
from circuit_widget.graph.arrays import ARRAYS
from circuit_widget.graph.header_json import description
from circuit_widget.system.file_kind import GRAPH_FORMAT
from tests.graph.graphs import random_graph

if TYPE_CHECKING:
    from circuit_widget.replacement_model import ReplacementModel

GRAPH = random_graph(3)


def same(one: Graph, other: Graph) -> None:
    for field in dataclasses.fields(Graph):
        before, after = getattr(one, field.name), getattr(other, field.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(after, before)
            assert after.dtype == before.dtype
        elif field.name != "model":
            assert after == before


@given(st.integers(0, 2**32 - 1), st.text(max_size=20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(tmp_path: Path, seed: int, text: str) -> None:
    graph = random_graph(seed)
    graph = dataclasses.replace(graph, tokens=(PromptToken(text, 3), *graph.tokens[1:]), labels={"any": text})
    same(graph, Graph.load(graph.save(tmp_path / "graph.safetensors")))


def test_round_trip_of_a_pruned_graph(tmp_path: Path) -> None:
    small = GRAPH.prune()
    again = Graph.load(small.save(tmp_path / "small.safetensors"))
    same(small, again)
    assert again.pruned


def test_graphs_can_be_sent_to_other_processes_without_their_model() -> None:
    sent = pickle.loads(pickle.dumps(dataclasses.replace(GRAPH, model=cast("ReplacementModel", object()))))
    same(GRAPH, sent)
    assert sent.model is None
    with pytest.raises(ValueError, match="read-only"):
        sent.weights[0] = 1


def test_the_model_is_not_part_of_the_file(tmp_path: Path) -> None:
    path = dataclasses.replace(GRAPH, model=cast("ReplacementModel", object())).save(tmp_path / "graph.safetensors")
    assert Graph.load(path).model is None


def test_saving_over_a_graph_leaves_one_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "graph.safetensors"
    GRAPH.save(path)
    random_graph(4).save(str(path))
    same(random_graph(4), Graph.load(path))
    assert [file.name for file in tmp_path.iterdir()] == ["graph.safetensors"]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "graph.safetensors"
    GRAPH.save(path)
    done = threading.Event()

    def write() -> None:
        for seed in range(40):
            random_graph(seed).save(path)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        Graph.load(path)
    writer.join()


def test_a_file_that_cannot_be_written_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(GraphFileError, match=r"cannot be written to .*Choose a folder that exists"):
        GRAPH.save(tmp_path / "nowhere" / "graph.safetensors")


def test_a_recipe_that_is_not_json_leaves_the_old_file(tmp_path: Path) -> None:
    path = GRAPH.save(tmp_path / "graph.safetensors")
    with pytest.raises(GraphFileError, match="cannot be written"):
        dataclasses.replace(GRAPH, recipe={"model": object()}).save(path)  # type: ignore[dict-item]
    same(GRAPH, Graph.load(path))
    assert [file.name for file in tmp_path.iterdir()] == ["graph.safetensors"]


PROVENANCE: dict[str, Any] = {
    "model": "org/model",
    "transcoders": "org/transcoders",
    "device": "cuda:0",
    "dtype": "bfloat16",
    "provenance": {
        "model": {"name": "org/model", "revision": "abc", "files": {"model.safetensors": "sha256:00"}},
        "transcoders": {"name": "org/transcoders", "files": {}},
    },
    "versions": {"torch": "2.13.0"},
    "prompt_token_ids": [7, 8, 9],
    "first_position": 1,
    "time": "2026-01-02T03:04:05+00:00",
    "seconds": 1.5,
    "active_features": GRAPH.n_features + 7,
    "left_out_features": 7,
    "left_out_for_memory": 2,
    "further": {"anything": [None, True, 1.5]},
}


def test_where_a_graph_came_from_survives_the_file(tmp_path: Path) -> None:
    graph = dataclasses.replace(GRAPH, recipe=PROVENANCE)
    again = Graph.load(graph.save(tmp_path / "graph.safetensors"))
    assert again.recipe == PROVENANCE
    assert again.left_out == 7
    small = Graph.load(again.prune().save(tmp_path / "small.safetensors"))
    assert small.recipe == {**PROVENANCE, "thresholds": {"node": 0.8, "edge": 0.98}}


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [
        ("model", 7, "'model' of the recipe is not a text"),
        ("versions", {"torch": 2}, "'versions' of the recipe is not an object of texts"),
        ("provenance", {"model": {"files": ["model.safetensors"]}}, "'provenance' of the recipe is not an object"),
        ("provenance", [], "'provenance' of the recipe is not an object"),
        ("prompt_token_ids", [1, -1], "'prompt_token_ids' of the recipe is not a list of whole numbers"),
        ("seconds", "long", "'seconds' of the recipe is not a number"),
        ("left_out_features", 1.5, "'left_out_features' of the recipe is not a whole number"),
        ("left_out_features", 8, "leaves 8 of .* features out, but .* are nodes"),
        ("thresholds", True, "'thresholds' of the recipe is not an object with node and edge"),
        ("thresholds", {"node": 0.8, "edge": 2}, "'thresholds' of the recipe is not an object with node and edge"),
        ("further", float("nan"), "NaN is not a number"),
    ],
)
def test_a_recipe_of_the_wrong_kind_is_refused(tmp_path: Path, entry: str, value: Any, message: str) -> None:
    path = tampered(tmp_path, lambda document, arrays, header: document.update(recipe={**PROVENANCE, entry: value}))
    with pytest.raises(GraphFileError, match=f"is damaged: .*{message}"):
        Graph.load(path)


def test_a_recipe_with_a_number_that_is_none_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(GraphFileError, match="cannot be written"):
        dataclasses.replace(GRAPH, recipe={"seconds": float("nan")}).save(tmp_path / "graph.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(GraphFileError, match=r"There is no file .*gone\.safetensors"):
        Graph.load(tmp_path / "gone.safetensors")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(GraphFileError, match=r"cannot be read|is not a whole"):
        Graph.load(tmp_path)


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = GRAPH.save(tmp_path / "graph.safetensors").read_bytes()
    for length in (0, 4, 8, 100, 2_000, len(whole) // 2, len(whole) - 1):
        path = tmp_path / "cut.safetensors"
        path.write_bytes(whole[:length])
        with pytest.raises(GraphFileError, match=r"is not a whole safetensors file.*cut off"):
            Graph.load(path)


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "noise"
    path.write_bytes(content)
    with pytest.raises(GraphFileError):
        Graph.load(path)


def test_a_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    path, witness = tmp_path / "graph.pt", tmp_path / "witness"
    path.write_bytes(b"cos\nsystem\n(S'touch " + os.fsencode(witness) + b"'\ntR.")
    with pytest.raises(GraphFileError, match="is not a whole safetensors file"):
        Graph.load(path)
    assert not witness.exists()


def test_another_safetensors_file(tmp_path: Path) -> None:
    save_file({"weight": np.zeros(3, dtype=np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(GraphFileError, match=r"is no graph, but another safetensors file; graph\.save"):
        Graph.load(tmp_path / "model.safetensors")


Change = Callable[[dict[str, Any], dict[str, np.ndarray], dict[str, str]], object]


def tampered(tmp_path: Path, change: Change) -> Path:
    """A graph file with something changed in its description, arrays or header."""
    arrays = load_file(GRAPH.save(tmp_path / "graph.safetensors"))
    document = json.loads(json.dumps(description(GRAPH)))
    header = {"format": GRAPH_FORMAT, "version": "1"}
    change(document, arrays, header)
    path = tmp_path / "tampered.safetensors"
    path.write_bytes(save(arrays, {"graph": json.dumps(document), **header}))
    return path


def test_a_newer_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tampered(tmp_path, lambda document, arrays, header: header.update(version="2"))
    with pytest.raises(GraphFileError, match=r"version '2', and this package reads version 1\. Update circuit-widget"):
        Graph.load(path)


DAMAGE: dict[str, tuple[Change, str]] = {
    "no weights": (lambda d, a, h: a.pop("weights"), "it has no weights"),
    "weights cut": (lambda d, a, h: a.update(weights=a["weights"][:-1].copy()), "weights has shape"),
    "weights flat": (lambda d, a, h: a.update(weights=a["weights"].ravel()), "weights has shape"),
    "no dimension": (lambda d, a, h: a.update(feature_layer=np.array(1, dtype=np.int32)), "has shape"),
    "another type": (lambda d, a, h: a.update(weights=a["weights"].astype(np.float64)), "weights is float64"),
    "layer beyond": (lambda d, a, h: d.update(n_layers=1), "feature_layer leaves the range"),
    "no layers": (lambda d, a, h: d.update(n_layers=0), "leaves the range"),
    "not finite": (lambda d, a, h: a["weights"].fill(np.nan), "not finite"),
    "cycle": (lambda d, a, h: a["weights"].__setitem__((0, 0), 1), "does not lead to a higher layer"),
    "activation": (lambda d, a, h: a["activation"].fill(np.inf), "activation has values"),
    "a target gone": (lambda d, a, h: d["targets"].pop(), "weights has shape"),
    "targets": (lambda d, a, h: d.update(targets="Austin"), "targets is not a list"),
    "target": (lambda d, a, h: d.update(targets=[1, 2]), "an entry of targets is not a JSON object"),
    "token text": (lambda d, a, h: d["tokens"][0].update(text=7), "'text' is not a text"),
    "half a character": (lambda d, a, h: d["tokens"][0].update(text="\ud800"), "surrogates not allowed"),
    "token id": (lambda d, a, h: d["tokens"][0].update(token_id=-2), "'token_id' is not a whole number"),
    "position": (lambda d, a, h: d.update(position=True), "'position' is not a whole number"),
    "probability": (lambda d, a, h: d["targets"][0].update(probability=None), "'probability' is not a number"),
    "infinite": (lambda d, a, h: d["targets"][0].update(logit=float("inf")), "Infinity is not a number"),
    "huge": (lambda d, a, h: d["targets"][0].update(logit=10**400), "is damaged"),
    "labels": (lambda d, a, h: d.update(labels=["Texas"]), "labels is not a JSON object"),
    "label": (lambda d, a, h: d.update(labels={"a": 1}), "'a' is not a text"),
    "scores": (lambda d, a, h: d.pop("scores"), "scores is not a JSON object"),
    "no description": (lambda d, a, h: h.update(graph=""), "is damaged"),
    "deep": (lambda d, a, h: h.update(graph="[" * 100_000), "is damaged"),
    "a list": (lambda d, a, h: h.update(graph="[]"), "the description is not a JSON object"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_that_contradicts_itself_is_refused(tmp_path: Path, damage: str) -> None:
    change, message = DAMAGE[damage]
    with pytest.raises(GraphFileError, match=f"tampered.*is damaged: .*{message}|{message}"):
        Graph.load(tampered(tmp_path, change))


def test_the_file_is_as_large_as_its_arrays(tmp_path: Path) -> None:
    size = GRAPH.save(tmp_path / "graph.safetensors").stat().st_size
    arrays = sum(getattr(GRAPH, name).nbytes for name in ARRAYS)
    assert arrays < size < arrays + 6_000

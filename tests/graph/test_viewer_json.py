"""The graph JSON of circuit-tracer, Neuronpedia and Anthropic's viewer is read, written back whole, and refused by place."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.errors import CircuitWidgetWarning, GraphFileError
from tests.graph.viewer_files import document, error, feature, link, logit, node, pairing, token
from tests.models import PROMPT_IDS, reference_model

Edit = Callable[[dict[str, Any]], None]


def opened(folder: Path, whole: Any) -> cw.Graph:
    file = folder / "graph.json"
    file.write_text(json.dumps(whole), encoding="utf-8")
    return cw.open(file)


def edge(graph: cw.Graph, source: str, target: str) -> float:
    rows = {int(node): row for row, node in enumerate(graph.row_nodes)}
    return float(graph.weights[rows[graph.index(target)], graph.index(source)])


def test_every_node_and_edge_is_that_of_the_file(tmp_path: Path) -> None:
    graph = opened(tmp_path, document())
    assert graph.node_ids == (
        "0_57794_1", "1_9_2", "1_-1_1", "E_2_0", "E_50_1", "E_60_2", "3_7_2", "3_8_2",
    )  # fmt: skip
    assert [one.text for one in graph.tokens] == ["<bos>", "The", " capital"]
    assert [one.token_id for one in graph.tokens] == [2, 50, 60]
    assert [(one.token, one.token_id, one.probability) for one in graph.targets] == [
        (" Paris", 7, 0.6),
        (" Lyon", 8, 0.25),
    ]
    assert (graph.n_layers, graph.position) == (2, 2)
    assert graph.activation.tolist() == [-0.5, 2.5]
    assert graph.labels == {"1_9_2": "a capital"}
    assert np.count_nonzero(graph.weights) == 6
    assert edge(graph, "0_57794_1", "1_9_2") == -0.75
    assert edge(graph, "E_50_1", "0_57794_1") == 2.0
    assert edge(graph, "1_9_2", "3_7_2") == 1.25
    assert edge(graph, "1_-1_1", "1_9_2") == 0.5
    assert edge(graph, "E_60_2", "3_8_2") == -3.0
    assert graph.model is None


def test_influence_follows_the_edges_and_logits_the_probabilities(tmp_path: Path) -> None:
    graph = opened(tmp_path, document())
    # Paris has one edge; of Lyon's two, the capital has 0.125 of 3.125.
    assert graph.influence[graph.index("1_9_2")] == pytest.approx(0.6 + 0.25 * 0.125 / 3.125, rel=1e-6)
    first, second = graph.targets
    assert first.logit - second.logit == pytest.approx(math.log(0.6 / 0.25))


def test_a_traced_graph_comes_back_from_its_export(tmp_path: Path) -> None:
    graph = reference_model().trace(PROMPT_IDS).prune()
    again = cw.open(graph.export(tmp_path / "traced graph.json"))
    assert again.node_ids == graph.node_ids
    np.testing.assert_array_equal(again.weights, graph.weights)
    np.testing.assert_array_equal(again.activation, graph.activation)
    assert [one.token for one in again.targets] == [one.token for one in graph.targets]
    metadata = json.loads((tmp_path / "traced graph.json").read_text(encoding="utf-8"))["metadata"]
    assert metadata["slug"] == "traced-graph"
    assert metadata["pruning_settings"] == {"node_threshold": 0.8, "edge_threshold": 0.98}


def test_it_is_kept_in_a_file_of_this_package(tmp_path: Path) -> None:
    whole = document()
    whole["nodes"] = [one for one in whole["nodes"] if one["node_id"] != "E_2_0"]
    graph = opened(tmp_path, whole)
    assert graph.tokens[0].token_id == -1
    again = cw.open(graph.save(tmp_path / "graph.safetensors"))
    assert again.node_ids == graph.node_ids
    assert again.recipe == graph.recipe
    assert again.tokens == graph.tokens


@pytest.mark.parametrize("encoded", ["pairs", "digits", "names"])
def test_files_without_a_schema_version_say_in_one_of_three_ways_which_feature_it_is(
    encoded: str, tmp_path: Path
) -> None:
    whole = document()
    del whole["metadata"]["schema_version"]
    for one in whole["nodes"]:
        if one["feature_type"] == "cross layer transcoder":
            layer, number = (int(part) for part in one["jsNodeId"].removesuffix("-0").split("_"))
            one["feature"] = {
                "pairs": pairing(layer, number),
                "digits": int(f"{layer}{number:05d}"),
                "names": 12345678 + number,
            }[encoded]
    assert opened(tmp_path, whole).node_ids[:2] == ("0_57794_1", "1_9_2")


def test_numbers_that_suit_both_ways_of_encoding_are_settled_by_names(tmp_path: Path) -> None:
    whole = document()
    del whole["metadata"]["schema_version"]
    whole["nodes"] = [one for one in whole["nodes"] if one["node_id"] not in ("0_57794_1", "1_9_2")]
    # 2 is the pair of layer 0 and feature 1, and in digits feature 2 of layer 0.
    whole["nodes"].append(node("0_2_1", "cross layer transcoder", "0", 1, 2, jsNodeId="0_2-0"))
    whole["links"] = []
    assert opened(tmp_path, whole).node_ids[0] == "0_2_1"
    whole["nodes"][-1]["jsNodeId"] = "x"
    with pytest.raises(GraphFileError, match=r"nodes\[\d\] does not say which feature it is"):
        opened(tmp_path, whole)


def test_layers_may_be_numbers_and_pairs_are_those_that_are_published(tmp_path: Path) -> None:
    assert pairing(1, 57794) == 1670217704
    whole = document()
    for one in whole["nodes"]:
        if one["layer"] != "E":
            one["layer"] = int(one["layer"])
    assert opened(tmp_path, whole).node_ids[:2] == ("0_57794_1", "1_9_2")


def test_missing_activations_are_zero_with_a_warning(tmp_path: Path) -> None:
    whole = document()
    del whole["nodes"][1]["activation"]
    with pytest.warns(CircuitWidgetWarning, match="has no activations of 1 of its 2 features; they are zero"):
        graph = opened(tmp_path, whole)
    assert graph.activation.tolist() == [-0.5, 0.0]
    assert graph.recipe["file"]["without_activation"] == ["1_9_2"]  # type: ignore[index, call-overload]


def add(*nodes: dict[str, Any]) -> Edit:
    return lambda whole: whole["nodes"].extend(nodes)


def join(*links: dict[str, Any]) -> Edit:
    return lambda whole: whole["links"].extend(links)


def change(number: int, **values: Any) -> Edit:
    return lambda whole: whole["nodes"][number].update(values)


def put(key: str, value: Any) -> Edit:
    return lambda whole: whole.update({key: value})


def put_metadata(key: str, value: Any) -> Edit:
    return lambda whole: whole["metadata"].update({key: value})


FAULTS: dict[str, tuple[Edit, str]] = {
    "no metadata": (put("metadata", None), "metadata is None, expected an object"),
    "tokens of numbers": (put_metadata("prompt_tokens", [1]), r"metadata\.prompt_tokens is .*expected a list of texts"),
    "another schema": (put_metadata("schema_version", 2), "its schema_version is 2, and version 1 is known here"),
    "nodes of another type": (put("nodes", {"a": 1}), "its nodes are not a list"),
    "a node that is a number": (lambda whole: whole["nodes"].append(3), r"nodes\[8\] is not an object but 3"),
    "links of another type": (put("links", "none"), "its links are .*expected a list"),
    "another kind of node": (
        add(node("0_head_1_1", "attention head", "0", 1, 1)),
        r"nodes\[8\] has the feature_type 'attention head'; nodes here are features, errors, biases, tokens and logits",
    ),
    "no id": (change(1, node_id=""), r"nodes\[1\] has no node_id"),
    "a position outside": (change(1, ctx_idx=3), r"nodes\[1\]\.ctx_idx is 3, but metadata\.prompt_tokens has 3 tokens"),
    "a negative position": (change(1, ctx_idx=-1), r"nodes\[1\]\.ctx_idx is -1, expected a whole number from 0"),
    "a large number": (change(1, ctx_idx=10**30), r"nodes\[1\]\.ctx_idx is 1\d+.*, expected a whole number"),
    "a layer of words": (change(1, layer="top"), r"nodes\[1\]\.layer is 'top', expected a whole number"),
    "another layer than its pair": (
        change(1, layer="0"),
        r"nodes\[1\]\.feature is \d+, which encodes feature 9 of layer 1, but its layer is '0'",
    ),
    "a layer above the logits": (
        add(feature(2, 1, 1)),
        r"nodes\[8\]\.layer is 2, but its logits say that there are 2 layers",
    ),
    "logits of two layers": (
        change(0, layer="4"),
        "its logits are of different layers: there would be 2 or 3 layers below them",
    ),
    "logits at two positions": (change(0, ctx_idx=1), "its logits are at different positions: 1, 2"),
    "no logits": (
        lambda whole: whole.update(nodes=[one for one in whole["nodes"] if one["feature_type"] != "logit"], links=[]),
        "it has no logit",
    ),
    "the same feature twice": (add(feature(1, 9, 2)), r"nodes\[1\] and nodes\[8\] are the same feature"),
    "the same token twice": (add(token(51, 1)), r"nodes\[3\] and nodes\[8\] are the same token"),
    "the same logit twice": (add(logit(7, " Nice", 0.1)), r"nodes\[0\] and nodes\[8\] are the same logit"),
    "no probability": (change(0, token_prob=None), r"nodes\[0\]\.token_prob is None, expected a probability"),
    "a probability above one": (change(0, token_prob=1.5), r"nodes\[0\]\.token_prob is 1\.5, expected a probability"),
    "probabilities above one": (change(0, token_prob=0.9), "the probabilities of the targets sum to 1.15"),
    "an activation that is none": (change(1, activation=math.nan), r"nodes\[1\]\.activation is nan, expected a number"),
    "a link to nowhere": (
        join(link("1_9_2", "9_9_9", 1.0)),
        r"links\[6\]\.target is '9_9_9', which no node has as its node_id",
    ),
    "a link into a token": (
        join(link("1_9_2", "E_50_1", 1.0)),
        r"links\[6\]\.target is 'E_50_1', expected a feature or a logit",
    ),
    "a link out of a logit": (
        join(link("3_7_2", "1_9_2", 1.0)),
        r"links\[6\]\.source is '3_7_2', expected a feature, an error or a token",
    ),
    "a link downwards": (
        join(link("1_9_2", "0_57794_1", 1.0)),
        r"links\[6\] leads from 1_9_2 to 0_57794_1, which is no higher layer",
    ),
    "a loop": (join(link("1_9_2", "1_9_2", 1.0)), r"links\[6\] leads from 1_9_2 to 1_9_2, which is no higher layer"),
    "a link twice": (
        join(link("1_9_2", "3_7_2", 1.0)),
        r"links\[6\] leads from 1_9_2 to 3_7_2, as another link does",
    ),
    "a weight that is none": (
        join(link("E_2_0", "3_7_2", math.inf)),
        r"links\[6\]\.weight is inf, expected a number",
    ),
    "a weight of words": (
        lambda whole: whole["links"][0].update(weight="-0.75"),
        r"links\[0\]\.weight is '-0\.75', expected a number",
    ),
    "an id of a feature and an error": (
        lambda whole: (whole["nodes"].append(feature(0, 1, 1)), None)[1],
        r"links\[3\]\.source is '0_1_1', which two nodes have as their node_id",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_place(fault: str, tmp_path: Path) -> None:
    edit, message = FAULTS[fault]
    whole = document()
    edit(whole)
    with pytest.raises(GraphFileError, match=f"graph.json.* cannot be read as a graph: .*{message}"):
        opened(tmp_path, whole)


def test_an_id_that_no_link_uses_may_be_of_two_nodes(tmp_path: Path) -> None:
    whole = document()
    whole["nodes"] += [feature(0, 1, 0), error(1, 0)]
    assert {"0_1_0", "1_-1_0"} <= set(opened(tmp_path, whole).node_ids)


def test_other_files_are_called_what_they_are(tmp_path: Path) -> None:
    file = tmp_path / "graph.json"
    text = json.dumps(document())
    for content, message in (
        (text[: len(text) // 2], "is not whole JSON: .* It may have been cut off"),
        ('{"cells": [], "nbformat": 4}', "is a notebook, which cannot be read as a graph"),
        ("[" * 100_000, "is not whole JSON"),
        ("{}", "cannot be read as a graph"),
    ):
        file.write_text(content, encoding="utf-8")
        with pytest.raises(GraphFileError, match=message):
            cw.open(file)
    with pytest.raises(GraphFileError, match="There is no file"):
        cw.open(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("name", "names", "message"),
    [
        ("graph.txt", {}, r"graph\.txt.* does not end in \.json"),
        ("graph.json", {"slug": "a b"}, "A slug has letters, digits, .*; given 'a b'"),
        ("graph.json", {"scan": "google/gemma"}, "A scan has letters, .*; given 'google/gemma'"),
    ],
)
def test_what_other_viewers_would_refuse_is_not_written(
    name: str, names: dict[str, str], message: str, tmp_path: Path
) -> None:
    graph = opened(tmp_path, document())
    with pytest.raises(GraphFileError, match=message):
        graph.export(tmp_path / f"new-{name}", **names)
    assert not (tmp_path / f"new-{name}").exists()


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    whole = document()
    hostile = '"><script>alert(1)</script>\u202e\ud83d'
    whole["metadata"]["prompt_tokens"][1] = hostile
    whole["nodes"][1]["clerp"] = hostile
    whole["nodes"][0]["clerp"] = f'Output "{hostile}" (p=0.600)'
    graph = opened(tmp_path, whole)
    repaired = hostile.replace("\ud83d", "\ufffd")
    assert graph.tokens[1].text == graph.labels["1_9_2"] == graph.targets[0].token == repaired
    assert cw.open(graph.export(tmp_path / "again.json")).targets[0].token == repaired

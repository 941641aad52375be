"""Each dialect of the graph JSON of other tools is written again as it was read, and what a file adds is kept."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.errors import Cancelled, CircuitWidgetWarning, GraphFileError
from circuit_widget.graph.formats import json_stream
from tests.graph.crm_files import crm_document
from tests.graph.viewer_files import document, error, feature, link, token


def newer_errors() -> dict[str, Any]:
    """Ids of errors as circuit-tracer writes them since July 2026, which no feature can have."""
    whole = document()
    whole["nodes"][5]["node_id"] = "1_-1_1"
    whole["links"][3]["source"] = "1_-1_1"
    return whole


def digits() -> dict[str, Any]:
    """Features as layer and five digits, no schema version, and layers as numbers: Neuronpedia before version 1."""
    whole = document()
    del whole["metadata"]["schema_version"]
    for one in whole["nodes"]:
        one["layer"] = one["layer"] if one["layer"] == "E" else int(one["layer"])
        if one["feature_type"].startswith("cross"):
            one["feature"] = int(f"{one['layer']}{one['jsNodeId'].removesuffix('-0').split('_')[1]:0>5}")
    return whole


def view_of_texts() -> dict[str, Any]:
    """A view as the texts of an address, and the keys that no tool here knows."""
    whole = document()
    whole["qParams"] = {"pinnedIds": "1_9_2,0_1_1", "supernodes": '[["capital","1_9_2"]]', "clerps": "[]", "own": [1]}
    whole["nodes"][1] |= {"own": {"a": 1}, "activation": 0.1}
    whole["links"][0]["own"] = "kept"
    whole["links"].append(link("E_2_0", "3_7_2", 0.0))
    whole["own"] = {"more": None}
    return whole


def fewest_keys() -> dict[str, Any]:
    """What the schema requires, and nothing else."""
    whole = document()
    required = {"node_id", "feature", "layer", "ctx_idx", "feature_type", "jsNodeId", "clerp"}
    optional = {"logit": {"token_prob"}, "cross layer transcoder": {"activation"}}
    whole["nodes"] = [
        {key: value for key, value in one.items() if key in required | optional.get(one["feature_type"], set())}
        for one in whole["nodes"]
    ]
    whole["metadata"] = {key: whole["metadata"][key] for key in ("slug", "scan", "prompt_tokens", "prompt")}
    whole["qParams"] = {}
    return whole


DIALECTS: dict[str, Callable[[], dict[str, Any]]] = {
    "circuit-tracer": document,
    "newer errors": newer_errors,
    "digits": digits,
    "view of texts": view_of_texts,
    "fewest keys": fewest_keys,
    "complete replacement model": crm_document,
}


def written(folder: Path, whole: Any) -> Path:
    file = folder / "graph.json"
    file.write_text(json.dumps(whole), encoding="utf-8")
    return file


def in_order(whole: dict[str, Any]) -> dict[str, Any]:
    return whole | {
        key: sorted(whole[key], key=lambda one: json.dumps(one, sort_keys=True)) for key in ("nodes", "links")
    }


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.filterwarnings("ignore:.*the parts of a layer")
def test_a_file_is_written_again_as_it_was(dialect: str, tmp_path: Path) -> None:
    given = DIALECTS[dialect]()
    graph = cw.open(written(tmp_path, given))
    again = graph.export(tmp_path / "again.json", slug="a-capital")
    assert in_order(json.loads(again.read_text(encoding="utf-8"))) == in_order(given)
    # A file of this package keeps all of it, too.
    kept = cw.open(graph.save(tmp_path / "graph.safetensors")).export(tmp_path / "kept.json", slug="a-capital")
    assert in_order(json.loads(kept.read_text(encoding="utf-8"))) == in_order(given)


def test_ids_that_two_nodes_have_are_distinguished_when_written(tmp_path: Path) -> None:
    whole = document()
    whole["nodes"] += [feature(0, 1, 0), error(1, 0)]
    graph = cw.open(written(tmp_path, whole))
    ids = [one["node_id"] for one in json.loads(graph.export(tmp_path / "again.json").read_text())["nodes"]]
    assert len(set(ids)) == len(ids)
    assert {"0_1_0", "1_-1_0", "0_1_1"} <= set(ids)


def test_a_label_given_here_replaces_the_label_of_the_file(tmp_path: Path) -> None:
    with pytest.warns(CircuitWidgetWarning, match="the parts of a layer"):
        graph = cw.open(written(tmp_path, crm_document()))
    attention, mlp = graph.node_ids[1], graph.node_ids[2]
    assert graph.labels == {attention: "moves the country"}
    circuit = cw.Circuit().label(mlp, "says Paris").label(attention, "moves it").group("moving", [attention])
    whole = json.loads(circuit.export(tmp_path / "again.json", graph).read_text(encoding="utf-8"))
    labels = {one["node_id"]: one["clerp"] for one in whole["nodes"]}
    assert labels["1_cro_5_2"] == "says Paris"
    assert labels["1_lor_5_2"] == "moves it"
    assert labels["1_error_mlp_2"] == 'Err: mlp " capital"'
    assert labels["0_cro_5_1"].startswith("F")
    assert whole["qParams"]["supernodes"] == [["moving", "1_lor_5_2"]]
    with pytest.warns(CircuitWidgetWarning, match="the parts of a layer"):
        assert cw.open(tmp_path / "again.json").labels == {attention: "moves it", mlp: "says Paris"}
    assert cw.Circuit.load(tmp_path / "again.json").supernodes[0].nodes == (attention,)


@pytest.mark.filterwarnings("ignore:.*the parts of a layer")
def test_the_parts_of_a_layer_are_layers_with_names(tmp_path: Path) -> None:
    graph = cw.open(written(tmp_path, crm_document()))
    names = graph.recipe["layer_names"]
    assert names == [
        "0 attention", "0 MLP", "1 bias lorsa_bQ", "1 attention", "1 bias tc_bD", "1 MLP",
    ]  # fmt: skip
    assert graph.node_ids == (
        "1_5_1", "3_5_2", "5_5_2", "2_-1_2", "3_-1_2", "4_-1_2", "5_-1_2", "E_50_1", "7_7_2",
    )  # fmt: skip
    assert np.count_nonzero(graph.weights) == 7
    assert (graph.n_layers, graph.targets[0].token, graph.tokens[0].token_id) == (6, " Paris", -1)
    assert graph.recipe["file"]["qk_only_nodes"].keys() == {"9_cro_1_1"}  # type: ignore[index, call-overload, union-attr]
    kept: Any = graph.recipe["file"]
    assert kept["nodes"]["3_5_2"][0]["qk_tracing_results"]["top_q_marginal_contributors"] == [["0_cro_5_1", 0.25]]


def test_a_graph_of_a_complete_replacement_model_may_have_features_of_mlps_alone(tmp_path: Path) -> None:
    whole = crm_document()
    left = {"E_50_1", "0_cro_5_1", "1_cro_5_2", "1_error_mlp_2", "2_7_2"}
    whole["nodes"] = [one for one in whole["nodes"] if one["node_id"] in left]
    whole["links"] = [one for one in whole["links"] if {one["source"], one["target"]} <= left]
    graph = cw.open(written(tmp_path, whole))
    assert graph.n_layers == 2
    assert graph.node_ids == ("0_5_1", "1_5_2", "1_-1_2", "E_50_1", "3_7_2")


def test_a_pruned_graph_keeps_what_the_file_had_of_the_nodes_that_are_left(tmp_path: Path) -> None:
    whole = document()
    whole["nodes"][1]["own"] = 1
    pruned = cw.open(written(tmp_path, whole)).prune(0.5)
    again = json.loads(pruned.export(tmp_path / "again.json").read_text(encoding="utf-8"))
    assert len(again["nodes"]) < len(whole["nodes"])
    assert next(one for one in again["nodes"] if one["node_id"] == "1_9_2")["own"] == 1
    assert again["metadata"]["pruning_settings"] == {"node_threshold": 0.5, "edge_threshold": 0.98}


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
def test_the_size_of_the_pieces_that_are_read_changes_nothing(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = view_of_texts()
    whole["metadata"]["prompt"] = 'é\u2028\ud83d\ude00 "] } ,\\'
    file = written(tmp_path, dict(reversed(whole.items())))
    expected = cw.open(file)
    monkeypatch.setattr(json_stream, "CHUNK", size)
    found = cw.open(file)
    assert found.node_ids == expected.node_ids
    assert found.recipe == expected.recipe
    np.testing.assert_array_equal(found.weights, expected.weights)


def test_a_compressed_file_is_opened_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "graph.json.gz"
    file.write_bytes(gzip.compress(json.dumps(document()).encode()))
    assert cw.open(file).node_ids == cw.open(written(tmp_path, document())).node_ids
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(GraphFileError, match=r"graph\.json\.gz is not whole"):
        cw.open(file)


def test_reading_reports_progress_and_can_be_cancelled(tmp_path: Path) -> None:
    whole = document()
    whole["nodes"] += [token(9, 0, own="x" * (3 << 20))]
    whole["nodes"] = [one for one in whole["nodes"] if one["node_id"] != "E_2_0"]
    file = written(tmp_path, whole)
    seen: list[float] = []
    cw.open(file, progress=lambda share, text: seen.append(share))
    assert seen == sorted(seen)
    assert len(seen) > 2
    with pytest.raises(Cancelled, match=r"Reading .*graph\.json was cancelled"):
        cw.open(file, cancelled=lambda: True)

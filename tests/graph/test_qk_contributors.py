"""What contributes to attention scores is listed as the file of a graph has it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import circuit_widget as cw
from circuit_widget.errors import GraphFileError, NodeError
from tests.graph.crm_files import crm_document
from tests.graph.test_viewer_dialects import written
from tests.graph.viewer_files import document

pytestmark = pytest.mark.filterwarnings("ignore:.*the parts of a layer")

ATTENTION = "3_5_2"


def with_contributors(qk: object) -> dict[str, Any]:
    whole = crm_document()
    whole["nodes"][1]["qk_tracing_results"] = qk
    return whole


def test_they_are_listed_by_ids_here_and_those_that_are_no_nodes_by_the_ids_of_the_file(tmp_path: Path) -> None:
    qk = {
        "pair_wise_contributors": [["9_cro_1_1", "0_cro_5_1", 0.5], ["0_cro_5_1", "gone", -0.75]],
        "top_q_marginal_contributors": [["0_cro_5_1", 0.25]],
        "top_k_marginal_contributors": [["1_error_attn_2", -0.125]],
    }
    whole = with_contributors(qk)
    whole["qk_only_nodes"]["9_cro_1_1"]["clerp"] = "names of capitals"
    graph = cw.open(written(tmp_path, whole)).with_labels({"1_5_1": "a country"})
    found = graph.qk_contributors()
    assert found.to_dict("split")["data"] == [
        [ATTENTION, "pair", "1_5_1", "gone", "a country", "", -0.75],
        [ATTENTION, "pair", "9_cro_1_1", "1_5_1", "names of capitals", "a country", 0.5],
        [ATTENTION, "query", "1_5_1", "", "a country", "", 0.25],
        [ATTENTION, "key", "", "3_-1_2", "", "", -0.125],
    ]
    assert list(found.columns) == ["node", "side", "query", "key", "query_label", "key_label", "attribution"]
    assert graph.qk_contributors(ATTENTION).equals(found)
    assert len(graph.qk_contributors("5_5_2")) == 0
    assert repr(graph).endswith("; qk_contributors() of 1 node)")
    saved = cw.Graph.load(graph.save(tmp_path / "graph.safetensors"))
    assert saved.qk_contributors().equals(found)


def test_other_graphs_list_none(tmp_path: Path) -> None:
    graph = cw.open(written(tmp_path, document()))
    assert len(graph.qk_contributors()) == 0
    assert "qk_contributors" not in repr(graph)
    assert len(replace(graph, recipe={}).qk_contributors(graph.node_ids[0])) == 0
    with pytest.raises(NodeError, match="no node"):
        graph.qk_contributors("nonsense")


def test_what_was_pruned_here_still_has_its_label(tmp_path: Path) -> None:
    whole = crm_document()
    whole["nodes"][2]["clerp"] = "a capital"
    graph = cw.open(written(tmp_path, whole))
    file: Any = graph.recipe["file"]
    kept = {node: entry for node, entry in file["nodes"].items() if node != "1_5_1"}
    assert graph.qk_contributors()["query_label"].tolist()[0] == "a capital"
    entries = {**kept, "0_9_9": [{"node_id": "0_cro_5_1", "clerp": "a capital"}, []]}
    gone = replace(graph, labels={}, recipe={**graph.recipe, "file": {**file, "nodes": entries}})
    assert gone.qk_contributors()["query_label"].tolist()[0] == "a capital"


@pytest.mark.parametrize(
    ("qk", "match"),
    [
        ([], "qk_tracing_results of the node 3_5_2 is .*, expected an object"),
        ({"pair_wise_contributors": 3}, "pair_wise_contributors is 3, expected a list"),
        (
            {"pair_wise_contributors": [["a", "b"]]},
            r"pair_wise_contributors\[0\] is .*the ids of two nodes and a number",
        ),
        ({"top_q_marginal_contributors": [["a", True]]}, r"top_q_marginal_contributors\[0\] is .*the id of a node"),
        ({"top_k_marginal_contributors": [[], ["a", 1]]}, r"top_k_marginal_contributors\[0\]"),
    ],
)
def test_a_list_that_cannot_be_read_names_its_place_and_stays_in_the_file(
    qk: object, match: str, tmp_path: Path
) -> None:
    graph = cw.open(written(tmp_path, with_contributors(qk)))
    with pytest.raises(GraphFileError, match=match):
        graph.qk_contributors()
    kept, again = (one.recipe["file"] for one in (graph, cw.open(graph.export(tmp_path / "again.json"))))
    assert again["nodes"] == kept["nodes"]  # type: ignore[index, call-overload]

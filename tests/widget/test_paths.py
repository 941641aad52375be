"""The strongest paths, as the page gets them."""

import pytest

from circuit_widget.widget.wire.graph_messages import PathsReply
from circuit_widget.widget.wire.schema import parse
from tests.widget.conftest import Open
from tests.widget.frontend import answered


def test_the_page_gets_the_paths_of_the_whole_graph_with_the_share_of_each_edge(show: Open) -> None:
    widget, page = show()
    body = {"sources": ["E_4_4"], "targets": ["4_40_5"], "k": 5}
    reply = parse(PathsReply, answered(page, page.request("paths", body))["body"], "The reply")
    frame = widget.graph.paths("E_4_4", "4_40_5", 5)
    assert [path.nodes for path in reply.paths] == frame["nodes"].tolist()
    assert [path.share for path in reply.paths] == pytest.approx(frame["share"].tolist())
    for path, strength in zip(reply.paths, frame["strength"], strict=True):
        product = 1.0
        for share in path.edges:
            product *= share
        assert product == pytest.approx(strength)


def test_no_sources_are_all_that_feeds_the_targets(show: Open) -> None:
    widget, page = show()
    reply = answered(page, page.request("paths", {"sources": [], "targets": ["1_8_4"], "k": 3}))
    assert [tuple(path["nodes"]) for path in reply["body"]["paths"]] == widget.graph.paths(target="1_8_4", k=3)[
        "nodes"
    ].tolist()


def test_paths_from_a_node_to_itself_are_refused(show: Open) -> None:
    _, page = show()
    error = answered(page, page.request("paths", {"sources": ["1_8_4"], "targets": ["1_8_4"], "k": 3}))
    assert error["type"] == "error"
    assert "Paths lead from nodes to other nodes" in error["message"]

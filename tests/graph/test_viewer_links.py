"""The links of a graph's JSON file, in blocks: they give the same weights, and the same faults, as all of them at once."""

from pathlib import Path

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.errors import GraphFileError
from circuit_widget.graph.formats import viewer_links
from circuit_widget.graph.formats.viewer_links import Links
from tests.graph.test_viewer_json import opened
from tests.graph.viewer_files import document, link


@pytest.fixture
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have two links in a block."""
    monkeypatch.setattr(viewer_links, "BLOCK", 2)


def test_links_in_blocks_are_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = document()
    given["links"][3]["own"] = "kept"
    given["links"].append(link("E_2_0", "3_7_2", 0.0))
    whole = opened(tmp_path, given)
    for size in (1, 2, 4):
        monkeypatch.setattr(viewer_links, "BLOCK", size)
        again = opened(tmp_path, given)
        np.testing.assert_array_equal(again.weights, whole.weights)
        assert again.recipe == whole.recipe
    assert np.count_nonzero(whole.weights) == 6


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize(
    ("added", "message"),
    [
        (link("E_50_1", "0_57794_1", 1.0), r"links\[6\] leads from E_50_1 to 0_57794_1, as another link does"),
        (link("1_9_2", "0_57794_1", 1.0), r"links\[6\] leads from 1_9_2 to 0_57794_1, which is no higher layer"),
        (link("none", "0_57794_1", 1.0), r"links\[6\].source is 'none', which no node has"),
    ],
)
def test_a_fault_in_a_later_block_is_named_by_its_place_in_the_file(
    added: dict[str, object], message: str, tmp_path: Path
) -> None:
    given = document()
    given["links"] += [added, link("1_9_2", "0_57794_1", 2.0)]
    with pytest.raises(GraphFileError, match=message):
        opened(tmp_path, given)


def test_links_of_more_ids_than_a_short_number_counts_keep_theirs() -> None:
    links, count = Links(), 1 << 16
    for number in range(count + 2):
        links.add(link(f"from {number % 3}", f"to {number}", 1.0))
    assert [links.id(links.target, number) for number in (0, count, count + 1)] == [
        "to 0",
        f"to {count}",
        f"to {count + 1}",
    ]
    assert [links.id(links.source, number) for number in (1, count, count + 1)] == [
        "from 1",
        f"from {count % 3}",
        f"from {(count + 1) % 3}",
    ]
    assert len(links.source) == len(links.target) == len(links.weight) == count + 2


def test_the_links_are_gone_once_they_are_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Links] = []
    made = viewer_links._ends

    def followed(links: Links, *others: object) -> object:
        seen.append(links)
        return made(links, *others)

    monkeypatch.setattr(viewer_links, "_ends", followed)
    assert isinstance(opened(tmp_path, document()), cw.Graph)
    assert {len(links.weight) for links in seen} == {0}

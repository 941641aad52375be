"""Files changed at random, in every format: each is a whole graph, or an error that names the file; nothing in between."""

import copy
import json
import random
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import circuit_widget as cw
from circuit_widget.errors import CircuitWidgetWarning, GraphFileError
from circuit_widget.graph.consistency import check_consistency
from tests.graph.crm_files import crm_document
from tests.graph.graphs import random_graph
from tests.graph.viewer_files import document

CHANGES = 250

DEEP: Any = []
for _ in range(500):
    DEEP = [DEEP]

VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**9, 2**31, 10**30, 10**400, -0.5, 1e38, 1e308, float("nan"), float("inf"), "", "x", "1", "\ud800",
    "<script>", "a\x00b", [], {}, [[]], DEEP,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON document."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*path, key)
        yield from places(value[key], (*path, key))


def change(whole: Any, chance: random.Random) -> None:
    """Change one place of a document: another value, none at all, twice, or that of another place."""
    path = chance.choice(list(places(whole)))
    parent = whole
    for key in path[:-1]:
        parent = parent[key]
    match chance.randrange(5):
        case 0:
            del parent[path[-1]]
        case 1 if isinstance(parent, list):
            parent.append(copy.deepcopy(parent[path[-1]]))
        case 2 if isinstance(parent, dict):
            parent[path[-1]] = copy.deepcopy(parent[chance.choice(list(parent))])
        case _:
            parent[path[-1]] = chance.choice(VALUES)


def assert_whole_or_refused(file: Path) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CircuitWidgetWarning)
            graph = cw.open(file)
    except GraphFileError as error:
        message = str(error)
        assert file.name in message
        assert len(message) < 700
        assert message.isprintable()
        return False
    check_consistency(graph)
    # What was read can be kept and written.
    cw.open(graph.save(file.with_name("kept.safetensors")))
    return True


@pytest.mark.parametrize("make", [document, crm_document])
def test_json_with_changes_is_whole_or_refused(make: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    file, whole = tmp_path / "graph.json", 0
    for seed in range(CHANGES):
        chance, changed = random.Random(seed), make()
        for _ in range(chance.choice([1, 1, 1, 3])):
            change(changed, chance)
        file.write_text(json.dumps(changed), encoding="utf-8")
        whole += assert_whole_or_refused(file)
    # Many places matter to no one; most do.
    assert 0.1 * CHANGES < whole < 0.7 * CHANGES


@pytest.mark.parametrize("ending", ["json", "graphml", "parquet"])
def test_a_file_that_was_cut_off_anywhere_is_refused(ending: str, tmp_path: Path) -> None:
    file = random_graph(3).export(tmp_path / f"graph.{ending}")
    content, chance = file.read_bytes().rstrip(), random.Random(0)
    for _ in range(40):
        file.write_bytes(content[: chance.randrange(len(content))])
        assert not assert_whole_or_refused(file)


@pytest.mark.parametrize("ending", ["graphml", "parquet"])
def test_changed_characters_are_read_or_refused(ending: str, tmp_path: Path) -> None:
    file = random_graph(3).export(tmp_path / f"graph.{ending}")
    content, chance = file.read_bytes(), random.Random(0)
    for _ in range(60):
        changed = bytearray(content)
        for _ in range(3):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        file.write_bytes(changed)
        assert_whole_or_refused(file)

"""A save that is interrupted or killed at any point leaves the old file or the new one, and nothing to clear up."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.graph import Graph
from tests.figure.graphs import dallas
from tests.graph.graphs import random_graph
from tests.system.test_atomic_write import names

KILLS = 40


def entries(call: Callable[[], object], interrupt: int = 0) -> list[str]:
    """Run a call and return the functions that it enters, in order; raise KeyboardInterrupt at one of them, from 1 up."""
    entered: list[str] = []

    def enter(frame: FrameType, event: str, argument: Any) -> None:
        entered.append(frame.f_code.co_name)
        if len(entered) == interrupt:
            raise KeyboardInterrupt

    tracing = sys.gettrace()
    sys.settrace(enter)
    try:
        call()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(tracing)
    return entered


def circuits() -> list[Circuit]:
    return [Circuit().group(name, ["1_2_3"]) for name in ("old", "new")]


SAVES: dict[str, tuple[list[Callable[[Path], Path]], str]] = {
    "graph": ([random_graph(3).save, random_graph(4).save], ".safetensors"),
    "circuit": ([circuit.save for circuit in circuits()], ".json"),
    "figure": ([dallas().figure().save, dallas().figure(width=3.0).save], ".svg"),
}


def content(path: Path) -> bytes:
    """The content of a file; for a graph its numbers, because the order of the header's entries is random."""
    return Graph.load(path).weights.tobytes() if path.suffix == ".safetensors" else path.read_bytes()


@pytest.mark.parametrize("kind", SAVES)
def test_an_interrupt_at_any_point_leaves_one_whole_file(tmp_path: Path, kind: str) -> None:
    (save_old, save_new), ending = SAVES[kind]
    path = tmp_path / f"file{ending}"
    contents = [content(save_old(path)), content(save_new(path))]
    before = entries(lambda: save_new(path)).index("write_whole")
    whole = path.read_bytes()
    # Before a file is written, a graph is checked or a figure drawn: a few points of that, and every point after it.
    point = max(1, before // 10)
    while len(entries(lambda: save_new(path), point)) == point:
        assert names(tmp_path) == [path.name], point
        if path.read_bytes() != whole:
            assert content(path) in contents, point
            save_old(path)
            whole = path.read_bytes()
        point += 1 if point >= before else max(1, before // 10)
    assert point > before + 20
    assert content(path) in contents


KILLED = """
import os, random, signal, sys, time
from circuit_widget.graph import Graph
from circuit_widget.circuit.circuit import Circuit
from tests.graph.graphs import random_graph
graphs = [random_graph(3), random_graph(4)]
circuits = [Circuit().group(name, ["1_2_3"]) for name in ("old", "new")]
folder, kills = sys.argv[1], int(sys.argv[2])
for graph, circuit in zip(graphs, circuits):
    graph.save(folder + "/graph.safetensors"); circuit.save(folder + "/circuit.json")
chance, left = random.Random(7), 0
for _ in range(kills):
    ready, signal_end = os.pipe()
    child = os.fork()
    if child == 0:
        for turn in range(1_000_000):
            graphs[turn % 2].save(folder + "/graph.safetensors")
            circuits[turn % 2].save(folder + "/circuit.json")
            if turn == 0:
                os.write(signal_end, b".")
    os.read(ready, 1)
    # The moment of the kill is left to chance: there is no condition to wait for.
    time.sleep(chance.uniform(0, 0.006))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready); os.close(signal_end)
    left += any(name.startswith(".") for name in os.listdir(folder))
    Graph.load(folder + "/graph.safetensors"); Circuit.load(folder + "/circuit.json")
print(left)
graphs[0].save(folder + "/graph.safetensors"); circuits[0].save(folder + "/circuit.json")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_no_good_file_is_lost_when_writers_are_killed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(KILLS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0, "no writer was killed while it wrote"
    assert names(tmp_path) == ["circuit.json", "graph.safetensors"]
    assert Graph.load(tmp_path / "graph.safetensors").n_features == random_graph(3).n_features
    assert Circuit.load(tmp_path / "circuit.json") == circuits()[0]

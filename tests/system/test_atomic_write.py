"""A file is written whole or not at all, wherever its name leads, and nothing stays beside it."""

import errno
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import CircuitError, CircuitWidgetError, FigureError, GraphFileError
from circuit_widget.graph import Graph
from circuit_widget.system import atomic_write
from circuit_widget.system.atomic_write import check_destination, write_bytes, write_whole
from tests.figure.graphs import dallas
from tests.graph.graphs import random_graph

GRAPH, CIRCUIT = random_graph(3), Circuit().group("Texas", ["1_2_3"])

Save = Callable[[object], Path]

SAVES: dict[str, tuple[Save, str, type[CircuitWidgetError]]] = {
    "graph": (lambda path: GRAPH.save(path), ".safetensors", GraphFileError),
    "circuit": (lambda path: CIRCUIT.save(path), ".json", CircuitError),
    "figure": (lambda path: dallas().figure().save(path), ".svg", FigureError),
}


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", SAVES)
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600), (0o002, 0o664)])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_new_file_has_the_permissions_that_the_umask_gives(
    tmp_path: Path, umask: Callable[[int], int], kind: str, mask: int, mode: int
) -> None:
    save, ending, _ = SAVES[kind]
    umask(mask)
    assert stat.S_IMODE(save(tmp_path / f"file{ending}").stat().st_mode) == mode
    assert names(tmp_path) == [f"file{ending}"]


@pytest.mark.parametrize("kind", SAVES)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_file_keeps_its_permissions_when_it_is_replaced(tmp_path: Path, kind: str) -> None:
    save, ending, _ = SAVES[kind]
    path = save(tmp_path / f"file{ending}")
    for mode in (0o600, 0o664, 0o755):
        path.chmod(mode)
        save(path)
        assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("kind", SAVES)
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path, kind: str) -> None:
    save, ending, _ = SAVES[kind]
    (tmp_path / "data").mkdir()
    for name, there in (("old", True), ("new", False)):
        target, link = tmp_path / "data" / f"{name}{ending}", tmp_path / f"{name}-link{ending}"
        if there:
            target.write_text("old")
        link.symlink_to(os.path.relpath(target, tmp_path))
        assert save(link) == link
        assert link.is_symlink()
        assert target.read_bytes()[:3] != b"old"
    assert names(tmp_path / "data") == [f"new{ending}", f"old{ending}"]


NOWHERE: dict[str, tuple[Callable[[Path, str], object], str]] = {
    "no folder": (lambda folder, ending: folder / "nowhere" / f"x{ending}", "Choose a folder that exists"),
    "under a file": (lambda folder, ending: folder / "a file" / f"x{ending}", "a part of this path is a file"),
    "a folder": (lambda folder, ending: folder / f"folder{ending}", "There is a folder of this name"),
    "too long": (lambda folder, ending: folder / f"{'x' * 260}{ending}", "Choose a shorter name"),
    "a circle": (lambda folder, ending: folder / f"circle{ending}", "Remove the link"),
    "a pipe": (lambda folder, ending: folder / f"pipe{ending}", "It is a device, not a file"),
    "half a character": (lambda folder, ending: f"{folder}/\ud800{ending}", "has half a character"),
    "NUL": (lambda folder, ending: f"{folder}/a\0b{ending}", "has a NUL character"),
    "a number": (lambda folder, ending: 7, "A path is a text or a pathlib.Path; given int"),
    "nothing": (lambda folder, ending: "", "The path is empty"),
}


@pytest.mark.parametrize("kind", SAVES)
@pytest.mark.parametrize("where", NOWHERE)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes among files")
def test_a_path_that_cannot_be_written_to_has_its_own_sentence(tmp_path: Path, kind: str, where: str) -> None:
    save, ending, error = SAVES[kind]
    (tmp_path / "a file").write_text("kept")
    (tmp_path / f"folder{ending}").mkdir()
    (tmp_path / f"circle{ending}").symlink_to(tmp_path / f"circle{ending}")
    os.mkfifo(tmp_path / f"pipe{ending}")
    before = names(tmp_path)
    path, message = NOWHERE[where]
    with pytest.raises(error, match=message) as raised:
        save(path(tmp_path, ending))
    assert len(str(raised.value)) < 400
    str(raised.value).encode()
    assert names(tmp_path) == before


@pytest.mark.parametrize("kind", SAVES)
@pytest.mark.parametrize("length", [200, 235, 254])
def test_the_longest_name_of_the_file_system_can_be_written(tmp_path: Path, kind: str, length: int) -> None:
    save, ending, _ = SAVES[kind]
    path = save(tmp_path / f"{'x' * (length - len(ending))}{ending}")
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("call", ["mkdir", "replace", "fsync"])
def test_the_error_has_the_systems_own_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    path = tmp_path / "file"
    path.write_text("good")

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        # A file system that has become read-only does not let the clean-up remove anything either.
        broken.setattr(os, "unlink", fail)
        broken.setattr(os, "rmdir", fail)
        with pytest.raises(
            CircuitWidgetError, match=f"The text cannot be written to .*: {os.strerror(number)}\\. [A-Z]"
        ):
            write_bytes(path, b"new", "text", CircuitWidgetError)
    assert path.read_text() == "good"
    write_bytes(path, b"new", "text", CircuitWidgetError)
    assert (names(tmp_path), path.read_text()) == (["file"], "new")


FULL = """
import resource, sys
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.graph import Graph
graph, circuit = Graph.load(sys.argv[1]), Circuit.load(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
for save, path in ((graph.save, sys.argv[1]), (circuit.save, sys.argv[2])):
    try: save(path)
    except Exception as error: print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """The limit on the size of files fails a write half way, as a disk without room does."""
    paths = [GRAPH.save(tmp_path / "a.safetensors"), CIRCUIT.save(tmp_path / "b.json")]
    before = [path.read_bytes() for path in paths]
    code = [sys.executable, "-c", FULL, *map(str, paths)]
    done = subprocess.run(code, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    for line, kind in zip(lines, ("GraphFileError The graph", "CircuitError The circuit"), strict=True):
        assert line.startswith(f"{kind} cannot be written to")
        assert line.endswith("File too large. Choose a folder in which files may be as large.")
    assert [path.read_bytes() for path in paths] == before
    assert names(tmp_path) == ["a.safetensors", "b.json"]


def test_an_error_of_the_writer_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    def write(file: Path) -> None:
        file.write_text("half")
        (file.parent / ".of-a-library").write_text("left")
        raise RuntimeError("no more")

    with pytest.raises(CircuitWidgetError, match=r"The text cannot be written to .*/x: no more\.$"):
        write_whole(tmp_path / "x", write, "text", CircuitWidgetError)
    assert names(tmp_path) == []


def leftover(path: Path, host: str, process: int) -> Path:
    """A folder as a killed process leaves it."""
    key = atomic_write._key(path)
    folder = path.with_name(f"{atomic_write.PREFIX}.{key}.{host}.{process}.0a1b2c3d")
    folder.mkdir()
    (folder / "new").write_text("half")
    return folder


def gone_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows only the age is looked at")
def test_the_next_save_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    path, here = tmp_path / "file", atomic_write._host()
    left = leftover(path, here, gone_process())
    other_file = leftover(tmp_path / "other", here, gone_process())
    running = leftover(path, here, os.getppid())
    elsewhere = leftover(path, "0123abcd", gone_process())
    write_bytes(path, b"new", "text", CircuitWidgetError)
    assert names(tmp_path) == sorted(["file", other_file.name, running.name, elsewhere.name])
    assert not left.exists()
    long_ago = time.time() - atomic_write.ABANDONED_AFTER - 60
    for folder in (running, elsewhere):
        os.utime(folder, (long_ago, long_ago))
    write_bytes(path, b"newer", "text", CircuitWidgetError)
    assert names(tmp_path) == sorted(["file", other_file.name])


def test_a_link_of_a_leftovers_name_is_not_followed(tmp_path: Path) -> None:
    path, precious = tmp_path / "file", tmp_path / "precious"
    precious.mkdir()
    (precious / "data").write_text("kept")
    name = leftover(path, atomic_write._host(), gone_process())
    (name / "new").unlink()
    name.rmdir()
    name.symlink_to(precious)
    write_bytes(path, b"new", "text", CircuitWidgetError)
    assert (precious / "data").read_text() == "kept"


def test_writers_at_the_same_time_leave_one_whole_file(tmp_path: Path) -> None:
    path, failed = tmp_path / "graph.safetensors", []

    def write(seed: int) -> None:
        try:
            for _ in range(8):
                random_graph(seed).save(path)
        except GraphFileError as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    assert Graph.load(path).n_features in {random_graph(seed).n_features for seed in range(4)}
    assert names(tmp_path) == ["graph.safetensors"]


def test_a_destination_is_checked_before_the_work(tmp_path: Path) -> None:
    assert check_destination(tmp_path / "x", "text", CircuitWidgetError) == tmp_path / "x"
    (tmp_path / "file").write_text("kept")
    for path, message in ((tmp_path, "a folder of this name"), (tmp_path / "file" / "x", "is a file"), ("", "empty")):
        with pytest.raises(CircuitWidgetError, match=message):
            check_destination(path, "text", CircuitWidgetError)
    assert names(tmp_path) == ["file"]


def test_a_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert CIRCUIT.save("~/circuit.json") == tmp_path / "circuit.json"
    assert Circuit.load("~/circuit.json") == CIRCUIT


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_socket_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as there:
        there.bind("graph.safetensors")
        for attempt in (GRAPH.save, Graph.load):
            with pytest.raises(GraphFileError, match="a device, not a file"):
                attempt("graph.safetensors")

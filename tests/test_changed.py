"""A change calls for the tests of what it touches, and of what stands above it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.changed import TESTS_OF, TESTS_OF_PATHS, called_for, paths_of_room, room_of_path, touches_frontend, using
from tests.house import FLOOR, ROOT
from tools.check import Step, changed_files, check, pytest_step, quick_steps

ALWAYS = ("tests/test_house.py", "tests/test_shapes.py")
NOT_FOR_ONE_ROOM = {"browser", "fixtures", "packaging", "reference", "mutants", "real"}


@pytest.mark.parametrize("room", sorted(FLOOR))
def test_every_room_has_tests(room: str) -> None:
    assert paths_of_room(room)
    assert all((ROOT / path).exists() for path in paths_of_room(room))


def test_every_folder_of_tests_belongs_to_a_room() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("test_*.py"))}
    of_rooms = {path.split("/")[1] for room in FLOOR for path in paths_of_room(room)}
    assert folders - of_rooms - NOT_FOR_ONE_ROOM == set()


def test_the_tables_name_rooms_and_paths_that_exist() -> None:
    assert set(TESTS_OF) <= set(FLOOR)
    assert [path for _, paths in TESTS_OF_PATHS for path in paths if not (ROOT / path).exists()] == []
    assert [start for start, _ in TESTS_OF_PATHS if not list(ROOT.glob(f"{start}*"))] == []


def test_rooms_above_a_changed_one_come_after_it_from_the_lowest_on() -> None:
    called = called_for(["circuit_widget/intervention/kinds.py"])
    assert called.own == (*ALWAYS, "tests/intervention")
    assert called.above[:2] == ("tests/comparison", "tests/model/test_feature_card.py")
    assert called.above[-1] == "tests/test_cli.py"
    assert not {"tests/attribution", "tests/graph", "tests/model", "tests/intervention"} & set(called.above)


def test_the_highest_room_has_none_above_it() -> None:
    assert called_for(["circuit_widget/cli.py"]).above == ()


def test_two_rooms_are_both_changed_the_lower_one_first() -> None:
    called = called_for(["circuit_widget/widget/widget.py", "circuit_widget/graph/graph.py"])
    assert called.own == (*ALWAYS, "tests/graph", "tests/widget")
    assert "tests/figure" in called.above
    assert not any(path.startswith(("tests/widget", "tests/graph")) for path in called.above)


def test_a_test_file_calls_for_itself_and_a_helper_for_those_that_use_it() -> None:
    assert called_for(["tests/graph/test_prune.py"]).own == (*ALWAYS, "tests/graph/test_prune.py")
    assert called_for(["tests/graph/test_prune.py"]).above == ()
    assert "tests/graph/test_graph_file.py" in using("tests/graph/graphs.py")
    assert "tests/model/test_rerun.py" in using("tests/models.py")
    assert using("tests/test_that_was_removed.py") == ()


@pytest.mark.parametrize(
    ("path", "room"),
    [
        ("circuit_widget/widget/worker/worker.py", "widget.worker"),
        ("circuit_widget/figure/fonts/Inter.ttf", "figure"),
        ("circuit_widget/model/tokens/prompt.py", "model.tokens"),
        ("circuit_widget/errors.py", "errors"),
        ("tests/graph/graphs.py", None),
        ("js/src/map/view.ts", None),
    ],
)
def test_a_file_belongs_to_its_innermost_room(path: str, room: str | None) -> None:
    assert room_of_path(path) == room


def test_the_frontend_is_checked_where_it_or_what_it_shares_is_changed() -> None:
    assert touches_frontend(["js/src/core/layout.ts"])
    assert touches_frontend(["tests/fixtures/layout.json"])
    assert not touches_frontend(["circuit_widget/graph/graph.py", "docs/widget.md"])
    assert [step.name for step in quick_steps(True)][-2:] == ["tsc and biome", "vitest"]


def test_uncommitted_and_new_files_count_and_those_of_main_do_not(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    git("init", "--initial-branch", "main")
    for name in ("committed", "edited", "on_main"):
        (tmp_path / name).write_text("before")
    git("add", ".")
    git("commit", "--message", "first")
    git("switch", "--create", "branch")
    (tmp_path / "committed").write_text("after")
    git("commit", "--all", "--message", "second")
    git("switch", "main")
    (tmp_path / "on_main").write_text("after")
    git("commit", "--all", "--message", "third")
    git("switch", "branch")
    (tmp_path / "edited").write_text("after")
    (tmp_path / "new").write_text("")
    assert changed_files(tmp_path) == ("committed", "edited", "new")


def test_tests_get_the_time_that_style_leaves_and_types_are_checked_beside_them() -> None:
    ran: list[Step] = []
    words: list[str] = []
    clock = iter([0.0, 50.0])

    def run(step: Step) -> bool:
        ran.append(step)
        return True

    def start(step: Step) -> Callable[[], bool]:
        ran.append(step)

        def passed() -> bool:
            ended.append(step)
            return False

        return passed

    ended: list[Step] = []
    passes = check(["circuit_widget/cli.py"], run, start, lambda: next(clock), words.append)
    assert not passes
    assert [step.name for step in ran] == ["mypy", "ruff", "ruff format", "pytest"]
    assert [step.name for step in ended] == ["mypy"]
    assert ran[-1] == pytest_step(called_for(["circuit_widget/cli.py"]), 60)
    assert "60" in ran[-1].command
    assert words[-1] == "Failed: mypy."
    assert check([], lambda step: True, lambda step: lambda: True, lambda: 0.0, words.append)
    assert words[-1] == "What was run passes."


def run_within(seconds: str, folder: Path, *options: str) -> str:
    """Run two tests that fail within a time, and return what pytest prints."""
    (folder / "test_late.py").write_text("def test_one():\n    assert False\n\n\ndef test_two():\n    assert False\n")
    command = (sys.executable, "-m", "pytest", "-p", "tests.out_of_time", "--rootdir", str(folder), *options)
    done = subprocess.run(
        [*command, "--seconds", seconds, str(folder)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    return done.stdout


def test_what_has_not_begun_in_time_is_left_out_and_named_whichever_worker_had_it(tmp_path: Path) -> None:
    printed = run_within("-1", tmp_path, "-n", "1")
    assert "left out, since the time was over" in printed
    assert "test_late.py: 2 tests" in printed
    assert "failed" not in printed


def test_what_begins_in_time_is_run(tmp_path: Path) -> None:
    printed = run_within("1000", tmp_path)
    assert "2 failed" in printed
    assert "left out" not in printed

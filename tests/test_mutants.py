"""The table of mistakes that tests have to catch can be run as it is written down."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tools.mutants.mutation import Mutation
from tools.mutants.run import MUTATIONS, are_of_frontend, check_table, check_tests, command_of, outcome_of, try_mutation

SUM = Mutation("a sum is a difference", "sums.py", "a + b", "a - b", ("test_sums.py",))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one function and its test."""
    (tmp_path / "sums.py").write_text("def add(a, b):\n    return a + b\n")
    (tmp_path / "test_sums.py").write_text("from sums import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n")
    return tmp_path


def test_every_mistake_can_be_made_in_the_file_that_it_names() -> None:
    check_table()


def test_the_mistakes_are_many_and_well_spread() -> None:
    rooms = ["attribution", "intervention", "figure", "widget"]
    assert len(MUTATIONS) >= 60
    assert all(sum(one.file.startswith(f"circuit_widget/{room}/") for one in MUTATIONS) >= 8 for room in rooms)
    assert sum(are_of_frontend(one.tests) for one in MUTATIONS) >= 8


@pytest.mark.parametrize(("text", "count"), [("a * b", 0), ("a + b; a + b", 2)])
def test_a_text_that_does_not_stand_in_its_file_once_is_an_error(project: Path, text: str, count: int) -> None:
    (project / "sums.py").write_text(text)
    with pytest.raises(ValueError, match=f"'a \\+ b' stands {count} times in sums.py"):
        SUM.check(project)


def test_a_file_or_a_test_that_is_not_there_is_an_error(project: Path) -> None:
    for mutation in (replace(SUM, file="gone.py"), replace(SUM, tests=("test_gone.py::test_add",))):
        with pytest.raises(ValueError, match=r"does not exist: (test_)?gone\.py"):
            mutation.check(project)


def test_a_mistake_is_caught_or_survives_and_is_taken_back(project: Path) -> None:
    before = (project / "sums.py").read_text()
    assert try_mutation(SUM, project).outcome == "caught"
    assert try_mutation(replace(SUM, after="b + a"), project).outcome == "survived"
    assert (project / "sums.py").read_text() == before


def test_tests_that_fail_by_themselves_end_the_run_before_the_first_mistake(project: Path) -> None:
    check_tests([SUM], project)
    with (project / "test_sums.py").open("a") as file:
        file.write("\n\ndef test_nothing():\n    assert add(0, 0)\n")
    with pytest.raises(ValueError, match=r"Without a mistake, these tests do not pass: .* test_sums\.py$"):
        check_tests([SUM], project)


def test_tests_that_cannot_run_catch_nothing(project: Path) -> None:
    assert outcome_of(command_of(("test_gone.py",)), project, project) == "not run"
    assert outcome_of([sys.executable, "-c", "raise SystemExit(1)"], project, project) == "caught"


def test_a_mistake_on_the_page_is_left_to_vitest() -> None:
    command = command_of(("js/test/map.test.ts",))
    assert command[:3] == ["npx", "vitest", "run"]
    assert command[-1] == "test/map.test.ts"

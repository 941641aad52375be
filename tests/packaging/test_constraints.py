"""The oldest versions that are promised are those that the tests run with."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
IN_A_BROWSER = {"jupyterlab", "notebook"}
"""Started by the tests in a browser alone, which run with the newest versions."""


def pins(name: str) -> dict[str, str]:
    """Return the versions that a file of constraints asks for, by name as it is written there."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"([A-Za-z0-9_.-]+)==([0-9][^ ]*)", line) for line in lines]
    assert None not in found, f"{name} has a line that is no name==version"
    return {match[1]: match[2] for match in found if match}


def promised(requirements: Iterable[str]) -> Iterator[tuple[NormalizedName, Version]]:
    """Yield the lower bound of each requirement; our own extras stand for what they contain."""
    for requirement in map(Requirement, requirements):
        if requirement.name == PROJECT["name"]:
            continue
        (least,) = [one.version for one in requirement.specifier if one.operator == ">="]
        yield canonicalize_name(requirement.name), Version(least)


def test_every_lower_bound_is_the_version_that_the_tests_run_with() -> None:
    wanted = dict(
        promised([*PROJECT["dependencies"], *EXTRAS["figures"], *EXTRAS["examples"], *EXTRAS["gguf"], *EXTRAS["demo"]])
    )
    found = {canonicalize_name(name): Version(version) for name, version in pins("constraints-oldest.txt").items()}
    assert {name: found.get(name) for name in wanted if name not in IN_A_BROWSER} == {
        name: least for name, least in wanted.items() if name not in IN_A_BROWSER
    }


def test_what_else_is_pinned_is_no_dependency_of_ours() -> None:
    text = (ROOT / "constraints-oldest.txt").read_text()
    ours, theirs = (set(re.findall(r"(?m)^([^#\s=]+)==", part)) for part in text.split("# What these need"))
    declared = {
        name
        for name, _ in promised(
            [*PROJECT["dependencies"], *EXTRAS["figures"], *EXTRAS["examples"], *EXTRAS["gguf"], *EXTRAS["demo"]]
        )
    }
    assert {canonicalize_name(name) for name in ours} == declared - IN_A_BROWSER
    assert declared.isdisjoint(map(canonicalize_name, theirs))


@pytest.mark.parametrize("name", sorted(pins("constraints.txt")))
def test_a_package_has_one_spelling_in_both_files(name: str) -> None:
    """The Makefile takes a name from the first file that has it, letter by letter."""
    alike = [other for other in pins("constraints-oldest.txt") if canonicalize_name(other) == canonicalize_name(name)]
    assert alike in ([], [name])


def test_the_newest_versions_lie_in_the_ranges() -> None:
    newest = {canonicalize_name(name): version for name, version in pins("constraints.txt").items()}
    for requirement in map(
        Requirement,
        [*PROJECT["dependencies"], *EXTRAS["figures"], *EXTRAS["examples"], *EXTRAS["gguf"], *EXTRAS["demo"]],
    ):
        if requirement.name != PROJECT["name"]:
            assert requirement.specifier.contains(newest[canonicalize_name(requirement.name)])


def test_the_makefile_names_the_oldest_torch() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert set(re.findall(r"TORCH=([0-9.]+)", makefile)) == {pins("constraints-oldest.txt")["torch"]}

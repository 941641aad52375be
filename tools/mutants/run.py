"""Makes every mistake of the table in a copy of the project, and reports those that no test catches.

First it runs all their tests without a mistake: a test that fails by itself catches nothing. `python -m
tools.mutants.run [WORDS]` makes only mistakes whose file or description has the words; `--check` makes none,
and sees that each text still stands in its file.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.mutants import (
    answering,
    comparing,
    computing,
    labelling,
    printed_look,
    printing,
    proposing,
    reading,
    showing,
)
from tools.mutants.mutation import Mutation

ROOT = Path(__file__).parents[2]
MUTATIONS: tuple[Mutation, ...] = (
    *computing.MUTATIONS,
    *comparing.MUTATIONS,
    *reading.MUTATIONS,
    *labelling.MUTATIONS,
    *proposing.MUTATIONS,
    *showing.MUTATIONS,
    *answering.MUTATIONS,
    *printing.MUTATIONS,
    *printed_look.MUTATIONS,
)
SECONDS = 600
"""How long the tests of one mistake may take; what hangs is caught too."""
SECONDS_WITHOUT = 3_000
"""How long all tests may take without a mistake."""

Outcome = Literal["caught", "survived", "not run"]

TESTS_FAILED = 1
"""How pytest and vitest end when tests failed; they end otherwise when they could not run any."""


@dataclass(frozen=True)
class Result:
    """How a mistake ended: caught by a test, or not, or the tests did not run."""

    mutation: Mutation
    outcome: Outcome
    seconds: float


def check_table(root: Path = ROOT) -> None:
    """Raise ValueError where a mistake cannot be made as it is written down, or is there twice."""
    for mutation in MUTATIONS:
        mutation.check(root)
    texts = [(one.file, one.before, one.after) for one in MUTATIONS]
    if len(set(texts)) < len(texts):
        raise ValueError("Two mistakes are the same.")


@contextmanager
def copy_of_project(root: Path = ROOT) -> Iterator[Path]:
    """Yield a folder with the project's files, and with links to what is installed and built."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in listed:
            if (root / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, copy / name)
        for name in ("js/node_modules", "circuit_widget/widget/static"):
            if (root / name).exists():
                (copy / name).symlink_to(root / name)
        yield copy


def try_mutation(mutation: Mutation, copy: Path) -> Result:
    """Make a mistake in a copy of the project, run its tests there, and take it back."""
    path = copy / mutation.file
    text = path.read_text(encoding="utf-8")
    path.write_text(mutation.applied_to(text), encoding="utf-8")
    started = time.monotonic()
    try:
        outcome = outcome_of(command_of(mutation.tests), folder_of(mutation.tests, copy), copy)
    finally:
        path.write_text(text, encoding="utf-8")
    return Result(mutation, outcome, time.monotonic() - started)


def are_of_frontend(tests: Sequence[str]) -> bool:
    """Whether vitest runs these tests."""
    return tests[0].startswith("js/")


def folder_of(tests: Sequence[str], copy: Path) -> Path:
    """Return the folder in which tests run."""
    return copy / "js" if are_of_frontend(tests) else copy


def command_of(tests: Sequence[str]) -> list[str]:
    """Return the command that runs tests, up to the first that fails."""
    if are_of_frontend(tests):
        return ["npx", "vitest", "run", "--bail", "1", *(test.removeprefix("js/") for test in tests)]
    return [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]


def outcome_of(command: Sequence[str], folder: Path, copy: Path, seconds: float = SECONDS) -> Outcome:
    """Run tests in a folder, with the copy's package, and return whether one failed."""
    environment = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return "caught"
    if done.returncode == TESTS_FAILED:
        return "caught"
    return "survived" if done.returncode == 0 else "not run"


def check_tests(mutations: Sequence[Mutation], copy: Path) -> None:
    """Raise ValueError unless the tests of all mistakes pass where no mistake is made."""
    named = dict.fromkeys(test for one in mutations for test in one.tests)
    for of_frontend in (False, True):
        tests = [test for test in named if are_of_frontend([test]) == of_frontend]
        if tests:
            command = command_of(tests)
            outcome = outcome_of(command, folder_of(tests, copy), copy, SECONDS_WITHOUT)
            if outcome != "survived":
                raise ValueError(f"Without a mistake, these tests do not pass: {' '.join(command)}")


def main(words: Sequence[str]) -> int:
    """Make the mistakes that have all the words; returns 0 if every one was caught."""
    chosen = [one for one in MUTATIONS if all(word in f"{one.file} {one.mistake}" for word in words)]
    print(f"{len(chosen)} mistakes", flush=True)
    results = []
    with copy_of_project() as copy:
        check_tests(chosen, copy)
        print("Without a mistake, all their tests pass.", flush=True)
        for mutation in chosen:
            result = try_mutation(mutation, copy)
            results.append(result)
            print(f"{result.outcome:>8} {result.seconds:5.0f} s  {mutation.file}: {mutation.mistake}", flush=True)
    left = [result for result in results if result.outcome != "caught"]
    print(f"{len(results) - len(left)} of {len(results)} mistakes were caught.")
    for result in left:
        one = result.mutation
        print(
            f"{result.outcome}: {one.mistake}\n  {one.file}: {one.before!r} -> {one.after!r}\n  {' '.join(one.tests)}"
        )
    return 1 if left else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    check_table()
    sys.exit(0 if options.check else main(options.words))

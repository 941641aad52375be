"""A verdict on a change in two minutes: style, types, and the tests of the rooms that it touches and of those above.

`make check` runs it. The change is what the branch has that main has not, uncommitted files included.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.changed import Called, called_for, touches_frontend
from tests.house import ROOT

SECONDS = 120
SECONDS_TO_END = 10
"""What the tests that have begun may take, when the time for beginning others is over."""

WORKERS = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")


@dataclass(frozen=True)
class Step:
    """A command that passes or fails, run in a folder below the root."""

    name: str
    command: tuple[str, ...]
    folder: str = "."


def changed_files(root: Path = ROOT) -> tuple[str, ...]:
    """Return the files that differ from where the branch left main, or from the last commit on main itself."""
    git = ("git", "-C", str(root))
    base = subprocess.run([*git, "merge-base", "main", "HEAD"], capture_output=True, text=True, check=False)
    since = base.stdout.strip() if base.returncode == 0 else "HEAD"
    differing = _output([*git, "diff", "--name-only", "--relative", since])
    untracked = _output([*git, "ls-files", "--others", "--exclude-standard"])
    return tuple(sorted({*differing, *untracked}))


def quick_steps(frontend: bool) -> list[Step]:
    """Return the checks of style, and all of the frontend's where it is changed."""
    python = sys.executable
    steps = [
        Step("ruff", (python, "-m", "ruff", "check", ".")),
        Step("ruff format", (python, "-m", "ruff", "format", "--check", ".")),
    ]
    if frontend:
        steps += [
            Step("tsc and biome", ("npm", "run", "--silent", "check"), "js"),
            Step("vitest", ("npm", "run", "--silent", "test"), "js"),
        ]
    return steps


def types_step() -> Step:
    """Return the check of Python's types, which uses one core for a minute or two where nothing is cached."""
    return Step("mypy", (sys.executable, "-m", "mypy"))


def pytest_step(called: Called, seconds: float) -> Step:
    """Return the run of the tests that a change calls for, those of the rooms it touches first."""
    limit = ("-p", "tests.out_of_time", "--seconds", f"{max(1.0, seconds):.0f}")
    quiet = ("-q", "--no-header", "-rfE")
    return Step("pytest", (sys.executable, "-m", "pytest", *quiet, *WORKERS, *limit, *called.own, *called.above))


def check(
    changed: Sequence[str],
    run: Callable[[Step], bool],
    start: Callable[[Step], Callable[[], bool]],
    now: Callable[[], float],
    say: Callable[[str], None],
) -> bool:
    """Run every step, types beside the others, and return whether all of them passed.

    `run` runs a step and returns whether it passed; `start` starts one and returns what waits for its end.
    """
    began, called = now(), called_for(changed)
    say(f"{len(changed)} changed files. Tests: {' '.join(called.own)}")
    say(f"and above them: {' '.join(called.above) or 'none'}")
    types = types_step()
    types_passed = start(types)
    failed = [step.name for step in quick_steps(touches_frontend(changed)) if not run(step)]
    tests = pytest_step(called, SECONDS - SECONDS_TO_END - (now() - began))
    failed += [] if run(tests) else [tests.name]
    failed += [] if types_passed() else [types.name]
    say("Tests in a browser and on the oldest versions are left out: make test runs them.")
    say(f"Failed: {', '.join(failed)}." if failed else "What was run passes.")
    return not failed


def _output(command: Sequence[str]) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _run(step: Step) -> bool:
    print(f"==> {step.name}", flush=True)
    return subprocess.run(step.command, cwd=ROOT / step.folder, check=False).returncode == 0


def _start(step: Step) -> Callable[[], bool]:
    process = subprocess.Popen(step.command, cwd=ROOT / step.folder, stdout=subprocess.PIPE, text=True)

    def passed() -> bool:
        printed, _ = process.communicate()
        print(f"==> {step.name}\n{printed}", end="", flush=True)
        return process.returncode == 0

    return passed


if __name__ == "__main__":
    sys.exit(not check(changed_files(), _run, _start, time.monotonic, lambda text: print(text, flush=True)))

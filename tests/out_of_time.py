"""A plugin of pytest by which a run ends in time: what has not begun by then is left out, and named at the end.

`python -m pytest -p tests.out_of_time --seconds 100`; with several workers each stops by itself.
"""

import time
from collections import Counter
from pathlib import Path

import pytest

LEFT_OUT = "left out: the time is over"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for how long a run may take."""
    parser.addoption("--seconds", type=float, default=float("inf"), help="begin no test after so many seconds")


def pytest_configure(config: pytest.Config) -> None:
    """Note when the run began: workers begin when the run that started them did."""
    inputs = getattr(config, "workerinput", {})
    config.stash[BEGAN] = inputs.get("began", time.time())


BEGAN = pytest.StashKey[float]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Let a worker of pytest-xdist know when the run began."""
    node.workerinput["began"] = node.config.stash[BEGAN]  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out when the time is over."""
    if time.time() - item.config.stash[BEGAN] > item.config.getoption("--seconds"):
        pytest.skip(LEFT_OUT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the files with tests that were left out."""
    skipped = terminalreporter.stats.get("skipped", [])
    files = Counter(report.nodeid.split("::")[0] for report in skipped if LEFT_OUT in str(report.longrepr))
    if files:
        terminalreporter.section("left out, since the time was over")
        for file, count in sorted(files.items()):
            terminalreporter.line(f"{Path(file).as_posix()}: {count} test{'s' if count > 1 else ''}")

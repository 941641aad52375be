"""Shapes in annotations are executed, properties are tried on the same examples everywhere, a busy machine is no failure."""

import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version

import pytest
from packaging.version import Version

from tests import shapes

# With an older jaxtyping, checks take three times as long as what they check.
if Version(version("jaxtyping")) >= Version("0.3"):
    shapes.install("circuit_widget")

from hypothesis import settings

from circuit_widget.system import warning

# The functions that check shapes stand between ours and the test that a warning points to.
warning.PASSED_OVER += (shapes.__name__,)

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


LONGEST = (
    "widget/test_interleavings.py",
    "real/test_any_model_notebook.py",
    "real/test_smollm2.py",
    "demo/test_scores.py",
    "model/test_interrupts.py",
    "door/test_door.py",
    "widget/test_concurrency.py",
    "widget/test_memory.py",
    "widget/test_malformed_messages.py",
    "demo/test_build.py",
    "demo/test_cards.py",
    "demo/test_rhymes.py",
    "packaging/test_distributions.py",
    "test_quickstart.py",
    "browser/test_other_hosts.py",
    "browser/test_lasting.py",
    "browser/test_picture.py",
    "browser/test_looks.py",
)
"""Files whose tests take long, however few they are: one that begins last would run alone, with other workers idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the files that take longest come first, then those with the most tests."""
    tests = Counter(item.path for item in items)
    last = len(LONGEST)
    place = {path: next((n for n, name in enumerate(LONGEST) if path.match(f"tests/{name}")), last) for path in tests}
    items.sort(key=lambda item: (place[item.path], -tests[item.path], item.path))


@pytest.fixture(autouse=True)
def no_earlier_work() -> Iterator[None]:
    """No widget starts with the circuit of another test's."""
    yield
    if (keeping := sys.modules.get("circuit_widget.widget.keeping")) is not None:
        keeping._last.clear()

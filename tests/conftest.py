"""Shapes in annotations are executed, properties are tried on the same examples everywhere, a busy machine is no failure."""

import sys
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


@pytest.fixture(autouse=True)
def no_earlier_work() -> Iterator[None]:
    """No widget starts with the circuit of another test's."""
    yield
    if (keeping := sys.modules.get("circuit_widget.widget.keeping")) is not None:
        keeping._last.clear()

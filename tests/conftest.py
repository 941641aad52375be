"""Shapes in annotations are executed, properties are tried on the same examples everywhere, a busy machine is no failure."""

import sys

from jaxtyping import install_import_hook

from tests.shapes import CHECKER

if "circuit_widget" in sys.modules:
    raise RuntimeError(
        "circuit_widget is imported before tests/conftest.py: its annotated shapes would not be executed."
    )
install_import_hook("circuit_widget", CHECKER)

from hypothesis import settings  # noqa: E402

from circuit_widget.system import warning  # noqa: E402

# The functions in which jaxtyping wraps ours stand between them and the test that a warning points to.
warning.PASSED_OVER += ("jaxtyping",)

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

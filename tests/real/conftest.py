"""A language model that somebody else trained, with its neurons as features; loaded once."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from circuit_widget import Graph, load
from circuit_widget.replacement_model import ReplacementModel
from tests.real.smollm2 import NotFetched, gguf_path, model_directory

FRANCE = "The capital of France is"
OPPOSITE = "The opposite of small is"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one process have all tests of the model: loading it takes longer than most of them."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("real"))


def fetched(path_of: Callable[[], Path]) -> Path:
    """Return a path of the model; without network the test is skipped, in CI that is a failure."""
    try:
        return path_of()
    except NotFetched as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(f"In CI the real model has to be there: {reason}")
        pytest.skip(f"The real model is not in the cache: {reason}")


@pytest.fixture(scope="session")
def gguf() -> Path:
    """The model's GGUF file."""
    return fetched(gguf_path)


@pytest.fixture(scope="session")
def directory() -> Path:
    """The same model as transformers saves it."""
    return fetched(model_directory)


@pytest.fixture(scope="session")
def model(directory: Path) -> ReplacementModel:
    """The model with its neurons."""
    return load(directory, "neurons", device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def france(model: ReplacementModel) -> Graph:
    """A graph of 500 neurons."""
    return model.trace(FRANCE, max_features=500)

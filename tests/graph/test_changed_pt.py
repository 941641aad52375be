"""Files of circuit-tracer that are changed at random: each is a whole graph or an error that names the file."""

import copy
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import circuit_widget as cw
from circuit_widget.errors import GraphFileError
from tests.graph.mutations import EXTREME, change_bytes
from tests.graph.test_circuit_tracer_pt import layout, save

__all__ = ["save"]

CHANGES = 60


def small_layout() -> dict[str, Any]:
    return layout(20)


def changed_tensor(tensor: torch.Tensor, chance: random.Random) -> torch.Tensor:
    """A tensor with a number changed, another type, another shape or another order."""
    changed = tensor.clone()
    match chance.randrange(6):
        case 0:
            return changed.flip(0)
        case 1:
            return changed[:-1]
        case 2:
            return changed.to(chance.choice([torch.float64, torch.int8, torch.float16, torch.bool, torch.complex64]))
        case 3:
            return changed.to_sparse() if chance.random() < 0.5 else changed.unsqueeze(0)
        case _:
            flat = changed.reshape(-1)
            values: list[float] = [0, 1, -1, 7, 2**31 - 1, -(2**63), 2**62]
            if changed.is_floating_point():
                values = [np.nan, np.inf, 1e-45, 3e38, -0.0, 0.25, -1.0]
            flat[chance.randrange(len(flat))] = chance.choice(values)
            return changed


def changed_layout(chance: random.Random) -> dict[str, Any]:
    """The content of a file with one of its values changed."""
    whole = small_layout()
    key = chance.choice(sorted(whole))
    match chance.randrange(4):
        case 0:
            del whole[key]
        case 1:
            whole[key] = copy.deepcopy(chance.choice(EXTREME))
        case _:
            if isinstance(whole[key], torch.Tensor):
                whole[key] = changed_tensor(whole[key], chance)
            elif isinstance(whole[key], list):
                whole[key] = [*whole[key][1:], chance.choice([*EXTREME, whole[key][0]])]
            else:
                whole[key] = chance.choice(EXTREME)
    return whole


def opened(path: Path) -> bool:
    """Whether a file is a graph, which is then whole; the error names the file otherwise."""
    error = ""
    try:
        graph = cw.open(path)
    except GraphFileError as problem:
        error = str(problem)
    if error:
        assert path.name in error
        assert error.isprintable()
        return False
    again = cw.open(graph.save(path.with_name("again.safetensors")))
    assert again.node_ids == graph.node_ids
    np.testing.assert_array_equal(again.weights, graph.weights)
    return True


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore::circuit_widget.errors.CircuitWidgetWarning")
def test_changed_values(seed: int, save: Callable[[dict[str, Any]], Path]) -> None:
    chance = random.Random(seed)
    whole = [opened(save(changed_layout(chance))) for _ in range(CHANGES)]
    assert 0 < sum(whole) < CHANGES


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore::circuit_widget.errors.CircuitWidgetWarning")
def test_changed_bytes(seed: int, save: Callable[[dict[str, Any]], Path]) -> None:
    chance = random.Random(seed)
    file = save(small_layout())
    content = file.read_bytes()
    refused = 0
    for _ in range(CHANGES):
        file.write_bytes(change_bytes(content, chance))
        refused += not opened(file)
    assert refused

"""Memory stays flat over many traces, interventions and clicks, and a closed widget gives everything back."""

import gc
import sys
from collections import Counter
from collections.abc import Callable

import numpy as np
import torch

from circuit_widget import Ablate, ReplacementModel
from tests.models import reference_model
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.linear_model import wait_for

ROUNDS = 40
WARM_UP = 12
SLACK = 4
"""Objects of a kind that may come and go; one kept for every round would be ten times that."""


def census() -> Counter[str]:
    """Count what is alive: objects of our classes, tensors, numpy arrays, and threads' frames."""
    gc.collect()
    objects = gc.get_objects()
    found: Counter[str] = Counter()
    for kind, count in Counter(map(type, objects)).items():
        if str(kind.__module__).startswith("circuit_widget") or issubclass(kind, torch.Tensor):
            found[kind.__name__] += count
    # Arrays are not tracked themselves; what refers to them is.
    found["ndarray"] = len({id(inner) for inner in gc.get_referents(*objects) if type(inner) is np.ndarray})
    found["thread"] = len(sys._current_frames())
    return found


def check_flat(act: Callable[[int], None], rounds: int, warm_up: int) -> None:
    """Do something many times, and see that no kind of object gets more."""
    for number in range(warm_up):
        act(number)
    before = census()
    for number in range(warm_up, warm_up + rounds):
        act(number)
    after = census()
    grown = {kind: (before[kind], count) for kind, count in after.items() if count - before[kind] > SLACK}
    assert grown == {}


def prompt_of(number: int) -> list[int]:
    """Return a prompt that no other round has."""
    draw = np.random.default_rng(number)
    return [1, *draw.integers(3, 150, size=5).tolist()]


def trace_and_intervene(model: ReplacementModel, number: int) -> None:
    graph = model.trace(prompt_of(number))
    effect = model.intervene(graph, Ablate(graph.node_ids[:2]))
    assert len(effect.nodes) >= graph.n_features


def test_memory_is_flat_over_many_traces_and_interventions() -> None:
    model = reference_model()
    check_flat(lambda number: trace_and_intervene(model, number), ROUNDS, WARM_UP)


def test_memory_is_flat_over_many_clicks_once_they_are_forgotten(show: Open) -> None:
    model = reference_model()
    widget, page = show(model.trace(prompt_of(0)))
    nodes = widget.graph.node_ids[: widget.graph.n_features]

    def click(number: int) -> None:
        changed = [{"kind": "ablate", "nodes": [nodes[number % len(nodes)]]}]
        body = {"interventions": changed, "mode": "total", "name": f"experiment {number}"}
        made = answered(page, page.request("intervene", body))["body"]["id"]
        assert answered(page, page.request("forget", {"id": made}))["type"] == "reply"
        page.answers.clear()

    check_flat(click, ROUNDS, WARM_UP)
    assert widget.effects == []


def test_a_closed_widget_gives_everything_back(show: Open, opened_widgets: list[object]) -> None:
    model = reference_model()
    open_elsewhere = census()["CircuitWidget"]

    def look(number: int) -> None:
        widget, page = show(model.trace(prompt_of(number)))
        node = widget.graph.node_ids[0]
        click = {"interventions": [{"kind": "ablate", "nodes": [node]}], "mode": "total", "name": "x"}
        assert answered(page, page.request("intervene", click))["type"] == "reply"
        widget.group("some", [node])
        assert widget._worker.wait_until_idle(10)
        widget.close()
        opened_widgets.clear()

    check_flat(look, ROUNDS // 2, WARM_UP)
    wait_for(lambda: census()["CircuitWidget"] <= open_elsewhere, 30)

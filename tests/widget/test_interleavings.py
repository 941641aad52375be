"""Clicks, cancels, edits on both sides, reloads and failures in any order end with page and kernel in the same state."""

import random
from typing import Any

import pytest

from circuit_widget.errors import InterventionError
from circuit_widget.widget.widget import CircuitWidget
from tests.widget.conftest import Open
from tests.widget.frontend import Page
from tests.widget.linear_model import LinearModel

STEPS = 60
SHARED = ("circuit", "selected", "effect", "settings")


class Session:
    """A user who does anything at any moment, on the page and in cells, while messages take their time."""

    def __init__(self, seed: int, widget: CircuitWidget, page: Page, model: LinearModel) -> None:
        self.random = random.Random(seed)
        self.widget, self.page, self.model = widget, page, model
        self.nodes = list(widget.graph.node_ids)
        self.features = self.nodes[: widget.graph.n_features]
        self.asked: list[str] = []
        self.lost: set[str] = set()
        self.called = 0

    def step(self) -> None:
        """Do one thing."""
        doings = [
            (self.click, 6), (self.cancel, 3), (self.inspect, 2), (self.edit, 5), (self.edit_wrongly, 1),
            (self.select, 3), (self.clear, 2), (self.adjust, 1), (self.group_in_a_cell, 3), (self.select_in_a_cell, 2),
            (self.ablate_in_a_cell, 2), (self.reset_in_a_cell, 1), (self.speak, 8), (self.hear, 8), (self.gate, 4),
            (self.failure, 1), (self.reload, 1), (self.babble, 1),
        ]  # fmt: skip
        (doing,) = self.random.choices([one for one, _ in doings], [weight for _, weight in doings])
        doing()

    def some(self, nodes: list[str]) -> list[str]:
        return self.random.sample(nodes, self.random.randint(1, 3))

    def click(self) -> None:
        intervention = self.random.choice(
            [{"kind": "ablate"}, {"kind": "scale", "factor": -2}, {"kind": "add", "value": 1}]
        )
        body = {"interventions": [{**intervention, "nodes": self.some(self.features)}], "mode": "total", "name": "x"}
        self.asked.append(self.page.request("intervene", body))

    def cancel(self) -> None:
        if self.asked:
            self.asked.append(self.page.request("cancel", {"rid": self.random.choice(self.asked[-4:])}))

    def inspect(self) -> None:
        self.asked.append(self.page.request("card", {"node": self.random.choice(self.nodes)}))

    def edit(self) -> None:
        self.page.edit(pinned=self.some(self.nodes), positions={})

    def edit_wrongly(self) -> None:
        self.page.edit(pinned=["9_9_9"], positions={})

    def select(self) -> None:
        self.page.set("selected", self.some(self.nodes))

    def clear(self) -> None:
        self.page.set("effect", None)

    def adjust(self) -> None:
        self.page.set("settings", {"theme": self.random.choice(["auto", "dark"]), "height": 400})

    def group_in_a_cell(self) -> None:
        self.widget.group(self.random.choice("abc"), self.some(self.features))

    def select_in_a_cell(self) -> None:
        self.widget.select(self.some(self.nodes))

    def ablate_in_a_cell(self) -> None:
        if self.model.gate.is_set() and self.model.failure is None:
            self.widget.ablate(self.some(self.features))
            self.called += 1

    def reset_in_a_cell(self) -> None:
        self.widget.reset()

    def speak(self) -> None:
        self.page.speak(self.random.randint(1, 4))

    def hear(self) -> None:
        self.page.hear(self.random.randint(1, 6))

    def gate(self) -> None:
        self.model.gate.clear() if self.model.gate.is_set() else self.model.gate.set()

    def failure(self) -> None:
        failures = [None, InterventionError("Not like this."), ZeroDivisionError(), MemoryError()]
        self.model.failure = self.random.choice(failures)

    def babble(self) -> None:
        self.page.post(self.random.choice(["hello", {"method": "custom", "content": [1]}, {"method": "update"}]))

    def reload(self) -> None:
        """Reload the page: what was on its way in either direction is lost, and the kernel is asked for its state."""
        self.lost.update(self.asked)
        self.page.comm.published.clear()
        self.page = Page(self.page.comm)
        self.page.post({"method": "request_state"})
        self.page.speak()
        while "circuit" not in self.page.traits:
            self.page.hear(1)

    def settle(self) -> None:
        """Let everything that is on its way arrive."""
        self.model.failure = None
        self.model.gate.set()
        while self.page.outbox or self.page.comm.published or self.widget._worker.pending(self.widget):
            self.page.speak()
            assert self.widget._worker.wait_until_idle(10)
            self.page.hear()

    def held(self) -> dict[str, Any]:
        """Return the kernel's state as the page should show it."""
        return {**{name: getattr(self.widget, name) for name in SHARED}, "circuit": self.widget.circuit.to_json()}


@pytest.mark.parametrize("block", range(15))
def test_page_and_kernel_end_in_the_same_state_with_no_job_left(show: Open, model: LinearModel, block: int) -> None:
    for seed in range(20 * block, 20 * block + 20):
        widget, page = show()
        session = Session(seed, widget, page, model)
        for _ in range(STEPS):
            session.step()
        session.settle()
        page = session.page
        assert {name: page.traits[name] for name in SHARED} == session.held(), f"seed {seed}"
        assert widget._worker.pending(widget) == ()
        for rid in set(session.asked) - session.lost:
            kinds = [one["type"] for one in page.answers[rid]]
            assert kinds.count("reply") + kinds.count("error") == 1, f"seed {seed}: {rid} was answered {kinds}"
            assert kinds[-1] in ("reply", "error"), f"seed {seed}: {rid} was answered {kinds}"
        replies = [page.last(rid) for rid in set(session.asked) - session.lost]
        effects = [one["body"]["id"] for one in replies if "interventions" in one.get("body", {})]
        assert len(effects) == len(set(effects))
        assert max(effects, default=0) <= len(widget.effects)
        if not session.lost:
            assert len(effects) + session.called == len(widget.effects), f"seed {seed}"
        widget.close()

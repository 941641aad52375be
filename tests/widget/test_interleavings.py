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
SHARED = ("circuit", "selected", "effect", "settings", "study", "experiments")


class Session:
    """A user who does anything at any moment, on the page and in cells, while messages take their time."""

    def __init__(self, seed: int, widget: CircuitWidget, page: Page, model: LinearModel) -> None:
        self.random = random.Random(seed)
        self.widget, self.page, self.model = widget, page, model
        self.nodes = list(widget.graph.node_ids)
        self.features = self.nodes[: widget.graph.n_features]
        self.requested: list[str] = []
        self.clicked: list[str] = []
        self.lost: set[str] = set()
        self.called = 0
        self.forgotten = False

    def step(self) -> None:
        """Do one thing."""
        doings = [
            (self.click, 6), (self.cancel, 3), (self.inspect, 2), (self.edit, 5), (self.edit_wrongly, 1),
            (self.select, 3), (self.clear, 2), (self.adjust, 1), (self.group_in_a_cell, 3), (self.select_in_a_cell, 2),
            (self.ablate_in_a_cell, 2), (self.reset_in_a_cell, 1), (self.study, 3), (self.control, 2), (self.undo, 3),
            (self.name, 1), (self.forget, 1), (self.forget_in_a_cell, 1), (self.sweep_in_a_cell, 1), (self.speak, 8),
            (self.hear, 8), (self.gate, 4), (self.failure, 1), (self.reload, 1), (self.babble, 1),
        ]  # fmt: skip
        (doing,) = self.random.choices([one for one, _ in doings], [weight for _, weight in doings])
        doing()

    def some(self, nodes: list[str]) -> list[str]:
        return self.random.sample(nodes, self.random.randint(1, 3))

    def click(self) -> None:
        kinds: list[dict[str, Any]] = [{"kind": "ablate"}, {"kind": "scale", "factor": -2}, {"kind": "add", "value": 1}]
        intervention = self.random.choice(kinds)
        body = {"interventions": [{**intervention, "nodes": self.some(self.features)}], "mode": "total", "name": "x"}
        self.requested.append(self.page.request("intervene", body))
        self.clicked.append(self.requested[-1])

    def cancel(self) -> None:
        if self.requested:
            self.requested.append(self.page.request("cancel", {"rid": self.random.choice(self.requested[-4:])}))

    def number(self) -> int:
        return self.random.randint(1, max(1, len(self.page.traits["experiments"])) + 1)

    def study(self) -> None:
        changed = [{"kind": "ablate", "nodes": self.some(self.features)}]
        axis = self.random.choice(["factor", "last_layer", "groups", "pairs"])
        name, body = self.random.choice(
            [
                ("sweep", {"axis": axis, "interventions": changed, "mode": "total", "name": "x"}),
                ("generate", {"interventions": changed, "new_tokens": False, "max_new_tokens": 3, "temperature": 0.0,
                              "seed": None, "name": "x"}),
                ("validate", {"mode": "total"}),
                ("align", {"prompt": "the capital of Ohio is"}),
                ("table", {}),
            ]
        )  # fmt: skip
        self.requested.append(self.page.request(name, body))

    def control(self) -> None:
        self.requested.append(self.page.request("controls", {"id": self.number(), "n": 2}))

    def undo(self) -> None:
        """Go back to an earlier experiment, or look at one beside that on show."""
        if self.random.random() < 0.7:
            self.requested.append(self.page.request("recall", {"id": self.number()}))
        else:
            self.requested.append(self.page.request("compare", {"id": self.number(), "beside": self.number()}))

    def name(self) -> None:
        self.requested.append(
            self.page.request("rename", {"id": self.number(), "name": self.random.choice(["a", "b", ""])})
        )

    def forget(self) -> None:
        self.forgotten = True
        self.requested.append(self.page.request("forget", {"id": self.number()}))

    def forget_in_a_cell(self) -> None:
        if self.widget.experiments:
            self.forgotten = True
            self.widget.forget(self.random.choice(self.widget.experiments)["id"])

    def sweep_in_a_cell(self) -> None:
        if self.model.gate.is_set() and self.model.failure is None:
            self.widget.sweep(self.some(self.features), [0.0, 1.0])

    def inspect(self) -> None:
        self.requested.append(self.page.request("card", {"node": self.random.choice(self.nodes)}))

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
        """Reload the page: what was on its way in either direction is lost, and the kernel's state is requested."""
        self.lost.update(self.requested)
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

    def kernel_state(self) -> dict[str, Any]:
        """Return the kernel's state as the page should show it."""
        return {**{name: getattr(self.widget, name) for name in SHARED}, "circuit": self.widget.circuit.to_json()}


@pytest.mark.parametrize("block", range(50))
def test_page_and_kernel_end_in_the_same_state_with_no_job_left(show: Open, model: LinearModel, block: int) -> None:
    for seed in range(20 * block, 20 * block + 20):
        widget, page = show()
        session = Session(seed, widget, page, model)
        for _ in range(STEPS):
            session.step()
        session.settle()
        page = session.page
        assert {name: page.traits[name] for name in SHARED} == session.kernel_state(), f"seed {seed}"
        assert widget._worker.pending(widget) == ()
        for rid in set(session.requested) - session.lost:
            kinds = [one["type"] for one in page.answers[rid]]
            assert kinds.count("reply") + kinds.count("error") == 1, f"seed {seed}: {rid} was answered {kinds}"
            assert kinds[-1] in ("reply", "error"), f"seed {seed}: {rid} was answered {kinds}"
        clicked = set(session.clicked) - session.lost
        effects = [answer["body"]["id"] for rid in clicked if (answer := page.last(rid))["type"] == "reply"]
        assert len(effects) == len(set(effects)), f"seed {seed}"
        if not session.lost and not session.forgotten:
            assert len(effects) + session.called == len(widget.effects), f"seed {seed}"
        assert [entry["id"] for entry in widget.experiments] == widget.history()["id"].tolist()
        widget.close()

"""Page, cells and worker at the same time, and floods: each request is settled once, and both sides end with one state."""

import gc
import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from circuit_widget.errors import CircuitWidgetError
from circuit_widget.widget.worker import worker
from circuit_widget.widget.worker.worker import Job
from tests.widget.conftest import Open
from tests.widget.frontend import Page
from tests.widget.linear_model import LinearModel, wait_for
from tests.widget.test_interleavings import SHARED, Session

PAGE_STEPS, CELL_STEPS = 24, 10
FLOOD = 3_000


def together(*acts: Callable[[], None]) -> None:
    """Run each in a thread of its own, all from the same moment, and raise what any of them raised."""
    barrier, raised = threading.Barrier(len(acts)), []

    def run(act: Callable[[], None]) -> None:
        barrier.wait(10)
        try:
            act()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread did not end"
    if raised:
        raise raised[0]


def page_thread(session: Session) -> None:
    """Do anything that a user may do on the page, and hear what the kernel says meanwhile."""
    acts = [session.click, session.cancel, session.inspect, session.edit, session.edit_wrongly, session.select,
            session.clear, session.adjust, session.study, session.control, session.undo, session.name, session.forget]  # fmt: skip
    for _ in range(PAGE_STEPS):
        session.random.choices(acts, [5, 3, 2, 4, 1, 3, 2, 1, 1, 1, 3, 2, 1])[0]()
        session.page.hear(session.random.randint(0, 4))


def cell_thread(session: Session) -> None:
    """Run anything that a cell may run; what another thread has just taken away is not there any more."""
    acts = [session.group_in_a_cell, session.select_in_a_cell, session.ablate_in_a_cell, session.reset_in_a_cell,
            session.forget_in_a_cell]  # fmt: skip
    for _ in range(CELL_STEPS):
        with suppress(CircuitWidgetError):
            session.random.choice(acts)()


@pytest.mark.parametrize("block", range(10))
def test_page_cells_and_worker_at_once_end_in_one_state(show: Open, model: LinearModel, block: int) -> None:
    for seed in range(25 * block, 25 * block + 25):
        widget, page = show()
        user, cells = Session(seed, widget, page, model), Session(-1 - seed, widget, page, model)
        typing = threading.Event()

        def use_page(user: Session = user, typing: threading.Event = typing) -> None:
            page_thread(user)
            typing.set()

        def carry(page: Page = page, typing: threading.Event = typing) -> None:
            while not typing.is_set() or page.outbox:
                page.speak(1)

        together(use_page, carry, partial(cell_thread, cells))
        user.settle()
        assert {name: page.traits[name] for name in SHARED} == user.kernel_state(), f"seed {seed}"
        for rid in user.requested:
            kinds = [one["type"] for one in page.answers[rid]]
            assert kinds.count("reply") + kinds.count("error") == 1, f"seed {seed}: {rid} was answered {kinds}"
            assert kinds[-1] in ("reply", "error"), f"seed {seed}: {rid} was answered {kinds}"
        assert [entry["id"] for entry in widget.experiments] == widget.history()["id"].tolist(), f"seed {seed}"
        assert all(answer.get("code") != "internal" for answer in map(page.last, user.requested)), f"seed {seed}"
        widget.close()
    wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name == "circuit-widget"])


def test_a_flood_is_bounded_settled_once_each_and_leaves_nothing(show: Open, model: LinearModel) -> None:
    widget, page = show()
    user = Session(0, widget, page, model)
    queue = widget._worker
    model.gate.clear()
    ask = [
        user.click,
        user.click,
        user.cancel,
        user.inspect,
        user.inspect,
        user.study,
        user.control,
        user.undo,
        user.name,
    ]
    while len(user.requested) < FLOOD:
        user.random.choice(ask)()
    # Several threads at once, as a kernel with subshells has.
    parts = [list(page.outbox)[number::4] for number in range(4)]
    page.outbox.clear()
    longest: list[int] = []

    def pour(part: list[dict[str, object]]) -> None:
        for message in part:
            page.comm.handle_msg(message)
            longest.append(len(queue.pending(widget)))

    together(*(lambda part=part: pour(part) for part in parts))
    assert max(longest) <= worker.MOST_JOBS + 1
    page.hear()
    waiting = [rid for rid in user.requested if not page.settled(rid)]
    assert set(waiting) == set(queue.pending(widget))
    model.gate.set()
    assert queue.wait_until_idle(60)
    page.hear()
    ends = Counter(page.last(rid).get("code", "reply") for rid in user.requested)
    assert len(set(user.requested)) == ends.total() == FLOOD
    assert {"reply", "busy", "superseded", "cancelled"} <= set(ends)
    assert "internal" not in ends
    assert len(widget.effects) == len(page.traits["experiments"]) <= worker.MOST_JOBS + 1
    widget.close()
    del queue
    wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name == "circuit-widget"])
    # A collection that another thread has begun lets this one do nothing.
    wait_for(
        lambda: gc.collect() >= 0 and not [one for one in gc.get_objects() if type(one) is Job and one.owner is widget]
    )


def test_a_flood_for_many_widgets_on_one_model_is_settled_by_closing_them(show: Open, model: LinearModel) -> None:
    graph, choice = model.trace(), random.Random(1)
    opened = [show(graph) for _ in range(6)]
    model.gate.clear()
    click = {"interventions": [{"kind": "ablate", "nodes": ["1_8_4"]}], "mode": "total", "name": "x"}
    requested: list[tuple[Page, str, str]] = []
    for _ in range(600):
        widget, page = choice.choice(opened)
        name, body = choice.choice([("intervene", click), ("card", {"node": "1_8_4"}), ("validate", {"mode": "total"})])
        requested.append((page, page.request(name, body), name))
    for _, page in opened:
        page.speak()
    wait_for(model.running.is_set)
    for widget, _ in opened:
        widget.close()
    for page, rid, name in requested:
        page.hear()
        # A card is worked out without running the model, so that some come before the first click.
        assert page.last(rid)["type"] == "error" or name == "card"
    wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name == "circuit-widget"])

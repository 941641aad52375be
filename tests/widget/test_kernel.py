"""The widget in a real kernel: what a page may send at any moment, also while a cell runs."""

import queue
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).parents[2]

SET_UP = """
import logging, threading, time
logging.disable(logging.CRITICAL)
from circuit_widget.widget import keeping
from circuit_widget.widget.widget import CircuitWidget
from tests.widget.linear_model import LinearModel
CircuitWidget._esm = "export default {};"
model = LinearModel()
widget = CircuitWidget(model.trace())
"""
ABLATE = {"interventions": [{"kind": "ablate", "nodes": ["0_2_4"]}], "mode": "total", "name": "x"}


class Notebook:
    """A frontend's side of one kernel: cells on the main shell, the widget's messages on a subshell as in JupyterLab.

    Kernels before ipykernel 7 have no subshells; there, messages wait for a running cell to end.
    """

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client
        self.comm = ""
        self.heard: list[dict[str, Any]] = []
        self.states: list[dict[str, Any]] = []
        self._printed: dict[str, str] = {}
        self._replies: dict[str, dict[str, Any]] = {}
        self.subshell = self._subshell()

    def run(self, code: str) -> str:
        """Run a cell to its end and return what it printed."""
        return self.wait_for_cell(self.start(code))

    def start(self, code: str) -> str:
        """Start a cell and return at once."""
        return str(self.client.execute(code))

    def wait_for_cell(self, cell: str) -> str:
        """Wait for a cell to end and return what it printed, or raise what it raised."""
        reply = self._reply(cell)
        while self._hear_one(0.5, cell) != "idle":
            pass
        if reply["content"]["status"] == "error":
            raise RuntimeError(f"{reply['content']['ename']}: {reply['content']['evalue']}")
        return self._printed.pop(cell, "")

    def aside(self, code: str) -> None:
        """Run code on the subshell, also while a cell runs."""
        reply = self._reply(self._send("execute_request", {"code": code, "silent": True}))
        assert reply["content"]["status"] == "ok", reply["content"]

    def post(self, data: Any) -> None:
        """Send anything to the widget's comm."""
        self._send("comm_msg", {"comm_id": self.comm, "data": data})

    def request(self, name: str, body: Any) -> str:
        """Ask the widget for something; returns the request's id."""
        rid = uuid.uuid4().hex
        self.post({"method": "custom", "content": {"type": "request", "rid": rid, "name": name, "body": body}})
        return rid

    def hear(self, condition: Callable[[], bool], seconds: float = 10.0) -> float:
        """Listen until something is so; returns how long that took in seconds."""
        started = time.monotonic()
        while not condition():
            assert time.monotonic() - started < seconds, f"not heard within {seconds} s; heard {self.heard[-5:]}"
            self._hear_one(0.05)
        return time.monotonic() - started

    def answers(self, rid: str) -> list[str]:
        """Return the types of a request's answers so far; of an error its code."""
        return [one.get("code", one["type"]) for one in self.heard if one.get("rid") == rid]

    def settles(self, rid: str) -> Callable[[], bool]:
        """Return a condition: the request has its reply or error."""
        return lambda: any(one.get("rid") == rid and one["type"] in ("reply", "error") for one in self.heard)

    def _hear_one(self, timeout: float, cell: str = "") -> str:
        try:
            message = self.client.get_iopub_msg(timeout=timeout)
        except queue.Empty:
            return ""
        content, parent = message["content"], message["parent_header"].get("msg_id", "")
        if message["msg_type"] == "stream":
            self._printed[parent] = self._printed.get(parent, "") + content["text"]
        if message["msg_type"] == "comm_msg" and content["comm_id"] == self.comm:
            if content["data"]["method"] == "custom":
                self.heard.append(content["data"]["content"])
            else:
                self.states.append(content["data"]["state"])
        is_end = message["msg_type"] == "status" and parent == cell
        return str(content["execution_state"]) if is_end else ""

    def _reply(self, message: str) -> dict[str, Any]:
        """Return the reply to a message; those to others, which may come first, are kept."""
        while message not in self._replies:
            reply = self.client.get_shell_msg(timeout=30)
            self._replies[reply["parent_header"]["msg_id"]] = reply
        return self._replies.pop(message)

    def _send(self, kind: str, content: dict[str, Any]) -> str:
        message = self.client.session.msg(kind, content)
        if self.subshell is not None:
            message["header"]["subshell_id"] = self.subshell
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def _subshell(self) -> str | None:
        about = self._reply(self.client.kernel_info())["content"]
        if "kernel subshells" not in about.get("supported_features", []):
            return None
        self.client.control_channel.send(self.client.session.msg("create_subshell_request", {}))
        return str(self.client.get_control_msg(timeout=30)["content"]["subshell_id"])


@pytest.fixture(scope="module")
def kernel() -> Iterator[Notebook]:
    """One kernel with the linear model and a widget on it."""
    manager, client = start_new_kernel(
        kernel_name="python3", cwd=str(ROOT), extra_arguments=["--Application.log_level=50"]
    )
    try:
        notebook = Notebook(client)
        notebook.run(SET_UP)
        yield notebook
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def notebook(kernel: Notebook) -> Iterator[Notebook]:
    """The kernel with a fresh widget and an open gate."""
    printed = kernel.run(
        "widget.close(); keeping._last.clear(); widget = CircuitWidget(model.trace()); print(widget.model_id)"
    )
    kernel.comm = printed.strip()
    kernel.heard.clear()
    kernel.states.clear()
    yield kernel
    # A cell that a failed test leaves behind the gate would keep the kernel from the next test.
    kernel.aside("model.gate.set()")


@pytest.fixture
def beside_cells(notebook: Notebook) -> Notebook:
    """The same, where messages get through while a cell runs."""
    if notebook.subshell is None:
        pytest.skip("this kernel has no subshells")
    return notebook


def test_a_burst_of_messages_is_answered_one_by_one(notebook: Notebook) -> None:
    requests = [notebook.request(*each) for _ in range(100) for each in (("ping", {}), ("card", {"node": "1_8_4"}))]
    notebook.hear(lambda: all(notebook.settles(rid)() for rid in requests), 30)
    for rid in requests:
        assert sum(kind in ("reply", "busy") for kind in notebook.answers(rid)) == 1
    assert sum(notebook.answers(rid)[-1] == "reply" for rid in requests) >= 164
    assert notebook.run("print(widget._worker.pending(widget))") == "()\n"


def test_malformed_messages_are_answered_and_the_widget_goes_on(notebook: Notebook) -> None:
    for data in ["hello", [], {}, {"method": "launch"}, {"method": "update"}, {"method": "update", "state": []}]:
        notebook.post(data)
    notebook.post({"method": "update", "state": {"selected": []}, "buffer_paths": [["selected"]]})
    notebook.post({"method": "custom"})
    notebook.post({"method": "custom", "content": "hello"})
    notebook.post({"method": "custom", "content": {"type": "request", "rid": "wrong", "name": "ping", "keys": 1}})
    notebook.post({"method": "custom", "content": {"rid": "large", "text": "x" * 10_000_000}})
    notebook.post({"method": "update", "state": {"circuit": "x" * 10_000_000}, "buffer_paths": []})
    ping = notebook.request("ping", {})
    notebook.hear(notebook.settles(ping), 30)
    notices = [one["message"] for one in notebook.heard if one["type"] == "notice"]
    assert sum("not one that this widget knows" in notice for notice in notices) == 8
    assert sum("ignored: The message is" in notice for notice in notices) == 1
    assert sum("A change of the circuit was not taken over" in notice for notice in notices) == 1
    assert notebook.answers("wrong") == ["message"]
    assert notebook.answers("large") == ["message"]
    assert all(len(one["message"]) < 400 for one in notebook.heard if "message" in one)
    assert notebook.run("print(widget.circuit.revision, widget.effects)") == "1 []\n"


def test_handlers_return_at_once_while_the_worker_is_busy(notebook: Notebook) -> None:
    notebook.run("model.gate.clear()")
    running = notebook.request("intervene", ABLATE)
    assert notebook.run("print(model.running.wait(10))") == "True\n"
    pings = []
    for _ in range(10):
        ping = notebook.request("ping", {})
        pings.append(notebook.hear(notebook.settles(ping)))
    assert sorted(pings)[5] < 0.25
    queued = notebook.request("intervene", ABLATE)
    newest = notebook.request("intervene", ABLATE)
    notebook.hear(notebook.settles(queued))
    assert notebook.answers(queued) == ["accepted", "superseded"]
    notebook.run("model.gate.set()")
    notebook.hear(lambda: notebook.settles(running)() and notebook.settles(newest)())
    assert notebook.run("print(len(widget.effects))") == "2\n"
    assert notebook.states[-1]["effect"]["id"] == 2


def test_a_cancel_gets_through_while_a_cell_runs(beside_cells: Notebook) -> None:
    beside_cells.run("model.gate.clear()")
    running = beside_cells.request("intervene", ABLATE)
    beside_cells.hear(lambda: "accepted" in beside_cells.answers(running))
    cell = beside_cells.start(
        "widget.pin('1_8_4')\nuntil = time.monotonic() + 3\nwhile time.monotonic() < until: sum(range(1000))"
    )
    beside_cells.hear(lambda: any("circuit" in state for state in beside_cells.states))
    beside_cells.request("cancel", {"rid": running})
    assert beside_cells.hear(beside_cells.settles(running)) < 1.5
    assert beside_cells.answers(running)[-1] == "cancelled"
    fresh = beside_cells.request("card", {"node": "1_8_4"})
    assert beside_cells.hear(beside_cells.settles(fresh)) < 1.5
    beside_cells.wait_for_cell(cell)
    assert beside_cells.run("model.gate.set(); print(widget.effects, widget._worker.pending(widget))") == "[] ()\n"


def test_a_click_waits_for_a_cell_that_runs_the_model_and_says_so(beside_cells: Notebook) -> None:
    beside_cells.run("model.gate.clear()")
    cell = beside_cells.start("effect = widget.ablate(['1_8_4'])")
    beside_cells.aside("assert model.running.wait(10)")
    waiting = beside_cells.request("intervene", ABLATE)
    beside_cells.hear(lambda: any("Waiting for the cell" in one.get("text", "") for one in beside_cells.heard))
    beside_cells.request("cancel", {"rid": waiting})
    beside_cells.hear(beside_cells.settles(waiting))
    assert beside_cells.answers(waiting)[-1] == "cancelled"
    taken = beside_cells.request("intervene", ABLATE)
    beside_cells.hear(lambda: "accepted" in beside_cells.answers(taken))
    beside_cells.post({"method": "update", "state": {"selected": ["0_2_4"]}, "buffer_paths": []})
    assert not beside_cells.settles(taken)()
    beside_cells.aside("model.gate.set()")
    beside_cells.wait_for_cell(cell)
    beside_cells.hear(beside_cells.settles(taken))
    printed = beside_cells.run(
        "print(len(widget.effects), any(one is effect for one in widget.effects), widget.selected)"
    )
    assert printed == "2 True ['0_2_4']\n"


def test_an_interrupted_call_leaves_widget_and_worker_as_they_were(notebook: Notebook) -> None:
    cell = "signal.setitimer(signal.ITIMER_REAL, 0.3)\nmodel.gate.clear()\nwidget.ablate(['1_8_4'])"
    notebook.run("import signal; signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))")
    with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
        notebook.run(cell)
    assert notebook.run("model.gate.set(); print(widget.effects, widget.effect)") == "[] None\n"
    click = notebook.request("intervene", ABLATE)
    notebook.hear(notebook.settles(click))
    assert notebook.answers(click)[-1] == "reply"


def test_a_kernel_that_is_shut_down_after_a_gesture_publishes_the_picture_of_it_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        notebook = Notebook(client)
        # Nothing is drawn before the end of the kernel unless that has it drawn.
        notebook.run(
            SET_UP
            + "from circuit_widget.widget import before_shutdown\nbefore_shutdown.MOST_TO_DRAW = 30\n"
            + "widget._picture._debounced._wait = 3600"
        )
        notebook.run("display(widget)")
        notebook.run("widget.group('Texas', ['0_2_4', '0_19_4'])")
        client.shutdown()
        heard: list[dict[str, Any]] = []
        while not heard or heard[-1]["msg_type"] != "shutdown_reply":
            heard.append(client.get_iopub_msg(timeout=30))
        words, image = [one["content"]["data"] for one in heard if one["msg_type"] == "update_display_data"]
        assert "Supernodes: Texas." in words["text/plain"]
        assert image["image/png"].startswith("iVBOR")
        assert client.get_control_msg(timeout=30)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)

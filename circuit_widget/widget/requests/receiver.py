"""Receives the messages of the page: answers a request at once, or leaves it to the worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from circuit_widget.errors import MessageError
from circuit_widget.widget.requests.registry import REQUESTS, read_request
from circuit_widget.widget.requests.request_kind import Context, DisplayedGraphs, Task
from circuit_widget.widget.wire.envelopes import Accepted, Failed, Notice, Reply, request_id
from circuit_widget.widget.wire.picture_messages import NotebookOutput
from circuit_widget.widget.wire.schema import plain
from circuit_widget.widget.wire.sending import Send, failure, send_message
from circuit_widget.widget.worker.worker import Job, Worker

ANOTHER_GRAPH = "Another graph is displayed now. Repeat this there, or bring the earlier graph back with Undo."


@dataclass(frozen=True, eq=False)
class Receiver:
    """Receives the messages of one widget's page; `owner` is the widget as the worker knows it."""

    owner: object
    graphs: DisplayedGraphs
    worker: Worker
    send: Send
    picture: Callable[[], Sequence[NotebookOutput]]

    def receive(self, content: object) -> None:
        """Answer or queue one message; a malformed or failing one is answered with an error. Only an interrupt is raised."""
        rid = request_id(content)
        try:
            request, body = read_request(content)
            if request.rid in self.worker.pending(self.owner):
                raise MessageError("There is a request under this id already; every request has an id of its own.")
            if request.graph not in (None, self.graphs.number):
                raise MessageError(ANOTHER_GRAPH)
            self._answer(request.rid, request.name, body)
        except BaseException as error:
            code, message = failure(error)
            if rid is None:
                send_message(self.send, Notice(f"A message from the page was ignored: {message}"))
            else:
                send_message(self.send, Failed(rid, code, message))
            if not isinstance(error, Exception):
                raise

    def _answer(self, rid: str, name: str, body: Any) -> None:
        context = Context(
            self.graphs.experiments, lambda other: self.worker.cancel(self.owner, other), self.graphs, self.picture
        )
        reply = REQUESTS[name].handler(context, body)
        if isinstance(reply, Task):
            self._enqueue(rid, name, reply)
        else:
            send_message(self.send, Reply(rid, plain(reply)))

    def _enqueue(self, rid: str, name: str, task: Task[Any]) -> None:
        job = Job(
            self.owner,
            rid,
            name,
            self.send,
            task.work,
            task.deliver,
            runs_model=task.runs_model,
            newest_only=REQUESTS[name].newest_only,
            label=task.label or REQUESTS[name].label,
        )
        send_message(self.send, Accepted(rid, task.label))
        if not self.worker.submit(job):
            job.fail("busy", "Too many requests are waiting already; try again in a moment.")

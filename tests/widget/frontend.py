"""The other end of the wire: what a notebook page does with the widget's messages, without a page."""

import itertools
import json
import threading
from collections import deque
from collections.abc import Sequence
from functools import reduce
from typing import Any

from comm.base_comm import BaseComm

from tests.widget.linear_model import wait_for


class RecordingComm(BaseComm):
    """A comm whose published messages lie in a queue until the page takes them."""

    def __init__(self, **keys: Any) -> None:
        self.published: deque[tuple[int, dict[str, Any], list[bytes]]] = deque()
        self.handling = 0
        super().__init__(**keys)

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **keys: Any
    ) -> None:
        """Keep a message; like a kernel it refuses what JSON cannot say."""
        wire = json.loads(json.dumps(data or {}, allow_nan=False))
        self.published.append((self.handling, wire, [bytes(buffer) for buffer in buffers or []]))


class Page:
    """One page's model of a widget: its traits, and the answers it has heard.

    Messages travel when the test says so: `hear` delivers what the kernel sent, `speak` what the page sent.
    """

    def __init__(self, comm: RecordingComm) -> None:
        self.comm = comm
        self.traits: dict[str, Any] = {}
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.buffers: dict[str, list[bytes]] = {}
        self.notices: list[str] = []
        self.outbox: deque[dict[str, Any]] = deque()
        self._expected_echo: dict[str, int] = {}
        self._sent = itertools.count(1)
        self._rids = itertools.count(1)

    def hear(self, limit: int | None = None) -> None:
        """Take the messages the kernel has published, in order."""
        for _ in range(len(self.comm.published) if limit is None else min(limit, len(self.comm.published))):
            parent, data, buffers = self.comm.published.popleft()
            if data.get("method") == "custom":
                self._answer(data["content"], buffers)
            elif "state" in data:
                self._follow(parent, data, buffers)

    def speak(self, limit: int | None = None) -> None:
        """Deliver what the page has sent, in order, in a thread that is not the test's."""
        for _ in range(len(self.outbox) if limit is None else min(limit, len(self.outbox))):
            message = self.outbox.popleft()
            self.comm.handling = message["number"]
            handler = threading.Thread(target=self.comm.handle_msg, args=(message,))
            handler.start()
            handler.join(10)
            assert not handler.is_alive(), "a message handler did not return"

    def request(self, name: str, body: Any, rid: str | None = None) -> str:
        """Ask for something; returns the request's id."""
        rid = rid or f"page-{next(self._rids)}"
        self.post({"method": "custom", "content": {"type": "request", "rid": rid, "name": name, "body": body}})
        return rid

    def set(self, name: str, value: Any) -> None:
        """Set a trait, here and in the kernel."""
        self.traits[name] = value
        self._expected_echo[name] = self.post({"method": "update", "state": {name: value}, "buffer_paths": []})

    def edit(self, **changes: Any) -> None:
        """Edit the circuit as the frontend does: one revision up."""
        self.set("circuit", {**self.traits["circuit"], **changes, "revision": self.traits["circuit"]["revision"] + 1})

    def post(self, data: Any, buffers: Sequence[bytes] = ()) -> int:
        """Send anything at all to the kernel's comm."""
        number = next(self._sent)
        content = {"data": data, "comm_id": self.comm.comm_id}
        self.outbox.append({"content": content, "buffers": list(buffers), "number": number})
        return number

    def last(self, rid: str) -> dict[str, Any]:
        """Return the answer that settled a request."""
        (answer,) = [one for one in self.answers.get(rid, []) if one["type"] in ("reply", "error")]
        return answer

    def settled(self, rid: str) -> bool:
        """Whether a request has its reply or error."""
        return any(one["type"] in ("reply", "error") for one in self.answers.get(rid, []))

    def heard(self, rid: str) -> bool:
        """Take the messages the kernel has published, and return whether a request has its reply or error."""
        self.hear()
        return self.settled(rid)

    def _answer(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        if content["type"] == "notice":
            self.notices.append(content["message"])
            return
        self.answers.setdefault(content["rid"], []).append(content)
        if buffers:
            self.buffers[content["rid"]] = buffers

    def _follow(self, parent: int, data: dict[str, Any], buffers: list[bytes]) -> None:
        state = data["state"]
        for path, buffer in zip(data.get("buffer_paths", []), buffers, strict=True):
            *outer, last = path
            reduce(lambda value, key: value[key], outer, state)[last] = buffer
        for name, value in state.items():
            if name == "circuit" and value["revision"] < self.traits.get(name, value)["revision"]:
                continue
            # Of the echoes of its own values a host believes the last one only.
            if data.get("method") == "echo_update" and self._expected_echo.get(name) != parent:
                continue
            self.traits[name] = value


def answered(page: Page, rid: str) -> dict[str, Any]:
    """Deliver until a request is settled, and return its reply or error."""
    page.speak()
    wait_for(lambda: page.heard(rid))
    answer: dict[str, Any] = page.last(rid)
    return answer

"""How a request is answered, and what goes around the message that is its body or its reply.

The page sends a Request. The kernel answers at once with Accepted, then with any number of Progress and Partial, then
with one Reply (and binary buffers) or one Failed. A Notice belongs to no request. What each request has as its body
and its reply is declared in `circuit_widget/widget/requests/registry.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from circuit_widget.characters import half_character
from circuit_widget.widget.wire.experiment_messages import Text
from circuit_widget.widget.wire.schema import message

LONGEST_ID = 64

RequestId: TypeAlias = Annotated[str, Field(max_length=LONGEST_ID)]


@message
class Empty:
    """Nothing."""


@message
class CancelBody:
    """Request to stop another request, which is queued or running."""

    rid: RequestId


@message
class Request:
    """A request of the page, which chooses `rid`; every message about it has the same one.

    `graph` is the number of the graph that the page displays; one for a graph that is no longer displayed is refused.
    """

    type: Literal["request"]
    rid: RequestId
    name: str
    body: dict[str, object]
    graph: int | None = None


@message
class Accepted:
    """The request is well formed and queued; `label` is its name, where the kernel names it."""

    rid: RequestId
    label: Text | None = None
    type: Literal["accepted"] = "accepted"


@message
class Progress:
    """How far a request is, from 0 to 1; at most ten a second. `label` names it for views that did not request it."""

    rid: RequestId
    fraction: float
    text: Text
    label: Text | None = None
    type: Literal["progress"] = "progress"


@message
class Partial:
    """The reply to a request as far as it is; at most ten a second, each replaces the last."""

    rid: RequestId
    body: dict[str, object]
    type: Literal["partial"] = "partial"


@message
class Reply:
    """The reply to a request."""

    rid: RequestId
    body: dict[str, object]
    type: Literal["reply"] = "reply"


@message
class Failed:
    """Why a request has no reply, in a sentence for the user."""

    rid: RequestId
    code: str
    message: Text
    type: Literal["error"] = "error"


@message
class Notice:
    """A sentence for the user that belongs to no request."""

    message: Text
    type: Literal["notice"] = "notice"


def request_id(content: object) -> str | None:
    """Return the id to reply to a message under, also a malformed one, if it has a usable one."""
    rid = content.get("rid") if isinstance(content, dict) else None
    return rid if isinstance(rid, str) and 0 < len(rid) <= LONGEST_ID and half_character(rid) is None else None

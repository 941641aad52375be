"""Sending to the page: strict JSON of a bounded size, or an error in its place, so that every request is answered."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from circuit_widget.characters import repaired, shortened
from circuit_widget.errors import CircuitWidgetError, MessageError
from circuit_widget.system.memory import error_text, is_out_of_memory
from circuit_widget.widget.wire.envelopes import Accepted, Failed, Notice, Partial, Progress, Reply
from circuit_widget.widget.wire.schema import plain

LOG = logging.getLogger(__name__)

LARGEST_MESSAGE = 64 * 2**20
"""Bytes of a message and its buffers; a page can read no text that is much larger."""

LONGEST_SENTENCE = 600
LONGEST_NOTICE = 2_000
DEEPEST = 100
"""The deepest level that is searched for values that cannot be sent."""


class Send(Protocol):
    """Sends one message, and binary buffers, to the frontend from any thread."""

    def __call__(self, content: dict[str, Any], buffers: Sequence[bytes] | None = None) -> None: ...


def sendable(what: str, value: Any) -> Any:
    """Return a value for a message or a trait: strict JSON, at most 64 MB of it.

    Token texts and labels come from models and files: a lone surrogate in one becomes the replacement character.

    Raises:
        MessageError: a number that is not finite, a value that JSON does not have or that contains itself, or too much.
    """
    try:
        written = json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return sendable(what, _repaired(value))
    except (TypeError, ValueError, RecursionError) as error:
        fault = next(_faults(value, "", 0), str(error))
        raise MessageError(f"{what} cannot be sent to the page: {fault}.") from None
    _check_size(what, len(written))
    return value


def json_of(message: object) -> dict[str, Any]:
    """Return a message as JSON that can be sent; raises MessageError as `sendable`."""
    document: dict[str, Any] = sendable("The message", plain(message))
    return document


def send_message(
    send: Send, message: Accepted | Progress | Partial | Reply | Failed | Notice, buffers: Sequence[bytes] = ()
) -> None:
    """Send a message; in place of a reply that cannot be sent, send the reason. Other messages that fail are logged."""
    try:
        content = sendable("The reply", plain(message))
        _check_size("The reply", sum(len(buffer) for buffer in buffers))
        send(content, list(buffers) or None)
    except Exception as error:
        if isinstance(message, Reply):
            send_message(send, Failed(message.rid, *failure(error)))
        else:
            LOG.exception("A message to the page could not be sent.")


def sentence(text: str, most: int = LONGEST_SENTENCE) -> str:
    """Return a text for the page: whole characters, at most so many."""
    return shortened(repaired(text), most)


def failure(error: BaseException) -> tuple[str, str]:
    """Return the code and the sentence for what went wrong; the unforeseen is logged with its traceback."""
    if isinstance(error, CircuitWidgetError):
        return error.code, sentence(str(error))
    if is_out_of_memory(error):
        return "memory", (
            "There is not enough memory for this run. Close other programs or notebooks, "
            "or trace with fewer features, then try again."
        )
    LOG.error("A request failed unexpectedly.", exc_info=error)
    what = sentence(f"{type(error).__name__}: {error_text(error)}", LONGEST_SENTENCE // 2)
    return "internal", f"Something unforeseen went wrong ({what}). The log has the details."


def _check_size(what: str, size: int) -> None:
    if size > LARGEST_MESSAGE:
        raise MessageError(
            f"{what} cannot be sent to the page: it has {size / 2**20:.0f} MB, and at most "
            f"{LARGEST_MESSAGE // 2**20} MB are sent."
        )


def _faults(value: Any, where: str, depth: int) -> Iterator[str]:
    """Yield the values that JSON does not have, each with its path."""
    path = where or "it"
    if depth > DEEPEST:
        yield f"it is nested more than {DEEPEST} levels deep, or contains itself"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield f"{path} is {value}, and numbers have to be finite; give values nearer to what is usual"
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str | int | float | None):
                yield f"{path} has a key of type {type(key).__name__}, which JSON does not have"
            yield from _faults(inner, f"{where}.{key!s:.40}".lstrip("."), depth + 1)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _faults(inner, f"{where}[{number}]", depth + 1)
    elif value is not None and not isinstance(value, str | int):
        yield f"{path} is of type {type(value).__name__}, which JSON does not have"


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return repaired(value)
    if isinstance(value, dict):
        return {repaired(key): _repaired(inner) for key, inner in value.items()}
    return [_repaired(inner) for inner in value] if isinstance(value, list | tuple) else value

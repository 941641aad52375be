"""Where the kernel delivers the messages of a widget's comm."""

from __future__ import annotations

from typing import Any


def answer_where_requested(change: Any) -> None:
    """Let a widget's new comm deliver its messages where the page sent its request."""
    # ipykernel 7.4 delivers a comm's messages where it last published from, which may be behind a running cell, instead.
    # Should be able to remove once it no longer does (2026-11).
    if hasattr(change["new"], "_reply_subshell_for"):
        change["new"]._reply_subshell_for = None

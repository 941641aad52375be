"""The requests of the page, each declared once: its body, its reply, its handler, its label, and what it supersedes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from circuit_widget.errors import MessageError
from circuit_widget.widget.requests import experiment_handlers as experiments
from circuit_widget.widget.requests import graph_handlers as graph
from circuit_widget.widget.requests import study_handlers as studies
from circuit_widget.widget.requests import trace_handlers as traces
from circuit_widget.widget.requests.request_kind import Context, RequestKind
from circuit_widget.widget.wire import experiment_messages as e
from circuit_widget.widget.wire import graph_messages as g
from circuit_widget.widget.wire import picture_messages as p
from circuit_widget.widget.wire import study_messages as s
from circuit_widget.widget.wire.envelopes import CancelBody, Empty, Request
from circuit_widget.widget.wire.schema import parse, short_quote

MOST_NAMED = 10
"""Most requests that an error names."""


def ping(_: Context, __: Empty) -> Empty:
    """Answer, which shows that the kernel is there."""
    return Empty()


def cancel(context: Context, body: CancelBody) -> Empty:
    """Stop another request."""
    context.cancel(body.rid)
    return Empty()


REQUESTS: Mapping[str, RequestKind[Any, Any]] = MappingProxyType(
    {
        "ping": RequestKind(Empty, Empty, ping, "Connection"),
        "intervene": RequestKind(
            e.InterveneBody, e.EffectMessage, experiments.intervene, "Experiment", newest_only=True
        ),
        "controls": RequestKind(e.ControlsBody, e.EffectMessage, experiments.controls, "Controls", newest_only=True),
        "recall": RequestKind(e.RecallBody, e.EffectMessage, experiments.recall, "Experiment"),
        "repeat": RequestKind(e.RepeatBody, e.EffectMessage, experiments.repeat, "Experiment", newest_only=True),
        "compare": RequestKind(e.CompareBody, e.ComparisonMessage, experiments.compare, "Comparison"),
        "rename": RequestKind(e.RenameBody, Empty, experiments.rename, "Rename"),
        "forget": RequestKind(e.ForgetBody, Empty, experiments.forget, "Delete"),
        "start_afresh": RequestKind(Empty, Empty, experiments.start_afresh, "Start afresh"),
        "bring_back": RequestKind(Empty, Empty, experiments.bring_back, "Bring back"),
        "table": RequestKind(Empty, g.FileReply, experiments.table, "Table of experiments"),
        "align": RequestKind(s.AlignBody, s.AlignmentMessage, studies.align, "Alignment", newest_only=True),
        "sweep": RequestKind(s.SweepBody, s.SweepMessage, studies.sweep, "Sweep", newest_only=True),
        "generate": RequestKind(s.GenerateBody, s.GenerationMessage, studies.generate, "Text", newest_only=True),
        "validate": RequestKind(s.ValidateBody, s.ValidationMessage, studies.validate, "Validation", newest_only=True),
        "retrace": RequestKind(g.RetraceBody, Empty, traces.retrace, "Trace", newest_only=True),
        "display_graph": RequestKind(g.DisplayGraphBody, Empty, traces.display_graph, "Graph"),
        "compare_earlier": RequestKind(
            Empty, Empty, traces.compare_earlier, "Comparison with the earlier graph", newest_only=True
        ),
        "other_words": RequestKind(g.OtherWordsBody, Empty, traces.other_words, "Other words", newest_only=True),
        "card": RequestKind(g.CardBody, g.Card, graph.card, "Feature card"),
        "paths": RequestKind(g.PathsBody, g.PathsReply, graph.paths, "Paths", newest_only=True),
        "check_nodes": RequestKind(g.CheckNodesBody, Empty, graph.check_nodes, "Circuit"),
        "propose": RequestKind(Empty, g.ProposalsMessage, graph.propose, "Proposals", newest_only=True),
        "figure": RequestKind(g.FigureBody, g.FileReply, graph.figure, "Figure"),
        "code": RequestKind(g.CodeBody, g.CodeReply, experiments.code, "Code"),
        "picture": RequestKind(Empty, p.PictureReply, graph.picture, "Picture in the notebook"),
        "html": RequestKind(Empty, g.FileReply, graph.html, "HTML file"),
        "cancel": RequestKind(CancelBody, Empty, cancel, "Cancel"),
    }
)


def read_request(content: object) -> tuple[Request, Any]:
    """Return a message of the page as a request and its body; raises MessageError for anything else."""
    request = parse(Request, content, "The message")
    if request.name not in REQUESTS:
        *first, last = [*REQUESTS][:MOST_NAMED]
        more = len(REQUESTS) - MOST_NAMED
        raise MessageError(
            f"There is no request {short_quote(request.name)}; expected one of {', '.join(first)}, {last} and {more} more. "
            "The page may have the code of another version: reload it."
        )
    return request, parse(REQUESTS[request.name].body, request.body, f"The body of {request.name}")

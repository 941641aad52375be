"""The declaration of a kind of request, and the work that a handler leaves to the worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from circuit_widget.graph import Graph
from circuit_widget.widget.experiments.experiments import Experiments
from circuit_widget.widget.wire.picture_messages import NotebookOutput
from circuit_widget.widget.worker.worker import Job, JobResult

Body = TypeVar("Body")
Reply = TypeVar("Reply")


class DisplayedGraphs(Protocol):
    """The graphs of a widget, of which one is displayed."""

    @property
    def experiments(self) -> Experiments:
        """The experiments on the displayed graph."""

    @property
    def number(self) -> int:
        """The number of the displayed graph."""

    @property
    def earlier(self) -> Graph | None:
        """The graph before the displayed one, None for none."""

    def display(self, graph: Graph, name: str) -> None:
        """Display another graph with what fits it of the circuit; `name` is what undo takes back."""

    def step(self, to: Literal["earlier", "later"]) -> None:
        """Display the graph before or after the displayed one; does nothing where there is none."""


@dataclass(frozen=True)
class Context:
    """What a handler works on: the experiments, the graphs and the picture of its widget.

    `cancel` cancels a request by its id; `picture` returns the outputs of the picture in the notebook.
    """

    experiments: Experiments
    cancel: Callable[[str], object]
    graphs: DisplayedGraphs
    picture: Callable[[], Sequence[NotebookOutput]]


@dataclass(frozen=True)
class Task(Generic[Reply]):
    """Work for the worker: `work` computes in its thread, `deliver` takes effect and makes the JobResult.

    `label` names it for the reader while it runs, where it has a name of its own.
    """

    work: Callable[[Job], Any]
    deliver: Callable[[Any], JobResult[Reply]]
    runs_model: bool = False
    label: str | None = None


@dataclass(frozen=True)
class RequestKind(Generic[Body, Reply]):
    """One kind of request: the message that is its body, the message that is its reply, its handler, its label on the page.

    A handler returns the reply, or a Task where that takes time. Of queued requests that are `newest_only`, a newer one
    of the same name supersedes an older one.
    """

    body: type[Body]
    reply: type[Reply]
    handler: Callable[[Context, Body], Reply | Task[Reply]]
    label: str
    newest_only: bool = False

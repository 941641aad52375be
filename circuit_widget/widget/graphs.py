"""The graphs of one widget: the displayed one, those before it, which undo brings back, and those after it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import traitlets

from circuit_widget.circuit.carry_over import CarryOver, carry_over
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.graph import Graph
from circuit_widget.tracing.tracing_again import TraceChanges, trace_again
from circuit_widget.widget.experiments.experiments import Experiments
from circuit_widget.widget.keeping import Keeping
from circuit_widget.widget.message_builders.box_edges import box_edges_message
from circuit_widget.widget.requests.trace_handlers import trace_name
from circuit_widget.widget.state.page_writes import nodes_in
from circuit_widget.widget.state.sent_graph import SentGraph
from circuit_widget.widget.state.traits import OF_A_GRAPH, Traits
from circuit_widget.widget.wire.graph_messages import DoubtfulName, GraphSteps
from circuit_widget.widget.wire.schema import plain
from circuit_widget.wording.text import printable

if TYPE_CHECKING:
    from circuit_widget.replacement_model import ReplacementModel

MOST_EARLIER = 5
"""Graphs before the displayed one that are kept in memory."""

ANOTHER_GRAPH = "Another graph is displayed."


@dataclass(frozen=True, eq=False)
class GraphWork:
    """One graph of a widget with the work on it; `name` is the step that led to it, `doubts` are of names that came along."""

    experiments: Experiments
    keeping: Keeping
    name: str
    doubts: tuple[DoubtfulName, ...] = ()


class Graphs:
    """The graphs of one widget, each with its circuit, its experiments and what keeps them.

    `end_jobs` cancels what runs for the widget, with a reason: a reply on one graph never gets to another.
    """

    def __init__(
        self,
        widget: traitlets.HasTraits,
        lock: threading.RLock,
        notify: Callable[[str], None],
        end_jobs: Callable[[str], None],
    ) -> None:
        self._widget, self._lock, self._notify, self._end_jobs = widget, lock, notify, end_jobs
        self._earlier: list[GraphWork] = []
        self._later: list[GraphWork] = []
        self._count = 0
        self._displayed: GraphWork | None = None

    def start(
        self,
        graph: Graph,
        model: ReplacementModel | None,
        why_not: str,
        keep: str | os.PathLike[str] | None,
        circuit: Circuit | None,
    ) -> Circuit:
        """Open the first graph and return the circuit to begin with; raises as `Keeping`."""
        self._count = 1
        traits = Traits(self._widget, self._lock)
        experiments = Experiments(graph, model, why_not, traits, SentGraph(graph))
        self._displayed = GraphWork(experiments, Keeping(graph, keep, circuit, experiments, self._notify), "")
        first = self._displayed.keeping.work.circuit
        self.send_nodes(nodes_in(first))
        return first

    @property
    def displayed(self) -> GraphWork:
        """The graph on the screen with the work on it."""
        assert self._displayed is not None, "A widget has a graph from its start."
        return self._displayed

    @property
    def experiments(self) -> Experiments:
        """The experiments on the displayed graph."""
        return self.displayed.experiments

    @property
    def number(self) -> int:
        """The number of the displayed graph."""
        return self.experiments.sent.number

    @property
    def earlier(self) -> Graph | None:
        """The graph before the displayed one, which undo brings back; None for none."""
        return self._earlier[-1].experiments.graph if self._earlier else None

    def changed(self) -> None:
        """Write the work on the displayed graph soon."""
        self.displayed.keeping.changed()

    def send_nodes(self, nodes: frozenset[str]) -> None:
        """Send the displayed graph again if the page lacks some of these nodes."""
        if (snapshot := self.experiments.sent.snapshot_with(nodes)) is not None:
            self._widget.set_trait("snapshot", plain(snapshot))

    def send_circuit(self, circuit: Circuit) -> None:
        """Send what the page needs for a circuit on the displayed graph: its nodes, and the edges between its boxes."""
        self.send_nodes(nodes_in(circuit))
        edges = box_edges_message(self.experiments.graph, circuit, self.number)
        self._widget.set_trait("_box_edges", plain(edges))

    def retrace(self, changes: TraceChanges) -> Graph:
        """Trace again with some settings changed, display the graph, and return it."""
        experiments = self.experiments
        graph = trace_again(experiments.required_model(), experiments.graph, changes)
        self.display(graph, trace_name(changes, graph))
        return graph

    def display(self, graph: Graph, name: str) -> None:
        """Display another graph with what fits it of the circuit; where that fails, everything stays as it was.

        The work on the graph until now stays with that graph, as the file does in which it is kept.
        """
        with self._lock:
            before = self.displayed
            fitting = carry_over(before.experiments.traits.circuit, before.experiments.graph, graph)
            made = self._opened(graph, fitting, name)
            forgotten = [*self._later, *self._earlier[: 1 - MOST_EARLIER]]
            self._earlier, self._later = [*self._earlier[1 - MOST_EARLIER :], before], []
            self._show(made)
        for work in forgotten:
            work.keeping.close()

    def step(self, to: Literal["earlier", "later"]) -> None:
        """Display the graph before or after the displayed one; does nothing where there is none."""
        with self._lock:
            source, others = (self._earlier, self._later) if to == "earlier" else (self._later, self._earlier)
            if source:
                others.append(self.displayed)
                self._show(source.pop())

    def close(self) -> None:
        """Write what is left of the work on every graph, and release the files."""
        for work in (*self._earlier, *self._later, self._displayed):
            if work is not None:
                work.keeping.close()

    def _opened(self, graph: Graph, fitting: CarryOver, name: str) -> GraphWork:
        """Return a new graph with what is known of the work on it, which is not displayed yet."""
        before = self.experiments
        aside = dict.fromkeys(OF_A_GRAPH) | {"circuit": Circuit(), "selected": [], "experiments": [], "kept": {}}
        traits, sent = Traits(self._widget, self._lock, aside), SentGraph(graph, self._count + 1)
        experiments = Experiments(graph, before.model, before.why_not, traits, sent)
        # Where nothing is taken over, what the last widget on this graph had is better than nothing.
        circuit = fitting.circuit if fitting.total else None
        keeping = Keeping(graph, None, circuit, experiments, self._notify)
        traits.set("circuit", keeping.work.circuit)
        sent.snapshot_with(nodes_in(keeping.work.circuit))
        keeping.start()
        files = [one.keeping.file for one in (*self._earlier, self.displayed)]
        others = [f"not kept in {printable(file)}, which belongs to an earlier graph" for file in files if file]
        kept = traits.kept
        sentence = " · ".join(words for words in (kept.sentence, str(fitting), *others) if words)
        traits.set("kept", plain(replace(kept, sentence=sentence)))
        self._count += 1
        names = {one.id: one.name for one in fitting.circuit.supernodes}
        doubts = tuple(DoubtfulName(box, names[box], why) for box, why in fitting.doubts.items())
        return GraphWork(experiments, keeping, name, doubts)

    def _show(self, work: GraphWork) -> None:
        snapshot = plain(work.experiments.sent.snapshot())
        self._end_jobs(ANOTHER_GRAPH)
        before, traits = self.experiments.traits, work.experiments.traits
        with traits.together():
            before.put_aside()
            self._displayed = work
            self._widget.set_trait("snapshot", snapshot)
            traits.put_back()
            self._widget.set_trait("graphs", plain(self._steps()))
            self._widget.set_trait("_doubtful_names", plain(work.doubts))

    def _steps(self) -> GraphSteps:
        return GraphSteps(self.displayed.name if self._earlier else None, self._later[-1].name if self._later else None)

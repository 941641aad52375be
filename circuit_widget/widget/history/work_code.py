"""The circuit of a widget, and all of its work, as Python lines that make the same again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_hash import identity
from circuit_widget.intervention.as_code import (
    IMPORT,
    call_code,
    intervene_code,
    keyword_code,
    program,
    prompt_comment,
    value_code,
)
from circuit_widget.intervention.literal import comment, literal
from circuit_widget.widget.history.history import HistoryEntry
from circuit_widget.widget.history.work import Work

ON = "# graph is the graph of this prompt:"
SHOW = "widget = graph.show(circuit=circuit)"
DISPLAY = "widget"


def circuit_code(graph: Graph, circuit: Circuit) -> str:
    """Return the lines that rebuild a circuit on its graph, which the reader has under the name `graph`."""
    return "\n".join([IMPORT, "", ON, prompt_comment(graph), *_circuit(circuit), SHOW, DISPLAY, ""])


def work_code(graph: Graph, work: Work) -> str:
    """Return the lines that trace the graph, rebuild the circuit, and run the experiments again.

    Experiments get their names, their controls run again with the same random numbers, and the same one is displayed.
    Raises InterventionError for a recipe that cannot be written as code.
    """
    lines = [line for one in work.entries for line in _experiment(graph, one, one.number == work.displayed)]
    last = [] if not work.entries else ["widget.reset()"]
    if any(one.number == work.displayed and _is_on(graph, one) for one in work.entries):
        last = ["widget.recall(displayed['id'])"]
    return program(graph, [*_circuit(work.circuit), SHOW, *lines, *last, DISPLAY])


def _circuit(circuit: Circuit) -> Iterator[str]:
    """Yield the lines of the document as it is saved: identifiers, colours and positions are those that it has."""
    yield "circuit = cw.Circuit.from_json("
    yield "    {"
    for key, value in circuit.to_json().items():
        if isinstance(value, list | dict) and value:
            yield f"        {literal(key)}: {'[' if isinstance(value, list) else '{'}"
            yield from (f"            {row}," for row in _rows(value))
            yield f"        {']' if isinstance(value, list) else '}'},"
        else:
            yield f"        {literal(key)}: {literal(value)},"
    yield "    }"
    yield ")"


def _rows(value: list[Any] | dict[str, Any]) -> Iterator[str]:
    if isinstance(value, list):
        yield from map(literal, value)
    else:
        yield from (f"{literal(key)}: {literal(entry)}" for key, entry in value.items())


def _experiment(graph: Graph, one: HistoryEntry, is_displayed: bool) -> Iterator[str]:
    if not _is_on(graph, one):
        yield comment(f"{one.name}: it ran on another graph. Display it and copy it by itself.")
        return
    yield from intervene_code(one.effect.interventions, one.effect.mode)
    # By the model and not by the widget, whose supernodes and labels may have the names of nodes.
    record = call_code("widget.record", ["effect", value_code(one.name)])
    yield from call_code("displayed = widget.record", ["effect", value_code(one.name)]) if is_displayed else record
    if one.controls is not None:
        n, seed = len(one.controls.controls), one.controls.seed
    elif one.bands is not None:
        n, seed = one.bands.displayed.n, one.bands.displayed.seed
    else:
        return
    yield f"widget.controls({keyword_code('n', n)}, {keyword_code('seed', seed)})"


def _is_on(graph: Graph, one: HistoryEntry) -> bool:
    return one.effect.graph is graph or identity(one.effect.graph) == identity(graph)

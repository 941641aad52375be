"""What an HTML file has in it: the traits of the widget, and recorded answers to the requests of its page."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from circuit_widget.circuit.filters import Filters
from circuit_widget.comparison.compare import GraphComparison
from circuit_widget.display.visible_graph import visible_graph
from circuit_widget.errors import Cancelled
from circuit_widget.graph.node_table import feature_at
from circuit_widget.progress import IsCancelled, ReportProgress
from circuit_widget.widget.history.history import entry_of
from circuit_widget.widget.html_file.widget_state import WidgetState
from circuit_widget.widget.message_builders.box_edges import box_edges_message
from circuit_widget.widget.message_builders.card import card_message
from circuit_widget.widget.message_builders.effect import comparison_message, effect_message
from circuit_widget.widget.state.comparison_trait import comparison_json, prompt_stability_json
from circuit_widget.widget.state.file_names import file_stem
from circuit_widget.widget.wire.experiment_messages import EffectMessage
from circuit_widget.widget.wire.graph_messages import Capabilities, Card
from circuit_widget.widget.wire.html_messages import VERSION, HtmlContent, RecordedComparison
from circuit_widget.widget.wire.schema import plain
from circuit_widget.widget.wire.snapshot import snapshot_of

NO_MODEL = "This file has no model: open the graph in Python to run it."

MOST_CARDS = 300
"""Most feature cards in a file: each takes a product with the unembedding."""

CARDS_SIZE = 120_000
"""Most bytes of all feature cards in a file, each compressed by itself."""

MOST_COMPARED = 20
"""Latest experiments that a file compares with each other: the comparisons of 100 would take 2 MB."""

FEW_EXAMPLES = 8
"""Most examples of a kind on a card in a file."""


def content_of(state: WidgetState, progress: ReportProgress, cancelled: IsCancelled) -> HtmlContent:
    """Return the content of a file; raises Cancelled between feature cards, MessageError as `snapshot_of`."""
    snapshot = snapshot_of(state.graph, [*_circuit_nodes(state), *state.sent])
    sent = frozenset(snapshot.ids)
    effects = {one.number: effect_message(one, state.circuit, sent) for one in state.history}
    return HtmlContent(
        version=VERSION,
        traits={
            "snapshot": _without_buffers(plain(snapshot)),
            "circuit": state.circuit.to_json(),
            "_box_edges": plain(box_edges_message(state.graph, state.circuit, snapshot.number)),
            "selected": list(state.selected),
            "comparison": _beside(state.comparison),
            "prompt_stability": prompt_stability_json(state.prompt_stability),
            "effect": _displayed(effects, state.displayed),
            "study": state.study,
            "experiments": [plain(entry_of(one)) for one in state.history],
            "settings": {"theme": "auto", "height": state.height},
            "capabilities": plain(Capabilities(intervene=False, why_not=NO_MODEL, figure=False, recorded=True)),
        },
        effects=tuple(effects.values()),
        comparisons=tuple(_comparisons(state)),
        cards=tuple(_cards(state, sent, progress, cancelled)),
        table=state.table,
        name=file_stem(state.graph),
    )


def _displayed(effects: dict[int, EffectMessage], number: int | None) -> Any:
    return None if number is None else plain(effects[number])


def _beside(comparison: GraphComparison | None) -> Any:
    message = comparison_json(comparison)
    return None if message is None else {**message, "snapshot": _without_buffers(message["snapshot"])}


def _without_buffers(snapshot: dict[str, Any]) -> dict[str, Any]:
    """Return a snapshot with each column as base64."""
    columns = {
        name: {**column, "data": base64.b64encode(column["data"]).decode("ascii")}
        for name, column in snapshot["columns"].items()
    }
    return {**snapshot, "columns": columns}


def _comparisons(state: WidgetState) -> Iterator[RecordedComparison]:
    latest = state.history[-MOST_COMPARED:]
    for other in latest:
        for one in latest:
            if one is not other:
                made = comparison_message(one, other, ())
                yield RecordedComparison(made.id, made.beside, made.tokens)


def _cards(
    state: WidgetState, sent: frozenset[str], progress: ReportProgress, cancelled: IsCancelled
) -> Iterator[Card]:
    """Yield the cards of features, those a reader sees first before others, until there are too many or they are too large."""
    graph, size = state.graph, 0
    nodes = _by_interest(state, sent)
    most = len(nodes) if state.model is None else MOST_CARDS
    for made, index in enumerate(nodes[:most]):
        if cancelled():
            raise Cancelled("The HTML file was not made: it was cancelled.")
        progress(made / min(len(nodes), most), "feature cards")
        node, feature = graph.node_ids[index], feature_at(graph, index)
        card = card_message(graph, state.model, node, feature, FEW_EXAMPLES)
        size += len(zlib.compress(json.dumps(plain(card)).encode("utf-8", "replace")))
        if size > CARDS_SIZE:
            return
        yield card


def _by_interest(state: WidgetState, sent: frozenset[str]) -> list[int]:
    """Return the features of the file: those of the circuit, selected ones, visible ones, labelled ones, then the others."""
    graph = state.graph
    known = [node for node in (*state.selected, *_circuit_nodes(state)) if graph.find(node) is not None]
    first = [graph.index(node) for node in known]
    # A reader may remove the filters.
    unfiltered = replace(state.circuit, filters=Filters())
    visible = sorted(visible_graph(graph, unfiltered).nodes.tolist(), key=lambda node: -graph.influence[node])
    others = sorted((graph.index(node) for node in sent), key=lambda node: -graph.influence[node])
    labelled = [node for node in others if graph.node_ids[node] in graph.labels]
    return [node for node in dict.fromkeys([*first, *visible, *labelled, *others]) if node < graph.n_features]


def _circuit_nodes(state: WidgetState) -> list[str]:
    grouped = [node for supernode in state.circuit.supernodes for node in supernode.nodes]
    return [*grouped, *state.circuit.pinned, *state.circuit.labels]

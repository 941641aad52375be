"""Another graph in the same widget: traced in place, undone, redone; each graph keeps its own work."""

from pathlib import Path
from typing import Any

import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import MessageError, NoModelError, PromptError
from circuit_widget.loading import load
from circuit_widget.widget.graphs import MOST_EARLIER
from circuit_widget.widget.message_builders.box_edges import box_edges_message
from circuit_widget.widget.requests.receiver import ANOTHER_GRAPH
from circuit_widget.widget.state import sent_graph
from circuit_widget.widget.state.traits import OF_A_GRAPH
from circuit_widget.widget.widget import CircuitWidget
from circuit_widget.widget.wire.schema import plain
from tests.widget.conftest import Open
from tests.widget.frontend import Page, answered
from tests.widget.linear_model import LinearModel, wait_for
from tests.widget.small_graph import small_graph

TEXAS = ["0_2_4", "1_8_4"]
LOST = "0_3_1"  # The first feature, which a trace of fewer leaves out.
FEWER = {"max_features": 12}


def state_of(widget: CircuitWidget) -> dict[str, Any]:
    values = {name: getattr(widget, name) for name in OF_A_GRAPH}
    return {**values, "circuit": {**widget.circuit.to_json(), "revision": 0}, "effects": widget.effects}


def numbers(page: Page) -> tuple[int, int]:
    return page.traits["snapshot"]["number"], page.traits["snapshot"]["total_nodes"]


def used(widget: CircuitWidget) -> None:
    widget.group("Texas", [*TEXAS, LOST])
    widget.pin(LOST)
    widget.pin("2_9_5")
    widget.label("2_9_5", "say it")
    widget.ablate("Texas")
    widget.select("2_9_5")


def test_another_trace_takes_the_circuit_along_and_leaves_the_experiments(show: Open) -> None:
    widget, page = show()
    used(widget)
    before, first = state_of(widget), widget.graph
    assert answered(page, page.request("retrace", FEWER))["type"] == "reply"
    assert (widget.graph.n_features, page.traits["graphs"]) == (
        12,
        {"earlier": "tracing with 12 features", "later": None},
    )
    assert widget.circuit.supernode("Texas").nodes == tuple(TEXAS[1:])
    assert (widget.circuit.pinned, dict(widget.circuit.labels)) == (("2_9_5",), {"2_9_5": "say it"})
    assert [widget.effects, widget.experiments, widget.selected] == [[], [], []]
    assert page.traits["effect"] is None
    assert page.traits["kept"]["sentence"] == "2 of 4 nodes of the circuit are not in this graph"
    assert page.traits["circuit"] == widget.circuit.to_json()
    assert numbers(page) == (2, widget.graph.n_nodes)
    assert page.traits["_box_edges"] == plain(box_edges_message(widget.graph, widget.circuit, 2))

    assert answered(page, page.request("display_graph", {"to": "earlier"}))["type"] == "reply"
    assert widget.graph is first
    assert state_of(widget) == before
    assert {name: page.traits[name] for name in ("effect", "experiments")} == {
        name: before[name] for name in ("effect", "experiments")
    }
    assert page.traits["graphs"] == {"earlier": None, "later": "tracing with 12 features"}
    assert numbers(page) == (1, first.n_nodes)
    assert page.traits["_box_edges"] == plain(box_edges_message(first, widget.circuit, 1))
    answered(page, page.request("display_graph", {"to": "later"}))
    assert (widget.graph.n_features, widget.effects) == (12, [])


def test_a_name_that_may_not_fit_is_marked_on_its_graph_alone(show: Open) -> None:
    widget, page = show()
    widget.group("say Austin", TEXAS)
    answered(page, page.request("retrace", {"token": 41}))
    (doubt,) = page.traits["_doubtful_names"]
    assert (doubt["supernode"], doubt["name"]) == (widget.circuit.supernodes[0].id, "say Austin")
    assert doubt["reason"] == "“Austin” is neither in this prompt nor among its outputs"
    assert page.traits["kept"]["sentence"].endswith("“say Austin” may need another name")
    answered(page, page.request("display_graph", {"to": "earlier"}))
    assert page.traits["_doubtful_names"] == []
    answered(page, page.request("display_graph", {"to": "later"}))
    assert page.traits["_doubtful_names"] == [doubt]


def test_python_traces_undoes_and_redoes_the_same(show: Open) -> None:
    widget, page = show()
    first = widget.graph
    traced = widget.retrace(targets=[41])
    assert widget.graph is traced
    assert [target.token for target in traced.targets] == ["Dallas"]
    widget.undo_retrace()
    widget.undo_retrace()
    assert widget.graph is first
    widget.redo_retrace()
    widget.redo_retrace()
    assert widget.graph is traced
    page.hear()
    assert page.traits["graphs"] == {"earlier": "tracing Dallas", "later": None}


def test_a_trace_after_an_undo_takes_the_place_of_the_later_graph(show: Open) -> None:
    widget, _ = show()
    widget.retrace(max_features=12)
    widget.undo_retrace()
    widget.retrace(max_features=10)
    assert widget.graphs == {"earlier": "tracing with 10 features", "later": None}
    widget.redo_retrace()
    assert widget.graph.n_features == 10


def test_a_few_earlier_graphs_are_kept(show: Open) -> None:
    widget, _ = show()
    for count in range(15, 15 - MOST_EARLIER - 2, -1):
        widget.retrace(max_features=count)
    for _ in range(MOST_EARLIER + 2):
        widget.undo_retrace()
    assert widget.graph.n_features == 14
    assert widget.graphs["earlier"] is None


def test_an_output_or_a_contrast_or_a_token_is_explained(
    show: Open, model: LinearModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    widget, page = show()
    given: list[Any] = []
    own = model.trace

    def trace(prompt: Any, **settings: Any) -> Any:
        given.append((prompt, settings))
        return own(prompt)

    monkeypatch.setattr(model, "trace", trace)
    answered(page, page.request("retrace", {"token": 41}))
    answered(page, page.request("retrace", {"token": 40, "other": 41}))
    answered(page, page.request("retrace", {"token_position": 4}))
    (_, output), (_, contrast), (prompt, token) = given
    assert output["targets"] == [41]
    assert (contrast["targets"][0].token, contrast["targets"][0].other) == (40, 41)
    assert (prompt.texts, token["targets"]) == (("<bos>", "the", "capital", "of"), [4])
    assert widget.graphs["earlier"] == "tracing Austin, Dallas"


def test_a_cancelled_trace_and_a_failing_one_leave_everything_as_it_was(show: Open, model: LinearModel) -> None:
    widget, page = show()
    used(widget)
    page.hear()
    before, graph, snapshot = state_of(widget), widget.graph, page.traits["snapshot"]
    model.gate.clear()
    rid = page.request("retrace", FEWER)
    page.speak()
    wait_for(model.running.is_set)
    page.request("cancel", {"rid": rid})
    assert answered(page, rid)["code"] == "cancelled"
    model.gate.set()
    assert widget._worker.wait_until_idle(10)
    model.failure = PromptError("Not this one.")
    answer = answered(page, page.request("retrace", FEWER))
    assert (answer["code"], answer["message"]) == ("prompt", "Not this one.")
    with pytest.raises(PromptError, match="Not this one"):
        widget.retrace(max_features=12)
    page.hear()
    assert (state_of(widget), widget.graph, page.traits["snapshot"]) == (before, graph, snapshot)
    assert page.traits["graphs"] == {"earlier": None, "later": None}


def test_a_graph_that_cannot_be_displayed_changes_nothing(show: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    widget, _ = show()
    used(widget)
    before, graph = state_of(widget), widget.graph

    def refuse(*_: object) -> None:
        raise MessageError("The page cannot show this graph.")

    with monkeypatch.context() as patched:
        patched.setattr(sent_graph, "snapshot_of", refuse)
        with pytest.raises(MessageError, match="cannot show"):
            widget.retrace()
    assert (state_of(widget), widget.graph) == (before, graph)
    widget.undo_retrace()
    assert widget.graph is graph


def test_an_experiment_under_way_ends_where_another_graph_is_displayed(show: Open, model: LinearModel) -> None:
    widget, page = show()
    used(widget)
    model.gate.clear()
    click = {"interventions": [{"kind": "ablate", "nodes": TEXAS}], "mode": "total", "name": "late"}
    rid = page.request("intervene", click)
    page.speak()
    wait_for(model.running.is_set)
    widget._graphs.display(small_graph(model=model), "another")
    model.gate.set()
    answer = answered(page, rid)
    assert (answer["code"], answer["message"]) == ("cancelled", "Another graph is displayed.")
    assert widget._worker.wait_until_idle(10)
    page.hear()
    assert [entry["name"] for entry in widget.experiments if entry["name"] == "late"] == []


def test_an_effect_that_comes_late_belongs_to_the_graph_it_was_made_on(show: Open) -> None:
    widget, page = show()
    used(widget)
    earlier, effect = widget._experiments, widget.effects[0]
    widget.retrace(max_features=12)
    displayed = state_of(widget)
    earlier.record(effect, "late")
    page.hear()
    assert state_of(widget) == displayed
    assert page.traits["effect"] is None
    widget.undo_retrace()
    assert [entry["name"] for entry in widget.experiments] == ["Texas ×0", "late"]
    assert widget.effect is not None
    assert widget.effect["name"] == "late"


def test_a_request_for_the_earlier_graph_is_refused(show: Open) -> None:
    widget, page = show()
    widget.retrace(max_features=12)
    click = {"interventions": [{"kind": "ablate", "nodes": TEXAS[1:]}], "mode": "total", "name": "x"}
    message = {"type": "request", "rid": "old", "name": "intervene", "body": click, "graph": 1}
    page.post({"method": "custom", "content": message})
    answer = answered(page, "old")
    assert (answer["code"], answer["message"]) == ("message", ANOTHER_GRAPH)
    page.post({"method": "custom", "content": {**message, "rid": "new", "graph": 2}})
    assert answered(page, "new")["type"] == "reply"


def test_edits_of_the_earlier_circuit_under_way_do_not_land_on_the_new_one(show: Open) -> None:
    widget, page = show()
    widget.group("say it", "2_9_5")
    page.hear()
    for name in ("one", "two", "three"):
        page.edit(labels={"2_9_5": name})
    widget.retrace(max_features=12)
    fitting = widget.circuit
    page.speak()
    page.hear()
    assert widget.circuit == fitting
    assert dict(fitting.labels) == {}
    assert page.traits["circuit"] == fitting.to_json()


def test_the_kept_file_stays_with_its_graph(show: Open, tmp_path: Path) -> None:
    path = tmp_path / "dallas.json"
    widget, page = show(keep=path)
    used(widget)
    widget.retrace(max_features=12)
    widget.group("only here", ["2_0_5"])
    page.hear()
    assert page.traits["kept"]["file"] is None
    assert "not kept in dallas.json, which belongs to an earlier graph" in page.traits["kept"]["sentence"]
    widget._graphs.close()
    assert "only here" not in path.read_text()
    assert "say it" in path.read_text()


def test_the_kept_file_is_written_again_where_its_graph_comes_back(show: Open, tmp_path: Path) -> None:
    path = tmp_path / "dallas.json"
    widget, page = show(keep=path)
    widget.retrace(max_features=12)
    widget.undo_retrace()
    page.hear()
    assert page.traits["kept"]["file"] == "dallas.json"
    widget.pin(TEXAS[0])
    widget.close()
    assert TEXAS[0] in path.read_text()


def test_work_on_a_graph_traced_in_place_is_kept_for_a_widget_on_it(show: Open, tmp_path: Path) -> None:
    widget, _ = show()
    graph = widget.retrace(max_features=12)
    widget.group("here", ["2_0_5"])
    widget.ablate("here")
    widget.undo_retrace()
    again, _ = show(graph, after_last_run=True, keep=tmp_path / "fewer.json")
    assert [one.name for one in again.circuit.supernodes] == ["here"]
    assert len(again.effects) == 1


def test_an_empty_circuit_gives_way_to_the_work_that_was_done_on_the_graph(show: Open) -> None:
    widget, _ = show()
    widget.retrace(max_features=12)
    widget.group("here", ["2_0_5"])
    widget.undo_retrace()
    widget.retrace(max_features=12)
    assert [one.name for one in widget.circuit.supernodes] == ["here"]


def test_the_picture_and_the_figure_are_of_the_displayed_graph(show: Open) -> None:
    widget, _ = show()
    widget.retrace(targets=[41])
    assert "Austin" not in repr(widget)
    assert "Austin" not in widget.figure("map").svg()
    widget.undo_retrace()
    assert "Austin" in widget.figure("map").svg()


def test_without_a_model_the_reason_is_given(show: Open) -> None:
    widget, page = show(small_graph())
    answer = answered(page, page.request("retrace", FEWER))
    assert (answer["code"], "This graph has no model to run" in answer["message"]) == ("no-model", True)
    with pytest.raises(NoModelError, match="no model to run"):
        widget.retrace()


def test_a_real_model_explains_a_token_of_its_prompt(show: Open) -> None:
    model = load("demo")
    widget, page = show(model.trace("the capital of the state containing Dallas is", progress=False))
    features = widget.graph.node_ids[: widget.graph.n_features]
    early = [node for node in features if node.endswith(("_2", "_3"))][:3]
    widget.circuit = Circuit().group("early", early)
    last = len(widget.graph.tokens) - 1
    rid = page.request("retrace", {"token_position": last})
    page.speak()
    wait_for(lambda: page.heard(rid), 30)
    assert page.last(rid)["type"] == "reply", page.last(rid)
    assert [target.token.strip() for target in widget.graph.targets] == ["is"]
    assert widget.circuit.supernode("early").nodes == tuple(early)
    assert page.traits["kept"]["sentence"] == ""

"""The page's request for proposals: of what is in no group, beside what is, with progress, cancelled and refused in words."""

import pytest

import circuit_widget as cw
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.graph import Graph
from circuit_widget.widget.wire.graph_messages import ProposalMessage, ProposalsMessage
from circuit_widget.widget.wire.schema import parse
from tests.widget.conftest import Open
from tests.widget.frontend import Page, answered
from tests.widget.linear_model import LinearModel

DALLAS = "the capital of the state containing Dallas is"


@pytest.fixture(scope="module")
def dallas() -> Graph:
    return cw.load("demo").trace(DALLAS, progress=False)


def proposed(page: Page) -> tuple[ProposalMessage, ...]:
    answer = answered(page, page.request("propose", {}))
    return parse(ProposalsMessage, answer["body"], "The proposals").proposals


def test_the_page_gets_the_circuit_that_python_proposes(show: Open, dallas: Graph) -> None:
    _, page = show(dallas)
    found, circuit = proposed(page), dallas.propose_circuit(progress=False)
    groups = [one for one in found if one.name is not None]
    assert [(one.name, one.nodes, one.reason) for one in groups] == [
        (one.name, one.nodes, one.reason) for one in circuit.groups
    ]
    assert tuple(one.nodes[0] for one in found if one.name is None) == circuit.pinned
    assert [one.reason for one in found][-1] == "A likely output."
    assert groups[0].evidence.startswith(f"alike {circuit.groups[0].evidence['alike']:.2f} (sources ")
    assert groups[0].evidence.endswith(f"direct effect on “Austin” {circuit.groups[0].evidence['first_target']:+.2f}")
    assert page.traits["circuit"] == Circuit().to_json()


def test_what_is_grouped_is_left_alone_and_its_name_is_not_used_again(show: Open, dallas: Graph) -> None:
    widget, page = show(dallas)
    first = proposed(page)
    texas = next(one for one in first if one.name == "Texas")
    widget.group("say Austin", texas.nodes)
    widget.pin([first[-1].nodes[0]])
    left = proposed(page)
    assert not {node for one in left for node in one.nodes} & {*texas.nodes, first[-1].nodes[0]}
    assert "say Austin" not in [one.name for one in left]
    assert sum(one.name is not None for one in left) <= 7


def test_a_circuit_that_has_everything_is_reported(show: Open, dallas: Graph) -> None:
    widget, page = show(dallas)
    widget.group("all", dallas.node_ids[: dallas.n_features])
    widget.pin(dallas.propose_circuit(progress=False).pinned)
    answer = answered(page, page.request("propose", {}))
    assert answer["code"] == "circuit"
    assert "nothing to propose" in answer["message"]


def test_proposing_says_how_far_it_is(show: Open, dallas: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circuit_widget.widget.worker.worker.PROGRESS_INTERVAL", 0.0)
    _, page = show(dallas)
    rid = page.request("propose", {})
    answered(page, rid)
    fractions = [one["fraction"] for one in page.answers[rid] if one["type"] == "progress"]
    assert len(fractions) > 3
    assert fractions == sorted(fractions)


def test_proposing_is_cancelled_before_its_turn(show: Open, model: LinearModel) -> None:
    _, page = show()
    model.gate.clear()
    page.request("intervene", {"interventions": [{"kind": "ablate", "nodes": ["2_9_5"]}], "mode": "total"})
    page.speak()
    assert model.running.wait(10)
    waiting = page.request("propose", {})
    page.request("cancel", {"rid": waiting})
    page.speak()
    page.hear()
    assert page.last(waiting)["code"] == "cancelled"
    older, newer = page.request("propose", {}), page.request("propose", {})
    page.speak()
    model.gate.set()
    assert answered(page, newer)["type"] == "reply"
    assert page.last(older)["code"] == "superseded"


def test_a_graph_without_its_model_is_grouped_from_its_numbers_alone(
    show: Open, dallas: Graph, tmp_path: object
) -> None:
    path = f"{tmp_path}/dallas.safetensors"
    dallas.save(path)
    _, page = show(Graph.load(path))
    assert [one.name for one in proposed(page) if one.name is not None]

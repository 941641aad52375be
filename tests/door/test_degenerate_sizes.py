"""The smallest and the largest of everything works, or says why not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import circuit_widget as cw
from tests.models import tiny_model

PROMPT = (1, 17, 42, 5)
MODEL = tiny_model()


@pytest.fixture(scope="module")
def graphs() -> dict[str, cw.Graph]:
    """Graphs with next to nothing in them."""
    graph = MODEL.trace(PROMPT, targets=[5])
    return {
        "one position with features": MODEL.trace((1, 17)),
        "one target": graph,
        "one feature": MODEL.trace(PROMPT, max_features=1),
        "no features": graph.prune(0, 0),
        "no edges": graph.prune(1, 0),
        "everything": graph.prune(1, 1),
    }


USES: dict[str, Callable[[cw.Graph], Any]] = {
    "repr": repr,
    "frames": lambda graph: graph.to_frames(),
    "network": lambda graph: graph.to_networkx(),
    "figure": lambda graph: graph.figure(cw.Circuit().pin(graph.node_ids[0])).svg(),
    "widget": lambda graph: cw.CircuitWidget(graph),
    "scores": lambda graph: graph.scores(),
    "edges": lambda graph: graph.strongest_edges(3),
    "pruned again": lambda graph: graph.prune(0),
    "verified": lambda graph: repr(graph.verify(5)),
    "ablated": lambda graph: MODEL.intervene(graph, cw.Ablate(graph.node_ids[0])).to_frame(),
    "plotted": lambda graph: MODEL.intervene(graph, cw.Ablate(graph.node_ids[0])).plot(),
}


@pytest.mark.parametrize("use", USES)
def test_graphs_with_next_to_nothing_in_them_can_be_used(use: str, graphs: dict[str, cw.Graph]) -> None:
    for graph in graphs.values():
        USES[use](graph)


def test_graphs_with_next_to_nothing_in_them_are_saved_and_read_back(
    graphs: dict[str, cw.Graph], tmp_path: Path
) -> None:
    for graph in graphs.values():
        assert cw.Graph.load(graph.save(tmp_path / "graph.safetensors")).node_ids == graph.node_ids


def test_studies_of_a_graph_without_features_say_what_they_lack(graphs: dict[str, cw.Graph]) -> None:
    empty = graphs["no features"]
    assert empty.n_features == 0
    for study in (MODEL.validate, MODEL.faithfulness, MODEL.sweep_groups):
        with pytest.raises(cw.CircuitWidgetError, match="There is no group of features"):
            study(empty)


def test_the_last_place_of_the_context_can_be_filled() -> None:
    assert len(MODEL.generate([1, *[17] * 30], max_new_tokens=10**9).sampled) == 1
    with pytest.raises(cw.CircuitWidgetError, match="32 tokens and fills the model's context"):
        MODEL.generate([1, *[17] * 31])


@pytest.mark.parametrize("temperature", [5e-324, 1e-45, 1e-30])
def test_next_to_no_temperature_takes_the_likeliest_token(temperature: float) -> None:
    cold = MODEL.generate(PROMPT, max_new_tokens=3, temperature=temperature, seed=0)
    assert cold.text == MODEL.generate(PROMPT, max_new_tokens=3).text


def test_any_finite_temperature_can_be_drawn_at() -> None:
    assert len(MODEL.generate(PROMPT, max_new_tokens=2, temperature=1e308, seed=0).sampled) == 2


@pytest.mark.parametrize("reach", [1e-40, 1e-30, 1e30, 3e38])
def test_a_direction_beyond_what_its_type_computes_exactly_is_refused(reach: float) -> None:
    with pytest.raises(cw.CircuitWidgetError, match=r"reach .*; expected 1e-20 to 1e\+20"):
        MODEL.trace(PROMPT, targets=[cw.Direction("far", [reach] * 32)])


@pytest.mark.parametrize("reach", [2e-20, 5e19])
def test_directions_of_any_length_within_are_the_same_graph(reach: float) -> None:
    graph, one = (MODEL.trace(PROMPT, targets=[cw.Direction("far", torch.ones(32) * by)]) for by in (reach, 1.0))
    assert torch.allclose(torch.tensor(graph.influence), torch.tensor(one.influence), atol=1e-4)


def test_sweeps_of_one_value_and_of_the_same_twice(graphs: dict[str, cw.Graph]) -> None:
    graph = graphs["one target"]
    for factors in ([1], [0, 0]):
        sweep = MODEL.sweep(graph, graph.node_ids[0], factors)
        assert sweep.values == tuple(map(float, factors))
        assert len(sweep.to_frame()) == len(sweep.plot().data[0].x) == len(factors)


def test_studies_have_a_largest_size(graphs: dict[str, cw.Graph]) -> None:
    graph = graphs["one target"]
    with pytest.raises(cw.CircuitWidgetError, match="10,001 experiments; at most 10,000"):
        MODEL.sweep(graph, graph.node_ids[0], [0] * 10_001)
    with pytest.raises(cw.CircuitWidgetError, match="At most 10,000 controls run at once; given n = 1000000"):
        MODEL.controls(graph, cw.Ablate(graph.node_ids[0]), n=10**6)


def test_a_circuit_of_thousands_of_nodes_is_a_circuit_and_no_figure(graphs: dict[str, cw.Graph]) -> None:
    nodes = [f"0_{number}_1" for number in range(5000)]
    circuit = cw.Circuit().pin(nodes[:2500]).group("many", nodes[2500:])
    assert cw.Circuit.from_json(circuit.to_json()) == circuit
    graph = graphs["everything"]
    wide = cw.Circuit().pin(graph.node_ids)
    with pytest.raises(cw.CircuitWidgetError, match=r"boxes; a figure shows at most 100\. Group nodes"):
        graph.figure(wide)
    assert graph.figure(wide, part="map").svg()
    assert cw.CircuitWidget(graph, circuit=wide)._repr_mimebundle_()


def test_a_circuit_that_could_not_be_read_back_is_refused() -> None:
    with pytest.raises(cw.CircuitWidgetError, match="at most 20,000 pinned; given 20,001"):
        cw.Circuit().pin([f"0_{number}_1" for number in range(20_001)])


@pytest.mark.parametrize("width", [0, 0.1, 1.99, 12.01, 1000])
def test_a_width_out_of_range_is_refused(width: float, graphs: dict[str, cw.Graph]) -> None:
    with pytest.raises(cw.CircuitWidgetError, match="2 to 12 inches; given"):
        graphs["one target"].figure(width=width)


@pytest.mark.parametrize("height", [0, 119, 4001, 10**9])
def test_a_height_out_of_range_is_refused(height: int, graphs: dict[str, cw.Graph]) -> None:
    with pytest.raises(cw.CircuitWidgetError, match="120 to 4000 pixels; given"):
        cw.CircuitWidget(graphs["one target"], height=height)

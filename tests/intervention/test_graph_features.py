"""The features of a graph: their rows are gathered once, and kept for as long as their run is."""

import gc
import weakref

import numpy as np
import pytest
import torch

from circuit_widget.intervention import Ablate
from circuit_widget.intervention.execution import graph_features as module
from circuit_widget.intervention.execution.graph_features import GraphFeatures, LatestGraphFeatures
from circuit_widget.transcoder.layer import LayeredTranscoders
from tests.cases import case_of, spread
from tests.models import PROMPT_IDS, run_of, tiny_model

MLP_INPUTS = [torch.zeros(len(PROMPT_IDS), 32)] * 3


@pytest.mark.parametrize("room", [0, 1 << 27])
@pytest.mark.parametrize("kind", ["per-layer", "cross-layer"])
def test_features_come_by_position_with_their_directions(kind: str, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHERED_BYTES", room)
    case = case_of("llama", kind)
    graph, transcoders = case.graph, case.model.transcoders
    assert isinstance(transcoders, LayeredTranscoders)
    features = GraphFeatures(graph, transcoders, MLP_INPUTS)
    columns = features.column.tolist()
    assert sorted(columns) == list(range(graph.n_features)) == list(range(len(features)))
    np.testing.assert_array_equal(features.in_graph_order(features.before[None])[0], graph.activation)
    for layer in range(3):
        for first_position in (1, 3, 9):
            wanted = np.flatnonzero((graph.feature_layer == layer) & (graph.feature_position >= first_position))
            here = features.in_layer(layer, first_position)
            assert sorted(columns[node] for node in wanted) == list(range(here.columns.start, here.columns.stop))
            node_at = {columns[node]: node for node in wanted}
            nodes = [node_at[column] for column in range(here.columns.start, here.columns.stop)]
            assert (here.rows + first_position).tolist() == graph.feature_position[nodes].tolist()
            assert here.rows.tolist() == sorted(here.rows.tolist())
            numbers = torch.as_tensor(graph.feature_index[nodes], dtype=torch.long)
            assert here.features.tolist() == numbers.tolist()
            for _ in range(2):
                torch.testing.assert_close(features.encoder_rows(layer, here), transcoders.encoder_rows(layer, numbers))
                for written in transcoders.written_layers(layer):
                    expected = transcoders.decoder_rows(layer, numbers, written)
                    torch.testing.assert_close(features.decoder_rows(layer, here, written), expected)


def test_the_latest_is_kept_until_its_run_is_gone() -> None:
    model = tiny_model()
    graph, other = model.trace(PROMPT_IDS), model.trace(PROMPT_IDS)
    run, latest, made = run_of(model, PROMPT_IDS), LatestGraphFeatures(), []

    def make() -> GraphFeatures:
        made.append(weakref.ref(features := GraphFeatures(graph, model.transcoders, MLP_INPUTS)))
        return features

    assert latest.of(graph, run, make) is latest.of(graph, run, make)
    latest.of(other, run, make)
    latest.of(graph, run, make)
    assert [one() is None for one in made] == [True, True, False]
    del run
    gc.collect()
    assert made[-1]() is None


def test_forgetting_a_model_drops_what_its_interventions_gathered() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    model.intervene(graph, Ablate(graph.node_ids[0]))
    kept = weakref.ref(model._graph_features.of(graph, model._run_of(graph, None), pytest.fail))
    model.forget()
    gc.collect()
    assert kept() is None


def test_effects_are_the_same_whichever_graph_was_used_before() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    small = graph.prune(0.5, 0.9)
    node = next(small.node_ids[place] for place in spread(3, small.n_features))
    first = model.intervene(graph, Ablate(node)).nodes.set_index("id")
    pruned = model.intervene(small, Ablate(node)).nodes.set_index("id")
    again = model.intervene(graph, Ablate(node)).nodes.set_index("id")
    np.testing.assert_array_equal(first["after"], again["after"])
    np.testing.assert_allclose(pruned["after"], first.loc[pruned.index, "after"], atol=1e-6)

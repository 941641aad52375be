"""Graphs that circuit-tracer saves are read with all their numbers, and nothing in such a file is run."""

import dataclasses
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import circuit_widget as cw
from circuit_widget.errors import GraphFileError
from tests.graph.graphs import REFERENCE_LAYERS
from tests.models import REFERENCE, reference_model


class LogitTarget(NamedTuple):
    token_str: str
    vocab_idx: int


@dataclasses.dataclass
class UnifiedConfig:
    n_layers: int
    d_vocab: int
    model_name: str
    dtype: Any


class Runs:
    """Touches a file when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.witness,)


@pytest.fixture
def save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], Path]:
    """Saves as circuit-tracer does, whose classes are in modules that are not there when the file is read."""
    places = {
        LogitTarget: "circuit_tracer.attribution.targets",
        UnifiedConfig: "circuit_tracer.utils.tl_nnsight_mapping",
    }

    def saved(whole: dict[str, Any]) -> Path:
        with monkeypatch.context() as patch:
            for kind, module in places.items():
                for part in range(1, module.count(".") + 2):
                    name = ".".join(module.split(".")[:part])
                    patch.setitem(sys.modules, name, sys.modules.get(name) or types.ModuleType(name))
                patch.setattr(kind, "__module__", module)
                patch.setattr(sys.modules[module], kind.__name__, kind, raising=False)
            torch.save(whole, tmp_path / "graph.pt")
        return tmp_path / "graph.pt"

    return saved


NUMBERS = np.load(REFERENCE / "llama-relu" / "p0_graph.npz")


def layout(every: int = 1) -> dict[str, Any]:
    """A graph of the reference numbers as circuit-tracer saves it; of the active features every so many is a node."""
    selected = np.arange(0, len(NUMBERS["active_features"]), every)
    others = np.arange(len(NUMBERS["active_features"]), len(NUMBERS["adjacency_matrix"]))
    nodes = np.concatenate([selected, others])
    return {
        "input_string": "the capital of France is",
        "adjacency_matrix": torch.from_numpy(NUMBERS["adjacency_matrix"][np.ix_(nodes, nodes)]),
        "cfg": UnifiedConfig(REFERENCE_LAYERS, 206, "tiny", torch.float32),
        "active_features": torch.from_numpy(NUMBERS["active_features"].astype(np.int64)),
        "logit_targets": [LogitTarget(f" {token}", token) for token in NUMBERS["logit_tokens"].tolist()],
        "logit_probabilities": torch.from_numpy(NUMBERS["logit_probabilities"]),
        "vocab_size": 206,
        "input_tokens": torch.from_numpy(NUMBERS["input_tokens"]),
        "selected_features": torch.from_numpy(selected),
        "activation_values": torch.from_numpy(NUMBERS["activation_values"]),
        "scan": None,
    }


@pytest.mark.parametrize("every", [1, 3])
def test_every_number_is_that_of_the_file(every: int, save: Callable[[dict[str, Any]], Path]) -> None:
    whole = layout(every)
    graph = cw.open(save(whole))
    chosen = whole["active_features"][whole["selected_features"]]
    matrix = whole["adjacency_matrix"].numpy()
    ids = [f"{layer}_{feature}_{position}" for layer, position, feature in chosen.tolist()]
    n_positions, n_layers = len(whole["input_tokens"]), whole["cfg"].n_layers
    ids += [f"{layer}_-1_{position}" for layer in range(n_layers) for position in range(n_positions)]
    ids += [f"E_{token}_{position}" for position, token in enumerate(whole["input_tokens"].tolist())]
    ids += [f"{n_layers + 1}_{target.vocab_idx}_{n_positions - 1}" for target in whole["logit_targets"]]
    row = {int(node): number for number, node in enumerate(graph.row_nodes)}
    for target, source in np.argwhere(matrix).tolist():
        there = graph.weights[row[graph.index(ids[target])], graph.index(ids[source])]
        assert there == matrix[target, source]
    assert np.count_nonzero(graph.weights) == np.count_nonzero(matrix)
    active = {
        f"{layer}_{feature}_{position}": value
        for (layer, position, feature), value in zip(
            whole["active_features"].tolist(), whole["activation_values"].tolist(), strict=True
        )
    }
    assert graph.activation.tolist() == [active[node] for node in graph.node_ids[: graph.n_features]]
    assert [one.token for one in graph.targets] == [one.token_str for one in whole["logit_targets"]]
    assert (graph.recipe["model"], graph.recipe["prompt"]) == ("tiny", "the capital of France is")


def test_scores_are_those_of_circuit_tracer(save: Callable[[dict[str, Any]], Path]) -> None:
    scores = cw.open(save(layout())).scores()
    assert scores.replacement == pytest.approx(float(NUMBERS["replacement_score"]), abs=1e-6)
    assert scores.completeness == pytest.approx(float(NUMBERS["completeness_score"]), abs=1e-6)


def test_older_files_have_ids_of_targets_alone_and_features_in_any_order(
    save: Callable[[dict[str, Any]], Path],
) -> None:
    whole = layout(3)
    expected = cw.open(save(whole))
    order = torch.randperm(len(whole["selected_features"]), generator=torch.Generator().manual_seed(0))
    everything = torch.cat([order, torch.arange(len(order), len(whole["adjacency_matrix"]))])
    whole["selected_features"] = whole["selected_features"][order]
    whole["adjacency_matrix"] = whole["adjacency_matrix"][everything][:, everything]
    whole["logit_tokens"] = torch.tensor([one.vocab_idx for one in whole.pop("logit_targets")])
    graph = cw.open(save(whole))
    assert graph.node_ids == expected.node_ids
    np.testing.assert_array_equal(graph.weights, expected.weights)
    np.testing.assert_array_equal(graph.activation, expected.activation)
    assert graph.targets[0].token == f"[token {graph.targets[0].token_id}]"


def test_with_its_model_a_graph_gets_texts_and_runs(save: Callable[[dict[str, Any]], Path]) -> None:
    graph = cw.open(save(layout()))
    assert graph.tokens[0].text == f"[token {graph.tokens[0].token_id}]"
    model = reference_model()
    attached = model.attach(graph)
    assert [one.text for one in attached.tokens] == [
        one.text for one in model.trace([one.token_id for one in graph.tokens]).tokens
    ]
    assert all(abs(one.weight - one.measured) < 1e-4 for one in attached.verify(10).edges)


def test_it_goes_out_as_json_for_viewers(save: Callable[[dict[str, Any]], Path], tmp_path: Path) -> None:
    graph = cw.open(save(layout(3))).prune()
    again = cw.open(graph.export(tmp_path / "again.json"))
    assert again.node_ids == graph.node_ids
    np.testing.assert_array_equal(again.weights, graph.weights)


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no edges": ({"adjacency_matrix": None}, "adjacency_matrix is None, expected a tensor with 2 dimensions"),
    "another shape": ({"adjacency_matrix": torch.zeros(3, 3)}, r"adjacency_matrix has shape \(3, 3\), but its nodes need"),
    "edges of no number": (
        {"adjacency_matrix": layout()["adjacency_matrix"] * float("nan")}, "edges into errors or tokens|not finite",
    ),
    "no layers": ({"cfg": {"n_layers": -1}}, r"cfg\.n_layers is -1, expected the number of layers"),
    "a setting of words": ({"cfg": "tiny"}, "cfg is 'tiny', expected the settings of a model"),
    "features outside": ({"selected_features": torch.tensor([10**9])}, "selected_features leaves the range of its"),
    "features twice": ({"selected_features": torch.zeros(618, dtype=torch.int64)}, "the same node twice|higher layer"),
    "fractions": ({"input_tokens": torch.tensor([0.5])}, "input_tokens has numbers of type torch.float32, expected whole"),
    "no targets": ({"logit_targets": []}, r"logit_targets are \[\], expected one for each of logit_probabilities"),
    "a target of words": ({"logit_targets": ["a"] * 10}, "a target is .*, expected a text and a token id"),
    "too few activations": ({"activation_values": torch.zeros(2)}, "activation_values has 2 numbers, but 618 features"),
    "probabilities above one": ({"logit_probabilities": torch.full((10,), 0.9)}, "probabilities of the targets sum to 9"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_contradiction_is_named(fault: str, save: Callable[[dict[str, Any]], Path]) -> None:
    changes, message = FAULTS[fault]
    with pytest.raises(GraphFileError, match=f"graph.pt cannot be read as a graph of circuit-tracer: .*({message})"):
        cw.open(save(layout() | changes))


def test_nothing_in_a_file_is_run(save: Callable[[dict[str, Any]], Path], tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    for key in ("cfg", "scan", "adjacency_matrix"):
        with pytest.raises(GraphFileError, match=r"it contains .*, which may run code"):
            cw.open(save(layout() | {key: Runs(witness)}))
    assert not witness.exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off_is_refused(share: float, save: Callable[[dict[str, Any]], Path]) -> None:
    file = save(layout())
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(GraphFileError, match=r"not whole|cut off|damaged"):
        cw.open(file)

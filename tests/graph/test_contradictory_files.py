"""A graph file is accepted only if its recorded numbers agree with its weights."""

import dataclasses
import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from circuit_widget.errors import GraphFileError
from circuit_widget.graph import Graph, PromptToken, Target
from tests.graph.graphs import random_graph
from tests.graph.mutations import mutated, read
from tests.graph.test_graph_file import same
from tests.work import lines

TRACED: dict[str, Any] = {
    "model": "org/model",
    "transcoders": "org/transcoders",
    "targets": [{"token": 90}, {"token": 91}],
    "prompt": "a b",
    "step": 3,
    "seconds": 0.5,
}
RANDOM = random_graph(3)
LIKELY = tuple(dataclasses.replace(one, logit=4 + math.log(one.probability)) for one in RANDOM.targets)
GRAPH = dataclasses.replace(RANDOM, targets=LIKELY, recipe=TRACED)

Change = Callable[[dict[str, Any], dict[str, np.ndarray]], object]


def changed(folder: Path, change: Change, graph: Graph = GRAPH, *, checksum: bool = False) -> Path:
    """A graph file with something changed, without its checksum, as files of the first days are."""
    metadata, arrays = read(graph.save(folder / "graph.safetensors"))
    document = json.loads(metadata["graph"])
    change(document, arrays)
    if not checksum:
        del metadata["sha256"]
    path = folder / "changed.safetensors"
    path.write_bytes(save(arrays, {**metadata, "graph": json.dumps(document)}))
    return path


def target(**values: Any) -> Change:
    return lambda document, arrays: document["targets"][0].update(values)


def score(**values: Any) -> Change:
    return lambda document, arrays: document["scores"].update(values)


def recipe(**values: Any) -> Change:
    return lambda document, arrays: document["recipe"].update(values)


def array(name: str, make: Callable[[np.ndarray], np.ndarray]) -> Change:
    return lambda document, arrays: arrays.update({name: make(arrays[name]).astype(arrays[name].dtype)})


def twice(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    document["recipe"]["targets"][1] = {"token": 90}
    document["targets"][1] = {**document["targets"][0], "probability": document["targets"][1]["probability"]}


def likely(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    for entry in document["targets"]:
        entry.update(probability=0.75, logit=1.0)


CONTRADICTIONS: dict[str, tuple[Change, str]] = {
    "a probability above 1": (target(probability=5.0), "'probability' is not a number from 0 to 1"),
    "a negative probability": (target(probability=-1.0), "'probability' is not a number from 0 to 1"),
    "another probability": (target(probability=1e-3), "not what follows from their logits"),
    "probabilities above 1": (likely, "the probabilities of the targets sum to .*, more than 1"),
    "another logit": (target(logit=0.25), "the probabilities of the targets are not what follows from their logits"),
    "a huge logit": (target(logit=1e31), "'logit' is not a number of at most 1e[+]30"),
    "an endless logit": (target(logit=10**400), "'logit' is not a number|more than 64 bits"),
    "another target": (target(token_id=17), "target 0 is token 17, but token 90 in the recipe"),
    "a target twice": (twice, "targets have the same token twice"),
    "a score above 1": (score(replacement=9e15), "'replacement' is not a number from 0 to 1"),
    "a negative score": (score(completeness=-3), "'completeness' is not a number from 0 to 1"),
    "another replacement score": (score(replacement=0.0123), "the replacement score is 0.0123, but .* follows"),
    "another completeness score": (score(completeness=0.0123), "the completeness score is 0.0123, but .* follows"),
    "influence for ever": (
        array("influence", lambda a: a * 0 + 1e30),
        "influence and share of logits are not 0",
    ),
    "influence of other nodes": (
        array("influence", lambda a: np.r_[a[-3::-1], a[-2:]]),
        "influence is not what follows",
    ),
    "a little more influence": (
        array("influence", lambda a: a * 1.01),
        "influence is not what follows|leaves the range",
    ),
    "negative influence": (array("influence", lambda a: -a), "influence leaves the range"),
    "a share of 7": (array("share", lambda a: a + 7), "share of logits are not 0"),
    "another share": (array("share", lambda a: a * 0.9), "share is not what follows"),
    "weights of other edges": (array("weights", lambda a: a * np.linspace(1, 2, a.shape[1])), "is not what follows"),
    "huge weights": (array("weights", lambda a: a * 1e32), "weights has values above 1e[+]30"),
    "subnormal weights": (array("weights", lambda a: a * 1e-44), "is not what follows"),
    "huge activations": (array("activation", lambda a: a * 1e33), "activation has values above 1e[+]30"),
    "endless layers": (lambda d, a: d.update(n_layers=2**31 - 1), "n_layers is not a number from 1 to 4096"),
    "recipe targets 5": (
        recipe(targets=5),
        "'targets' of the recipe is not a list of tokens, contrasts and directions",
    ),
    "recipe target {}": (recipe(targets=[{}]), "'targets' of the recipe is not a list of tokens"),
    "code as a contrast": (recipe(targets=[{"contrast": ["__import__('os')", 1]}]), "'targets' of the recipe is not"),
    "a contrast of one": (recipe(targets=[{"contrast": [1, 1]}, {"token": 91}]), "'targets' of the recipe is not"),
    "code as a direction": (recipe(targets=[{"direction": "x", "vector": ["f()"]}]), "'targets' of the recipe is not"),
    "more than a token": (recipe(targets=[{"token": 90, "contrast": [1, 2]}]), "'targets' of the recipe is not"),
    "too few targets": (recipe(targets=[{"token": 90}]), "the recipe has 1 targets where the graph has 2"),
    "a weight of no token": (recipe(targets=[{"contrast": [90, 91]}, {"token": 91}]), "target 0 is not a token"),
    "a step of code": (recipe(step="f()"), "'step' of the recipe is not a whole number from 1 up"),
    "tokens of another prompt": (recipe(prompt_token_ids=[7, 8, 8]), "the tokens are not those of the prompt in the"),
    "a step of 0": (recipe(step=0), "'step' of the recipe is not a whole number from 1 up"),
    "a prompt that is none": (recipe(prompt={"a": 1}), "'prompt' of the recipe is not a text"),
    "more nodes than active": (recipe(active_features=3, left_out_features=1), "but .* are nodes"),
    "half a character in a label": (lambda d, a: d.update(labels={"0_1_2": "\ud83d"}), "surrogates not allowed"),
    "half a character in a key": (recipe(**{"\ud83d": 1}), "surrogates not allowed"),
    "half a character deep in": (recipe(further=[[{"a": "\ud83d"}]]), "surrogates not allowed"),
    "a deep recipe": (recipe(further=json.loads("[" * 100 + "]" * 100)), "nested more than 64 deep"),
    "an endless whole number": (recipe(further=2**70), "a whole number has more than 64 bits"),
}


@pytest.mark.parametrize("contradiction", CONTRADICTIONS)
def test_a_contradiction_is_named(tmp_path: Path, contradiction: str) -> None:
    change, message = CONTRADICTIONS[contradiction]
    with pytest.raises(GraphFileError, match=f"is damaged: .*({message})") as raised:
        Graph.load(changed(tmp_path, change))
    assert len(str(raised.value)) < 300


def test_a_file_without_a_checksum_is_read(tmp_path: Path) -> None:
    same(GRAPH, Graph.load(changed(tmp_path, lambda document, arrays: None)))
    small = GRAPH.prune(0.7, 0.9)
    same(small, Graph.load(changed(tmp_path, lambda document, arrays: None, small)))


def test_numbers_that_json_cannot_represent_are_refused(tmp_path: Path) -> None:
    metadata, arrays = read(GRAPH.save(tmp_path / "graph.safetensors"))
    del metadata["sha256"]
    for old, new, message in (
        ('"seconds": 0.5', '"seconds": 1e999', "1e999 is not a number that can be stored"),
        ('"seconds": 0.5', f'"seconds": {"9" * 5000}', "is damaged"),
        ('"step": 3', '"step": 3, "step": 4', "an object has a key twice"),
        ('"position": 2', '"position": 2, "position": 1', "an object has a key twice"),
    ):
        assert old in metadata["graph"]
        path = tmp_path / "changed"
        path.write_bytes(save(arrays, {**metadata, "graph": metadata["graph"].replace(old, new)}))
        with pytest.raises(GraphFileError, match=message) as raised:
            Graph.load(path)
        assert len(str(raised.value)) < 300


def test_contrasts_and_directions_weigh_one_each(tmp_path: Path) -> None:
    kinds = [{"contrast": [4, 5]}, {"direction": "formal", "vector": [0.5, -1.0]}]
    names = ("a − b", "formal")
    targets = [Target(name, 900 + index, 1.0, -2.5) for index, name in enumerate(names)]
    built = {field.name: getattr(GRAPH, field.name) for field in dataclasses.fields(GRAPH)}
    for name in ("influence", "share", "recorded_scores"):
        del built[name]
    graph = Graph.build(**{**built, "targets": targets, "recipe": {**TRACED, "targets": kinds}})
    same(graph, Graph.load(graph.save(tmp_path / "graph.safetensors")))
    # If the recipe does not list the targets, a weight of 1 may be that of a contrast.
    silent = dataclasses.replace(graph, recipe={})
    same(silent, Graph.load(silent.save(tmp_path / "silent.safetensors")))


PARTS: dict[str, tuple[Change, str]] = {
    "influence for ever": (array("influence", lambda a: a * 0 + 1e30), "influence and share of logits are not 0"),
    "influence of other nodes": (array("influence", lambda a: np.r_[a[-3::-1], a[-2:]]), "share does not follow"),
    "share of other nodes": (array("share", lambda a: np.r_[a[-3::-1], a[-2:]]), "share does not follow|not 1"),
    "small shares": (array("share", lambda a: a * 1e-4), "does not follow|is not 1"),
    "another threshold": (recipe(thresholds={"node": 0.1, "edge": 0.9}), "do not belong to the threshold"),
    "a score above 1": (score(replacement=1.5), "'replacement' is not a number from 0 to 1"),
}


@pytest.mark.parametrize("contradiction", PARTS)
def test_a_contradiction_in_a_pruned_graph_is_named(tmp_path: Path, contradiction: str) -> None:
    change, message = PARTS[contradiction]
    with pytest.raises(GraphFileError, match=f"is damaged: .*({message})"):
        Graph.load(changed(tmp_path, change, GRAPH.prune(0.9, 0.98)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": {"prompt": "\ud83d"}}, "surrogates not allowed"),
        ({"recipe": {"targets": [{}]}}, "'targets' of the recipe is not a list"),
        ({"n_layers": 2**31}, "'n_layers' is not a whole number"),
        ({"influence": GRAPH.influence * 0}, "influence is not what follows from its weights"),
        ({"targets": (dataclasses.replace(GRAPH.targets[0], probability=2.0), GRAPH.targets[1])}, "from 0 to 1"),
    ],
)
def test_a_graph_that_could_not_be_read_back_is_not_written(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = GRAPH.save(tmp_path / "graph.safetensors")
    with pytest.raises(GraphFileError, match=f"cannot be written to .*{message}"):
        dataclasses.replace(GRAPH, **changes).save(path)
    same(GRAPH, Graph.load(path))


def test_a_bit_that_flipped_is_named(tmp_path: Path) -> None:
    path = GRAPH.save(tmp_path / "graph.safetensors")
    content = path.read_bytes()
    arrays_from = 8 + int.from_bytes(content[:8], "little")
    chance = random.Random(5)
    for index in (chance.randrange(arrays_from, len(content)) for _ in range(100)):
        flipped = bytearray(content)
        flipped[index] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(GraphFileError, match="is damaged: its content is not what was saved"):
            Graph.load(path)
    for change in (
        recipe(model="org/another"),
        lambda d, a: d["labels"].clear(),
        lambda d, a: d["tokens"][0].update(text=""),
    ):
        with pytest.raises(GraphFileError, match="is damaged: its content is not what was saved"):
            Graph.load(changed(tmp_path, change, checksum=True))


def read_back(path: Path) -> tuple[Graph | None, str]:
    """The graph in a file, or why it is refused, without the path."""
    try:
        return Graph.load(path), ""
    except GraphFileError as error:
        return None, str(error).replace(str(path), "")


@pytest.mark.parametrize("checksum", [True, False])
def test_a_changed_file_is_refused_or_is_the_same_graph(tmp_path: Path, checksum: bool) -> None:
    """Without a checksum, what nothing else in the file bears out may differ: names, logits, activations."""
    chance = random.Random(11)
    sources = [GRAPH.save(tmp_path / "whole.safetensors"), GRAPH.prune(0.9, 0.98).save(tmp_path / "part.safetensors")]
    graphs = [Graph.load(path) for path in sources]
    accepted, path = 0, tmp_path / "changed.safetensors"
    for turn in range(400):
        path.write_bytes(mutated(sources[turn % 2], chance, checksum=checksum))
        found, message = read_back(path)
        if found is None:
            assert 0 < len(message) < 300
            continue
        accepted += 1
        if checksum:
            same(graphs[turn % 2], found)
        elif turn % 2 == 0:
            np.testing.assert_allclose(found.influence, GRAPH.influence, rtol=2e-4, atol=2e-6)
            assert found.n_layers <= 4096
            scores = dataclasses.astuple(found.scores())
            assert scores == pytest.approx(dataclasses.astuple(GRAPH.scores()), rel=2e-4, abs=2e-6)
    assert 0 < accepted < 400


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 8, b"\xff" * 200, (2**40).to_bytes(8, "little") + b"{" * 100, b"[" * 10**6]
)
def test_files_that_are_not_graphs_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(GraphFileError, match="is not a whole safetensors file") as raised:
        Graph.load(path)
    assert len(str(raised.value)) < 300


def test_a_graph_of_2000_features_is_read_quickly(tmp_path: Path) -> None:
    random_numbers = np.random.default_rng(0)
    layer = np.sort(random_numbers.integers(0, 8, 2000)).astype(np.int32)
    weights = random_numbers.normal(size=(2005, 2000 + 80 + 10)).astype(np.float32)
    weights[:2000, :2000] *= layer[:, None] > layer[None, :]
    graph = Graph.build(
        tokens=[PromptToken("x", index) for index in range(10)],
        targets=[Target("y", index, 0.15, 1.0) for index in range(5)],
        position=9,
        n_layers=8,
        feature_layer=layer,
        feature_position=np.zeros(2000, dtype=np.int32),
        feature_index=np.arange(2000, dtype=np.int32),
        activation=np.ones(2000, dtype=np.float32),
        error_layer=np.repeat(np.arange(8, dtype=np.int32), 10),
        error_position=np.tile(np.arange(10, dtype=np.int32), 8),
        token_position=np.arange(10, dtype=np.int32),
        weights=weights,
    )
    path = graph.save(tmp_path / "graph.safetensors")
    loaded: list[Graph] = []
    # None for each of its millions of edges: some thousands, and one or two for each of its nodes.
    assert 0 < lines(lambda: loaded.append(Graph.load(path))) < 10 * 2000
    same(graph, loaded[0])

"""Code that is copied does in a fresh kernel exactly what was done here."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import circuit_widget as cw
from circuit_widget.demo import MODEL, TRANSCODERS
from circuit_widget.intervention.as_code import effect_code, generation_code, groups_code, study_code
from circuit_widget.intervention.kinds import Intervention
from circuit_widget.replacement_model import ReplacementModel

PROMPT = "the capital of the state containing Dallas is"
OTHER = "the capital of the state containing Oakland is"


@pytest.fixture(scope="module")
def demo() -> ReplacementModel:
    return cw.load("demo", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def graph(demo: ReplacementModel) -> cw.Graph:
    return demo.trace(PROMPT)


PROGRAM = """
import json
import numpy
for number, (code, result) in enumerate(json.load(open("copied.json"))):
    names = {}
    exec(code, names)
    numpy.save(f"{number}.npy", eval(result, names))
"""


def run(copied: list[tuple[str, str]], folder: Path) -> list[np.ndarray]:
    """Run texts of code in a fresh interpreter, elsewhere, and return the array that an expression has after each.

    No text has the names of another.
    """
    (folder / "copied.json").write_text(json.dumps(copied), encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return [np.load(folder / f"{number}.npy") for number in range(len(copied))]


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Another process may add numbers up in another order."""
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


def interventions(graph: cw.Graph) -> list[tuple[list[Intervention], str]]:
    first, *others = graph.node_ids[:4]
    last = cw.Feature(2, 8, int(np.argmax(graph.feature_layer == 3)))
    return [
        ([cw.Ablate([first, *others])], "total"),
        ([cw.Scale(first, -1.5), cw.Add(others, [0.5, 1.0, -2.0])], "frozen_attention"),
        ([cw.Set(last, 3.0)], "1-2"),
        ([cw.SwapIn([first, *others], OTHER)], "direct"),
        ([cw.SwapIn(first, OTHER, features=[last])], "total"),
    ]


def test_effects_come_out_the_same(demo: ReplacementModel, graph: cw.Graph, tmp_path: Path) -> None:
    effects = [demo.intervene(graph, given, mode=mode) for given, mode in interventions(graph)]
    codes = [effect_code(graph, effect.interventions, effect.mode) for effect in effects]
    found = run([(code, "effect.logits_after") for code in codes], tmp_path)
    for after, effect in zip(found, effects, strict=True):
        assert_same(after, effect.logits_after)


def test_a_limited_and_pruned_graph_of_given_targets_is_traced_again_as_it_was(tmp_path: Path) -> None:
    model = cw.load(MODEL, TRANSCODERS, device="cpu", dtype="float32")
    graph = model.trace(PROMPT, targets=["Texas", cw.Contrast("Austin", "Texas")], position=7, max_features=30, step=7)
    small = graph.prune(node_threshold=0.7, edge_threshold=0.9)
    effect = model.intervene(small, cw.Ablate(small.node_ids[0]))
    code = effect_code(small, effect.interventions, effect.mode)
    results = ("graph.node_ids", "effect.nodes['after']", "graph.weights")
    ids, after, weights = run([(code, result) for result in results], tmp_path)
    assert ids.tolist() == list(small.node_ids)
    assert_same(after, effect.nodes["after"].to_numpy())
    assert_same(weights, small.weights)


def test_studies_and_a_generation_come_out_the_same(demo: ReplacementModel, graph: cw.Graph, tmp_path: Path) -> None:
    nodes = list(graph.node_ids[:2])
    groups = {"one 'group'": nodes[:1], "other": nodes[1:]}
    options: dict[str, Any] = {"max_new_tokens": 3, "temperature": 0.8, "seed": 5, "new_tokens": True}
    sweep = demo.sweep(graph, nodes, [0.0, 2.0], mode="frozen_attention")
    steered = demo.generate(PROMPT, interventions=cw.Scale(nodes, 3.0), **options)
    after, singles, ids = run(
        [
            (
                study_code(graph, "sweep", [repr(nodes), repr([0.0, 2.0]), "mode='frozen_attention'"]),
                "[one.logits_after for one in sweep.effects]",
            ),
            (study_code(graph, "sweep_groups", [groups_code(groups)]), "list(sweep_groups.singles)"),
            (
                generation_code(graph, steered.interventions, options),
                "[token.token_id for token in steered.steered.tokens]",
            ),
        ],
        tmp_path,
    )
    assert_same(after, np.stack([one.logits_after for one in sweep.effects]))
    assert singles.tolist() == list(groups)
    assert ids.tolist() == [token.token_id for token in steered.steered.tokens]


def test_a_model_that_was_given_loaded_is_left_to_be_filled_in(graph: cw.Graph) -> None:
    foreign = effect_code(replace(graph, model=None), [cw.Ablate(graph.node_ids[0])], "total")
    assert "model = ..." in foreign
    assert "'demo' and 'circuit-widget-demo'" in foreign


def test_token_text_cannot_leave_its_comment(graph: cw.Graph) -> None:
    hostile = "x\nimport os\u2028os\x0bexit()"
    tokens = tuple(replace(token, text=hostile) for token in graph.tokens)
    code = effect_code(replace(graph, tokens=tokens), [cw.Ablate(graph.node_ids[0])], "total")
    comment = next(line for line in code.split("\n") if line.startswith("#"))
    assert "import os" in comment
    assert [line for line in code.splitlines() if line.startswith("import")] == ["import circuit_widget as cw"]

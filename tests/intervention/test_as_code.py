"""Code that is copied does in a fresh kernel exactly what was done here."""

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


def run(code: str, result: str, folder: Path) -> np.ndarray:
    """Run lines in a fresh interpreter, elsewhere, and return the array that an expression has after them."""
    file = folder / "result.npy"
    lines = f"{code}\nimport numpy\nnumpy.save({str(file)!r}, {result})\n"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    return np.asarray(np.load(file))


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


@pytest.mark.parametrize("case", range(5))
def test_an_effect_comes_out_the_same(demo: ReplacementModel, graph: cw.Graph, case: int, tmp_path: Path) -> None:
    asked, mode = interventions(graph)[case]
    effect = demo.intervene(graph, asked, mode=mode)
    code = effect_code(graph, effect.interventions, effect.mode)
    assert_same(run(code, "effect.logits_after", tmp_path), effect.logits_after)


def test_a_limited_and_pruned_graph_of_given_targets_is_traced_again_as_it_was(tmp_path: Path) -> None:
    model = cw.load(MODEL, TRANSCODERS, device="cpu", dtype="float32")
    graph = model.trace(PROMPT, targets=["Texas", cw.Contrast("Austin", "Texas")], position=7, max_features=30, step=7)
    small = graph.prune(node_threshold=0.7, edge_threshold=0.9)
    effect = model.intervene(small, cw.Ablate(small.node_ids[0]))
    code = effect_code(small, effect.interventions, effect.mode)
    ids = run(code, "graph.node_ids", tmp_path)
    assert ids.tolist() == list(small.node_ids)
    assert_same(run(code, "effect.nodes['after']", tmp_path), effect.nodes["after"].to_numpy())
    assert_same(run(code, "graph.weights", tmp_path), small.weights)


def test_a_sweep_and_a_generation_come_out_the_same(demo: ReplacementModel, graph: cw.Graph, tmp_path: Path) -> None:
    nodes = list(graph.node_ids[:2])
    sweep = demo.sweep(graph, nodes, [0.0, 2.0], mode="frozen_attention")
    code = study_code(graph, "sweep", [repr(nodes), repr([0.0, 2.0]), "mode='frozen_attention'"])
    after = run(code, "[one.logits_after for one in sweep.effects]", tmp_path)
    assert_same(after, np.stack([one.logits_after for one in sweep.effects]))

    groups = {"one 'group'": nodes[:1], "other": nodes[1:]}
    code = study_code(graph, "sweep_groups", [groups_code(groups)])
    assert run(code, "list(sweep_groups.singles)", tmp_path).tolist() == list(groups)

    options: dict[str, Any] = {"max_new_tokens": 3, "temperature": 0.8, "seed": 5, "new_tokens": True}
    steered = demo.generate(PROMPT, interventions=cw.Scale(nodes, 3.0), **options)
    code = generation_code(graph, steered.interventions, options)
    ids = [token.token_id for token in steered.steered.tokens]
    assert run(code, "[token.token_id for token in steered.steered.tokens]", tmp_path).tolist() == ids


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

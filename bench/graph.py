"""How long influence, scores, pruning and what the widget is sent take on a graph, beside circuit-tracer on the same one.

python bench/graph.py                           2,048 and 8,192 features of a Llama-shaped model with random weights
python bench/graph.py --features 1000
python bench/graph.py --reference PYTHON        beside circuit-tracer, PYTHON being the interpreter of an environment
                                                with circuit-tracer==0.5.0 and nnsight==0.6.1
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from bench.llama_shape import Shape, prompt_ids, write
from circuit_widget.attribution.influence import flow
from circuit_widget.attribution.scores import scores_of
from circuit_widget.graph import Graph
from circuit_widget.loading import load
from circuit_widget.widget.wire.snapshot import snapshot_of

Result = TypeVar("Result")

N_TOKENS = 24
WORTHWHILE = 10
"""Times circuit-tracer's speed that influence, scores and pruning together should reach."""


def least_cpu_seconds(repeats: int, work: Callable[[], Result]) -> tuple[float, Result]:
    """Return the least CPU seconds of several runs, which other programs disturb least, and the last result."""
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        result = work()
        seconds.append(time.process_time() - started)
    return min(seconds), result


def rebuilt(graph: Graph) -> Graph:
    """Return the same graph, made anew from its nodes and weights: checked, with influence, shares and scores."""
    given = {entry.name: getattr(graph, entry.name) for entry in fields(graph)}
    computed = ("influence", "share", "recorded_scores")
    return Graph.build(**{name: value for name, value in given.items() if name not in computed})


def influence_and_scores(graph: Graph) -> tuple[float, float]:
    """Return the scores of a graph, computed from its weights alone."""
    solved = flow(graph.weights, graph.feature_layer, graph.target_weight)
    return scores_of(solved, graph.weights, graph.n_features, graph.n_errors, graph.target_weight)


def reference_results(python: str, graph: Graph, folder: Path, repeats: int, threads: int) -> dict[str, Any]:
    """Return the results of circuit-tracer's own functions for the same matrix, and how long they take."""
    square = np.zeros((graph.n_nodes, graph.n_nodes), dtype=np.float32)
    square[graph.row_nodes, : graph.weights.shape[1]] = graph.weights
    np.savez(
        folder / "graph.npz",
        adjacency_matrix=square,
        probabilities=graph.target_weight.astype(np.float32),
        n_features=graph.n_features,
        n_tokens=len(graph.token_position),
        n_layers=graph.n_layers,
    )
    script = Path(__file__).with_name("circuit_tracer_graph.py")
    request = json.dumps({"graph": str(folder / "graph.npz"), "repeats": repeats, "threads": threads})
    done = subprocess.run([python, script, request], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"circuit-tracer did not run:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def measure(graph: Graph, options: argparse.Namespace, folder: Path) -> None:
    """Measure one graph and print."""
    repeats = options.repeats
    scored, scores = least_cpu_seconds(repeats, lambda: influence_and_scores(graph))
    pruning, small = least_cpu_seconds(repeats, graph.prune)
    made, _ = least_cpu_seconds(repeats, lambda: rebuilt(graph))
    sent, snapshot = least_cpu_seconds(repeats, lambda: snapshot_of(rebuilt(graph)))
    print(
        f"\n{graph.n_features:,} features, {graph.n_nodes:,} nodes, {np.count_nonzero(graph.weights):,} edges; CPU ms"
    )
    print(f"{'influence, scores':<28}{1e3 * scored:>10.1f}")
    print(f"{'pruning':<28}{1e3 * pruning:>10.1f}   {small.n_nodes:,} nodes left")
    print(f"{'both':<28}{1e3 * (scored + pruning):>10.1f}")
    print(f"{'a graph from its arrays':<28}{1e3 * made:>10.1f}   checked, with influence, shares and scores")
    size = sum(len(column.data) for column in snapshot.columns.values())
    print(f"{'what the widget is sent':<28}{1e3 * (sent - made):>10.1f}   {size / 1e6:.1f} MB in columns")
    if options.reference:
        other = reference_results(options.reference, graph, folder, repeats, options.threads)
        gain = other["cpu"] / (scored + pruning)
        kept = set(other["kept"]) == {graph.index(node) for node in small.node_ids}
        apart = max(abs(one - two) for one, two in zip(scores, other["scores"], strict=True))
        verdict = "kept" if gain >= WORTHWHILE else "MISSED"
        print(
            f"{'circuit-tracer, both':<28}{1e3 * other['cpu']:>10.1f}   {gain:.0f}x (at least {WORTHWHILE}x: {verdict}); "
            f"{'the same' if kept else 'OTHER'} nodes left, scores {apart:.1e} apart"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", type=int, nargs="+", default=[2048, 8192])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--reference", metavar="PYTHON")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder, shape = Path(name), Shape()
        write(folder, shape)
        model = load(folder / "model", folder / "transcoders", device="cpu", dtype="float32")
        print(f"{model!r}, {N_TOKENS} tokens, {options.threads} thread(s), best of {options.repeats}")
        for n_features in options.features:
            measure(model.trace(prompt_ids(shape, N_TOKENS), max_features=n_features), options, folder)


if __name__ == "__main__":
    main()

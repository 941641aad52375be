"""How long ablations take, one by one and as a batch, beside circuit-tracer on the same files.

python bench/intervene.py                     without the reference library
python bench/intervene.py --reference PYTHON  PYTHON: an environment with circuit-tracer; bench/trace.py makes one
python bench/intervene.py --quick             a small model, to see that the script runs

The model is that of bench/trace.py. Ablated are features spread evenly over those of a graph, one in each experiment.
Ours reports for each all features of the graph, before, after and predicted; circuit-tracer all features of the model.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from bench.llama_shape import Shape, prompt_ids, write
from bench.measuring import Times
from bench.trace import DEMO_PROMPT, QUICK
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate
from circuit_widget.loading import load
from circuit_widget.replacement_model import ReplacementModel

MODES = {"total": "total", "frozen_attention": "attention frozen"}


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", metavar="PYTHON")
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--ablations", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shape, features = (QUICK, 200) if options.quick else (Shape(), options.features)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, shape)
        ids = prompt_ids(shape, options.tokens)
        model = load(folder / "model", folder / "transcoders", device="cpu", dtype="float32")
        graph = model.trace(ids, max_features=features, progress=False)
        nodes = _spread(graph, options.ablations)
        print(f"{options.threads} thread(s), {shape.n_layers} layers, {options.tokens} tokens, {len(nodes)} ablations")
        print(f"\n{'milliseconds an ablation':<52}{'CPU':>9}{'wall':>9}")
        other = _reference(options, folder, ids, _chosen_features(graph, nodes)) if options.reference else None
        ours = {mode: _measure(model, graph, nodes, mode, options.repeats) for mode in MODES}
    if other:
        _print_ratios(other, ours)
    demo = load("demo", device="cpu", dtype="float32")
    graph = demo.trace(DEMO_PROMPT, progress=False)
    print("\nthe embedded model")
    _measure(demo, graph, _spread(graph, options.ablations), "total", options.repeats)


def _spread(graph: Graph, count: int) -> list[int]:
    return [int(node) for node in np.linspace(0, graph.n_features - 1, count)]


def _chosen_features(graph: Graph, nodes: list[int]) -> list[list[int]]:
    columns = (graph.feature_layer, graph.feature_position, graph.feature_index)
    return [[int(column[node]) for column in columns] for node in nodes]


def _row(name: str, cpu: float, wall: float) -> None:
    print(f"{name:<52}{1000 * cpu:>9.1f}{1000 * wall:>9.1f}", flush=True)


def _measure(
    model: ReplacementModel, graph: Graph, nodes: list[int], mode: str, repeats: int
) -> dict[str, float | np.ndarray]:
    """Measure this package in one mode; print its rows; return seconds of CPU an ablation, and the logits."""
    experiments = [Ablate(graph.node_ids[node]) for node in nodes]
    model.intervene(graph, experiments[0], mode=mode, progress=False)
    alone, together = Times(), Times()
    for experiment in experiments:
        alone.take(lambda one=experiment: model.intervene(graph, one, mode=mode, progress=False))  # type: ignore[misc]
    wall, cpu = alone.median()
    _row(f"circuit-widget, {MODES[mode]}, one call each", cpu, wall)
    effects: Callable[[], object] = lambda: model.intervene_many(graph, experiments, mode=mode, progress=False)  # noqa: E731
    for _ in range(repeats):
        together.take(effects)
    batch_wall, batch_cpu = (seconds / len(nodes) for seconds in together.median())
    _row(f"circuit-widget, {MODES[mode]}, as a batch", batch_cpu, batch_wall)
    logits = np.stack([effect.logits_after for effect in model.intervene_many(graph, experiments, mode=mode)])
    return {"alone": cpu, "batch": batch_cpu, "logits": logits}


def _reference(
    options: argparse.Namespace, folder: Path, ids: list[int], features: list[list[int]]
) -> dict[str, dict[str, float | np.ndarray]]:
    """Let circuit-tracer ablate the same features; print its rows."""
    request = {
        "model": str(folder / "model"),
        "transcoders": str(folder / "transcoders"),
        "token_ids": ids,
        "features": features,
        "threads": options.threads,
        "logits": str(folder / "logits.npz"),
    }
    done = subprocess.run(
        [options.reference, "-m", "bench.circuit_tracer_intervene", json.dumps(request)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OMP_NUM_THREADS": str(options.threads)},
    )
    if done.returncode:
        raise SystemExit(f"circuit-tracer did not run:\n{done.stderr[-2000:]}")
    found: dict[str, dict[str, float]] = json.loads(done.stdout.strip().splitlines()[-1])
    logits = np.load(request["logits"])
    for mode, name in MODES.items():
        _row(f"circuit-tracer, {name}, one call each", found[mode]["cpu"], found[mode]["wall"])
    return {mode: {**found[mode], "logits": logits[mode]} for mode in MODES}


def _print_ratios(
    other: dict[str, dict[str, float | np.ndarray]], ours: dict[str, dict[str, float | np.ndarray]]
) -> None:
    print("\nthis package against circuit-tracer, CPU time")
    for mode, name in MODES.items():
        cpu = other[mode]["cpu"]
        print(
            f"  {name}: one ablation {cpu / ours[mode]['alone']:.1f}x less (budget 3x), "
            f"as a batch {cpu / ours[mode]['batch']:.1f}x less (budget 10x); logits differ by at most "
            f"{np.abs(other[mode]['logits'] - ours[mode]['logits']).max():.1e}"
        )
    cpu = other["frozen_attention"]["cpu"]
    print(
        f"  total, against its default (attention frozen): one ablation {cpu / ours['total']['alone']:.1f}x less, "
        f"as a batch {cpu / ours['total']['batch']:.1f}x less"
    )


if __name__ == "__main__":
    main()

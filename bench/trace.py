"""How long a trace takes, beside circuit-tracer on the same files, and how near the computation of edges comes to the machine's rate.

python bench/trace.py                           without the reference library
python bench/trace.py --reference PYTHON        PYTHON: the interpreter of an environment with circuit-tracer==0.5.0
python bench/trace.py --make-reference FOLDER   makes that environment in FOLDER first (downloads about 1 GB)
python bench/trace.py --quick                   a small model, to see that the script runs

Everything runs on as many threads as --threads says (1), one library after the other. Times are medians after a first
trace, memory is what that first trace takes above the loaded model at its peak.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench import growth
from bench.llama_shape import Shape, prompt_ids, write
from bench.measuring import PRODUCT_SIZE, Times, operations, peak_memory, product_rate
from circuit_widget.attribution.edges import EdgeComputation
from circuit_widget.attribution.targets import choose_targets
from circuit_widget.graph import Graph
from circuit_widget.loading import load
from circuit_widget.model.loading import DEMO
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.tracing.prompt_run import PromptRun, run_prompt
from circuit_widget.tracing.target_readout import target_source_of

REFERENCE_PACKAGES = ("torch==2.13.0", "circuit-tracer==0.5.0", "nnsight==0.6.1", "ipython")
DEMO_PROMPT = "the capital of the state containing Dallas is"
QUICK = Shape(n_layers=4, d_model=64, n_heads=4, n_value_heads=2, d_mlp=128, vocabulary=300, features=256, active=12)
GRAPH_FIELDS = (
    *("tokens", "targets", "position", "n_layers", "feature_layer", "feature_position", "feature_index"),
    *("activation", "error_layer", "error_position", "token_position", "weights"),
)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", metavar="PYTHON")
    parser.add_argument("--make-reference", metavar="FOLDER", type=Path)
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--reference-repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-growth", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.make_reference:
        options.reference = _make_reference(options.make_reference)
    shape = QUICK if options.quick else Shape()
    features = 200 if options.quick else options.features
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, shape)
        ids = prompt_ids(shape, options.tokens)
        _print_machine(options.threads)
        print(
            f"{shape.n_layers} layers, d_model {shape.d_model}, {shape.n_heads}/{shape.n_value_heads} heads, "
            f"MLP {shape.d_mlp}, {shape.features} features a layer, {options.tokens} tokens\n"
        )
        print(f"{'':<44}{'CPU s':>9}{'wall s':>9}{'peak MB':>9}")
        edges = folder / "edges.npz"
        other = _reference(options, folder, ids, features, edges) if options.reference else None
        ours = _measure(folder, ids, features, options.repeats)
        if other:
            _print_ratios(other, ours, edges)
    _print_demo(options.repeats)
    if not options.no_growth and not options.quick:
        print()
        for line in growth.rows():
            print(line, flush=True)


def _print_machine(threads: int) -> None:
    names = [line for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    name = names[0].split(":")[1].strip() if names else platform.processor()
    print(
        f"{name}, {threads} thread(s) of {os.cpu_count()}, torch {torch.__version__}, Python {platform.python_version()}"
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _row(name: str, cpu: float, wall: float, memory: float | None = None) -> None:
    print(f"{name:<44}{cpu:>9.3f}{wall:>9.3f}{'' if memory is None else f'{memory / 1e6:>9.0f}'}", flush=True)


def _measure(folder: Path, ids: list[int], features: int, repeats: int) -> dict[str, Any]:
    """Measure this package; print its rows; return the results to compare with the reference."""
    model = load(folder / "model", folder / "transcoders", device="cpu", dtype="float32")
    limited, forward = Times(), Times()
    graphs: list[Graph] = []

    def trace(count: int | None) -> None:
        model.forget()
        graphs[:] = [model.trace(ids, max_features=count)]

    memory = peak_memory(lambda: trace(features))
    for _ in range(repeats):
        limited.take(lambda: trace(features))
    graph = graphs[0]
    wall, cpu = limited.median()
    _row(f"circuit-widget, {graph.n_features:,} of {graph.n_features + graph.left_out:,} features", cpu, wall, memory)
    prompt = model.read_prompt(ids)
    for _ in range(repeats):
        run = forward.take(lambda: run_prompt(model.model, model.transcoders, prompt, len(prompt) - 1))
    _row("  of this: forward pass and encoding", *forward.median()[::-1])
    _edges_row("  the same edges computed at once", model, run, _rows_of(run, graph), repeats)
    solved = _solve_row(graph, repeats)
    whole = Times()
    whole_memory = peak_memory(lambda: trace(None))
    for _ in range(2):
        whole.take(lambda: trace(None))
    all_wall, all_cpu = whole.median()
    _row(f"circuit-widget, all {graphs[0].n_features:,} features", all_cpu, all_wall, whole_memory)
    _edges_row("  of this: the edges", model, run, None, 2)
    return {"cpu": cpu, "wall": wall, "memory": memory, "graph": graph, "all_cpu": all_cpu, "solved": solved}


def _rows_of(run: PromptRun, graph: Graph) -> torch.Tensor:
    """Return the row numbers of a graph's features among all active ones, and of all targets."""
    row_of = {feature: row for row, feature in enumerate(zip(*_features(run.activations), strict=True))}
    graph_features = zip(graph.feature_layer, graph.feature_position, graph.feature_index, strict=True)
    n_active = len(run.activations)
    rows = [row_of[int(layer), int(position), int(feature)] for layer, position, feature in graph_features]
    return torch.tensor([*rows, *range(n_active, n_active + len(graph.targets))])


def _features(found: Any) -> tuple[list[int], list[int], list[int]]:
    return found.layer.tolist(), found.position.tolist(), found.feature.tolist()


def _edges_row(name: str, model: ReplacementModel, run: PromptRun, rows: torch.Tensor | None, repeats: int) -> None:
    """Print how long the edges alone take, and their share of the rate of a large matrix product."""
    with torch.inference_mode():
        targets = torch.stack([target.direction for target in choose_targets(target_source_of(model.model, run), None)])

    def compute() -> None:
        n_rows = None if rows is None else len(rows)
        EdgeComputation(run.frozen, run.nodes, run.captured.embedding, targets, n_rows=n_rows).edges(rows)

    times, products = Times(), [product_rate()]
    for _ in range(repeats):
        times.take(compute)
        products.append(product_rate())
    done = operations(compute)
    wall, cpu = times.median()
    rate, product = done / cpu, float(np.median(products))
    _row(name, cpu, wall)
    print(
        f"    {done / 1e9:,.0f} G operations, {rate / 1e9:.1f} G/s; a float32 product of {PRODUCT_SIZE} reaches "
        f"{product / 1e9:.1f} G/s ({rate / product:.0%})"
    )


def _solve_row(graph: Graph, repeats: int) -> tuple[float, float]:
    """Print how long influence, pruning and scores of a graph take."""
    times, parts = Times(), {name: getattr(graph, name) for name in GRAPH_FIELDS}
    for _ in range(max(5, repeats)):
        times.take(lambda: Graph.build(**parts).prune())
    wall, cpu = times.median()
    _row("  influence, pruning and scores of it", cpu, wall)
    return cpu, wall


def _reference(
    options: argparse.Namespace, folder: Path, ids: list[int], features: int, edges: Path
) -> dict[str, float]:
    """Let circuit-tracer trace the same prompt on the same files; print its rows."""
    request = {
        "model": str(folder / "model"),
        "transcoders": str(folder / "transcoders"),
        "token_ids": ids,
        "max_features": features,
        "repeats": options.reference_repeats,
        "threads": options.threads,
        "edges": str(edges),
    }
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [options.reference, "-m", "bench.circuit_tracer_trace", json.dumps(request)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode:
        raise SystemExit(f"circuit-tracer did not run:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    _row(f"circuit-tracer, {found['features']:,} features", found["cpu"], found["wall"], found["memory"])
    _row("  influence, pruning and scores of it", found["prune_cpu"], found["prune_wall"])
    return found


def _print_ratios(other: dict[str, float], ours: dict[str, Any], edges: Path) -> None:
    print("\nthis package against circuit-tracer")
    cpu, wall = other["cpu"] / ours["cpu"], other["wall"] / ours["wall"]
    print(f"  a trace: {cpu:.1f}x less CPU, {wall:.1f}x less wall time (budget 25x)")
    print(f"  peak memory of it: {ours['memory'] / other['memory']:.2f} of the other's (budget 0.33)")
    print(f"  all features: {ours['all_cpu'] / other['cpu']:.2f} of its time for some (budget 0.25)")
    solved_cpu, solved_wall = ours["solved"]
    cpu, wall = other["prune_cpu"] / solved_cpu, other["prune_wall"] / solved_wall
    print(f"  influence, pruning and scores: {cpu:.1f}x less CPU, {wall:.1f}x less wall time (budget 10x)")
    graph, found = ours["graph"], np.load(edges)
    row_of = {tuple(feature): row for row, feature in enumerate(found["features"].tolist())}
    rows = zip(graph.feature_layer.tolist(), graph.feature_position.tolist(), graph.feature_index.tolist(), strict=True)
    shared = [(row, row_of[feature]) for row, feature in enumerate(rows) if feature in row_of]
    here, there = np.array(shared).T
    difference = np.abs(graph.weights[np.ix_(here, here)] - found["edges"][np.ix_(there, there)])
    largest = np.abs(found["edges"]).max()
    print(
        f"  {len(shared):,} features chosen by both; their edges differ by at most {difference.max():.1e} "
        f"(the largest is {largest:.2g})"
    )


def _print_demo(repeats: int) -> None:
    """Print what a trace with the embedded model takes."""
    model, times = load(DEMO / "model", DEMO / "transcoders", device="cpu", dtype="float32"), Times()

    def trace() -> None:
        model.forget()
        model.trace(DEMO_PROMPT)

    trace()
    for _ in range(max(10, repeats)):
        times.take(trace)
    print()
    wall, cpu = times.median()
    _row("the embedded model, all features", cpu, wall)


def _make_reference(folder: Path) -> str:
    """Make an environment with circuit-tracer; return its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        for packages in (REFERENCE_PACKAGES[:1], REFERENCE_PACKAGES):
            subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return str(python)


if __name__ == "__main__":
    main()

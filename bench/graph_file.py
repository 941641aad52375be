"""A graph file of any size in the JSON of circuit-tracer and Neuronpedia: written, opened, and what opening it takes."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import circuit_widget as cw

N_LAYERS, TOKENS, LOGITS = 26, 32, 10
LINK_BYTES = 80
"""About what a link takes in the file."""

BLOCK = 200_000
"""Links that are written at once."""

SEED = 0


def nodes(n_features: int) -> Iterator[dict[str, Any]]:
    """Yield the nodes: tokens, features by their layers, an error at each layer and position, logits."""
    common = {
        "is_target_logit": False,
        "run_idx": 0,
        "reverse_ctx_idx": 0,
        "jsNodeId": "",
        "clerp": "",
        "token_prob": 0.0,
    }
    for position in range(TOKENS):
        yield common | {
            "node_id": f"E_{position + 5}_{position}", "feature": position, "layer": "E", "ctx_idx": position,
            "feature_type": "embedding", "influence": 0.5, "activation": None,
        }  # fmt: skip
    for index in range(n_features):
        layer, number, position = index * N_LAYERS // n_features, 3 * index + 1_000, index % TOKENS
        yield common | {
            "node_id": f"{layer}_{number}_{position}", "feature": (layer + number) * (layer + number + 1) // 2 + number,
            "layer": str(layer), "ctx_idx": position, "feature_type": "cross layer transcoder", "influence": 0.5,
            "activation": 1.0 + index % 7,
        }  # fmt: skip
    for layer in range(N_LAYERS):
        for position in range(TOKENS):
            yield common | {
                "node_id": f"0_{layer}_{position}", "feature": -1, "layer": str(layer), "ctx_idx": position,
                "feature_type": "mlp reconstruction error", "influence": 0.5, "activation": None,
            }  # fmt: skip
    for index in range(LOGITS):
        yield common | {
            "node_id": f"{N_LAYERS + 1}_{index + 100}_{TOKENS - 1}", "feature": index + 100, "layer": str(N_LAYERS + 1),
            "ctx_idx": TOKENS - 1, "feature_type": "logit", "token_prob": 0.5 / 2**index, "is_target_logit": index == 0,
            "clerp": f'Output " word{index}" (p={0.5 / 2**index:.3f})', "influence": None, "activation": None,
        }  # fmt: skip


def links(found: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the links as JSON, in blocks: from every node to every feature and logit above it."""
    generator = np.random.default_rng(SEED)
    height = {"E": -1} | {str(layer): layer for layer in range(N_LAYERS + 2)}
    layers = np.array([height[one["layer"]] for one in found])
    ids = [one["node_id"] for one in found]
    # An error is the source of links alone.
    targets = [index for index, one in enumerate(found) if one["feature_type"] in ("cross layer transcoder", "logit")]
    block: list[str] = []
    for target in targets:
        sources = np.flatnonzero(layers < layers[target])
        weights = generator.standard_normal(len(sources)).astype(np.float32)
        end = f'", "target": "{ids[target]}", "weight": '
        block += [
            f'{{"source": "{ids[source]}{end}{weight!r}}}'
            for source, weight in zip(sources, weights.tolist(), strict=True)
        ]
        if len(block) > BLOCK:
            yield ", ".join(block)
            block = []
    yield ", ".join(block)


def write(path: Path, size: int) -> None:
    """Write a file of about so many bytes, the same one each time."""
    found = list(nodes(int((2 * size / LINK_BYTES) ** 0.5)))
    words = [f" word{position}" for position in range(TOKENS)]
    metadata = {
        "slug": "large", "scan": "gemma-2-2b", "transcoder_list": [], "prompt_tokens": words, "prompt": "".join(words),
        "node_threshold": 1.0, "schema_version": 1,
    }  # fmt: skip
    with path.open("w", encoding="utf-8") as file:
        file.write(
            f'{{"metadata": {json.dumps(metadata)}, "qParams": {{"linkType": "both"}}, "nodes": {json.dumps(found)}'
        )
        file.write(', "links": [')
        for number, block in enumerate(links(found)):
            file.write(f"{', ' * (number > 0)}{block}")
        file.write("]}")


def peak() -> float:
    """Return the most megabytes of memory that the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(path: Path) -> Iterator[str]:
    """Open a file; yield the lines of a table."""
    start, reports = peak(), []
    began, cpu = time.perf_counter(), time.process_time()
    graph = cw.open(path, progress=lambda fraction, _: reports.append(fraction))
    seconds, cpu, most = time.perf_counter() - began, time.process_time() - cpu, peak()
    parsed = sum(array.nbytes for array in vars(graph).values() if isinstance(array, np.ndarray)) / 2**20
    yield f"| file | {path.stat().st_size / 1e9:.2f} GB, {graph.n_nodes:,} nodes, {np.count_nonzero(graph.weights):,} links |"
    yield f"| opened in | {seconds:.0f} s, {cpu:.0f} s of CPU |"
    yield f"| graph in memory | {parsed:,.0f} MB |"
    yield f"| peak above the process before | {most - start:,.0f} MB, {(most - start) / parsed:.2f} of the graph |"
    yield f"| progress reports | {len(reports):,}, the last at {reports[-1]:.0%} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gigabytes", type=float, nargs="?", default=1.7)
    parser.add_argument("--open", type=Path, help="measure this file, in a process that has written none")
    given = parser.parse_args()
    if given.open is not None:
        print(*measure(given.open), sep="\n")
        sys.exit()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "large.json"
        write(made, int(given.gigabytes * 1e9))
        subprocess.run([sys.executable, "-m", "bench.graph_file", "--open", str(made)], check=True)

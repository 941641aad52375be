"""What a long prompt takes: nodes, seconds, and its peak memory.

python bench/long_prompt.py                     2,048 tokens of a small model with random weights, 1,000 features kept
python bench/long_prompt.py --tokens 512 --features 4000
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from bench.llama_shape import Shape, prompt_ids, write
from circuit_widget.loading import load

SHAPE = Shape(n_layers=6, d_model=256, n_heads=4, n_value_heads=2, d_mlp=1024, vocabulary=4000, active=30)


def peak_bytes() -> int:
    """Return the peak of this process's main memory."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--features", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, SHAPE)
        model = load(folder / "model", folder / "transcoders", device="cpu", dtype="float32")
        ids = prompt_ids(SHAPE, options.tokens)
        loaded = peak_bytes()
        estimate = model.estimate(ids, max_features=options.features)
        ran = peak_bytes()
        started, used = time.perf_counter(), time.process_time()
        graph = model.trace(ids, max_features=options.features, progress=False)
        wall, cpu = time.perf_counter() - started, time.process_time() - used
        traced = peak_bytes()
        started = time.perf_counter()
        small = graph.prune()
        pruned = time.perf_counter() - started
    print(f"{SHAPE}, {options.threads} thread(s)")
    print(f"{options.tokens:,} tokens, {graph.n_features + graph.left_out:,} features active")
    print(f"estimated   {estimate}")
    print(
        f"traced      {graph.n_features:,} features, {graph.n_nodes:,} nodes, {np.count_nonzero(graph.weights):,} edges"
    )
    print(f"            {wall:.1f} s ({cpu:.1f} s CPU), scores {graph.scores()}")
    print(f"pruned      {small.n_nodes:,} nodes in {pruned:.2f} s")
    print(f"memory      {loaded / 2**20:,.0f} MiB with the model loaded, {ran / 2**20:,.0f} after its forward pass,")
    print(f"            {traced / 2**20:,.0f} at the peak of the trace: {(traced - ran) / 2**20:,.0f} for the edges")


if __name__ == "__main__":
    main()

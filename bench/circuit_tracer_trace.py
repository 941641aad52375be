"""Trace a prompt with circuit-tracer; run by `bench/trace.py` with that library's own Python, prints one line of JSON."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from circuit_tracer import ReplacementModel, attribute  # type: ignore[import-not-found]
from circuit_tracer.utils.hf_utils import load_transcoder_from_hub  # type: ignore[import-not-found]


def main() -> None:
    """Read a JSON request (model, transcoders, token_ids, repeats, threads) and print seconds and node count."""
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    transcoders, _ = load_transcoder_from_hub(request["transcoders"], dtype=torch.float32)
    model = ReplacementModel.from_pretrained_and_transcoders(
        request["model"], transcoders, backend="nnsight", device=torch.device("cpu"), dtype=torch.float32
    )
    ids = torch.tensor(request["token_ids"])
    graph = attribute(ids, model, batch_size=128, verbose=False)
    wall, cpu = [], []
    for _ in range(request["repeats"]):
        started, used = time.perf_counter(), time.process_time()
        graph = attribute(ids, model, batch_size=128, verbose=False)
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    features = len(graph.selected_features)
    print(json.dumps({"wall": statistics.median(wall), "cpu": statistics.median(cpu), "features": features}))


if __name__ == "__main__":
    main()

"""Ablate features with circuit-tracer; run by `bench/intervene.py` with that library's own Python, prints JSON."""

from __future__ import annotations

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import torch
from circuit_tracer import ReplacementModel  # type: ignore[import-not-found]
from circuit_tracer.utils.hf_utils import load_transcoder_from_hub  # type: ignore[import-not-found]

from bench.measuring import Times


def main() -> None:
    """Read a JSON request (model, transcoders, token_ids, features, threads, logits) and print seconds of both modes.

    `features` are (layer, position, number) of the features, ablated one in each call; `logits` is a file for those after.
    """
    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    transcoders, _ = load_transcoder_from_hub(request["transcoders"], dtype=torch.float32)
    model = ReplacementModel.from_pretrained_and_transcoders(
        request["model"], transcoders, backend="nnsight", device=torch.device("cpu"), dtype=torch.float32
    )
    text = model.tokenizer.decode(request["token_ids"])
    if model.tokenizer(text).input_ids != request["token_ids"]:
        raise SystemExit("the prompt's text does not have these tokens")
    found: dict[str, dict[str, float]] = {}
    logits: dict[str, np.ndarray] = {}
    for mode, frozen in (("total", False), ("frozen_attention", True)):
        times, after = Times(), []

        def ablate(feature: list[int], frozen: bool = frozen) -> torch.Tensor:
            changed, _ = model.feature_intervention(text, [(*feature, 0.0)], freeze_attention=frozen)
            last: torch.Tensor = changed.reshape(-1, changed.shape[-1])[-1].detach()
            return last

        ablate(request["features"][0])
        for feature in request["features"]:
            after.append(times.take(lambda feature=feature: ablate(feature)))  # type: ignore[misc]
        wall, cpu = times.median()
        found[mode] = {"wall": wall, "cpu": cpu}
        logits[mode] = torch.stack(after).numpy()
    np.savez(request["logits"], total=logits["total"], frozen_attention=logits["frozen_attention"])
    print(json.dumps(found))


if __name__ == "__main__":
    main()

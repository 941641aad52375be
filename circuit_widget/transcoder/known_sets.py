"""Known sets of transcoders on the hub by model, and short names of some of them."""

from __future__ import annotations

from collections.abc import Mapping

_GEMMA_3 = {
    f"google/gemma-3-{size}-{tuning}": (
        f"mwhanna/gemma-scope-2-{size}-{tuning}/transcoder_all/width_16k_l0_small_affine",
    )
    for size in ("270m", "1b", "4b", "12b", "27b")
    for tuning in ("pt", "it")
}

KNOWN_SETS: Mapping[str, tuple[str, ...]] = {
    "google/gemma-2-2b": (
        "mntss/gemma-scope-transcoders",
        "mntss/clt-gemma-2-2b-426k",
        "mntss/clt-gemma-2-2b-2.5M",
    ),
    "meta-llama/Llama-3.2-1B": ("mntss/transcoder-Llama-3.2-1B", "mntss/clt-llama-3.2-1b-524k"),
    "meta-llama/Llama-3.1-8B-Instruct": ("facebook/crv-8b-instruct-transcoders",),
    "Qwen/Qwen3-0.6B": ("mwhanna/qwen3-0.6b-transcoders-lowl0",),
    "Qwen/Qwen3-1.7B": ("mwhanna/qwen3-1.7b-transcoders-lowl0",),
    "Qwen/Qwen3-4B": ("mwhanna/qwen3-4b-transcoders",),
    "Qwen/Qwen3-8B": ("mwhanna/qwen3-8b-transcoders",),
    "Qwen/Qwen3-14B": ("mwhanna/qwen3-14b-transcoders-lowl0",),
    "Qwen/Qwen3-0.6B-Base": ("bluelightai/clt-qwen3-0.6b-base-20k",),
    "Qwen/Qwen3-1.7B-Base": ("bluelightai/clt-qwen3-1.7b-base-20k",),
    "Qwen/Qwen3-8B-Base": ("ByteDance-Seed/Cross-Layer-TopK-CLT",),
    "openai/gpt-oss-20b": ("mntss/clt-131k",),
    **_GEMMA_3,
    "google/gemma-3-270m": _GEMMA_3["google/gemma-3-270m-pt"],
}
"""References to sets, by the hub id of their model."""

ALIASES: Mapping[str, str] = {
    "gemma": "mntss/gemma-scope-transcoders",
    "gemma-clt": "mntss/clt-gemma-2-2b-426k",
    "llama": "mntss/transcoder-Llama-3.2-1B",
    "llama-clt": "mntss/clt-llama-3.2-1b-524k",
    "gpt-oss": "mntss/clt-131k",
}
"""Short names of sets."""

UNSTATED_K: Mapping[str, int] = {"facebook/crv-8b-instruct-transcoders": 128}
"""k of TopK sets that do not state it."""


def known_sets(model: str) -> tuple[str, ...]:
    """Return references to the sets known for a model, given its hub id or a directory of the same name.

    A revision after the id is ignored.
    """
    name = model.rstrip("/").lower().partition("@")[0]
    last = name.rsplit("/", 1)[-1]
    by_id = {known.lower(): sets for known, sets in KNOWN_SETS.items()}
    by_name = {known.rsplit("/", 1)[-1]: sets for known, sets in by_id.items()}
    return by_id.get(name) or by_name.get(last, ())

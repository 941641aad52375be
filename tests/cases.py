"""A tiny random model of every architecture with every kind of transcoders, and how closely numbers must agree.

Numbers are compared within 1e-5 of the largest one there, or of 1: with random weights edges can be large.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

from circuit_widget.attribution.targets import Direction
from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_at
from circuit_widget.model.architectures import ARCHITECTURES
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.replacement_model import ReplacementModel
from tests.architectures import CONFIGURATIONS, THOROUGH, model_of, skip_without
from tests.models import PROMPT_IDS, tiny_transcoders
from tests.plain_pass import PlainPass

KINDS: dict[str, dict[str, Any]] = {
    "per-layer": {},
    "cross-layer": {"cross_layer": True, "jump": True, "input_site": "residual_mid", "output_site": "mlp_update"},
    "top-k with skip": {"top_k": 12, "skip": True, "input_site": "mlp_norm", "output_site": "mlp_update"},
}
NEURONS = "neurons"
TOKENS = (7, 11, 190)
TUNED = "gemma3_text-it"
"""Instruction-tuned Gemma-3, whose features count from the fifth position on."""


def kinds_of(architecture: str) -> list[str]:
    """Kinds of features that an architecture can have."""
    sites = ARCHITECTURES[CONFIGURATIONS[architecture.removesuffix("-it")][0]]
    return [*KINDS, *([] if sites.neurons is None else [NEURONS])]


ALL = (*THOROUGH, TUNED)
CASES = [(architecture, kind) for architecture in ALL for kind in kinds_of(architecture)]
"""Architectures of many forms with every kind of features: for what an edge is, and what a change does to the model."""

IN_TURN = [
    (architecture, kinds_of(architecture)[number % len(kinds_of(architecture))])
    for number, architecture in enumerate(ALL)
]
"""The same architectures with one kind, each kind in turn: for what is computed in another way and has to be the same."""

in_turn = pytest.mark.parametrize("case", IN_TURN, indirect=True, ids="-".join)
"""Mark a test whose fixture `case` has the cases in turn in place of all."""

ONE_EACH = {
    "phi3": (NEURONS,),
    "olmo2": ("cross-layer", NEURONS),
    "olmo": ("top-k with skip",),
    "granite": ("cross-layer", NEURONS),
    "cohere": ("top-k with skip", NEURONS),
    "nemotron": ("top-k with skip",),
    "gptj": ("per-layer",),
    "opt": ("per-layer", NEURONS),
    "mixtral": ("per-layer",),
    "gpt_neo": ("per-layer", NEURONS),
    "gpt_bigcode": (NEURONS,),
    "nanochat": ("per-layer", NEURONS),
    "apertus": (NEURONS,),
    "vaultgemma": (NEURONS,),
}
"""For each thing that no architecture of `CASES` has, one that has it, with the kinds of features that it matters to."""

ALL_CASES = [
    *(pytest.param(case, id="-".join(case)) for case in CASES),
    *(
        pytest.param((architecture, kind), marks=skip_without(architecture), id=f"{architecture}-{kind}")
        for architecture, kinds in ONE_EACH.items()
        for kind in kinds
    ),
]


@dataclass(frozen=True)
class Case:
    """A model with a graph, whose targets are whole columns of the unembedding, and with plain passes beside it.

    The columns are multiplied by `scale`, as the model multiplies its logits.
    """

    model: ReplacementModel
    graph: Graph
    plain: PlainPass
    scale: float


@cache
def case_of(architecture: str, kind: str) -> Case:
    language_model = model_of(architecture.removesuffix("-it"))
    if architecture == TUNED:
        language_model.network.config.name_or_path = "google/gemma-3-1b-it"
    config = language_model.network.config
    scale = getattr(config, "logit_scale", 1.0) / getattr(config, "logits_scaling", 1.0)
    rows = scale * language_model.unembedding.weight.detach()
    if kind == NEURONS:
        model = ReplacementModel(language_model, Neurons(language_model))
        targets = [Direction(str(token), rows[token]) for token in TOKENS]
        # A third, so that there are some at every place, and others are left.
        graph = model.trace(PROMPT_IDS, targets=targets, max_features=len(model.activations(PROMPT_IDS)) // 3)
        nodes = {feature_at(graph, node) for node in range(graph.n_features)}
        return Case(model, graph, PlainPass(model, PROMPT_IDS, nodes), scale)
    sites = dict(KINDS[kind])
    if language_model.parallel and sites.get("input_site") == "residual_mid":
        sites["input_site"] = "mlp_input"
    model = ReplacementModel(language_model, tiny_transcoders(**sites))
    graph = model.trace(PROMPT_IDS, targets=[Direction(str(token), rows[token]) for token in TOKENS])
    return Case(model, graph, PlainPass(model, PROMPT_IDS), scale)


def assert_close(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, atol=tolerance * scale, rtol=0)


def spread(count: int, below: int) -> list[int]:
    numbers: list[int] = np.linspace(0, below - 1, count).astype(int).tolist()
    return numbers

"""A graph like that of a small model that answers with a capital, a circuit on it, and effects: numbers by rule, no training."""

import random
from collections.abc import Sequence

import numpy as np
import pandas as pd

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.graph import Graph, PromptToken, Target
from circuit_widget.intervention import Ablate, Effect, Intervention, SwapIn
from circuit_widget.nodes import Feature, feature_id, logit_id, token_id

WORDS = ("<bos>", "the", "capital", "of", "the", "state", "containing", "Dallas", "is")
ANSWERS = ("Austin", "Houston", "Texas")
N_LAYERS = 4
# How many features stand at (layer, position).
CROWD = {(0, 2): 4, (0, 3): 5, (0, 6): 2, (0, 7): 9, (1, 2): 2, (1, 3): 3, (1, 7): 7, (2, 7): 3, (2, 8): 12, (3, 8): 10}

HOSTILE = ("<bos>", "\n", " 東京", " مرحبا", "  ", " 🙂", "<script>alert(1)</script>", "\x00\x1b", "e\u0301\u202e")
HOSTILE_ANSWERS = ('"]]></svg><b onload="x">', "&amp;", "\ufffe")


def dallas(
    words: Sequence[str] = WORDS, answers: Sequence[str] = ANSWERS, labels: dict[str, str] | None = None
) -> Graph:
    """The graph; the words may be any of the same number."""
    rng = random.Random(7)
    places = [(layer, position, 10 * place + 3) for (layer, position), n in sorted(CROWD.items()) for place in range(n)]
    layer, position, index = np.array(places, dtype=np.int32).T
    error_layer, error_position = np.divmod(np.arange(N_LAYERS * len(words), dtype=np.int32), len(words))
    token_position = np.arange(len(words), dtype=np.int32)
    last = len(words) - 1
    targets = [*zip(layer, position, strict=True), *[(N_LAYERS, last)] * len(answers)]
    sources = [
        *zip(layer, position, strict=True),
        *zip(error_layer, error_position, strict=True),
        *[(-1, place) for place in token_position],
    ]
    weights = np.zeros((len(targets), len(sources)), dtype=np.float32)
    for row, (target_layer, target_position) in enumerate(targets):
        for column, (source_layer, source_position) in enumerate(sources):
            near = source_position == target_position or rng.random() < 0.25
            if source_layer < target_layer and source_position <= target_position and near:
                size = rng.expovariate(1.0) ** 2 * (0.05 if len(layer) <= column < len(sources) - len(words) else 1.0)
                weights[row, column] = size if rng.random() < 0.8 else -size
    return Graph.build(
        tokens=[PromptToken(word, number) for number, word in enumerate(words)],
        targets=[
            Target(answer, 100 + number, probability, 12.0 - number)
            for number, (answer, probability) in enumerate(zip(answers, (0.91, 0.05, 0.01), strict=False))
        ],
        position=last,
        n_layers=N_LAYERS,
        feature_layer=layer,
        feature_position=position,
        feature_index=index,
        activation=np.array([1 + rng.random() for _ in layer], dtype=np.float32),
        error_layer=error_layer,
        error_position=error_position,
        token_position=token_position,
        weights=weights,
        labels=labels or {},
        recipe={"model": "small", "transcoders": "small/relu", "versions": {"torch": "2"}, "seconds": 0.1},
    )


def features(layer: int, position: int, *places: int) -> list[str]:
    """Ids of features of one cell."""
    return [feature_id(layer, 10 * place + 3, position) for place in places]


def circuit_of_dallas() -> Circuit:
    """Six supernodes from the tokens to the answer, and pins at both ends."""
    return (
        Circuit()
        .group("capital", features(0, 2, 0, 1, 2))
        .group("Dallas", features(0, 7, 0, 1, 2))
        .group("of → name", features(1, 3, 0, 1))
        .group("Texas", features(1, 7, 0, 1, 2))
        .group("say Texas", features(2, 8, 0, 1))
        .group("say Austin", features(3, 8, 0))
        .pin([token_id(2, 2), token_id(7, 7), logit_id(N_LAYERS, 100, 8)])
    )


def effect_on(
    graph: Graph,
    factors: dict[str, float],
    interventions: Sequence[Intervention] | None = None,
    injected: Sequence[tuple[Feature, float]] = (),
) -> Effect:
    """An effect that multiplies the named features, predicted a tenth too high, and moves the answer."""
    ids = graph.node_ids[: graph.n_features]
    before = graph.activation.astype(float)
    factor = np.array([factors.get(node, 1.0) for node in ids])
    probabilities = [target.probability for target in graph.targets]
    return Effect(
        graph=graph,
        interventions=tuple(interventions or [Ablate([node for node in factors if factors[node] == 0])]),
        mode="total",
        frozen="nothing frozen",
        nodes=pd.DataFrame(
            {"id": ids, "before": before, "after": before * factor, "predicted": before * (factor + 0.1)}
        ),
        tokens=pd.DataFrame(
            {
                "token": [target.token for target in graph.targets],
                "token_id": [target.token_id for target in graph.targets],
                "before": probabilities,
                "after": [0.04, *[0.3] * (len(probabilities) - 1)],
                "predicted": [0.25, *[0.1] * (len(probabilities) - 1)],
                "logit_before": [target.logit for target in graph.targets],
                "logit_after": [target.logit - 3 for target in graph.targets],
                "logit_predicted": [target.logit - 2 for target in graph.targets],
            }
        ),
        logits_before=np.zeros(2, dtype=np.float32),
        logits_after=np.zeros(2, dtype=np.float32),
        logits_predicted=np.zeros(2, dtype=np.float32),
        injected=tuple(injected),
        labels={feature.id: "California" for feature, _ in injected},
        seconds=0.038,
        device="cpu",
        dtype="float32",
    )


def texas_ablated(graph: Graph) -> Effect:
    """Texas at zero, what follows it weaker, one group stronger."""
    circuit = circuit_of_dallas()
    factors = dict.fromkeys(circuit.supernode("Texas").nodes, 0.0)
    factors |= dict.fromkeys(circuit.supernode("say Texas").nodes, 0.42)
    factors |= dict.fromkeys(circuit.supernode("say Austin").nodes, 0.18)
    factors |= dict.fromkeys(circuit.supernode("of → name").nodes, 1.15)
    return effect_on(graph, factors, [Ablate(circuit.supernode("Texas").nodes)])


def california_swapped_in(graph: Graph) -> Effect:
    """California in the place of Texas."""
    nodes = circuit_of_dallas().supernode("Texas").nodes
    swap = SwapIn(nodes, "the capital of the state containing Oakland is")
    injected = [(Feature(1, 7, 500), 1.0), (Feature(1, 7, 501), 2.0)]
    return effect_on(graph, dict.fromkeys(nodes, 0.0), [swap], injected)

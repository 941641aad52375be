"""Labels of what nodes do on one prompt: the tokens whose probabilities change most when the node is ablated."""

from __future__ import annotations

import numpy as np
import torch

from circuit_widget.arguments import whole_number
from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.intervening import Intervenable
from circuit_widget.intervention.kinds import Ablate
from circuit_widget.intervention.studies.running import part_of
from circuit_widget.labels.label import LOCAL_LABEL
from circuit_widget.labels.vocabulary import Vocabulary
from circuit_widget.progress import IsCancelled, ProgressChoice, reporting

LEAST_CHANGE = 0.01
"""Least change of a token's probability that a label names."""

AT_ONCE = 32
"""How many ablations run together: each has an effect with all logits."""


def local_labels(
    model: Intervenable,
    graph: Graph,
    n: int = 100,
    *,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> dict[str, str]:
    """Label what features of a graph do on its prompt, each measured by ablating it; return texts by node id.

    Of the `n` most influential features, those that have no label are ablated one by one, with nothing frozen. The label
    names the token whose probability changes most, and the one that changes most the other way, if by at least 0.01:
    "here: +Paris −the" makes " Paris" likelier on this prompt and " the" less likely. A feature that changes no token's
    probability by so much gets no label. The labels are of this prompt alone: give them to the graph with
    `graph.with_labels(...)`; they are not kept with the features.

    Raises:
        InterventionError: it is no graph of this model, or `n` is not a whole number from 1 up.
        OutOfMemory: the memory of a device, or of the machine, is full.
        Cancelled: `cancelled()` became true.
    """
    graph = require_graph(graph, InterventionError)
    n = whole_number(n, "n, the number of features,", InterventionError, least=1)
    strongest = np.argsort(-graph.influence[: graph.n_features], kind="stable")[:n].tolist()
    nodes = [node for node in (graph.node_ids[index] for index in strongest) if node not in graph.labels]
    vocabulary = Vocabulary(model.model.tokenizer)
    found: dict[str, str] = {}
    with reporting(progress) as report:
        for start in range(0, len(nodes), AT_ONCE):
            some = nodes[start : start + AT_ONCE]
            effects = model.intervene_many(
                graph,
                [Ablate(node) for node in some],
                progress=part_of(report, start / len(nodes), (start + len(some)) / len(nodes)),
                cancelled=cancelled,
            )
            words = {node: changed_words(effect, vocabulary) for node, effect in zip(some, effects, strict=True)}
            found |= {node: f"{LOCAL_LABEL}{' '.join(of_node)}" for node, of_node in words.items() if of_node}
    return found


def changed_words(effect: Effect, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return what was ablated raises and lowers, at most one word of each, the one that changed more first: ("+Paris", "−the").

    It raises what its ablation lowers. Words whose probabilities change by less than 0.01 are left out.
    """
    token_ids = torch.tensor(effect.tokens["token_id"].tolist(), dtype=torch.long, device="cpu")
    lost = (effect.tokens["before"] - effect.tokens["after"]).to_numpy()
    known = np.flatnonzero(vocabulary.nameable(token_ids).numpy())
    if not len(known):
        return ()
    raised, lowered = known[lost[known].argmax()], known[lost[known].argmin()]
    signs = [("+", raised, lost[raised]), ("−", lowered, -lost[lowered])]
    strong = sorted((one for one in signs if one[2] >= LEAST_CHANGE), key=lambda one: -one[2])
    return tuple(f"{sign}{_quoted(vocabulary.text(int(token_ids[place])))}" for sign, place, _ in strong)


def _quoted(word: str) -> str:
    return word if word[0].isalnum() else f"“{word}”"

"""Measure proposed circuits beside groups made by hand, on the embedded model, and what they are on SmolLM2.

`python -m bench.proposals` prints both. `--choose` takes the prompts that models are chosen by, for development.

*The state*: the hand-made group is that of `demo.groups`, at the city (`city`) or there and at the last token (`both`). A
proposed group is the state if ablating it changes all logits in the same direction (cosine of at least 0.8), and the
answer's by half to twice as much. *Opposites*: the operation's features are active at "opposite" or the last token in at
least 60% of the trained opposites and in at most 10% of translations; the operand's at the word, in at least 60% of the
trained sentences about it and in at most 10% of the others. They are apart if the groups with most of each are different,
each has at least half of its own influence, and at most a fifth of the other's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from circuit_widget import Ablate, Graph, SwapIn, load
from circuit_widget.demo.corpus import Kind, Sentence, Split, select
from circuit_widget.demo.groups import ON, ON_ELSEWHERE, state_features
from circuit_widget.nodes import feature_id
from circuit_widget.proposal import Proposal
from circuit_widget.replacement_model import ReplacementModel

SAME, SIZES = 0.8, (0.5, 2.0)
MOVES = 1.0
OWN, OTHER = 0.5, 0.2
TIMES = 50
OPERATION = 3
"""How far "opposite" is before the last token in "the opposite of hot is"."""

CHOOSING_PROMPTS = (
    ("The capital of France is", "The capital of Spain is"), ("The opposite of small is", "The opposite of hot is"),
    ("The largest planet in the solar system is", "The smallest planet in the solar system is"),
    ("Monday, Tuesday,", "January, February,"), ("The Eiffel Tower is in", "The White House is in"),
    ("One mouse, two", "One dog, two"),
    ("The cat sat on the mat. The cat sat on the", "The cat sat on the bed. The cat sat on the"),
)  # fmt: skip
"""Prompts of SmolLM2 that settings were chosen by, each with one of another answer."""

REPORT_PROMPTS = (
    ("The capital of Japan is", "The capital of Italy is"), ("The capital of Texas is", "The capital of Ohio is"),
    ("The opposite of hot is", "The opposite of big is"), ("The opposite of up is", "The opposite of left is"),
    ("One dog, two dogs. One child, two", "One dog, two dogs. One house, two"),
    ("The plural of mouse is", "The plural of child is"),
    ("apple chair river apple chair", "apple chair river chair apple"),
    ("Anna met Tom. Anna smiled at", "Anna met Max. Anna smiled at"),
    ("The sun rises in the", "The sun sets in the"), ("The color of the sky is", "The color of the grass is"),
    ("The author of Hamlet is William", "The author of Emma is Jane"),
    ("The first month of the year is", "The last month of the year is"),
    ("2 + 2 =", "3 + 4 ="),
    ([{"role": "user", "content": "What is the capital of Italy?"}], [{"role": "user", "content": "What is the capital of Spain?"}]),
)  # fmt: skip
"""Prompts of SmolLM2 that nothing was chosen by."""

CONTROLS = 20

Place = tuple[int, str, int]
"""The layer, the role of the position, and the number of a feature."""


def states(model: ReplacementModel, split: Split) -> None:
    """Print in how many prompts a proposed group is the state."""
    sentences = [one for one in select(Kind.TWO_HOP_STATE, split, 0) if one.relation == "capital"][:TIMES]
    seconds, rows = [], []
    for sentence in sentences:
        graph = model.trace(sentence.prompt, progress=False)
        started = time.perf_counter()
        proposed = graph.propose_circuit(progress=False)
        seconds.append(time.perf_counter() - started)
        hand = [one for one in state_features(graph, sentence.topic) if graph.find(one) is not None]
        city = [one for one in hand if one.position != graph.position]
        found = [is_state(model, graph, features, proposed.groups) for features in (city or hand, hand)]
        shares = [
            sum(float(graph.influence[graph.index(one)]) for one in hand if one.id in each.nodes)
            for each in proposed.groups
        ]
        most = proposed.groups[int(np.argmax(shares))]
        rows.append(
            (
                *(same for same, _ in found),
                abs(found[0][1]) >= MOVES,
                half_to_twice(model, graph, hand, most),
                proposed.influence_share,
            )
        )
        if not found[0][0]:
            print(
                f"  not the state: {sentence.prompt}: the hand-made group changes the answer's logit by {found[0][1]:+.1f}"
            )
    columns = np.array(rows, dtype=float).mean(axis=0)
    print(
        f"{len(rows)} two-hop prompts: a group is the state at the city in {columns[0]:.0%}, at both tokens in {columns[1]:.0%};"
    )
    moving = [row for row in rows if row[2]]
    own = statistics.fmean(row[0] for row in moving)
    print(
        f"  where the hand-made group at the city moves the answer's logit by at least {MOVES:g} ({len(moving)}): {own:.0%};"
    )
    print(f"  the one with most of its features moves the answer half to twice as much in {columns[3]:.0%};")
    print(
        f"  the 8 groups have {columns[4]:.0%} of the influence; {statistics.median(seconds):.2f} s, at most {max(seconds):.2f} s"
    )


def is_state(
    model: ReplacementModel, graph: Graph, hand: Sequence[object], groups: Iterable[Proposal]
) -> tuple[bool, float]:
    """Return whether a group changes what the hand-made one changes, and the latter's change of the answer's logit."""
    changes = logit_changes(model, graph, [hand, *(one.nodes for one in groups)])
    answer = graph.targets[0].token_id
    own = changes[0]
    length = np.maximum(np.linalg.norm(changes, axis=1) * np.linalg.norm(own), 1e-30)
    cosine, size = changes @ own / length, changes[:, answer] / own[answer]
    same = (cosine >= SAME) & (size >= SIZES[0]) & (size <= SIZES[1])
    return bool(same[1:].any()), float(own[answer])


def half_to_twice(model: ReplacementModel, graph: Graph, hand: Sequence[object], group: Proposal) -> bool:
    """Return whether a group changes the answer's logit by half to twice as much as the hand-made one."""
    own, other = logit_changes(model, graph, [hand, group.nodes])[:, graph.targets[0].token_id]
    return bool(SIZES[0] <= other / own <= SIZES[1])


def logit_changes(model: ReplacementModel, graph: Graph, groups: Iterable[Sequence[object]]) -> np.ndarray:
    """Return how all logits change when each group is ablated."""
    effects = model.intervene_many(graph, [Ablate(list(group)) for group in groups], progress=False)  # type: ignore[arg-type]
    return np.array([np.asarray(one.logits_after) - np.asarray(one.logits_before) for one in effects])


def opposites(model: ReplacementModel, split: Split) -> None:
    """Print in how many prompts the operation and the operand are in groups of their own."""
    operation, operands = operation_features(model), operand_features(model)
    sentences = [one for one in select(Kind.OPPOSITE, (split, Split.TRAIN), 0) if one.relation == "English"]
    sentences = sorted(sentences, key=lambda one: one.split is Split.TRAIN)[:TIMES]
    seconds, apart = [], []
    for sentence in sentences:
        graph = model.trace(sentence.prompt, progress=False)
        started = time.perf_counter()
        groups = graph.propose_circuit(progress=False).groups
        seconds.append(time.perf_counter() - started)
        roles = {"operation": graph.position - OPERATION, "operand": graph.position - 1, "last": graph.position}
        shares = [
            in_groups(graph, groups, places, roles) for places in (operation, operands.get(sentence.topic, set()))
        ]
        first, second = (int(np.argmax(one)) for one in shares)
        own = min(shares[0][first], shares[1][second])
        apart.append(first != second and own >= OWN and max(shares[0][second], shares[1][first]) <= OTHER)
    held_out = sum(one.split is not Split.TRAIN for one in sentences)
    print(
        f"{len(apart)} opposites ({held_out} held out): apart in {np.mean(apart):.0%}; {statistics.median(seconds):.2f} s"
    )


def in_groups(
    graph: Graph, groups: Iterable[Proposal], places: Iterable[Place], roles: Mapping[str, int]
) -> list[float]:
    """Return which share of the influence of some features each group has."""
    nodes = [feature_id(layer, number, roles[role]) for layer, role, number in places]
    influence = {node: float(graph.influence[graph.index(node)]) for node in nodes if graph.find(node) is not None}
    total = max(sum(influence.values()), 1e-30)
    return [sum(influence.get(node, 0.0) for node in one.nodes) / total for one in groups]


def operation_features(model: ReplacementModel) -> set[Place]:
    """Return the features of the operation: see the module."""
    trained = [one for one in select(Kind.OPPOSITE, Split.TRAIN, 0) if one.relation == "English"]
    others = [one for one in select(Kind.TRANSLATION, Split.TRAIN, 0) if one.relation.startswith("English")]
    counts: Counter[Place] = Counter()
    for sentence in trained:
        found = model.activations(sentence.prompt)
        last = max(one.position for one in found)
        roles = {last - OPERATION: "operation", last: "last"}
        counts.update((one.layer, roles[one.position], one.feature) for one in found if one.position in roles)
    elsewhere: Counter[tuple[int, int]] = Counter()
    for sentence in others:
        found = model.activations(sentence.prompt)
        last = max(one.position for one in found)
        elsewhere.update({(one.layer, one.feature) for one in found if one.position != last - 1})
    return {
        place
        for place, count in counts.items()
        if count >= ON * len(trained) and elsewhere[place[0], place[2]] <= ON_ELSEWHERE * len(others)
    }


def operand_features(model: ReplacementModel) -> dict[str, set[Place]]:
    """Return the features of each operand, by its concept: see the module."""
    kinds = (Kind.OPPOSITE, Kind.TRANSLATION, Kind.TRANSLATED_OPPOSITE)
    counts: dict[str, Counter[Place]] = {}
    number: Counter[str] = Counter()
    for sentence in (one for one in select(kinds, Split.TRAIN) if one.relation.startswith("English")):
        number[sentence.topic] += 1
        counts.setdefault(sentence.topic, Counter()).update(at_subject(model, sentence))
    everywhere: Counter[Place] = Counter()
    for of_one in counts.values():
        everywhere.update(of_one)
    total = sum(number.values())
    return {
        topic: {
            place
            for place, count in of_one.items()
            if count >= ON * number[topic] and everywhere[place] - count <= ON_ELSEWHERE * (total - number[topic])
        }
        for topic, of_one in counts.items()
    }


def at_subject(model: ReplacementModel, sentence: Sentence) -> set[Place]:
    """Return the features that are active at the word that a sentence is about."""
    texts = [token.text.strip() for token in model.tokenize(sentence.prompt)]
    if sentence.subject not in texts:
        return set()
    position = len(texts) - 1 - texts[::-1].index(sentence.subject)
    return {
        (one.layer, "operand", one.feature) for one in model.activations(sentence.prompt) if one.position == position
    }


def real_model(prompts: Sequence[tuple[Any, Any]]) -> None:
    """Print what is proposed on SmolLM2, of its neurons, and what is left of the answer: see `left`."""
    from tests.real.smollm2 import model_directory

    model = load(model_directory(), "neurons", device="cpu", dtype="float32")
    rows = []
    for prompt, other in prompts:
        graph = model.trace(prompt, max_features=2_000, progress=False)
        started = time.perf_counter()
        proposed = graph.propose_circuit(progress=False)
        seconds = time.perf_counter() - started
        row = (
            len(proposed.groups),
            sum(len(one.nodes) for one in proposed.groups),
            proposed.influence_share,
            *left(model, graph, proposed.groups, other),
            seconds,
        )
        rows.append(row)
        print(f"\n{prompt} {graph.targets[0].token!r} {graph.targets[0].probability:.2f}\n{proposed}")
        print(" | ".join(f"{value:.3g}" for value in row), flush=True)
    print("\nmedians: " + " | ".join(f"{value:.3g}" for value in np.median(np.array(rows, dtype=float), axis=0)))


def left(model: ReplacementModel, graph: Graph, groups: Iterable[Proposal], other: Any) -> tuple[float, ...]:
    """Return shares of the answer's probability that are left, and which share of groups change it more than all controls.

    Without the circuit; without random neurons of the same layers, positions and sizes, the median and the least; with all
    other neurons of the graph ablated; with them as in another prompt; with all of them as in that prompt.
    """
    groups, answer = list(groups), graph.targets[0].token_id
    circuit = [node for one in groups for node in one.nodes]
    rest = sorted(set(graph.node_ids[: graph.n_features]) - set(circuit))
    everything = list(graph.node_ids[: graph.n_features])
    together = model.controls(graph, Ablate(circuit), n=CONTROLS, progress=False)
    before, without = together.effect.probability(answer)
    random = together.values(answer) / before
    tokens = [token.token_id for token in model.tokenize(other)]
    swapped = [SwapIn(nodes, tokens) for nodes in (rest, everything)]
    kept = [
        one.probability(answer)[1] / before
        for one in model.intervene_many(graph, [Ablate(rest), *swapped], progress=False)
    ]
    more = []
    for group in groups:
        alone = model.controls(graph, Ablate(list(group.nodes)), n=CONTROLS, progress=False)
        changes = np.abs(np.log(alone.values(answer) / before))
        more.append(bool((changes < abs(np.log(alone.effect.probability(answer)[1] / before))).all()))
    return without / before, float(np.median(random)), float(random.min()), *kept, statistics.fmean(more)


def main() -> None:
    """Run the measurements that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--choose", action="store_true", help="take the prompts that models are chosen by")
    parser.add_argument("--only", choices=("demo", "real"), help="one of the two models")
    chosen = parser.parse_args()
    if chosen.only != "real":
        model, split = load("demo"), Split.CHOOSE if chosen.choose else Split.REPORT
        states(model, split)
        opposites(model, split)
    if chosen.only != "demo":
        real_model(CHOOSING_PROMPTS if chosen.choose else REPORT_PROMPTS)


if __name__ == "__main__":
    main()

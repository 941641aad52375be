"""Steering a couplet: features found on training couplets carry the rhyme of held-out ones, and as strong others do not."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

import circuit_widget as cw
from circuit_widget.demo import facts
from circuit_widget.demo.corpus import Kind, Sentence, Split, select
from circuit_widget.replacement_model import ReplacementModel

ON, ON_ELSEWHERE = 0.6, 0.1
"""A feature belongs to a rhyme when it is active at the last token, before the rhyming word, of at least 60% of the training
couplets of that rhyme, and of at most 10% of all others."""

DRAWS, NEAREST = 5, 3
"""Controls for each couplet, each feature of which is one of so many in the same place whose activation comes nearest."""


@cache
def model() -> ReplacementModel:
    return cw.load("demo", device="cpu")


def couplets(*splits: Split) -> list[Sentence]:
    return list({sentence.prompt: sentence for sentence in select(Kind.COUPLET, splits)}.values())


def at_the_end(sentence: Sentence) -> Mapping[cw.Feature, float]:
    """The features active at the last token of the prompt."""
    found = model().activations(sentence.prompt)
    last = max(feature.position for feature in found)
    return {feature: value for feature, value in found.items() if feature.position == last}


@cache
def groups() -> Mapping[str, frozenset[tuple[int, int]]]:
    """Layer and number of the features of each rhyme; no outcome is looked at."""
    on: dict[str, Counter[tuple[int, int]]] = {sound: Counter() for sound in facts.rhymes()}
    n_couplets: Counter[str] = Counter()
    for sentence in couplets(Split.TRAIN):
        n_couplets[sentence.topic] += 1
        on[sentence.topic].update((feature.layer, feature.feature) for feature in at_the_end(sentence))
    everywhere = sum(on.values(), Counter[tuple[int, int]]())
    return {
        sound: frozenset(
            place
            for place, count in counts.items()
            if count >= ON * n_couplets[sound]
            and everywhere[place] - count <= ON_ELSEWHERE * (n_couplets.total() - n_couplets[sound])
        )
        for sound, counts in on.items()
    }


def alike(group: Sequence[cw.Feature], found: Mapping[cw.Feature, float], rng: random.Random) -> list[cw.Feature]:
    """As many other features of the same layers and position, about as strong; fewer where there are not as many."""
    chosen: list[cw.Feature] = []
    for feature in group:
        free = [other for other in found if other.layer == feature.layer and other not in (*group, *chosen)]
        free.sort(key=lambda other: abs(found[other] - found[feature]))
        chosen += rng.sample(free[:NEAREST], min(1, len(free)))
    return chosen


def words(sentence: Sentence, features: Sequence[cw.Feature]) -> tuple[str, str]:
    """The word that ends the couplet as the model is, and without some features."""
    generated = model().generate(sentence.prompt, interventions=cw.Ablate(features), max_new_tokens=1)
    return generated.unsteered.sampled[0].text, generated.steered.sampled[0].text


def rhymes(sentence: Sentence, word: str) -> bool:
    return word != sentence.subject and word in facts.rhymes()[sentence.topic]


def test_ablating_a_rhyme_changes_the_line_and_ablating_others_does_not_take_the_rhyme_away() -> None:
    rng = random.Random(7)
    changed, lost, n_couplets = Counter[str](), Counter[str](), Counter[str]()
    for sentence in couplets(Split.REPORT, Split.CHOOSE):
        found = at_the_end(sentence)
        group = [feature for feature in found if (feature.layer, feature.feature) in groups()[sentence.topic]]
        controls = [alike(group, found, rng) for _ in range(DRAWS)]
        if not group or len(controls[0]) < len(group):
            continue
        for name, features in [("rhyme", group), *(("others", control) for control in controls)]:
            before, after = words(sentence, features)
            if rhymes(sentence, before):
                n_couplets[name] += 1
                changed[name] += after != before
                lost[name] += not rhymes(sentence, after)
    assert n_couplets["rhyme"] >= 40
    assert changed["rhyme"] >= 0.5 * n_couplets["rhyme"]
    assert changed["others"] <= 0.3 * n_couplets["others"]
    assert lost["rhyme"] >= 0.25 * n_couplets["rhyme"]
    assert lost["others"] <= 0.05 * n_couplets["others"]


def test_a_rhyme_ablated_on_new_tokens_changes_the_line_that_follows() -> None:
    n_couplets, lost, same_before = 0, 0, 0
    for sentence in couplets(Split.REPORT, Split.CHOOSE):
        begun = sentence.prompt[: sentence.prompt.index(",") + 1]
        rest = sentence.prompt.removeprefix(begun).split()
        group = [cw.Everywhere(*place) for place in sorted(groups()[sentence.topic])]
        generated = model().generate(
            begun, interventions=cw.Ablate(group), new_tokens=True, max_new_tokens=len(rest) + 1
        )
        line, steered = ([token.text for token in one.sampled] for one in (generated.unsteered, generated.steered))
        if line[:-1] != rest or not rhymes(sentence, line[-1]):
            continue
        n_couplets += 1
        same_before += steered[:-1] == rest
        lost += not rhymes(sentence, steered[-1])
    assert n_couplets >= 40
    assert same_before >= 0.9 * n_couplets
    assert lost >= 0.25 * n_couplets

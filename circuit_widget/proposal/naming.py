"""Names of proposed groups, in words: of labels, of what a group promotes, of the token it reads; and reasons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from circuit_widget.arguments import first_line, one_line
from circuit_widget.circuit.rules import LONGEST_NAME, checked_name
from circuit_widget.errors import CircuitError, CircuitWidgetError
from circuit_widget.graph import Graph
from circuit_widget.nodes import NodeKind
from circuit_widget.proposal.ablations import GroupEffect
from circuit_widget.proposal.profiles import Profiles

Namer: TypeAlias = Callable[[Any], str]
"""Is given the cards of a group's strongest features, a tuple of FeatureCard, and returns a name."""

LONGEST_WORDS = 64
"""Most characters of a name before what tells it from another."""

LONGEST_WORD = 24
"""Most characters of a word in names and reasons."""

LEAST_LABELLED = 0.25
"""Share of a group's influence that the features with one label have at least if it names the group."""

MOSTLY_DIRECT, PARTLY_DIRECT = 0.5, 0.25
"""Shares of a group's influence that pass to logits directly, from which it is named by what it promotes."""

MOSTLY = 0.5
"""Share from which features read "mostly" from a token; below it, "most" from the one that they read more than any other."""

MOST_CARDS = 12
"""How many cards a namer is given at most: those of the most influential features."""


def name_by_rule(graph: Graph, profiles: Profiles, members: Sequence[int], promoted: str | None) -> str:
    """Return a name for features, given by their indices, the most influential first.

    - A group whose influence passes to logits directly, more than half of it, is "say" and the word it promotes.
    - Otherwise the label with the most influence in the group is its name, if it has a quarter of the group's.
    - Otherwise, from a quarter of its influence passing to logits directly, it is again "say" and the word.
    - Otherwise it is "from" and the token it mostly reads: what it promotes directly has then no part in the answer.

    Without a model, and of neurons, which seldom promote words, the word is the target that the group raises most.
    """
    target, direct = _raised_target(graph, members), _share_to_logits(graph, members)
    word = target or promoted if graph.basis == "neurons" else promoted or target
    label = _label(graph, members)
    if word is not None and (direct > MOSTLY_DIRECT or (label is None and direct > PARTLY_DIRECT)):
        return f"say {word}"
    return label or f"from “{origin_of(graph, profiles, members)[0]}”"


def name_by_effect(graph: Graph, members: Sequence[int], words: Sequence[str]) -> str:
    """Return a name for features at one token: the word that they raise or lower most, the token, and their layers.

    It is short, so that a box has room for all of it.
    """
    layers = graph.feature_layer[list(members)]
    low, high = int(layers.min()), int(layers.max())
    band = f"L{low}" if low == high else f"L{low}–{high}"
    return f"{one_line(words[0], LONGEST_WORD)} at {place_of(graph, members)} {band}"


def name_by(namer: Namer, cards: Sequence[Any], members: Sequence[str]) -> str:
    """Return what a namer calls a group.

    Raises:
        CircuitWidgetError: it failed, or returned no name; names the group's first nodes.
    """
    group = f"the group of {', '.join(members[:3])}{' and others' if len(members) > 3 else ''}"
    try:
        name = namer(tuple(cards))
    except CircuitWidgetError:
        raise
    except Exception as error:
        raise CircuitWidgetError(f"The namer failed at {group}: {type(error).__name__}: {first_line(error)}") from error
    try:
        return checked_name(name)
    except CircuitError as error:
        raise CircuitWidgetError(f"The namer returned no name for {group}. {error}") from error


def all_different(
    graph: Graph, names: Sequence[str], groups: Sequence[Sequence[int]], taken: Sequence[str] = ()
) -> list[str]:
    """Return names of which no two are the same, and none is taken.

    A later one of the same name gets its token, then its layers, then a number besides.
    """
    found: list[str] = []
    for name, members in zip(names, groups, strict=True):
        short = one_line(name, LONGEST_WORDS)
        at, layers = f" at {place_of(graph, members)}", _layers(graph, members)
        place = short if at in short else short + at
        numbered = (f"{place}, {layers}, {number}" for number in range(2, len(names) + len(taken) + 2))
        tries = (one_line(name, LONGEST_NAME), place, f"{place}, {layers}", *numbered)
        found.append(next(one for one in (each.strip() for each in tries) if one not in found and one not in taken))
    return found


def reason_for(
    graph: Graph, profiles: Profiles, members: Sequence[int], share: float, inputs: float, outputs: float
) -> str:
    """Return in a sentence why features may belong together: `inputs` and `outputs` are mean cosines."""
    one = graph.basis[:-1]
    many = f"{len(members):,} {graph.basis}"
    if len(members) == 1:
        start, verbs = (
            f"1 {one} with {share:.0%} of the influence of all {graph.basis}, like no other: it",
            ("reads", "raises", "lowers"),
        )
    else:
        start, verbs = (
            (
                f"{many} with {share:.0%} of the influence of all {graph.basis}, alike in what they read ({inputs:.2f}) and in what "
                f"they change ({outputs:.2f}): they"
            ),
            ("read", "raise", "lower"),
        )
    effect = float(profiles.effects[list(members), 0].sum())
    target = one_line(graph.targets[0].token.strip() or graph.targets[0].token, LONGEST_WORD)
    token, part, is_error = origin_of(graph, profiles, members)
    where = f"{'an error at ' if is_error else ''}“{token}” ({part:.0%})" if part else "nothing in this graph"
    how = "" if not part else " mostly" if part >= MOSTLY else " most"
    what = f" and {verbs[1 if effect > 0 else 2]} “{target}”" if effect else ""
    return f"{start} {verbs[0]}{how} from {where}{what}."


def measured_reason(
    graph: Graph, members: Sequence[int], share: float, effect: GroupEffect, sides: tuple[int, int]
) -> str:
    """Return in a sentence or two what neurons at one token do to the first target when they are ablated.

    `sides` are how many of them raise it and how many lower it when they are ablated one by one.
    """
    target = one_line(graph.targets[0].token.strip() or graph.targets[0].token, LONGEST_WORD)
    one, raises = len(members) == 1, effect.answer < 0
    many = "1 neuron" if one else f"{len(members):,} neurons"
    where = (
        f"at “{place_of(graph, members)}”, {_layers(graph, members)}, with {share:.0%} of the influence of all neurons"
    )
    verb = ("raises" if raises else "lowers") if one else ("raise" if raises else "lower")
    if effect.probability is None:
        change = f"which changes by {effect.answer:+.2f}".replace("-", "−")
    else:
        before, after = (f"{value:.2g}" if value >= 0.001 else "less than 0.001" for value in effect.probability)
        change = f"whose probability goes from {before} to {after}"
    if one:
        return f"{many} {where}: it {verb} “{target}”, {change} when it is ablated."
    each = " and ".join(
        f"{count or 'none'} {word}{'s' if count < 2 else ''}"
        for count, word in zip(sides, ("raise", "lower"), strict=True)
    )
    return (
        f"{many} {where}: together they {verb} “{target}”, {change} when they are ablated. "
        f"One by one, {each} it noticeably.{_other_way(graph, members, raises)}"
    )


def _other_way(graph: Graph, members: Sequence[int], raises: bool) -> str:
    """Return a sentence where the direct edge of neurons has another sign than what ablating them shows; else nothing."""
    direct = float(graph.weights[graph.n_features, list(members)].sum())
    if direct == 0 or (direct > 0) == raises:
        return ""
    sign = "excites" if direct > 0 else "inhibits"
    return f" Their direct edge {sign} it: this is their whole effect, most of it through later neurons."


def place_of(graph: Graph, members: Sequence[int]) -> str:
    """Return the token at which most of the influence of features is, as names have it."""
    by_position: dict[int, float] = defaultdict(float)
    for member in members:
        by_position[int(graph.feature_position[member])] += float(graph.influence[member])
    return _token(graph, max(by_position, key=lambda position: (by_position[position], -position)))


def _token(graph: Graph, position: int) -> str:
    return one_line(graph.tokens[position].text.strip(), 16) or f"position {position}"


def origin_of(graph: Graph, profiles: Profiles, members: Sequence[int]) -> tuple[str, float, bool]:
    """Return the token at which most of what features read enters the graph, its share, and whether it is an error there.

    "nothing" where they read nothing in this graph.
    """
    read = np.abs(profiles.shares[list(members)]).sum(axis=0)
    if not read.any():
        return "nothing", 0.0, False
    best = int(np.argmax(read))
    node = graph.n_features + best
    place = _token(graph, int(graph.node_position[node]))
    return place, float(read[best] / read.sum()), graph.node_kinds[node] is NodeKind.ERROR


def _share_to_logits(graph: Graph, members: Sequence[int]) -> float:
    """Return which share of the influence of features passes to logits directly."""
    n = graph.n_features
    direct = (
        np.abs(graph.weights[n:, list(members)]) / np.maximum(graph.input_total[graph.row_nodes[n:]], 1e-30)[:, None]
    )
    passed = float((graph.target_weight[:, None] * direct).sum())
    total = float(graph.influence[list(members)].sum())
    return passed / total if total else 0.0


def _raised_target(graph: Graph, members: Sequence[int]) -> str | None:
    """Return the target whose logit features raise most along their direct edges, None where they raise none."""
    raised = graph.weights[graph.n_features :, list(members)].sum(axis=1)
    best = int(np.argmax(raised))
    return one_line(graph.targets[best].token.strip(), LONGEST_WORD) or None if raised[best] > 0 else None


def _label(graph: Graph, members: Sequence[int]) -> str | None:
    influence: dict[str, float] = defaultdict(float)
    for member in members:
        label = one_line(graph.labels.get(graph.node_ids[member], "").strip(), LONGEST_WORDS)
        if label:
            influence[label] += float(graph.influence[member])
    if not influence:
        return None
    best = max(influence, key=lambda label: (influence[label], label))
    return best if influence[best] >= LEAST_LABELLED * float(graph.influence[list(members)].sum()) else None


def _layers(graph: Graph, members: Sequence[int]) -> str:
    layers = graph.feature_layer[list(members)]
    low, high = int(layers.min()), int(layers.max())
    return f"layer {low}" if low == high else f"layers {low} to {high}"

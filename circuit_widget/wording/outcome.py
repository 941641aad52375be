"""What an effect did to each box of a circuit, by the rules of the screen (js/src/circuit/outcome.ts)."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from circuit_widget.circuit.circuit import Box, Circuit
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.injected_edges import least_of_new_answers
from circuit_widget.intervention.kinds import Ablate, Intervention, Scale, SwapIn
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.nodes import Everywhere, NodeKind
from circuit_widget.wording.names import node_name, token_text
from circuit_widget.wording.numbers import LIKELY, VISIBLE_CHANGE, VISIBLE_SHARE, mark, percent, phrase, probability
from circuit_widget.wording.text import apart, printable

MOST_NEW_ANSWERS = 2

SWAPPED_IN = "swapped in"
"""How features came to be active that are another prompt's."""

MADE_ACTIVE = "made active"
"""How features came to be active that were not, where a value was set or added."""

FADED_BELOW = 0.3
"""Share of activation, or of probability, below which a box is faded."""

Tone: TypeAlias = Literal["below", "same", "above"]


@dataclass(frozen=True)
class Outcome:
    """What is displayed beside a box: a text at its right, the mark of an intervention on it at its left."""

    text: str = ""
    tone: Tone = "same"
    faded: bool = False
    mark: str | None = None


@dataclass(frozen=True)
class Injected:
    """The features that an effect injected, drawn as one box beside the box of index `beside`, if there is one.

    `how` says in words how they came: swapped in from another prompt, or made active by a value that was set or added.
    """

    name: str
    how: str
    features: int
    beside: int | None


@dataclass(frozen=True)
class NewAnswer:
    """A next token that an intervention made likely and that has no box in the circuit: its text, the result beside it."""

    name: str
    text: str
    token_id: int


@dataclass(frozen=True)
class BoxActivation:
    """Summed activation of a box after an intervention, measured and predicted, as shares of before.

    `clamped` is whether the intervention set it itself. `band` is the range over random controls, None where none ran.
    """

    name: str
    color: int | None
    measured: float
    predicted: float
    clamped: bool
    band: tuple[float, float] | None = None


def changed_nodes(intervention: Intervention) -> tuple[str, ...]:
    """Return the ids of the nodes that an intervention of an effect changes.

    Effects name features at positions, never everywhere.
    """
    named = [node for node in intervention.members if not isinstance(node, Everywhere)]
    return tuple(node if isinstance(node, str) else node.id for node in named)


def features_of(graph: Graph, box: Box) -> list[str]:
    """Return the ids of the features of a box."""
    return [node for node in box.nodes if graph.node_kinds[graph.index(node)] is NodeKind.FEATURE]


def outcome(graph: Graph, box: Box, effect: Effect | None) -> Outcome:
    """Return the outcome of an effect on a box; without an effect, a logit still has its probability."""
    kind = graph.node_kinds[graph.index(box.nodes[0])] if box.name is None else None
    if kind is NodeKind.LOGIT:
        return _logit_outcome(graph, box, effect)
    features = features_of(graph, box)
    if effect is None:
        return Outcome()
    changes = [one for one in effect.interventions if set(changed_nodes(one)) & set(box.nodes)]
    clamped = set(features) <= {node for one in changes for node in changed_nodes(one)}
    chip = " ".join(mark(one) for one in changes) or None
    # Errors and tokens have no activation: the share that is left of them follows from the intervention.
    measured = effect.ratio(features)[0] if features else _share_left(changes)
    # The mark already states the activation of a box that the intervention clamps.
    text = "" if clamped and chip != "swap" else percent(measured)
    if not math.isfinite(measured):
        return Outcome(text if _were_active(effect, features) else "", mark=chip)
    return Outcome(text, ratio_tone(measured), measured < FADED_BELOW, chip)


def _were_active(effect: Effect, features: Collection[str]) -> bool:
    """Return whether one of some features was active before, so that what it is now is a share of something."""
    before = effect.nodes.loc[effect.nodes["id"].isin(list(features)), "before"]
    return bool((before != 0).any())


def _share_left(changes: Sequence[Intervention]) -> float:
    """Return the share of an error or token that the last intervention on it leaves; NaN for a swap, or for none."""
    match changes[-1:]:
        case [Ablate()]:
            return 0.0
        case [Scale(factor=factor)]:
            return factor
        case _:  # set and added to are features alone
            return math.nan


def ratio_tone(share: float) -> Tone:
    """Which way an activation went, as a share of what it was before."""
    return "below" if share < 1 - VISIBLE_SHARE else "above" if share > 1 + VISIBLE_SHARE else "same"


def probability_tone(before: float, after: float) -> Tone:
    """Which way a probability went; "same" where one is not a number."""
    return "above" if after - before >= VISIBLE_CHANGE else "below" if before - after >= VISIBLE_CHANGE else "same"


def _logit_outcome(graph: Graph, box: Box, effect: Effect | None) -> Outcome:
    target = graph.targets[graph.index(box.nodes[0]) - graph.weights.shape[1]]
    if effect is None:
        return Outcome(probability(target.probability))
    rows = effect.tokens[effect.tokens["token_id"] == target.token_id]
    if rows.empty:
        return Outcome()
    before, after = float(rows["before"].iloc[0]), float(rows["after"].iloc[0])
    words = f"{probability(before)} → {probability(after)}"
    return Outcome(words, probability_tone(before, after), after < FADED_BELOW * before)


def injected(graph: Graph, boxes: tuple[Box, ...], effect: Effect | None) -> Injected | None:
    """Return the features an effect injected.

    They are named by their commonest label, else by the words that only the other prompt has.
    """
    if effect is None or not effect.injected:
        return None
    labels = [label for feature, _ in effect.injected if (label := effect.labels.get(feature.id))]
    name = ""
    if 2 * len(labels) >= len(effect.injected):
        name = Counter(labels).most_common(1)[0][0]
    if not name:
        swaps = (one.prompt for one in effect.interventions if isinstance(one, SwapIn))
        name = different_words(graph, next((prompt for prompt in swaps if isinstance(prompt, str)), ""))
    nodes = {node for one in effect.interventions for node in changed_nodes(one)}
    beside = next((index for index, box in enumerate(boxes) if nodes & set(box.nodes)), None)
    how = SWAPPED_IN if any(isinstance(one, SwapIn) for one in effect.interventions) else MADE_ACTIVE
    return Injected(name or how, how, len(effect.injected), beside)


def new_answers(graph: Graph, boxes: Iterable[Box], effect: Effect | None) -> tuple[NewAnswer, ...]:
    """Return the likeliest next tokens after an intervention that rose and have no box: at most two, the likeliest first.

    Each is at least half as likely as the likeliest one, and at least 0.1, as outputs that a proposal pins are.
    """
    if effect is None:
        return ()
    n_sources = graph.weights.shape[1]
    nodes = [graph.index(box.id) for box in boxes if box.name is None]
    boxed = {graph.targets[node - n_sources].token_id for node in nodes if node >= n_sources}
    rows = [
        (str(token), int(token_id), float(before), float(after))
        for token, token_id, before, after in effect.tokens[["token", "token_id", "before", "after"]].itertuples(
            index=False
        )
    ]
    least = least_of_new_answers(max((after for *_, after in rows), default=0.0))
    found = [
        NewAnswer(token_text(token), f"{probability(before)} → {probability(after)}", token_id)
        for token, token_id, before, after in sorted(rows, key=lambda row: -row[3])
        if after >= least and probability_tone(before, after) == "above" and token_id not in boxed
    ]
    return tuple(found[:MOST_NEW_ANSWERS])


def displayed_tokens(tokens: Sequence[tuple[float, float]], most: int) -> tuple[int, str]:
    """Return how many of some next tokens have a row of their own, and what is written for the others.

    `tokens` are probabilities before and after, the tokens that are likely at either time first. At most `most` have a row,
    those that can be read as a number; at least one has.
    """
    readable = sum(max(before, after) >= LIKELY for before, after in tokens)
    count = max(1, min(readable, most))
    others = tokens[count:]
    if not others:
        return len(tokens), ""
    before, after = (percent(math.fsum(one[side] for one in others)) for side in (0, 1))
    return count, f"{len(others)} more, together {before if before == after else f'{before} → {after}'}"


def different_words(graph: Graph, prompt: str) -> str:
    """Return the words of another prompt that the graph's prompt does not have; all of them if there is none."""
    known = {token.text.strip().lower() for token in graph.tokens}
    return printable(" ".join(word for word in prompt.split() if word.lower() not in known) or prompt)


def activations(
    graph: Graph, circuit: Circuit, effect: Effect, controls: Controls | None = None
) -> list[BoxActivation]:
    """Return a row for each box with features, those that fell the most first, those that are clamped last."""
    nodes = {node for one in effect.interventions for node in changed_nodes(one)}
    rows = []
    for box in circuit.boxes():
        features = features_of(graph, box)
        if not features:
            continue
        measured, predicted = effect.ratio(features)
        if math.isfinite(measured):
            name = box.name or node_name(graph, circuit, box.id)
            band = None if controls is None else controls.activation_band(features)
            rows.append(BoxActivation(name, box.color, measured, predicted, set(features) <= nodes, band))
    return sorted(rows, key=lambda row: (row.clamped, row.measured))


def description(graph: Graph, circuit: Circuit, intervention: Intervention) -> str:
    """Return an intervention in words: "ablate Texas ×0"; a swap names only the words of the prompt that differ."""
    return phrase(intervention, apart(subject(graph, circuit, intervention)), apart(_source(graph, intervention)))


def short_description(graph: Graph, circuit: Circuit, intervention: Intervention) -> str:
    """Return an intervention as in a list of experiments: "Texas ×0", "Texas from “Oakland”"."""
    changed = subject(graph, circuit, intervention)
    if isinstance(intervention, SwapIn):
        return f"{changed} from {_source(graph, intervention)}"
    return f"{changed} {mark(intervention)}"


def _source(graph: Graph, intervention: Intervention) -> str:
    """Return the prompt that a swap reads, in words."""
    if isinstance(intervention, SwapIn) and isinstance(intervention.prompt, str):
        return f"“{different_words(graph, intervention.prompt)}”"
    return "another prompt"


def subject(graph: Graph, circuit: Circuit, intervention: Intervention) -> str:
    """Return the name of what an intervention changes.

    It is the name of the box with exactly these nodes or features, or with these features at other positions, else the
    commonest name of the nodes.
    """
    nodes = dict.fromkeys(changed_nodes(intervention))
    for box in circuit.boxes():
        name = printable(box.name or node_name(graph, circuit, box.id))
        for some in (set(box.nodes), set(features_of(graph, box))):
            if some == nodes.keys():
                return name
            if some and some < nodes.keys() and _without_position(graph, some) == _without_position(graph, nodes):
                return f"{name} everywhere"
    ((name, _),) = Counter(node_name(graph, circuit, node) for node in nodes).most_common(1)
    return name if len(nodes) == 1 else f"{name} and {len(nodes) - 1} more"


def _without_position(graph: Graph, nodes: Iterable[str]) -> set[str]:
    """Return ids of nodes, those of features without the position at their end."""
    others = set(graph.node_ids[graph.n_features :])
    return {node if node in others else node.rpartition("_")[0] for node in nodes}

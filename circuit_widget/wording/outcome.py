"""What an effect did to each box of a circuit, by the rules of the screen (js/src/circuit/outcome.ts)."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from circuit_widget.circuit.document import Box, Circuit
from circuit_widget.graph import Graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.kinds import Ablate, Intervention, Scale, SwapIn
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.nodes import Everywhere, NodeKind
from circuit_widget.wording.names import node_name
from circuit_widget.wording.numbers import VISIBLE_CHANGE, VISIBLE_SHARE, deed, mark, percent, probability
from circuit_widget.wording.text import apart, printable

FADED_BELOW = 0.3
"""Share of activation, or of probability, below which a box is faded."""

Tone: TypeAlias = Literal["below", "same", "above"]


@dataclass(frozen=True)
class Outcome:
    """What stands beside a box: text at its right, the mark of what was done to it at its left."""

    text: str = ""
    tone: Tone = "same"
    faded: bool = False
    mark: str | None = None


@dataclass(frozen=True)
class Injected:
    """What was swapped in from another prompt, drawn as one box beside that of index `beside`, if there is one."""

    name: str
    features: int
    beside: int | None


@dataclass(frozen=True)
class BoxActivation:
    """Summed activation of a box after, measured and predicted, as shares of before; `held` by the intervention.

    `band` is from where to where random controls brought it, None where none ran.
    """

    name: str
    color: int | None
    measured: float
    predicted: float
    held: bool
    band: tuple[float, float] | None = None


def touched(intervention: Intervention) -> tuple[str, ...]:
    """Ids of the nodes an intervention of an effect is on; effects name features at positions, never everywhere."""
    named = [node for node in intervention.members if not isinstance(node, Everywhere)]
    return tuple(node if isinstance(node, str) else node.id for node in named)


def features_of(graph: Graph, box: Box) -> list[str]:
    """Ids of the features of a box."""
    return [node for node in box.nodes if graph.node_kinds[graph.index(node)] is NodeKind.FEATURE]


def outcome(graph: Graph, box: Box, effect: Effect | None) -> Outcome:
    """The outcome of an effect on a box; of none, a logit still shows its probability."""
    kind = graph.node_kinds[graph.index(box.nodes[0])] if box.name is None else None
    if kind is NodeKind.LOGIT:
        return _logit_outcome(graph, box, effect)
    features = features_of(graph, box)
    if effect is None:
        return Outcome()
    touching = [one for one in effect.interventions if set(touched(one)) & set(box.nodes)]
    held = set(features) <= {node for one in touching for node in touched(one)}
    chip = " ".join(mark(one) for one in touching) or None
    # Errors and tokens have no activation: what is left of them is what the intervention leaves.
    measured = effect.ratio(features)[0] if features else _left(touching)
    if not math.isfinite(measured):
        return Outcome(mark=chip)
    # The mark already says what became of a box that the intervention holds.
    text = "" if held and chip != "swap" else percent(measured)
    return Outcome(text, ratio_tone(measured), measured < FADED_BELOW, chip)


def _left(touching: Sequence[Intervention]) -> float:
    """The share of an error or token that the last intervention on it leaves; NaN where it was swapped, or left alone."""
    match touching[-1:]:
        case [Ablate()]:
            return 0.0
        case [Scale(factor=factor)]:
            return factor
        case _:
            return math.nan


def ratio_tone(share: float) -> Tone:
    """Which way an activation went, as a share of what it was before."""
    return "below" if share < 1 - VISIBLE_SHARE else "above" if share > 1 + VISIBLE_SHARE else "same"


def probability_tone(before: float, after: float) -> Tone:
    """Which way a probability went."""
    return "same" if abs(after - before) < VISIBLE_CHANGE else "above" if after > before else "below"


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
    """The features an effect injected, named by their commonest label, else by the words that only their prompt has."""
    if effect is None or not effect.injected:
        return None
    labels = [label for feature, _ in effect.injected if (label := effect.labels.get(feature.id))]
    name = ""
    if 2 * len(labels) >= len(effect.injected):
        name = Counter(labels).most_common(1)[0][0]
    if not name:
        swaps = (one.prompt for one in effect.interventions if isinstance(one, SwapIn))
        name = different_words(graph, next((prompt for prompt in swaps if isinstance(prompt, str)), ""))
    nodes = {node for one in effect.interventions for node in touched(one)}
    beside = next((index for index, box in enumerate(boxes) if nodes & set(box.nodes)), None)
    return Injected(name or "swapped in", len(effect.injected), beside)


def different_words(graph: Graph, prompt: str) -> str:
    """The words of another prompt that the graph's prompt does not have, or else all of it."""
    known = {token.text.strip().lower() for token in graph.tokens}
    return printable(" ".join(word for word in prompt.split() if word.lower() not in known) or prompt)


def activations(
    graph: Graph, circuit: Circuit, effect: Effect, controls: Controls | None = None
) -> list[BoxActivation]:
    """Every box with features, those that fell the most first, those held by the interventions last."""
    nodes = {node for one in effect.interventions for node in touched(one)}
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
    return sorted(rows, key=lambda row: (row.held, row.measured))


def deed_of(graph: Graph, circuit: Circuit, intervention: Intervention) -> str:
    """What is done to whom: "ablate Texas ×0"; of a prompt to swap in from, only the words that differ."""
    return deed(intervention, apart(who(graph, circuit, intervention)), apart(_elsewhere(graph, intervention)))


def short_deed(graph: Graph, circuit: Circuit, intervention: Intervention) -> str:
    """What is done to whom, in a list of experiments: "Texas ×0", "Texas from “Oakland”"."""
    whom = who(graph, circuit, intervention)
    if isinstance(intervention, SwapIn):
        return f"{whom} from {_elsewhere(graph, intervention)}"
    return f"{whom} {mark(intervention)}"


def _elsewhere(graph: Graph, intervention: Intervention) -> str:
    """Where a swap takes its values from, in words."""
    if isinstance(intervention, SwapIn) and isinstance(intervention.prompt, str):
        return f"“{different_words(graph, intervention.prompt)}”"
    return "another prompt"


def who(graph: Graph, circuit: Circuit, intervention: Intervention) -> str:
    """Who an intervention is on: the box with these nodes or features, here or everywhere, else their commonest name."""
    nodes = dict.fromkeys(touched(intervention))
    for box in circuit.boxes():
        name = printable(box.name or node_name(graph, circuit, box.id))
        for some in (set(box.nodes), set(features_of(graph, box))):
            if some == nodes.keys():
                return name
            if some and some < nodes.keys() and _wherever(graph, some) == _wherever(graph, nodes):
                return f"{name} everywhere"
    ((name, _),) = Counter(node_name(graph, circuit, node) for node in nodes).most_common(1)
    return name if len(nodes) == 1 else f"{name} and {len(nodes) - 1} more"


def _wherever(graph: Graph, nodes: Iterable[str]) -> set[str]:
    """Ids of nodes, those of features less their position: a feature's id ends in it."""
    others = set(graph.node_ids[graph.n_features :])
    return {node if node in others else node.rpartition("_")[0] for node in nodes}

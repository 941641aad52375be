"""Interventions on groups of features, through the package's public interface. No feature is chosen by its effect."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from circuit_widget.demo import facts
from circuit_widget.demo.corpus import Split, city_splits
from circuit_widget.demo.groups import CAPITAL, DemoGroups, Role, at_positions, question, training_cities
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Intervention, Set, SwapIn
from circuit_widget.intervention.effect import Effect
from circuit_widget.model.tokens.target_tokens import find_tokens
from circuit_widget.nodes import Feature
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.tracing.activations import Activations

BOTH: tuple[Role, ...] = ("city", "last")
SEED = 40


@dataclass(frozen=True)
class Pair:
    """A question about a city of one state, and another state with the city whose activations are taken over."""

    city: str
    state: str
    other_city: str
    other_state: str


@dataclass(frozen=True)
class Change:
    """Probability of a question's own answer before and after an intervention, and the answer after it."""

    before: float
    after: float
    answer_after: str


class Laboratory:
    """A model, its groups, and the graphs of the questions traced so far."""

    def __init__(self, model: ReplacementModel, groups: DemoGroups) -> None:
        self.model = model
        self.groups = groups
        self._graphs: dict[str, Graph] = {}
        self._activations: dict[str, Activations] = {}
        self._capitals = {state.name: state.facts[CAPITAL] for state in facts.states()}
        self._in_a_group = {(m.layer, m.feature) for members in groups.values() for m in members}

    def pairs(self, count: int, split: Split) -> list[Pair]:
        """Random questions about held-out cities, each with another random state."""
        rng = random.Random(SEED)
        cities = held_out_cities(split)
        states = {state.name: state for state in facts.states()}
        found = []
        for _ in range(count):
            city, state = rng.choice(cities)
            other = rng.choice([name for name in states if name != state])
            found.append(Pair(city, state, rng.choice(training_cities(states[other])), other))
        return found

    def swap_shares(self, pairs: Sequence[Pair], *choices: Sequence[Role]) -> tuple[float, ...]:
        """Share of pairs where swapping the other state's group in makes the answer the other state's capital.

        One share for each choice of roles. A pair without features counts as no hit.
        """
        swaps = [(pair, self._swap(pair, roles)) for pair in pairs for roles in choices]
        hits = self._hits(swaps)
        return tuple(sum(hits[number :: len(choices)]) / len(pairs) for number in range(len(choices)))

    def _swap(self, pair: Pair, roles: Sequence[Role]) -> SwapIn | None:
        """Take the state's group out and the other state's group, as strong as on the other city, in; None without features."""
        graph = self._graph(pair.city)
        brought = self._at_positions(pair.other_state, graph, roles)
        removed = [feature for feature in self._at_positions(pair.state, graph, roles) if feature not in brought]
        return SwapIn(removed, question(CAPITAL, pair.other_city), features=brought) if removed else None

    def _hits(self, experiments: Sequence[tuple[Pair, Intervention | None]]) -> list[bool]:
        """Whether each experiment makes the answer the other state's capital; those on one graph run as a batch."""
        hits = [False] * len(experiments)
        for city in dict.fromkeys(pair.city for pair, _ in experiments):
            here = [
                (number, pair, intervention)
                for number, (pair, intervention) in enumerate(experiments)
                if pair.city == city and intervention is not None
            ]
            if here:
                effects = self.model.intervene_many(self._graph(city), [intervention for *_, intervention in here])
                for (number, pair, _), effect in zip(here, effects, strict=True):
                    hits[number] = self._answer_after(effect) == self._capitals[pair.other_state]
        return hits

    def random_swap_share(self, pairs: Sequence[Pair]) -> float:
        """As `swap_share`, with random features: as many, in the same layers and positions, and brought in as strongly.

        What is taken out is active in the question, what is brought in is any feature; none belongs to a group.
        """
        rng = random.Random(SEED + 1)
        swaps = []
        for pair in pairs:
            graph = self._graph(pair.city)
            own, other = self._active(pair.city), self._active(pair.other_city)
            values: dict[Feature, float] = {}
            for feature in self._at_positions(pair.state, graph, BOTH):
                free = [f for f in own.at(feature.layer, feature.position) if self._free(f) and f not in values]
                values |= dict.fromkeys(rng.sample(free, min(1, len(free))), 0.0)
            for feature in self._at_positions(pair.other_state, graph, BOTH):
                count = self.model.transcoders.n_features(feature.layer)
                drawn = (Feature(feature.layer, feature.position, rng.randrange(count)) for _ in range(1000))
                values[next(f for f in drawn if self._free(f) and f not in values)] = other.get(feature, 0.0)
            swaps.append((pair, Set(list(values), list(values.values()))))
        return sum(self._hits(swaps)) / len(pairs)

    def ablate_states(self, cities: Iterable[tuple[str, str]], roles: Sequence[Role] = BOTH) -> list[Change]:
        """Ablate each city's state in the question for its capital."""
        changes = []
        for city, state in cities:
            graph = self._graph(city)
            features = self._at_positions(state, graph, roles)
            changes.append(self._change(graph, self._capitals[state], features))
        return changes

    def ablate_capital(self, cities: Iterable[tuple[str, str]]) -> list[Change]:
        """Ablate the group "capital" in the question for each city's capital."""
        changes = []
        for city, state in cities:
            graph = self._graph(city)
            features = at_positions(self.groups[CAPITAL], {"relation": 2})
            changes.append(self._change(graph, self._capitals[state], features))
        return changes

    def _change(self, graph: Graph, answer: str, features: Sequence[Feature]) -> Change:
        token = find_tokens(self.model.model.tokenizer, answer)[0]
        active = set(graph.node_ids)
        features = [feature for feature in features if feature.id in active]
        if not features:
            before = float(next((t.probability for t in graph.targets if t.token_id == token), 0.0))
            return Change(before, before, graph.targets[0].token)
        effect = self.model.intervene(graph, [Ablate(features)])
        before, after = (_probability(logits, token) for logits in (effect.logits_before, effect.logits_after))
        return Change(before, after, self._answer_after(effect))

    def _answer_after(self, effect: Effect) -> str:
        return str(self.model.model.tokenizer.convert_ids_to_tokens(int(effect.logits_after.argmax())))

    def _graph(self, city: str) -> Graph:
        if city not in self._graphs:
            self._graphs[city] = self.model.trace(question(CAPITAL, city))
        return self._graphs[city]

    def _active(self, city: str) -> Activations:
        if city not in self._activations:
            self._activations[city] = self.model.activations(question(CAPITAL, city))
        return self._activations[city]

    def _at_positions(self, state: str, graph: Graph, roles: Sequence[Role]) -> tuple[Feature, ...]:
        positions: dict[Role, int] = {"city": graph.position - 1, "last": graph.position}
        return at_positions(self.groups[state], {role: positions[role] for role in roles})

    def _free(self, feature: Feature) -> bool:
        return (feature.layer, feature.feature) not in self._in_a_group


def held_out_cities(split: Split) -> list[tuple[str, str]]:
    """The held-out cities of the states, each with its state."""
    splits = city_splits()
    return [(city, state.name) for state in facts.states() for city in state.cities if splits[city] is split]


def _probability(logits: np.ndarray, token: int) -> float:
    shifted = np.exp(logits.astype(np.float64) - logits.max())
    return float(shifted[token] / shifted.sum())

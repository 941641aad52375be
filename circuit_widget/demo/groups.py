"""Groups of features that represent a state, or the word "capital". The rules are fixed and independent of interventions.

*A state's group*: features that are active in at least 60% of the questions about that state's cities and in at most 10% of the
questions about all other cities, at the city's token or at the last token, in every layer. *The capital group*: features that are
active at the token that names the relation in at least 60% of the questions for the capital, and there in at most 10% of the
questions for anything else.

Questions are only about cities whose two-hop questions are in the training split. The groups of the embedded model are stored in
`transcoders/features/groups.json`; `find_groups` computes them again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from circuit_widget.demo import TRANSCODERS, facts
from circuit_widget.demo.corpus import TWO_HOP_PHRASINGS, Split, city_splits
from circuit_widget.errors import CircuitWidgetError, NodeError
from circuit_widget.nodes import Feature
from circuit_widget.system.atomic_write import write_bytes

if TYPE_CHECKING:
    from circuit_widget.graph import Graph

ON, ON_ELSEWHERE = 0.6, 0.1
CAPITAL = "capital"

Role: TypeAlias = Literal["city", "last", "relation"]


@dataclass(frozen=True, order=True)
class Member:
    """A feature of a group, and the role of the position where it belongs to the group."""

    layer: int
    role: Role
    feature: int


DemoGroups: TypeAlias = dict[str, tuple[Member, ...]]
ActivationsOf: TypeAlias = Callable[[str], Mapping[Feature, float]]
"""From a prompt to its active features, as `ReplacementModel.activations`."""


def question(relation: str, city: str) -> str:
    """Return the two-hop question that groups are found with: "the capital of the state containing Dallas is"."""
    return TWO_HOP_PHRASINGS[0].format(relation=relation, level="state", city=city)


def training_cities(state: facts.Region) -> tuple[str, ...]:
    """Return the cities of a state whose two-hop questions are in the training split."""
    splits = city_splits()
    return tuple(city for city in state.cities if splits[city] is Split.TRAIN)


def group_questions() -> tuple[str, ...]:
    """Return every question that `find_groups` reads the activations of."""
    cities = [city for state in facts.states() for city in training_cities(state)]
    return tuple(question(relation, city) for relation in facts.states()[0].facts for city in cities)


def find_groups(activations: ActivationsOf) -> DemoGroups:
    """Apply both rules: every state's group by its name, and the group "capital"."""
    groups = _state_groups(activations)
    groups[CAPITAL] = _capital_group(activations)
    return groups


def state_features(graph: Graph, state: str) -> tuple[Feature, ...]:
    """Return the features of the embedded model that represent a state, at the positions of a question about a city.

    Features of the group are returned whether or not they are active in `graph`: a swap brings in those of another state.

    Raises:
        NodeError: not a state, or the graph's prompt names no city of the corpus.
    """
    if state not in kept_groups() or state == CAPITAL:
        known = ", ".join(region.name for region in facts.states())
        raise NodeError(f"There is no group for {state!r}. The embedded model knows the states {known}.")
    cities = {city for region in (*facts.states(), *facts.countries()) for city in region.cities}
    position = _last_position(graph, cities, "a city of the corpus")
    return at_positions(kept_groups()[state], {"city": position, "last": graph.position})


def capital_features(graph: Graph) -> tuple[Feature, ...]:
    """Return the features of the embedded model that represent the word "capital" in a question.

    Raises:
        NodeError: the graph's prompt has no such word.
    """
    position = _last_position(graph, {CAPITAL}, f"the word {CAPITAL!r}")
    return at_positions(kept_groups()[CAPITAL], {"relation": position})


def at_positions(members: Iterable[Member], positions: Mapping[str, int]) -> tuple[Feature, ...]:
    """Return the members at the positions of their roles in a prompt; members of other roles are left out."""
    return tuple(Feature(m.layer, positions[m.role], m.feature) for m in members if m.role in positions)


@cache
def kept_groups() -> DemoGroups:
    """Return the groups stored beside the embedded model's transcoders."""
    return read_groups(TRANSCODERS)


def read_groups(transcoders: Path) -> DemoGroups:
    """Read the groups stored beside some transcoders."""
    text = _groups_file(transcoders).read_text(encoding="utf-8")
    return {name: tuple(_member(*entry) for entry in members) for name, members in json.loads(text).items()}


def write_groups(groups: DemoGroups, transcoders: Path) -> None:
    """Write groups beside the transcoders they were found with."""
    lines = (
        f"{json.dumps(name)}: {json.dumps([[m.layer, m.role, m.feature] for m in members])}"
        for name, members in groups.items()
    )
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    write_bytes(_groups_file(transcoders), text.encode(), "file of groups", CircuitWidgetError)


def _state_groups(activations: ActivationsOf) -> DemoGroups:
    on: dict[str, Counter[Member]] = {}
    n_questions: dict[str, int] = {}
    for state in facts.states():
        cities = training_cities(state)
        counts: Counter[Member] = Counter()
        for city in cities:
            found = activations(question(CAPITAL, city))
            last = max(feature.position for feature in found)
            roles: dict[int, Role] = {last - 1: "city", last: "last"}
            counts.update(Member(f.layer, roles[f.position], f.feature) for f in found if f.position in roles)
        on[state.name], n_questions[state.name] = counts, len(cities)
    return _specific(on, n_questions)


def _capital_group(activations: ActivationsOf) -> tuple[Member, ...]:
    relations = tuple(facts.states()[0].facts)
    cities = [city for state in facts.states() for city in training_cities(state)]
    on: dict[str, Counter[Member]] = {}
    for relation in relations:
        position = 1 + len(relation.split())
        on[relation] = Counter(
            Member(f.layer, "relation", f.feature)
            for city in cities
            for f in activations(question(relation, city))
            if f.position == position
        )
    return _specific(on, dict.fromkeys(relations, len(cities)))[CAPITAL]


def _specific(on: Mapping[str, Counter[Member]], n_questions: Mapping[str, int]) -> DemoGroups:
    """Return for each value the features that are active in enough of its questions and in few enough of all others."""
    everywhere: Counter[Member] = Counter()
    for counts in on.values():
        everywhere.update(counts)
    total = sum(n_questions.values())
    return {
        value: tuple(
            sorted(
                member
                for member, count in counts.items()
                if count >= ON * n_questions[value]
                and everywhere[member] - count <= ON_ELSEWHERE * (total - n_questions[value])
            )
        )
        for value, counts in on.items()
    }


def _last_position(graph: Graph, texts: set[str], what: str) -> int:
    positions = [position for position, token in enumerate(graph.tokens) if token.text.strip() in texts]
    if not positions:
        prompt = " ".join(token.text for token in graph.tokens)
        raise NodeError(f"The prompt {prompt!r} does not name {what}, so the group has no position in it.")
    return positions[-1]


def _member(layer: int, role: str, feature: int) -> Member:
    if role not in get_args(Role):
        raise ValueError(f"expected a role of {get_args(Role)}, got {role!r}")
    return Member(layer, role, feature)  # type: ignore[arg-type]


def _groups_file(transcoders: Path) -> Path:
    return transcoders / "features" / "groups.json"

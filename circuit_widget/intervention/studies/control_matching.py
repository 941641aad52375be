"""Which features stand in for those an intervention touches, so that it can be held against chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from circuit_widget.errors import InterventionError
from circuit_widget.nodes import Feature
from circuit_widget.tracing.activations import Activations

NARROWEST_BAND = 5
"""From how many features, the nearest in activation, one is drawn at first."""

DRAWS_PER_CONTROL = 20
"""How often as many as asked are drawn before too few of them are found to differ."""


SIMILAR = 0.5
"""How far similar activations may differ, as a share of the one that is replaced."""


@dataclass(frozen=True)
class Matching:
    """For each control the feature that stands in for each touched one.

    `band` is the number of nearest features in activation that each was drawn from. `elsewhere` are the touched
    features for which those at other positions of the same layer were among them.
    """

    stand_ins: tuple[Mapping[Feature, Feature], ...]
    band: int
    elsewhere: frozenset[Feature]


@dataclass(frozen=True, eq=False)
class _Pool:
    """Features that may stand in at one place, by rising activation."""

    features: Sequence[Feature]
    values: Float[np.ndarray, " candidates"]

    def similar(self, activation: float) -> int:
        """Return how many differ from an activation by at most half of it."""
        return int((np.abs(self.values - activation) <= SIMILAR * abs(activation)).sum())

    def nearest(self, activation: float) -> list[Feature]:
        """Return them, the nearest in activation first."""
        return [self.features[n] for n in np.argsort(np.abs(self.values - activation), kind="stable")]


def match(
    touched: Sequence[Feature],
    activations: Activations,
    n_features: Callable[[int], int],
    n: int,
    seed: int,
    *,
    same_position: bool,
) -> Matching:
    """Return `n` different sets of features that stand in for the touched ones; the same seed gives the same sets.

    An active feature is matched with one that is active in the same layer, drawn from the nearest in activation: at the
    same position where `same_position` and at least five features there differ in activation by at most half, otherwise
    at any position. An inactive one is matched with any that is inactive in the same layer and at the same position.
    Touched features are never drawn, nor are they at another position. The band, at first of five, is doubled, and then
    other positions are let in for all, until there are `n` different sets.

    Raises:
        InterventionError: there are fewer different sets.
    """
    most = 0
    for elsewhere in (False, True) if same_position else (True,):
        pools, beyond = _pools(touched, activations, elsewhere)
        largest = max((len(pool.features) for pool in pools.values()), default=0)
        for band in _bands(largest):
            rng = np.random.default_rng(seed)
            found: dict[tuple[Feature, ...], Mapping[Feature, Feature]] = {}
            for _ in range(DRAWS_PER_CONTROL * n):
                drawn = _draw(touched, activations, pools, n_features, band, rng)
                if drawn is not None:
                    found.setdefault(tuple(sorted(drawn.values())), drawn)
                if len(found) == n:
                    return Matching(tuple(found.values()), min(band, largest), beyond)
            most = max(most, len(found))
    raise InterventionError(
        f"Only {most} different sets of similar features were found to stand in for {len(touched)} touched ones, "
        f"not {n}: too few others are active in their layers. Ask for at most {most}, or touch fewer features."
        if most
        else f"There is no control: {_shortest(touched, activations)}. Touch fewer features."
    )


def _shortest(touched: Sequence[Feature], activations: Activations) -> str:
    """Return in words which layer has the fewest other active features for each touched one."""
    active = [feature for feature in touched if feature in activations]
    pools, _ = _pools(active, activations, elsewhere=True)
    needed = Counter(feature.layer for feature in active)
    others = {feature.layer: len(pool.features) for feature, pool in pools.items()}
    layer = min(needed, key=lambda layer: others[layer] / needed[layer])
    return f"layer {layer} has {others[layer]} other active features to stand in for {needed[layer]} touched ones"


def _bands(largest: int) -> Iterator[int]:
    band = NARROWEST_BAND
    while band < largest:
        yield band
        band *= 2
    yield band


def _pools(
    touched: Sequence[Feature], activations: Activations, elsewhere: bool
) -> tuple[dict[Feature, _Pool], frozenset[Feature]]:
    """Return the pool of each active touched feature, and for which of them it reaches beyond its position."""
    there = {(feature.layer, feature.feature) for feature in touched}
    everywhere = range(activations.first_position, int(activations.position.max(initial=0)) + 1)
    pools, beyond = {}, set()
    for feature in touched:
        if feature in activations:
            pool = _pool(activations, feature.layer, [feature.position], there)
            if elsewhere or pool.similar(activations[feature]) < NARROWEST_BAND:
                pool = _pool(activations, feature.layer, everywhere, there)
                beyond.add(feature)
            pools[feature] = pool
    return pools, frozenset(beyond)


def _pool(activations: Activations, layer: int, positions: Sequence[int], touched: set[tuple[int, int]]) -> _Pool:
    found = {
        feature: value
        for position in positions
        for feature, value in activations.at(layer, position).items()
        if (layer, feature.feature) not in touched
    }
    ordered = sorted(found, key=lambda feature: (found[feature], feature))
    return _Pool(ordered, np.array([found[feature] for feature in ordered]))


def _draw(
    touched: Sequence[Feature],
    activations: Activations,
    pools: Mapping[Feature, _Pool],
    n_features: Callable[[int], int],
    band: int,
    rng: np.random.Generator,
) -> dict[Feature, Feature] | None:
    """Return a stand-in for each touched feature, no two the same, or None where one is left without."""
    drawn: dict[Feature, Feature] = {}
    for place in rng.permutation(len(touched)).tolist():
        feature = touched[place]
        taken = {*touched, *drawn.values()}
        if feature in activations:
            nearest = pools[feature].nearest(activations[feature])
            free = [other for other in nearest if other not in taken][:band]
        else:
            free = _inactive(feature, activations, taken, n_features(feature.layer), rng)
        if not free:
            return None
        drawn[feature] = free[int(rng.integers(len(free)))]
    return {feature: drawn[feature] for feature in touched}


def _inactive(
    feature: Feature, activations: Activations, taken: Set[Feature], count: int, rng: np.random.Generator
) -> list[Feature]:
    """Return one random feature that is inactive and not taken where another is, or nothing after as many tries as features."""
    for number in rng.integers(count, size=count).tolist():
        other = Feature(feature.layer, feature.position, number)
        if other not in taken and other not in activations:
            return [other]
    return []

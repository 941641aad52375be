"""Control matching: similar random features to change instead, so that an intervention can be compared with chance."""

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
"""Each stand-in is drawn from this many features at first: those nearest in activation."""

DRAWS_PER_CONTROL = 20
"""Draws for each requested control before the band is found too narrow for enough different controls."""


SIMILAR = 0.5
"""How far similar activations may differ, as a share of the activation of the changed feature."""


@dataclass(frozen=True)
class ControlMatching:
    """For each control, the stand-in of each changed feature.

    `band` is the number of features, nearest in activation, that each stand-in was drawn from. `elsewhere` are the
    changed features whose stand-ins were also drawn from other positions of the same layer.
    """

    stand_ins: tuple[Mapping[Feature, Feature], ...]
    band: int
    elsewhere: frozenset[Feature]


@dataclass(frozen=True, eq=False)
class _Pool:
    """The candidate stand-ins of one feature, by rising activation."""

    features: Sequence[Feature]
    values: Float[np.ndarray, " candidates"]

    def similar(self, activation: float) -> int:
        """Return how many candidates differ from an activation by at most half of it."""
        return int((np.abs(self.values - activation) <= SIMILAR * abs(activation)).sum())

    def nearest(self, activation: float) -> list[Feature]:
        """Return all candidates, the nearest in activation first."""
        return [self.features[n] for n in np.argsort(np.abs(self.values - activation), kind="stable")]


def match_controls(
    changed: Sequence[Feature],
    activations: Activations,
    n_features: Callable[[int], int],
    n: int,
    seed: int,
    *,
    same_position: bool,
) -> ControlMatching:
    """Return `n` different sets of stand-ins for the changed features; the same seed gives the same sets.

    The stand-in of an active feature is active in the same layer and drawn from those nearest in activation. It is at
    the same position if `same_position`, and if at least five features there differ in activation by at most half;
    otherwise at any position. The stand-in of an inactive feature is inactive in the same layer at the same position. A
    changed feature is never a stand-in, at no position. The band starts at five features; it is doubled, and then other
    positions are allowed for all, until there are `n` different sets.

    Raises:
        InterventionError: there are fewer different sets.
    """
    most = 0
    for elsewhere in (False, True) if same_position else (True,):
        pools, beyond = _pools(changed, activations, elsewhere)
        largest = max((len(pool.features) for pool in pools.values()), default=0)
        for band in _bands(largest):
            rng = np.random.default_rng(seed)
            found: dict[tuple[Feature, ...], Mapping[Feature, Feature]] = {}
            for _ in range(DRAWS_PER_CONTROL * n):
                drawn = _draw(changed, activations, pools, n_features, band, rng)
                if drawn is not None:
                    found.setdefault(tuple(sorted(drawn.values())), drawn)
                if len(found) == n:
                    return ControlMatching(tuple(found.values()), min(band, largest), beyond)
            most = max(most, len(found))
    raise InterventionError(
        f"Only {most} different sets of similar features were found to stand in for {len(changed)} changed ones, "
        f"not {n}: too few others are active in their layers. Use n of at most {most}, or change fewer features."
        if most
        else f"There is no control: {_scarcest_layer(changed, activations)}. Change fewer features."
    )


def _scarcest_layer(changed: Sequence[Feature], activations: Activations) -> str:
    """Return in words which layer has the fewest other active features for each changed one."""
    active = [feature for feature in changed if feature in activations]
    pools, _ = _pools(active, activations, elsewhere=True)
    needed = Counter(feature.layer for feature in active)
    others = {feature.layer: len(pool.features) for feature, pool in pools.items()}
    layer = min(needed, key=lambda layer: others[layer] / needed[layer])
    return f"layer {layer} has {others[layer]} other active features to stand in for {needed[layer]} changed ones"


def _bands(largest: int) -> Iterator[int]:
    band = NARROWEST_BAND
    while band < largest:
        yield band
        band *= 2
    yield band


def _pools(
    changed: Sequence[Feature], activations: Activations, elsewhere: bool
) -> tuple[dict[Feature, _Pool], frozenset[Feature]]:
    """Return the pool of each active changed feature, and those whose pool has features of other positions."""
    excluded = {(feature.layer, feature.feature) for feature in changed}
    everywhere = range(activations.first_position, int(activations.position.max(initial=0)) + 1)
    pools, beyond = {}, set()
    for feature in changed:
        if feature in activations:
            pool = _pool(activations, feature.layer, [feature.position], excluded)
            if elsewhere or pool.similar(activations[feature]) < NARROWEST_BAND:
                pool = _pool(activations, feature.layer, everywhere, excluded)
                beyond.add(feature)
            pools[feature] = pool
    return pools, frozenset(beyond)


def _pool(activations: Activations, layer: int, positions: Sequence[int], excluded: set[tuple[int, int]]) -> _Pool:
    found = {
        feature: value
        for position in positions
        for feature, value in activations.at(layer, position).items()
        if (layer, feature.feature) not in excluded
    }
    ordered = sorted(found, key=lambda feature: (found[feature], feature))
    return _Pool(ordered, np.array([found[feature] for feature in ordered]))


def _draw(
    changed: Sequence[Feature],
    activations: Activations,
    pools: Mapping[Feature, _Pool],
    n_features: Callable[[int], int],
    band: int,
    rng: np.random.Generator,
) -> dict[Feature, Feature] | None:
    """Return a stand-in for each changed feature, no two the same, or None where one has none."""
    drawn: dict[Feature, Feature] = {}
    for index in rng.permutation(len(changed)).tolist():
        feature = changed[index]
        taken = {*changed, *drawn.values()}
        if feature in activations:
            nearest = pools[feature].nearest(activations[feature])
            free = [other for other in nearest if other not in taken][:band]
        else:
            free = _inactive(feature, activations, taken, n_features(feature.layer), rng)
        if not free:
            return None
        drawn[feature] = free[int(rng.integers(len(free)))]
    return {feature: drawn[feature] for feature in changed}


def _inactive(
    feature: Feature, activations: Activations, taken: Set[Feature], count: int, rng: np.random.Generator
) -> list[Feature]:
    """Return a list of one random inactive feature of the same layer and position that is not taken.

    The list is empty if as many tries as the layer has features find none.
    """
    for number in rng.integers(count, size=count).tolist():
        other = Feature(feature.layer, feature.position, number)
        if other not in taken and other not in activations:
            return [other]
    return []

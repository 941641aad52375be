"""The modes of an intervention, named by what is frozen while it runs.

"direct" measures the direct effect of a change, along the edges that leave the changed nodes. "total" measures the
whole effect, with all indirect (knock-on) effects through other features and attention. The others lie between.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from circuit_widget.arguments import plain_number, quoted
from circuit_widget.errors import InterventionError
from circuit_widget.model.rerun import Conditions

Mode: TypeAlias = str | range | tuple[int, int]

NAMED_MODES = {
    "direct": "attention, norms and every other MLP output frozen",
    "frozen_attention": "attention patterns frozen",
    "total": "nothing frozen",
}
"""What each named mode freezes, in words."""

RANGE_FROZEN = "MLP outputs of a range of layers frozen"
"""What a range of layers as a mode freezes."""

LAYERS = re.compile(r"(\d{1,4})-(\d{1,4})")


@dataclass(frozen=True)
class CheckedMode:
    """A mode that is checked: its name, what it freezes in words, and the conditions of its re-run.

    `direct` has no conditions: it is computed in the frozen model, without a re-run. `knock_on` are the layers whose MLP
    outputs pass indirect effects on: those of features that change because other features are clamped.
    """

    name: str
    frozen: str
    conditions: Conditions | None
    knock_on: frozenset[int]


def read_mode(mode: object, n_layers: int) -> CheckedMode:
    """Return a mode, checked: "direct", "frozen_attention", "total", or a range of layers to constrain.

    A `range` excludes its end; a pair (first, last) and the text "first-last" include it.

    Raises:
        InterventionError: not a mode, or layers that the model does not have.
    """
    every = frozenset(range(n_layers))
    if isinstance(mode, str) and mode == "direct":
        return CheckedMode("direct", NAMED_MODES["direct"], None, frozenset())
    if isinstance(mode, str) and mode in NAMED_MODES:
        return CheckedMode(str(mode), NAMED_MODES[mode], Conditions(frozen_attention=mode == "frozen_attention"), every)
    layers = _layers(mode)
    if layers is None:
        raise InterventionError(
            f"A mode is {', '.join(NAMED_MODES)}, or a pair of layers (first, last) to constrain; given {quoted(mode)}."
        )
    first, last = layers
    if not 0 <= first <= last < n_layers:
        raise InterventionError(
            f"The layers of a constrained intervention lie in 0 to {n_layers - 1}; given {quoted(first)} to {quoted(last)}."
        )
    clamped = range(first, last + 1)
    which = f"outputs of layers {first} to {last}" if first < last else f"output of layer {first}"
    frozen = f"MLP {which} frozen"
    return CheckedMode(f"{first}-{last}", frozen, Conditions(frozen_mlps=clamped), every - set(clamped))


def _layers(mode: object) -> tuple[int, int] | None:
    if isinstance(mode, range):
        return (mode.start, mode.stop - 1) if mode.step == 1 and len(mode) else None
    if isinstance(mode, str):
        layers = LAYERS.fullmatch(mode)
        return None if layers is None else (int(layers[1]), int(layers[2]))
    if isinstance(mode, tuple | list) and len(mode) == 2:
        first, last = map(plain_number, mode)
        return (first, last) if type(first) is type(last) is int else None
    return None

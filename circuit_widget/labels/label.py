"""The label of a feature: its text, where it is from, and how well it names the tokens at which the feature is active."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from circuit_widget.arguments import FORBIDDEN_CHARACTERS, finite_number, of_type, quoted, truth_value, whole_number
from circuit_widget.errors import NodeError
from circuit_widget.nodes import Everywhere

SUITING = 0.75
"""Share of a label's level that the activation of a node has at least if it shows the label."""

FAR_BEYOND = 2.0
"""Factor of the largest activation that a rule was made from, up to which the activation of a node shows its label."""

LEAST_PRECISION = 0.5
"""Measured precision below which a label by rule is not displayed at nodes."""

LONGEST_LABEL = 200
"""Most characters of a label."""

ORIGIN_WITH_TRANSCODERS = "with the transcoders"
"""The origin of labels in the files of transcoders."""


LOCAL_LABEL: Final = "here: "
"""How a label begins that names what a node does on one prompt; words with + or − follow."""


class LabelKind(IntEnum):
    """How a label was made; of two labels of one feature, the one of the higher kind is displayed."""

    RULE = 0
    WRITTEN = 1
    IMPORTED = 2


@dataclass(frozen=True)
class Accuracy:
    """How well a rule names the tokens at which a feature is active, on texts that it was not made from.

    Attributes:
        named: number of tokens that the rule names.
        hits: number of those at which the feature is active.
        active: number of tokens at which the feature is active.

    Raises NodeError for anything else.
    """

    named: int
    hits: int
    active: int

    def __post_init__(self) -> None:
        for name in ("named", "hits", "active"):
            object.__setattr__(self, name, whole_number(getattr(self, name), f"{name} of an accuracy", NodeError))
        if self.hits > min(self.named, self.active):
            raise NodeError(
                f"hits of an accuracy is {self.hits}, more than its {self.named} named or {self.active} active tokens."
            )

    @property
    def precision(self) -> float | None:
        """Share of the tokens that the rule names at which the feature is active; None where it names none."""
        return self.hits / self.named if self.named else None

    @property
    def recall(self) -> float | None:
        """Share of the tokens at which the feature is active that the rule names; None where it is active at none."""
        return self.hits / self.active if self.active else None


@dataclass(frozen=True)
class FeatureLabel:
    """The label of one feature, for activations of one sign.

    Attributes:
        text: one line of at most 200 characters.
        kind: how it was made.
        source: who wrote it, or the file that it was imported from; empty for a rule.
        negative: whether it is of activations below zero, which only neurons and a few transcoders have.
        accuracy: how well the rule fits, where that was measured.
        level: the size of activation above which the feature counts as active in a rule; 0 for other labels.
        most: the largest size of activation that a rule was made from; 0 for other labels.

    Raises NodeError for anything else.
    """

    layer: int
    feature: int
    text: str
    kind: LabelKind
    source: str = ""
    negative: bool = False
    accuracy: Accuracy | None = None
    level: float = 0.0
    most: float = 0.0

    def __post_init__(self) -> None:
        place = Everywhere(self.layer, self.feature)
        object.__setattr__(self, "layer", place.layer)
        object.__setattr__(self, "feature", place.feature)
        object.__setattr__(self, "text", checked_label(self.text, place))
        object.__setattr__(self, "negative", truth_value(self.negative, "negative of a label", NodeError))
        of_type(self.kind, LabelKind, "kind of a label is a LabelKind", NodeError)
        for name in ("level", "most"):
            number = finite_number(getattr(self, name), f"{name} of a label", NodeError, least=0.0)
            object.__setattr__(self, name, number)
        source = of_type(self.source, str, "source of a label is a text", NodeError)
        if FORBIDDEN_CHARACTERS.search(source):
            raise NodeError(f"source of a label is one line without control characters; given {quoted(source)}.")

    @property
    def origin(self) -> str:
        """Where the label is from, in a few words."""
        if self.kind is LabelKind.IMPORTED:
            return f"imported: {self.source}"
        if self.kind is LabelKind.WRITTEN:
            return f"written by {self.source}"
        return f"by rule{self._measured()}"

    @property
    def automatic(self) -> bool:
        """Whether this package made it, by a rule or with a language model."""
        return self.kind is not LabelKind.IMPORTED

    def _measured(self) -> str:
        found = self.accuracy
        if found is None:
            return ", not measured"
        named = (
            "the texts that measure it have none of the tokens that it names"
            if found.precision is None
            else f"{found.precision:.0%} of {found.named:,} {'token' if found.named == 1 else 'tokens'} that it names"
        )
        level = -self.level if self.negative else self.level
        where = f"{'below' if self.negative else 'above'} {level:.2g}" if self.level or self.negative else "active"
        recall = f"and it is never {where}" if found.recall is None else f"{found.recall:.0%} of where it is {where}"
        return f": {named}{' ' if found.recall is None else ', '}{recall}"


def checked_label(text: object, place: Everywhere) -> str:
    """Return the text of a label without the spaces around it.

    Raises:
        NodeError: it is no text of one line with 1 to 200 characters; names the feature.
    """
    whose = f"The label of feature {place.feature} of layer {place.layer}"
    if not isinstance(text, str):
        raise NodeError(f"{whose} is a text; given {quoted(text)}.")
    stripped = text.strip()
    if not stripped:
        raise NodeError(f"{whose} is empty; expected a text.")
    if FORBIDDEN_CHARACTERS.search(stripped):
        raise NodeError(f"{whose} is one line without control characters; given {quoted(stripped)}.")
    if len(stripped) > LONGEST_LABEL:
        raise NodeError(f"{whose} has {len(stripped):,} characters; expected at most {LONGEST_LABEL}.")
    return stripped


def suits(label: FeatureLabel, activation: float) -> bool:
    """Return whether a label is displayed at a node with this activation.

    The rule is of activations above the level: what a neuron does at a fraction of it has often another reason. So has
    what is far beyond all that the rule was made from, as at the first token of a text. A rule that was measured has to
    be right for half of the tokens that it names; texts without any of these do not support it.
    """
    size = abs(activation)
    if size < SUITING * label.level or (label.most > 0.0 and size > FAR_BEYOND * label.most):
        return False
    precision = 1.0 if label.accuracy is None else label.accuracy.precision
    return precision is not None and precision >= LEAST_PRECISION

"""What is known of a feature on a corpus: examples, levels, a histogram, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True)
class Example:
    """A text on which the feature is active, with its activation at every token."""

    tokens: tuple[str, ...]
    activations: tuple[float, ...]


AT_FIRST_TOKENS = "first tokens"
"""The name of the group of examples whose peak is at the first token of a text, or of a part of a long one."""


@dataclass(frozen=True)
class Level:
    """Examples of one range of activations, drawn at random; or of a named group: published ones, or first tokens.

    Attributes:
        least, most: the range; the strongest activation of each example is in it.
        share: share of the tokens at which the feature is active whose activation is in the range; None if not known.
        name: the name of a group. Its range is that of its examples.
    """

    least: float
    most: float
    share: float | None
    examples: tuple[Example, ...]
    name: str | None = None


@dataclass(frozen=True)
class Histogram:
    """How many tokens have which activation, for tokens at which the feature is active.

    Bin `i` counts activations from `least + i * width` up to the next bin.
    """

    least: float
    width: float
    counts: tuple[int, ...]


@dataclass(frozen=True)
class CardRecord:
    """The recorded statistics of a feature on a corpus; see FeatureCard."""

    label: str | None = None
    frequency: float | None = None
    maximum: float | None = None
    examples: tuple[Example, ...] = ()
    minimum: float | None = None
    mean: float | None = None
    lowest: tuple[Example, ...] = ()
    levels: tuple[Level, ...] = ()
    histogram: Histogram | None = None
    origin: str | None = None

    @property
    def n_examples(self) -> int:
        """Number of examples, of all levels."""
        return len(self.examples) + len(self.lowest) + sum(len(level.examples) for level in self.levels)


def without_first_tokens(record: CardRecord) -> CardRecord:
    """Return a record without its group of examples at first tokens."""
    return replace(record, levels=tuple(level for level in record.levels if level.name != AT_FIRST_TOKENS))


@dataclass(frozen=True)
class FeatureFacts:
    """What is known of one feature: its record, and the tokens that it promotes and suppresses, with changes of logits.

    `negative_label` is its label for activations below zero; that of the record is for the others.
    """

    layer: int
    feature: int
    record: CardRecord
    promoted: tuple[tuple[str, float], ...] = ()
    suppressed: tuple[tuple[str, float], ...] = ()
    negative_label: str | None = None

    @property
    def has_label(self) -> bool:
        """Whether it has a label for activations of any sign."""
        return self.record.label is not None or self.negative_label is not None


class ExampleSource(Protocol):
    """Where the records of a model's features come from."""

    def of(self, layer: int, feature: int) -> CardRecord:
        """Return what is known of a feature; raises LoadError where its file is damaged."""

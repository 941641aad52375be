"""What is known of a feature on a corpus: examples, levels, a histogram, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """A text on which the feature is active, with its activation at every token."""

    tokens: tuple[str, ...]
    activations: tuple[float, ...]


@dataclass(frozen=True)
class Level:
    """Examples of one range of activations, drawn at random.

    Attributes:
        least, most: the range; the strongest activation of each example is in it.
        share: share of the tokens at which the feature is active whose activation is in the range.
    """

    least: float
    most: float
    share: float
    examples: tuple[Example, ...]


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

"""What is known of a feature as a message to the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from circuit_widget.characters import shortened
from circuit_widget.examples.record import Example, Level
from circuit_widget.feature_card import FeatureCard
from circuit_widget.graph import Feature, Graph
from circuit_widget.graph.qk_contributors import QkContributor, qk_contributors
from circuit_widget.widget.wire.graph_messages import (
    Card,
    CardContributor,
    CardContributors,
    CardExample,
    CardHistogram,
    CardLevel,
    CardToken,
)
from circuit_widget.widget.wire.schema import LONGEST_TEXT

if TYPE_CHECKING:
    from circuit_widget.replacement_model import ReplacementModel

TOKENS_AROUND = 32
"""Most tokens of an example that are sent on each side of its peak."""

MOST_EXAMPLES = 200
"""Most examples of a kind that are sent."""

MOST_CONTRIBUTORS = 40
"""Most contributors to attention scores of a kind that are sent."""


def card_message(
    graph: Graph, model: ReplacementModel | None, node: str, feature: Feature, most: int = MOST_EXAMPLES
) -> Card:
    """Return the card of a feature, with what it promotes at this node; it has at most `most` examples of a kind."""
    label, place = graph.labels.get(node), graph.find(node)
    layer, number = feature.layer, feature.feature
    if model is None:
        known = FeatureCard(layer, number, label, None, None, (), (), ())
    else:
        known = model.feature_card(layer, number)
        if place is not None:
            known = known.at(graph.activation[place])
    return Card(
        node=node,
        layer=known.layer,
        feature=known.feature,
        label=label or known.label,
        frequency=known.frequency,
        maximum=known.maximum,
        examples=_examples(known.examples, 1, most),
        promoted=_tokens(known.promoted),
        suppressed=_tokens(known.suppressed),
        negative=known.negative,
        first_token=feature.position == known.first_position,
        minimum=known.minimum,
        mean=known.mean,
        lowest=_examples(known.lowest, -1, most),
        levels=tuple(_level(level, most) for level in known.levels),
        histogram=None if known.histogram is None else CardHistogram(**vars(known.histogram)),
        origin=known.origin,
        label_origin=known.label_origin if known.label is not None and label in (None, known.label) else None,
        label_is_automatic=known.label_is_automatic,
        contributors=() if place is None else tuple(_contributors(graph, node)),
    )


def _contributors(graph: Graph, node: str) -> Iterator[CardContributors]:
    listed = qk_contributors(graph, node)
    for side in dict.fromkeys(one.side for one in listed):
        rows = [one for one in listed if one.side == side]
        yield CardContributors(side, len(rows), tuple(map(_contributor, rows[:MOST_CONTRIBUTORS])))


def _contributor(one: QkContributor) -> CardContributor:
    texts = (one.query, one.key, one.query_label, one.key_label)
    query, key, query_label, key_label = (shortened(text, LONGEST_TEXT) for text in texts)
    return CardContributor(query, key, query_label, key_label, one.attribution)


def _level(level: Level, most: int) -> CardLevel:
    examples = _examples(level.examples, -1 if level.most <= 0 else 1, most)
    return CardLevel(level.least, level.most, level.share, examples, level.name)


def _examples(examples: Sequence[Example], sign: int, most: int) -> tuple[CardExample, ...]:
    """Return examples as the page shows them: published ones may be long, of which it shows the part at the peak."""
    return tuple(_example(one, sign) for one in examples[:most])


def _example(example: Example, sign: int) -> CardExample:
    values = example.activations
    peak = max(range(len(values)), key=lambda place: sign * values[place], default=0)
    part = slice(max(0, peak - TOKENS_AROUND), peak + TOKENS_AROUND + 1)
    return CardExample(example.tokens[part], values[part])


def _tokens(effects: Sequence[tuple[str, float]]) -> tuple[CardToken, ...]:
    return tuple(CardToken(token, logit) for token, logit in effects)

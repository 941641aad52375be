"""What an HTML file for readers has in it: the widget's traits, and recorded answers to the requests of the page."""

from __future__ import annotations

from circuit_widget.widget.wire.experiment_messages import Code, ComparedToken, EffectMessage
from circuit_widget.widget.wire.graph_messages import Card
from circuit_widget.widget.wire.schema import Listed, Many, message

VERSION = 1


@message
class RecordedComparison:
    """The likely tokens of an experiment beside another; its activations are those of the experiment itself."""

    id: int
    beside: int
    tokens: Listed[ComparedToken]


@message
class HtmlContent:
    """The content of an HTML file: traits by name, with binary columns as base64; recorded experiments; feature cards.

    `table` is the table of the experiments as CSV; `name` is that of files that are saved from the page, without ending.
    """

    version: int
    traits: dict[str, object]
    effects: Many[EffectMessage]
    comparisons: Many[RecordedComparison]
    cards: Many[Card]
    table: Code
    name: str

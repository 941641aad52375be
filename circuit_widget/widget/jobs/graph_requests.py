"""Handlers of requests about the graph: what is known of a feature, and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from circuit_widget.examples.record import Example
from circuit_widget.feature_card import FeatureCard
from circuit_widget.figure.figure import make_figure
from circuit_widget.graph import Feature
from circuit_widget.widget.jobs.exchange import Context, Task
from circuit_widget.widget.jobs.experiments import Experiments
from circuit_widget.widget.jobs.file_names import file_stem
from circuit_widget.widget.jobs.worker import Answer
from circuit_widget.widget.wire.messages import (
    Card,
    CardBody,
    CardExample,
    CardHistogram,
    CardLevel,
    CardToken,
    FigureBody,
    FileReply,
)

MIME = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}


def card(context: Context, body: CardBody) -> Task[Card]:
    """Return what is known of a feature beyond this prompt, with what it promotes here."""
    feature = context.experiments.feature_of(body.node)
    return Task(lambda _: _card(context.experiments, body.node, feature), Answer)


def _card(experiments: Experiments, node: str, feature: Feature) -> Card:
    graph = experiments.graph
    label, place = graph.labels.get(node), graph.find(node)
    layer, number = feature.layer, feature.feature
    if experiments.model is None:
        known = FeatureCard(layer, number, label, None, None, (), (), ())
    else:
        known = experiments.model.feature_card(layer, number)
        if place is not None:
            known = known.at(graph.activation[place])
    return Card(
        node=node,
        layer=known.layer,
        feature=known.feature,
        label=label or known.label,
        frequency=known.frequency,
        maximum=known.maximum,
        examples=_examples(known.examples),
        promoted=_tokens(known.promoted),
        suppressed=_tokens(known.suppressed),
        negative=known.negative,
        minimum=known.minimum,
        mean=known.mean,
        lowest=_examples(known.lowest),
        levels=tuple(CardLevel(one.least, one.most, one.share, _examples(one.examples)) for one in known.levels),
        histogram=None if known.histogram is None else CardHistogram(**vars(known.histogram)),
        origin=known.origin,
        label_origin=known.label_origin if known.label is not None and label in (None, known.label) else None,
        label_is_automatic=known.label_is_automatic,
    )


def _examples(examples: Sequence[Example]) -> tuple[CardExample, ...]:
    return tuple(CardExample(one.tokens, one.activations) for one in examples)


def _tokens(effects: Sequence[tuple[str, float]]) -> tuple[CardToken, ...]:
    return tuple(CardToken(token, logit) for token, logit in effects)


def figure(context: Context, body: FigureBody) -> Task[FileReply]:
    """Return a figure of what the widget displays, as a file."""
    experiments = context.experiments

    def draw(_: object) -> bytes:
        made = make_figure(
            experiments.graph, experiments.traits.circuit, experiments.displayed_outcome(), body.part, body.width
        )
        formats: dict[str, Callable[[], str | bytes]] = {"svg": made.svg, "pdf": made.pdf, "png": made.png}
        drawn = formats[body.format]()
        return drawn.encode() if isinstance(drawn, str) else drawn

    reply = FileReply(f"{file_stem(experiments.graph)}.{body.format}", MIME[body.format])
    return Task(draw, lambda data: Answer(reply, (data,)))

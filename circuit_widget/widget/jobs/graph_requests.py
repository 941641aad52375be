"""Handlers of requests about the graph: what is known of a feature, and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from circuit_widget.examples.record import Example, Level
from circuit_widget.feature_card import FeatureCard
from circuit_widget.figure.figure import make_figure
from circuit_widget.graph import Feature
from circuit_widget.widget.jobs.experiments import Experiments
from circuit_widget.widget.jobs.file_names import file_stem
from circuit_widget.widget.jobs.request_kind import Context, Task
from circuit_widget.widget.jobs.worker import JobResult
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

TOKENS_AROUND = 32
"""Most tokens of an example that are sent on each side of its peak."""

MOST_EXAMPLES = 200
"""Most examples of a kind that are sent."""

MIME = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}


def card(context: Context, body: CardBody) -> Task[Card]:
    """Return what is known of a feature beyond this prompt, with what it promotes here."""
    feature = context.experiments.feature_of(body.node)
    return Task(lambda _: _card(context.experiments, body.node, feature), JobResult)


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
        examples=_examples(known.examples, 1),
        promoted=_tokens(known.promoted),
        suppressed=_tokens(known.suppressed),
        negative=known.negative,
        minimum=known.minimum,
        mean=known.mean,
        lowest=_examples(known.lowest, -1),
        levels=tuple(map(_level, known.levels)),
        histogram=None if known.histogram is None else CardHistogram(**vars(known.histogram)),
        origin=known.origin,
        label_origin=known.label_origin if known.label is not None and label in (None, known.label) else None,
        label_is_automatic=known.label_is_automatic,
    )


def _level(level: Level) -> CardLevel:
    examples = _examples(level.examples, -1 if level.most <= 0 else 1)
    return CardLevel(level.least, level.most, level.share, examples, level.name)


def _examples(examples: Sequence[Example], sign: int) -> tuple[CardExample, ...]:
    """Return examples as the page shows them: published ones may be long, of which it shows the part at the peak."""
    return tuple(_example(one, sign) for one in examples[:MOST_EXAMPLES])


def _example(example: Example, sign: int) -> CardExample:
    values = example.activations
    peak = max(range(len(values)), key=lambda place: sign * values[place], default=0)
    part = slice(max(0, peak - TOKENS_AROUND), peak + TOKENS_AROUND + 1)
    return CardExample(example.tokens[part], values[part])


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
    return Task(draw, lambda data: JobResult(reply, (data,)))

"""Sweeps of one intervention: over its strength, or over the last layer whose MLP output is frozen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from circuit_widget.arguments import check_callable, entries_of, finite_number, of_type, plain_number, quoted
from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.kinds import Intervention, Nodes, Scale, intervention_tuple
from circuit_widget.intervention.mode import Mode
from circuit_widget.intervention.plot_text import plain
from circuit_widget.intervention.studies.running import ON_EFFECTS_IS, OnEffects, Runner, in_parts, part_of
from circuit_widget.intervention.studies.token_table import Tokens, chosen_tokens, plotted_tokens, token_table
from circuit_widget.nodes import Feature, several_nodes
from circuit_widget.progress import IsCancelled, ProgressChoice, reporting

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects

PALETTE = ("#2f6bba", "#c4472b", "#0f8b8d", "#b7791f", "#8a5fb8", "#6b8e23", "#a3516d", "#23211e", "#8e877b", "#5aa9e6")


FACTORS = tuple(float(factor) for factor in np.arange(-5, 5.5, 0.5))
"""The factors of a sweep where none are given."""


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """A dose-response curve: one effect for each value of what was varied.

    `axis` is what was varied: "factor" (of activations) or "last_layer" (the last one whose MLP output is frozen).
    `name` describes what was changed.
    """

    name: str
    axis: str
    values: tuple[float, ...]
    effects: tuple[Effect, ...]

    def __repr__(self) -> str:
        return (
            f"Sweep({self.name}: {len(self.effects)} values of {self.axis}, {self.values[0]:g} to {self.values[-1]:g})"
        )

    def to_frame(self, tokens: Tokens = None) -> pandas.DataFrame:
        """Return one row for each value and token, by default the graph's targets.

        Columns: what was varied (factor or last_layer), token, token_id, probability,
        predicted_probability, logit, predicted_logit, rank, kl (nats).

        Raises:
            PromptError: an id outside the vocabulary, or a text that is not among the tokens of any effect.
        """
        frame = token_table(self.effects, chosen_tokens(self.effects, tokens))
        frame.insert(0, self.axis, [self.values[number] for number in frame.pop("experiment")])
        return frame

    def activation(self, groups: Mapping[str, Iterable[str | Feature]]) -> pandas.DataFrame:
        """Return how strongly groups of features respond: one row for each value and group.

        Columns: what was varied, group, measured, predicted (summed activation after / before).

        Raises:
            NodeError: a node that is not among the features of the effects.
        """
        import pandas

        given = of_type(groups, Mapping, "Groups are lists of features by the names of the groups", NodeError)
        members = {name: several_nodes(nodes, NodeError) for name, nodes in given.items()}
        rows = [
            (value, name, *effect.ratio(nodes))
            for value, effect in zip(self.values, self.effects, strict=True)
            for name, nodes in members.items()
        ]
        return pandas.DataFrame(rows, columns=[self.axis, "group", "measured", "predicted"])

    def plot(self, tokens: Tokens = None) -> plotly.graph_objects.Figure:
        """Return a plotly figure: probabilities of tokens over what was varied.

        Solid lines are measured, dashed lines predicted, dotted lines before the intervention. Tokens are by default
        those that are the likeliest before or after any of the effects.
        """
        import plotly.graph_objects as go

        chosen = plotted_tokens(self.effects, tokens)
        frame = self.to_frame(list(chosen))
        figure = go.Figure()
        for number, (token, text) in enumerate(chosen.items()):
            rows, color = frame[frame["token_id"] == token], PALETTE[number % len(PALETTE)]
            before = [self.effects[0].probability(token)[0]] * len(rows)
            lines = (
                (text, rows["probability"].tolist(), None, 2),
                (f"{text}, predicted", rows["predicted_probability"].tolist(), "dash", 1),
                (f"{text}, before", before, "dot", 1),
            )
            for name, values, dash, width in lines:
                figure.add_trace(
                    go.Scatter(
                        name=plain(name),
                        x=rows[self.axis].tolist(),
                        y=values,
                        mode="lines" if dash else "lines+markers",
                        line={"color": color, "dash": dash, "width": width},
                        legendgroup=plain(text),
                        showlegend=dash is None,
                    )
                )
        figure.update_layout(
            title=plain(f"{self.name} ({_frozen(self)})"),
            xaxis={"title": self.axis.replace("_", " ")},
            yaxis={"title": "probability", "range": [0, 1]},
            template="plotly_white",
        )
        return figure


def _frozen(sweep: Sweep) -> str:
    return sweep.effects[0].frozen if sweep.axis == "factor" else "MLP outputs up to this layer frozen"


def sweep(
    model: Runner,
    graph: Graph,
    nodes: Nodes,
    factors: Sequence[float] = FACTORS,
    *,
    mode: Mode = "total",
    on_effects: OnEffects | None = None,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> Sweep:
    """Return the dose-response curve of some nodes: the effect of scaling them by each factor.

    Factors are by default -5 to 5 in steps of 0.5.

    Raises:
        InterventionError: no factor, more than 10,000, one that is not a finite number, or a feature that is not
            active.
    """
    listed = entries_of(factors, "The factors of a sweep are a list of numbers", InterventionError)
    experiments = [Scale(nodes, finite_number(one, "A factor", InterventionError)) for one in listed]
    if not experiments:
        raise InterventionError("There is no factor to sweep over; give at least one, such as 0.")
    effects = in_parts(model, graph, experiments, mode, on_effects, progress, cancelled)
    name = experiments[0].description.rsplit(" ", 1)[0]
    return Sweep(name, "factor", tuple(one.factor for one in experiments), effects)


def sweep_last_layer(
    model: Runner,
    graph: Graph,
    interventions: Sequence[Intervention] | Intervention,
    *,
    first: int = 0,
    on_effects: OnEffects | None = None,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> Sweep:
    """Return the effect of interventions with the MLP outputs of layers `first` to each later layer frozen in turn.

    Constrained patching (Ameisen et al. 2025): the later the last frozen layer, the fewer indirect (knock-on) effects.
    Each range runs by itself.

    Raises:
        InterventionError: `first` is not a layer of the model.
    """
    layers = range(require_graph(graph, InterventionError).n_layers)
    first = plain_number(first)
    if isinstance(first, bool) or not isinstance(first, int) or first not in layers:
        raise InterventionError(f"The first frozen layer lies in 0 to {layers[-1]}; given {quoted(first)}.")
    check_callable(on_effects, ON_EFFECTS_IS, InterventionError)
    listed, lasts = intervention_tuple(interventions), range(first, graph.n_layers)
    effects: list[Effect] = []
    with reporting(progress) as report:
        for number, last in enumerate(lasts):
            part = part_of(report, number / len(lasts), (number + 1) / len(lasts))
            found = model.intervene_many(graph, [listed], mode=(first, last), progress=part, cancelled=cancelled)
            effects += found
            if on_effects is not None:
                on_effects(number, found)
    return Sweep(effects[0].name, "last_layer", tuple(float(last) for last in lasts), tuple(effects))

"""The same intervention over a range: its strength, or the last layer that is frozen meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from circuit_widget.arguments import of_type
from circuit_widget.errors import NodeError
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.plot_text import plain
from circuit_widget.intervention.studies.token_table import Tokens, chosen_tokens, outcomes, shown_tokens
from circuit_widget.nodes import Feature, several_nodes

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects

PALETTE = ("#2f6bba", "#c4472b", "#0f8b8d", "#b7791f", "#8a5fb8", "#6b8e23", "#a3516d", "#23211e", "#8e877b", "#5aa9e6")


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """A dose-response curve: one effect for each value of what was varied.

    `axis` is "factor" (of activations) or "last_layer" (of those whose MLP outputs are frozen); `name` says what was
    changed.
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
            PromptError: an id outside the vocabulary, or a text that no effect knows.
        """
        frame = outcomes(self.effects, chosen_tokens(self.effects, tokens))
        frame.insert(0, self.axis, [self.values[place] for place in frame.pop("experiment")])
        return frame

    def activation(self, groups: Mapping[str, Iterable[str | Feature]]) -> pandas.DataFrame:
        """Return how strongly groups of features answer: one row for each value and group.

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
        """Return a plotly figure: probabilities of tokens over what was varied, dashed as predicted, dotted as before.

        Tokens are by default those that are the likeliest somewhere.
        """
        import plotly.graph_objects as go

        chosen = shown_tokens(self.effects, tokens)
        frame = self.to_frame(list(chosen))
        figure = go.Figure()
        for place, (token, text) in enumerate(chosen.items()):
            rows, color = frame[frame["token_id"] == token], PALETTE[place % len(PALETTE)]
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

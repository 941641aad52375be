"""A sweep over groups of features: each group changed by itself, and pairs of groups together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from circuit_widget.arguments import truth_value
from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.groups import Groups, groups_of
from circuit_widget.intervention.kinds import Scale
from circuit_widget.intervention.mode import Mode
from circuit_widget.intervention.plot_text import plain
from circuit_widget.intervention.studies.running import OnEffects, Runner, in_parts
from circuit_widget.intervention.studies.token_table import Tokens, chosen_tokens, token_table
from circuit_widget.progress import IsCancelled, ProgressChoice

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects


@dataclass(frozen=True, eq=False, repr=False)
class GroupSweep:
    """The effect of changing each group by itself, and of changing each pair of groups if pairs were requested.

    `change` is what was done to each, such as "×0". The keys of `singles` are names of groups, those of `pairs` the names
    of both groups.
    """

    change: str
    singles: Mapping[str, Effect]
    pairs: Mapping[tuple[str, str], Effect]

    def __repr__(self) -> str:
        pairs = f", {len(self.pairs)} pairs" if self.pairs else ""
        return f"GroupSweep({len(self.singles)} groups {self.change}{pairs})"

    def to_frame(self, tokens: Tokens = None) -> pandas.DataFrame:
        """Return one row for each group or pair and token, by default the graph's targets, groups first.

        Columns: first, second (empty for a group by itself), token, token_id, probability, predicted_probability, logit,
        predicted_logit, rank, kl (nats), logit_change, interaction. The interaction of a pair is its change of the logit
        minus the changes of the two groups by themselves. It is 0 where these add up, and missing for a group by itself.

        Raises:
            PromptError: an id outside the vocabulary, or a text that is not among the tokens of any effect.
        """
        effects, names = self._all()
        frame = token_table(effects, chosen_tokens(effects, tokens))
        experiments = frame.pop("experiment")
        frame.insert(0, "first", [names[number][0] for number in experiments])
        frame.insert(1, "second", [names[number][1] for number in experiments])
        before = effects[0].logits_before[frame["token_id"].to_numpy()]
        frame["logit_change"] = frame["logit"] - before
        rows = frame[["first", "second", "token_id", "logit_change"]].to_dict("records")
        own = {(row["first"], row["token_id"]): row["logit_change"] for row in rows if not row["second"]}
        frame["interaction"] = [
            row["logit_change"] - own[row["first"], row["token_id"]] - own[row["second"], row["token_id"]]
            if row["second"]
            else np.nan
            for row in rows
        ]
        return frame

    def plot(self, token: str | int | None = None) -> plotly.graph_objects.Figure:
        """Return a plotly figure of one token, by default the likeliest target.

        Without pairs, it has bars: the token's probability after changing each group. With pairs, it is a heat map of
        the changes of the token's logit: groups by themselves on the diagonal, pairs below it.
        """
        effects, _ = self._all()
        wanted, text = next(iter(chosen_tokens(effects, token).items()))
        frame = self.to_frame(wanted)
        return self._square(frame, text) if self.pairs else self._bars(frame, text)

    def _all(self) -> tuple[list[Effect], list[tuple[str, str]]]:
        names = [*((name, "") for name in self.singles), *self.pairs]
        return [*self.singles.values(), *self.pairs.values()], names

    def _bars(self, frame: pandas.DataFrame, text: str) -> plotly.graph_objects.Figure:
        import plotly.graph_objects as go

        effect = next(iter(self.singles.values()))
        before = effect.probability(int(frame["token_id"].iloc[0]))[0]
        bars = go.Bar(
            x=frame["probability"].tolist(),
            y=[plain(name) for name in frame["first"]],
            orientation="h",
            marker_color="#2f6bba",
        )
        figure = go.Figure(bars)
        figure.add_vline(x=before, line_dash="dot", annotation_text="before")
        figure.update_layout(
            title=plain(f"{text!r} after each group {self.change} ({effect.frozen})"),
            xaxis={"title": "probability", "range": [0, 1]},
            yaxis={"autorange": "reversed", "type": "category"},
            template="plotly_white",
        )
        return figure

    def _square(self, frame: pandas.DataFrame, text: str) -> plotly.graph_objects.Figure:
        import plotly.graph_objects as go

        names = list(self.singles)
        square = np.full((len(names), len(names)), np.nan)
        for row in frame.to_dict("records"):
            first, second = names.index(row["first"]), names.index(row["second"] or row["first"])
            square[max(first, second), min(first, second)] = row["logit_change"]
        labels = [plain(name) for name in names]
        heat = go.Heatmap(
            z=square.tolist(), x=labels, y=labels, colorscale="RdBu", zmid=0, colorbar={"title": "change of logit"}
        )
        figure = go.Figure(heat)
        figure.update_layout(
            title=plain(f"{text!r} after pairs of groups {self.change}"),
            xaxis={"type": "category"},
            yaxis={"autorange": "reversed", "type": "category"},
            template="plotly_white",
        )
        return figure


def sweep_groups(
    model: Runner,
    graph: Graph,
    groups: Groups = None,
    *,
    factor: float = 0.0,
    pairs: bool = False,
    n: int = 10,
    mode: Mode = "total",
    on_effects: OnEffects | None = None,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> GroupSweep:
    """Return the effect of ablating each group of features by itself, and each pair of groups if `pairs`.

    Args:
        groups: a circuit (its supernodes and pinned features), features by the name of their group, or features
            each by itself; by default the `n` most influential ones.
        factor: what activations are multiplied by; 0 ablates.
        pairs: whether each two groups are also changed together.

    Raises:
        InterventionError: there is no group of features, or the factor is not a finite number.
    """
    found = {
        name: [feature_at(graph, index) for index in indices] for name, indices in groups_of(graph, groups, n).items()
    }
    pairs = truth_value(pairs, "pairs", InterventionError)
    names = list(found)
    both = [(one, other) for number, one in enumerate(names) for other in names[number + 1 :]] if pairs else []
    together = [*found.values(), *([*found[one], *found[other]] for one, other in both)]
    experiments = [Scale(nodes, factor) for nodes in together]
    effects = in_parts(model, graph, experiments, mode, on_effects, progress, cancelled)
    change = experiments[0].description.rsplit(" ", 1)[1]
    singles, rest = effects[: len(names)], effects[len(names) :]
    return GroupSweep(change, dict(zip(names, singles, strict=True)), dict(zip(both, rest, strict=True)))

"""Validation of a graph: its predictions of what ablating each group does to the others, beside the measured changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from jaxtyping import Float64

from circuit_widget.arguments import one_of
from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.groups import Groups, groups_of, summed
from circuit_widget.intervention.kinds import Ablate
from circuit_widget.intervention.mode import Mode
from circuit_widget.intervention.plot_text import plain
from circuit_widget.intervention.studies.faithfulness import Faithfulness, faithfulness
from circuit_widget.intervention.studies.running import Runner, part_of
from circuit_widget.nodes import NodeKind
from circuit_widget.progress import IsCancelled, ProgressChoice, reporting

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects

PairKind: TypeAlias = Literal["all", "direct", "knock_on", "beyond_direct"]

PARTS: dict[PairKind, str] = {
    "all": "all pairs",
    "direct": "direct edges alone",
    "knock_on": "pairs with knock-on effects",
    "beyond_direct": "the same less their direct part",
}

ROUNDING = 1e-5
"""Changes of a share or a logit below this count as rounding errors, without a sign."""


@dataclass(frozen=True)
class Influenced:
    """What ablating one group does to another group (as a share of its summed activation) or to a logit.

    Attributes:
        source, target, kind: the ablated group, and what it changes: a group (feature) or a token (logit).
        predicted: the change that the graph predicts, direct and indirect (knock-on) effects together.
        direct: the direct effect: the part of `predicted` along the edges from source to target alone, with all other
            features as they are.
        measured: the change in the real model.
    """

    source: str
    target: str
    kind: NodeKind
    predicted: float
    direct: float
    measured: float

    @property
    def knock_on(self) -> float:
        """The predicted indirect effect, through other features: the prediction less its direct part."""
        return self.predicted - self.direct

    @property
    def measured_knock_on(self) -> float:
        """The measured change less the direct part."""
        return self.measured - self.direct

    @property
    def by_construction(self) -> bool:
        """Whether the graph predicts no knock-on effect.

        A direct edge equals what the same ablation does in mode "direct", by construction. Agreement is then no
        evidence for features in between: there are none.
        """
        return abs(self.knock_on) <= ROUNDING


@dataclass(frozen=True, eq=False, repr=False)
class Validation:
    """What ablations change downstream, as the graph predicts it and as measured.

    `influenced` has one entry for each ablated group and each other group, or target token, that it can reach. `effects`
    are those of the ablations, by group; `faithfulness` is that of all groups together.
    """

    influenced: tuple[Influenced, ...]
    effects: Mapping[str, Effect]
    faithfulness: Faithfulness

    def __repr__(self) -> str:
        lines = [f"{len(self.effects)} groups ablated in turn ({next(iter(self.effects.values())).frozen})."]
        for row in self.agreement().to_dict("records"):
            if row["pairs"]:
                correlation = "undefined" if np.isnan(row["spearman"]) else f"{row['spearman']:.2f}"
                sign = "" if np.isnan(row["sign_share"]) else f", right sign {row['sign_share']:.0%}"
                what = f"{row['kind']}s, {PARTS[row['part']]} ({row['pairs']})"
                lines.append(f"{what}: Spearman {correlation}{sign}.")
        direct = sum(one.by_construction for one in self.influenced)
        lines.append(f"{direct} of {len(self.influenced)} pairs are direct edges alone, confirmed by construction.")
        return "\n".join([*lines, repr(self.faithfulness)])

    def __str__(self) -> str:
        """Return in one sentence how well predictions of changes agree with measurements, and what the circuit keeps."""
        kind = NodeKind.FEATURE if self._pairs(NodeKind.FEATURE) else NodeKind.LOGIT
        what = "of groups" if kind is NodeKind.FEATURE else "of logits"
        pairs, (predicted, measured) = self._pairs(kind), self._changes(kind, "all")
        correlation, sign = spearman(predicted, measured), sign_share(predicted, measured)
        direct = sum(one.by_construction for one in pairs)
        agreement = [] if np.isnan(sign) else [f"the right sign in {sign:.0%}"]
        agreement += [] if np.isnan(correlation) else [f"Spearman {correlation:.2f}"]
        ablated = "1 is ablated" if len(self.effects) == 1 else f"{len(self.effects)} are ablated in turn"
        words = " and ".join(agreement) or "nothing that can be compared"
        return (
            f"Of {len(pairs)} changes {what} when {ablated}, the graph predicts {words} "
            f"({direct} of them along direct edges alone, confirmed by construction). {self.faithfulness}"
        )

    @property
    def spearman(self) -> float:
        """Spearman correlation of predicted and measured changes of groups; NaN for fewer than three pairs."""
        return spearman(*self._changes(NodeKind.FEATURE, "all"))

    @property
    def sign_share(self) -> float:
        """Share of predicted changes of groups that were measured with the same sign; NaN where there is none."""
        return sign_share(*self._changes(NodeKind.FEATURE, "all"))

    def agreement(self) -> pandas.DataFrame:
        """Return how well prediction and measurement agree: one row for each kind (feature, logit) and part.

        The parts are:

        - "all": all pairs.
        - "direct": pairs for which the graph predicts no indirect effect. They agree by construction in mode "direct",
          so in other modes they show only the influence of what that mode freezes.
        - "knock_on": all other pairs. They are the evidence for the graph.
        - "beyond_direct": the same pairs, with the direct part subtracted from prediction and measurement. This is the
          hardest test: a feature that the direct part alone already silences cannot lose more activation.

        Columns: kind, part, pairs, spearman (rank correlation), sign_share.
        """
        import pandas

        rows = []
        for kind in (NodeKind.FEATURE, NodeKind.LOGIT):
            for part in PARTS:
                predicted, measured = self._changes(kind, part)
                row = (kind.value, part, len(predicted), spearman(predicted, measured), sign_share(predicted, measured))
                rows.append(row)
        return pandas.DataFrame(rows, columns=["kind", "part", "pairs", "spearman", "sign_share"])

    def to_frame(self) -> pandas.DataFrame:
        """Return one row for each pair.

        Columns: source, target, kind, predicted, direct, knock_on, measured, measured_knock_on, by_construction.
        Changes of groups are shares of their summed activation, those of tokens are of their logits.
        """
        import pandas

        columns = ("source", "target", "kind", "predicted", "direct", "knock_on", "measured", "measured_knock_on")
        names = [*columns, "by_construction"]
        frame = pandas.DataFrame([[getattr(one, name) for name in names] for one in self.influenced], columns=names)
        return frame.assign(kind=[str(kind) for kind in frame["kind"]])

    def plot(self, kind: Literal["feature", "logit"] = "feature") -> plotly.graph_objects.Figure:
        """Return a plotly figure of measured over predicted changes; direct edges are hollow, a line marks equality.

        Raises InterventionError for another kind.
        """
        one_of(kind, ("feature", "logit"), "The kind of a plotted change", InterventionError)
        import plotly.graph_objects as go

        frame = self.to_frame()
        frame = frame[frame["kind"] == kind]
        figure = go.Figure()
        looks = ((False, "with knock-on effects", "circle"), (True, "direct edges alone", "circle-open"))
        for direct, name, symbol in looks:
            rows = frame[frame["by_construction"] == direct]
            figure.add_trace(
                go.Scatter(
                    name=name,
                    x=rows["predicted"].tolist(),
                    y=rows["measured"].tolist(),
                    text=[plain(f"{one} → {other}") for one, other in zip(rows["source"], rows["target"], strict=True)],
                    mode="markers",
                    marker={"symbol": symbol, "color": "#2f6bba", "size": 7},
                )
            )
        ends = [
            float(frame[["predicted", "measured"]].min().min()),
            float(frame[["predicted", "measured"]].max().max()),
        ]
        equal = go.Scatter(x=ends, y=ends, mode="lines", line={"color": "#b8b8b8", "dash": "dot"}, showlegend=False)
        figure.add_trace(equal)
        unit = "change of activation (share)" if kind == "feature" else "change of logit"
        correlation = spearman(*self._changes(NodeKind(kind), "all"))
        figure.update_layout(
            title=f"Ablations predicted and measured: Spearman {correlation:.2f}",
            xaxis={"title": f"predicted {unit}"},
            yaxis={"title": f"measured {unit}"},
            template="plotly_white",
        )
        return figure

    def _pairs(self, kind: NodeKind) -> list[Influenced]:
        return [one for one in self.influenced if one.kind is kind]

    def _changes(self, kind: NodeKind, part: PairKind) -> tuple[np.ndarray, np.ndarray]:
        pairs = self._pairs(kind)
        if part != "all":
            pairs = [one for one in pairs if one.by_construction == (part == "direct")]
        if part == "beyond_direct":
            changes = [(one.knock_on, one.measured_knock_on) for one in pairs]
        else:
            changes = [(one.predicted, one.measured) for one in pairs]
        predicted, measured = np.array(changes, dtype=np.float64).reshape(-1, 2).T
        return predicted, measured


def influenced_by(
    graph: Graph, groups: Mapping[str, Sequence[int]], source: str, effect: Effect, direct: Effect
) -> list[Influenced]:
    """Return what ablating one group did to each other group it reaches, and to the targets that are tokens.

    `effect` is that of the ablation, `direct` that of the same ablation in mode "direct". A group reaches another if one
    of its features is in a lower layer than one of the other's, and not at a later position. Features that are in both
    groups count as ablated.
    """
    count = graph.n_features
    before = effect.nodes["before"].to_numpy(dtype=np.float64)[:count]
    columns = [frame[column].to_numpy(dtype=np.float64)[:count] - before for frame, column in _columns(effect, direct)]
    found = []
    for target, indices in groups.items():
        others = np.setdiff1d(indices, groups[source])
        total = summed(before[others], before[others])
        if target != source and total > 0 and _reaches(graph, groups[source], others):
            changes = [summed(change[others], before[others]) / total for change in columns]
            found.append(Influenced(source, target, NodeKind.FEATURE, *changes))
    for token, text in effect.target_tokens.items():
        logits = (effect.logits_predicted, direct.logits_predicted, effect.logits_after)
        changes = [float(after[token]) - float(effect.logits_before[token]) for after in logits]
        found.append(Influenced(source, text, NodeKind.LOGIT, *changes))
    return found


def spearman(first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]) -> float:
    """Return Spearman's rank correlation; equal values share their mean rank. NaN for fewer than three, or all equal."""
    ranks = [_ranks(values) for values in (first, second)]
    if len(first) < 3 or any(np.ptp(values) == 0 for values in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def sign_share(predicted: Float64[np.ndarray, " n"], measured: Float64[np.ndarray, " n"]) -> float:
    """Return the share of predicted changes that were measured with the same sign; NaN where no change is predicted."""
    some = np.abs(predicted) > ROUNDING
    if not some.any():
        return float("nan")
    return float((np.sign(predicted[some]) == np.sign(measured[some])).mean())


def check_mode(mode: object) -> None:
    """Refuse the mode in which the effect is the prediction.

    Raises:
        InterventionError: the mode is "direct".
    """
    if isinstance(mode, str) and mode == "direct":
        raise InterventionError(
            'In mode "direct" the effect equals the graph\'s edges by construction, so it validates nothing; '
            'use "total", "frozen_attention" or a range of layers.'
        )


def _columns(effect: Effect, direct: Effect) -> list[tuple[pandas.DataFrame, str]]:
    return [(effect.nodes, "predicted"), (direct.nodes, "predicted"), (effect.nodes, "after")]


def _ranks(values: np.ndarray) -> np.ndarray:
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[index])


def _reaches(graph: Graph, source: Sequence[int], target: np.ndarray) -> bool:
    layer, position, start = graph.feature_layer, graph.feature_position, list(source)
    above = layer[target][:, None] > layer[start]
    return bool((above & (position[target][:, None] >= position[start])).any())


def validate(
    model: Runner,
    graph: Graph,
    groups: Groups = None,
    *,
    n: int = 30,
    mode: Mode = "total",
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> Validation:
    """Return how well a graph predicts ablations: each group is ablated in turn, and the others and the targets compared.

    `groups` are as in `sweep_groups`. Predictions run through every feature of the graph; in a pruned graph, these are
    the ones it kept. The direct part of a prediction is what the ablation does in mode "direct".

    Raises:
        InterventionError: the mode is "direct", in which prediction and effect are the same.
    """
    check_mode(mode)
    found = groups_of(graph, groups, n)
    features = {name: [feature_at(graph, index) for index in indices] for name, indices in found.items()}
    ablations = [Ablate(nodes) for nodes in features.values()]
    with reporting(progress) as report:
        steps = [part_of(report, *ends) for ends in ((0, 0.7), (0.7, 0.9), (0.9, 1))]
        effects = model.intervene_many(graph, ablations, mode=mode, progress=steps[0], cancelled=cancelled)
        direct = model.intervene_many(graph, ablations, mode="direct", progress=steps[1], cancelled=cancelled)
        faithful = faithfulness(model, graph, features, mode=mode, progress=steps[2], cancelled=cancelled)
    influenced = [
        pair
        for name, effect, part in zip(found, effects, direct, strict=True)
        for pair in influenced_by(graph, found, name, effect, part)
    ]
    return Validation(tuple(influenced), dict(zip(found, effects, strict=True)), faithful)

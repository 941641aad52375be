"""Controls: an intervention compared with chance, by doing the same to similar random features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from jaxtyping import Float64

from circuit_widget.arguments import entries_of, finite_number, one_of, quoted, truth_value, whole_number
from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.kinds import Intervention, Set, SwapIn, intervention_tuple
from circuit_widget.intervention.mode import Mode
from circuit_widget.intervention.plot_text import plain
from circuit_widget.intervention.studies.control_matching import ControlMatching, match_controls
from circuit_widget.intervention.studies.running import MOST_EXPERIMENTS, Runner, part_of
from circuit_widget.intervention.studies.token_table import Tokens, chosen_tokens, plotted_tokens
from circuit_widget.model.sampling import MOST_SEED
from circuit_widget.nodes import ErrorNode, Feature, read_constant, several_nodes
from circuit_widget.progress import IsCancelled, ProgressChoice, reporting

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects

Quantity: TypeAlias = Literal["probability", "logit"]

BAND = (0.05, 0.5, 0.95)
"""Quantiles of the controls that frames and plots show."""


@dataclass(frozen=True, eq=False, repr=False)
class Controls:
    """The effect of an intervention, beside the effects of the same intervention on similar random features.

    Attributes:
        effect: of the intervention itself.
        controls: effects of the same intervention on the stand-ins, one for each control.
        matching: the stand-in of each changed feature; `matches` is the same as a frame.
        activations: activation on the prompt of each changed feature and each stand-in; 0 where it is not active.
        seed: of the random draws.
        same_position: whether stand-ins were to be at the positions of what they stand for.
    """

    effect: Effect
    controls: tuple[Effect, ...]
    matching: ControlMatching
    activations: Mapping[Feature, float]
    seed: int
    same_position: bool = True

    def __repr__(self) -> str:
        frame = self.to_frame()
        first = frame.iloc[0]
        floor = f", the smallest that {len(self.controls)} controls allow" if first["share"] == 0 else ""
        return (
            f"{self.effect.name}: {first['token']!r} {first['before']:.3g} → {first['after']:.3g}; "
            f"{len(self.controls)} controls {first['low']:.3g} to {first['high']:.3g}, p = {first['p_value']:.2g}{floor}. "
            f"{self.similarity}"
        )

    @property
    def similarity(self) -> str:
        """How similar the stand-ins are to the changed features, in a sentence or two."""
        away, count = len(self.matching.elsewhere), len(self.matching.stand_ins[0])
        where = f", for {away} of {count} features also from other positions" if away else " and positions"
        drawn = f"Drawn from the same layers{where}, the {self.matching.band} nearest in activation."
        ratio = self.activation_ratio
        if np.isnan(ratio).any():
            return drawn
        share = f"{np.median(ratio):.2f} of those of the changed features (median)"
        return f"{drawn} The sizes of their activations add up to {share}."

    @property
    def activation_ratio(self) -> Float64[np.ndarray, " controls"]:
        """Summed size of the stand-ins' activations over that of the changed features; NaN where these are inactive.

        Sizes, since neurons have activations of either sign.
        """
        own = sum(abs(self.activations[feature]) for feature in self.matching.stand_ins[0])
        sums = [sum(abs(self.activations[other]) for other in one.values()) for one in self.matching.stand_ins]
        return np.array(sums, dtype=np.float64) / (own or np.nan)

    @property
    def matches(self) -> pandas.DataFrame:
        """Return one row for each control and changed feature.

        Columns: control, feature, activation, stand_in, stand_in_activation.
        """
        import pandas

        rows = [
            (control, feature.id, self.activations[feature], other.id, self.activations[other])
            for control, one in enumerate(self.matching.stand_ins)
            for feature, other in one.items()
        ]
        return pandas.DataFrame(rows, columns=["control", "feature", "activation", "stand_in", "stand_in_activation"])

    def values(self, token: str | int, quantity: Quantity = "probability") -> Float64[np.ndarray, " controls"]:
        """Return the probability or logit of a token after each control.

        Raises:
            PromptError: an id outside the vocabulary, or a text that is not among the tokens of any effect.
            InterventionError: no such quantity.
        """
        wanted = self._token(token)
        return np.array([_before_after(one, wanted, quantity)[1] for one in self.controls])

    def band(self, values: Iterable[float]) -> tuple[float, float, float]:
        """Return the quantiles 0.05, 0.5 and 0.95 of a number that each control has.

        Raises InterventionError where there is no number, or one that is not finite.
        """
        expected = "The values of a band are a list of numbers, one for each control"
        listed = entries_of(values, expected, InterventionError)
        numbers = [finite_number(value, "A value of a band", InterventionError) for value in listed]
        if not numbers:
            raise InterventionError(f"{expected}; given none.")
        low, median, high = np.quantile(np.array(numbers, dtype=np.float64), BAND)
        return float(low), float(median), float(high)

    def activation_band(self, nodes: Iterable[str | Feature]) -> tuple[float, float] | None:
        """Return the quantiles 0.05 and 0.95, over controls, of the summed activation of some features after / before.

        None where they were not active before.

        Raises:
            NodeError: a node that is not among the features of the effects.
        """
        wanted = several_nodes(nodes, NodeError)
        ratios = np.array([one.ratio(wanted)[0] for one in self.controls])
        if not np.isfinite(ratios).all():
            return None
        low, _, high = self.band(ratios)
        return low, high

    def kl(self) -> Float64[np.ndarray, " controls"]:
        """Return the KL divergence of each control, in nats; see `Effect.kl`."""
        return np.array([one.kl for one in self.controls])

    def share(self, token: str | int, quantity: Quantity = "probability") -> float:
        """Return the share of controls that changed a token at least as much as the intervention did, up or down."""
        return float(self._as_much(token, quantity).mean())

    def p_value(self, token: str | int, quantity: Quantity = "probability") -> float:
        """Return `(1 + controls that changed the token at least as much) / (1 + controls)`.

        The one added is the intervention itself, so that it is never below `1 / (1 + controls)` (North, Curtis and Sham 2002).
        """
        return _p_value(self._as_much(token, quantity))

    def to_frame(self, tokens: Tokens = None) -> pandas.DataFrame:
        """Return one row for each quantity and token, by default the graph's targets, and one for the KL divergence.

        Columns: quantity ("probability", "logit", "kl"), token, token_id, before, after, low, median, high (quantiles
        0.05, 0.5 and 0.95 of the controls), share, p_value.
        """
        import pandas

        rows: list[dict[str, object]] = []
        for token, text in chosen_tokens(self._effects, tokens).items():
            for quantity in ("probability", "logit"):
                before, after = _before_after(self.effect, token, quantity)
                row = _row(self.values(token, quantity), self._as_much(token, quantity))
                rows.append(
                    {"quantity": quantity, "token": text, "token_id": token, "before": before, "after": after, **row}
                )
        rows.sort(key=lambda row: row["quantity"] != "probability")
        kl = self.kl()
        divergence = {"quantity": "kl", "token": "", "token_id": -1, "before": 0.0, "after": self.effect.kl}
        rows.append({**divergence, **_row(kl, kl >= self.effect.kl)})
        return pandas.DataFrame(rows)

    def plot(self, tokens: Tokens = None) -> plotly.graph_objects.Figure:
        """Return a plotly figure: for each token the controls as a grey band, with markers for before and after.

        Tokens are by default those that are the likeliest before or after the intervention.
        """
        import plotly.graph_objects as go

        chosen = plotted_tokens((self.effect,), None) if tokens is None else chosen_tokens(self._effects, tokens)
        names = [plain(text) for text in chosen.values()]
        figure = go.Figure()
        for token, name in zip(chosen, names, strict=True):
            figure.add_trace(
                go.Box(
                    name="controls",
                    x=self.values(token),
                    y=[name] * len(self.controls),
                    orientation="h",
                    boxpoints="all",
                    jitter=0.5,
                    pointpos=0,
                    marker={"color": "#b8b8b8", "size": 4},
                    line_color="#b8b8b8",
                    showlegend=token == next(iter(chosen)),
                )
            )
        for when, index, color, symbol in (("before", 0, "#23211e", "line-ns"), ("after", 1, "#2f6bba", "diamond")):
            values = [self.effect.probability(token)[index] for token in chosen]
            marker = {"symbol": symbol, "size": 12, "color": color, "line": {"width": 2, "color": color}}
            figure.add_trace(go.Scatter(name=when, x=values, y=names, mode="markers", marker=marker))
        figure.update_layout(
            title=plain(f"{self.effect.name} and {len(self.controls)} controls ({self.effect.frozen})"),
            xaxis={"title": "probability", "range": [0, 1]},
            yaxis={"autorange": "reversed", "type": "category"},
            template="plotly_white",
        )
        return figure

    @property
    def _effects(self) -> tuple[Effect, ...]:
        return (self.effect, *self.controls)

    def _token(self, token: str | int) -> int:
        return next(iter(chosen_tokens(self._effects, token)))

    def _as_much(self, token: str | int, quantity: Quantity) -> np.ndarray:
        wanted = self._token(token)
        before, after = _before_after(self.effect, wanted, quantity)
        return np.asarray(np.abs(self.values(wanted, quantity) - before) >= abs(after - before))


def check_features(interventions: Sequence[Intervention]) -> None:
    """Refuse interventions on errors and tokens, which have no stand-ins.

    Raises:
        InterventionError: a node is the id of an error or a token.
    """
    for node in (node for one in interventions for node in one.members):
        constant = read_constant(node) if isinstance(node, str) else None
        if constant is not None:
            kind = "an error" if isinstance(constant, ErrorNode) else "a token"
            raise InterventionError(f"Controls are drawn for features alone; {quoted(node)} is {kind}. Leave it out.")


def changed_features(effect: Effect, interventions: Sequence[Intervention]) -> tuple[Feature, ...]:
    """Return the features that an effect's interventions changed, those swapped in included.

    Raises:
        InterventionError: something other than features was changed.
    """
    nodes = [node for one in effect.interventions for node in one.members]
    swapped = [node for one in interventions if isinstance(one, SwapIn) for node in one.incoming]
    injected = [feature for feature, _ in effect.injected]
    return tuple(dict.fromkeys(_feature(effect.graph, node) for node in (*nodes, *swapped, *injected)))


def control_experiment(
    effect: Effect, stand_ins: Mapping[Feature, Feature], before: Mapping[Feature, float]
) -> list[Intervention]:
    """Return the interventions of an effect on the stand-ins.

    For a swap, the stand-in of an active feature keeps the ratio of new value to activation, that of an inactive feature
    gets the same value.
    """
    return [_on_stand_ins(one, effect, stand_ins, before) for one in effect.interventions]


def _on_stand_ins(
    one: Intervention, effect: Effect, stand_ins: Mapping[Feature, Feature], before: Mapping[Feature, float]
) -> Intervention:
    graph = effect.graph
    if not isinstance(one, SwapIn):
        return replace(one, nodes=[stand_ins[_feature(graph, node)] for node in one.members])
    after = dict(zip(effect.nodes["id"], effect.nodes["after"], strict=True))
    features = [_feature(graph, node) for node in (*one.members, *one.incoming)]
    features = list(dict.fromkeys((*features, *(feature for feature, _ in effect.injected))))
    values = []
    for feature in features:
        value, activation, other = after[feature.id], before.get(feature, 0.0), before.get(stand_ins[feature], 0.0)
        values.append(value / activation * other if activation else value)
    return Set([stand_ins[feature] for feature in features], values)


def _feature(graph: Graph, node: object) -> Feature:
    if isinstance(node, Feature):
        return node
    index = graph.index(node) if isinstance(node, str) else graph.n_nodes
    if index < graph.n_features:
        return feature_at(graph, index)
    raise InterventionError(f"Controls are drawn for features alone; {quoted(node)} is none. Leave it out.")


def _before_after(effect: Effect, token: int, quantity: Quantity) -> tuple[float, float]:
    if one_of(quantity, ("probability", "logit"), "A quantity", InterventionError) == "logit":
        return float(effect.logits_before[token]), float(effect.logits_after[token])
    return effect.probability(token)


def _row(values: Float64[np.ndarray, " controls"], as_much: np.ndarray) -> dict[str, float]:
    low, median, high = np.quantile(values, BAND)
    return {
        "low": float(low),
        "median": float(median),
        "high": float(high),
        "share": float(as_much.mean()),
        "p_value": _p_value(as_much),
    }


def _p_value(as_much: np.ndarray) -> float:
    return (1 + int(as_much.sum())) / (1 + len(as_much))


def controls(
    model: Runner,
    graph: Graph,
    interventions: Sequence[Intervention] | Intervention,
    *,
    n: int = 20,
    seed: int = 0,
    same_position: bool = True,
    mode: Mode = "total",
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> Controls:
    """Return the effect of interventions beside the effects of the same on `n` sets of similar random features.

    The stand-in of an active feature is active in the same layer and near in activation; it is at the same position if
    `same_position` and if enough features there are similar. The stand-in of an inactive feature is inactive in the
    same layer at the same position. Changed features are never stand-ins, at no position. Where too few features are
    similar, the band widens and then has other positions of the layer; `similarity` of the result reports it. For a
    swap, stand-ins keep the ratio of the new value to the activation.

    Raises:
        InterventionError: there are too few stand-ins, n is not a whole number from 1 to 10,000, or something other
            than features is changed.
    """
    n = whole_number(n, "n, the number of controls,", InterventionError, least=1)
    if n > MOST_EXPERIMENTS:
        raise InterventionError(f"At most {MOST_EXPERIMENTS:,} controls run at once; given n = {quoted(n)}.")
    seed = whole_number(seed, "seed", InterventionError, most=MOST_SEED)
    same_position = truth_value(same_position, "same_position", InterventionError)
    listed = intervention_tuple(interventions)
    check_features(listed)
    activations = model._activations_of(graph, cancelled=cancelled)
    with reporting(progress) as report:
        first = part_of(report, 0, 1 / (n + 1))
        (effect,) = model.intervene_many(graph, [listed], mode=mode, progress=first, cancelled=cancelled)
        changed = changed_features(effect, listed)
        matching = match_controls(
            changed, activations, model.transcoders.n_features, n, seed, same_position=same_position
        )
        experiments = [control_experiment(effect, one, activations) for one in matching.stand_ins]
        rest = part_of(report, 1 / (n + 1), 1)
        controls = model.intervene_many(graph, experiments, mode=mode, progress=rest, cancelled=cancelled)
    known = {*changed, *(other for one in matching.stand_ins for other in one.values())}
    before = {feature: float(activations.get(feature, 0.0)) for feature in known}
    return Controls(effect, controls, matching, before, seed, same_position)

"""The measured effect of an intervention, beside what the graph predicted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int

from circuit_widget.arguments import plain_number, quoted
from circuit_widget.errors import NodeError, PromptError
from circuit_widget.graph import Graph
from circuit_widget.intervention.groups import Groups, groups_of, summed
from circuit_widget.intervention.injected_edges import InjectedEdges
from circuit_widget.intervention.plot_text import plain
from circuit_widget.intervention.saved_readings import SavedReadings
from circuit_widget.model.probability import log_softmax, softmax
from circuit_widget.nodes import Feature, NodeKind, several_nodes

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects

    from circuit_widget.intervention.execution.target_readings import TargetReading
    from circuit_widget.intervention.kinds import Intervention

TOP_TOKENS = 10

MOST_NAMED = 3
"""Interventions that the sentence about an effect names."""


@dataclass(frozen=True, eq=False, repr=False)
class Effect:
    """What an intervention did, measured on the real model, and what the graph predicted.

    Attributes:
        graph: the graph whose nodes were changed.
        interventions, mode: what was done, and what was frozen meanwhile; `frozen` describes the mode in words.
        nodes: frame with id, before, after, predicted: activations of the graph's features, then of features that were
            changed and are not in the graph. Predictions are linear and may be negative. In mode "direct" the model is
            linear too, and `after` is read before the activation function.
        tokens: frame with token, token_id, before, after, predicted (probabilities), logit_before, logit_after,
            logit_predicted: the ten most likely tokens before and those after, most likely before first.
        logits_before, logits_after, logits_predicted: all logits at the traced position; the last as the graph predicts.
        injected: changed features that were not active, each with its value.
        injected_edges: what the injected features supply to the graph's nodes, by their direct effects on its prompt;
            None where there are none, or where a file does not have them.
        labels: node id -> label, for injected features that have one.
        seconds, device, dtype: how long the measurement took, and where.
        readings: for the targets that are contrasts or directions, by id, their values before and after; `targets` has
            all targets.
        saved: of an effect that was read from a file, what it has in place of the logits of unlikely tokens, which are
            NaN; else None.
    """

    graph: Graph
    interventions: tuple[Intervention, ...]
    mode: str
    frozen: str
    nodes: pandas.DataFrame
    tokens: pandas.DataFrame
    logits_before: Float32[np.ndarray, " vocabulary"]
    logits_after: Float32[np.ndarray, " vocabulary"]
    logits_predicted: Float32[np.ndarray, " vocabulary"]
    injected: tuple[tuple[Feature, float], ...]
    labels: Mapping[str, str]
    seconds: float
    device: str
    dtype: str
    readings: Mapping[int, TargetReading] = field(default_factory=dict)
    saved: SavedReadings | None = None
    injected_edges: InjectedEdges | None = None

    def __repr__(self) -> str:
        """Return in one sentence what was done and what it did to the first target and the likeliest token."""
        names = [intervention.description for intervention in self.interventions]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        target = self.graph.targets[0]
        if target.token_id in self.target_tokens:
            before, after, predicted = self._probabilities(target.token_id)
        else:
            _, before, after, predicted = self._read(target.token_id)
        texts = self.tokens["token"].tolist()
        first, last = (texts[int(self.tokens[column].to_numpy().argmax())] for column in ("before", "after"))
        answer = f"stays {first!r}" if first == last else f"was {first!r} and is {last!r}"
        return (
            f"{', '.join(names[:MOST_NAMED])}{more} ({self.frozen}): {target.token!r} {before:.3g} → {after:.3g}, predicted "
            f"{predicted:.3g}; the likeliest token {answer} ({self.tokens['after'].max():.3g})."
        )

    @property
    def name(self) -> str:
        """The interventions in a few words."""
        return ", ".join(intervention.description for intervention in self.interventions)

    @property
    def predicted_logits(self) -> dict[int, float]:
        """For each token that is a target of the graph, its predicted logit."""
        return {token: float(self.logits_predicted[token]) for token in self.target_tokens}

    @property
    def target_tokens(self) -> dict[int, str]:
        """Id -> text of the graph's targets that are tokens; contrasts and directions are left out."""
        known = len(self.logits_predicted)
        return {target.token_id: target.token for target in self.graph.targets if target.token_id < known}

    @cached_property
    def targets(self) -> pandas.DataFrame:
        """One row for each target of the graph: id, target (its name), kind, before, after, predicted.

        The values of a token are its logits as the model computes them, after any softcap. Those of a contrast are the
        difference of two logits, those of a direction its product with the residual stream after the final norm; both
        are before any softcap, as edges are. They are missing where the graph does not have the target's direction.
        """
        import pandas

        rows = [
            (node, target.token, *self._read(target.token_id))
            for node, target in zip(self._target_ids, self.graph.targets, strict=True)
        ]
        return pandas.DataFrame(rows, columns=["id", "target", "kind", "before", "after", "predicted"])

    def _read(self, token: int) -> tuple[str, float, float, float]:
        if token in self.target_tokens:
            before, after, predicted = (float(logits[token]) for logits in self._logits.values())
            return "token", before, after, predicted
        reading = self.readings.get(token)
        if reading is None:
            return "direction", math.nan, math.nan, math.nan
        return reading.kind, reading.before, reading.after, reading.predicted

    @property
    def kl(self) -> float:
        """KL divergence of the next token's distribution, before from after: `sum_v p_v log(p_v / q_v)`, in nats.

        `p_v` is the probability of token v before the intervention and `q_v` after it. 0 where nothing changed.
        """
        if self.saved is not None:
            return self.saved.kl
        before, after = log_softmax(self.logits_before), log_softmax(self.logits_after)
        return max(0.0, float((np.exp(before) * (before - after)).sum()))

    def rank(self, token: str | int) -> tuple[int, int]:
        """Return the rank of a token before and after, 1 the most likely; equally likely tokens have the same rank.

        Raises:
            PromptError: as `token_id` does, and for a token that was not saved.
        """
        wanted = self._known(token)
        if self.saved is not None:
            return self.saved.ranks[wanted]
        before, after = (int((logits > logits[wanted]).sum()) + 1 for logits in (self.logits_before, self.logits_after))
        return before, after

    def probability(self, token: str | int) -> tuple[float, float]:
        """Return the probability of a token before and after.

        Raises:
            PromptError: as `rank` does.
        """
        before, after, _ = self._probabilities(token)
        return before, after

    def predicted_probability(self, token: str | int) -> float:
        """Return the probability of a token as the graph predicts it, from the predictions of all logits.

        Raises:
            PromptError: as `rank` does.
        """
        return self._probabilities(token)[2]

    def _probabilities(self, token: str | int) -> list[float]:
        wanted = self._known(token)
        pairs = zip(self._logits.values(), self.log_totals, strict=True)
        return [math.exp(float(logits[wanted]) - total) for logits, total in pairs]

    @cached_property
    def log_totals(self) -> tuple[float, float, float]:
        """The logarithm of the summed exponentials of all logits: before, after, and as the graph predicts."""
        if self.saved is not None:
            return self.saved.log_totals
        before, after, predicted = (
            float(logits.max()) - float(log_softmax(logits).max()) for logits in self._logits.values()
        )
        return before, after, predicted

    def _known(self, token: str | int) -> int:
        wanted = self.token_id(token)
        if self.saved is not None and wanted not in self.saved.ranks:
            raise PromptError(
                f"Token {wanted} is not among the likely tokens that were saved with this effect. Run its interventions "
                "again to read it."
            )
        return wanted

    def token_id(self, token: str | int) -> int:
        """Return the id of a token: its id, or its text if it is a target or among the ten most likely, before or after.

        A text also finds the token with a space before it: of the two, the likelier one before the intervention, so that
        a text is the same token whatever was changed.

        Raises:
            PromptError: an id outside the vocabulary, or a text that is not among those tokens.
        """
        if not isinstance(token, str):
            number = plain_number(token)
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(self.logits_before):
                raise PromptError(f"Token ids lie in 0 to {len(self.logits_before) - 1}; given {quoted(token)}.")
            return number
        texts = {**dict(zip(self.tokens["token_id"], self.tokens["token"], strict=True)), **self.target_tokens}
        found = [int(number) for number, text in texts.items() if text in (token, f" {token}")]
        if found:
            return max(found, key=lambda number: float(self.logits_before[number]))
        raise PromptError(
            f"{quoted(token)} is neither a target nor among the ten most likely tokens before or after; "
            "give its id, which model.tokenize returns."
        )

    def ratio(self, nodes: str | Feature | Iterable[str | Feature]) -> tuple[float, float]:
        """Return summed activation after / before of some features, each counted once, as (measured, predicted).

        `sum_i after_i sign(before_i) / sum_i |before_i|`, over features i: those of transcoders are never negative, neurons
        have either sign. NaN where they were not active before.

        Raises:
            NodeError: a node that is not among the features of this effect.
        """
        ids = [node.id if isinstance(node, Feature) else node for node in several_nodes(nodes, NodeError)]
        table = self.nodes.set_index("id")
        for node in ids:
            if not isinstance(node, str) or node not in table.index:
                raise NodeError(f"{quoted(node)} is not a feature of this effect; see effect.nodes.")
        wanted = list(dict.fromkeys(ids))
        rows = table.loc[wanted]
        before = rows["before"].to_numpy(dtype=np.float64)
        total = summed(before, before)
        if total == 0:
            return float("nan"), float("nan")
        measured, predicted = (
            summed(rows[column].to_numpy(dtype=np.float64), before) / total for column in ("after", "predicted")
        )
        return measured, predicted

    def to_frame(self, groups: Groups = None) -> pandas.DataFrame:
        """Return one row for each feature and each target: kind, id, label, before, after, predicted.

        Features come with their activations, targets (kind "logit") with their values, see `targets`; their labels are
        their names. With groups (a circuit, or features by name) each has a row, too, of kind "supernode": the summed
        activations of its features, each in the direction that it had before (see `ratio`); its id is its name.

        Raises:
            InterventionError, NodeError: no features in the groups, or nodes that are not in the graph.
        """
        import pandas

        labels = {**self.graph.labels, **self.labels}
        features = self.nodes.assign(
            kind=NodeKind.FEATURE.value, label=[labels.get(node, "") for node in self.nodes["id"]]
        )
        targets = self.targets.assign(kind=NodeKind.LOGIT.value).rename(columns={"target": "label"})
        columns = ["kind", "id", "label", "before", "after", "predicted"]
        sums = [] if groups is None else [self._sums(groups)[columns]]
        return pandas.concat([features[columns], *sums, targets[columns]], ignore_index=True)

    def _sums(self, groups: Groups) -> pandas.DataFrame:
        import pandas

        found = groups_of(self.graph, groups, 1)
        nodes = self.nodes[["before", "after", "predicted"]].astype(np.float64)
        before = nodes["before"].to_numpy()
        sums = pandas.DataFrame(
            {
                column: [summed(nodes[column].to_numpy()[list(some)], before[list(some)]) for some in found.values()]
                for column in ("before", "after", "predicted")
            }
        )
        return sums.assign(kind="supernode", id=list(found), label=list(found))

    @property
    def _target_ids(self) -> tuple[str, ...]:
        return self.graph.node_ids[self.graph.n_nodes - len(self.graph.targets) :]

    @property
    def _logits(self) -> dict[str, np.ndarray]:
        return {"before": self.logits_before, "after": self.logits_after, "predicted": self.logits_predicted}

    def plot(self) -> plotly.graph_objects.Figure:
        """Return a plotly figure: probabilities of the top tokens before and after, and a tick where predicted."""
        import plotly.graph_objects as go

        tokens = [plain(token) for token in self.tokens["token"]]
        traces = [
            go.Bar(name=when, y=tokens, x=self.tokens[when], orientation="h", marker_color=color)
            for when, color in (("before", "#b8b8b8"), ("after", "#2f6bba"))
        ]
        ticks = {"symbol": "line-ns", "size": 14, "line": {"width": 2, "color": "#23211e"}}
        targets = self.tokens[self.tokens["token_id"].isin(list(self.target_tokens))]
        traces.append(
            go.Scatter(
                name="predicted by the graph",
                y=[plain(token) for token in targets["token"]],
                x=[self.predicted_probability(token) for token in targets["token_id"].tolist()],
                mode="markers",
                marker=ticks,
            )
        )
        figure = go.Figure(traces)
        figure.update_layout(
            title=plain(f"{self.name} ({self.frozen})"),
            xaxis={"title": "probability", "range": [0, 1]},
            yaxis={"autorange": "reversed", "type": "category", "categoryarray": tokens},
            template="plotly_white",
        )
        return figure


def node_frame(
    ids: Sequence[str],
    before: Float32[np.ndarray, " features"],
    after: Float32[np.ndarray, " features"],
    predicted: Float32[np.ndarray, " features"],
) -> pandas.DataFrame:
    """Return one row for each feature, with its activations."""
    import pandas

    return pandas.DataFrame({"id": list(ids), "before": before, "after": after, "predicted": predicted})


def token_frame(
    before: Float32[np.ndarray, " vocabulary"],
    after: Float32[np.ndarray, " vocabulary"],
    predicted: Float32[np.ndarray, " vocabulary"],
    texts: Callable[[Sequence[int]], list[str]],
) -> pandas.DataFrame:
    """Return the ten most likely tokens before and those after, most likely before first, with what was predicted."""
    import pandas

    probabilities = [softmax(logits) for logits in (before, after, predicted)]
    likely = np.union1d(most_likely(before), most_likely(after))
    order = likely[np.lexsort((-probabilities[1][likely], -probabilities[0][likely]))]
    return pandas.DataFrame(
        {
            "token": texts(order.tolist()),
            "token_id": order.astype(np.int64),
            "before": probabilities[0][order],
            "after": probabilities[1][order],
            "predicted": probabilities[2][order],
            "logit_before": before[order],
            "logit_after": after[order],
            "logit_predicted": predicted[order],
        }
    )


def most_likely(logits: Float32[np.ndarray, " vocabulary"], count: int = TOP_TOKENS) -> Int[np.ndarray, " tokens"]:
    """Return the ids of the largest logits, the largest first; among equal ones the lower id comes first."""
    candidates = np.arange(len(logits))
    if count < len(logits):
        candidates = np.flatnonzero(logits >= np.partition(logits, -count)[-count])
    return candidates[np.argsort(-logits[candidates], kind="stable")][:count]

"""Faithfulness of a circuit: whether it is necessary for the model's prediction, and whether it is sufficient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from circuit_widget.arguments import truth_value
from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.groups import Groups, groups_of
from circuit_widget.intervention.kinds import Ablate, Scale
from circuit_widget.intervention.mode import Mode
from circuit_widget.intervention.studies.running import Runner
from circuit_widget.intervention.studies.token_table import Tokens, chosen_tokens
from circuit_widget.nodes import Feature, error_id
from circuit_widget.progress import IsCancelled, ProgressChoice

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False, repr=False)
class Faithfulness:
    """The model without the features of a circuit, and with the features of the circuit alone.

    Attributes:
        without: the effect of ablating the circuit's features (necessity).
        only: the effect of ablating every other feature that is active on the prompt (sufficiency). Features at the
            first position are never read and stay, and so do features that become active only then.
        inside, outside: the number of features that `without` and `only` ablate.
        errors: the number of errors that `only` ablates too; `without` keeps all errors.

    Attention and embeddings are the model's own in both, so a high sufficiency does not prove that features alone
    suffice.
    """

    without: Effect
    only: Effect
    inside: int
    outside: int
    errors: int = 0

    def __repr__(self) -> str:
        token, text = next(iter(chosen_tokens((self.without, self.only), None).items()))
        return (
            f"{text!r} {self.without.probability(token)[0]:.3g}: without the circuit's {self.inside} features "
            f"{self.necessity(token):.0%} of it is left, with all {self.outside} others ablated {self.sufficiency(token):.0%} "
            f"({f'all {self.errors} errors ablated too' if self.errors else 'errors stay'})."
        )

    def __str__(self) -> str:
        """Return what was measured in one sentence, with where the graph has most of the influence that was left out."""
        token, text = next(iter(chosen_tokens((self.without, self.only), None).items()))
        before, alone = self.only.probability(token)
        if not before:
            return f"{text!r} has probability 0 with nothing ablated, so nothing of it can be kept or lost."
        kept, left = _percent(self.sufficiency(token)), _percent(self.necessity(token))
        errors = f" and without the {self.errors} errors" if self.errors else ""
        sentence = (
            f"This circuit alone{errors} keeps {kept} of {text!r} ({before:.2g} → {alone:.2g}), and {left} of it is left without "
            "the circuit"
        )
        return f"{sentence}{_left_out(self.only.graph, self.without)}."

    def necessity(self, token: str | int | None = None) -> float:
        """Return the share of a token's probability that is left without the circuit; near 0 if the circuit is necessary.

        The token is by default the first target.
        """
        return _share_left(self.without, self._token(token))

    def sufficiency(self, token: str | int | None = None) -> float:
        """Return the share of a token's probability that is left with the graph's other features ablated; near 1 if sufficient."""
        return _share_left(self.only, self._token(token))

    def to_frame(self, tokens: Tokens = None) -> pandas.DataFrame:
        """Return one row for each token, by default the graph's targets.

        Columns: token, token_id, before, without, only (probabilities), necessity, sufficiency (shares of before left).
        """
        import pandas

        rows = [
            {
                "token": text,
                "token_id": token,
                "before": self.without.probability(token)[0],
                "without": self.without.probability(token)[1],
                "only": self.only.probability(token)[1],
                "necessity": self.necessity(token),
                "sufficiency": self.sufficiency(token),
            }
            for token, text in chosen_tokens((self.without, self.only), tokens).items()
        ]
        return pandas.DataFrame(rows)

    def _token(self, token: str | int | None) -> int:
        return next(iter(chosen_tokens((self.without, self.only), token)))


def _left_out(graph: Graph, without: Effect) -> str:
    """Return at which token and layer the features outside a circuit have most influence; nothing where there are none."""
    inside = {node.id for one in without.interventions for node in one.members if isinstance(node, Feature)}
    outside = np.array([node not in inside for node in graph.node_ids[: graph.n_features]], dtype=bool)
    influence = np.where(outside, graph.influence[: graph.n_features].astype(np.float64), 0.0)
    if not influence.any():
        return ""
    places = graph.feature_layer.astype(np.int64) * len(graph.tokens) + graph.feature_position
    sums = np.bincount(places, influence)
    layer, position = divmod(int(np.argmax(sums)), len(graph.tokens))
    share = float(sums.max() / sums.sum())
    most = "most" if share > 0.5 else "the largest part"
    return (
        f"; {most} of the influence of the {graph.basis} that it leaves out ({_percent(share)}) is at "
        f"{graph.tokens[position].text!r}, layer {layer}"
    )


def _percent(share: float) -> str:
    if 0 < share < 0.001:
        return "less than 0.1%"
    return f"{share:.1%}" if 0 < share < 0.0095 else f"{share:.0%}"


def _share_left(effect: Effect, token: int) -> float:
    before, after = effect.probability(token)
    return after / before if before else float("nan")


def faithfulness(
    model: Runner,
    graph: Graph,
    groups: Groups = None,
    *,
    n: int = 30,
    ablate_errors: bool = False,
    mode: Mode = "total",
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> Faithfulness:
    """Return how necessary and how sufficient the features of a circuit are for the model's prediction.

    One run ablates the circuit's features, another all other features. `groups` are as in `sweep_groups`. All features
    that are active on the prompt count, also those that the graph left out. Attention, embeddings and errors stay as the
    model has them; with `ablate_errors` the second run also ablates the errors of all layers and positions. Of neurons,
    which are all active, those that are no nodes count as errors.
    """
    ablate_errors = truth_value(ablate_errors, "ablate_errors", InterventionError)
    inside = {index for indices in groups_of(graph, groups, n).values() for index in indices}
    features = [feature_at(graph, index) for index in sorted(inside)]
    activations = model._activations_of(graph, cancelled=cancelled)
    nodes = map(partial(feature_at, graph), range(graph.n_features)) if graph.basis == "neurons" else activations
    others = sorted(set(nodes) - set(features))
    positions = range(activations.first_position, graph.position + 1) if ablate_errors else range(0)
    errors = [error_id(layer, position) for layer in range(graph.n_layers) for position in positions]
    # With nothing to ablate, the second run is the model as it is.
    only = Ablate([*others, *errors]) if others or errors else Scale(features, 1.0)
    without, alone = model.intervene_many(
        graph, [Ablate(features), only], mode=mode, progress=progress, cancelled=cancelled
    )
    return Faithfulness(without, alone, len(features), len(others), len(errors))

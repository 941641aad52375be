"""Whether a circuit is needed for what the model says, and whether it is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
from circuit_widget.nodes import error_id
from circuit_widget.progress import IsCancelled, ProgressChoice

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False, repr=False)
class Faithfulness:
    """The model without the features of a circuit, and with no other features than these.

    `without` ablates the circuit's features, `only` every other feature that is active on the prompt (features at the
    first position, which are never read, run on, and so do those that only become active meanwhile). What the
    transcoders fail to reconstruct stays in `without`, and in `only` unless `errors`, the number that were ablated there,
    says otherwise. Attention and embeddings are the model's own in both, so that `only` is no proof that features alone
    suffice. `inside` and `outside` count the features.
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

    def necessity(self, token: str | int | None = None) -> float:
        """Return what is left of a token's probability without the circuit, as a share; near 0 where it is needed.

        The token is by default the first target.
        """
        return _left(self.without, self._token(token))

    def sufficiency(self, token: str | int | None = None) -> float:
        """Return what is left of a token's probability with every other feature ablated; near 1 where it is enough."""
        return _left(self.only, self._token(token))

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


def _left(effect: Effect, token: int) -> float:
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
    """Return what is left of the targets' probabilities without a circuit's features, and with no other features.

    `groups` are as in `sweep_groups`. Every feature that is active on the prompt counts, also where the graph left
    it out. Attention and embeddings stay as the model has them, and so do errors; with `ablate_errors` every error
    of all layers and positions is ablated together with the other features.
    """
    ablate_errors = truth_value(ablate_errors, "ablate_errors", InterventionError)
    inside = {place for some in groups_of(graph, groups, n).values() for place in some}
    features = [feature_at(graph, place) for place in sorted(inside)]
    activations = model._activations_of(graph, cancelled=cancelled)
    others = sorted(set(activations) - set(features))
    positions = range(activations.first_position, graph.position + 1) if ablate_errors else range(0)
    errors = [error_id(layer, position) for layer in range(graph.n_layers) for position in positions]
    # Where there is nothing else, the model as it is.
    only = Ablate([*others, *errors]) if others or errors else Scale(features, 1.0)
    without, alone = model.intervene_many(
        graph, [Ablate(features), only], mode=mode, progress=progress, cancelled=cancelled
    )
    return Faithfulness(without, alone, len(features), len(others), len(errors))

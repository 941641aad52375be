"""What an intervention does to targets that are not tokens: contrasts of two tokens, and directions after the final norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.attribution.targets import ChosenTarget, Contrast
from circuit_widget.graph import Graph
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.tracing.target_readout import chosen_targets


@dataclass(frozen=True)
class TargetReading:
    """The product of a target's direction with the normed residual stream at the traced position, plus its constant.

    Before the intervention, after it, and after it as the graph predicts.
    """

    kind: Literal["contrast", "direction"]
    before: float
    after: float
    predicted: float


class TargetReaders:
    """Reads the targets of a graph that are not tokens from the residual stream after the final norm."""

    def __init__(self, model: LanguageModel, run: PromptRun, graph: Graph) -> None:
        self._targets: tuple[ChosenTarget, ...] = ()
        if any(target.token_id >= model.vocabulary_size for target in graph.targets):
            wanted = {target.token_id for target in graph.targets if target.token_id >= model.vocabulary_size}
            chosen = chosen_targets(model, run, graph)
            self._targets = tuple(target for token, target in chosen.items() if token in wanted)

    def read(self, after: Float[Tensor, " d_model"], change: Float[Tensor, " d_model"]) -> Mapping[int, TargetReading]:
        """Return the readings by target id, from the normed stream after the intervention and its predicted change."""
        if not self._targets:
            return {}
        directions = torch.stack([target.direction for target in self._targets])
        products = [(directions @ x.to(directions.device).float()).tolist() for x in (after, change)]
        return {
            target.token_id: TargetReading(
                "contrast" if isinstance(target.choice, Contrast) else "direction",
                target.logit,
                value + target.constant,
                target.logit + moved,
            )
            for target, value, moved in zip(self._targets, *products, strict=True)
        }

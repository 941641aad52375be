"""Controls, sweeps, steered texts and validations as messages to the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from circuit_widget.characters import shortened
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.graph import Graph
from circuit_widget.intervention.as_code import generation_code, groups_code, keyword_code, study_code
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.groups import groups_of
from circuit_widget.intervention.kinds import Intervention
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.intervention.studies.steered_generation import SteeredGeneration, gap
from circuit_widget.intervention.studies.token_table import chosen_tokens, plotted_tokens
from circuit_widget.intervention.studies.validation import Validation
from circuit_widget.model.sampling import SampledToken
from circuit_widget.tracing.generation import Generation
from circuit_widget.widget.wire.experiment_messages import ControlBox, ControlsMessage, ControlToken
from circuit_widget.widget.wire.schema import LONGEST_TEXT
from circuit_widget.widget.wire.study_messages import (
    Axis,
    GeneratedToken,
    GenerationMessage,
    SweepBox,
    SweepMessage,
    SweepToken,
    ValidationAgreement,
    ValidationMessage,
    ValidationPair,
)
from circuit_widget.wording.names import node_name
from circuit_widget.wording.outcome import changed_nodes, features_of

MOST_LINES = 5
"""The most tokens or boxes whose curves a plot of a sweep can distinguish."""


def controls_message(controls: Controls, circuit: Circuit) -> ControlsMessage:
    """Return the effects of controls on the likeliest tokens and on each box of the circuit."""
    graph = controls.effect.graph
    return ControlsMessage(
        n=len(controls.controls),
        seed=controls.seed,
        similarity=controls.similarity,
        tokens=tuple(
            ControlToken(token, *controls.band(controls.values(token)), controls.p_value(token))
            for token in controls.effect.tokens["token_id"].tolist()
        ),
        boxes=tuple(
            ControlBox(box.id, len(box.nodes), *band)
            for box in circuit.boxes()
            if (features := features_of(graph, box)) and (band := controls.activation_band(features)) is not None
        ),
    )


@dataclass(frozen=True, eq=False)
class SweepSoFar:
    """A sweep while it runs: what is varied, over which labels and values, and the effects so far."""

    graph: Graph
    circuit: Circuit
    axis: Axis
    name: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    code: str
    effects: list[Effect] = field(default_factory=list)

    def add(self, start: int, effects: Sequence[Effect]) -> None:
        """Add effects, the first of which has index `start`."""
        self.effects[start:] = effects

    def message(self) -> SweepMessage:
        """Return the sweep as far as it is; it needs at least one effect."""
        effects = self.effects
        frozen = "MLP outputs up to this layer frozen" if self.axis == "last_layer" else effects[0].frozen
        return SweepMessage(
            kind="sweep",
            axis=self.axis,
            name=self.name,
            mode=effects[0].mode,
            frozen=frozen,
            total=len(self.labels),
            nodes=tuple(changed_nodes(effects[0].interventions[0])) if self.axis == "factor" else (),
            values=self.values[: len(effects)],
            labels=self.labels[: len(effects)],
            tokens=tuple(self._tokens())[:MOST_LINES],
            boxes=tuple(self._boxes())[:MOST_LINES],
            code=self.code,
        )

    def _tokens(self) -> list[SweepToken]:
        """Return the tokens that are likeliest before or after any experiment, and the targets; the likeliest first."""
        effects = self.effects
        texts = {**plotted_tokens(effects, None), **chosen_tokens(effects, None)}
        found = [_sweep_token(effects, token, text) for token, text in texts.items()]
        return sorted(found, key=lambda token: max(token.before, *token.probability), reverse=True)

    def _boxes(self) -> list[SweepBox]:
        found = []
        for box in self.circuit.boxes():
            features = features_of(self.graph, box)
            ratios = [effect.ratio(features) for effect in self.effects] if features else []
            if ratios and all(math.isfinite(number) for pair in ratios for number in pair):
                measured, predicted = zip(*ratios, strict=True)
                name = box.name or node_name(self.graph, self.circuit, box.id)
                found.append(SweepBox(box.id, shortened(name, LONGEST_TEXT), measured, predicted))
        return found


def _sweep_token(effects: Sequence[Effect], token: int, text: str) -> SweepToken:
    first = effects[0]
    return SweepToken(
        token=text,
        token_id=token,
        before=first.probability(token)[0],
        probability=tuple(effect.probability(token)[1] for effect in effects),
        predicted_probability=tuple(effect.predicted_probability(token) for effect in effects),
        logit_before=float(first.logits_before[token]),
        logit=tuple(float(effect.logits_after[token]) for effect in effects),
        predicted_logit=tuple(float(effect.logits_predicted[token]) for effect in effects),
    )


def circuit_groups(graph: Graph, circuit: Circuit) -> Mapping[str, tuple[str, ...]]:
    """Return node ids of the features of each box of a circuit, by its name. Raises InterventionError where none has any."""
    ids = graph.node_ids
    return {name: tuple(ids[index] for index in indices) for name, indices in groups_of(graph, circuit, 1).items()}


def validation_message(
    graph: Graph, groups: Mapping[str, Sequence[str]] | None, validation: Validation, mode: str
) -> ValidationMessage:
    """Return a validation with all its pairs; `groups` are those it was made on, None for the most influential features."""
    arguments = [*([] if groups is None else [groups_code(groups)]), keyword_code("mode", mode)]
    return ValidationMessage(
        kind="validation",
        mode=mode,
        frozen=next(iter(validation.effects.values())).frozen,
        groups=len(validation.effects),
        pairs=tuple(
            ValidationPair(one.source, one.target, one.kind.value, one.predicted, one.measured, one.by_construction)  # type: ignore[arg-type]
            for one in validation.influenced
        ),
        agreement=tuple(
            ValidationAgreement(
                row["kind"], row["part"], row["pairs"], _known(row["spearman"]), _known(row["sign_share"])
            )
            for row in validation.agreement().to_dict("records")
        ),
        sentence=str(validation),
        code=study_code(graph, "validate", arguments),
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True, eq=False)
class GrowingTexts:
    """Two texts while they grow, and how they are sampled."""

    graph: Graph
    name: str
    interventions: tuple[Intervention, ...]
    new_tokens: bool
    max_new_tokens: int
    temperature: float
    unsteered: list[SampledToken] = field(default_factory=list)
    steered: list[SampledToken] = field(default_factory=list)

    def add(self, token: SampledToken) -> None:
        """Add a token when it is sampled."""
        (self.steered if token.steered else self.unsteered).append(token)

    def message(self, seed: int | None) -> GenerationMessage:
        """Return the texts as far as they are; every token from the first difference on is marked."""
        pairs = zip(self.unsteered, self.steered, strict=False)
        same = next((index for index, (one, other) in enumerate(pairs) if one.token_id != other.token_id), None)
        after = len(self.unsteered) + len(self.steered) if same is None else same
        spaced = any(token.text != token.text.strip() for token in self.graph.tokens)
        texts = _generated(self.unsteered, after), _generated(self.steered, after)
        return self._message(*texts, seed, ended=False, between="" if spaced else " ")

    def result(self, result: SteeredGeneration | Generation) -> GenerationMessage:
        """Return the texts as they ended."""
        if isinstance(result, Generation):
            tokens = _sampled(result, [False] * len(result.sampled))
            return self._message(tokens, (), result.seed, ended=True, between=gap(result))
        marks = result.marks
        texts = _sampled(result.unsteered, marks[0]), _sampled(result.steered, marks[1])
        return self._message(*texts, result.steered.seed, ended=True, between=gap(result.unsteered))

    def _message(
        self,
        unsteered: tuple[GeneratedToken, ...],
        steered: tuple[GeneratedToken, ...],
        seed: int | None,
        *,
        ended: bool,
        between: str,
    ) -> GenerationMessage:
        options = {
            "new_tokens": self.new_tokens,
            "max_new_tokens": self.max_new_tokens,
            "temperature": self.temperature,
            "seed": seed,
        }
        return GenerationMessage(
            kind="generation",
            name=self.name,
            new_tokens=self.new_tokens,
            temperature=self.temperature,
            seed=seed,
            ended=ended,
            gap=between,
            unsteered=unsteered,
            steered=steered,
            code=generation_code(self.graph, self.interventions, options) if ended else "",
        )


def _generated(tokens: Sequence[SampledToken], same: int) -> tuple[GeneratedToken, ...]:
    return tuple(GeneratedToken(token.text, token.probability, index >= same) for index, token in enumerate(tokens))


def _sampled(generation: Generation, marks: Sequence[bool]) -> tuple[GeneratedToken, ...]:
    rows = zip(generation.sampled, generation.probabilities, marks, strict=True)
    return tuple(GeneratedToken(token.text, probability, differs) for token, probability, differs in rows)

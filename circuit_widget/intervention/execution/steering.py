"""Interventions while a model generates: what they add to its MLPs, at the prompt and at the tokens that come after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.arguments import one_line, plain_number, quoted
from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.intervention.execution.clamp import Clamped, hold
from circuit_widget.intervention.execution.resolve import Other, Setting
from circuit_widget.intervention.kinds import Ablate, Add, Intervention, Scale, Set, SwapIn
from circuit_widget.nodes import Everywhere, Feature, read_constant
from circuit_widget.tracing.activations import Activations
from circuit_widget.tracing.run import Run
from circuit_widget.transcoder.at_positions import write_at
from circuit_widget.transcoder.transcoder_set import TranscoderSet


@dataclass(frozen=True)
class Rule:
    """What a feature is held at on a token that was not there before: `factor` times its activation, plus `added`."""

    factor: float
    added: float


def steer(
    interventions: Sequence[Intervention], run: Run, transcoders: TranscoderSet, other: Other, *, new_tokens: bool
) -> Steering:
    """Return what interventions change while a prompt, run as `run`, is continued.

    On the prompt features are held at the values that `model.intervene` holds them at. With `new_tokens` the same
    features are also changed on every generated token, where scaling and adding start from the activation that they
    have there and then; where two interventions are on the same feature, the later one holds.

    Raises:
        InterventionError: as `hold` does; a swap on new tokens.
        NodeError: an id of no feature that is active on the prompt, a feature that does not exist.
    """
    named = named_among(run.activations)
    setting = Setting(run, named, transcoders, other, open_ended=new_tokens)
    held = hold(interventions, setting).features
    rules: dict[tuple[int, int], Rule] = {}
    if new_tokens:
        for intervention in interventions:
            rules.update(_rules(intervention, named))
    return Steering(transcoders, held, rules, len(run.prompt))


def given_new_tokens(new_tokens: object, interventions: object) -> bool:
    """Return whether new tokens are steered.

    Raises:
        InterventionError: neither True nor False, or True where there is no intervention.
    """
    given = plain_number(new_tokens)
    if not isinstance(given, bool) or (given and interventions is None):
        raise InterventionError(
            f"new_tokens is True or False, and True with interventions only; given {quoted(new_tokens)}."
        )
    return given


def named_among(activations: Activations) -> Callable[[str], Feature]:
    """Return how node ids are looked up among the features that are active on a prompt."""
    ids = {feature.id: feature for feature in activations}

    def named(node: str) -> Feature:
        if read_constant(node) is not None:
            raise InterventionError(
                f"“{one_line(node, 40)}” is an error or a token; only features can be changed while the model generates. "
                "model.intervene(graph, ...) changes it for the token that comes next."
            )
        if node not in ids:
            raise NodeError(
                f"“{one_line(node, 40)}” is no feature that is active on this prompt; expected the id of one, or "
                "Feature(layer, position, feature) or Everywhere(layer, feature)."
            )
        return ids[node]

    return named


def _rules(intervention: Intervention, named: Callable[[str], Feature]) -> Mapping[tuple[int, int], Rule]:
    """Return what an intervention does on new tokens, by layer and number of the feature."""
    places: list[Feature | Everywhere] = [named(one) if isinstance(one, str) else one for one in intervention.members]
    features = [(place.layer, place.feature) for place in places]
    match intervention:
        case Ablate():
            return dict.fromkeys(features, Rule(0.0, 0.0))
        case Scale(factor=factor):
            return dict.fromkeys(features, Rule(factor, 0.0))
        case Set(value=value) | Add(value=value):
            values = [value] * len(features) if isinstance(value, float) else list(value)
            kept = 1.0 if isinstance(intervention, Add) else 0.0
            return {feature: Rule(kept, added) for feature, added in zip(features, values, strict=True)}
        case SwapIn():
            raise InterventionError(
                "SwapIn takes over from positions of another prompt, which new tokens have none of; "
                "use it with new_tokens=False, or Set the features."
            )
        case _:
            raise InterventionError(f"{type(intervention).__name__} is not an intervention this model knows.")


@dataclass(frozen=True, eq=False)
class _SteeredSites:
    """Features of one layer that are changed in a step: the row each stands at, its number, and what it is held at."""

    rows: list[int]
    features: list[int]
    factors: list[float]
    added: list[float]


class Steering:
    """What is added in each step of a generation: `(value - activation) * decoder row`, wherever features are held.

    Activations are read where the features read, in that very step; features of a cross-layer transcoder write to every
    layer that they write to. It is the `StepEdit` of one generation at a time.
    """

    def __init__(
        self,
        transcoders: TranscoderSet,
        held: Sequence[Clamped],
        rules: Mapping[tuple[int, int], Rule],
        n_prompt: int,
    ) -> None:
        """`held` is on the prompt, of `n_prompt` tokens; `rules`, by layer and number of a feature, on those after it."""
        self._transcoders = transcoders
        self._n_prompt = n_prompt
        self._held: dict[int, list[Clamped]] = {}
        for item in held:
            self._held.setdefault(item.feature.layer, []).append(item)
        self._rules: dict[int, dict[int, Rule]] = {}
        for (layer, feature), rule in sorted(rules.items()):
            self._rules.setdefault(layer, {})[feature] = rule
        self._changes: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    @property
    def input_site(self) -> str:
        """Where features read."""
        return self._transcoders.input_site

    @property
    def output_site(self) -> str:
        """Where features write."""
        return self._transcoders.output_site

    def __call__(
        self, layer: int, x: Float[Tensor, "batch rows d_model"], first_position: int
    ) -> Float[Tensor, "batch rows d_model"] | None:
        """Return what is added to what features write at a layer, given what they read from `first_position` on."""
        self._changes.pop(layer, None)
        sites = self._sites(layer, range(first_position, first_position + x.shape[1]))
        if sites.rows:
            self._changes[layer] = self._change(layer, sites, x)
        sources = [source for source in self._changes if layer in self._transcoders.written_layers(source)]
        if not sources:
            return None
        added = torch.zeros_like(x)
        for source in sources:
            rows, features, change = self._changes[source]
            directions = self._transcoders.decoder_rows(source, features, layer).to(added.device)
            write_at(added, rows.to(added.device), directions, change.to(added.device))
        return added

    def _change(
        self, layer: int, sites: _SteeredSites, x: Float[Tensor, "batch rows d_model"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        rows = torch.tensor(sites.rows, dtype=torch.long, device=x.device)
        features = torch.tensor(sites.features, dtype=torch.long, device=x.device)
        _, now = self._transcoders.read(layer, features, rows, x)
        factors = torch.tensor(sites.factors, dtype=torch.float32, device=now.device)
        value = factors * now + torch.tensor(sites.added, dtype=torch.float32, device=now.device)
        return rows, features, value - now

    def _sites(self, layer: int, positions: range) -> _SteeredSites:
        """Return what is held at a layer on some positions, in order of position."""
        sites = _SteeredSites([], [], [], [])
        for item in sorted(self._held.get(layer, ()), key=lambda item: item.feature.position):
            if item.feature.position in positions:
                sites.rows.append(item.feature.position - positions.start)
                sites.features.append(item.feature.feature)
                sites.factors.append(0.0)
                sites.added.append(item.value)
        for position in range(max(self._n_prompt, positions.start), positions.stop):
            for feature, rule in self._rules.get(layer, {}).items():
                sites.rows.append(position - positions.start)
                sites.features.append(feature)
                sites.factors.append(rule.factor)
                sites.added.append(rule.added)
        return sites

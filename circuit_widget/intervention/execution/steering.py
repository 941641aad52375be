"""Steering: interventions while a model generates, on the prompt and, if requested, on every generated token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.arguments import one_line, plain_number, quoted
from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.intervention.execution.clamp import clamp
from circuit_widget.intervention.execution.feature_clamps import ClampedFeature
from circuit_widget.intervention.execution.resolve import ResolveContext, RunPrompt
from circuit_widget.intervention.kinds import Ablate, Add, Intervention, Scale, Set, SwapIn
from circuit_widget.nodes import Everywhere, Feature, read_constant
from circuit_widget.tracing.activations import Activations
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.transcoder.at_positions import write_at
from circuit_widget.transcoder.joint_top_k import JointTopKTranscoders
from circuit_widget.transcoder.transcoder_set import TranscoderSet


@dataclass(frozen=True)
class ClampRule:
    """The value at which a feature is clamped on a generated token: `factor` times its activation there, plus `added`."""

    factor: float
    added: float


def steer(
    interventions: Sequence[Intervention],
    run: PromptRun,
    transcoders: TranscoderSet,
    run_prompt: RunPrompt,
    *,
    new_tokens: bool,
) -> Steering:
    """Return what interventions change while the model continues the prompt of `run`.

    On the prompt, features are clamped at the same values as in `model.intervene`. With `new_tokens` the same features
    are also clamped on every generated token, where Scale and Add start from the activation that the feature has on
    that token. Where two interventions change the same feature, the later one counts.

    Raises:
        InterventionError: as `clamp` does; a swap on new tokens; new tokens where features are chosen among all layers.
        NodeError: an id of no feature that is active on the prompt, a feature that does not exist.
    """
    if new_tokens and isinstance(transcoders, JointTopKTranscoders):
        raise InterventionError(
            "These transcoders choose the active features of a token among all layers, and on a token that is being generated "
            "the layers above a feature have not run yet, so its activation there is not known. Use new_tokens=False."
        )
    lookup = feature_lookup(run.activations)
    context = ResolveContext(run, lookup, transcoders, run_prompt, open_ended=new_tokens)
    clamped = clamp(interventions, context).features
    rules: dict[tuple[int, int], ClampRule] = {}
    if new_tokens:
        for intervention in interventions:
            rules.update(_rules(intervention, lookup))
    return Steering(transcoders, clamped, rules, len(run.prompt))


def check_new_tokens(new_tokens: object, interventions: object) -> bool:
    """Return `new_tokens` as a bool: whether generated tokens are steered.

    Raises:
        InterventionError: neither True nor False, or True where there is no intervention.
    """
    given = plain_number(new_tokens)
    if not isinstance(given, bool) or (given and interventions is None):
        raise InterventionError(
            f"new_tokens is True or False, and True with interventions only; given {quoted(new_tokens)}."
        )
    return given


def feature_lookup(activations: Activations) -> Callable[[str], Feature]:
    """Return the lookup of node ids among the features that are active on a prompt."""
    ids = {feature.id: feature for feature in activations}

    def lookup(node: str) -> Feature:
        if read_constant(node) is not None:
            raise InterventionError(
                f"“{one_line(node, 40)}” is an error or a token; only features can be changed while the model generates. "
                "model.intervene(graph, ...) changes it and measures the next token."
            )
        if node not in ids:
            raise NodeError(
                f"“{one_line(node, 40)}” is no feature that is active on this prompt; expected the id of one, or "
                "Feature(layer, position, feature) or Everywhere(layer, feature)."
            )
        return ids[node]

    return lookup


def _rules(intervention: Intervention, lookup: Callable[[str], Feature]) -> Mapping[tuple[int, int], ClampRule]:
    """Return what an intervention does on new tokens, by layer and number of the feature."""
    nodes: list[Feature | Everywhere] = [lookup(one) if isinstance(one, str) else one for one in intervention.members]
    features = [(node.layer, node.feature) for node in nodes]
    match intervention:
        case Ablate():
            return dict.fromkeys(features, ClampRule(0.0, 0.0))
        case Scale(factor=factor):
            return dict.fromkeys(features, ClampRule(factor, 0.0))
        case Set(value=value) | Add(value=value):
            values = [value] * len(features) if isinstance(value, float) else list(value)
            kept = 1.0 if isinstance(intervention, Add) else 0.0
            return {feature: ClampRule(kept, added) for feature, added in zip(features, values, strict=True)}
        case SwapIn():
            raise InterventionError(
                "SwapIn takes values from positions of another prompt, and generated tokens have no such position; "
                "use it with new_tokens=False, or Set the features."
            )
        case _:
            raise InterventionError(f"{type(intervention).__name__} is not an intervention this model knows.")


@dataclass(frozen=True, eq=False)
class _LayerSteering:
    """The features of one layer that are clamped in one step: row, number, and the value as `factor` and `added`.

    `active` is whether each is active on the prompt; what it is on a new token is not known before.
    """

    rows: list[int]
    features: list[int]
    factors: list[float]
    added: list[float]
    active: list[bool]


class Steering:
    """What is added to MLP outputs in each step of a generation: `(value - activation) * decoder row` for each feature.

    `value` is what the feature is clamped at; `activation` is encoded from what it reads in the same step. Where all layers
    choose active features together, it is zero for a feature that is not active on the prompt. Features of a cross-layer
    transcoder write to all of their layers. It is the `StepEdit` of one generation at a time.
    """

    def __init__(
        self,
        transcoders: TranscoderSet,
        clamped: Iterable[ClampedFeature],
        rules: Mapping[tuple[int, int], ClampRule],
        n_prompt: int,
    ) -> None:
        """Clamp features of the prompt, which has `n_prompt` tokens, and by `rules` features of all later tokens.

        The keys of `rules` are layer and number of a feature.
        """
        self._transcoders = transcoders
        self._n_prompt = n_prompt
        self._clamped: dict[int, list[ClampedFeature]] = {}
        for item in clamped:
            self._clamped.setdefault(item.feature.layer, []).append(item)
        self._rules: dict[int, dict[int, ClampRule]] = {}
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
        """Return what is added to the MLP output of a layer, given what its features read from `first_position` on."""
        self._changes.pop(layer, None)
        steered = self._steered(layer, range(first_position, first_position + x.shape[1]))
        if steered.rows:
            self._changes[layer] = self._change(layer, steered, x)
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
        self, layer: int, steered: _LayerSteering, x: Float[Tensor, "batch rows d_model"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        rows = torch.tensor(steered.rows, dtype=torch.long, device=x.device)
        features = torch.tensor(steered.features, dtype=torch.long, device=x.device)
        if isinstance(self._transcoders, JointTopKTranscoders):
            active = torch.tensor(steered.active, dtype=torch.bool, device=x.device)
            now = self._transcoders.read_selected(layer, features, rows, x, active)
        else:
            _, now = self._transcoders.read(layer, features, rows, x)
        factors = torch.tensor(steered.factors, dtype=torch.float32, device=now.device)
        value = factors * now + torch.tensor(steered.added, dtype=torch.float32, device=now.device)
        return rows, features, value - now

    def _steered(self, layer: int, positions: range) -> _LayerSteering:
        """Return the features of a layer that are clamped on some positions, in order of position."""
        steered = _LayerSteering([], [], [], [], [])
        for item in sorted(self._clamped.get(layer, ()), key=lambda item: item.feature.position):
            if item.feature.position in positions:
                steered.rows.append(item.feature.position - positions.start)
                steered.features.append(item.feature.feature)
                steered.factors.append(0.0)
                steered.added.append(item.value)
                steered.active.append(item.before != 0)
        for position in range(max(self._n_prompt, positions.start), positions.stop):
            for feature, rule in self._rules.get(layer, {}).items():
                steered.rows.append(position - positions.start)
                steered.features.append(feature)
                steered.factors.append(rule.factor)
                steered.added.append(rule.added)
                steered.active.append(False)
        return steered

"""What is asked of a model by many interventions: controls, sweeps, the validation of a graph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from circuit_widget.arguments import (
    check_callable,
    entries_of,
    finite_number,
    plain_number,
    quoted,
    truth_value,
    whole_number,
)
from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.graph.given import given_graph
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.groups import Groups, feature_at, groups_of
from circuit_widget.intervention.kinds import Ablate, Intervention, Nodes, Scale, intervention_tuple
from circuit_widget.intervention.mode import Mode
from circuit_widget.intervention.studies.control_matching import match
from circuit_widget.intervention.studies.controls import Controls, check_features, stood_in, touched_features
from circuit_widget.intervention.studies.faithfulness import Faithfulness
from circuit_widget.intervention.studies.group_sweep import GroupSweep
from circuit_widget.intervention.studies.strength_sweep import Sweep
from circuit_widget.intervention.studies.validation import Validation, check_mode, influenced_by
from circuit_widget.nodes import error_id
from circuit_widget.progress import Progress, ProgressChoice, reporting
from circuit_widget.tracing.activations import Activations
from circuit_widget.transcoder.transcoder_set import TranscoderSet

Asked: TypeAlias = Callable[[], bool]

Seen: TypeAlias = Callable[[int, Sequence[Effect]], None]
"""Is given effects of a sweep as soon as they are there: the number of the first of them, and some that follow it."""

PART = 6
"""How many experiments of a sweep run before they are shown, where someone looks on."""

MOST_EXPERIMENTS = 10_000
"""Each has an effect with all logits, so that more would fill the memory of most machines."""

MOST_SEED = 2**63 - 1

ON_EFFECTS_IS = "on_effects is a function that is given the number of the first effect and some effects,"

FACTORS = tuple(float(factor) for factor in np.arange(-5, 5.5, 0.5))
"""The strengths of a sweep where none are given."""


class Studies(ABC):
    """A model of which experiments are asked in numbers; they run as batches.

    Everywhere `mode` names what is frozen, as in `intervene`, `progress` and `cancelled` are as there, and the same
    errors are raised for what cannot be intervened on. A sweep's `on_effects` is given its effects while it runs.
    """

    transcoders: TranscoderSet

    @abstractmethod
    def intervene_many(
        self,
        graph: Graph,
        experiments: Sequence[Sequence[Intervention] | Intervention],
        *,
        mode: Mode = "total",
        progress: ProgressChoice = None,
        cancelled: Asked | None = None,
    ) -> tuple[Effect, ...]:
        """Return the effect of each of several experiments."""

    @abstractmethod
    def _activations_of(self, graph: Graph, cancelled: Asked | None) -> Activations:
        """Return the active features of a graph's prompt, up to its traced position."""

    def controls(
        self,
        graph: Graph,
        interventions: Sequence[Intervention] | Intervention,
        *,
        n: int = 20,
        seed: int = 0,
        same_position: bool = True,
        mode: Mode = "total",
        progress: ProgressChoice = None,
        cancelled: Asked | None = None,
    ) -> Controls:
        """Return the effect of interventions beside that of the same on `n` sets of random features like the touched ones.

        Each active feature is replaced by one that is active in the same layer and near in activation, at the same
        position where `same_position` and enough there are similar; each inactive one by one that is inactive there.
        Touched features are never drawn, nor are they at other positions. Where too few are similar, farther ones and
        then those at other positions of the layer are drawn from, and the result says so. Of a swap, the features that
        stand in keep the ratio of the new value to the activation.

        Raises:
            InterventionError: too few features could stand in, n is not a whole number from 1 to 10,000, or something
                other than features is touched.
        """
        n = whole_number(n, "n, the number of controls,", InterventionError, least=1)
        if n > MOST_EXPERIMENTS:
            raise InterventionError(f"At most {MOST_EXPERIMENTS:,} controls run at once; given n = {quoted(n)}.")
        seed = whole_number(seed, "seed", InterventionError, most=MOST_SEED)
        same_position = truth_value(same_position, "same_position", InterventionError)
        asked = intervention_tuple(interventions)
        check_features(asked)
        activations = self._activations_of(graph, cancelled=cancelled)
        with reporting(progress) as report:
            first = _part(report, 0, 1 / (n + 1))
            (effect,) = self.intervene_many(graph, [asked], mode=mode, progress=first, cancelled=cancelled)
            touched = touched_features(effect, asked)
            matching = match(touched, activations, self.transcoders.n_features, n, seed, same_position=same_position)
            experiments = [stood_in(effect, one, activations) for one in matching.stand_ins]
            rest = _part(report, 1 / (n + 1), 1)
            controls = self.intervene_many(graph, experiments, mode=mode, progress=rest, cancelled=cancelled)
        known = {*touched, *(other for one in matching.stand_ins for other in one.values())}
        before = {feature: float(activations.get(feature, 0.0)) for feature in known}
        return Controls(effect, controls, matching, before, seed)

    def sweep(
        self,
        graph: Graph,
        nodes: Nodes,
        factors: Sequence[float] = FACTORS,
        *,
        mode: Mode = "total",
        on_effects: Seen | None = None,
        progress: ProgressChoice = None,
        cancelled: Asked | None = None,
    ) -> Sweep:
        """Return the dose-response curve of some nodes: each factor of what they are, by default -5 to 5 by 0.5.

        Raises:
            InterventionError: no factor, more than 10,000, one that is not a finite number, or a feature that is not
                active.
        """
        listed = entries_of(factors, "The factors of a sweep are a list of numbers", InterventionError)
        experiments = [Scale(nodes, finite_number(one, "A factor", InterventionError)) for one in listed]
        if not experiments:
            raise InterventionError("There is no factor to sweep over; give at least one, such as 0.")
        effects = self._in_parts(graph, experiments, mode, on_effects, progress, cancelled)
        name = experiments[0].description.rsplit(" ", 1)[0]
        return Sweep(name, "factor", tuple(one.factor for one in experiments), effects)

    def sweep_last_layer(
        self,
        graph: Graph,
        interventions: Sequence[Intervention] | Intervention,
        *,
        first: int = 0,
        on_effects: Seen | None = None,
        progress: ProgressChoice = None,
        cancelled: Asked | None = None,
    ) -> Sweep:
        """Return the effect of interventions with the MLP outputs of layers `first` to each later layer frozen in turn.

        Constrained patching (Ameisen et al. 2025): the later the last frozen layer, the fewer knock-on effects. Each
        range runs by itself.

        Raises:
            InterventionError: `first` is not a layer of the model.
        """
        layers = range(given_graph(graph, InterventionError).n_layers)
        first = plain_number(first)
        if isinstance(first, bool) or not isinstance(first, int) or first not in layers:
            raise InterventionError(f"The first frozen layer lies in 0 to {layers[-1]}; given {quoted(first)}.")
        check_callable(on_effects, ON_EFFECTS_IS, InterventionError)
        asked, lasts = intervention_tuple(interventions), range(first, graph.n_layers)
        effects: list[Effect] = []
        with reporting(progress) as report:
            for place, last in enumerate(lasts):
                part = _part(report, place / len(lasts), (place + 1) / len(lasts))
                found = self.intervene_many(graph, [asked], mode=(first, last), progress=part, cancelled=cancelled)
                effects += found
                if on_effects is not None:
                    on_effects(place, found)
        return Sweep(effects[0].name, "last_layer", tuple(float(last) for last in lasts), tuple(effects))

    def sweep_groups(
        self,
        graph: Graph,
        groups: Groups = None,
        *,
        factor: float = 0.0,
        pairs: bool = False,
        n: int = 10,
        mode: Mode = "total",
        on_effects: Seen | None = None,
        progress: ProgressChoice = None,
        cancelled: Asked | None = None,
    ) -> GroupSweep:
        """Return the effect of ablating each group of features by itself, and each pair of groups if asked for.

        Args:
            groups: a circuit (its supernodes and pinned features), features by the name of their group, or features
                each by itself; by default the `n` most influential ones.
            factor: of activations; 0 ablates.

        Raises:
            InterventionError: there is no group of features, or the factor is not a finite number.
        """
        found = {
            name: [feature_at(graph, place) for place in some] for name, some in groups_of(graph, groups, n).items()
        }
        pairs = truth_value(pairs, "pairs", InterventionError)
        names = list(found)
        both = [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]] if pairs else []
        together = [*found.values(), *([*found[one], *found[other]] for one, other in both)]
        experiments = [Scale(nodes, factor) for nodes in together]
        effects = self._in_parts(graph, experiments, mode, on_effects, progress, cancelled)
        deed = experiments[0].description.rsplit(" ", 1)[1]
        singles, rest = effects[: len(names)], effects[len(names) :]
        return GroupSweep(deed, dict(zip(names, singles, strict=True)), dict(zip(both, rest, strict=True)))

    def _in_parts(
        self,
        graph: Graph,
        experiments: Sequence[Intervention],
        mode: Mode,
        on_effects: Seen | None,
        progress: ProgressChoice,
        cancelled: Asked | None,
    ) -> tuple[Effect, ...]:
        """Return the effects of experiments, in one go or, where someone looks on, a few at a time."""
        check_callable(on_effects, ON_EFFECTS_IS, InterventionError)
        if len(experiments) > MOST_EXPERIMENTS:
            raise InterventionError(
                f"This sweep has {len(experiments):,} experiments; at most {MOST_EXPERIMENTS:,} run at once. Sweep in parts."
            )
        if on_effects is None:
            return self.intervene_many(graph, experiments, mode=mode, progress=progress, cancelled=cancelled)
        effects: list[Effect] = []
        with reporting(progress) as report:
            for start in range(0, len(experiments), PART):
                some = experiments[start : start + PART]
                part = _part(report, start / len(experiments), (start + len(some)) / len(experiments))
                found = self.intervene_many(graph, some, mode=mode, progress=part, cancelled=cancelled)
                effects += found
                on_effects(start, found)
        return tuple(effects)

    def faithfulness(
        self,
        graph: Graph,
        groups: Groups = None,
        *,
        n: int = 30,
        ablate_errors: bool = False,
        mode: Mode = "total",
        progress: ProgressChoice = None,
        cancelled: Asked | None = None,
    ) -> Faithfulness:
        """Return what is left of the targets' probabilities without a circuit's features, and with no other features.

        `groups` are as in `sweep_groups`. Every feature that is active on the prompt counts, also where the graph left
        it out. Attention and embeddings stay as the model has them, and so do errors; with `ablate_errors` every error
        of all layers and positions is ablated together with the other features.
        """
        ablate_errors = truth_value(ablate_errors, "ablate_errors", InterventionError)
        inside = {place for some in groups_of(graph, groups, n).values() for place in some}
        features = [feature_at(graph, place) for place in sorted(inside)]
        activations = self._activations_of(graph, cancelled=cancelled)
        others = sorted(set(activations) - set(features))
        positions = range(activations.first_position, graph.position + 1) if ablate_errors else range(0)
        errors = [error_id(layer, position) for layer in range(graph.n_layers) for position in positions]
        # Where there is nothing else, the model as it is.
        only = Ablate([*others, *errors]) if others or errors else Scale(features, 1.0)
        without, alone = self.intervene_many(
            graph, [Ablate(features), only], mode=mode, progress=progress, cancelled=cancelled
        )
        return Faithfulness(without, alone, len(features), len(others), len(errors))

    def validate(
        self,
        graph: Graph,
        groups: Groups = None,
        *,
        n: int = 30,
        mode: Mode = "total",
        progress: ProgressChoice = None,
        cancelled: Asked | None = None,
    ) -> Validation:
        """Return how well a graph predicts ablations: each group ablated in turn, the others and the targets read.

        `groups` are as in `sweep_groups`. Predictions run through every feature of the graph; of a pruned graph, through
        those it kept. The direct part of a prediction is what the ablation does in mode "direct".

        Raises:
            InterventionError: the mode is "direct", in which prediction and effect are the same.
        """
        check_mode(mode)
        found = groups_of(graph, groups, n)
        features = {name: [feature_at(graph, place) for place in places] for name, places in found.items()}
        ablations = [Ablate(nodes) for nodes in features.values()]
        with reporting(progress) as report:
            steps = [_part(report, *ends) for ends in ((0, 0.7), (0.7, 0.9), (0.9, 1))]
            effects = self.intervene_many(graph, ablations, mode=mode, progress=steps[0], cancelled=cancelled)
            direct = self.intervene_many(graph, ablations, mode="direct", progress=steps[1], cancelled=cancelled)
            faithfulness = self.faithfulness(graph, features, mode=mode, progress=steps[2], cancelled=cancelled)
        influenced = [
            pair
            for name, effect, part in zip(found, effects, direct, strict=True)
            for pair in influenced_by(graph, found, name, effect, part)
        ]
        return Validation(tuple(influenced), dict(zip(found, effects, strict=True)), faithfulness)


def _part(report: Progress, start: float, end: float) -> Progress:
    """Return what reports a part of a run as that part of the whole."""
    return lambda done, text: report(start + (end - start) * done, text)

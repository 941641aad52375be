"""The edges onward from the features that experiments inject; see `InjectedEdges`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32

from circuit_widget.attribution.edges import EdgeComputation
from circuit_widget.attribution.influence import input_totals
from circuit_widget.attribution.targets import choose_targets
from circuit_widget.graph import Graph
from circuit_widget.graph.node_table import feature_numbers
from circuit_widget.intervention.execution.clamp import ClampedNodes
from circuit_widget.intervention.execution.feature_clamps import FeatureClamps
from circuit_widget.intervention.execution.graph_features import GraphFeatures
from circuit_widget.intervention.execution.plan import ClampPlan, plan_clamps
from circuit_widget.intervention.execution.predict import predict
from circuit_widget.intervention.injected_edges import AnswerInput, InjectedEdges, least_of_new_answers
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.probability import softmax
from circuit_widget.progress import IsCancelled
from circuit_widget.system.plain_torch import inference
from circuit_widget.tracing.activations import active_rows
from circuit_widget.tracing.neuron_nodes import neuron_layers
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.tracing.target_readout import chosen_targets, target_source_of
from circuit_widget.transcoder.transcoder_set import TranscoderSet

MOST_ANSWERS = 4
"""Tokens of one experiment that are no targets and have their input computed: a circuit displays two."""


def injected_of(plan: ClampPlan) -> FeatureClamps:
    """Return the clamped features that are not active on the prompt and become so."""
    return plan.clamped.where((plan.clamped.before == 0) & (plan.clamped.value != 0))


def injected_edges(
    model: LanguageModel,
    transcoders: TranscoderSet,
    run: PromptRun,
    graph: Graph,
    graph_features: GraphFeatures,
    plans: Sequence[ClampPlan],
    logits: Sequence[Float32[np.ndarray, " vocabulary"]],
    *,
    cancelled: IsCancelled | None = None,
) -> tuple[InjectedEdges | None, ...]:
    """Return the edges onward from what each plan injects, None for a plan that injects nothing.

    `logits` are those after each of the experiments: their likely tokens are the answers.

    Raises:
        Cancelled: `cancelled()` became true.
    """
    found: list[InjectedEdges | None] = [None] * len(plans)
    alone = {
        number: plan_clamps(graph, graph_features, ClampedNodes(clamps))
        for number, plan in enumerate(plans)
        if len(clamps := injected_of(plan))
    }
    if not alone:
        return tuple(found)
    answers = {number: _answers(graph, logits[number]) for number in alone}
    totals = _input_totals(model, run, graph, sorted({*_flat(answers)}), cancelled)
    directions = _directions(model, run, graph, list(totals))
    with inference():
        predicted = predict(run.frozen, transcoders, graph_features, list(alone.values()), knock_on=())
        changes = predicted.changes.cpu()
        for column, plan in enumerate(plans[number] for number in alone):
            in_graph = torch.zeros(len(graph_features), dtype=torch.bool, device=plan.columns.device)
            in_graph[plan.columns] = True
            changes[column, in_graph[graph_features.column].cpu()] = 0
        read = {token: (predicted.normed @ row.to(predicted.normed.device)).cpu() for token, row in directions.items()}
    for column, number in enumerate(alone):
        targets = [float(read[one.token_id][column]) if one.token_id in read else 0.0 for one in graph.targets]
        weights = np.concatenate([changes[column].numpy(), np.array(targets, dtype=np.float32)]).astype(np.float32)
        inputs = {token: AnswerInput(float(read[token][column]), totals[token]) for token in answers[number]}
        found[number] = InjectedEdges(weights, inputs)
    return tuple(found)


def _flat(answers: Mapping[int, Sequence[int]]) -> list[int]:
    return [token for tokens in answers.values() for token in tokens]


def _answers(graph: Graph, logits: Float32[np.ndarray, " vocabulary"]) -> list[int]:
    """Return the likely tokens that are no targets of the graph, the likeliest first."""
    probabilities, targets = softmax(logits), {target.token_id for target in graph.targets}
    likely = np.flatnonzero(probabilities >= least_of_new_answers(float(probabilities.max())))
    order = likely[np.argsort(-probabilities[likely], kind="stable")].tolist()
    return [token for token in order if token not in targets][:MOST_ANSWERS]


def _directions(
    model: LanguageModel, run: PromptRun, graph: Graph, others: Sequence[int]
) -> dict[int, Float[torch.Tensor, " d_model"]]:
    """Return the directions after the final norm of the graph's targets and of other tokens, by id."""
    chosen = {token: target.direction for token, target in chosen_targets(model, run, graph).items()}
    more = choose_targets(target_source_of(model, run), list(others)) if others else ()
    return {**chosen, **{target.token_id: target.direction for target in more}}


def _input_totals(
    model: LanguageModel,
    run: PromptRun,
    graph: Graph,
    tokens: Sequence[int],
    cancelled: IsCancelled | None,
) -> dict[int, float]:
    """Return the summed absolute input of each token's logit from the features, errors and tokens of the graph."""
    if not tokens:
        return {}
    targets = torch.stack([one.direction for one in choose_targets(target_source_of(model, run), list(tokens))])
    with inference():
        totals = input_totals(target_rows(run, graph, targets, cancelled))
    return dict(zip(tokens, totals.tolist(), strict=True))


def target_rows(
    run: PromptRun, graph: Graph, targets: Float[torch.Tensor, "targets d_model"], cancelled: IsCancelled | None = None
) -> Float32[np.ndarray, "targets columns"]:
    """Return the edges from the features of a graph, its errors and its tokens to other targets, by their directions.

    Columns are features as they are sorted in the run, then errors and tokens. As in a trace, what all other features
    write is in the error of their layer and position; so is what was pruned.
    """
    found = run.activations
    kept = np.sort(active_rows(found, feature_numbers(graph)))
    nodes, layers = (
        (np.arange(len(found)), run.nodes) if run.neurons is None else (kept, neuron_layers(run, run.neurons, kept))
    )
    computation = EdgeComputation(run.frozen, layers, run.captured.embedding, targets, n_rows=len(targets))
    rows = torch.arange(len(nodes), len(nodes) + len(targets), dtype=torch.long, device="cpu")
    weights = computation.edges(rows, cancelled=cancelled).numpy()
    is_kept = np.isin(nodes, kept)
    error = found.layer[nodes].astype(np.int64) * len(run.prompt) + found.position[nodes]
    others = weights[:, len(nodes) :]
    np.add.at(others.T, error[~is_kept], weights[:, : len(nodes)].T[~is_kept])
    return np.concatenate([weights[:, : len(nodes)][:, is_kept], others], axis=1)

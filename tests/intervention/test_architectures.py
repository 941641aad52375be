"""What must be true of every architecture and every kind of transcoders, on tiny models with random weights."""

from typing import Any

import numpy as np
import pytest
import torch

from circuit_widget.errors import InterventionError
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention import Ablate, Scale, Set
from circuit_widget.model.frozen import FrozenLayer
from circuit_widget.model.rerun import Conditions, rerun
from circuit_widget.nodes import Feature
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.tracing.prompt_run import PromptRun
from tests.cases import ALL_CASES, CASES, TOKENS, TUNED, Case, assert_close, case_of, in_turn, spread
from tests.models import PROMPT_IDS, run_of


@pytest.fixture(params=CASES, ids="-".join)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(*request.param)


@pytest.fixture(params=ALL_CASES)
def any_case(request: pytest.FixtureRequest) -> Case:
    return case_of(*request.param)


def test_a_row_sums_to_what_is_read_less_what_no_node_owns(any_case: Case) -> None:
    case = any_case
    graph, run = case.graph, run_of(case.model, PROMPT_IDS)
    unowned, final = read_from_no_node(case.model, run)
    expected = np.zeros(graph.n_features)
    for layer, pieces in enumerate(run.captured.layers):
        here = np.flatnonzero(graph.feature_layer == layer)
        numbers, positions = (
            torch.tensor(of[here], dtype=torch.long) for of in (graph.feature_index, graph.feature_position)
        )
        readers = case.model.transcoders.encoder_rows_at(layer, numbers, positions, pieces.mlp_input)
        owned = pieces.mlp_input - unowned[layer]
        expected[here] = (readers * owned[graph.feature_position[here]]).sum(-1)
    assert_close(graph.weights[: graph.n_features].sum(1), expected)
    rows = case.scale * case.model.model.unembedding.weight.detach()[list(TOKENS)]
    stream = run.captured.final_residual[run.position] - final
    assert_close(graph.weights[graph.n_features :].sum(1), rows @ run.frozen.final.apply(stream[None])[0])
    largest = max(float(x.abs().max()) for x in unowned)
    assert largest > 0.05  # biases matter here, so counting them in or out would show


@in_turn
def test_what_no_node_has_a_share_in_is_reported_for_each_target(case: Case) -> None:
    model, run = case.model, run_of(case.model, PROMPT_IDS)
    final = read_from_no_node(model, run)[1]
    bias = getattr(model.model.final_norm, "bias", None)
    unowned = run.frozen.final.apply(final[None])[0] + (0 if bias is None else bias.detach())
    rows = case.scale * model.model.unembedding.weight.detach()[list(TOKENS)]
    sums = model.verify(case.graph, 1).target_sums
    assert_close([one.rest for one in sums], rows @ unowned)
    assert_close([one.rounding for one in sums], np.zeros(len(sums)))
    assert {one.position_embeddings is None for one in sums} == {model.model.positions is None}
    for one, weights in zip(sums, case.graph.weights[case.graph.n_features :], strict=True):
        ends = (case.graph.n_features, case.graph.n_features + case.graph.n_errors)
        assert_close([one.features, one.errors, one.tokens], [part.sum() for part in np.split(weights, ends)])


def read_from_no_node(model: ReplacementModel, run: PromptRun) -> tuple[list[torch.Tensor], torch.Tensor]:
    """What each layer's features read, and the last residual stream, when there are no nodes.

    What is left are position embeddings, biases of norms, attention and decoders, and all that MLPs write before the
    first position that counts, which skip connections pass on like everything else.
    """
    transcoders, dropped, reads = model.transcoders, run.prompt.first_position, []
    with torch.inference_mode():
        residual = run.captured.layers[0].residual - run.captured.embedding
        for layer, (frozen, pieces) in enumerate(zip(run.frozen.layers, run.captured.layers, strict=True)):
            attended = residual + frozen.attend(residual) + attention_bias(model, layer, frozen)
            norm = getattr(model.model.blocks[layer].mlp_norm, "bias", None)
            bias = 0 if norm is None or transcoders.input_site != "mlp_input" else norm
            reads.append(frozen.reading.apply(residual if frozen.parallel else attended) + bias)
            written = transcoders.decoder_bias(layer).expand_as(residual).clone()
            written[:dropped] = pieces.mlp_output[:dropped]
            skip = transcoders.skip(layer)
            if skip is not None:
                written[:dropped] -= pieces.mlp_input[:dropped] @ skip.T
                written += reads[layer] @ skip.T
            residual = attended + frozen.writing.apply(written)
    return reads, residual[run.position]


def attention_bias(model: ReplacementModel, layer: int, frozen: FrozenLayer) -> torch.Tensor:
    """What attention adds to an empty residual stream."""
    weights = model.model.attention_weights(layer)
    values = weights.value_bias.repeat_interleave(frozen.n_groups, dim=0)
    moved = frozen.pattern.sum(-1)[:, :, None] * values[:, None]
    added = torch.einsum("hpw,dhw->pd", moved, weights.output) + weights.output_bias
    return added if frozen.output_scale is None else added * frozen.output_scale[:, None]


def test_a_feature_taken_away_takes_its_edges_away(any_case: Case) -> None:
    case = any_case
    model, graph = case.model, case.graph
    captured = run_of(model, PROMPT_IDS).captured
    for source in spread(12, graph.n_features):
        effect = model.intervene(graph, Ablate(graph.node_ids[source]), mode="direct")
        others = np.arange(graph.n_features) != source
        change = (effect.nodes["after"] - effect.nodes["before"]).to_numpy()
        assert_close(-change[others], graph.weights[: graph.n_features, source][others])
        before = captured.uncapped_logits[list(TOKENS)]
        expected = model.model.capped(before - torch.tensor(graph.weights[graph.n_features :, source]))
        assert_close(effect.logits_after[list(TOKENS)], expected)


def test_a_feature_taken_away_for_good_is_a_plain_pass_with_a_hook(any_case: Case) -> None:
    case = any_case
    for source in spread(8, case.graph.n_features):
        effect = case.model.intervene(case.graph, Ablate(case.graph.node_ids[source]))
        assert_close(effect.logits_before, case.plain.logits)
        assert_close(effect.logits_after, case.plain.clamping({feature_at(case.graph, source): 0.0}))


def test_features_of_several_layers_clamped_together_are_a_plain_pass_with_hooks(case: Case) -> None:
    graph = case.graph
    chosen = [feature_at(graph, node) for node in spread(6, graph.n_features)]
    active = case.model.activations(PROMPT_IDS)
    values = {feature: 3.0 * active[feature] for feature in chosen}
    # Of neurons all are active: one that is no node.
    nodes = case.plain.nodes or active
    injected = next(Feature(1, 5, number) for number in range(40) if Feature(1, 5, number) not in nodes)
    effect = case.model.intervene(graph, [Scale(chosen, 3), Set(injected, 2.5)])
    assert_close(effect.logits_after, case.plain.clamping({**values, injected: 2.5}))
    after = effect.nodes.set_index("id")["after"]
    others = [node for node in spread(30, graph.n_features) if feature_at(graph, node) not in values]
    expected = [case.plain.activation(feature_at(graph, node)) for node in others]
    assert_close([after[graph.node_ids[node]] for node in others], expected)


@in_turn
def test_an_earlier_position_is_traced_and_changed_as_if_the_prompt_ended_there(case: Case) -> None:
    model = case.model
    whole, short = model.trace(PROMPT_IDS, position=5), model.trace(PROMPT_IDS[:6])
    columns = [whole.index(node) for node in short.node_ids[: short.weights.shape[1]]]
    assert whole.n_features == short.n_features
    assert_close(whole.weights[:, columns], short.weights)
    for mode in ("direct", "frozen_attention", "total", (1, 2)):
        after = [model.intervene(graph, Ablate(whole.node_ids[7]), mode=mode).logits_after for graph in (whole, short)]
        assert_close(*after)


def test_instruction_tuned_gemma_3_drops_what_opens_the_turn() -> None:
    graph = case_of(TUNED, "per-layer").graph
    assert graph.feature_position.min() == 4
    errors = slice(graph.n_features, graph.n_features + graph.n_errors)
    assert not graph.weights[:, errors][:, graph.error_position < 4].any()
    tokens = graph.weights[:, graph.n_features + graph.n_errors :]
    assert (np.abs(tokens[:, :4]).max(0) > 1e-3).all()
    with pytest.raises(InterventionError, match="positions 4 to 6 can"):
        case_of(TUNED, "per-layer").model.intervene(graph, Set(Feature(1, 3, 0), 1.0))


@in_turn
def test_constraining_every_layer_predicts_the_direct_effect(case: Case) -> None:
    chosen = [case.graph.node_ids[node] for node in spread(5, case.graph.n_features)]
    direct, constrained = (
        case.model.intervene(case.graph, Scale(chosen, 2), mode=mode).nodes["predicted"] for mode in ("direct", (0, 2))
    )
    np.testing.assert_array_equal(direct, constrained)


@in_turn
@pytest.mark.parametrize("clamped", [(0, 2), (0, 1), (1, 1), (1, 2)])
def test_a_constrained_effect_is_a_plain_pass_with_clamped_outputs(case: Case, clamped: tuple[int, int]) -> None:
    graph = case.graph
    chosen = [feature_at(graph, node) for node in spread(5, graph.n_features)]
    values = {feature: -case.model.activations(PROMPT_IDS)[feature] for feature in chosen}
    effect = case.model.intervene(graph, Scale(chosen, -1), mode=clamped)
    assert_close(effect.logits_after, case.plain.clamping(values, range(clamped[0], clamped[1] + 1)))


@in_turn
@pytest.mark.parametrize(
    "conditions", [Conditions(), Conditions(frozen_attention=True), Conditions(frozen_mlps=range(1, 3))]
)
def test_a_partial_rerun_is_a_full_one(case: Case, conditions: Conditions) -> None:
    model, sites = case.model.model, case.model.transcoders
    captured = run_of(case.model, PROMPT_IDS).captured
    vector = 9 * torch.randn(sites.d_model, generator=torch.Generator().manual_seed(3))

    def edit(first_position: int) -> Any:
        def added(layer: int, x: torch.Tensor) -> torch.Tensor | None:
            change = torch.zeros_like(x)
            change[3 - first_position] = vector
            return change if layer == 1 else None

        return added

    part = rerun(model, captured, edit(3), first_layer=1, first_position=3, conditions=conditions)
    whole = rerun(model, captured, edit(0), first_layer=0, first_position=0, conditions=conditions)
    assert_close(part.logits, whole.logits, 1e-6)
    assert float((part.logits - captured.logits).abs().max()) > 1e-3
    for layer, x in part.mlp_inputs.items():
        assert_close(x, whole.mlp_inputs[layer][3:], 1e-6)

"""Running the model again: the real thing, from wherever it starts, leaving nothing behind."""

import threading

import numpy as np
import pytest
import torch

from circuit_widget.errors import Cancelled
from circuit_widget.intervention import Ablate, Add, Set
from circuit_widget.model.capture import capture
from circuit_widget.model.rerun import Conditions, rerun
from circuit_widget.nodes import Feature
from circuit_widget.replacement_model import ReplacementModel
from tests.models import PROMPT_IDS, hooks_of, per_layer, tiny_model

LAST = len(PROMPT_IDS) - 1


def written(model: ReplacementModel, vectors: dict[tuple[int, int], torch.Tensor]) -> torch.Tensor:
    """Logits of a plain forward pass in which hand-written hooks add vectors to MLP outputs at (layer, position)."""
    handles = []
    for layer, block in enumerate(model.model.network.model.layers):

        def hook(_: object, __: object, output: torch.Tensor, layer: int = layer) -> torch.Tensor:
            for (changed_layer, position), vector in vectors.items():
                if changed_layer == layer:
                    output[0, position] += vector
            return output

        handles.append(block.mlp.register_forward_hook(hook))
    with torch.inference_mode():
        logits: torch.Tensor = model.model.network(torch.tensor([PROMPT_IDS])).logits[0, -1]
    for handle in handles:
        handle.remove()
    return logits


@pytest.mark.parametrize("jump", [False, True])
def test_a_total_effect_equals_a_plain_forward_pass_with_a_hook(jump: bool) -> None:
    model = tiny_model(jump=jump)
    graph = model.trace(PROMPT_IDS)
    for node in np.linspace(0, graph.n_features - 1, 15).astype(int).tolist():
        layer, position, feature = (
            int(numbers[node]) for numbers in (graph.feature_layer, graph.feature_position, graph.feature_index)
        )
        vector = -float(graph.activation[node]) * per_layer(model).layers[layer].decoder[feature]
        effect = model.intervene(graph, Ablate(graph.node_ids[node]))
        expected = written(model, {(layer, position): vector})
        np.testing.assert_allclose(effect.logits_after, expected, atol=2e-5, rtol=0)


def test_clamped_features_of_two_layers_keep_their_values_although_one_affects_the_other() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    low, high = Feature(0, 2, 3), Feature(2, 4, 7)
    effect = model.intervene(graph, [Set(low, 3.0), Set(high, 5.0)])
    rows = {feature: per_layer(model).layers[feature.layer].decoder[feature.feature] for feature in (low, high)}
    before = model.activations(PROMPT_IDS)
    low_vector = (3.0 - before.get(low, 0.0)) * rows[low]
    reading: list[float] = []

    def read(_: object, args: tuple[torch.Tensor]) -> None:
        _, activation = model.transcoders.encode(2, args[0][0])
        reading.append(float(activation[high.position, high.feature]))

    handle = model.model.network.model.layers[2].mlp.register_forward_pre_hook(read)
    written(model, {(0, 2): low_vector})
    handle.remove()
    expected = written(model, {(0, 2): low_vector, (2, 4): (5.0 - reading[0]) * rows[high]})
    np.testing.assert_allclose(effect.logits_after, expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    "conditions", [Conditions(), Conditions(frozen_attention=True), Conditions(frozen_mlps=range(1, 3))]
)
def test_a_partial_rerun_equals_a_full_one(conditions: Conditions) -> None:
    model = tiny_model().model
    captured = capture(model, PROMPT_IDS, LAST)
    vector = torch.randn(32, generator=torch.Generator().manual_seed(3))

    def edit(first_position: int) -> object:
        def added(layer: int, x: torch.Tensor) -> torch.Tensor | None:
            if layer != 1:
                return None
            change = torch.zeros_like(x)
            change[3 - first_position] = vector
            return change

        return added

    part = rerun(model, captured, edit(3), first_layer=1, first_position=3, conditions=conditions)
    whole = rerun(model, captured, edit(0), first_layer=0, first_position=0, conditions=conditions)
    torch.testing.assert_close(part.logits, whole.logits, atol=1e-6 * float(whole.logits.abs().max()), rtol=0)
    assert sorted(part.mlp_inputs) == [1, 2]
    for layer, x in part.mlp_inputs.items():
        torch.testing.assert_close(x, whole.mlp_inputs[layer][3:], atol=1e-6, rtol=1e-6)
    assert not torch.allclose(whole.logits, captured.logits, atol=1e-3)


def test_a_rerun_without_an_edit_is_the_captured_pass() -> None:
    model = tiny_model().model
    captured = capture(model, PROMPT_IDS, LAST)
    for conditions in (Conditions(), Conditions(frozen_attention=True), Conditions(frozen_mlps=range(3))):
        again = rerun(model, captured, lambda *_: None, first_layer=0, first_position=2, conditions=conditions)
        torch.testing.assert_close(again.logits, captured.logits, atol=1e-5, rtol=1e-5)


def test_a_clamped_range_has_no_knock_on_effects_inside() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    source = int(np.flatnonzero((graph.feature_layer == 0) & (graph.feature_position == 2))[0])
    effect = model.intervene(graph, Ablate(graph.node_ids[source]), mode=(0, 2))
    network, captured = model.model.network, model._run_of(graph, None).captured
    vector = -float(graph.activation[source]) * per_layer(model).layers[0].decoder[graph.feature_index[source]]
    handles = []
    for layer, block in enumerate(network.model.layers):

        def hook(_: object, __: object, output: torch.Tensor, layer: int = layer) -> torch.Tensor:
            clamped = captured.layers[layer].mlp_output.clone()
            if layer == 0:
                clamped[2] += vector
            return clamped[None]

        handles.append(block.mlp.register_forward_hook(hook))
    with torch.inference_mode():
        expected = network(torch.tensor([PROMPT_IDS])).logits[0, -1]
    for handle in handles:
        handle.remove()
    np.testing.assert_allclose(effect.logits_after, expected, atol=2e-5, rtol=0)


def test_a_feature_clamped_above_another_is_changed_by_its_own_difference_alone() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    low, high = Feature(0, 2, 3), Feature(1, 4, 7)
    effect = model.intervene(graph, [Set(low, 30.0), Set(high, 5.0)], mode=(0, 2))
    captured, before = model._run_of(graph, None).captured, model.activations(PROMPT_IDS)

    def added(layer: int, x: torch.Tensor) -> torch.Tensor | None:
        change = torch.zeros_like(x)
        for feature, value in ((low, 30.0), (high, 5.0)):
            if feature.layer == layer:
                row = per_layer(model).layers[layer].decoder[feature.feature]
                change[feature.position] = (value - before.get(feature, 0.0)) * row
        return change

    clamped = Conditions(frozen_mlps=range(3))
    expected = rerun(model.model, captured, added, first_layer=0, first_position=0, conditions=clamped)
    np.testing.assert_allclose(effect.logits_after, expected.logits, atol=2e-5, rtol=0)


def test_a_range_and_a_pair_mean_the_same_layers() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    effects = [model.intervene(graph, Ablate(graph.node_ids[3]), mode=mode) for mode in (range(2), (0, 1), "0-1")]
    assert [effect.mode for effect in effects] == ["0-1"] * 3
    assert effects[0].frozen == "MLP outputs of layers 0 to 1 frozen"
    for effect in effects[1:]:
        np.testing.assert_array_equal(effect.logits_after, effects[0].logits_after)


def test_cancelling_stops_between_layers_and_leaves_no_hook() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    n_checks = 0

    def cancelled() -> bool:
        nonlocal n_checks
        n_checks += 1
        return n_checks > 1

    with pytest.raises(Cancelled):
        model.intervene(graph, Ablate(graph.node_ids[0]), mode="frozen_attention", cancelled=cancelled)
    assert n_checks == 2
    with pytest.raises(Cancelled):
        model.trace([1, 3, 5], cancelled=lambda: True)
    assert hooks_of(model.model.network) == 0
    again = model.intervene(graph, Ablate(graph.node_ids[0]))
    assert again.logits_before.shape == (206,)


def test_runs_leave_no_hook_and_no_change_of_the_model() -> None:
    model = tiny_model()
    with torch.inference_mode():
        before = model.model.network(torch.tensor([PROMPT_IDS])).logits
    graph = model.trace(PROMPT_IDS)
    for mode in ("direct", "frozen_attention", "total", (1, 2)):
        model.intervene(graph, Add(Feature(1, 2, 3), 2.0), mode=mode)
    assert hooks_of(model.model.network) == 0
    with torch.inference_mode():
        torch.testing.assert_close(model.model.network(torch.tensor([PROMPT_IDS])).logits, before, atol=0, rtol=0)


def test_another_thread_that_uses_the_model_meanwhile_is_not_affected() -> None:
    model = tiny_model()
    graph = model.trace(PROMPT_IDS)
    with torch.inference_mode():
        alone = model.model.network(torch.tensor([PROMPT_IDS])).logits
    meanwhile: list[torch.Tensor] = []

    def other() -> None:
        with torch.inference_mode():
            meanwhile.append(model.model.network(torch.tensor([PROMPT_IDS])).logits)

    def hook(*_: object) -> None:
        running = hooks_of(model.model.network) > 1
        if running and threading.current_thread() is threading.main_thread() and not meanwhile:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()

    handle = model.model.network.model.layers[2].mlp.act_fn.register_forward_pre_hook(hook)
    model.intervene(graph, Set(Feature(1, 2, 3), 50.0), mode="frozen_attention")
    handle.remove()
    torch.testing.assert_close(meanwhile[0], alone, atol=0, rtol=0)

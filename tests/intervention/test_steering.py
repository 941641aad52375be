"""Generating under interventions: equal to a hand-written pass over everything, streamed, reproducible, and refused."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from circuit_widget.errors import Cancelled, InterventionError, NodeError, PromptError
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Add, Intervention, Scale, Set, SwapIn, intervention_from_json
from circuit_widget.model.architectures import INPUT_SITES, OUTPUT_SITES
from circuit_widget.model.sampling import SampledToken
from circuit_widget.nodes import Everywhere, Feature
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.tracing.generation import Generation
from tests.architectures import CONFIGURATIONS, THOROUGH, model_of
from tests.models import PROMPT_IDS, hooks_of, reference_model, tiny_model, tiny_transcoders
from tests.plain_pass import rows_of

PROMPT = "the capital of France is"
N_PROMPT = len(PROMPT_IDS)
WRITERS = [Everywhere(0, 3), Everywhere(1, 5), Everywhere(2, 7)]

Value = Callable[[float], float]
"""From a feature's activation without interventions (on a new token: its activation there and then) to its value."""


def model_named(name: str) -> ReplacementModel:
    if name in CONFIGURATIONS:
        return ReplacementModel(model_of(name), tiny_transcoders())
    return tiny_model(**{"cross-layer": {"cross_layer": True}, "top-k": {"top_k": 5}, "jump": {"jump": True}}[name])


def ids(generation: Generation) -> list[int]:
    return [token.token_id for token in generation.sampled]


def whole_pass(
    model: ReplacementModel, tokens: Sequence[int], values: dict[tuple[int, int], Value], *, new_tokens: bool
) -> torch.Tensor:
    """Logits of one pass over all tokens, nothing kept from earlier ones, with features clamped by hand at every position."""
    before, transcoders = model.activations(PROMPT_IDS), model.transcoders
    written = [torch.zeros(len(tokens), transcoders.d_model) for _ in range(transcoders.n_layers)]

    read: dict[int, torch.Tensor] = {}

    def hook_of(layer: int) -> Callable[..., Any]:
        def clamp(_: object, __: object, output: Any) -> Any:
            _, activation = transcoders.encode(layer, read[layer])
            for (reader, feature), value in values.items():
                if reader != layer:
                    continue
                last = len(tokens) if new_tokens else N_PROMPT
                for position in range(1, last):
                    now = float(activation[position, feature])
                    original = before.get(Feature(layer, position, feature), 0.0) if position < N_PROMPT else now
                    change = value(original) - now
                    for target in transcoders.written_layers(layer):
                        row = transcoders.decoder_rows(layer, torch.tensor([feature]), target)[0]
                        written[target][position] += change * row
            if isinstance(output, tuple):
                return (output[0] + written[layer], *output[1:])
            return output + written[layer]

        return clamp

    with torch.inference_mode(), ExitStack() as stack:
        for layer, block in enumerate(model.model.blocks):
            stack.callback(
                block.mlp.register_forward_pre_hook(
                    lambda _, args, layer=layer: read.update({layer: rows_of(args[0])})
                ).remove
            )
            stack.callback(block.mlp_end.register_forward_hook(hook_of(layer)).remove)
        output = model.model.network(input_ids=torch.tensor([list(tokens)]), use_cache=False)
    logits: torch.Tensor = output.logits[0, -1].float()
    return logits


@pytest.mark.parametrize("new_tokens", [False, True])
@pytest.mark.parametrize("name", [*THOROUGH, "granite", "opt", "cross-layer", "top-k", "jump"])
@pytest.mark.filterwarnings("ignore:.* has a forward hook on it")
def test_kept_keys_and_values_change_nothing(name: str, new_tokens: bool) -> None:
    model = model_named(name)
    scaled, ablated = (
        next(feature for feature in model.activations(PROMPT_IDS) if feature.layer == layer and feature.feature > 5)
        for layer in (0, 1)
    )
    values: dict[tuple[int, int], Value] = {
        (0, scaled.feature): lambda before: 3 * before,
        (1, ablated.feature): lambda before: 0.0,
        (1, 5): lambda before: 4.0,
        (2, 7): lambda before: before + 2,
    }
    interventions = [
        Scale(Everywhere(0, scaled.feature), 3),
        Ablate(Everywhere(1, ablated.feature)),
        Set(Everywhere(1, 5), 4),
        Add(Everywhere(2, 7), 2),
    ]
    seen: list[torch.Tensor] = []
    network = model.model.network
    with ExitStack() as stack:
        record = network.register_forward_hook(lambda _, args, output: seen.append(output.logits[0, -1].float()))
        stack.callback(record.remove)
        generated = model.generate(PROMPT_IDS, interventions=interventions, new_tokens=new_tokens, max_new_tokens=8)
    assert len(ids(generated.steered)) == len(ids(generated.unsteered)) == 8
    so_far = list(PROMPT_IDS)
    for token, logits in zip(ids(generated.steered), seen[1::2], strict=True):
        expected = whole_pass(model, so_far, values, new_tokens=new_tokens)
        torch.testing.assert_close(logits, expected, atol=1e-5 * max(1.0, float(expected.abs().max())), rtol=0)
        assert token == int(expected.argmax())
        so_far.append(token)
    assert ids(generated.unsteered) == ids(model.generate(PROMPT_IDS, max_new_tokens=8))
    assert hooks_of(network) == 0


def test_new_tokens_are_changed_only_if_requested() -> None:
    model = tiny_model()
    both = [
        model.generate(PROMPT_IDS, interventions=Set(WRITERS, 6), new_tokens=new_tokens, max_new_tokens=6)
        for new_tokens in (False, True)
    ]
    assert both[0].steered.probabilities[0] == both[1].steered.probabilities[0]
    assert both[0].steered.probabilities[1] != both[1].steered.probabilities[1]
    assert ids(both[0].unsteered) == ids(both[1].unsteered)


@pytest.mark.parametrize("case", ["llama-relu", "llama-clt", "gemma2-skip"])
def test_the_first_token_is_what_an_intervention_on_the_graph_measures(case: str) -> None:
    model = reference_model(case)
    graph = model.trace(PROMPT)
    strongest = np.argsort(-graph.influence[: graph.n_features])[:5]
    interventions = [Scale([graph.node_ids[node] for node in strongest], -2)]
    generated = model.generate(PROMPT, interventions=interventions, max_new_tokens=1)
    after = torch.tensor(model.intervene(graph, interventions).logits_after).softmax(-1)
    (token,) = ids(generated.steered)
    assert token == int(after.argmax())
    assert generated.steered.probabilities[0] == pytest.approx(float(after[token]), abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("input_site", INPUT_SITES)
@pytest.mark.parametrize("output_site", OUTPUT_SITES)
def test_features_read_and_write_at_the_sites_of_their_transcoders(
    input_site: str, output_site: str, dtype: torch.dtype
) -> None:
    transcoders = tiny_transcoders(input_site=input_site, output_site=output_site)
    model = ReplacementModel(model_of("gemma2", dtype=dtype), transcoders)
    graph = model.trace(PROMPT_IDS)
    nodes = graph.node_ids[: graph.n_features]
    effect = model.intervene(graph, Scale(nodes, -2))
    before, after = (torch.tensor(logits).softmax(-1) for logits in (effect.logits_before, effect.logits_after))
    generated = model.generate(PROMPT_IDS, interventions=Scale(nodes, -2), max_new_tokens=1)
    (token,) = ids(generated.steered)
    tolerance = 1e-6 if dtype is torch.float32 else 0.005
    assert generated.steered.probabilities[0] == pytest.approx(float(after[token]), abs=tolerance)
    assert float(after[token]) >= float(after.max()) - tolerance
    assert abs(float(after[token] - before[token])) > 2 * tolerance


def test_everywhere_is_every_position_of_a_graph() -> None:
    model = reference_model()
    graph = model.trace(PROMPT)
    some = Everywhere(int(graph.feature_layer[0]), int(graph.feature_index[0]))
    listed = [some.at(position) for position in range(1, graph.position + 1)]
    for everywhere, by_hand in ((Set(some, 2), Set(listed, 2)), (Add([some], [1]), Add(listed, 1))):
        effect = model.intervene(graph, everywhere)
        np.testing.assert_array_equal(effect.logits_after, model.intervene(graph, by_hand).logits_after)
        assert [one.members for one in effect.interventions] == [tuple(listed)]
    ablated = model.intervene(graph, Ablate(some))
    np.testing.assert_array_equal(ablated.logits_after, model.intervene(graph, Set(listed, 0)).logits_after)
    active = tuple(feature for feature in listed if feature.id in graph.node_ids)
    assert ablated.interventions == (Ablate(active),)


@pytest.mark.parametrize("interventions", [Ablate([Everywhere(1, 3), Feature(0, 2, 1)]), Add(Everywhere(1, 3), 2)])
def test_everywhere_survives_json(interventions: Intervention) -> None:
    document = json.loads(json.dumps(interventions.to_json()))
    assert document["nodes"][0] == {"layer": 1, "feature": 3}
    assert intervention_from_json(document) == interventions


def test_a_feature_that_cannot_be_anywhere_is_refused() -> None:
    with pytest.raises(NodeError, match="The layer of a feature is a whole number from 0 up; given -1"):
        Everywhere(-1, 3)
    with pytest.raises(
        NodeError, match=r"The number of a feature in its layer is a whole number from 0 up; given 2\.5"
    ):
        intervention_from_json({"kind": "ablate", "nodes": [{"layer": 1, "feature": 2.5}]})


def test_the_later_of_two_interventions_on_a_feature_holds_on_new_tokens_too() -> None:
    model = tiny_model()
    both = model.generate(PROMPT_IDS, interventions=[Set(WRITERS, 9), Set(WRITERS, 2)], new_tokens=True)
    assert (
        both.steered.probabilities
        == model.generate(PROMPT_IDS, interventions=Set(WRITERS, 2), new_tokens=True).steered.probabilities
    )


def test_both_are_drawn_with_the_same_random_numbers() -> None:
    model = reference_model()
    options: dict[str, Any] = {"new_tokens": True, "temperature": 2.0, "max_new_tokens": 12}
    nothing = Add(Everywhere(0, 0), 0)
    for seed in (None, 3, 4):
        generated = model.generate(PROMPT, interventions=nothing, seed=seed, **options)
        assert ids(generated.unsteered) == ids(generated.steered)
        assert generated.unsteered.seed == generated.steered.seed is not None
    strong = [model.generate(PROMPT, interventions=Set(Everywhere(0, 0), 8), seed=3, **options) for _ in range(2)]
    assert strong[0] == strong[1]
    assert ids(strong[0].steered) != ids(strong[0].unsteered)
    assert ids(strong[0].unsteered) == ids(model.generate(PROMPT, temperature=2.0, max_new_tokens=12, seed=3))


def test_tokens_stream_side_by_side() -> None:
    model, seen = tiny_model(), list[SampledToken]()
    done: list[float] = []
    generated = model.generate(
        PROMPT_IDS,
        interventions=Set(WRITERS, 6),
        max_new_tokens=3,
        on_token=seen.append,
        progress=lambda part, text: done.append(part),
    )
    assert [(token.steered, token.index) for token in seen] == [(s, p) for p in range(3) for s in (False, True)]
    for steered, generation in ((False, generated.unsteered), (True, generated.steered)):
        streamed = [token for token in seen if token.steered is steered]
        assert [token.token_id for token in streamed] == ids(generation)
        assert tuple(token.probability for token in streamed) == generation.probabilities
    assert done == [pytest.approx(part / 6) for part in range(1, 7)]


def test_one_that_ends_early_leaves_the_other_going(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_model()
    free = model.generate(PROMPT_IDS, interventions=Set(WRITERS, 6), new_tokens=True, max_new_tokens=6)
    end = next(token for token in ids(free.unsteered) if token not in ids(free.steered))
    monkeypatch.setattr(model.model.network.generation_config, "eos_token_id", [end])
    done: list[float] = []
    generated = model.generate(
        PROMPT_IDS,
        interventions=Set(WRITERS, 6),
        new_tokens=True,
        max_new_tokens=6,
        progress=lambda part, text: done.append(part),
    )
    assert generated.unsteered.ended
    assert not generated.steered.ended
    assert ids(generated.steered) == ids(free.steered)
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_it_is_cancelled_between_tokens_and_leaves_the_model_as_it_was() -> None:
    model, seen = tiny_model(), list[SampledToken]()
    with pytest.raises(Cancelled):
        model.generate(
            PROMPT_IDS, interventions=Set(WRITERS, 6), on_token=seen.append, cancelled=lambda: len(seen) == 3
        )
    assert len(seen) == 3
    assert hooks_of(model.model.network) == 0

    def fail(token: SampledToken) -> None:
        raise RuntimeError("the page is gone")

    with pytest.raises(RuntimeError, match="the page is gone"):
        model.generate(PROMPT_IDS, interventions=Set(WRITERS, 6), on_token=fail)
    assert hooks_of(model.model.network) == 0
    assert model.lock.acquire(blocking=False)
    model.lock.release()


def test_a_token_of_a_steered_text_is_traced_in_the_model_as_it_is(tmp_path: Path) -> None:
    model = reference_model()
    intervention = Set(Everywhere(0, 0), 8)
    generated = model.generate(
        PROMPT, interventions=intervention, new_tokens=True, max_new_tokens=4, temperature=2.0, seed=1
    )
    graph = generated.steered.trace(2)
    assert graph.tokens == generated.steered.tokens[: generated.steered.n_prompt + 2]
    assert generated.steered.sampled[2].token_id in [target.token_id for target in graph.targets]
    steering = {"interventions": [intervention.to_json()], "new_tokens": True}
    recipes: list[Any] = [graph.recipe, generated.unsteered.trace(2).recipe]
    assert recipes[0]["generation"]["steering"] == steering
    assert "steering" not in recipes[1]["generation"]
    graph.save(tmp_path / "steered.safetensors")
    again: Any = Graph.load(tmp_path / "steered.safetensors").recipe
    assert again["generation"]["steering"] == steering
    np.testing.assert_array_equal(model.trace(generated.steered, token=2).weights, graph.weights)


@pytest.mark.parametrize(
    ("interventions", "options", "error", "message"),
    [
        ([], {}, InterventionError, "There is no intervention; give at least one, such as Ablate(nodes)."),
        (7, {}, InterventionError, "Interventions are Ablate, Scale, Set, Add or SwapIn; given 7."),
        (["0_1_2"], {}, InterventionError, "given '0_1_2'."),
        (
            Set(Feature(0, 99, 1), 1),
            {},
            InterventionError,
            "position=99, feature=1) cannot be changed; positions 1 to 6",
        ),
        (Set(Feature(0, 0, 1), 1), {}, InterventionError, "positions 1 to 6 can"),
        (
            Set(Everywhere(3, 1), 1),
            {},
            NodeError,
            "Everywhere(layer=3, feature=1) does not exist; the model has layers 0 to 2",
        ),
        (Set(Everywhere(0, 40), 1), {}, NodeError, "does not exist; layer 0 has features 0 to 39."),
        (
            Ablate("0_1_99"),
            {},
            NodeError,
            "“0_1_99” is no feature that is active on this prompt; expected the id of one",
        ),
        (Ablate("x" * 500), {}, NodeError, "is no feature that is active on this prompt"),
        (Set(Everywhere(0, 1), 1), {"new_tokens": "yes"}, InterventionError, "given 'yes'."),
        (None, {"new_tokens": True}, InterventionError, "True with interventions only; given True."),
        (Set(Everywhere(0, 1), 1), {"max_new_tokens": 0}, PromptError, "max_new_tokens is a whole number from 1 up"),
        (
            Set(Everywhere(0, 1), 1e300),
            {},
            InterventionError,
            "would be clamped at 1e+300, and the numbers of a model end at 3.4e+38; give a factor or value that is nearer",
        ),
        (
            Set([Everywhere(0, feature) for feature in range(40)], 3e38),
            {},
            PromptError,
            "under these interventions are not finite; use smaller values.",
        ),
    ],
)
def test_what_cannot_be_done_is_refused(interventions: Any, options: Any, error: type[Exception], message: str) -> None:
    model = tiny_model()
    with pytest.raises(error) as refusal:
        model.generate(PROMPT_IDS, interventions=interventions, **options)
    assert message in str(refusal.value)
    assert len(str(refusal.value)) < 250
    assert hooks_of(model.model.network) == 0


def test_swaps_reach_the_prompt_only() -> None:
    model = tiny_model()
    node = next(iter(model.activations(PROMPT_IDS)))
    other = [*PROMPT_IDS[:-1], 121]
    assert model.generate(PROMPT_IDS, interventions=SwapIn(node, other), max_new_tokens=1).interventions
    with pytest.raises(InterventionError, match="generated tokens have no such position; use it with new_tokens=False"):
        model.generate(PROMPT_IDS, interventions=SwapIn(node, other), new_tokens=True)
    with pytest.raises(InterventionError, match="cannot be swapped in: prompts are aligned position by position"):
        SwapIn(Everywhere(0, 1), other)
    with pytest.raises(InterventionError, match="cannot be swapped in"):
        SwapIn(node, other, Everywhere(0, 1))


def test_a_feature_that_is_active_nowhere_on_the_prompt_may_become_active_later() -> None:
    model = tiny_model(jump=True)
    active = {(feature.layer, feature.feature) for feature in model.activations(PROMPT_IDS)}
    layer, feature = next((la, f) for la in range(3) for f in range(40) if (la, f) not in active)
    with pytest.raises(InterventionError, match="is not active on this prompt, so there is nothing to ablate"):
        model.generate(PROMPT_IDS, interventions=Ablate(Everywhere(layer, feature)))
    with pytest.raises(InterventionError, match="so there is nothing to scale"):
        model.generate(PROMPT_IDS, interventions=Scale(Feature(layer, 2, feature), 2), new_tokens=True)
    assert model.generate(PROMPT_IDS, interventions=Ablate(Everywhere(layer, feature)), new_tokens=True).new_tokens

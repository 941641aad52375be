"""Loading, tokens, tracing, interventions, generation and figures on SmolLM2-135M-Instruct with its neurons."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from circuit_widget import Ablate, Circuit, Graph, Scale, load
from circuit_widget.attribution.total_attribution import TotalAttributions, total_attributions
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.nodes import Feature
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.tracing.prompt_run import PromptRun
from tests.models import run_of
from tests.plain_pass import PlainPass
from tests.real.conftest import FRANCE, OPPOSITE


def run_on(model: ReplacementModel, prompt: str) -> PromptRun:
    return run_of(model, [token.token_id for token in model.tokenize(prompt)])


def attributions(model: ReplacementModel, token: str, prompt: str, first_position: int) -> TotalAttributions:
    neurons, run = model.transcoders, run_on(model, prompt)
    assert isinstance(neurons, Neurons)
    (number,) = model.model.tokenizer(token, add_special_tokens=False).input_ids
    direction = model.model.unembedding.weight.detach()[number] - model.model.mean_unembedding
    layers = [neurons.layer(layer) for layer in range(neurons.n_layers)]
    inputs = [pieces.mlp_input for pieces in run.captured.layers]
    with torch.inference_mode():
        return total_attributions(run.frozen, layers, inputs, direction, first_position)


def test_the_gguf_file_is_loaded_with_its_tokenizer_and_recorded(gguf: Path, model: ReplacementModel) -> None:
    loaded = load(gguf, device="cpu", dtype="float32")
    assert (loaded.name, loaded.n_layers, loaded.transcoders.name) == (gguf.stem, 30, "neurons")
    assert [loaded.transcoders.n_features(layer) for layer in (0, 29)] == [1536, 1536]
    tokens = loaded.tokenize(FRANCE)
    assert [token.text for token in tokens] == ["<|im_start|>", "The", " capital", " of", " France", " is"]
    assert tokens == model.tokenize(FRANCE)
    graph = loaded.trace(FRANCE, max_features=20)
    assert (graph.targets[0].token, round(graph.targets[0].probability, 2)) == (" Paris", 0.75)
    origin: Any = graph.recipe["provenance"]
    assert origin["model"]["quantisation"] == "Q4_1"
    assert list(origin["model"]["files"]) == [gguf.name]
    np.testing.assert_allclose(graph.weights, model.trace(FRANCE, max_features=20).weights, atol=1e-3)


def test_an_antonym_has_its_probability(model: ReplacementModel) -> None:
    graph = model.trace(OPPOSITE, max_features=20)
    found = {target.token: round(target.probability, 2) for target in graph.targets}
    assert found[" large"] == 0.08
    assert " big" in found


def test_the_embeddings_have_the_whole_logit(model: ReplacementModel) -> None:
    """No bias anywhere: with neurons of the first token too, the embeddings' attributions are the logit less the mean."""
    found = attributions(model, " large", OPPOSITE, first_position=0)
    of_tokens = float((found.entering * run_on(model, OPPOSITE).captured.embedding).sum())
    assert of_tokens == pytest.approx(12.5733, abs=2e-3)


def test_total_attribution_is_spread_as_in_an_independent_prototype(model: ReplacementModel) -> None:
    found = torch.stack(attributions(model, " large", OPPOSITE, first_position=1).neurons).abs().flatten()
    largest = found.sort(descending=True).values
    shares = [round(float(largest[:count].sum() / found.sum()), 3) for count in (100, 300, 1_000, 3_000, 10_000)]
    assert shares == [0.087, 0.125, 0.192, 0.293, 0.471]
    assert found.numel() == 276_480


def test_more_neurons_explain_more(model: ReplacementModel) -> None:
    scores = [model.trace(OPPOSITE, max_features=count).recorded_scores for count in (300, 1_000, 2_000)]
    assert [round(score.replacement, 2) for score in scores] == [0.17, 0.30, 0.42]
    assert [round(score.completeness, 2) for score in scores] == [0.71, 0.80, 0.85]


def test_2000_neurons_are_nodes_where_no_number_is_given(model: ReplacementModel) -> None:
    graph = model.trace(FRANCE)
    assert graph.n_features == 2_000
    assert graph.left_out == 5 * 30 * 1536 - 2_000
    assert (graph.activation < 0).sum() > 500


def test_the_strongest_edges_are_what_an_ablation_takes_away(model: ReplacementModel, france: Graph) -> None:
    assert model.verify(france, 30).agrees


def test_neurons_changed_are_a_plain_pass_with_hooks(model: ReplacementModel, france: Graph) -> None:
    chosen = [france.node_ids[node] for node in np.argsort(-france.influence[: france.n_features])[:8]]
    effect = model.intervene(france, Scale(chosen, -1))
    plain = PlainPass(model, run_on(model, FRANCE).prompt.token_ids)
    features = [feature_of(france, node) for node in chosen]
    active = model.activations(FRANCE)
    expected = plain.clamping({feature: -active[feature] for feature in features})
    np.testing.assert_allclose(effect.logits_after, expected, atol=2e-4)
    assert effect.probability(" Paris") != pytest.approx(0.75, abs=0.05)


def feature_of(graph: Graph, node: str) -> Feature:
    index = graph.index(node)
    return Feature(int(graph.feature_layer[index]), int(graph.feature_position[index]), int(graph.feature_index[index]))


def test_all_other_neurons_of_a_place_are_one_node(model: ReplacementModel, france: Graph) -> None:
    """With the nodes of a place and its other neurons taken away, the MLP writes nothing there."""
    here = [
        node
        for node in france.node_ids[: france.n_features]
        if feature_of(france, node).layer == 29 and feature_of(france, node).position == 5
    ]
    effect = model.intervene(france, Ablate([*here, "29_-1_5"]))
    plain = PlainPass(model, run_on(model, FRANCE).prompt.token_ids)
    expected = plain.clamping({}, added={(29, 5): -plain.plain_written[29][5]})
    np.testing.assert_allclose(effect.logits_after, expected, atol=2e-4)


def test_a_text_goes_on_as_transformers_has_it(model: ReplacementModel) -> None:
    network: Any = model.model.network
    prompt = run_on(model, FRANCE).prompt
    ids = torch.tensor([prompt.token_ids])
    with torch.inference_mode():
        expected = network.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False
        )
    generation = model.generate(FRANCE, max_new_tokens=8)
    assert [token.token_id for token in generation.sampled] == expected[0, len(prompt.token_ids) :].tolist()


def test_a_circuit_of_neurons_is_a_figure(model: ReplacementModel, france: Graph) -> None:
    strongest = [france.node_ids[node] for node in np.argsort(-france.influence[: france.n_features])[:3]]
    circuit = (
        Circuit().group("towards Paris", strongest).pin([france.node_ids[france.n_features + france.n_errors + 4]])
    )
    svg = france.figure(circuit).svg()
    assert "towards Paris" in svg
    assert " France" in svg or "France" in svg


def test_neurons_have_examples_of_ones_own_texts(directory: Path, tmp_path: Path) -> None:
    model = load(directory, "neurons", device="cpu", dtype="float32")
    texts = [
        f"{FRANCE} Paris.",
        "Paris is a city on the Seine.",
        OPPOSITE + " large.",
        "Berlin is the capital of Germany.",
    ]
    found = model.collect_examples(texts, tmp_path, progress=False)
    assert found.n_features == 30 * 1536
    assert found.n_tokens == sum(len(model.tokenize(text)) - 1 for text in texts)
    activations = [model.activations(text) for text in texts]
    for layer, neuron in ((0, 7), (14, 700), (29, 1500)):
        card = model.feature_card(layer, neuron)
        here = [text.value[(text.layer == layer) & (text.feature == neuron)] for text in activations]
        first, values = np.array([of_text[0] for of_text in here]), np.concatenate([of_text[1:] for of_text in here])
        assert card.maximum == pytest.approx(values.max(), abs=1e-3)
        assert card.minimum == pytest.approx(values.min(), abs=1e-3)
        assert card.mean == pytest.approx(values.mean(), abs=1e-3)
        assert card.histogram is not None
        assert sum(card.histogram.counts) == len(values) == found.n_tokens - len(texts)
        groups = [level for level in card.levels if level.name == "first tokens"]
        assert min(level.least for level in groups) == pytest.approx(first.min(), abs=1e-3)
        assert max(level.most for level in groups) == pytest.approx(first.max(), abs=1e-3)
        peaks = [max(example.activations) for example in card.examples]
        assert max(peaks) == pytest.approx(card.maximum)

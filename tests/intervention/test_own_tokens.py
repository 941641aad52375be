"""A graph and a generation run on exactly their own tokens, whatever the tokenizer's special tokens are."""

from functools import cache
from pathlib import Path

import pytest
import torch

import circuit_widget as cw
from circuit_widget.graph import Graph
from circuit_widget.intervention.as_code import effect_code, generation_code
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.replacement_model import ReplacementModel
from tests.architectures import THOROUGH, network_of
from tests.models import tiny_transcoders
from tests.tokenizer_kinds import tokenizer_of

PROMPT = "the capital of the state in Dallas is"


@cache
def model_of(name: str, roles: str = "one for all") -> ReplacementModel:
    """A tiny model whose tokenizer has one special token for everything, with random transcoders."""
    return ReplacementModel(LanguageModel(network_of(name), tokenizer_of("words", roles), name), tiny_transcoders())


def probabilities(model: ReplacementModel, ids: list[int]) -> torch.Tensor:
    """What the plain model says after these tokens."""
    with torch.inference_mode():
        found: torch.Tensor = model.model.network(torch.tensor([ids])).logits[0, -1].float().softmax(-1)
    return found


def ids_of(graph: Graph) -> list[int]:
    return [token.token_id for token in graph.tokens]


@pytest.mark.parametrize("name", [*THOROUGH, "granite", "opt"])
def test_what_is_run_for_a_graph_is_its_own_prompt(name: str, tmp_path: Path) -> None:
    model = model_of(name)
    graph = model.trace(PROMPT)
    assert [token.text for token in graph.tokens] == ["<end>", *PROMPT.split()]
    plain = probabilities(model, ids_of(graph))
    top = int(plain.argmax())
    graph.save(tmp_path / "graph.safetensors")
    model.forget()
    for one in (graph, graph.prune(0.9, 0.99), Graph.load(tmp_path / "graph.safetensors")):
        effect = model.intervene(one, cw.Ablate(one.node_ids[0]))
        assert effect.probability(top)[0] == pytest.approx(float(plain[top]), abs=1e-5)
        for target in one.targets:
            assert target.probability == pytest.approx(float(plain[target.token_id]), abs=1e-5)
    assert model.verify(graph, 5).agrees
    assert model.trace(ids_of(graph)).tokens == model.trace(graph.tokens).tokens == graph.tokens
    assert dict(model.align(graph, ids_of(graph)).pairs) == {place: place for place in range(len(graph.tokens))}


@pytest.mark.parametrize("name", [*THOROUGH, "granite", "opt"])
def test_a_sampled_token_is_explained_where_it_was_sampled(name: str) -> None:
    model = model_of(name)
    generation = model.generate(PROMPT, max_new_tokens=3, temperature=2.0, seed=3)
    for place, token in enumerate(generation.sampled):
        graph = generation.trace(place)
        assert graph.tokens == generation.tokens[: generation.n_prompt + place]
        assert graph.position == generation.n_prompt + place - 1
        found = next(target for target in graph.targets if target.token_id == token.token_id)
        assert found.probability == pytest.approx(generation.probabilities[place], abs=1e-5)
    steered = model.generate(PROMPT, interventions=cw.Ablate(model.trace(PROMPT).node_ids[0]), max_new_tokens=2)
    assert steered.steered.trace(0).tokens == steered.steered.tokens[: steered.steered.n_prompt]


@pytest.mark.parametrize("roles", ["one for all", "bos is unk", "pad is unk", "no bos, pad is unk", "no unk", "none"])
def test_studies_and_copied_code_use_the_same_tokens(roles: str) -> None:
    model = model_of("llama", roles)
    graph = model.trace(PROMPT)
    before = probabilities(model, ids_of(graph))
    top = int(before.argmax())
    node = graph.node_ids[0]
    effects = [
        *model.sweep(graph, node, [0.0, 2.0]).effects,
        model.controls(graph, cw.Ablate(node), n=1).effect,
        model.faithfulness(graph, [node]).without,
        model.intervene(graph, cw.SwapIn(node, ids_of(graph))),
        model.intervene(graph, cw.SwapIn(node, graph.tokens)),
    ]
    for effect in effects:
        assert effect.probability(top)[0] == pytest.approx(float(before[top]), abs=1e-5)
    torch.testing.assert_close(torch.tensor(effects[-1].logits_after), torch.tensor(effects[-1].logits_before))
    scope: dict[str, object] = {"cw": cw, "model": model}
    lines = effect_code(graph, [cw.Ablate(node)], "total").replace("import circuit_widget as cw", "")
    exec(lines.replace("model = ...", ""), scope)
    assert scope["graph"].tokens == graph.tokens  # type: ignore[attr-defined]
    lines = generation_code(graph, [cw.Ablate(node)], {"max_new_tokens": 1}).replace("import circuit_widget as cw", "")
    exec(lines.replace("model = ...", ""), scope)
    assert scope["steered"].unsteered.tokens[:-1] == graph.tokens  # type: ignore[attr-defined]

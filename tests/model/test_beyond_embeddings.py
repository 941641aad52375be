"""Tokens that the tokenizer has and the model does not: refused by name in every kind of prompt."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

import circuit_widget as cw
from circuit_widget.errors import CircuitWidgetWarning, InterventionError, PromptError
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.replacement_model import ReplacementModel
from tests.models import REFERENCE, tiny_model, tiny_network, tiny_transcoders
from tests.models import tokenizer as reference_tokenizer

ROWS = 206


def grown(**special: str) -> PreTrainedTokenizerBase:
    """The reference tokenizer with a token more than the model has embeddings."""
    made = AutoTokenizer.from_pretrained(REFERENCE / "models/llama")
    made.add_tokens(["<tool>"])
    made.add_special_tokens(special)
    made.chat_template = "{{ bos_token }}{% for message in messages %}{{ message['content'] }} <tool>{% endfor %}"
    return made


@cache
def model(**special: str) -> ReplacementModel:
    return ReplacementModel(LanguageModel(tiny_network(), grown(**special), "tiny"), tiny_transcoders())


def graph() -> cw.Graph:
    return model().trace("the capital")


WAYS: list[Callable[[], object]] = [
    lambda: model().trace("the <tool> capital"),
    lambda: model().trace([1, 4, ROWS]),
    lambda: model().trace(torch.tensor([[1, 4, ROWS]])),
    lambda: model().tokenize([{"role": "user", "content": "the capital"}]),
    lambda: model().trace("the capital", targets=["<tool>"]),
    lambda: model().trace("the capital", targets=ROWS),
    lambda: model().trace("the capital", targets=cw.Contrast("the", "<tool>")),
    lambda: model().trace("the capital", targets=cw.Contrast(ROWS, "the")),
    lambda: model().estimate("the capital", targets=["<tool>"]),
    lambda: model().generate("the <tool>"),
    lambda: model().activations("the <tool>"),
    lambda: model().align(graph(), "the <tool>"),
    lambda: model().intervene(graph(), cw.SwapIn(graph().node_ids[0], "the <tool>")),
    lambda: model().intervene(graph(), cw.SwapIn(graph().node_ids[0], [1, 4, ROWS])),
]


@pytest.mark.parametrize("way", range(len(WAYS)))
def test_a_token_without_an_embedding_is_refused_by_name(way: int) -> None:
    with pytest.raises(PromptError) as refusal:
        WAYS[way]()
    assert f"The token '<tool>' (id {ROWS}) is beyond the model's {ROWS} embeddings" in str(refusal.value)
    assert "Call model.resize_token_embeddings(len(tokenizer)) before loading" in str(refusal.value)
    assert model().trace("the capital").tokens == graph().tokens


def test_a_tokenizer_of_another_model_is_named_on_load_and_in_prompts() -> None:
    many = grown()
    many.add_tokens([f"<more{number}>" for number in range(600)])
    message = (
        r"has 807 tokens and the model '.*' has 206 embeddings, so the tokenizer seems to be that of another model"
    )
    with pytest.warns(CircuitWidgetWarning, match=message) as warned:
        loaded = cw.load(tiny_network(), "neurons", tokenizer=many, device="cpu")
    assert warned[0].filename == __file__
    with pytest.raises(PromptError, match="the tokenizer seems to be that of another model") as refusal:
        loaded.trace("the <more599> capital")
    assert "resize_token_embeddings" not in str(refusal.value)
    assert loaded.trace("the capital", max_features=5).n_features == 5
    few = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"<s>": 0, "the": 1}, unk_token="<s>")))
    with pytest.warns(CircuitWidgetWarning, match=r"has 2 tokens and .* most of its tokens have no text"):
        cw.load(tiny_network(), "neurons", tokenizer=few, device="cpu")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("added", [0, 1, 300])
def test_a_few_added_tokens_give_no_warning(added: int) -> None:
    some = grown()
    some.add_tokens([f"<more{number}>" for number in range(added)])
    cw.load(tiny_network(), "neurons", tokenizer=some, device="cpu")


@pytest.mark.parametrize("role", ["bos_token", "pad_token", "eos_token"])
def test_so_is_one_that_is_put_in_front(role: str) -> None:
    made = grown(**{role: "<new>"})
    for other in {"bos_token", "pad_token", "eos_token"} - {role}:
        setattr(made, other, None)
    one = ReplacementModel(LanguageModel(tiny_network(), made, "tiny"), tiny_transcoders())
    with pytest.raises(PromptError, match=r"The token '<new>' \(id 207\) is beyond the model's 206 embeddings"):
        one.trace("the capital")


def test_the_input_and_the_output_may_have_different_ones() -> None:
    network = tiny_network()
    network.lm_head = torch.nn.Linear(32, 210, bias=False)
    more = ReplacementModel(LanguageModel(network, grown(), "tiny"), tiny_transcoders())
    assert (more.model.n_embeddings, more.model.vocabulary_size) == (206, 210)
    assert more.trace("the capital", targets=["<tool>"]).targets[0].token_id == ROWS
    with pytest.raises(PromptError, match="beyond the model's 206 embeddings: "):
        more.trace("the <tool>")
    with torch.no_grad():
        network.lm_head.weight.zero_()
        network.lm_head.weight[ROWS] = 100 * more.model.normed(torch.ones(1, 32))[0]
    network = tiny_network()
    network.lm_head = torch.nn.Linear(32, 200, bias=False)
    fewer = ReplacementModel(LanguageModel(network, reference_tokenizer(), "tiny"), tiny_transcoders())
    assert len(fewer.trace([1, 4, 203]).tokens) == 3
    with pytest.raises(PromptError, match=r"\(id 203\) is beyond the model's 200 embeddings \(those of its output\)"):
        fewer.trace([1, 4], targets=203)


def test_a_generation_that_samples_one_stops_with_its_name() -> None:
    network = tiny_network()
    network.lm_head = torch.nn.Linear(32, 210, bias=True)
    with torch.no_grad():
        network.lm_head.bias[ROWS] = 1000.0
    one = ReplacementModel(LanguageModel(network, grown(), "tiny"), tiny_transcoders())
    assert one.generate("the capital", max_new_tokens=1).sampled[0].text == "<tool>"
    with pytest.raises(PromptError, match=r"The token '<tool>' \(id 206\) is beyond the model's 206 embeddings"):
        one.generate("the capital", max_new_tokens=2)


@pytest.mark.parametrize(
    ("number", "message"),
    [(-1, "does not say which tokens are at positions 2"), (5000, "This graph was traced with another model")],
)
def test_a_graph_with_tokens_that_the_model_does_not_have_is_refused(number: int, message: str) -> None:
    from dataclasses import replace

    traced = tiny_model().trace([1, 4, 5])
    strange = replace(traced, tokens=(*traced.tokens[:-1], replace(traced.tokens[-1], token_id=number)))
    with pytest.raises(InterventionError, match=message):
        tiny_model().intervene(strange, cw.Ablate(traced.node_ids[0]))

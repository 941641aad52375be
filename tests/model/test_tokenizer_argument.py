"""The `tokenizer` argument, and the errors about other objects."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

import circuit_widget as cw
from circuit_widget.errors import LoadError
from circuit_widget.intervention.as_code import effect_code
from tests.models import REFERENCE, reference_model, tokenizer

MODEL, TRANSCODERS = REFERENCE / "models/llama", REFERENCE / "llama-relu/transcoders"


@pytest.mark.parametrize(
    "given",
    [MODEL, str(MODEL), tokenizer(), SimpleNamespace(tokenizer=tokenizer())],
    ids=["path", "text", "it", "processor"],
)
def test_a_tokenizer_its_directory_or_a_processor_that_has_it_work_everywhere(given: object) -> None:
    network = reference_model().model.network
    for model in (network, MODEL):
        loaded = cw.load(model, TRANSCODERS, tokenizer=given, device="cpu")
        graph = loaded.trace("the capital of France is", targets="tea")
        assert graph.tokens == reference_model().tokenize("the capital of France is")
        assert loaded.generate("the capital", max_new_tokens=1).text
        # The names alone would load another tokenizer.
        assert "model = ..." in effect_code(graph, [cw.Ablate(graph.node_ids[0])], "total")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            tokenizer().backend_tokenizer,
            "tokenizer= is a tokenizers.Tokenizer; expected a tokenizer of transformers (PreTrainedTokenizerBase): wrap it "
            "and name its special tokens: transformers.PreTrainedTokenizerFast(tokenizer_object=..., bos_token=",
        ),
        (
            AutoTokenizer,
            "tokenizer= is the class AutoTokenizer; expected a tokenizer of transformers (PreTrainedTokenizer",
        ),
        (PreTrainedTokenizerFast, ".from_pretrained(...)."),
        (7, "tokenizer= is 7 (int); expected"),
        (False, "tokenizer= is False (bool); expected"),
        ({"tokenizer": 1}, "tokenizer= is a dict; expected"),
        (SimpleNamespace(tokenizer=3), "tokenizer= is a types.SimpleNamespace; expected"),
        (len, "tokenizer= is a builtin_function_or_method; expected"),
        ("", "tokenizer='' is neither the directory of a tokenizer nor a model in the local cache ("),
        (
            "nobody/nothing",
            "tokenizer='nobody/nothing' is neither the directory of a tokenizer nor a model in the local c",
        ),
        (Path(__file__), "is neither the directory of a tokenizer nor a model in the local cache ("),
        (TRANSCODERS, "is neither the directory of a tokenizer nor a model in the local cache ("),
    ],
)
def test_what_is_no_tokenizer_is_refused_at_load(given: object, message: str) -> None:
    for model in (MODEL, reference_model().model.network):
        with pytest.raises(LoadError) as refusal:
            cw.load(model, TRANSCODERS, tokenizer=given, device="cpu")
        assert message in str(refusal.value)


def test_a_model_as_its_tokenizer_is_refused() -> None:
    network = reference_model().model.network
    with pytest.raises(
        LoadError, match=r"tokenizer= is a transformers\.models\.llama\.\S+\.LlamaForCausalLM; expected a tok"
    ):
        cw.load(network, TRANSCODERS, tokenizer=network)
    with pytest.raises(LoadError, match="A loaded model was given without its tokenizer; pass tokenizer= as well"):
        cw.load(network, TRANSCODERS)

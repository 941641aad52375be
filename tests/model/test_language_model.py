"""Loading a model: its checks, and the errors about models that cannot be used."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers

from circuit_widget.errors import LoadError, PromptError
from circuit_widget.loading import load
from circuit_widget.model.architectures import ARCHITECTURES, Sites
from circuit_widget.model.capture import capture
from circuit_widget.model.device import choose_device, choose_dtype
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.network_loading import load_language_model
from circuit_widget.model.self_check import check_pieces
from circuit_widget.replacement_model import ReplacementModel
from tests.architectures import THOROUGH, network_of
from tests.models import PROMPT_IDS, REFERENCE, tiny_network, tiny_transcoders, tokenizer

MODEL, TRANSCODERS = REFERENCE / "models/llama", REFERENCE / "llama-relu/transcoders"


def test_pieces_that_do_not_rebuild_what_a_layer_does_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Sites(attention_norm="post_attention_layernorm", mlp_norm="input_layernorm")
    monkeypatch.setitem(ARCHITECTURES, "llama", wrong)
    with pytest.raises(
        LoadError, match=r"layer 0 should rebuild what its MLP reads within 0\.0001, found a difference"
    ):
        check_pieces(LanguageModel(tiny_network(), tokenizer(), "swapped"))


def test_attention_whose_rows_do_not_sum_to_1_is_refused() -> None:
    network = tiny_network()
    model = LanguageModel(network, tokenizer(), "leaky")
    attention = network.model.layers[1].self_attn
    attention.register_forward_hook(lambda _, __, output: (output[0], 0.9 * output[1]))
    with pytest.raises(LoadError, match=r"attention rows of layer 1 should sum to 1, found a difference of 0.1"):
        check_pieces(model)


def test_weights_that_are_not_numbers_are_refused() -> None:
    network = tiny_network()
    with torch.no_grad():
        network.model.layers[0].mlp.up_proj.weight[0, 0] = float("nan")
    model = LanguageModel(network, tokenizer(), "broken")
    with pytest.raises(PromptError, match="logits for this prompt are not finite"):
        capture(model, PROMPT_IDS, 6)
    with pytest.raises(LoadError, match=r"broken: tensor 'model.layers.0.mlp.up_proj.weight' has values that are not"):
        check_pieces(model)
    with pytest.raises(LoadError, match="the model was given with them: set them to numbers, or load it anew") as given:
        load(network, "neurons", tokenizer=tokenizer())
    assert "checkpoint" not in str(given.value)


@pytest.mark.parametrize("name", ["gpt_neox", "gpt2", "opt"])
def test_entries_of_the_configuration_that_an_architecture_ignores_are_ignored_here_too(name: str) -> None:
    given = network_of(name)
    expected = LanguageModel(given, tokenizer(), name).heads
    given.config.num_key_value_heads = 2
    model = load(given, "neurons", tokenizer=tokenizer(), device="cpu")
    assert model.model.heads == expected
    assert model.trace(PROMPT_IDS, max_features=20).verify(5).agrees


@pytest.mark.parametrize(("name", "heads"), [("gpt_neox", 3), ("llama", 5), ("gpt2", 64)])
def test_weights_that_do_not_fit_the_number_of_heads_are_refused(name: str, heads: int) -> None:
    given = network_of(name)
    given.config.num_attention_heads = heads
    with pytest.raises(LoadError, match=rf"the attention of layer 0 does not fit {heads} heads in each layer"):
        load(given, "neurons", tokenizer=tokenizer(), device="cpu")


def test_a_loaded_model_is_accepted_with_its_tokenizer() -> None:
    network = transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32, attn_implementation="sdpa")
    model = load(network, TRANSCODERS, tokenizer=tokenizer())
    assert isinstance(model, ReplacementModel)
    assert model.model.network is network
    assert model.trace("the capital of France is").n_features == 618
    with pytest.raises(LoadError, match="without its tokenizer; pass tokenizer= as well"):
        load(network, TRANSCODERS)


@pytest.mark.parametrize("name", THOROUGH)
def test_a_checkpoint_of_any_architecture_is_loaded_from_its_directory(name: str, tmp_path: Path) -> None:
    network = network_of(name)
    network.save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    loaded = load_language_model(tmp_path, tokenizer=None, device=torch.device("cpu"), dtype=torch.float32)
    check_pieces(loaded)
    network.set_attn_implementation("eager")
    with torch.inference_mode():
        expected = network.train(False)(torch.tensor([PROMPT_IDS])).logits[0, -1]
    torch.testing.assert_close(capture(loaded, PROMPT_IDS, 6).logits, expected, atol=1e-5, rtol=0)
    assert loaded.name == tmp_path.name


def test_a_model_without_transcoders_has_its_neurons_as_features() -> None:
    model = load(MODEL)
    assert model.transcoders.name == "neurons"
    assert model.transcoders.n_features(0) == model.model.network.config.intermediate_size


@pytest.mark.parametrize(
    ("width", "layers", "message"),
    [
        (32, 4, "the transcoders read 64 dimensions, expected 32"),
        (64, 3, "found transcoders for 4 layers, expected 3"),
        (64, 5, "found transcoders for 4 layers, expected 5"),
    ],
)
def test_transcoders_of_another_model_are_refused(width: int, layers: int, message: str) -> None:
    config = transformers.LlamaConfig(
        hidden_size=width, intermediate_size=48, num_hidden_layers=layers, num_attention_heads=4, vocab_size=206
    )
    with pytest.raises(LoadError, match=message) as refusal:
        load(transformers.LlamaForCausalLM(config), TRANSCODERS, tokenizer=tokenizer())
    assert "belong to another model." in str(refusal.value)


def test_an_unknown_architecture_is_named_with_the_nearest_and_the_file_to_extend(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt_neoy"}))
    with pytest.raises(LoadError) as refusal:
        load(tmp_path, TRANSCODERS)
    assert "'gpt_neoy' is not supported" in str(refusal.value)
    assert "(nearest: gpt_neo)" in str(refusal.value)
    assert "circuit_widget/model/architectures.py" in str(refusal.value)


@pytest.mark.parametrize("name", ["biogpt", "dbrx", "whale", "x"])
def test_no_architecture_is_called_nearest_whose_name_is_another(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": name}))
    with pytest.raises(LoadError) as refusal:
        load(tmp_path, TRANSCODERS)
    assert f"'{name}' is not supported; supported are" in str(refusal.value)
    assert "nearest" not in str(refusal.value)
    assert "To add it, add a row to ARCHITECTURES" in str(refusal.value)


def test_a_directory_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"is not a model directory: it has no config\.json\. It is empty\.$"):
        load(tmp_path, TRANSCODERS)
    for number in range(7):
        (tmp_path / f"{number}.txt").write_text("")
    with pytest.raises(LoadError) as refusal:
        load(tmp_path, TRANSCODERS)
    assert str(refusal.value) == (
        f"The model {str(tmp_path)!r} is not a model directory: it has no config.json. "
        "It contains 0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more."
    )


def test_a_name_that_is_neither_a_directory_nor_on_the_hub_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        LoadError, match="'nobody/no-such-model': it is no directory, and as a hub id it could not be read"
    ):
        load("nobody/no-such-model", TRANSCODERS)
    with pytest.raises(LoadError, match="is not in the local cache of the hub, and nothing is downloaded by default"):
        load(MODEL, "nobody/no-such-transcoders/folder@main")
    with pytest.raises(LoadError, match="are neither a directory, nor a reference to the hub"):
        load(MODEL, "no such directory")


def test_a_checkpoint_that_lacks_a_tensor_or_is_cut_off_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(MODEL, tmp_path, dirs_exist_ok=True)
    weights = tmp_path / "model.safetensors"
    tensors = load_file(weights)
    del tensors["model.layers.2.mlp.up_proj.weight"]
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(LoadError, match=r"tensor 'model.layers.2.mlp.up_proj.weight' is missing"):
        load(tmp_path, TRANSCODERS)
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(LoadError, match="the files in this directory could not be read"):
        load(tmp_path, TRANSCODERS)


def test_pickled_weights_are_not_opened(tmp_path: Path) -> None:
    shutil.copytree(MODEL, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").unlink()
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(LoadError, match=r"a pickle, pytorch_model.bin, which is never opened here: .*save_pretrained"):
        load(tmp_path, TRANSCODERS)


def test_device_and_dtype_are_chosen_for_the_machine_and_can_be_named() -> None:
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert choose_device(None).type == expected
    assert choose_dtype(None, torch.device("cpu")) == torch.float32
    assert choose_dtype(None, torch.device("cuda")) == torch.bfloat16
    assert choose_dtype("float16", torch.device("cpu")) == torch.float16
    with pytest.raises(LoadError, match="The device 'abacus' cannot be used here"):
        choose_device("abacus")
    with pytest.raises(LoadError, match="dtype='int8' is not a floating point type"):
        choose_dtype("int8", torch.device("cpu"))


def test_a_model_in_bfloat16_is_traced_in_float32() -> None:
    network = tiny_network().to(torch.bfloat16)
    language_model = LanguageModel(network, tokenizer(), "half")
    check_pieces(language_model)
    model = ReplacementModel(language_model, tiny_transcoders())
    graph = model.trace(PROMPT_IDS)
    assert graph.weights.dtype == "float32"
    assert graph.recipe["dtype"] == "bfloat16"
    assert model.dtype == torch.bfloat16

"""Errors about objects and paths that are not models, and odd paths that are models."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from huggingface_hub import constants
from torch import nn

from circuit_widget.errors import LoadError
from circuit_widget.loading import load
from circuit_widget.model.source import find_model
from circuit_widget.transcoder.hub import HubReference, parse_repository
from tests.models import REFERENCE, tiny_network, tokenizer

MODEL, TRANSCODERS = REFERENCE / "models/llama", REFERENCE / "llama-relu/transcoders"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def refusal(model: Any, transcoders: Any = TRANSCODERS, **options: Any) -> str:
    with pytest.raises(LoadError) as refused:
        load(model, transcoders, **options)
    return str(refused.value)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A model directory of one's own."""
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """An empty hub cache, and no way to the hub; puts a model into it under a name of its revision."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(transformers.utils.hub, "is_offline_mode", lambda: True, raising=False)

    def put(repository: str, revision: str) -> Path:
        root = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
        (root / "refs").mkdir(parents=True, exist_ok=True)
        (root / "refs" / revision).write_text(COMMIT)
        return Path(shutil.copytree(MODEL, root / "snapshots" / COMMIT, dirs_exist_ok=True))

    return put


class Wrapper(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner


class Pipeline:
    def __init__(self) -> None:
        self.model = tiny_network()
        self.tokenizer = tokenizer()


class PeftModel(Wrapper):
    __module__ = "peft.peft_model"

    def merge_and_unload(self) -> None:
        """Make adapters mergeable."""


class PrefixModel(Wrapper):
    __module__ = "peft.peft_model"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda: None, "is None. Load the model with transformers"),
        (lambda: transformers.LlamaForCausalLM, "the class LlamaForCausalLM .* Pass LlamaForCausalLM.from_pretrained"),
        (lambda: tiny_network().config, "of type transformers.*LlamaConfig. A configuration has no weights"),
        (tokenizer, "Pass the tokenizer as tokenizer=, and its model first"),
        (lambda: torch.compile(tiny_network()), "OptimizedModule. Pass the model .* it wraps, its ._orig_mod"),
        (lambda: nn.DataParallel(tiny_network()), "DataParallel. Pass the model .* it wraps, its .module"),
        (lambda: Wrapper(tiny_network()), "Wrapper. Pass the model of transformers that it wraps, its .inner"),
        (Pipeline, "Pipeline. Pass the model .* its .model, with tokenizer=its .tokenizer"),
        (lambda: PeftModel(tiny_network()), r"peft.peft_model.PeftModel. Merge its .* model.merge_and_unload\(\)"),
        (lambda: PrefixModel(tiny_network()), "What it adds cannot be merged into the weights"),
        (lambda: nn.Linear(2, 2), "of type torch.nn.modules.linear.Linear. Load the model with transformers"),
        (lambda: tiny_network().state_dict(), "Weights alone do not make a model"),
        (lambda: (tiny_network(), tokenizer()), "of type tuple. Pass the model by itself"),
        (lambda: b"/models/llama", "of type bytes. Pass the path as a text: '/models/llama'"),
        (lambda: 7, "is 7. Load"),
        (lambda: load(MODEL, TRANSCODERS, device="cpu"), "ReplacementModel. It is loaded already"),
    ],
)
def test_something_else_given_as_a_model_is_named_with_what_to_pass(given: Callable[[], Any], words: str) -> None:
    with pytest.raises(LoadError, match=words) as refused:
        load(given(), TRANSCODERS, tokenizer=tokenizer())
    assert "Expected is a local directory, a hub id, or a loaded model of transformers" in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("cls", [transformers.LlamaModel, transformers.LlamaForSequenceClassification])
def test_a_model_without_a_language_models_head_is_refused(cls: type[Any]) -> None:
    message = refusal(cls(tiny_network().config), tokenizer=tokenizer())
    assert message == f"{cls.__name__} has no unembedding, so it gives no logits; load it with AutoModelForCausalLM."


def test_an_encoder_with_a_decoder_is_refused() -> None:
    config = transformers.T5Config(vocab_size=10, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=1)
    assert "The architecture 't5' cannot be traced: it has an encoder beside its decoder" in refusal(
        transformers.T5ForConditionalGeneration(config), tokenizer=tokenizer()
    )


def test_moving_or_converting_a_loaded_model_is_refused() -> None:
    network = tiny_network()
    message = refusal(network, tokenizer=tokenizer(), dtype="bfloat16")
    assert message == "A loaded model keeps its dtype, torch.float32; convert it before: model.to(torch.bfloat16)."


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "complex64", "int8", "nn", 3])
def test_a_dtype_without_products_is_refused(dtype: Any) -> None:
    assert "is not a floating point type that products are computed in" in refusal(MODEL, dtype=dtype)


@pytest.mark.parametrize("device", ["meta", "", "abacus", 1.5, []])
def test_a_device_that_cannot_compute_is_refused(device: Any) -> None:
    assert "cannot be used here" in refusal(MODEL, device=device)


def test_odd_paths_that_exist_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("with spaces", "ünïcødé 模型", "dot.ted", "demo", "a@b"):
        for source, target in ((MODEL, tmp_path / name / "model"), (TRANSCODERS, tmp_path / name / "set")):
            shutil.copytree(source, target)
        for root in (str(tmp_path / name), f"~/{name}", f"./{name}", f"{tmp_path}/{name}/"):
            found = load(f"{root}/model", f"{root}/set", device="cpu")
            assert (found.name, found.n_layers) == ("model", 4)
            assert found.source == (f"{root}/model", f"{root}/set")
    (tmp_path / "link").symlink_to(tmp_path / "demo/model")
    assert load(Path("link"), Path("demo/set"), device="cpu").name == "link"
    assert load(Path("link"), Path("demo/set"), device="cpu").source == ("./link", "./demo/set")
    monkeypatch.chdir(tmp_path / "demo/model")
    here = load(".", "../set/", device="cpu")
    assert here.name == "model"
    assert here.trace("the capital of France is").recipe["model"] == "model"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "name is empty"),
        ("  ", "name is empty"),
        ("~/no/such/model", "there is no such directory (/home/me/no/such/model)"),
        ("./no", "there is no such directory"),
        ("/no/such", "there is no such directory"),
        ("C:\\models\\gpt2", "there is no such directory"),
        ("a b", "there is no such directory"),
        ("org/name/folder", "there is no such directory"),
        ("no\0thing", "there is no such directory"),
        ("x" * 5000, "there is no such directory"),
        ("/" + "x" * 5000, "there is no such directory"),
        (Path("org/name"), "there is no such directory"),
        ("https://huggingface.co/org/name", "Pass the model's id, 'org/name', once it is in the local cache: hf"),
        ("https://huggingface.co/org/name/tree/v1", "'org/name@v1', once it is in the local cache: hf download"),
        ("https://example.org/model", "Download the model, and pass its directory"),
        ("nobody/nothing@step3", "try: hf download nobody/nothing --revision step3"),
        ("nothing-at-all", "try: hf download nothing-at-all"),
        ("Google/gemma-2-2B", "(did you mean 'google/gemma-2-2b'?)"),
    ],
)
def test_a_name_without_a_model_is_refused(
    given: Any, words: str, cache: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    message = refusal(given)
    assert words in message
    assert len(message) < 800
    assert ("hf download" in message) == (" hf" in words or "hf " in words or "cache" in words or "mean" in words)


@pytest.mark.parametrize(
    "given", ["", "no such", "/" + "x" * 5000, Path("org/name"), "no\0thing", b"/x", ["a", "b"], 3]
)
def test_odd_transcoders_are_refused(given: Any) -> None:
    assert "a directory, a reference to the hub" in refusal(MODEL, given)


def test_a_model_is_read_from_the_cache_at_its_revision(cache: Callable[[str, str], Path]) -> None:
    cache("EleutherAI/pythia-70m", "step3000")
    model = load("EleutherAI/pythia-70m@step3000", TRANSCODERS, device="cpu")
    assert model.name == "EleutherAI/pythia-70m@step3000"
    assert model.source == ("EleutherAI/pythia-70m@step3000", str(TRANSCODERS))
    graph = model.trace("the capital of France is")
    assert graph.recipe["model"] == "EleutherAI/pythia-70m@step3000"
    provenance: Any = graph.recipe["provenance"]
    origin = provenance["model"]
    assert (origin["repository"], origin["revision"]) == ("EleutherAI/pythia-70m", COMMIT)
    assert "model.safetensors" in origin["files"]
    assert refusal("EleutherAI/pythia-70m").endswith("hf download EleutherAI/pythia-70m (the cache has it at step3000)")
    assert "(did you mean 'EleutherAI/pythia-70m'?)" in refusal("eleutherai/pythia70m")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpt2", HubReference("gpt2")),
        ("org/name@refs/pr/1", HubReference("org/name", "", "refs/pr/1")),
        ("hf://org/name?revision=v1", HubReference("org/name", "", "v1")),
        ("org/name/folder", None),
        ("ö/name", None),
        ("a b", None),
    ],
)
def test_references_to_whole_repositories(text: str, expected: HubReference | None) -> None:
    assert parse_repository(text) == expected


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("m.Q4.gguf", "'m.Q4.gguf' is cut off or damaged: its header goes on beyond"),
        ("m.ggml", "is a GGML file, the older format that GGUF replaced"),
        ("pytorch_model.bin", "is a pickle, which is never opened here. .*save_pretrained"),
        ("model.ckpt", "is a pickle"),
        ("weights.safetensors", "a file of weights without a config.json beside it"),
        ("model.zip", "is an archive; unpack it"),
        ("model.onnx", "a model of another framework"),
        ("notes.txt", "is a file; expected the directory"),
    ],
)
def test_a_file_is_recognised(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(LoadError, match=words) as refused:
        load(tmp_path / name, TRANSCODERS)
    assert "hf download" not in str(refused.value)


def test_a_file_of_a_model_leads_to_its_directory(copied: Path) -> None:
    for name in ("model.safetensors", "config.json"):
        assert refusal(copied / name).endswith(f"is one file of a model; pass its directory: {str(copied)!r}.")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "it has no config.json. It is empty"),
        (["m.gguf"], "contains GGUF files"),
        (["adapter_config.json", "adapter_model.safetensors"], "contains an adapter .*merge_and_unload"),
        (["model.onnx"], "a model of another framework"),
        (["saved_model.pb", "keras_metadata.pb"], "a model of another framework"),
        (["params.json", "consolidated.00.pth"], "a checkpoint in another format"),
        (["layer_0.safetensors"], "These may be transcoders"),
        (["pytorch_model.bin"], "It contains pickles"),
        (["a.txt", "b.txt"], "It contains a.txt, b.txt"),
        (["checkpoint-500/config.json"], "There is one in '.*checkpoint-500': pass that"),
        (["snapshots/abc/config.json"], "There is one in '.*snapshots/abc': pass that"),
    ],
)
def test_a_directory_without_a_model_is_recognised(files: list[str], words: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"base_model_name_or_path": "org/base"}))
    with pytest.raises(LoadError, match=words):
        load(tmp_path, TRANSCODERS)


def without_weights(root: Path, *others: str) -> None:
    (root / "model.safetensors").unlink()
    for name in others:
        (root / name).write_bytes(b"x")


def with_index(root: Path) -> None:
    (root / "model.safetensors").rename(root / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (root / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def pointer(root: Path, name: str) -> None:
    (root / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")


def no_tokenizer(root: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (root / name).unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without_weights, "has no weights .*; get the whole checkpoint"),
        (lambda root: without_weights(root, "pytorch_model.bin"), "but a pickle, pytorch_model.bin"),
        (lambda root: without_weights(root, "m.gguf"), "but a GGUF file"),
        (lambda root: without_weights(root, "tf_model.h5"), "those of another framework, tf_model.h5"),
        (lambda root: without_weights(root, "other.safetensors"), "but other.safetensors"),
        (with_index, r"model-00002-of-00002.safetensors is missing \(1 of 2 files"),
        (lambda root: pointer(root, "model.safetensors"), "model.safetensors: a pointer of git-LFS"),
        (lambda root: pointer(root, "tokenizer.json"), "tokenizer.json: a pointer of git-LFS"),
        (lambda root: pointer(root, "config.json"), "config.json: a pointer of git-LFS"),
        (lambda root: (root / "model.safetensors").write_bytes(b""), "model.safetensors: the file is empty"),
        (lambda root: (root / "config.json").write_text("{"), "config.json: not readable as JSON"),
        (lambda root: (root / "config.json").write_text("[]"), "config.json: no model_type"),
        (lambda root: (root / "adapter_config.json").write_text("{}"), "contains an adapter"),
        (no_tokenizer, "has no tokenizer files; .* or pass tokenizer="),
        (lambda root: (root / "tokenizer.json").write_text("{}"), "its tokenizer .* could not be read"),
    ],
)
def test_a_spoilt_model_directory_is_refused(spoil: Callable[[Path], Any], words: str, copied: Path) -> None:
    spoil(copied)
    with pytest.raises(LoadError, match=words):
        load(copied, TRANSCODERS)


def test_the_tokenizer_argument_replaces_a_missing_tokenizer(copied: Path) -> None:
    no_tokenizer(copied)
    assert load(copied, TRANSCODERS, tokenizer=tokenizer(), device="cpu").name == "model"


def test_a_directory_that_cannot_be_read_is_refused(copied: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    copied.chmod(0)
    try:
        assert "the directory cannot be read" in refusal(copied)
    finally:
        copied.chmod(0o700)


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(LoadError, match="is a link to nothing"):
        find_model(tmp_path / "gone")

"""Finding the parts of a replacement model, checking that they fit, and recording where they came from."""

import hashlib
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from circuit_widget.errors import CircuitWidgetWarning, LoadError
from circuit_widget.model import file_provenance
from circuit_widget.model.loading import Parts, read_parts, transcoder_folder
from tests.architectures import network_of
from tests.models import REFERENCE, tiny_network, tokenizer
from tests.transcoder.conftest import REVISION, Cache
from tests.transcoder.layouts import write_layers

WIDTH = 32


def wide(seed: int = 0, width: int = WIDTH) -> dict[str, torch.Tensor]:
    """A layer that fits the tiny Llama, three layers of width 32."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"W_enc": (8, width), "W_dec": (8, width), "b_enc": (8,), "b_dec": (width,)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def parts(transcoders: object, **settings: Any) -> Parts:
    """The tiny Llama with these transcoders."""
    given = {"tokenizer": tokenizer(), "device": "cpu", "dtype": None, **settings}
    return read_parts(tiny_network(), transcoders, **given)


def test_parts_that_fit_are_read_and_their_files_recorded(tmp_path: Path) -> None:
    write_layers(tmp_path, wide(0), wide(1), wide(2))
    found = parts(tmp_path)
    assert found.transcoders.n_layers == 3
    assert found.directory == tmp_path
    record = found.provenance["transcoders"]
    assert list(record["files"]) == ["config.yaml", *(f"layer_{layer}.safetensors" for layer in range(3))]
    content = (tmp_path / "layer_1.safetensors").read_bytes()
    assert record["files"]["layer_1.safetensors"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert record["name"] == "mine"
    assert str(tmp_path.parent) not in json.dumps(found.provenance)


@pytest.mark.parametrize("encoders", ["device", "cpu", "disk"])
def test_the_placement_of_encoders_can_be_chosen(tmp_path: Path, encoders: str) -> None:
    write_layers(tmp_path, wide(0), wide(1), wide(2))
    x = torch.randn(2, WIDTH)
    preactivation, _ = parts(tmp_path, encoders=encoders).transcoders.encode(1, x)
    torch.testing.assert_close(preactivation, x @ wide(1)["W_enc"].T + wide(1)["b_enc"])


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([wide(), wide()], "found transcoders for 2 layers, expected 3 for the model"),
        ([wide(), wide()], "Layer 2 is missing, or they belong to another model."),
        ([wide()] * 4, "found transcoders for 4 layers, expected 3 for the model"),
        ([wide(width=16)] * 3, "the transcoders read 16 dimensions, expected 32 for the model"),
    ],
)
def test_transcoders_of_another_model_are_refused(
    tmp_path: Path, layers: list[dict[str, torch.Tensor]], message: str
) -> None:
    write_layers(tmp_path, *layers)
    with pytest.raises(LoadError) as refusal:
        parts(tmp_path)
    assert message in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


def test_without_transcoders_neurons_are_the_features_and_known_sets_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(REFERENCE / "models/gemma2", tmp_path / "gemma-2-2b")
    monkeypatch.chdir(tmp_path)
    with pytest.warns(CircuitWidgetWarning) as warned:
        found = read_parts("gemma-2-2b", None, tokenizer=None, device="cpu", dtype=None)
    assert found.transcoders.name == "neurons"
    assert found.provenance["transcoders"] == {"name": "neurons"}
    assert [str(one.message) for one in warned] == [
        "The model 'gemma-2-2b' was loaded without transcoders, so the neurons of its MLPs are the features. "
        "Transcoders are published for it, with sparser features: "
        "load('gemma-2-2b', transcoders='mntss/gemma-scope-transcoders'). Known for this model: "
        "'mntss/gemma-scope-transcoders' (or 'gemma'), 'mntss/clt-gemma-2-2b-426k' (or 'gemma-clt'), "
        "'mntss/clt-gemma-2-2b-2.5M'. Pass transcoders='neurons' to use neurons without this warning."
    ]


@pytest.mark.parametrize("transcoders", [None, "neurons"])
def test_neurons_of_a_model_without_known_sets_come_without_a_warning(transcoders: str | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_parts(REFERENCE / "models/llama", transcoders, tokenizer=None, device="cpu", dtype=None)
    assert found.transcoders.name == "neurons"
    assert found.directory is None


def test_experts_without_transcoders_are_refused_with_the_known_sets(tmp_path: Path) -> None:
    model = tmp_path / "gpt-oss-20b"
    network_of("gpt_oss").save_pretrained(model)
    tokenizer().save_pretrained(model)
    with pytest.raises(
        LoadError, match=r"Load it with transcoders\. Known for this model: 'mntss/clt-131k' \(or 'gpt-oss'\)"
    ):
        read_parts(model, None, tokenizer=None, device="cpu", dtype="float32")


@pytest.mark.parametrize("name", ["neuron", "Neurons", "nuerons"])
def test_a_misspelt_word_for_neurons_is_named(name: str) -> None:
    with pytest.raises(LoadError, match=f"transcoders='{name}' is not known; did you mean transcoders='neurons'"):
        read_parts(REFERENCE / "models/llama", name, tokenizer=None, device="cpu", dtype=None)


def test_sites_are_refused_with_neurons() -> None:
    with pytest.raises(
        LoadError, match="input_site='mlp_norm' is for transcoders; neurons read and write inside the MLP"
    ):
        read_parts(
            REFERENCE / "models/llama", "neurons", tokenizer=None, device="cpu", dtype=None, input_site="mlp_norm"
        )


def test_a_wrong_model_name_is_reported_before_missing_transcoders() -> None:
    with pytest.raises(LoadError, match=r"'Demo': it is no directory, .* \(did you mean 'demo'\?\)"):
        read_parts("Demo", None, tokenizer=None, device="cpu", dtype=None)


def test_a_short_name_is_a_set_of_the_hub(cache: Cache) -> None:
    with pytest.raises(LoadError, match="run: hf download mntss/gemma-scope-transcoders --exclude"):
        transcoder_folder("gemma")
    write_layers(cache("mntss/gemma-scope-transcoders"), wide())
    folder = transcoder_folder("gemma")
    assert folder.name == "mntss/gemma-scope-transcoders"
    assert (folder.root / "layer_0.safetensors").exists()


def test_a_name_that_is_nothing_is_refused() -> None:
    with pytest.raises(LoadError, match=r"'no such thing' are neither a directory, nor a reference to the hub"):
        transcoder_folder("no such thing")


def test_a_pattern_may_end_a_local_path_or_a_reference(cache: Cache, tmp_path: Path) -> None:
    folder = transcoder_folder(tmp_path / "layer_*" / "width_16k")
    assert (folder.root, folder.pattern) == (tmp_path, "layer_*/width_16k")
    snapshot = cache("google/scope") / "all"
    write_layers(snapshot, wide())
    folder = transcoder_folder("google/scope/all/layer_*_16k")
    assert (folder.root, folder.pattern, folder.name) == (snapshot, "layer_*_16k", "google/scope/all/layer_*_16k")


def test_a_set_of_the_hub_is_recorded_by_its_revision_and_the_hashes_it_has_there(cache: Cache) -> None:
    snapshot = cache("org/repo")
    blobs = snapshot.parents[1] / "blobs"
    blobs.mkdir()
    write_layers(snapshot, wide(0), wide(1))
    save_file(wide(2), blobs / ("ab" * 32))
    (snapshot / "layer_2.safetensors").symlink_to(blobs / ("ab" * 32))
    record = parts("org/repo").provenance["transcoders"]
    assert (record["repository"], record["revision"]) == ("org/repo", REVISION)
    assert record["files"]["layer_2.safetensors"] == f"sha256:{'ab' * 32}"
    assert record["files"]["layer_0.safetensors"] != record["files"]["layer_1.safetensors"]


def test_a_set_of_the_hub_that_is_not_all_there_is_refused_with_the_command_that_gets_it(cache: Cache) -> None:
    write_layers(cache("org/repo"), wide(0), wide(1), wide(2))
    (cache("org/repo") / "layer_1.safetensors").unlink()
    with pytest.raises(LoadError) as refusal:
        parts("org/repo")
    assert "layer_1.safetensors: the file is missing" in str(refusal.value)
    assert str(refusal.value).endswith("To download what is missing, run: hf download org/repo --exclude '*.bin'")


def test_large_files_are_distinguished_by_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_provenance, "HASHED_WHOLE", 1000)
    monkeypatch.setattr(file_provenance, "SAMPLE", 10)
    file = tmp_path / "large"
    content = bytearray(2000)
    file.write_bytes(content)
    first = file_provenance.file_hash(file)
    assert first.startswith("sha256-sampled:")
    assert file_provenance.file_hash(file) == first
    for index in (0, 1999):
        changed = bytearray(content)
        changed[index] = 1
        file.write_bytes(changed)
        assert file_provenance.file_hash(file) != first
    file.write_bytes(bytes(2001))
    assert file_provenance.file_hash(file) != first

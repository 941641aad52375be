"""References to the hub: how they are read, answered from the cache, and refused without it."""

import socket
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.circuit_tracer import read_circuit_tracer
from circuit_widget.transcoder.hub import HubReference, find_directory, find_files, fixed_path, parse_reference
from circuit_widget.transcoder.known_sets import ALIASES, KNOWN_SETS, known_sets
from circuit_widget.transcoder.read_transcoders import read_transcoders
from tests.transcoder.conftest import REVISION, Cache
from tests.transcoder.layouts import LOADING, tensors, write_layers
from tests.transcoder.test_google_formats import npz

FILES = ("*.yaml", "*.safetensors")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("org/repo", HubReference("org/repo")),
        ("org/repo-2.5M@v1", HubReference("org/repo-2.5M", "", "v1")),
        ("org/repo/all/width_16k", HubReference("org/repo", "all/width_16k")),
        ("org/repo/all/layer_*_width_16k@main", HubReference("org/repo", "all/layer_*_width_16k", "main")),
        ("hf://org/repo/a/params.npz?revision=abc", HubReference("org/repo", "a/params.npz", "abc")),
        ("hf://org/repo/a/params.npz", HubReference("org/repo", "a/params.npz")),
        ("repo", None),
        ("/absolute/path", None),
        ("org/repo/../other", None),
        ("https://huggingface.co/org/repo", None),
    ],
)
def test_references(text: str, expected: HubReference | None) -> None:
    assert parse_reference(text) == expected


def test_the_part_of_a_path_before_a_pattern() -> None:
    assert [fixed_path(path) for path in ("", "a/b", "a/b_*/c", "*")] == ["", "a/b", "a", ""]


def test_a_directory_in_the_cache_is_found(cache: Cache) -> None:
    folder = cache("org/repo") / "all"
    write_layers(folder, tensors())
    reference = HubReference("org/repo", "all")
    assert find_directory(reference, FILES, download=False) / "all" == folder
    assert find_directory(HubReference("org/repo", "all", REVISION), FILES, download=False) / "all" == folder


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("org/repo", "hf download org/repo --exclude '*.bin'"),
        ("org/repo/all@v1", "hf download org/repo --include 'all/*' --exclude '*.bin' --revision v1"),
        ("org/repo/layer_*_16k", "hf download org/repo --include 'layer_*_16k/*' --exclude '*examples*'"),
    ],
)
def test_what_the_cache_lacks_is_refused_with_the_command_that_gets_it(cache: Cache, text: str, command: str) -> None:
    reference = parse_reference(text)
    assert reference is not None
    with pytest.raises(LoadError) as refusal:
        find_directory(reference, FILES, download=False)
    assert str(refusal.value) == (
        f"{text!r} is not in the local cache of the hub, and nothing is downloaded by default: pass download=True, "
        f"or run: {command}"
    )


def test_a_folder_that_the_cached_repository_lacks_is_refused(cache: Cache) -> None:
    write_layers(cache("org/repo") / "all", tensors())
    with pytest.raises(LoadError, match=r"'org/repo/other' is not in the local cache"):
        find_directory(HubReference("org/repo", "other"), FILES, download=False)


def test_downloads_happen_only_on_request_and_their_failure_is_reported(cache: Cache) -> None:
    with pytest.raises(LoadError, match=r"'org/repo' could not be downloaded from the hub: \S"):
        find_directory(HubReference("org/repo"), FILES, download=True)


def test_without_a_download_nothing_reaches_out(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def refuse(*address: object, **_: object) -> None:
        attempts.append(address)
        raise OSError("no network here")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(LoadError):
        find_directory(HubReference("org/repo"), FILES, download=False)
    with pytest.raises(LoadError):
        find_files(["hf://org/repo/params.npz"], download=False)
    assert attempts == []


def test_a_requested_download_fetches_the_files_of_transcoders(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    requested = []

    def fetch(repository: str, *path: str, **settings: object) -> str:
        requested.append((repository, path, settings["revision"], settings["local_files_only"]))
        write_layers(cache(repository) / "all", tensors())
        return str(cache(repository).joinpath(*path))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    found = find_directory(HubReference("org/repo", "all", "v1"), FILES, download=True)
    assert (found / "all/layer_0.safetensors").exists()
    assert find_files(["hf://org/repo/all/layer_0.safetensors"], download=True)[0].exists()
    assert requested == [("org/repo", (), "v1", False), ("org/repo", ("all/layer_0.safetensors",), None, False)]


def test_a_list_of_hub_files_is_found_in_the_cache(cache: Cache, tmp_path: Path) -> None:
    for layer in range(2):
        npz(cache("google/scope") / f"layer_{layer}/average_l0_{layer}/params.npz")
    listed = [f"hf://google/scope/layer_{layer}/average_l0_{layer}/params.npz" for layer in range(2)]
    folder = write_layers(
        tmp_path / "set", config="feature_input_hook: ln2.hook_normalized\ntranscoders:\n- " + "\n- ".join(listed)
    )
    found = read_circuit_tracer(folder, LOADING)
    torch.testing.assert_close(found.decoder_bias(1), tensors()["b_dec"])
    assert [path.parent.name for path in found.files] == ["average_l0_0", "average_l0_1"]


def test_listed_files_that_are_not_there_are_refused_with_one_command_for_all(cache: Cache, tmp_path: Path) -> None:
    npz(cache("google/scope") / "b/params.npz")
    listed = [f"hf://google/scope/{name}/params.npz" for name in "abc"] + ["hf://org/repo/d.npz?revision=v2"]
    folder = write_layers(tmp_path / "set", config=f"transcoders: {listed}\n")
    command = "hf download google/scope a/params.npz c/params.npz && hf download org/repo d.npz --revision v2"
    for origin in (folder, Folder(folder.root, command="hf download the/list")):
        with pytest.raises(LoadError) as refusal:
            read_transcoders(origin, LOADING)
        assert str(refusal.value).endswith(f"pass download=True, or run: {command}")


def test_a_reference_that_names_no_file_is_refused() -> None:
    with pytest.raises(LoadError, match="'hf://google/scope' does not name a file of the hub"):
        find_files(["hf://google/scope"], download=False)


def test_every_known_set_is_a_reference_and_every_short_name_a_known_set() -> None:
    sets = [reference for known in KNOWN_SETS.values() for reference in known]
    assert all(parse_reference(reference) is not None for reference in sets)
    assert set(ALIASES.values()) <= set(sets)


@pytest.mark.parametrize("model", ["google/gemma-2-2b", "google/Gemma-2-2B", "/models/gemma-2-2b/", "gemma-2-2b"])
def test_the_sets_of_a_model_are_found_by_its_id_or_its_directory(model: str) -> None:
    assert known_sets(model)[0] == "mntss/gemma-scope-transcoders"


def test_a_model_without_known_sets_has_none() -> None:
    assert known_sets("nobody/nothing") == ()


def test_files_are_looked_for_four_folders_deep_and_not_in_hidden_ones(tmp_path: Path) -> None:
    for path in ("a/b/c/d/layer_0.npz", "a/b/c/d/e/layer_1.npz", ".git/layer_2.npz"):
        npz(tmp_path / path)
    assert [path.name for path in Folder(tmp_path).files] == ["layer_0.npz"]

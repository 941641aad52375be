"""Recognising the layout of a directory."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.read_transcoders import LAYOUTS, read_transcoders
from tests.transcoder.layouts import LOADING, tensors, write_cross_layer, write_folder, write_layers
from tests.transcoder.test_google_formats import DATA, google, hook_points, npz
from tests.transcoder.test_google_formats import write_google_cross_layer as write_google
from tests.transcoder.test_other_formats import write_saelens, write_sparsify


def write_bare_layers(root: Path) -> None:
    write_layers(root, tensors())
    (root / "config.yaml").unlink()


def write_bare_cross_layer(root: Path) -> None:
    write_cross_layer(root)
    (root / "config.yaml").unlink()


def write_google_folder(root: Path) -> None:
    write_folder(
        root / "layer_0_width_16k_l0_small_affine", "params.safetensors", google(), hook_points(0), "config.json"
    )


WRITERS: list[tuple[str, Callable[[Path], object]]] = [
    ("circuit-tracer", lambda root: write_layers(root, tensors())),
    ("circuit-tracer", write_bare_layers),
    ("circuit-tracer", write_bare_cross_layer),
    ("SAELens", lambda root: write_saelens(root, "transcoder")),
    ("sparsify", write_sparsify),
    ("Gemma Scope", lambda root: npz(root / "layer_0/width_16k/average_l0_76/params.npz")),
    ("Gemma Scope", lambda root: npz(root / "layer_0_params.npz")),
    ("Gemma Scope 2", write_google_folder),
    ("Gemma Scope 2", write_google),
]


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_every_layout_is_recognised_by_its_own_reader_alone(
    tmp_path: Path, name: str, write: Callable[[Path], object]
) -> None:
    write(tmp_path)
    folder = Folder(tmp_path)
    assert [layout.name for layout in LAYOUTS if layout.recognises(folder)] == [name]
    x = torch.randn(2, read_transcoders(folder, LOADING).d_model)
    assert read_transcoders(folder, LOADING).encode(0, x)[0].isfinite().all()


@pytest.mark.parametrize("name", ["gemma-scope-npz", "gemma-scope-2-plt"])
def test_files_from_google_are_recognised(name: str) -> None:
    assert read_transcoders(Folder(DATA / name), LOADING).n_features(0) == 256


def test_an_unknown_layout_lists_those_known_and_what_was_found(tmp_path: Path) -> None:
    for number in range(7):
        save_file({"a": torch.zeros(1)}, tmp_path / f"weights_{number}.safetensors")
    with pytest.raises(LoadError) as refusal:
        read_transcoders(Folder(tmp_path), LOADING)
    message = str(refusal.value)
    assert message.startswith(f"{tmp_path}: no transcoders found. Known layouts: ")
    assert "; circuit-tracer (" in message
    assert all(layout.name in message for layout in LAYOUTS)
    assert "Found: weights_0.safetensors, weights_1.safetensors" in message
    assert message.endswith("and 2 more.")


def test_an_empty_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="Found: no such files"):
        read_transcoders(Folder(tmp_path), LOADING)


def test_a_pattern_hides_what_it_does_not_match(tmp_path: Path) -> None:
    write_google_folder(tmp_path / "transcoder_all")
    folder = Folder(tmp_path / "transcoder_all", "layer_*_width_65k_*")
    with pytest.raises(LoadError, match=r"layer_\*_width_65k_\*: no transcoders found"):
        read_transcoders(folder, LOADING)
    chosen = Folder(tmp_path / "transcoder_all", "layer_*_width_16k_*")
    assert read_transcoders(chosen, LOADING).n_layers == 1

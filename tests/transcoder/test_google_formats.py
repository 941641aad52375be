"""Reading Gemma Scope's npz archives and Gemma Scope 2's files, and refusing what does not fit."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoders
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.circuit_tracer import read_circuit_tracer
from circuit_widget.transcoder.formats.gemma_scope import read_gemma_scope
from circuit_widget.transcoder.formats.gemma_scope_2 import read_gemma_scope_2
from circuit_widget.transcoder.per_layer import PerLayerTranscoders
from tests.transcoder.layouts import D_MODEL, FEATURES, LOADING, Tensors, tensors, write_folder, write_layers

DATA = Path(__file__).parent / "data"


def npz(path: Path, *, compressed: bool = False, **changes: np.ndarray) -> None:
    """A layer in Gemma Scope's layout."""
    drawn = {name: tensor.numpy() for name, tensor in tensors(threshold=torch.rand(FEATURES)).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    (np.savez_compressed if compressed else np.savez)(path, **{**drawn, "W_enc": drawn["W_enc"].T, **changes})


def google(seed: int = 0, **changes: torch.Tensor | None) -> Tensors:
    """The tensors of a layer as Gemma Scope 2 names them."""
    drawn = tensors(seed)
    layer = {
        "w_enc": drawn["W_enc"].T,
        "w_dec": drawn["W_dec"],
        "b_enc": drawn["b_enc"],
        "b_dec": drawn["b_dec"],
        "threshold": torch.full((FEATURES,), 0.2),
        **changes,
    }
    return {name: tensor.contiguous() for name, tensor in layer.items() if tensor is not None}


def hook_points(layer: int) -> dict[str, str]:
    """Settings beside a layer's file."""
    return {
        "hf_hook_point_in": f"model.layers.{layer}.pre_feedforward_layernorm.output",
        "hf_hook_point_out": f"model.layers.{layer}.post_feedforward_layernorm.output",
        "architecture": "jump_relu",
        "type": "transcoder",
    }


def test_both_layouts_of_the_same_weights_read_the_same(tmp_path: Path) -> None:
    archive = np.load(DATA / "gemma-scope-npz/layer_0_params.npz", allow_pickle=False)
    own = {
        "W_enc": torch.tensor(archive["W_enc"].T.copy()),
        "W_dec": torch.tensor(archive["W_dec"]),
        "b_enc": torch.tensor(archive["b_enc"]),
        "b_dec": torch.tensor(archive["b_dec"]),
        "activation_function.threshold": torch.tensor(archive["threshold"]),
    }
    expected = read_circuit_tracer(write_layers(tmp_path, own), LOADING)
    found = read_gemma_scope(Folder(DATA / "gemma-scope-npz"), LOADING)
    second = read_gemma_scope_2(Folder(DATA / "gemma-scope-2-plt"), LOADING)
    x, features = torch.randn(9, 64), torch.tensor([3, 200, 77])
    for other in (found, second):
        for ours, theirs in zip(expected.encode(0, x), other.encode(0, x), strict=True):
            torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(expected.encoder_rows(0, features), other.encoder_rows(0, features))
        torch.testing.assert_close(expected.decoder_rows(0, features, 0), other.decoder_rows(0, features, 0))
        torch.testing.assert_close(expected.decoder_bias(0), other.decoder_bias(0))
    assert (found.input_site, found.output_site) == ("mlp_norm", "mlp_update")
    assert (second.input_site, second.output_site) == ("mlp_input", "mlp_update")


def test_the_affine_skip_connection_is_turned_around() -> None:
    stored = load_file(DATA / "gemma-scope-2-plt/layer_0_params.safetensors")["affine_skip_connection"]
    skip = read_gemma_scope_2(Folder(DATA / "gemma-scope-2-plt"), LOADING).skip(0)
    assert skip is not None
    x = torch.randn(3, 64)
    torch.testing.assert_close(x @ skip.T, x @ stored)


@pytest.mark.parametrize("compressed", [False, True])
def test_nested_folders_and_compressed_archives(tmp_path: Path, compressed: bool) -> None:
    for layer in range(11):
        bias = np.full(D_MODEL, float(layer), dtype=np.float32)
        npz(tmp_path / f"layer_{layer}/width_16k/average_l0_{70 + layer}/params.npz", compressed=compressed, b_dec=bias)
    found = read_gemma_scope(Folder(tmp_path), LOADING)
    assert [float(found.decoder_bias(layer)[0]) for layer in range(found.n_layers)] == [float(n) for n in range(11)]
    torch.testing.assert_close(found.decoder_rows(3, torch.tensor([2]), 3), tensors()["W_dec"][2:3])


def test_a_pattern_chooses_among_several_for_a_layer(tmp_path: Path) -> None:
    for layer in range(2):
        for width in ("16k", "65k"):
            npz(tmp_path / f"layer_{layer}/width_{width}/average_l0_9/params.npz")
    with pytest.raises(LoadError, match=r"for layer 0, expected one a layer\. Choose by a pattern") as refusal:
        read_gemma_scope(Folder(tmp_path), LOADING)
    assert "layer_0/width_16k/average_l0_9/params.npz and layer_0/width_65k" in str(refusal.value)
    found = read_gemma_scope(Folder(tmp_path, "layer_*/width_65k"), LOADING)
    assert [path.parts[-3] for path in found.files] == ["width_65k", "width_65k"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"W_enc": np.zeros((FEATURES, D_MODEL), np.float32)},
            "tensor 'W_enc' has shape (6, 4), expected (4, 6). It looks transposed.",
        ),
        ({"threshold": np.full(FEATURES, np.nan, np.float32)}, "tensor 'threshold' has NaN or infinite values"),
        (
            {"b_enc": np.zeros(FEATURES, np.int32)},
            "tensor 'b_enc' has dtype torch.int32, expected floating point numbers.",
        ),
        (
            {"extra": np.zeros(2, np.float32)},
            "found tensor 'extra', expected only W_enc, W_dec, b_enc, b_dec, threshold",
        ),
    ],
)
def test_an_archive_that_does_not_fit_is_refused(tmp_path: Path, changes: dict[str, np.ndarray], message: str) -> None:
    npz(tmp_path / "layer_0/params.npz", **changes)
    with pytest.raises(LoadError) as refusal:
        read_gemma_scope(Folder(tmp_path), LOADING)
    assert "layer_0/params.npz" in str(refusal.value)
    assert message in str(refusal.value)


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("compressed", [False, True])
def test_pickled_arrays_are_never_loaded(tmp_path: Path, compressed: bool) -> None:
    exploded = tmp_path / "exploded"
    assert pickle.dumps(Bomb(exploded))
    npz(tmp_path / "layer_0/params.npz", compressed=compressed, threshold=np.array([Bomb(exploded)], dtype=object))
    with pytest.raises(LoadError, match="not a readable npz file"):
        read_gemma_scope(Folder(tmp_path), LOADING)
    assert not exploded.exists()


@pytest.mark.parametrize("keep", [100, 400])
def test_an_archive_cut_off_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "layer_0/params.npz"
    npz(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(LoadError, match="not a readable npz file"):
        read_gemma_scope(Folder(tmp_path), LOADING)


def test_sites_come_from_the_settings_of_per_layer_folders(tmp_path: Path) -> None:
    for layer in range(2):
        folder = tmp_path / f"layer_{layer}_width_16k_l0_small"
        write_folder(folder, "params.safetensors", google(layer), hook_points(layer), "config.json")
        save_file({"top_tokens": torch.zeros(2)}, folder / "examples.safetensors")
    found = read_gemma_scope_2(Folder(tmp_path), LOADING)
    assert isinstance(found, PerLayerTranscoders)
    assert (found.n_layers, found.input_site, found.output_site) == (2, "mlp_input", "mlp_update")
    torch.testing.assert_close(found.decoder_bias(1), tensors(1)["b_dec"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hf_hook_point_in": "model.layers.1.output"}, "hf_hook_point_in is 'model.layers.1.output', expected one of"),
        ({"hf_hook_point_in": "model.layers.1.pre_feedforward_layernorm.input"}, "different sites, expected one pair"),
    ],
)
def test_sites_that_cannot_be_honoured_are_refused(tmp_path: Path, settings: dict[str, str], message: str) -> None:
    for layer, given in enumerate((hook_points(0), {**hook_points(1), **settings})):
        write_folder(tmp_path / f"layer_{layer}_w", "params.safetensors", google(), given, "config.json")
    with pytest.raises(LoadError, match=message):
        read_gemma_scope_2(Folder(tmp_path), LOADING)


def write_google_cross_layer(directory: Path, n_layers: int = 3) -> list[Tensors]:
    """A cross-layer transcoder in Google's layout: a slot for every layer, those below filled with nonsense."""
    generator = torch.Generator().manual_seed(3)
    written = []
    for layer in range(n_layers):
        decoder = torch.randn(FEATURES, n_layers, D_MODEL, generator=generator)
        skip = torch.randn(D_MODEL, D_MODEL, generator=generator)
        written.append(google(layer, w_dec=decoder, affine_skip_connection=skip))
        save_file(written[-1], directory / f"params_layer_{layer}.safetensors")
    (directory / "config.json").write_text(json.dumps(hook_points(0)))
    return written


def test_a_cross_layer_transcoder_keeps_the_slots_from_its_layer_up(tmp_path: Path) -> None:
    written = write_google_cross_layer(tmp_path)
    found = read_gemma_scope_2(Folder(tmp_path), LOADING)
    assert isinstance(found, CrossLayerTranscoders)
    x, features = torch.randn(3, D_MODEL), torch.tensor([5, 1])
    for layer, of_layer in enumerate(written):
        assert list(found.written_layers(layer)) == list(range(layer, 3))
        for target in range(layer, 3):
            rows = found.decoder_rows(layer, features, target)
            torch.testing.assert_close(rows, of_layer["w_dec"][features, target])
        preactivation, _ = found.encode(layer, x)
        torch.testing.assert_close(preactivation, x @ of_layer["w_enc"] + of_layer["b_enc"])
        skip = found.skip(layer)
        assert skip is not None
        torch.testing.assert_close(x @ skip.T, x @ of_layer["affine_skip_connection"])


def test_a_cross_layer_transcoder_that_lacks_a_layer_is_refused(tmp_path: Path) -> None:
    write_google_cross_layer(tmp_path)
    (tmp_path / "params_layer_2.safetensors").unlink()
    with pytest.raises(
        LoadError, match=r"found 2 layers, expected 3, as many as .*params_layer_0\.safetensors.*has slots"
    ):
        read_gemma_scope_2(Folder(tmp_path), LOADING)


def test_files_beyond_the_last_slot_are_left_out(tmp_path: Path) -> None:
    write_google_cross_layer(tmp_path)
    names = [f"params_layer_{layer}.safetensors" for layer in (0, 1, 2, 2)]
    (tmp_path / "config.yaml").write_text(
        "model_kind: cross_layer_transcoder\nfeature_input_hook: mlp.hook_in\nscan: google-clt\ntranscoders:\n"
        + "".join(f"- {name}\n" for name in names)
    )
    found = read_circuit_tracer(Folder(tmp_path), LOADING)
    assert isinstance(found, CrossLayerTranscoders)
    assert (found.n_layers, found.input_site, found.name) == (3, "mlp_input", "google-clt")


def test_a_list_of_archives_takes_its_sites_from_the_settings(tmp_path: Path) -> None:
    npz(tmp_path / "a.npz")
    (tmp_path / "config.yaml").write_text(
        "feature_input_hook: ln2.hook_normalized\nfeature_output_hook: hook_mlp_out\ntranscoders: [a.npz]\n"
    )
    found = read_circuit_tracer(Folder(tmp_path), LOADING)
    assert (found.n_layers, found.input_site, found.output_site) == (1, "mlp_norm", "mlp_update")


def test_layers_without_a_folder_have_no_features(tmp_path: Path) -> None:
    for layer in (0, 2):
        npz(tmp_path / f"layer_{layer}/params.npz")
    found = read_gemma_scope(Folder(tmp_path), LOADING)
    assert ([found.n_features(layer) > 0 for layer in range(3)], found.uncovered) == ([True, False, True], (1,))


def test_a_gap_between_cross_layer_files_is_named(tmp_path: Path) -> None:
    decoder = torch.zeros(6, 3, 4)
    for layer in (0, 2):
        save_file({"w_dec": decoder}, tmp_path / f"params_layer_{layer}.safetensors")
    with pytest.raises(LoadError, match=r"params_layer_1\.safetensors: the file is missing; layers must have no gaps"):
        read_gemma_scope_2(Folder(tmp_path), LOADING)

"""Reading transcoders in circuit-tracer's layouts, and refusing what does not fit."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.activation import JumpReLU, ReLU, TopK
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoders
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.circuit_tracer import read_circuit_tracer
from circuit_widget.transcoder.per_layer import PerLayerTranscoders
from tests.transcoder.layouts import D_MODEL, FEATURES, LOADING, Tensors, tensors, write_cross_layer, write_layers

THRESHOLD = "activation_function.threshold"


def test_relu(tmp_path: Path) -> None:
    layer = tensors()
    found = read_circuit_tracer(write_layers(tmp_path, layer, layer), LOADING)
    x = torch.randn(5, D_MODEL)
    preactivation, activation = found.encode(1, x)
    expected = x @ layer["W_enc"].T + layer["b_enc"]
    torch.testing.assert_close(preactivation, expected)
    torch.testing.assert_close(activation, expected.clamp(min=0))
    torch.testing.assert_close(found.decoder_rows(1, torch.tensor([4, 0]), 1), layer["W_dec"][[4, 0]])
    torch.testing.assert_close(found.decoder_bias(1), layer["b_dec"])
    assert isinstance(found, PerLayerTranscoders)
    assert (found.name, found.n_layers, found.n_features(0), found.d_model) == ("mine", 2, FEATURES, D_MODEL)
    assert (found.input_site, found.output_site) == ("mlp_input", "mlp_output")
    assert found.files == (tmp_path / "layer_0.safetensors", tmp_path / "layer_1.safetensors")


def test_jump_relu_is_strict_and_keeps_the_value(tmp_path: Path) -> None:
    threshold = torch.full((FEATURES,), 0.5)
    layer = tensors(**{THRESHOLD: threshold, "W_enc": torch.eye(FEATURES, D_MODEL), "b_enc": torch.zeros(FEATURES)})
    found = read_circuit_tracer(write_layers(tmp_path, layer), LOADING)
    _, activation = found.encode(0, torch.tensor([[0.5, 0.6, -1.0, 0.4]]))
    torch.testing.assert_close(activation[0, :4], torch.tensor([0.0, 0.6, 0.0, 0.0]))


def test_a_skip_connection_is_kept_as_output_by_input(tmp_path: Path) -> None:
    layer = tensors(W_skip=torch.randn(D_MODEL, D_MODEL))
    skip = read_circuit_tracer(write_layers(tmp_path, layer), LOADING).skip(0)
    assert skip is not None
    torch.testing.assert_close(skip, layer["W_skip"])


@pytest.mark.parametrize(
    ("hooks", "sites"),
    [
        (("mlp.hook_in", "mlp.hook_out"), ("mlp_input", "mlp_output")),
        (("ln2.hook_normalized", "hook_mlp_out"), ("mlp_norm", "mlp_update")),
        (("hook_resid_mid", "hook_mlp_out"), ("residual_mid", "mlp_update")),
        (("mlp.hook_in", "hook_mlp_out"), ("mlp_input", "mlp_update")),
    ],
)
def test_hook_names_are_sites(tmp_path: Path, hooks: tuple[str, str], sites: tuple[str, str]) -> None:
    config = f"feature_input_hook: {hooks[0]}\nfeature_output_hook: {hooks[1]}\n"
    found = read_circuit_tracer(write_layers(tmp_path, tensors(), config=config), LOADING)
    assert (found.input_site, found.output_site) == sites


@pytest.mark.parametrize(
    ("config", "changes", "name"),
    [
        ("activation: topk\nk: 2\n", {}, "mine"),
        ("scan: mine\n", {"k": torch.tensor(2)}, "mine"),
        ("activation: topk\n", {"k": torch.tensor(2)}, "mine"),
        ("activation: topk\nk: 2\n", {"k": torch.tensor(2)}, "mine"),
    ],
)
def test_a_directory_of_top_k_transcoders_is_top_k(tmp_path: Path, config: str, changes: Tensors, name: str) -> None:
    layer = tensors(**changes)
    found = read_circuit_tracer(write_layers(tmp_path, layer, config=config), LOADING)
    preactivation, activation = found.encode(0, torch.randn(7, D_MODEL))
    assert found.layers[0].activation == TopK(2)
    assert ((activation != 0).sum(-1) == 2).all()
    torch.testing.assert_close(activation.sum(-1), preactivation.topk(2).values.sum(-1))


def test_k_of_a_set_known_not_to_state_it_is_known(tmp_path: Path) -> None:
    config = "scan: facebook/crv-8b-instruct-transcoders\nactivation: topk\n"
    layer = {
        "W_enc": torch.randn(200, 4),
        "W_dec": torch.randn(200, 4),
        "b_enc": torch.zeros(200),
        "b_dec": torch.zeros(4),
    }
    found = read_circuit_tracer(write_layers(tmp_path, layer, config=config), LOADING)
    assert found.layers[0].activation == TopK(128)


def test_a_cross_layer_transcoder(tmp_path: Path) -> None:
    written = write_cross_layer(tmp_path)
    found = read_circuit_tracer(Folder(tmp_path), LOADING)
    assert isinstance(found, CrossLayerTranscoders)
    assert (found.n_layers, found.d_model, found.name) == (3, D_MODEL, tmp_path.name)
    assert (found.input_site, found.output_site) == ("residual_mid", "mlp_update")
    x, features = torch.randn(5, D_MODEL), torch.tensor([5, 2])
    for layer, of_layer in enumerate(written):
        preactivation, activation = found.encode(layer, x)
        expected = x @ of_layer[f"W_enc_{layer}"].T + of_layer[f"b_enc_{layer}"]
        torch.testing.assert_close(preactivation, expected)
        torch.testing.assert_close(activation, expected * (expected > of_layer[f"threshold_{layer}"]))
        torch.testing.assert_close(found.decoder_bias(layer), of_layer[f"b_dec_{layer}"])
        for target in found.written_layers(layer):
            rows = found.decoder_rows(layer, features, target)
            torch.testing.assert_close(rows, of_layer[f"W_dec_{layer}"][features, target - layer])


def test_a_cross_layer_transcoder_is_known_by_its_files(tmp_path: Path) -> None:
    write_cross_layer(tmp_path)
    (tmp_path / "config.yaml").unlink()
    assert isinstance(read_circuit_tracer(Folder(tmp_path), LOADING), CrossLayerTranscoders)


def test_a_list_of_files_is_read_in_its_order_and_layout(tmp_path: Path) -> None:
    above, below = tensors(1), tensors(2)
    (tmp_path / "below").mkdir()
    save_file(above, tmp_path / "below/a.safetensors")
    save_file(below, tmp_path / "b.safetensors")
    config = "transcoders:\n- b.safetensors\n- below/a.safetensors\n"
    found = read_circuit_tracer(write_layers(tmp_path, config=config), LOADING)
    for layer, written in enumerate((below, above)):
        torch.testing.assert_close(found.decoder_bias(layer), written["b_dec"])


NOT_A_NUMBER = torch.full((FEATURES,), float("nan"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"W_dec": None}, "layer_1.safetensors: tensor 'W_dec' is missing; found W_enc, b_dec, b_enc."),
        (
            {"W_dec": torch.zeros(D_MODEL, FEATURES)},
            "tensor 'W_dec' has shape (4, 6), expected (6, 4). It looks transposed.",
        ),
        (
            {"W_enc": torch.zeros(D_MODEL, FEATURES)},
            "tensor 'W_enc' has shape (4, 6), expected (6, 4). It looks transposed.",
        ),
        (
            {"W_enc": torch.zeros(D_MODEL, FEATURES), "W_dec": torch.zeros(D_MODEL, FEATURES)},
            "tensor 'W_dec' has shape (4, 6), expected (6, 4). It looks transposed.",
        ),
        ({"W_enc": torch.zeros(FEATURES, 5)}, "tensor 'W_enc' has shape (6, 5), expected (6, 4)."),
        ({"b_enc": torch.zeros(7)}, "tensor 'b_enc' has shape (7,), expected (6,)."),
        ({"b_dec": torch.zeros(5)}, "tensor 'b_dec' has shape (5,), expected (4,)."),
        ({"b_dec": torch.zeros(1, 4)}, "tensor 'b_dec' has shape (1, 4), expected one axis."),
        ({"b_enc": NOT_A_NUMBER}, "tensor 'b_enc' has NaN or infinite values, expected finite numbers."),
        ({THRESHOLD: NOT_A_NUMBER}, f"tensor '{THRESHOLD}' has NaN or infinite values"),
        (
            {"W_enc": torch.full((FEATURES, D_MODEL), float("inf"))},
            "tensor 'W_enc' has NaN or infinite values, expected finite numbers.",
        ),
        (
            {"W_dec": torch.full((FEATURES, D_MODEL), float("nan"))},
            "tensor 'W_dec' has NaN or infinite values, expected finite numbers.",
        ),
        (
            {"b_enc": torch.zeros(FEATURES, dtype=torch.int64)},
            "tensor 'b_enc' has dtype torch.int64, expected floating point",
        ),
        ({"W_skip": torch.zeros(D_MODEL, 3)}, "tensor 'W_skip' has shape (4, 3), expected (4, 4)."),
        ({"W_dec_0": torch.zeros(1)}, "found tensor 'W_dec_0', expected only W_enc, W_dec, b_enc, b_dec"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(
    tmp_path: Path, changes: dict[str, torch.Tensor | None], message: str
) -> None:
    folder = write_layers(tmp_path, tensors(), tensors(**changes))
    with pytest.raises(LoadError) as refusal:
        read_circuit_tracer(folder, LOADING)
    assert str(tmp_path / "layer_1.safetensors") in str(refusal.value)
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("activation: softmax\n", "activation is 'softmax', expected one of relu, jump_relu, jumprelu, topk"),
        ("activation: topk\n", "k is None, expected a whole number from 1 up"),
        ("activation: topk\nk: many\n", "k is 'many', expected a whole number from 1 up"),
        ("activation: jump_relu\n", f"tensor '{THRESHOLD}' is missing, though"),
        ("model_kind: neurons\n", "model_kind is 'neurons', expected one of transcoder_set, cross_layer_transcoder"),
        ("feature_input_hook: hook_q\n", "feature_input_hook is 'hook_q', expected one of mlp.hook_in"),
        (
            "feature_output_hook: hook_resid_post\n",
            "feature_output_hook is 'hook_resid_post', expected one of mlp.hook_out",
        ),
        ("transcoders: layer_0.safetensors\n", "transcoders is str, expected a list of files, one a layer"),
        ("- a\n- b\n", "found list, expected a mapping"),
        ("a: [\n", "not readable as YAML"),
    ],
)
def test_settings_that_cannot_be_honoured_are_refused(tmp_path: Path, config: str, message: str) -> None:
    folder = write_layers(tmp_path, tensors(), config=config)
    with pytest.raises(LoadError) as refusal:
        read_circuit_tracer(folder, LOADING)
    assert message in str(refusal.value)
    assert "config.yaml" in str(refusal.value)


@pytest.mark.parametrize("activation", ["relu", "topk\nk: 2"])
def test_thresholds_that_the_settings_deny_are_refused(tmp_path: Path, activation: str) -> None:
    layer = tensors(**{THRESHOLD: torch.zeros(FEATURES)})
    with pytest.raises(
        LoadError, match=rf"'{THRESHOLD}' was found, expected none, since .*config.yaml states activation"
    ):
        read_circuit_tracer(write_layers(tmp_path, layer, config=f"activation: {activation}\n"), LOADING)


def test_relu_can_be_stated(tmp_path: Path) -> None:
    found = read_circuit_tracer(write_layers(tmp_path, tensors(), config="activation: relu\n"), LOADING)
    assert found.layers[0].activation == ReLU()


def test_jump_relu_can_be_stated(tmp_path: Path) -> None:
    layer = tensors(**{THRESHOLD: torch.ones(FEATURES)})
    found = read_circuit_tracer(write_layers(tmp_path, layer, config="activation: jump_relu\n"), LOADING)
    assert isinstance(found.layers[0].activation, JumpReLU)


def test_a_gap_between_layers_is_named(tmp_path: Path) -> None:
    folder = write_layers(tmp_path, tensors(), tensors(), tensors())
    (tmp_path / "layer_1.safetensors").unlink()
    with pytest.raises(LoadError, match=r"layer_1\.safetensors: the file is missing; layers must have no gaps"):
        read_circuit_tracer(folder, LOADING)


def test_settings_without_layers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        LoadError, match=r"no layer_0\.safetensors, layer_1\.safetensors, \.\.\.; expected one file a layer"
    ):
        read_circuit_tracer(write_layers(tmp_path), LOADING)


def test_a_listed_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = write_layers(tmp_path, config="transcoders: [gone.safetensors]\n")
    with pytest.raises(LoadError, match=r"gone\.safetensors: the file is missing"):
        read_circuit_tracer(folder, LOADING)


def test_a_missing_decoder_file_is_named(tmp_path: Path) -> None:
    write_cross_layer(tmp_path)
    (tmp_path / "W_dec_1.safetensors").unlink()
    with pytest.raises(LoadError, match=r"W_dec_1\.safetensors: the file is missing"):
        read_circuit_tracer(Folder(tmp_path), LOADING)


def test_a_cross_layer_decoder_of_a_model_with_other_layers_is_refused(tmp_path: Path) -> None:
    write_cross_layer(tmp_path)
    (tmp_path / "W_enc_2.safetensors").unlink()
    with pytest.raises(LoadError, match=r"W_dec_0.*has shape \(6, 3, 4\), expected \(6, 2, 4\)"):
        read_circuit_tracer(Folder(tmp_path), LOADING)


def test_nan_in_a_cross_layer_decoder_is_refused(tmp_path: Path) -> None:
    write_cross_layer(tmp_path)
    path = tmp_path / "W_dec_1.safetensors"
    decoder = {name: tensor.clone() for name, tensor in load_file(path).items()}
    decoder["W_dec_1"][3, 1, 0] = float("nan")
    save_file(decoder, path)
    with pytest.raises(LoadError, match=r"W_dec_1\.safetensors: tensor 'W_dec_1' has NaN or infinite values"):
        read_circuit_tracer(Folder(tmp_path), LOADING)


def test_a_file_cut_in_half_is_refused(tmp_path: Path) -> None:
    folder = write_layers(tmp_path, tensors())
    path = tmp_path / "layer_0.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(LoadError, match="not a readable safetensors file"):
        read_circuit_tracer(folder, LOADING)


def test_a_pickle_in_disguise_is_not_opened(tmp_path: Path) -> None:
    torch.save(tensors(), tmp_path / "layer_0.safetensors")
    with pytest.raises(LoadError, match="not a readable safetensors file"):
        read_circuit_tracer(Folder(tmp_path), LOADING)

"""Sets of transcoders: what they read and write, where their tensors are kept, and when bad weights are found."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from circuit_widget.errors import LoadError
from circuit_widget.transcoder import encoder_placement as loading_module
from circuit_widget.transcoder import layer as layer_module
from circuit_widget.transcoder.activation import JumpReLU, TopK
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoder, CrossLayerTranscoders
from circuit_widget.transcoder.encoder_placement import Loading, load_encoder
from circuit_widget.transcoder.formats import layer_files
from circuit_widget.transcoder.formats.circuit_tracer import read_circuit_tracer
from circuit_widget.transcoder.per_layer import PerLayerTranscoder, PerLayerTranscoders
from tests.transcoder.layouts import CPU, D_MODEL, FEATURES, LOADING, tensors, write_layers


def layer(**changes: object) -> PerLayerTranscoder:
    """A layer with random weights."""
    drawn = tensors()
    parts = {
        "encoder": drawn["W_enc"],
        "encoder_bias": drawn["b_enc"],
        "decoder": drawn["W_dec"],
        "decoder_bias": drawn["b_dec"],
        **changes,
    }
    return PerLayerTranscoder(**parts)


def cross_layer(n_written: int, width: int = D_MODEL) -> CrossLayerTranscoder:
    """A layer with random weights that writes `n_written` layers."""
    return CrossLayerTranscoder(
        encoder=torch.randn(FEATURES, width),
        encoder_bias=torch.randn(FEATURES),
        decoder=torch.randn(FEATURES, n_written, width),
        decoder_bias=torch.randn(width),
    )


@pytest.mark.parametrize("activation", [None, JumpReLU(torch.rand(FEATURES)), TopK(2), TopK(3, rectified=True)])
def test_reading_some_features_equals_reading_all(activation: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_module, "ROWS_AT_ONCE", 2)
    transcoder = layer(**({} if activation is None else {"activation": activation}))
    x = torch.randn(2, 5, D_MODEL)
    features = torch.tensor([5, 0, 5, 1, 2, 3, 4, 0])
    positions = torch.tensor([0, 0, 1, 2, 3, 3, 4, 0])
    for whole, some in zip(transcoder.encode(x.flatten(0, 1)), transcoder.read(features, positions, x), strict=True):
        torch.testing.assert_close(some, whole.unflatten(0, (2, 5))[:, positions, features])


def test_k_must_be_a_number_of_features() -> None:
    with pytest.raises(LoadError, match="k is 7, expected 1 to 6, the number of features"):
        layer(activation=TopK(7))


def test_per_layer_features_write_to_their_own_layer_only() -> None:
    found = PerLayerTranscoders("set", (layer(), layer()), "mlp_input", "mlp_output")
    assert list(found.written_layers(1)) == [1]
    with pytest.raises(IndexError):
        found.decoder_rows(0, torch.tensor([0]), 1)


def test_cross_layer_features_write_to_their_layer_and_all_above() -> None:
    layers = tuple(cross_layer(3 - number) for number in range(3))
    found = CrossLayerTranscoders("set", layers, "residual_mid", "mlp_update")
    assert [list(found.written_layers(number)) for number in range(3)] == [[0, 1, 2], [1, 2], [2]]
    features = torch.tensor([4, 1, 4])
    decoder = layers[1].decoder
    assert isinstance(decoder, torch.Tensor)
    torch.testing.assert_close(found.decoder_rows(1, features, 2), decoder[features, 1])
    torch.testing.assert_close(found.decoder_rows(1, features, 1), decoder[features, 0])
    for below in (0, 3):
        with pytest.raises(IndexError):
            found.decoder_rows(1, features, below)


def test_a_decoder_that_does_not_lead_to_every_layer_above_is_refused() -> None:
    with pytest.raises(LoadError, match="writes 2 layers, expected 3: layer 0 and all above it, of 3"):
        CrossLayerTranscoders("set", tuple(cross_layer(n) for n in (2, 2, 1)), "residual_mid", "mlp_update")


def test_layers_of_different_width_are_refused() -> None:
    with pytest.raises(LoadError, match="layer 1 has width 8, expected 4"):
        CrossLayerTranscoders("set", (cross_layer(2), cross_layer(1, width=8)), "residual_mid", "mlp_update")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("encoders", ["device", "cpu", "disk", None])
def test_results_are_the_same_wherever_encoders_are_kept(tmp_path: Path, dtype: torch.dtype, encoders: object) -> None:
    written = {name: tensor.to(dtype) for name, tensor in tensors().items()}
    found = read_circuit_tracer(write_layers(tmp_path, written), Loading(lambda _: CPU, encoders))
    x, features = torch.randn(5, D_MODEL), torch.tensor([3, 0])
    preactivation, _ = found.encode(0, x)
    torch.testing.assert_close(preactivation, x @ written["W_enc"].float().T + written["b_enc"].float())
    torch.testing.assert_close(found.encoder_rows(0, features), written["W_enc"][features].float())
    torch.testing.assert_close(found.decoder_rows(0, features, 0), written["W_dec"][features].float())
    assert preactivation.dtype == torch.float32


def test_an_encoder_converted_in_pieces_gives_the_same_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_module, "PIECE_BYTES", 2 * 4 * D_MODEL)
    transcoder = layer(encoder=tensors()["W_enc"].double())
    x = torch.randn(3, D_MODEL)
    torch.testing.assert_close(transcoder.encode(x)[0], x @ transcoder.encoder.float().T + transcoder.encoder_bias)


def test_encoders_kept_in_memory_outlive_their_file_and_mapped_ones_share_its_pages(tmp_path: Path) -> None:
    folder = write_layers(tmp_path, tensors())
    in_memory = read_circuit_tracer(folder, Loading(lambda _: CPU, "cpu")).layers[0]
    mapped = read_circuit_tracer(folder, Loading(lambda _: CPU, "disk")).layers[0]
    mappings = Path("/proc/self/maps")
    if not mappings.exists():
        pytest.skip("needs /proc")
    of_file = [line.split()[0] for line in mappings.read_text().splitlines() if str(tmp_path) in line]
    ranges = [tuple(int(end, 16) for end in line.split("-")) for line in of_file]

    def is_mapped(tensor: torch.Tensor) -> bool:
        return any(first <= tensor.data_ptr() < last for first, last in ranges)

    assert [is_mapped(tensor) for tensor in (in_memory.encoder, in_memory.decoder)] == [False, True]
    assert [is_mapped(tensor) for tensor in (mapped.encoder, mapped.decoder)] == [True, True]


def test_the_free_memory_of_each_device_decides_where_encoders_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    room = {"cuda:0": 1000, "cuda:1": 100, "cpu": 1000}
    monkeypatch.setattr(loading_module, "free_memory", lambda device: room[str(device)])
    devices = [torch.device(name) for name in ("cuda:0", "cuda:0", "cuda:1", "cpu")]
    chosen = Loading(devices.__getitem__)
    assert chosen.placements([250, 250, 60, 400], transposed=False) == ("device", "device", "disk", "disk")
    assert chosen.placements([251, 250, 50, 400], transposed=True) == ("disk", "disk", "device", "cpu")
    assert Loading(devices.__getitem__, "cpu").placements([9, 9, 9, 9], transposed=True) == ("cpu",) * 4


def test_a_device_without_room_is_refused_with_what_to_do() -> None:
    class Large:
        def to(self, device: torch.device) -> torch.Tensor:
            raise torch.cuda.OutOfMemoryError(f"{device} is full")

    with pytest.raises(LoadError, match=r"cuda:0 has no room for all encoders; .* encoders='cpu'\) or 'disk'"):
        load_encoder(Large(), "device", torch.device("cuda:0"))


def test_an_unknown_placement_is_refused() -> None:
    with pytest.raises(LoadError, match="encoders='gpu' is not supported; expected one of device, cpu, disk"):
        Loading(lambda _: CPU, "gpu")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_bad_weights_too_large_to_check_on_load_are_found_when_they_are_used(
    tmp_path: Path, bad: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layer_files, "READ_TO_CHECK", 0)
    written = tensors()
    written["W_dec"][3, 1] = written["W_enc"][2, 0] = bad
    folder = write_layers(tmp_path, written)
    found = read_circuit_tracer(folder, Loading(lambda _: CPU, "disk"))
    file = tmp_path / "layer_0.safetensors"
    assert found.decoder_rows(0, torch.tensor([0, 5]), 0).shape == (2, D_MODEL)
    with pytest.raises(LoadError) as refusal:
        found.decoder_rows(0, torch.tensor([0, 3]), 0)
    assert f"{file}: tensor 'W_dec' has NaN or infinite values, expected finite numbers" in str(refusal.value)
    for use in (lambda: found.encode(0, torch.ones(1, D_MODEL)), lambda: found.encoder_rows(0, torch.tensor([2]))):
        with pytest.raises(LoadError) as refusal:
            use()
        assert f"{file}: tensor 'W_enc' has NaN or infinite values" in str(refusal.value)


def test_a_model_that_gives_nan_is_not_blamed_on_the_transcoder(tmp_path: Path) -> None:
    found = read_circuit_tracer(write_layers(tmp_path, tensors()), LOADING)
    preactivation, _ = found.encode(0, torch.full((1, D_MODEL), float("nan")))
    assert preactivation.isnan().all()


def test_large_finite_weights_whose_sum_overflows_are_accepted(tmp_path: Path) -> None:
    written = tensors(W_dec=torch.full((FEATURES, D_MODEL), 1e38))
    found = read_circuit_tracer(write_layers(tmp_path, written), LOADING)
    torch.testing.assert_close(found.decoder_rows(0, torch.tensor([1]), 0), written["W_dec"][1:2])


def test_reading_rows_leaves_the_rest_of_a_decoder_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("needs /proc")
    monkeypatch.setattr(layer_files, "READ_TO_CHECK", 0)
    features, width = 16_384, 1024
    weights = {
        "W_enc": torch.zeros(features, width, dtype=torch.bfloat16),
        "W_dec": torch.ones(features, width),
        "b_enc": torch.zeros(features),
        "b_dec": torch.zeros(width),
    }
    save_file(weights, tmp_path / "layer_0.safetensors")
    del weights

    def private() -> int:
        size, shared = (int(field) for field in statm.read_text().split()[1:3])
        return (size - shared) * 4096

    before = private()
    (tmp_path / "config.yaml").write_text("scan: large\n")
    found = read_circuit_tracer(write_layers(tmp_path), Loading(lambda _: CPU, "disk"))
    rows = found.decoder_rows(0, torch.arange(0, features, 512), 0)
    assert rows.sum() == rows.numel()
    assert private() - before < 16 << 20

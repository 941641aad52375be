"""The common part of all layouts: one file or folder a layer, a table of tensor names, and checks of the tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import torch

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.activation import Activation, JumpReLU, ReLU
from circuit_widget.transcoder.encoder_placement import EncoderPlacement, Loading, load_encoder
from circuit_widget.transcoder.formats.checked_file import READ_TO_CHECK, CheckedFile
from circuit_widget.transcoder.layer import TranscoderLayer
from circuit_widget.transcoder.per_layer import PerLayerTranscoder

Layer = TypeVar("Layer", bound=TranscoderLayer)


@dataclass(frozen=True)
class Table:
    """The names of a layer's tensors in a layout, and which of them are stored transposed.

    In this package, encoders and decoders have the shape (features, d_model) and a skip connection (output, input). `more`
    are further tensors that a file may have.
    """

    encoder: str
    decoder: str
    encoder_bias: str
    decoder_bias: str
    threshold: str | None = None
    skip: str | None = None
    encoder_transposed: bool = False
    skip_transposed: bool = False
    more: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All tensors that a file may have."""
        named = (self.encoder, self.decoder, self.encoder_bias, self.decoder_bias, self.threshold, self.skip)
        return (*(name for name in named if name is not None), *self.more)


@dataclass(frozen=True)
class LayerFile:
    """The files of one layer: `decoder_file` with the decoder, `file` with all other tensors.

    Raises:
        LoadError: `file` has a tensor that the table does not name.
    """

    file: CheckedFile
    table: Table
    decoder_file: CheckedFile

    def __post_init__(self) -> None:
        self.file.refuse_unknown(self.table.names)

    @property
    def encoder_size(self) -> int:
        """Bytes of the encoder."""
        return self.file.size(self.table.encoder)

    def features_and_width(self) -> tuple[int, int]:
        """Return the number of features and d_model.

        They are the sizes of the biases, which cannot be transposed, if any matrix agrees; else those of the matrices.
        """
        encoder = self.file.shape(self.table.encoder)
        matrices = encoder + self.decoder_file.shape(self.table.decoder)
        if self.table.encoder_transposed:
            encoder = encoder[::-1]
        sizes = []
        for bias, axis in ((self.table.encoder_bias, 0), (self.table.decoder_bias, -1)):
            shape = self.file.shape(bias)
            if len(shape) != 1:
                raise LoadError(f"{self.file.origin(bias)} has shape {shape}, expected one axis.")
            sizes.append(encoder[axis] if encoder and shape[0] not in matrices else shape[0])
        return sizes[0], sizes[1]

    def threshold(self, device: torch.device) -> JumpReLU | ReLU:
        """Return JumpReLU where the file has thresholds, else ReLU."""
        name = self.table.threshold
        if name is None or name not in self.file.names:
            return ReLU()
        return JumpReLU(self.file.values(name, (self.features_and_width()[0],), device))


ActivationOf: TypeAlias = Callable[[LayerFile, torch.device], Activation]
"""Maps a layer's file and a device to its activation function."""


def one_file(path: Path, table: Table) -> LayerFile:
    """Return a layer whose tensors are all in one file."""
    file = CheckedFile(path)
    return LayerFile(file, table, file)


def read_layer(
    kind: type[Layer],
    layer: LayerFile,
    decoder: torch.Tensor,
    *,
    device: torch.device,
    placement: EncoderPlacement,
    activation: Activation,
) -> Layer:
    """Return one layer, given its decoder in the shape of this package.

    Raises:
        LoadError: names the file, the tensor, what was found and what was expected.
    """
    file, table = layer.file, layer.table
    features, width = layer.features_and_width()
    shape = (width, features) if table.encoder_transposed else (features, width)
    encoder = load_encoder(file.stored(table.encoder, shape, transposed=table.encoder_transposed), placement, device)
    if placement != "disk" or layer.encoder_size <= READ_TO_CHECK:
        file.refuse_unless_finite(table.encoder, encoder)
    if layer.decoder_file.size(table.decoder) <= READ_TO_CHECK:
        layer.decoder_file.refuse_unless_finite(table.decoder, decoder)
    has_skip = table.skip is not None and table.skip in file.names
    return kind(
        encoder=encoder,
        encoder_bias=file.values(table.encoder_bias, (features,), device),
        decoder=decoder,
        decoder_bias=file.values(table.decoder_bias, (width,), device),
        activation=activation,
        skip=file.values(str(table.skip), (width, width), device, transposed=table.skip_transposed)
        if has_skip
        else None,
        encoder_origin=file.origin(table.encoder),
        decoder_origin=layer.decoder_file.origin(table.decoder),
        files=(file.path, layer.decoder_file.path),
    )


def read_per_layer(
    layers: Sequence[LayerFile], loading: Loading, activation: ActivationOf = LayerFile.threshold
) -> tuple[PerLayerTranscoder, ...]:
    """Return per-layer transcoders, by default with the activations their files imply."""
    placements = encoder_placements(layers, loading)
    return tuple(
        read_layer(
            PerLayerTranscoder,
            layer,
            layer.decoder_file.stored(layer.table.decoder, layer.features_and_width()),
            device=loading.device_of(number),
            placement=placements[number],
            activation=activation(layer, loading.device_of(number)),
        )
        for number, layer in enumerate(layers)
    )


def encoder_placements(layers: Sequence[LayerFile], loading: Loading) -> tuple[EncoderPlacement, ...]:
    """Return where to keep the encoder of each layer, after checking that all layers have the same width."""
    widths = [layer.features_and_width()[1] for layer in layers]
    for layer, width in zip(layers, widths, strict=True):
        if width != widths[0]:
            name = layer.table.decoder_bias
            raise LoadError(f"{layer.file.origin(name)} has shape ({width},), expected ({widths[0]},) as in layer 0.")
    transposed = any(layer.table.encoder_transposed for layer in layers)
    return loading.placements([layer.encoder_size for layer in layers], transposed=transposed)


def at_layers(
    numbers: Sequence[int], layers: Sequence[PerLayerTranscoder], loading: Loading
) -> tuple[PerLayerTranscoder, ...]:
    """Return the transcoders of all layers of the model, given those of the layers `numbers`; others have no features."""
    found = dict(zip(numbers, layers, strict=True))
    n_layers = max(max(numbers) + 1, loading.n_layers)
    width = layers[0].d_model
    return tuple(
        found[number] if number in found else PerLayerTranscoder.without_features(width, loading.device_of(number))
        for number in range(n_layers)
    )


def without_gaps(found: Mapping[int, Path], missing: str) -> list[Path]:
    """Return the files of the layers in order; `missing` is the pattern of the path of a missing layer.

    Raises:
        LoadError: names the first layer that is missing.
    """
    gaps = sorted(set(range(max(found) + 1)) - set(found))
    if gaps:
        raise LoadError(f"{missing.format(gaps[0])}: the file is missing; layers must have no gaps.")
    return [found[layer] for layer in sorted(found)]


def one_each(found: Sequence[tuple[int, Path]], root: Path) -> dict[int, Path]:
    """Return the file of each layer.

    Raises:
        LoadError: a layer has several, named with what to do.
    """
    files: dict[int, Path] = {}
    for layer, path in found:
        if layer in files:
            raise LoadError(
                f"{root}: found {files[layer].relative_to(root)} and {path.relative_to(root)} for layer {layer}, expected "
                'one a layer. Choose by a pattern, as in "folder/layer_*_width_16k_l0_small_affine", or list the files '
                "under transcoders: in a config.yaml."
            )
        files[layer] = path
    return files

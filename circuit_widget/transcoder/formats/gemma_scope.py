"""Gemma Scope: one npz archive a layer, `layer_{i}/width_16k/average_l0_76/params.npz` or all in one folder.

Features read the normalised residual stream before the weight of the norm, and write to the residual stream after the norm
that follows the MLP (Lieberum et al. 2024).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.layer_files import (
    ActivationOf,
    LayerFile,
    Table,
    at_layers,
    one_each,
    one_file,
    read_per_layer,
)
from circuit_widget.transcoder.per_layer import PerLayerTranscoder, PerLayerTranscoders

TABLE = Table(
    encoder="W_enc",
    encoder_transposed=True,
    decoder="W_dec",
    encoder_bias="b_enc",
    decoder_bias="b_dec",
    threshold="threshold",
)
AUTOENCODERS = re.compile(r"gemma-scope-[^/]*-(res|mlp|att)(-|/|@|$)")
"""Repositories of autoencoders, whose files look like those of transcoders."""

LAYER_FILE = r"(?:.*/)?[^/]*?layer_(\d+)(?:[/_.].*)?\.npz"


def is_gemma_scope(folder: Folder) -> bool:
    """Return whether a folder has this layout."""
    return bool(folder.matching(LAYER_FILE))


def read_gemma_scope(folder: Folder, loading: Loading) -> PerLayerTranscoders:
    """Read the per-layer transcoders of a folder.

    Raises:
        LoadError: names the file, the tensor, what was found and what was expected.
    """
    autoencoders = AUTOENCODERS.search(f"{folder.name} {folder.root.as_posix()}".lower())
    if autoencoders is not None:
        raise LoadError(
            f"{folder}: {autoencoders[0].strip('/@')!r} is the name of a set of sparse autoencoders, which reconstruct their "
            "input and cannot replace MLPs. The sets of Gemma Scope that can are named transcoders."
        )
    found = one_each([(int(match[1]), path) for match, path in folder.matching(LAYER_FILE)], folder.root)
    numbers = sorted(found)
    layers = read_files([found[number] for number in numbers], loading.only(numbers))
    sites = loading.sites.or_default("mlp_norm", "mlp_update")
    return PerLayerTranscoders(folder.name, at_layers(numbers, layers, loading), *sites)


def read_files(
    paths: Sequence[Path], loading: Loading, activation: ActivationOf = LayerFile.threshold
) -> tuple[PerLayerTranscoder, ...]:
    """Return the transcoders in these files, one a layer."""
    return read_per_layer([one_file(path, TABLE) for path in paths], loading, activation)

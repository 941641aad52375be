"""Reads transcoders from a directory, in any known layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.cross_layer import CrossLayerTranscoders
from circuit_widget.transcoder.encoder_placement import Loading
from circuit_widget.transcoder.folder import Folder
from circuit_widget.transcoder.formats.circuit_tracer import is_circuit_tracer, read_circuit_tracer
from circuit_widget.transcoder.formats.clt_forge import is_clt_forge, read_clt_forge
from circuit_widget.transcoder.formats.crosslayer_transcoder import (
    is_crosslayer_transcoder,
    read_crosslayer_transcoder,
)
from circuit_widget.transcoder.formats.decode_clt import is_decode_clt, read_decode_clt
from circuit_widget.transcoder.formats.dictionary_learning import is_dictionary_learning, read_dictionary_learning
from circuit_widget.transcoder.formats.gemma_scope import is_gemma_scope, read_gemma_scope
from circuit_widget.transcoder.formats.gemma_scope_2 import is_gemma_scope_2, read_gemma_scope_2
from circuit_widget.transcoder.formats.joint_top_k import is_joint_top_k, read_joint_top_k
from circuit_widget.transcoder.formats.llamascopium import is_llamascopium, read_llamascopium
from circuit_widget.transcoder.formats.refused_sets import refuse_other_sets
from circuit_widget.transcoder.formats.saelens import is_saelens, read_saelens
from circuit_widget.transcoder.formats.sparsify import is_sparsify, read_sparsify
from circuit_widget.transcoder.formats.transcoder_adapters import is_adapters, read_adapters
from circuit_widget.transcoder.joint_top_k import JointTopKTranscoders
from circuit_widget.transcoder.per_layer import PerLayerTranscoders

MOST_LISTED_FILES = 5
"""Most files that the error about an unknown layout lists."""


AnyTranscoders: TypeAlias = PerLayerTranscoders | CrossLayerTranscoders | JointTopKTranscoders
"""The kinds of sets that files contain."""


@dataclass(frozen=True)
class FileLayout:
    """One layout of transcoders on disk. Those that tensors tell apart come before those that file names do."""

    name: str
    files: str
    recognises: Callable[[Folder], bool]
    read: Callable[[Folder, Loading], AnyTranscoders]


LAYOUTS = (
    FileLayout(
        "transcoder adapters",
        "a model whose weights have model.layers.0.mlp.transcoder_enc.weight",
        is_adapters,
        read_adapters,
    ),
    FileLayout(
        "Cross-Layer TopK CLT",
        "W_enc_0.safetensors with W_dec_0.safetensors, W_dec_norm.safetensors and config.json",
        is_joint_top_k,
        read_joint_top_k,
    ),
    FileLayout(
        "Llamascopium",
        "layer0_.../config.json with sae_weights.safetensors, or one such folder with all layers",
        is_llamascopium,
        read_llamascopium,
    ),
    FileLayout("CLT-Forge", "clt_weights.safetensors with clt_cfg.json", is_clt_forge, read_clt_forge),
    FileLayout(
        "crosslayer-transcoder",
        "checkpoint.safetensors with config.yaml",
        is_crosslayer_transcoder,
        read_crosslayer_transcoder,
    ),
    FileLayout("decode-clt", "model.safetensors with cfg.json", is_decode_clt, read_decode_clt),
    FileLayout(
        "dictionary_learning",
        "a folder a layer with ae.pt and config.json",
        is_dictionary_learning,
        read_dictionary_learning,
    ),
    FileLayout(
        "circuit-tracer",
        "config.yaml, layer_0.safetensors or W_enc_0.safetensors with W_dec_0.safetensors",
        is_circuit_tracer,
        read_circuit_tracer,
    ),
    FileLayout("SAELens", "a folder a layer with cfg.json and sae_weights.safetensors", is_saelens, read_saelens),
    FileLayout("sparsify", "layers.0.mlp/ with cfg.json and sae.safetensors", is_sparsify, read_sparsify),
    FileLayout("Gemma Scope", "layer_0/.../params.npz", is_gemma_scope, read_gemma_scope),
    FileLayout(
        "Gemma Scope 2",
        "layer_0_.../params.safetensors or params_layer_0.safetensors",
        is_gemma_scope_2,
        read_gemma_scope_2,
    ),
)


def read_transcoders(folder: Folder, loading: Loading) -> AnyTranscoders:
    """Read the transcoders of a directory.

    Raises:
        LoadError: an unknown layout, or a file that does not fit it; names the file, the tensor, what was found and what was
            expected.
    """
    try:
        refuse_other_sets(folder)
        return _layout(folder).read(folder, loading)
    except LoadError as error:
        if not folder.command or "hf download" in str(error):
            raise
        raise LoadError(f"{error} To download what is missing, run: {folder.command}") from error


def _layout(folder: Folder) -> FileLayout:
    for layout in LAYOUTS:
        if layout.recognises(folder):
            return layout
    known = "; ".join(f"{layout.name} ({layout.files})" for layout in LAYOUTS)
    found = [path.relative_to(folder.root).as_posix() for path in folder.files]
    listed = ", ".join(found[:MOST_LISTED_FILES]) + (
        f" and {len(found) - MOST_LISTED_FILES} more" if len(found) > MOST_LISTED_FILES else ""
    )
    raise LoadError(f"{folder}: no transcoders found. Known layouts: {known}. Found: {listed or 'no such files'}.")

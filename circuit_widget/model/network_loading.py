"""Reading a language model from a directory, the local cache of the hub, or a GGUF file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from huggingface_hub import constants
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PretrainedConfig, PreTrainedModel

from circuit_widget.arguments import first_line
from circuit_widget.errors import LoadError
from circuit_widget.model.architectures import sites_of
from circuit_widget.model.checkpoint import check_tokenizer, check_weights, has_tokenizer, unreadable_weights
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.loading_changes import parsing_gguf_once, reading_network, without_progress_bar
from circuit_widget.model.mlp_adapters import attach_adapters
from circuit_widget.model.source import ModelSource, find_model
from circuit_widget.transcoder.folder import directory_name

if TYPE_CHECKING:
    from circuit_widget.model.tokens.tokenizer import Tokenizer


def load_language_model(
    model: str | os.PathLike[str] | PreTrainedModel,
    *,
    tokenizer: Tokenizer | None,
    device: torch.device,
    dtype: torch.dtype,
    name: str | None = None,
    gguf: str | None = None,
) -> LanguageModel:
    """Load a model from a local directory, or by its hub id `[org/]name[@revision]` from the local cache.

    Only safetensors and GGUF files are read; `gguf` is the name of one in the directory. No remote code is run, and nothing
    is downloaded. `model` can also be a loaded model: it keeps its device and dtype, and its attention implementation is
    set to eager.

    Raises:
        LoadError: the model or its tokenizer cannot be read, or its architecture is not supported.
    """
    if isinstance(model, PreTrainedModel):
        if tokenizer is None:
            raise LoadError("A loaded model was given without its tokenizer; pass tokenizer= as well.")
        named = str(model.config.name_or_path or model.config.model_type)
        return LanguageModel(model, tokenizer, directory_name(Path(named)))
    source = find_model(model, gguf)
    if source.gguf is None:
        return _read_model(source, tokenizer, device, dtype, name)
    with parsing_gguf_once():
        return _read_model(source, tokenizer, device, dtype, name)


def _read_model(
    source: ModelSource, tokenizer: Tokenizer | None, device: torch.device, dtype: torch.dtype, name: str | None
) -> LanguageModel:
    local: dict[str, Any] = {
        "trust_remote_code": False,
        "local_files_only": True,
        "revision": source.revision,
        "cache_dir": constants.HF_HUB_CACHE,  # the cache that was searched; that of transformers 4 may be another
    }
    generation = {**local}
    if source.gguf is not None:
        local["gguf_file"] = source.gguf.path.name
    with _as_load_error(source, "its configuration"):
        config = transformers.AutoConfig.from_pretrained(source.reference, **local)
    sites_of(config)
    if tokenizer is None:
        tokenizer = _own_tokenizer(source, generation)
    if source.gguf is None:
        check_weights(source.root, source.what)
    reading_network().keep()
    with _as_load_error(source, "the files in this directory"), without_progress_bar():
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source.reference,
            dtype=dtype,
            use_safetensors=None if source.gguf is not None else True,
            generation_config=_generation_settings(source.reference, config, generation),
            **local,
            attn_implementation="eager",
            output_loading_info=True,
        )
    network, report = loaded
    missing = sorted(report["missing_keys"])
    if missing:
        raise LoadError(
            f"{source.what}: tensor {missing[0]!r} is missing ({len(missing)} in all); get the whole checkpoint."
        )
    attach_adapters(network, report["unexpected_keys"], source.root, dtype)
    return LanguageModel(network.to(device), tokenizer, name or source.name)


def _own_tokenizer(source: ModelSource, local: Mapping[str, Any]) -> Tokenizer:
    """Return the tokenizer in a model's directory, or in its GGUF file where the directory has none."""
    if source.gguf is None:
        check_tokenizer(source.root, source.what)
    elif not has_tokenizer(source.root):
        local = {**local, "gguf_file": source.gguf.path.name}
    with _as_load_error(source, "its tokenizer (pass another one as tokenizer=)"):
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(source.reference, **local)
    return tokenizer


def _generation_settings(reference: str, config: PretrainedConfig, local: Mapping[str, Any]) -> GenerationConfig:
    """Return the generation settings in a model's files.

    transformers 4, when it reads them itself, runs `custom_generate/generate.py` of the directory even without
    `trust_remote_code`.
    """
    try:
        return GenerationConfig.from_pretrained(reference, **local)
    except OSError:
        return GenerationConfig.from_model_config(config)


@contextmanager
def _as_load_error(source: ModelSource, what: str) -> Iterator[None]:
    """Turn every error inside the context into a LoadError about a part of the model."""
    try:
        yield
    except Exception as error:
        damaged = unreadable_weights(source.root)
        cause = "" if damaged is None else f"{damaged} is cut off or damaged: "
        raise LoadError(f"{source.what}: {what} could not be read ({cause}{first_line(error)}).") from error

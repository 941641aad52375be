"""Checks that a directory contains a model as transformers saves it, and the errors about other directories."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import transformers
from safetensors import SafetensorError, safe_open
from transformers import CONFIG_MAPPING

from circuit_widget.arguments import first_line
from circuit_widget.errors import LoadError
from circuit_widget.model.architectures import row_of
from circuit_widget.system.file_kind import LFS_START, PICKLE_ENDINGS

CONFIG, ADAPTER = "config.json", "adapter_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
    "*.tiktoken",
)

POINTER_BYTES = 1024
LISTED = 5


def check_directory(root: Path, what: str) -> None:
    """Check that a directory contains a model of a supported architecture, by its files' names and its configuration.

    Raises:
        LoadError: it contains something else, which is named where it is recognised, or an unreadable configuration; its
            architecture is not supported, or the installed transformers does not have it.
    """
    files = _names(root)
    if ADAPTER in files:
        raise LoadError(f"{what} contains an adapter ({ADAPTER}) and not a whole model. {_advice_for_adapter(root)}")
    if CONFIG not in files:
        raise LoadError(_without_configuration(root, what, files))
    path = root / CONFIG
    check_is_file(path)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadError(f"{path}: not readable as JSON ({first_line(error)}); get the file again.") from error
    if not isinstance(document, dict) or not isinstance(document.get("model_type"), str):
        raise LoadError(f"{path}: no model_type is named in it; expected the configuration of a model of transformers.")
    model_type = document["model_type"]
    since = row_of(model_type).since
    if since is not None and model_type not in CONFIG_MAPPING:
        raise LoadError(
            f"{what} is of the architecture {model_type!r}, which transformers has from version {since} on; installed is "
            f"{transformers.__version__}. Install a newer one: pip install -U 'transformers>={since}'."
        )


def check_weights(root: Path, what: str) -> None:
    """Check that the weights of a model are complete and in safetensors files.

    Raises:
        LoadError: names the file that is missing or is something else.
    """
    files = _names(root)
    if INDEX in files:
        shards = _shards(root / INDEX)
        missing = [shard for shard in shards if shard not in files]
        if missing:
            raise LoadError(
                f"{what}: {missing[0]} is missing ({len(missing)} of {len(shards)} files of weights are); "
                "get the whole checkpoint."
            )
    elif WEIGHTS in files:
        shards = [WEIGHTS]
    else:
        raise LoadError(_without_weights(root, what, files))
    for shard in shards:
        check_is_file(root / shard)


def has_tokenizer(root: Path) -> bool:
    """Return whether a directory has tokenizer files."""
    return bool(_tokenizer_files(root))


def check_tokenizer(root: Path, what: str) -> None:
    """Check that a directory has tokenizer files.

    Raises:
        LoadError: it has none.
    """
    found = _tokenizer_files(root)
    if not found:
        raise LoadError(
            f"{what} has no tokenizer files; save the tokenizer there (tokenizer.save_pretrained), or pass tokenizer=."
        )
    for path in found:
        check_is_file(path)


def _tokenizer_files(root: Path) -> list[Path]:
    return [path for pattern in TOKENIZER_FILES for path in sorted(root.glob(pattern))]


def unreadable_weights(root: Path) -> str | None:
    """Return the name of a weights file that is truncated or damaged, or None."""
    for path in sorted(root.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt"):
                pass
        except (OSError, SafetensorError):
            return path.name
    return None


def about_file(path: Path, what: str) -> str:
    """Return the error message for a file given as a model."""
    ending = path.suffix.lower()
    if ending == ".gguf":
        return f"{what} is a GGUF file; pass it alone, or its directory with gguf={path.name!r}."
    if ending == ".ggml":
        return (
            f"{what} is a GGML file, the older format that GGUF replaced; convert it with llama.cpp, or get the GGUF."
        )
    if (path.parent / CONFIG).is_file() and ending in (".json", ".safetensors", *PICKLE_ENDINGS):
        return f"{what} is one file of a model; pass its directory: {str(path.parent)!r}."
    if ending in PICKLE_ENDINGS:
        return f"{what} is a pickle, which is never opened here. {_CONVERT}"
    if ending == ".safetensors":
        return f"{what} is a file of weights without a {CONFIG} beside it; expected the directory of a whole model."
    if ending in (".zip", ".gz", ".tar", ".tgz", ".7z", ".zst"):
        return f"{what} is an archive; unpack it, and pass the directory."
    if ending in (".onnx", ".h5", ".keras", ".tflite", ".pb", ".msgpack", ".nemo", ".mlmodel"):
        return f"{what} is a model of another framework; expected the directory of a model of transformers."
    return f"{what} is a file; expected the directory of a model of transformers ({CONFIG} and {WEIGHTS})."


_CONVERT = (
    "Load the model with transformers, and save it as safetensors: "
    "AutoModelForCausalLM.from_pretrained(...).save_pretrained(directory); then pass that directory."
)


def _without_configuration(root: Path, what: str, files: Sequence[str]) -> str:
    """Return the error message for a directory without a configuration."""
    missing = f"{what} is not a model directory: it has no {CONFIG}."
    gguf = _first(files, ".gguf")
    if gguf is not None:
        return f"{what} contains GGUF files. {_advice_for_gguf(root, gguf)}"
    if "params.json" in files:
        return f"{missing} It contains a checkpoint in another format; get the one in the format of transformers."
    if "cfg.json" in files or _first(files, ".npz") or "config.yaml" in files or "layer_0.safetensors" in files:
        return f"{missing} These may be transcoders: pass them as transcoders=, and the model they belong to first."
    if any(_first(files, ending) for ending in (".onnx", ".h5", ".keras", ".pb", ".tflite", ".msgpack", ".nemo")):
        return f"{missing} It contains a model of another framework; expected one of transformers."
    below = _models_below(root)
    if below:
        return f"{missing} There is one in {' and in '.join(map(repr, below))}: pass that."
    if any(_first(files, ending) for ending in PICKLE_ENDINGS):
        return f"{missing} It contains pickles, which are never opened here. {_CONVERT}"
    more = f" and {len(files) - LISTED:,} more" if len(files) > LISTED else ""
    listed = ", ".join(files[:LISTED]) + more
    return f"{missing} It contains {listed}." if files else f"{missing} It is empty."


def _without_weights(root: Path, what: str, files: Sequence[str]) -> str:
    """Return the error message for a directory with a configuration but no weights in safetensors."""
    missing = f"{what} has no weights ({WEIGHTS}, or {INDEX} and what it lists)"
    gguf = _first(files, ".gguf")
    if gguf is not None:
        return f"{missing}, but a GGUF file. {_advice_for_gguf(root, gguf)}"
    pickle = next((name for ending in PICKLE_ENDINGS if (name := _first(files, ending)) is not None), None)
    if pickle is not None:
        return f"{missing}, but a pickle, {pickle}, which is never opened here: only safetensors are read. {_CONVERT}"
    other = next((name for ending in (".h5", ".msgpack", ".onnx") if (name := _first(files, ending)) is not None), None)
    if other is not None:
        return f"{missing}, but those of another framework, {other}. Load them with transformers and save them again."
    shards = [name for name in files if name.endswith(".safetensors")]
    if shards:
        return f"{missing}, but {', '.join(shards[:LISTED])}; get the whole checkpoint, under the names it came with."
    return f"{missing}; get the whole checkpoint."


def _advice_for_gguf(root: Path, file: str) -> str:
    return f"Name the one to load: load({str(root)!r}, gguf={file!r})."


def _advice_for_adapter(root: Path) -> str:
    try:
        base: Any = json.loads((root / ADAPTER).read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        base = None
    named = repr(base) if isinstance(base, str) and len(base) < 200 else "its base model"
    return (
        f"Merge it into {named} and pass the result: "
        f"peft.AutoPeftModelForCausalLM.from_pretrained({str(root)!r}).merge_and_unload()."
    )


def _models_below(root: Path) -> list[str]:
    """Return the model directories up to two levels below, such as checkpoints or snapshots in the hub's cache."""
    patterns = (f"*/{CONFIG}", f"snapshots/*/{CONFIG}")
    found = [str(path.parent) for pattern in patterns for path in sorted(root.glob(pattern))]
    return found[:3]


def _shards(index: Path) -> list[str]:
    check_is_file(index)
    try:
        listed = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return sorted({str(name) for name in listed})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LoadError(f"{index}: no weight_map could be read ({first_line(error)}); get the file again.") from error


def check_is_file(path: Path) -> None:
    """Check that a file is neither a git-LFS pointer nor empty.

    Raises:
        LoadError: it is.
    """
    try:
        size = path.stat().st_size
        start = path.read_bytes() if size < POINTER_BYTES else b""
    except OSError as error:
        raise LoadError(f"{path}: the file cannot be read ({error.strerror or error}).") from error
    if start.startswith(LFS_START):
        raise LoadError(f"{path}: a pointer of git-LFS and not the file itself; get it with: git lfs pull")
    if size == 0:
        raise LoadError(f"{path}: the file is empty; get it again.")


def _names(root: Path) -> list[str]:
    try:
        return sorted(path.name for path in root.iterdir())
    except OSError as error:
        raise LoadError(f"{root}: the directory cannot be read ({error.strerror or error}).") from error


def _first(files: Sequence[str], ending: str) -> str | None:
    return next((name for name in files if name.lower().endswith(ending)), None)

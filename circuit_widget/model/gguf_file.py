"""GGUF files: the architecture, the quantisation and the size of the weights, read from the header.

The header is a list of keys and values, then a list of tensors with their shapes, types and offsets; see the
specification in the repository of ggml. transformers reads the weights themselves.
"""

from __future__ import annotations

import importlib.util
import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from circuit_widget.errors import LoadError
from circuit_widget.model.architectures import ARCHITECTURES

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_ENTRIES = 1 << 24
"""Keys, tensors, or entries of a list beyond which a header is damaged."""

_SCALARS: Mapping[int, str] = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip
_TEXT, _LIST = 8, 9


@dataclass(frozen=True)
class GgufFile:
    """A GGUF file: its architecture and its quantisation, both as llama.cpp names them."""

    path: Path
    architecture: str
    quantisation: str


def read_gguf(path: Path, what: str) -> GgufFile:
    """Read the header of a GGUF file and check that its weights are complete; `what` is its name in errors.

    Raises:
        LoadError: a package is missing, the file is not GGUF, damaged, cut off, one of several, or of an architecture
            that transformers cannot read.
    """
    missing = [name for name in ("gguf", "accelerate") if importlib.util.find_spec(name) is None]
    if missing:
        raise LoadError(
            f"{what} is a GGUF file; reading it needs the package {' and '.join(missing)}. Install it: "
            "pip install 'circuit-widget[gguf]'."
        )
    try:
        header = _read_header(path)
    except EOFError as error:
        raise LoadError(
            f"{what} is cut off or damaged: its header goes on beyond the end of the file, at byte {path.stat().st_size:,}; get it again."
        ) from error
    except (struct.error, ValueError, OverflowError, UnicodeDecodeError) as error:
        raise LoadError(f"{what}: its header cannot be read ({error}); get the file again.") from error
    except OSError as error:
        raise LoadError(f"{what}: the file cannot be read ({error.strerror or error}).") from error
    values = header.values
    parts = values.get("split.count", 1)
    if isinstance(parts, int) and parts > 1:
        raise LoadError(
            f"{what} is one of {parts} parts of a model, which transformers cannot read. Merge them first: "
            "llama-gguf-split --merge."
        )
    size = path.stat().st_size
    if header.end > size:
        raise LoadError(
            f"{what} is cut off: its weights end at byte {header.end:,}, the file at {size:,}; get it again."
        )
    architecture = str(values.get("general.architecture", ""))
    _check_architecture(architecture, what)
    return GgufFile(path, architecture, _quantisation(values.get("general.file_type")))


@dataclass(frozen=True)
class _Header:
    """The values that are no lists, by key, and the byte where the last tensor ends."""

    values: Mapping[str, Any]
    end: int


class _Reader:
    """Reads numbers and texts from bytes, one after the other."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self.at = 0

    def number(self, kind: str) -> Any:
        (value,) = struct.unpack_from(kind, self._data, self._advance(struct.calcsize(kind)))
        return value

    def _advance(self, length: int) -> int:
        """Go on by some bytes, and return where they start. Raises EOFError where the file ends before."""
        start, self.at = self.at, self.at + length
        if self.at > len(self._data):
            raise EOFError
        return start

    def count(self) -> int:
        """Return a number of entries."""
        count = int(self.number("<Q"))
        if count > MOST_ENTRIES:
            raise ValueError(f"it states {count} entries")
        return count

    def text(self) -> str:
        start = self._advance(int(self.number("<Q")))
        return self._data[start : self.at].decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        """Return a value; of a list None."""
        if kind == _TEXT:
            return self.text()
        if kind != _LIST:
            return self.number(_scalar(kind))
        entries, count = int(self.number("<I")), self.count()
        if entries == _TEXT:
            for _ in range(count):
                self.skip_text()
        else:
            self._advance(count * struct.calcsize(_scalar(entries)))
        return None

    def skip_text(self) -> None:
        """Go past a text."""
        self._advance(int(self.number("<Q")))


def _scalar(kind: int) -> str:
    if kind not in _SCALARS:
        raise ValueError(f"it has a value of the unknown type {kind}")
    return _SCALARS[kind]


def _read_header(path: Path) -> _Header:
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ValueError("it does not begin with the letters GGUF")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _header(_Reader(data))


def _header(reader: _Reader) -> _Header:
    reader.at = len(MAGIC)
    version = int(reader.number("<I"))
    if version not in VERSIONS:
        raise ValueError(f"its version is {version}, expected {' or '.join(map(str, VERSIONS))}, little-endian")
    n_tensors, n_values = reader.count(), reader.count()
    values: dict[str, Any] = {}
    for _ in range(n_values):
        key = reader.text()
        value = reader.value(int(reader.number("<I")))
        if value is not None:
            values[key] = value
    ends = [_tensor_end(reader) for _ in range(n_tensors)]
    alignment = max(1, int(values.get("general.alignment", 32)))
    return _Header(values, -(-reader.at // alignment) * alignment + max(ends, default=0))


def _tensor_end(reader: _Reader) -> int:
    """Return where a tensor ends, counted from where the weights begin."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    reader.text()
    dimensions = int(reader.number("<I"))
    if dimensions > 8:
        raise ValueError(f"a tensor has {dimensions} dimensions")
    shape = [int(reader.number("<Q")) for _ in range(dimensions)]
    kind, offset = int(reader.number("<I")), int(reader.number("<Q"))
    if kind not in set(GGMLQuantizationType):
        raise ValueError(f"a tensor has the type {kind}, which this version of the package gguf does not know")
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    return offset + math.prod(shape) // block * size


def _check_architecture(architecture: str, what: str) -> None:
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    # transformers knows some of them by names of its own.
    known = {name.replace("_", "").replace("-", "") for name in GGUF_SUPPORTED_ARCHITECTURES}
    if architecture.replace("_", "").replace("-", "") not in known:
        raise LoadError(
            f"{what} is of the architecture {architecture!r:.80}, which transformers cannot read from GGUF. Those that it "
            f"reads and that can be traced are {', '.join(sorted(set(GGUF_SUPPORTED_ARCHITECTURES) & set(ARCHITECTURES)))}. "
            "Get the model in transformers' own format."
        )


def _quantisation(file_type: object) -> str:
    """Return the name of a file type, such as Q4_1; "unknown" where the file does not state it."""
    from gguf import LlamaFileType

    if not isinstance(file_type, int) or file_type not in set(LlamaFileType):
        return "unknown"
    return LlamaFileType(file_type).name.removeprefix("MOSTLY_").removeprefix("ALL_")

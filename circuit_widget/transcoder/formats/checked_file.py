"""A file of tensors, which are checked when they are used."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from circuit_widget.errors import LoadError
from circuit_widget.transcoder.formats.npz import mapped_arrays
from circuit_widget.transcoder.layer import all_finite

READ_TO_CHECK = 256 << 20
"""Tensors that stay on disk are checked for NaN on load up to this many bytes; larger ones when they are used."""


class CheckedFile:
    """The tensors of one file; errors name the file, the tensor, what was found and what was expected.

    The file is a safetensors or npz file, or one of torch.save with tensors and nothing else.

    Only the header is read until values are used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tensors = _open(path)

    @property
    def names(self) -> frozenset[str]:
        """Names of the tensors."""
        return frozenset(self._tensors)

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise LoadError where the file has a tensor that its layout does not have."""
        known = tuple(known)
        unknown = sorted(self.names - set(known))
        if unknown:
            raise LoadError(
                f"{self.path}: found tensor {unknown[0]!r}, expected only {', '.join(known)}. "
                "The file belongs to another kind of transcoder."
            )

    def origin(self, name: str) -> str:
        """Return the name of a tensor of this file in errors."""
        return f"{self.path}: tensor {name!r}"

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor that is required."""
        return tuple(self._required(name).shape)

    def sizes(self, name: str, *axes: str) -> tuple[int, ...]:
        """Return the shape of a tensor that is required, with one size for each of these axes.

        Raises:
            LoadError: it is missing, or has another number of axes.
        """
        found = self.shape(name)
        if len(found) != len(axes):
            raise LoadError(f"{self.origin(name)} has shape {found}, expected ({', '.join(axes)}).")
        return found

    def size(self, name: str) -> int:
        """Return the bytes of a tensor that is required."""
        found = self._required(name)
        return found.numel() * found.element_size()

    def stored(self, name: str, shape: tuple[int, ...], *, transposed: bool = False) -> Float[Tensor, "*shape"]:
        """Return a tensor mapped from the file, or its transpose; `shape` is the one in the file.

        Raises:
            LoadError: it is missing, has another shape, or no floating point numbers.
        """
        found = self._required(name)
        if tuple(found.shape) != shape:
            hint = " It looks transposed." if tuple(found.shape) == shape[::-1] else ""
            raise LoadError(f"{self.origin(name)} has shape {tuple(found.shape)}, expected {shape}.{hint}")
        if not found.is_floating_point():
            raise LoadError(f"{self.origin(name)} has dtype {found.dtype}, expected floating point numbers.")
        return found.T if transposed else found

    def whole_number(self, name: str) -> int:
        """Return a tensor that must be a single whole number."""
        found = self._required(name)
        if found.numel() != 1 or found.is_floating_point():
            raise LoadError(f"{self.origin(name)} has shape {tuple(found.shape)}, expected one whole number.")
        return int(found)

    def values(
        self, name: str, shape: tuple[int, ...], device: torch.device, *, transposed: bool = False
    ) -> Float[Tensor, "*shape"]:
        """Return a tensor, or its transpose, as float32 on `device`. Raises LoadError where a value is not finite."""
        values = self.stored(name, shape, transposed=transposed).to(device=device, dtype=torch.float32).contiguous()
        self.refuse_unless_finite(name, values)
        return values

    def refuse_unless_finite(self, name: str, values: Tensor) -> None:
        """Raise LoadError where a tensor of this file has NaN or infinite values."""
        if not all_finite(values):
            raise LoadError(f"{self.origin(name)} has NaN or infinite values, expected finite numbers.")

    def _required(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise LoadError(f"{self.origin(name)} is missing; found {', '.join(sorted(self.names)) or 'no tensors'}.")
        return self._tensors[name]


def _open(path: Path) -> Mapping[str, Tensor]:
    kind = {".npz": "npz", ".pt": "torch"}.get(path.suffix, "safetensors")
    try:
        if kind == "npz":
            return mapped_arrays(path)
        if kind == "torch":
            return _saved_tensors(path)
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise LoadError(f"{path}: the file is missing.") from error
    except (SafetensorError, zipfile.BadZipFile, OSError, ValueError, TypeError, EOFError) as error:
        raise LoadError(f"{path}: not a readable {kind} file ({error}). Copy or download it again.") from error


def _saved_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors that torch.save wrote, mapped from the file, which can run no code here.

    Raises:
        ValueError: it contains anything but tensors by name, or is damaged.
        FileNotFoundError: there is no such file.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, KeyError, IndexError, AttributeError) as error:
        first = str(error).strip().split("\n")[0][:160]
        raise ValueError(f"it contains more than tensors, or is damaged: {first}") from error
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items()
    ):
        raise ValueError("expected tensors by name")
    return dict(found)

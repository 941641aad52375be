"""A safetensors file whose tensors are checked as they are read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from circuit_widget.errors import LoadError


class CheckedFile:
    """The tensors of one safetensors file; a refusal names the file, the tensor, what was found, what was expected."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._tensors = load_file(path)
        except FileNotFoundError as error:
            raise LoadError(f"{path}: the file is missing.") from error
        except (SafetensorError, OSError) as error:
            raise LoadError(f"{path}: not a readable safetensors file ({error}). Copy or download it again.") from error

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise LoadError when the file holds a tensor that this layout does not know."""
        unknown = sorted(set(self._tensors) - set(known))
        if unknown:
            raise LoadError(
                f"{self.path}: found tensor {unknown[0]!r}, expected only {', '.join(known)}. "
                "The file belongs to another kind of transcoder."
            )

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor that must be there."""
        return tuple(self._required(name).shape)

    def tensor(self, name: str, shape: tuple[int, ...], device: torch.device) -> Float[Tensor, "*shape"]:
        """Return a tensor as float32 on `device`, after checking its shape and that every value is finite."""
        found = self._required(name)
        if tuple(found.shape) != shape:
            hint = " It looks transposed." if tuple(found.shape) == shape[::-1] else ""
            raise LoadError(f"{self.path}: tensor {name!r} has shape {tuple(found.shape)}, expected {shape}.{hint}")
        if not found.is_floating_point():
            raise LoadError(f"{self.path}: tensor {name!r} holds {found.dtype}, expected floating point numbers.")
        values = found.to(device=device, dtype=torch.float32)
        if not bool(torch.isfinite(values).all()):
            raise LoadError(f"{self.path}: tensor {name!r} holds NaN or infinite values, expected finite numbers.")
        return values

    def optional(self, name: str, shape: tuple[int, ...], device: torch.device) -> Float[Tensor, "*shape"] | None:
        """Return a tensor like `tensor`, or None when the file has none of this name."""
        return self.tensor(name, shape, device) if name in self._tensors else None

    def _required(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise LoadError(
                f"{self.path}: tensor {name!r} is missing; found {', '.join(sorted(self._tensors)) or 'no tensors'}."
            )
        return self._tensors[name]

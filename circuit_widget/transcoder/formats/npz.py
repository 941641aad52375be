"""Arrays of an npz archive, mapped where it stores them uncompressed; pickled arrays are never loaded."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

LOCAL_HEADER = struct.Struct("<26xHH")
"""Header before a member of a zip archive; it ends with the lengths of the member's name and of its extra field."""


def mapped_arrays(path: Path) -> dict[str, Tensor]:
    """Return the arrays of an archive by name; those stored uncompressed are mapped, and read as they are used.

    Raises:
        OSError, ValueError, TypeError, zipfile.BadZipFile: not an archive of plain arrays.
    """
    found = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for member in archive.infolist():
            if member.compress_type == zipfile.ZIP_STORED:
                file.seek(member.header_offset)
                file.seek(sum(LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))), 1)
                array = _mapped_array(path, file)
            else:
                with archive.open(member) as stream:
                    array = npy.read_array(stream, allow_pickle=False)
            found[member.filename.removesuffix(".npy")] = torch.from_numpy(array)
    return found


def _mapped_array(path: Path, file: BinaryIO) -> np.ndarray[Any, Any]:
    """Return the array whose npy header starts at the position of `file`."""
    version = npy.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array of npy version {version}")
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, columns_first, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("pickled objects")
    # Copy-on-write, because torch does not accept read-only arrays.
    mapped = np.memmap(path, dtype, "c", file.tell(), shape, "F" if columns_first else "C") if shape else None
    return np.asarray(mapped) if mapped is not None else np.fromfile(file, dtype, 1).reshape(())

"""An array of zeros that uses no memory until it is written."""

from __future__ import annotations

import mmap
import sys

import numpy as np
from jaxtyping import Float32


def lazy_zeros(rows: int, columns: int) -> Float32[np.ndarray, "rows columns"]:
    """Return zeros whose memory is allocated in small pages, each when it is first written.

    Nearly half of all entries of the weights are never written, because no edge leads to a lower layer. NumPy's zeros use
    large pages, nearly all of which would contain some written entry.

    Raises:
        MemoryError: the address space has no room for the array.
    """
    if sys.platform == "win32":
        return np.zeros((rows, columns), dtype=np.float32)
    size = max(1, rows * columns * np.dtype(np.float32).itemsize)
    try:
        memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"{size:,} bytes for {rows:,} x {columns:,} edges") from error
    return np.ndarray((rows, columns), dtype=np.float32, buffer=memory)

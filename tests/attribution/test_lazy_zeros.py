"""Zeros that take memory only where they are written."""

import subprocess
import sys

import numpy as np
import pytest

from circuit_widget.attribution.lazy_zeros import lazy_zeros

HALF_WRITTEN = """
import mmap
from pathlib import Path
from circuit_widget.attribution.lazy_zeros import lazy_zeros

def pages():
    return int(Path("/proc/self/statm").read_text().split()[1])

zeros = lazy_zeros(8192, 8192)
before = pages()
for row in range(8192):
    zeros[row, :row] = 1
assert not zeros[0].any()
print((pages() - before) * mmap.PAGESIZE / 2**20)
"""


@pytest.mark.parametrize("shape", [(3, 5), (0, 5), (1, 1)])
def test_lazy_zeros_are_zeros_and_writable(shape: tuple[int, int]) -> None:
    zeros = lazy_zeros(*shape)
    assert zeros.shape == shape
    assert zeros.dtype == np.float32
    assert not zeros.any()
    zeros += 1
    assert zeros.sum() == np.prod(shape)


def test_an_array_beyond_the_address_space_is_a_memory_error() -> None:
    with pytest.raises(MemoryError, match="bytes for"):
        lazy_zeros(1 << 30, 1 << 30)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory taken as Linux counts it")
def test_an_array_of_which_half_is_written_uses_half_the_memory() -> None:
    ran = subprocess.run([sys.executable, "-c", HALF_WRITTEN], capture_output=True, text=True, check=True)
    assert 120 < float(ran.stdout) < 180

"""Free memory respects the limit of a container, and a full memory becomes one error."""

from pathlib import Path

import pytest
import torch

from circuit_widget.errors import OutOfMemory
from circuit_widget.system import memory
from circuit_widget.system.memory import available_memory, free_memory, is_out_of_memory, within_memory
from circuit_widget.transcoder.encoder_placement import Loading

CPU = torch.device("cpu")


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The control group of a container with 9 MB left: 30 MB, 25 MB of it used, 4 MB of these by the file cache."""
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text("30000000\n")
    (tmp_path / "memory.current").write_text("25000000\n")
    (tmp_path / "memory.stat").write_text("anon 5000000\ninactive_file 4000000\n")
    return tmp_path


def test_available_memory_is_some_of_what_the_machine_has() -> None:
    assert 1 << 24 < available_memory() < 1 << 46
    assert 1 << 24 < free_memory(CPU) < 1 << 46


def test_the_limit_of_a_container_counts_and_its_file_cache_does_not(container: Path) -> None:
    assert available_memory() == free_memory(CPU) == 9_000_000
    (container / "memory.max").write_text("max\n")
    assert available_memory() > 9_000_000


@pytest.mark.usefixtures("container")
def test_encoders_are_copied_into_memory_only_where_the_container_has_room() -> None:
    loading = Loading(lambda _: CPU)
    assert loading.placements([4_000_000], transposed=True) == ("cpu",)
    assert loading.placements([5_000_000], transposed=True) == ("disk",)


class Wordless(RuntimeError):
    """An error of a library whose text cannot be made."""

    def __str__(self) -> str:
        raise KeyError("no text")


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (RuntimeError("shapes differ"), False),
        (Wordless(), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_errors_about_a_full_memory_are_recognised(error: BaseException, full: bool) -> None:
    assert is_out_of_memory(error) is full


def test_a_full_memory_becomes_one_error_and_other_errors_stay() -> None:
    @within_memory("Trace a shorter prompt.")
    def run(error: Exception) -> None:
        raise error

    with pytest.raises(OutOfMemory, match=r"The memory of the device is full\. Trace a shorter prompt\."):
        run(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(OutOfMemory, match="The memory of this machine is full"):
        run(MemoryError())
    with pytest.raises(RuntimeError, match="shapes differ"):
        run(RuntimeError("shapes differ"))

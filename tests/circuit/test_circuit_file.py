"""Circuit files changed at random, and files that are no circuits: CircuitError and nothing else."""

import json
import os
import random
import sys
from pathlib import Path

import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import CircuitError
from tests.graph.mutations import change_bytes, change_value

CIRCUIT = (
    Circuit().group("Texas é", ["1_2_3", "0_4_3"]).pin("9_1_5").label("1_2_3", "Dallas").move("Texas é", 0.5, 0.25)
)


def loaded(path: Path) -> Circuit | str:
    """The circuit in a file, or why it is refused, without the path."""
    try:
        return Circuit.load(path)
    except CircuitError as error:
        return str(error).replace(str(path), "")


def test_a_changed_file_is_refused_or_is_a_circuit(tmp_path: Path) -> None:
    chance, path, accepted = random.Random(3), tmp_path / "circuit.json", 0
    for turn in range(600):
        document = json.loads(json.dumps(CIRCUIT.to_json()))
        if turn % 3:
            change_value(document, chance)
        content = json.dumps(document, ensure_ascii=bool(turn % 2)).encode("utf-8", "surrogatepass")
        path.write_bytes(content if turn % 3 else change_bytes(content, chance))
        found = loaded(path)
        if isinstance(found, str):
            assert 0 < len(found) < 320
            found.encode()
        else:
            accepted += 1
            assert Circuit.load(found.save(path)) == found
    assert 0 < accepted < 400


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a JSON file: Expecting value"),
        (b"[" * 10_000, "is not a JSON file"),
        (b'{"node_threshold": 1' + b"0" * 5000 + b"}", "is not a JSON file"),
        (b"\xff\xfe", "is not a JSON file"),
        (b"7", "A circuit is a JSON object; given 7"),
        (b" " * (16 * 2**20 + 1), "is larger than 16 MB, too large for a circuit"),
    ],
)
def test_what_is_no_circuit(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "circuit.json"
    path.write_bytes(content)
    with pytest.raises(CircuitError, match=message) as raised:
        Circuit.load(path)
    assert len(str(raised.value)) < 320


@pytest.mark.parametrize("value", [10**400, -(10**400), 1e999, float("nan"), 5e-324 - 1, 2**53])
@pytest.mark.parametrize("key", ["node_threshold", "revision"])
def test_numbers_without_bounds(tmp_path: Path, key: str, value: float) -> None:
    path = tmp_path / "circuit.json"
    path.write_text(json.dumps({**CIRCUIT.to_json(), key: value}))
    with pytest.raises(CircuitError, match="given") as raised:
        Circuit.load(path)
    assert len(str(raised.value)) < 320


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_device_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero", "/dev/null"):
        with pytest.raises(CircuitError, match="is a device, not a file, which cannot be read as a circuit"):
            Circuit.load(path)

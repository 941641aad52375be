"""Graph files changed at random: values of the description, arrays, bytes."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save

EXTREME: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2, 5, 2**31 - 1, 2**31, 2**53, 2**64, 10**400, -0.0, 5e-324, 1e-30, 0.5, 1.5, -3, 9e15, 1e30,
    1e308, "", "x", "\ud800", "\u202e", "1", [], [1], [[]], {}, {"a": 1}, {"node": 0.5, "edge": 0.5},
    [{"contrast": ["print(1)", 1]}], [{"token": 1}], [{}], 5,
)  # fmt: skip


def read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The metadata and the arrays of a safetensors file."""
    with safe_open(path, "np") as file:
        return dict(file.metadata()), load_file(path)


def mutated(path: Path, chance: random.Random, *, checksum: bool) -> bytes:
    """The content of a graph file with something changed, its checksum left as it was or left out."""
    metadata, arrays = read(path)
    if not checksum:
        del metadata["sha256"]
    match chance.randrange(4):
        case 0 | 1:
            document = json.loads(metadata["graph"])
            change_value(document, chance)
            metadata["graph"] = json.dumps(document)
        case 2:
            _change_array(arrays, chance)
        case 3:
            return change_bytes(save(arrays, metadata), chance)
    return save(arrays, metadata)


def change_value(document: dict[str, Any], chance: random.Random) -> None:
    """Change a value somewhere in a document."""
    entries = list(_entries(document))
    container, key = chance.choice(entries)
    match chance.randrange(5):
        case 0:
            del container[key]
        case 1 if isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
        case 2 if isinstance(container[key], int | float):
            container[key] *= chance.choice([-1, 0.5, 0.999, 1.001, 2, 10])
        case _:
            container[key] = copy.deepcopy(chance.choice(EXTREME))


def _entries(value: Any) -> Any:
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in entries:
        yield value, key
        if isinstance(entry, dict | list):
            yield from _entries(entry)


def _change_array(arrays: dict[str, np.ndarray], chance: random.Random) -> None:
    name = chance.choice(sorted(arrays))
    array = arrays[name].copy()
    flat = array.reshape(-1)
    index = chance.randrange(max(1, flat.size))
    match chance.randrange(8):
        case 0:
            array = array[::-1].copy()
        case 1:
            array = np.random.default_rng(chance.randrange(2**32)).permutation(array)
        case 2:
            array = array * np.array(chance.choice([0, -1, 2, 1000])).astype(array.dtype)
        case 3:
            array = array.astype(chance.choice([np.float64, np.int64, np.float16, np.int8]))
        case 4:
            array = array[:-1].copy()
        case 5:
            del arrays[name]
            return
        case 6 if flat.size:
            flat[index] = chance.choice([0, 1, -1, 7, 2**31 - 1])
        case _ if flat.size and array.dtype == np.float32:
            flat[index] = chance.choice([np.nan, np.inf, 1e-45, 3e38, -0.0, 0.25])
    arrays[name] = array


def change_bytes(content: bytes, chance: random.Random) -> bytes:
    """Return the content cut off, or with some of its bits changed."""
    changed = bytearray(content)
    index = chance.randrange(len(changed))
    match chance.randrange(4):
        case 0:
            return bytes(changed[:index])
        case 1:
            changed[index : index + 4] = bytes(chance.randrange(256) for _ in range(4))
        case _:
            changed[index] ^= 1 << chance.randrange(8)
    return bytes(changed)

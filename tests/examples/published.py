"""Files as circuit-tracer and Neuronpedia publish them, written by hand for the tiny model: 3 layers of 40 features."""

import gzip
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FEATURES = (40, 40, 40)
HOSTILE = "<img src=x onerror=alert(1)>\u202e\ud800"


def document(index: int, **changes: Any) -> dict[str, Any]:
    """The document of a feature, with every field that circuit-tracer's files have."""
    return {
        "transcoder_id": "a-set",
        "index": index,
        "examples_quantiles": [
            {
                "quantile_name": "Top activations",
                "examples": [
                    {
                        "tokens": ["The", " capital", " of"],
                        "tokens_acts_list": [0, 2.5, 0.25],
                        "train_token_ind": 1,
                        "is_repeated_datapoint": False,
                    },
                    {
                        "tokens": [" Texas"],
                        "tokens_acts_list": [1.5],
                        "train_token_ind": 0,
                        "is_repeated_datapoint": True,
                    },
                ],
            },
            {
                "quantile_name": "Random samples",
                "examples": [
                    {
                        "tokens": ["a", "b"],
                        "tokens_acts_list": [0.5, 0.0],
                        "train_token_ind": 0,
                        "is_repeated_datapoint": False,
                    }
                ],
            },
        ],
        "top_logits": [" Austin"],
        "bottom_logits": [" Paris"],
        "act_min": 0.0,
        "act_max": 2.75,
        "quantile_values": [0.1, 0.2],
        "histogram": [3, 2, 1],
        "activation_frequency": 0.125,
        **changes,
    }


def member(content: object) -> bytes:
    """The bytes of one feature in the file of its layer: a length, and compressed JSON."""
    compressed = gzip.compress(json.dumps(content).encode())
    return struct.pack("<I", len(compressed)) + compressed


def write_indexed(
    folder: Path, layers: Sequence[Mapping[int, bytes]], counts: Sequence[int] = FEATURES, **index: Any
) -> Path:
    """Write a set as it is on the hub: the bytes of some features of each layer."""
    folder.mkdir(parents=True)
    entries: dict[str, Any] = {}
    for layer, (members, count) in enumerate(zip(layers, counts, strict=True)):
        content, offsets = b"", []
        for feature in range(count):
            offsets.append(len(content))
            content += members.get(feature, b"")
        (folder / f"layer_{layer}.bin").write_bytes(content)
        entries[str(layer)] = {"filename": f"layer_{layer}.bin", "offsets": [*offsets, len(content)]}
    (folder / "index.json.gz").write_bytes(gzip.compress(json.dumps({**entries, **index}).encode()))
    return folder


def write_files(folder: Path, documents: Mapping[int, object]) -> Path:
    """Write a local set: a file for each number of a feature."""
    folder.mkdir(parents=True)
    for number, content in documents.items():
        (folder / f"{number}.json").write_text(json.dumps(content))
    return folder


def activation(
    layer: int, index: int, tokens: Sequence[str], values: Sequence[float], **changes: Any
) -> dict[str, Any]:
    """A line of activations, with every field that Neuronpedia exports."""
    return {
        "id": f"cm{layer}{index}",
        "modelId": "tiny",
        "layer": f"{layer}-a-transcoder-40",
        "index": str(index),
        "creatorId": "clkht",
        "dataSource": None,
        "tokens": list(tokens),
        "maxValue": max(values),
        "minValue": min(values),
        "values": list(values),
        "maxValueTokenIndex": list(values).index(max(values)),
        "dfaValues": [],
        "dfaMaxValue": None,
        "dfaTargetIndex": None,
        "binContains": -1,
        "binMin": -1,
        "binMax": max(values),
        **changes,
    }


def explanation(layer: int, index: int, description: str, **changes: Any) -> dict[str, Any]:
    """A line of explanations."""
    return {
        "id": f"ce{layer}{index}",
        "modelId": "tiny",
        "layer": f"{layer}-a-transcoder-40",
        "index": str(index),
        "authorId": "clkht",
        "description": description,
        "embedding": None,
        "typeName": "np_max-act-logits",
        "explanationModelName": "a-model",
        **changes,
    }


def feature_line(layer: int, index: int, **changes: Any) -> dict[str, Any]:
    """A line of features."""
    return {
        "modelId": "tiny",
        "layer": f"{layer}-a-transcoder-40",
        "index": str(index),
        "maxActApprox": 4.5,
        "frac_nonzero": 0.25,
        "pos_str": [" Austin"],
        "pos_values": [1.0],
        "hasVector": False,
        **changes,
    }


def json_lines(lines: Sequence[object]) -> bytes:
    """Lines of JSON."""
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def write_export(folder: Path, lines: Mapping[str, Sequence[object]]) -> Path:
    """Write files of lines, compressed where their names end in .gz."""
    for name, content in lines.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = json_lines(content)
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder

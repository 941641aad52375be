"""Files that are something else are called what they are, with what to do; none of them is run."""

import gzip
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import CircuitError, GraphFileError
from circuit_widget.graph import Graph
from tests.figure.graphs import dallas
from tests.graph.graphs import random_graph
from tests.graph.viewer_files import document

NEURONPEDIA: dict[str, Any] = {
    "metadata": {"slug": "a", "scan": "gemma-2-2b", "prompt": "The capital\nof \ud800 Texas is", "prompt_tokens": []},
    "nodes": [],
    "links": [],
    "qParams": {"pinnedIds": [], "supernodes": []},
}


def write(content: bytes | str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content if isinstance(content, bytes) else content.encode())


def as_json(document: object) -> Callable[[Path], object]:
    return write(json.dumps(document))


def zipped(names: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in names.items():
            archive.writestr(name, data)
    return content.getvalue()


def torch_graph(path: Path) -> None:
    graph = {"input_string": "x is", "adjacency_matrix": torch.zeros(3, 3), "scan": "gemma", "active_features": None}
    torch.save(graph, path)


def arrays(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, W_enc=np.zeros(3))


# How the file is made; what it is called; what to do.
KINDS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "an old .pt": (
        lambda path: torch.save({"adjacency_matrix": torch.zeros(1)}, path, _use_new_zipfile_serialization=False),
        "a pickle",
        "Pickles can run code",
    ),
    "another .pt": (
        lambda path: torch.save({"weight": torch.zeros(1)}, path),
        "a PyTorch file",
        "Pickles can run code",
    ),
    "a subgraph": (as_json(NEURONPEDIA["qParams"]), "a Neuronpedia subgraph", "make its groups"),
    "Transluce": (
        write(pickle.dumps({"df": ["pandas.core.frame", "attr_map", "contrib_map"]})),
        "a Transluce circuit",
        "Trace the prompt again",
    ),
    "a pickle": (write(pickle.dumps({"a": 1})), "a pickle", "Pickles can run code"),
    "a GGUF": (write(b"GGUF\x03\0\0\0"), "a GGUF file", "Give the file that save"),
    "a zip": (write(zipped({"graph.txt": b""})), "a zip archive", "Unpack it"),
    "a cut zip": (write(zipped({"graph.txt": b""})[:-30]), "a zip archive that is not whole", "Copy it again"),
    "an npz": (arrays, "an archive of NumPy arrays", "Give the file that save"),
    "Git LFS": (
        write("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "a Git LFS pointer",
        "git lfs pull",
    ),
    "gzip": (write(gzip.compress(b"{}")), "compressed with gzip", "gzip -d"),
    "a table": (write("id,name,mode,frozen\n1,x,total,\n"), "a table", "Give the file that was saved"),
    "our SVG": (
        lambda path: path.write_text(dallas().figure().svg()),
        "a figure that circuit-widget drew",
        "read_recipe",
    ),
    "our PDF": (
        lambda path: path.write_bytes(dallas().figure().pdf()),
        "a figure that circuit-widget drew",
        "read_recipe",
    ),
    "our PNG": (
        lambda path: path.write_bytes(dallas().figure().png()),
        "a figure that circuit-widget drew",
        "read_recipe",
    ),
    "another SVG": (write("<?xml version='1.0'?><svg/>"), "an SVG picture", "Give the file that save"),
    "a web page": (write("\n<!DOCTYPE html><html>"), "a web page", "Download the file itself"),
    "a notebook": (as_json({"cells": [], "nbformat": 4}), "a notebook", "saved in it"),
    "a configuration": (as_json({"model_type": "llama"}), "the settings of a language model", "cw.load"),
    "a feature": (as_json({"index": 1, "examples_quantiles": []}), "the examples of one feature", "a graph"),
    "a folder": (lambda path: path.mkdir(), "a folder", "Give the file in it"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_kind_is_named(tmp_path: Path, kind: str) -> None:
    make, name, advice = KINDS[kind]
    path = tmp_path / "given"
    make(path)
    for load, error, wanted in ((Graph.load, GraphFileError, "a graph"), (Circuit.load, CircuitError, "a circuit")):
        with pytest.raises(error, match=f"given is .*{name}.*, which cannot be read as {wanted}.*{advice}") as raised:
            load(path)
        message = str(raised.value).replace(str(path), "")
        assert len(message) < 420
        assert message.isprintable()


def test_a_circuit_and_a_graph_are_distinguished(tmp_path: Path) -> None:
    circuit, graph = Circuit().save(tmp_path / "circuit"), random_graph(3).save(tmp_path / "graph")
    with pytest.raises(GraphFileError, match=r"circuit is a circuit that circuit\.save\(\) wrote.*cw\.Circuit\.load"):
        Graph.load(circuit)
    with pytest.raises(CircuitError, match=r"graph is a graph that graph\.save\(\) wrote.*cw\.Graph\.load"):
        Circuit.load(graph)
    save_file({"W_enc": np.zeros(3, dtype=np.float32)}, tmp_path / "weights")
    with pytest.raises(CircuitError, match=r"a safetensors file: the weights of a model or of transcoders"):
        Circuit.load(tmp_path / "weights")


@pytest.mark.parametrize("metadata", [NEURONPEDIA["metadata"], {"schema_version": 1, "transcoder_list": ["a"]}, [7]])
def test_a_graph_of_another_tool_is_named_with_what_opens_it(metadata: object, tmp_path: Path) -> None:
    path = tmp_path / "given"
    text = json.dumps({**NEURONPEDIA, "metadata": metadata})
    for content in (text, text[:-20]):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(
            GraphFileError, match=r"given is a Neuronpedia graph \(the JSON of .*\)\. Open it with cw\.open"
        ):
            Graph.load(path)


def test_a_large_graph_of_another_tool_is_read_for_its_circuit(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    path.write_text(json.dumps({**document(), "unknown": ["x" * 100] * 200_000}), encoding="utf-8")
    assert Circuit.load(path) == Circuit()


def test_a_mistake_in_our_own_circuit_is_named(tmp_path: Path) -> None:
    path = tmp_path / "circuit.json"
    path.write_text(json.dumps({**Circuit().to_json(), "node_threshold": 7}))
    with pytest.raises(CircuitError, match="The node threshold is a share between 0 and 1; given 7"):
        Circuit.load(path)


@pytest.mark.parametrize("address", ["https://www.neuronpedia.org/graph/x.json", "hf://org/repo/graph.pt"])
def test_an_address_is_not_a_missing_file(address: str) -> None:
    for load, error in ((Graph.load, GraphFileError), (Circuit.load, CircuitError)):
        with pytest.raises(error, match=r"is an address\. Nothing is downloaded here: save the file"):
            load(address)


def test_a_graph_of_circuit_tracer_is_opened_in_another_way(tmp_path: Path) -> None:
    torch_graph(tmp_path / "graph.pt")
    for load, error in ((Graph.load, GraphFileError), (Circuit.load, CircuitError)):
        with pytest.raises(error, match=r"is a circuit-tracer graph \(\.pt\)\. Open it with cw\.open\(path\)"):
            load(tmp_path / "graph.pt")


def test_a_pickle_is_parsed_and_never_executed(tmp_path: Path) -> None:
    witness = tmp_path / "witness"

    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (witness,)

    for path, content in (
        (tmp_path / "graph.pkl", pickle.dumps({"adjacency_matrix": Runs()})),
        (tmp_path / "graph.pt", zipped({"graph/data.pkl": pickle.dumps({"adjacency_matrix": Runs(), "scan": "x"})})),
    ):
        path.write_bytes(content)
        for load, error in ((Graph.load, GraphFileError), (Circuit.load, CircuitError)):
            with pytest.raises(error, match="is a circuit-tracer graph"):
                load(path)
    assert not witness.exists()

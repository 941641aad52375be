"""Recognises files of other kinds by their content, for errors; none of it is executed."""

from __future__ import annotations

import json
import os
import pickletools
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from circuit_widget.system.paths import quoted_path

MOST_READ = 64 << 20
"""Bytes of a file that are read: more than graphs of other tools have."""

MOST_OF_A_PICKLE = 4 << 20
LONGEST_QUOTED = 60

VIEWER_GRAPH = "cw.open"
"""The `reader` of the graph JSON of circuit-tracer, Neuronpedia and Anthropic's viewer."""

TORCH_GRAPH = "cw.open of a .pt"
"""The `reader` of the graphs that circuit-tracer saves with torch."""

PARQUET = "cw.open of tables"
"""The `reader` of Parquet tables."""

GRAPH_FORMAT = "circuit-widget graph"
"""The `format` in the metadata of a graph file that `graph.save` wrote."""

WORK_FORMAT = "circuit-widget work"
"""The `format` of the file that keeps a widget's circuit and experiments."""

PICKLE_ENDINGS = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
"""Endings of files that are usually pickles."""

PICKLE = "Pickles can run code when they are read, so none is read here."

ADDRESS = re.compile("(https?|ftp|hf|s3|gs):/", re.IGNORECASE)


@dataclass(frozen=True)
class FileKind:
    """The name of a kind of file, as in "a notebook", and what to do, in one or two sentences.

    `reader` names the method that reads it, where this package has one.
    """

    name: str
    advice: str
    reader: str = ""


KEPT_WORK = FileKind(
    "the circuit and the experiments that a widget kept",
    "Read its circuit with cw.Circuit.load(path), or show its graph with graph.show(keep=path).",
    "Circuit.load",
)

LFS_POINTER = FileKind("a Git LFS pointer, not the file itself", "Fetch the file with: git lfs pull.")

GZIPPED = FileKind("compressed with gzip", "Unpack it first with: gzip -d.")

LFS_START = b"version https://git-lfs"
"""First bytes of a pointer to a file in Git LFS."""

MAGIC: tuple[tuple[bytes, FileKind], ...] = (
    (LFS_START, LFS_POINTER),
    (b"GGUF", FileKind("a GGUF file: a language model for llama.cpp", "Give the file that save() wrote.")),
    (b"\x89HDF\r\n\x1a\n", FileKind("an HDF5 file", "Give the file that save() wrote.")),
    (b"PAR1", FileKind("a Parquet table", "Tables that graph.export wrote are opened with cw.open(path).", PARQUET)),
    (b"\x1f\x8b", GZIPPED),
    (b"\x28\xb5\x2f\xfd", FileKind("compressed with zstd", "Unpack it first with: zstd -d.")),
    (b"BZh", FileKind("compressed with bzip2", "Unpack it first with: bzip2 -d.")),
    (b"\xfd7zXZ\x00", FileKind("compressed with xz", "Unpack it first with: xz -d.")),
    (b"\x93NUMPY", FileKind("a NumPy array", "Give the file that save() wrote.")),
)

FIGURES: tuple[tuple[bytes, str], ...] = ((b"%PDF-", "a PDF"), (b"\x89PNG\r\n\x1a\n", "a PNG picture"))


def is_address(path: str | os.PathLike[str]) -> bool:
    """Return whether a path that a user gave is an address such as https://..."""
    return ADDRESS.match(os.fspath(path)) is not None


def missing_file(path: Path) -> str:
    """Return the error message for a missing file."""
    if is_address(path):
        return f"{quoted_path(path)} is an address. Nothing is downloaded here: save the file, then give its path."
    return f"There is no file {quoted_path(path)}."


def foreign(path: Path, kind: FileKind | None, wanted: str) -> str:
    """Return the error message for a file of another kind than the expected one, `wanted`, as in "a graph".

    A graph of another tool is named alone: it can be read, but in another way.
    """
    if kind is None:
        return f"{quoted_path(path)} cannot be read as {wanted}."
    if kind.reader in (VIEWER_GRAPH, TORCH_GRAPH):
        return f"{quoted_path(path)} is {kind.name}. {kind.advice}"
    return f"{quoted_path(path)} is {kind.name}, which cannot be read as {wanted}. {kind.advice}"


def file_kind(path: Path) -> FileKind | None:
    """Return the kind of a file, or None where it is not recognised. Raises OSError for a file that cannot be read."""
    if path.is_dir():
        return FileKind("a folder", "Give the file in it.")
    if not path.is_file():
        return FileKind("a device, not a file", "Give the file that was saved.")
    with path.open("rb") as file:
        content = file.read(MOST_READ)
    for magic, kind in MAGIC:
        if content.startswith(magic):
            return kind
    for magic, name in FIGURES:
        if content.startswith(magic):
            return _picture(name, content)
    if content.startswith(b"PK\x03\x04"):
        return _archive(path)
    if re.match(rb"\x80[\x02-\x05]", content):
        return _pickle(content)
    if content[8:9] == b"{" and int.from_bytes(content[:8], "little") < MOST_READ:
        return _safetensors(content)
    return _text(path, content)


def _picture(name: str, content: bytes) -> FileKind:
    if b"circuit-widget" in content:
        return FileKind(
            f"a figure that circuit-widget drew ({name})",
            "A figure cannot be turned back into a graph: give the file that save() wrote. "
            "circuit_widget.figure.figure.read_recipe(path) returns its recipe.",
        )
    return FileKind(name, "Give the file that save() wrote.")


def _archive(path: Path) -> FileKind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            pickled = next((name for name in names if name == "data.pkl" or name.endswith("/data.pkl")), None)
            if pickled is not None:
                with archive.open(pickled) as file:
                    return _torch_file(file.read(MOST_OF_A_PICKLE))
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError, EOFError):
        return FileKind("a zip archive that is not whole", "Copy it again, and unpack it.")
    if names and all(name.endswith(".npy") for name in names):
        return FileKind("an archive of NumPy arrays (.npz)", "Give the file that save() wrote.")
    return FileKind("a zip archive", "Unpack it, and give the file in it.")


def _torch_file(pickled: bytes) -> FileKind:
    """Return the kind of a file that torch.save wrote, from the texts in its pickle, which is not unpickled."""
    if b"adjacency_matrix" in pickled:
        return FileKind("a circuit-tracer graph (.pt)", "Open it with cw.open(path).", TORCH_GRAPH)
    return FileKind("a PyTorch file (a pickle)", PICKLE)


def _pickle(content: bytes) -> FileKind:
    start = content[:MOST_OF_A_PICKLE]
    if b"adjacency_matrix" in start:
        texts = _pickled_texts(start)
        return FileKind(
            "a circuit-tracer graph (a pickle)",
            f"{_trace_again(_after(texts, 'scan'), _after(texts, 'input_string'))} {PICKLE}",
        )
    if b"pandas" in start and (b"attr_map" in start or b"contrib_map" in start):
        return FileKind("a Transluce circuit (a pickle of data frames)", f"{_trace_again('', '')} {PICKLE}")
    return FileKind("a pickle", PICKLE)


def _pickled_texts(pickled: bytes) -> list[str]:
    """Return the texts in a pickle, in order; its instructions are parsed but not executed."""
    texts = []
    try:
        for _, argument, _ in pickletools.genops(pickled):
            if isinstance(argument, str):
                texts.append(argument)
    except Exception:
        return texts
    return texts


def _after(texts: list[str], key: str) -> str:
    indices = [index for index, text in enumerate(texts[:-1]) if text == key]
    return texts[indices[0] + 1] if indices else ""


def _safetensors(content: bytes) -> FileKind:
    header = content[8 : 8 + int.from_bytes(content[:8], "little")]
    if json.dumps(GRAPH_FORMAT).encode() in header:
        return FileKind("a graph that graph.save() wrote", "Read it with cw.Graph.load(path).", "Graph.load")
    return FileKind("a safetensors file: the weights of a model or of transcoders", "Load it with cw.load().")


def _text(path: Path, content: bytes) -> FileKind | None:
    start = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    lower = start.lower()
    if lower.startswith((b"<!doctype html", b"<html")):
        return FileKind("a web page", "Download the file itself, not the page about it.")
    if lower.startswith(b"<svg") or (lower.startswith(b"<?xml") and b"<svg" in lower):
        return _picture("an SVG picture", content)
    if start.startswith((b"{", b"[")):
        return _json(content)
    if path.suffix.lower() in (".csv", ".tsv") or start.startswith(b"id,name,mode,"):
        return FileKind("a table (CSV)", "Give the file that was saved: a table does not contain everything.")
    return None


def _json(content: bytes) -> FileKind | None:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        # Too large to be read here, or truncated: recognised by the keys at its start.
        keys = (b'"metadata"', b'"qParams"') if b'"metadata"' in content[:4096] else (b'"nodes"', b'"links"')
        return _other_graph() if all(key in content for key in keys) else None
    return json_kind(document)


def json_kind(document: object) -> FileKind | None:
    """Return the kind of a JSON document, or None where it is not recognised."""
    if not isinstance(document, dict):
        return None
    keys = document.keys()
    if {"nodes", "links"} <= keys:
        return _other_graph()
    if {"pinned", "supernodes", "node_threshold"} <= keys:
        return FileKind("a circuit that circuit.save() wrote", "Read it with cw.Circuit.load(path).", "Circuit.load")
    if document.get("format") == WORK_FORMAT:
        return KEPT_WORK
    if {"pinnedIds", "supernodes"} <= keys or {"pinnedIds", "clerps"} <= keys:
        return FileKind("a Neuronpedia subgraph", "Trace its prompt again, and make its groups with circuit.group().")
    if {"cells", "nbformat"} <= keys:
        return FileKind("a notebook", "Give the file that was saved in it.")
    if "examples_quantiles" in keys:
        return FileKind(
            "the examples of one feature, as Neuronpedia and circuit-tracer have them",
            "model.read_examples(folder) shows those of all features in a folder. Here, give the file of a graph.",
        )
    if "architectures" in keys or "model_type" in keys:
        return FileKind("the settings of a language model", "Load the model with cw.load().")
    return None


def _other_graph() -> FileKind:
    return FileKind(
        "a Neuronpedia graph (the JSON of Neuronpedia, circuit-tracer and Anthropic's viewer)",
        "Open it with cw.open(path).",
        VIEWER_GRAPH,
    )


def _trace_again(model: object, prompt: object) -> str:
    named = [f"{what} “{_quoted(text)}”" for what, text in (("model", model), ("prompt", prompt)) if _is_text(text)]
    recipe = f" The file names {' and '.join(named)}." if named else " Its recipe is in the file."
    return f"Trace the prompt again with the same transcoders: model.trace(prompt).{recipe}"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _quoted(text: object) -> str:
    short = str(text)[:LONGEST_QUOTED]
    line = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in short.replace("\n", " ")
    )
    return line if len(str(text)) <= LONGEST_QUOTED else f"{line}…"

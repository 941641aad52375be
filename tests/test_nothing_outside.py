"""A name found in a file leads nowhere outside of what the user named: there, good files wait, and none is read."""

import gzip
import io
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import circuit_widget as cw
from circuit_widget.demo import MODEL, TRANSCODERS
from circuit_widget.errors import CircuitWidgetError, LoadError
from circuit_widget.examples.manifest import Manifest, read_manifest
from circuit_widget.figure.figure import read_recipe
from circuit_widget.system.paths import stays_inside
from tests.graph.viewer_files import document

OPENED: list[str] | None = None
"""The files that Python opens while a test listens; libraries that are not in Python open files unheard."""


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if OPENED is not None and event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str | bytes):
        OPENED.append(os.fsdecode(arguments[0]))


sys.addaudithook(_hear)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder from which Python opens nothing until the test ends, except for what the test itself puts there."""
    global OPENED
    folder = tmp_path / "outside"
    folder.mkdir()
    OPENED = []
    yield folder
    opened, OPENED = [Path(os.path.normpath(name)) for name in OPENED], None
    assert not [name for name in opened if name.is_relative_to(folder)]


def put(make: Callable[[], object]) -> None:
    """Let a test make its files unheard."""
    global OPENED
    OPENED = None
    make()
    OPENED = []


def changed(path: Path, **values: Any) -> None:
    """Change entries of a JSON file."""
    path.write_text(json.dumps({**(json.loads(path.read_text()) if path.exists() else {}), **values}))


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("a.safetensors", True), ("below/a.safetensors", True), ("..a", True), ("a..b/c", True), ("../a", False),
        ("/etc/passwd", False), ("below/../../a", False), ("..", False), ("", False), (".", False), ("a\0b", False),
        ("..\\a", False), ("\\\\host\\share\\a", False), ("C:a", False), ("C:\\a", False), ("below\\..\\..\\a", False),
    ],
)  # fmt: skip
def test_a_name_stays_inside_on_every_system(name: str, inside: bool) -> None:
    assert stays_inside(name) is inside


@pytest.mark.parametrize("way", ["../outside/{}", "{outside}/{}", "below/../../outside/{}"])
def test_weights_elsewhere_are_not_read(outside: Path, tmp_path: Path, way: str) -> None:
    folder, name = tmp_path / "model", "model.safetensors"
    put(lambda: (shutil.copytree(MODEL, folder), (folder / name).rename(outside / name)))
    (folder / "below").mkdir()
    listed = way.format(name, outside=outside)
    changed(folder / f"{name}.index.json", metadata={}, weight_map=dict.fromkeys(load_names(outside / name), listed))
    with pytest.raises(LoadError, match=r"model\.safetensors is missing"):
        cw.load(folder, TRANSCODERS, device="cpu")


def load_names(path: Path) -> list[str]:
    return list(load_file(path))


@pytest.mark.parametrize("way", ["../outside/{}", "{outside}/{}", "features/../../outside/{}"])
def test_layers_elsewhere_are_not_read(outside: Path, tmp_path: Path, way: str) -> None:
    folder = tmp_path / "transcoders"
    put(lambda: (shutil.copytree(TRANSCODERS, folder), shutil.copytree(TRANSCODERS, outside, dirs_exist_ok=True)))
    listed = [way.format(f"layer_{layer}.safetensors", outside=outside) for layer in range(4)]
    settings = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(settings + "transcoders:\n" + "".join(f"- {name}\n" for name in listed))
    with pytest.raises(LoadError, match=r"only files in its own folder are read\. Put the file, or a link to it, into"):
        cw.load(MODEL, folder, device="cpu")
    # The same settings with names of the folder's own files are good.
    own = "".join(f"- layer_{layer}.safetensors\n" for layer in range(4))
    (folder / "config.yaml").write_text(settings + "transcoders:\n" + own)
    cw.load(MODEL, folder, device="cpu")


@pytest.mark.parametrize("reference", ["hf://org/repo/../../../outside/a.safetensors", "hf://org/../x/a", "hf:///a"])
def test_a_reference_leads_nowhere_outside_the_cache(outside: Path, tmp_path: Path, reference: str) -> None:
    folder = tmp_path / "transcoders"
    put(lambda: shutil.copytree(TRANSCODERS, folder))
    (folder / "config.yaml").write_text(f"transcoders: [{reference!r}]\n")
    with pytest.raises(LoadError, match=r"does not name a file of the hub|is not in the local cache"):
        cw.load(MODEL, folder, device="cpu")


@pytest.mark.parametrize("generation", ["/../../outside/x", "0/../../outside/x", -1, 0.5, True, None, [1]])
def test_the_generation_of_a_manifest_is_a_number(outside: Path, tmp_path: Path, generation: object) -> None:
    Manifest({}, "m", "t", (1,), False, 8).write(tmp_path)
    assert read_manifest(tmp_path).generation == 0
    (path,) = tmp_path.glob("*.json")
    changed(path, generation=generation)
    with pytest.raises(LoadError, match=r"is malformed \(generation is a whole number"):
        read_manifest(tmp_path)


def named_otherwise(folder: Path, name: str) -> None:
    for file in ("config.json", "tokenizer_config.json", "generation_config.json"):
        changed(folder / file, name_or_path=name, _name_or_path=name)


LEADS: dict[str, Callable[[Path, Path], None]] = {
    "files of a tokenizer": lambda folder, outside: changed(
        folder / "tokenizer_config.json",
        **dict.fromkeys(
            ("tokenizer_file", "vocab_file", "merges_file", "special_tokens_map_file", "chat_template_file"),
            str(outside / "tokenizer.json"),
        ),
    ),
    "the name of a model": lambda folder, outside: named_otherwise(folder, str(outside)),
    "the base of an adapter": lambda folder, outside: changed(
        folder / "adapter_config.json",
        peft_type="LORA",
        base_model_name_or_path=str(outside),
        target_modules=["q_proj"],
    ),
    "a template": lambda folder, outside: changed(
        folder / "tokenizer_config.json", chat_template=f"{{% include '{outside}/tokenizer.json' %}}"
    ),
}


@pytest.mark.parametrize("attempt", LEADS)
def test_settings_of_a_model_lead_to_no_other_model(outside: Path, tmp_path: Path, attempt: str) -> None:
    folder = tmp_path / "model"

    def copy() -> None:
        shutil.copytree(MODEL, folder)
        shutil.copytree(MODEL, outside, dirs_exist_ok=True)
        words = json.loads((outside / "tokenizer.json").read_text())
        vocabulary = words["model"]["vocab"]
        words["model"]["vocab"] = {word: len(vocabulary) - 1 - number for word, number in vocabulary.items()}
        (outside / "tokenizer.json").write_text(json.dumps(words))

    put(copy)
    LEADS[attempt](folder, outside)
    expected = cw.load("demo", device="cpu").tokenize("the capital of Texas is")
    try:
        model = cw.load(folder, TRANSCODERS, device="cpu")
        assert model.tokenize("the capital of Texas is") == expected
        model.tokenize([{"role": "user", "content": "the capital of Texas is"}])
    except CircuitWidgetError:
        pass


NAMES = ("../outside/secret.json", "{outside}/secret.json", "file://{outside}/secret.json", "..\\outside\\secret.json")


@pytest.mark.parametrize("name", NAMES)
def test_names_in_a_graph_are_texts(outside: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(lambda: (outside / "secret.json").write_text(json.dumps(document())))
    folder, name = tmp_path / "given", name.format(outside=outside)
    folder.mkdir()
    monkeypatch.chdir(folder)
    made = document()
    others = dict.fromkeys(
        ("slug", "scan", "prompt", "path", "source", "feature_json_base_url", "transcoder_set"), name
    )
    made["metadata"] |= {**others, "transcoder_list": [name], "info": {**others}, "feature_details": {**others}}
    made["qParams"] |= {"pinnedIds": [made["nodes"][1]["node_id"]], "supernodes": [[name, made["nodes"][1]["node_id"]]]}
    for node in made["nodes"]:
        node |= {"jsNodeId": name, "clerp": name, "featureDetailsUrl": name, "vis_link": name}
    (folder / "graph.json").write_text(json.dumps(made))
    graph = cw.open("graph.json")
    before = sorted(path.name for path in folder.iterdir())
    graph.export("again.json", slug="a", scan="b")
    graph.save("graph.safetensors")
    cw.Graph.load("graph.safetensors")
    cw.Circuit.load("graph.json").check(graph).save("circuit.json")
    circuit = cw.Circuit.load("circuit.json")
    kept = graph.show(circuit=circuit, keep="kept.json")
    kept.pin(list(graph.node_ids[:2]))
    kept.close()
    cw.Circuit.load("kept.json").check(graph)
    graph.show(keep="kept.json").close()
    # A long name is cut.
    assert name[:60] in {one.name[:60] for one in circuit.supernodes}
    made_figure = graph.figure(circuit=circuit)
    read_recipe(made_figure.save("figure.svg"))
    with pytest.raises(CircuitWidgetError):
        cw.Circuit.from_link(name, graph)
    link = f"https://www.neuronpedia.org/gemma-2-2b/graph?slug={name}&pinnedIds={made['nodes'][1]['node_id']}&clerps=[]"
    cw.Circuit.from_link(link, graph)
    new = {"again.json", "graph.safetensors", "circuit.json", "kept.json", "figure.svg"}
    assert {path.name for path in folder.iterdir()} == {*before, *new}


def zipped(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name, data in members.items():
            made.writestr(name, data)
    return content.getvalue()


def torch_archive_that_leads_out(outside: Path) -> bytes:
    content, added = io.BytesIO(), io.BytesIO()
    torch.save({"input_tokens": torch.zeros(3)}, content)
    with zipfile.ZipFile(content) as whole, zipfile.ZipFile(added, "w") as made:
        for name in whole.namelist():
            made.writestr(name, whole.read(name))
            made.writestr(f"../../outside/{Path(name).name}", whole.read(name))
            made.writestr(f"{outside}/{Path(name).name}", whole.read(name))
    return added.getvalue()


ENTITY = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file://{0}/secret.json">]>'
FILES: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "an archive of torch": ("graph.pt", torch_archive_that_leads_out),
    "another archive": ("graph.pt", lambda outside: zipped({"../outside/x": b"x", f"{outside}/y": b"y"})),
    "GraphML with an entity": (
        "graph.graphml",
        lambda outside: f"{ENTITY.format(outside)}<graphml><graph><node id='&e;'/></graph></graphml>".encode(),
    ),
    "GraphML with a schema": (
        "graph.graphml",
        lambda outside: f'<graphml xsi:schemaLocation="file://{outside}/secret.json"><graph/></graphml>'.encode(),
    ),
    "a drawing with an entity": ("figure.svg", lambda outside: f"{ENTITY.format(outside)}<svg>&e;</svg>".encode()),
    "compressed JSON with a name": ("graph.json.gz", lambda outside: gzip_named(f"../outside/x\0{outside}")),
}


def gzip_named(name: str) -> bytes:
    content = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=content) as made:
        made.write(json.dumps(document()).encode())
    return content.getvalue()


@pytest.mark.parametrize("attempt", FILES)
def test_a_file_that_leads_out_is_read_by_itself_or_refused(outside: Path, tmp_path: Path, attempt: str) -> None:
    put(lambda: (outside / "secret.json").write_text(json.dumps(document())))
    folder = tmp_path / "given"
    folder.mkdir()
    name, make = FILES[attempt]
    path = folder / name
    path.write_bytes(make(outside))
    for read in (cw.open, cw.Graph.load, cw.Circuit.load, read_recipe):
        try:
            found = read(path)
        except CircuitWidgetError:
            continue
        assert "a-capital" not in str(found) or name.endswith(".gz")
    assert [one.name for one in folder.iterdir()] == [name]
    left: list[str] = []
    put(lambda: left.extend(one.name for one in outside.iterdir()))
    assert left == ["secret.json"]

"""Nothing in a file is run by loading it: each attempt here would leave a witness if it were."""

import gzip
import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import circuit_widget as cw
from circuit_widget.demo import MODEL, TRANSCODERS
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.figure.figure import read_recipe
from tests.graph.graphs import random_graph

PROMPT = "the capital of the state containing Dallas is"


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.witness,)


def source(witness: Path) -> str:
    """A module that touches a file when it is imported, under any of its names."""
    return (
        f"open({str(witness)!r}, 'w').close()\n"
        "from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast\n"
        "class Config(LlamaConfig): pass\nclass Model(LlamaForCausalLM): pass\nclass Tokenizer(PreTrainedTokenizerFast): pass\n"
        "def generate(*_, **__): pass\n"
    )


def pickled(witness: Path) -> bytes:
    return pickle.dumps(Payload(witness))


def torch_pickle(witness: Path) -> bytes:
    content = io.BytesIO()
    torch.save({"model.embed_tokens.weight": Payload(witness)}, content)
    return content.getvalue()


def pickled_arrays(witness: Path, *, compressed: bool) -> bytes:
    content = io.BytesIO()
    write = np.savez_compressed if compressed else np.savez
    write(content, allow_pickle=True, W_enc=np.array([Payload(witness)], dtype=object))
    return content.getvalue()


def changed(path: Path, **values: Any) -> None:
    """Change entries of a JSON file."""
    path.write_text(json.dumps({**(json.loads(path.read_text()) if path.exists() else {}), **values}))


def remote_code(folder: Path, witness: Path, file: str, **automatic: str) -> None:
    for name in ("evil", "modeling_evil", "configuration_evil", "tokenization_evil"):
        (folder / f"{name}.py").write_text(source(witness))
    changed(folder / file, auto_map=automatic)


Attempt = Callable[[Path, Path], object]


def unknown_type(folder: Path, witness: Path) -> None:
    remote_code(folder, witness, "config.json", AutoConfig="evil.Config", AutoModelForCausalLM="evil.Model")
    changed(folder / "config.json", model_type="evil")


def unknown_tokenizer(folder: Path, witness: Path) -> None:
    remote_code(folder, witness, "tokenizer_config.json", AutoTokenizer="evil.Tokenizer")
    changed(folder / "tokenizer_config.json", tokenizer_class="Tokenizer")


def pickled_tokenizer(folder: Path, witness: Path) -> None:
    (folder / "tokenizer.json").unlink()
    for name in ("tokenizer.model", "vocab.txt", "vocab.json", "tokenizer.pkl"):
        (folder / name).write_bytes(pickled(witness))


def instead_of_weights(name: str) -> Attempt:
    def attempt(folder: Path, witness: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(torch_pickle(witness))

    return attempt


def shards(folder: Path, witness: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "part.bin").write_bytes(torch_pickle(witness))
    for index in ("model.safetensors.index.json", "pytorch_model.bin.index.json"):
        changed(folder / index, metadata={}, weight_map={"model.embed_tokens.weight": "part.bin"})


def adapter(folder: Path, witness: Path) -> None:
    (folder / "adapter_model.bin").write_bytes(torch_pickle(witness))
    settings = {"peft_type": "LORA", "base_model_name_or_path": str(folder), "target_modules": ["q_proj"], "r": 1}
    changed(folder / "adapter_config.json", **settings, auto_mapping={"parent_library": "evil"})


def custom_generation(folder: Path, witness: Path) -> None:
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(source(witness))
    changed(folder / "generation_config.json", custom_generate=str(folder))


def template(expression: str) -> Attempt:
    def attempt(folder: Path, witness: Path) -> None:
        changed(folder / "tokenizer_config.json", chat_template=expression.replace("WITNESS", str(witness)))

    return attempt


MODELS: dict[str, Attempt] = {
    "code for the configuration": lambda f, w: remote_code(f, w, "config.json", AutoConfig="evil.Config"),
    "code for the model": lambda f, w: remote_code(f, w, "config.json", AutoModelForCausalLM="modeling_evil.Model"),
    "code for both, of an unknown type": unknown_type,
    "code for the tokenizer": lambda f, w: remote_code(f, w, "tokenizer_config.json", AutoTokenizer="evil.Tokenizer"),
    "code for an unknown tokenizer": unknown_tokenizer,
    "pickled weights": instead_of_weights("pytorch_model.bin"),
    "pickled weights under another name": instead_of_weights("model.pt"),
    "a pickle named safetensors": instead_of_weights("model.safetensors"),
    "pickled weights beside good ones": lambda f, w: (f / "pytorch_model.bin").write_bytes(torch_pickle(w)),
    "pickled shards": shards,
    "an adapter": adapter,
    "a way to generate": custom_generation,
    "a pickled tokenizer": pickled_tokenizer,
    "a type that is an expression": lambda f, w: changed(f / "config.json", dtype=f"open({str(w)!r}, 'w')"),
    "an older type that is an expression": lambda f, w: changed(
        f / "config.json", torch_dtype=f"open({str(w)!r}, 'w')"
    ),
    "an activation that is an expression": lambda f, w: changed(f / "config.json", hidden_act=f"open({str(w)!r}, 'w')"),
    "attention from elsewhere": lambda f, w: changed(f / "config.json", _attn_implementation=str(f)),
    "a template that looks for os": template("{{ cycler.__init__.__globals__.os.system('touch WITNESS') }}"),
    "a template that looks through classes": template(
        "{% for c in ''.__class__.__mro__[1].__subclasses__() %}{% if c.__name__ == 'Popen' %}{{ c(['touch', 'WITNESS']) }}"
        "{% endif %}{% endfor %}"
    ),
    "a template that imports": template("{% import 'os' as os %}{{ os.system('touch WITNESS') }}"),
    "a template that formats": template("{{ '{0.__class__.__init__.__globals__[os]}'.format(messages) }}"),
}


@pytest.mark.parametrize("attempt", MODELS)
def test_a_model_runs_no_code(tmp_path: Path, attempt: str) -> None:
    folder, witness = tmp_path / "model", tmp_path / "witness"
    shutil.copytree(MODEL, folder)
    MODELS[attempt](folder, witness)
    try:
        model = cw.load(folder, TRANSCODERS, device="cpu", dtype="float32")
        model.tokenize([{"role": "user", "content": PROMPT}])
    except CircuitWidgetError:
        pass
    assert not witness.exists()


def settings_of_code(text: str) -> Attempt:
    return lambda folder, witness: (folder / "config.yaml").write_text(text.replace("WITNESS", str(witness)))


def layers(ending: str, content: Callable[[Path], bytes]) -> Attempt:
    def attempt(folder: Path, witness: Path) -> None:
        for layer in range(4):
            (folder / f"layer_{layer}.safetensors").unlink()
            (folder / f"layer_{layer}{ending}").write_bytes(content(witness))

    return attempt


def scope(content: Callable[[Path], bytes]) -> Attempt:
    """The layout of Gemma Scope, with pickled arrays."""

    def attempt(folder: Path, witness: Path) -> None:
        for layer in range(4):
            (folder / f"layer_{layer}.safetensors").unlink()
            directory = folder / f"layer_{layer}" / "width_16k" / "average_l0_76"
            directory.mkdir(parents=True)
            (directory / "params.npz").write_bytes(content(witness))

    return attempt


def examples(content: Callable[[Path], bytes]) -> Attempt:
    def attempt(folder: Path, witness: Path) -> None:
        for layer in range(4):
            (folder / "features" / f"layer_{layer}.json.gz").write_bytes(content(witness))

    return attempt


def cards(entry: Any) -> Attempt:
    document = {"sentences": [[1]], "features": {str(feature): entry for feature in range(2000)}}
    return examples(lambda witness: gzip.compress(json.dumps(document).replace("WITNESS", str(witness)).encode()))


CODE = "__import__('pathlib').Path('WITNESS').touch()"

SETS: dict[str, Attempt] = {
    "yaml that calls": settings_of_code("scan: !!python/object/apply:os.system ['touch WITNESS']\n"),
    "yaml that makes an object": settings_of_code("scan: !!python/object/new:os.system ['touch WITNESS']\n"),
    "yaml that calls by a tag": settings_of_code("!!python/object/apply:subprocess.check_output [[touch, WITNESS]]\n"),
    "yaml that names a function": settings_of_code("activation: !!python/name:os.system\nscan: x\n"),
    "yaml that imports a module": settings_of_code("scan: !!python/module:os\n"),
    "an activation that is an expression": settings_of_code(f'scan: x\nactivation: "{CODE}"\n'),
    "a hook that is an expression": settings_of_code(f'scan: x\nfeature_input_hook: "{CODE}"\n'),
    "a k that is an expression": settings_of_code(f'scan: x\nactivation: topk\nk: "{CODE}"\n'),
    "files that are a command": settings_of_code('scan: x\ntranscoders: ["|touch WITNESS", "$(touch WITNESS)"]\n'),
    "settings of SAELens": lambda f, w: changed(f / "cfg.json", architecture=CODE.replace("WITNESS", str(w)), d_in=128),
    "pickles for layers": layers(".safetensors", pickled),
    "torch's pickles for layers": layers(".safetensors", torch_pickle),
    "layers named pt": layers(".pt", torch_pickle),
    "pickled arrays": layers(".npz", lambda witness: pickled_arrays(witness, compressed=False)),
    "pickled arrays of Gemma Scope": scope(lambda witness: pickled_arrays(witness, compressed=False)),
    "compressed pickled arrays of Gemma Scope": scope(lambda witness: pickled_arrays(witness, compressed=True)),
    "a pickle named npz": scope(pickled),
    "pickles for examples": examples(pickled),
    "compressed pickles for examples": examples(lambda witness: gzip.compress(pickled(witness))),
    "examples that are deep": examples(lambda witness: gzip.compress(b"[" * 100_000)),
    "examples that are cut off": examples(lambda witness: gzip.compress(b"{}")[:-4]),
    "labels that are code": cards({"label": CODE, "examples": [[0, [[0, 1.0]]]]}),
    "labels that are objects": cards({"label": {"__class__": "os"}, "examples": [[CODE, [[CODE, CODE]]]]}),
    "a python module beside": lambda f, w: [
        (f / name).write_text(source(w)) for name in ("__init__.py", "layer_0.py", "yaml.py")
    ],
}


@pytest.mark.parametrize("attempt", SETS)
def test_a_set_of_transcoders_runs_no_code(tmp_path: Path, attempt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, witness = tmp_path / "transcoders", tmp_path / "witness"
    shutil.copytree(TRANSCODERS, folder)
    SETS[attempt](folder, witness)
    monkeypatch.chdir(folder)
    try:
        model = cw.load(MODEL, folder, device="cpu", dtype="float32")
        graph = model.trace(PROMPT, progress=False)
        for node in graph.feature_index[:3].tolist():
            model.feature_card(0, node)
    except CircuitWidgetError:
        pass
    assert not witness.exists()


def entity(witness: Path) -> bytes:
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file://{witness}">]><svg>&e;</svg>'.encode()


DOCUMENTS: dict[str, Callable[[Path], bytes]] = {
    "a pickle": pickled,
    "an old pickle": lambda witness: b"cos\nsystem\n(S'touch " + os.fsencode(witness) + b"'\ntR.",
    "torch's pickle": torch_pickle,
    "pickled arrays": lambda witness: pickled_arrays(witness, compressed=False),
    "a module": lambda witness: source(witness).encode(),
    "yaml": lambda witness: f"!!python/object/apply:os.system ['touch {witness}']".encode(),
    "an entity": entity,
    "JSON that names a class": lambda witness: json.dumps(
        {"py/object": "os.system", "py/reduce": str(witness)}
    ).encode(),
    "an archive with a module": lambda witness: archive({"__main__.py": source(witness).encode()}),
    "an archive that leads out": lambda witness: archive({f"../../{witness.name}": b"x", "data.pkl": pickled(witness)}),
}


def archive(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name, data in members.items():
            made.writestr(name, data)
    return content.getvalue()


@pytest.mark.parametrize("ending", [".safetensors", ".json", ".svg", ".pdf", ".png"])
@pytest.mark.parametrize("attempt", DOCUMENTS)
def test_a_document_runs_no_code(tmp_path: Path, attempt: str, ending: str) -> None:
    folder, witness = tmp_path / "files", tmp_path / "witness"
    folder.mkdir()
    path = folder / f"given{ending}"
    path.write_bytes(DOCUMENTS[attempt](witness))
    for read in (cw.Graph.load, cw.Circuit.load, read_recipe, cw.redo):
        with pytest.raises(CircuitWidgetError):
            read(path)
    assert not witness.exists()
    assert [file.name for file in folder.iterdir()] == [path.name]


def test_code_in_every_text_of_a_graph_stays_text(tmp_path: Path) -> None:
    from dataclasses import replace

    from tests.intervention.test_code_is_literal import assert_harmless

    witness = tmp_path / "witness"
    code = f"'\"\n)]}}\nopen({str(witness)!r}, 'w')\n#"
    graph = random_graph(3)
    hostile = replace(
        graph,
        tokens=tuple(replace(token, text=code) for token in graph.tokens),
        targets=tuple(replace(target, token=code) for target in graph.targets),
        labels={graph.node_ids[0]: code},
        recipe={**dict.fromkeys(("model", "transcoders", "device", "dtype", "prompt"), code), code: code},
    )
    loaded = cw.Graph.load(hostile.save(tmp_path / "graph.safetensors"))
    assert loaded.recipe == hostile.recipe
    from circuit_widget.intervention.as_code import effect_code, groups_code, study_code

    assert_harmless(effect_code(loaded, [cw.SwapIn(code, code)], code))
    assert_harmless(study_code(loaded, "sweep_groups", [groups_code({code: [code]})]))
    loaded.figure().svg().encode()
    loaded.to_frames()
    assert not witness.exists()

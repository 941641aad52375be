"""GGUF files: a tiny model written as llama.cpp writes it, and files that cannot be loaded."""

import importlib.util
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from circuit_widget import load
from circuit_widget.errors import LoadError
from circuit_widget.model.architectures import ARCHITECTURES
from circuit_widget.model.gguf_file import read_gguf
from tests.architectures import network_of
from tests.cases import assert_close
from tests.models import PROMPT_IDS, tokenizer

gguf = pytest.importorskip("gguf", reason="reading GGUF files needs the extra circuit-widget[gguf]")
pytest.importorskip("accelerate", reason="reading GGUF files needs the extra circuit-widget[gguf]")

NAMES = {
    "embed_tokens": "token_embd",
    "norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_llama(path: Path, *, quantised: bool = False, network: Any = None, **values: Any) -> Any:
    """Write a model, by default the tiny Llama, as a GGUF file, with the tokenizer's files beside it; returns the model."""
    network = network or network_of("llama")
    config = network.config
    writer = gguf.GGUFWriter(str(path), values.pop("architecture", "llama"))
    writer.add_name("tiny")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0 if quantised else gguf.LlamaFileType.ALL_F32)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(config.vocab_size)
    writer.add_token_list([f"token {number}" for number in range(300)])
    for name, number in values.items():
        writer.add_uint32(name.replace("__", "."), number)
    for name, tensor in network.state_dict().items():
        weight = tensor.numpy()
        if "q_proj" in name or "k_proj" in name:
            heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
            weight = weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)
        if quantised and weight.ndim == 2 and weight.shape[1] % 32 == 0:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(_gguf_name(name), gguf.quants.quantize(weight, kind), raw_dtype=kind)
        else:
            writer.add_tensor(_gguf_name(name), np.ascontiguousarray(weight))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tokenizer().save_pretrained(path.parent)
    return network


def _gguf_name(name: str) -> str:
    parts = name.removeprefix("model.").removesuffix(".weight").split(".")
    if parts[0] == "layers":
        return f"blk.{parts[1]}.{NAMES['.'.join(parts[2:])]}.weight"
    return f"{NAMES['.'.join(parts)]}.weight"


@pytest.fixture(params=["alone", "in its directory"])
def arguments(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    return {"model": tmp_path / "tiny.gguf"} if request.param == "alone" else {"model": tmp_path, "gguf": "tiny.gguf"}


def logits_of(network: Any) -> torch.Tensor:
    with torch.inference_mode():
        ids = torch.tensor([PROMPT_IDS])
        logits: torch.Tensor = network(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1]
    return logits


def test_a_gguf_file_is_the_model_that_was_written(arguments: dict[str, Any], tmp_path: Path) -> None:
    network = write_llama(tmp_path / "tiny.gguf")
    model = load(**arguments, device="cpu", dtype="float32")
    assert_close(logits_of(model.model.network), logits_of(network.eval()))
    assert (model.name, model.transcoders.name) == ("tiny", "neurons")
    graph = model.trace(PROMPT_IDS, max_features=20)
    provenance: Any = graph.recipe["provenance"]
    origin = provenance["model"]
    assert origin["quantisation"] == "F32"
    assert list(origin["files"]) == ["tiny.gguf"]
    assert model.source == (str(tmp_path / "tiny.gguf"), None)
    assert_close(logits_of(load(model.source[0], device="cpu").model.network), logits_of(network))


def test_a_gguf_file_is_parsed_once_and_again_for_another_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    class Counted(gguf.GGUFReader):  # type: ignore[misc, name-defined]
        def __init__(self, path: Any, *rest: Any) -> None:
            parsed.append(str(path))
            super().__init__(path, *rest)

    monkeypatch.setattr(gguf, "GGUFReader", Counted)
    path = tmp_path / "tiny.gguf"
    network = write_llama(path)
    load(path, device="cpu")
    assert parsed == [str(path)]
    assert gguf.GGUFReader is Counted
    with torch.no_grad():
        network.model.norm.weight.mul_(2)
    rewritten = write_llama(path, network=network)
    assert_close(logits_of(load(path, device="cpu").model.network), logits_of(rewritten.eval()))
    assert parsed == [str(path)] * 2


def test_quantised_weights_are_dequantised(tmp_path: Path) -> None:
    network = write_llama(tmp_path / "tiny.gguf", quantised=True)
    model = load(tmp_path / "tiny.gguf", device="cpu", dtype="float32")
    difference = logits_of(model.model.network) - logits_of(network.eval())
    assert 0 < float(difference.abs().max()) < 0.2
    assert read_gguf(tmp_path / "tiny.gguf", "It").quantisation == "Q8_0"
    assert model.verify(model.trace(PROMPT_IDS, max_features=20), 10).agrees


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_llama(path)
    whole = path.read_bytes()
    for length in (*range(5, 2000, 97), len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(
            LoadError,
            match=r"'tiny\.gguf' is cut off( or damaged: its header goes on beyond the end of the file, at byte|:)",
        ) as refusal:
            load(path)
        assert "unpack" not in str(refusal.value)


def test_a_damaged_header_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_llama(path)
    whole = path.read_bytes()
    counts = (("tensors", 8), ("values", 16))
    for _, offset in counts:
        path.write_bytes(whole[:offset] + struct.pack("<Q", 1 << 62) + whole[offset + 8 :])
        with pytest.raises(LoadError, match=r"its header cannot be read .it states 4611686018427387904 entries"):
            load(path)
    path.write_bytes(whole[:4] + struct.pack(">I", 3) + whole[8:])
    with pytest.raises(LoadError, match="its version is 50331648, expected 2 or 3, little-endian"):
        load(path)


def test_lists_of_lists_are_refused_however_deep(tmp_path: Path) -> None:
    path = tmp_path / "deep.gguf"
    nested = struct.pack("<IQ", 9, 1) * 5_000
    path.write_bytes(
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + struct.pack("<I", 9) + nested
    )
    with pytest.raises(LoadError, match="it has a value of the unknown type 9"):
        load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "its header cannot be read .it does not begin with the letters GGUF"),
        (b"", "the file is empty; get it again"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of git-LFS and not the file itself"),
    ],
)
def test_what_is_no_gguf_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(content)
    with pytest.raises(LoadError, match=message):
        load(tmp_path / "m.gguf")


def test_an_architecture_that_transformers_cannot_read_is_named(tmp_path: Path) -> None:
    write_llama(tmp_path / "tiny.gguf", architecture="xlstm")
    with pytest.raises(LoadError, match=r"of the architecture 'xlstm', which transformers cannot read.*llama.*qwen2"):
        load(tmp_path / "tiny.gguf")


def test_only_architectures_that_can_be_traced_are_offered(tmp_path: Path) -> None:
    write_llama(tmp_path / "tiny.gguf", architecture="xlstm")
    with pytest.raises(LoadError) as refusal:
        load(tmp_path / "tiny.gguf")
    listed = str(refusal.value).split("can be traced are ")[1].split(".")[0].split(", ")
    assert {"llama", "gemma2", "qwen3"} <= set(listed) <= set(ARCHITECTURES)


def test_one_part_of_several_says_how_to_merge_them(tmp_path: Path) -> None:
    write_llama(tmp_path / "tiny.gguf", split__count=3)
    with pytest.raises(LoadError, match=r"one of 3 parts of a model.*llama-gguf-split --merge"):
        load(tmp_path / "tiny.gguf")


def test_the_packages_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    found = importlib.util.find_spec

    def find_spec(name: str) -> Any:
        return None if name == "gguf" else found(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(LoadError, match=r"needs the package gguf\. Install it: pip install 'circuit-widget\[gguf\]'\."):
        load(tmp_path / "tiny.gguf")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("x.gguf", r"gguf='x\.gguf' is no file in '.*'; GGUF files there: 'a\.gguf', 'b\.gguf'\."),
        ("../a.gguf", "expected the name of a GGUF file in the model's directory"),
        (7, "gguf is 7, expected the name of a GGUF file"),
        ("", "gguf is '', expected the name of a GGUF file"),
    ],
)
def test_a_wrong_name_of_a_file_is_refused(given: Any, message: str, tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(LoadError, match=message):
        load(tmp_path, gguf=given)


def test_a_directory_of_gguf_files_says_which_to_name(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    with pytest.raises(LoadError, match=r"contains GGUF files\. Name the one to load: load\('.*', gguf='a\.gguf'\)\."):
        load(tmp_path)


def test_a_file_that_is_not_there_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "other.gguf").touch()
    for folder, found in ((tmp_path, "'other.gguf'"), (tmp_path / "none", "no such folder")):
        with pytest.raises(
            LoadError, match=f"m.Q4.gguf': there is no such file in .*{found}.*Pass the path of the file"
        ):
            load(folder / "m.Q4.gguf")

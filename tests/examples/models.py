"""Texts for tiny models, and what is in a folder of examples."""

import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch

from circuit_widget.examples.manifest import read_manifest
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.transcoder.joint_top_k import JointTopKTranscoders
from tests.models import tiny_model, tiny_network, tiny_transcoders, tokenizer


def random_texts(count: int, *, seed: int = 0, longest: int = 20) -> list[str]:
    """Texts of random words that the tiny tokenizer knows, all different."""
    generator = torch.Generator().manual_seed(seed)
    words = [word for word in sorted(tokenizer().get_vocab()) if word.isalpha()]

    def text() -> str:
        length = int(torch.randint(3, longest, (1,), generator=generator))
        return " ".join(words[number] for number in torch.randint(len(words), (length,), generator=generator))

    return [text() for _ in range(count)]


def texts_of_few_words(count: int, *, seed: int = 0) -> list[str]:
    """Short texts of eight words, so that even features of a random model fire on some of these words again and again."""
    draw = random.Random(seed)
    words = [word for word in sorted(tokenizer().get_vocab()) if word.isalpha()][:8]
    texts = (" ".join(draw.choices(words, k=draw.randint(2, 5))) for _ in range(count))
    return list(dict.fromkeys(texts))


def neuron_model(seed: int = 0) -> ReplacementModel:
    """The tiny model with its neurons."""
    model = LanguageModel(tiny_network(seed), tokenizer(), "tiny")
    return ReplacementModel(model, Neurons(model))


def joint_model() -> ReplacementModel:
    """The tiny model with features of all layers that compete."""
    model, layers = tiny_model(), tiny_transcoders(cross_layer=True).layers
    weights = tuple(torch.linspace(0.5, 1.5, 40) for _ in layers)
    return ReplacementModel(model.model, JointTopKTranscoders("joint", layers, "mlp_input", "mlp_output", 9, weights))


def rows_of(folder: Path, layer: int) -> dict[str, list[Any]]:
    """The columns of a layer's valid file."""
    columns: dict[str, list[Any]] = pq.read_table(read_manifest(folder).file_of(folder, layer)).to_pydict()
    return columns


def contents(folder: Path) -> list[dict[str, list[Any]]]:
    """All that the valid files of layers contain."""
    return [rows_of(folder, layer) for layer in range(len(read_manifest(folder).n_features))]

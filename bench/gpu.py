"""How fast a trace, and ablations, of a model of Gemma-2-2B's shape are, with random weights, on a GPU.

python bench/gpu.py                     on CUDA
python bench/gpu.py --tiny              a tiny model, on whatever there is, to see that the script runs

Needs torch, transformers, safetensors and numpy only; ablations, whose results are data frames, pandas too. Prints the
device, seconds after warm-up, and the share of the device's rate for matrix products that the computation of edges reaches.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

sys.path[0] = str(Path(__file__).parents[1])


class _AnyShape:
    """Replaces array types where jaxtyping is not installed: annotations only, never checked here."""

    def __class_getitem__(cls, _: Any) -> Any:
        return Any


if importlib.util.find_spec("jaxtyping") is None:
    _names = [f"{kind}{size}" for kind in ("Float", "Int", "UInt", "Bool") for size in ("", 8, 16, 32, 64)]
    sys.modules["jaxtyping"] = ModuleType("jaxtyping")
    sys.modules["jaxtyping"].__dict__.update(dict.fromkeys([*_names, "Integer", "Real", "Shaped"], _AnyShape))

import torch  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from tokenizers.models import WordLevel  # noqa: E402
from transformers import AutoModelForCausalLM, Gemma2Config, PreTrainedTokenizerFast  # noqa: E402

from bench.measuring import operations, product_rate  # noqa: E402
from circuit_widget.graph import Graph  # noqa: E402
from circuit_widget.intervention import Ablate  # noqa: E402
from circuit_widget.model.language_model import LanguageModel  # noqa: E402
from circuit_widget.replacement_model import ReplacementModel  # noqa: E402
from circuit_widget.transcoder.activation import JumpReLU  # noqa: E402
from circuit_widget.transcoder.per_layer import PerLayerTranscoder, PerLayerTranscoders  # noqa: E402

BUDGET_SECONDS, BUDGET_ABLATION = 3.0, 0.05
ABLATIONS = 50

Result = TypeVar("Result")


@dataclass(frozen=True)
class Sizes:
    """A model like Gemma-2, its transcoders, the prompt and the graph. The default is Gemma-2-2B."""

    n_layers: int = 26
    d_model: int = 2304
    d_mlp: int = 9216
    n_heads: int = 8
    n_value_heads: int = 4
    head_width: int = 256
    vocabulary: int = 256_000
    features: int = 16_384
    active: int = 60
    tokens: int = 32
    feature_nodes: int = 7_500


TINY = Sizes(3, 32, 64, 4, 2, 8, 300, 128, 8, 8, 60)


def replacement_model(sizes: Sizes, device: str, dtype: torch.dtype) -> ReplacementModel:
    """Return a model with random weights, and transcoders of which about `active` features are on at a token."""
    config = Gemma2Config(
        hidden_size=sizes.d_model,
        intermediate_size=sizes.d_mlp,
        num_hidden_layers=sizes.n_layers,
        num_attention_heads=sizes.n_heads,
        num_key_value_heads=sizes.n_value_heads,
        head_dim=sizes.head_width,
        vocab_size=sizes.vocabulary,
        query_pre_attn_scalar=sizes.head_width,
    )
    with torch.device(device):
        network = AutoModelForCausalLM.from_config(config, dtype=dtype)
    # What features read is a standard normal number on normed input; what they write together is as long as an MLP's.
    threshold = math.sqrt(2) * float(torch.erfinv(torch.tensor(1 - 2 * sizes.active / sizes.features)))
    layers = [
        PerLayerTranscoder(
            encoder=torch.randn(sizes.features, sizes.d_model, device=device) / sizes.d_model**0.5,
            encoder_bias=torch.zeros(sizes.features, device=device),
            decoder=torch.randn(sizes.features, sizes.d_model, device=device) / (threshold * sizes.active**0.5),
            decoder_bias=torch.zeros(sizes.d_model, device=device),
            activation=JumpReLU(torch.full((sizes.features,), threshold, device=device)),
        )
        for _ in range(sizes.n_layers)
    ]
    transcoders = PerLayerTranscoders("random", tuple(layers), "mlp_norm", "mlp_update")
    return ReplacementModel(LanguageModel(network, _tokenizer(sizes.vocabulary), "random"), transcoders)


def _tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    words = ["<pad>", "<eos>", "<bos>", "<unk>", *(f"w{number}" for number in range(4, vocabulary))]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", bos_token="<bos>", unk_token="<unk>"
    )


def seconds_of(work: Callable[[], Result], device: str) -> tuple[float, Result]:
    """Return how long some work takes until the device has done it, and its result."""
    _finish(device)
    started = time.perf_counter()
    result = work()
    _finish(device)
    return time.perf_counter() - started, result


def _finish(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--feature-nodes", type=int)
    options = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not options.tiny:
        raise SystemExit("No GPU is available: torch.cuda.is_available() is false. Pass --tiny to try the script.")
    sizes = TINY if options.tiny else Sizes()
    count = options.feature_nodes or sizes.feature_nodes
    torch.manual_seed(0)
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU {platform.processor()}"
    print(f"{name}, torch {torch.__version__}", flush=True)
    model = replacement_model(sizes, device, torch.bfloat16 if device == "cuda" else torch.float32)
    ids = [2, *torch.randint(4, sizes.vocabulary, (sizes.tokens - 1,)).tolist()]

    def trace() -> Graph:
        model.forget()
        return model.trace(ids, max_features=count)

    warm_up, graph = seconds_of(trace, device)
    seconds = statistics.median(seconds_of(trace, device)[0] for _ in range(options.repeats))
    left_out = graph.left_out
    print(
        f"{sizes.n_layers} layers, d_model {sizes.d_model}, {sizes.features} features a layer, {sizes.tokens} tokens; "
        f"{graph.n_features:,} of {graph.n_features + left_out:,} active features"
    )
    kept = "kept" if seconds < BUDGET_SECONDS else "MISSED"
    print(f"trace {seconds:.3f} s after warm-up ({warm_up:.3f} s); budget {BUDGET_SECONDS:.0f} s: {kept}")
    done = operations(trace)
    print(f"{done / 1e12:.3f} T operations, {done / seconds / 1e12:.2f} T/s")
    for kind, rate in _rates(device, 512 if options.tiny else 8192):
        print(f"  a {kind} product reaches {rate / 1e12:.2f} T/s: {done / seconds / rate:.1%} of it")
    if importlib.util.find_spec("pandas") is None:
        print("pandas is not installed: ablations were not measured")
    else:
        _print_ablations(model, graph, device)
    if device == "cuda":
        print(f"peak device memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")


def _print_ablations(model: ReplacementModel, graph: Graph, device: str) -> None:
    """Ablate features spread evenly over the graph, one by one and as a batch, with nothing frozen."""
    spread = [graph.node_ids[round(place)] for place in torch.linspace(0, graph.n_features - 1, ABLATIONS).tolist()]
    experiments = [Ablate(node) for node in spread]
    for warm_up in experiments[:3]:
        model.intervene(graph, warm_up, progress=False)
    alone = [
        seconds_of(lambda one=one: model.intervene(graph, one, progress=False), device)[0]  # type: ignore[misc]
        for one in experiments
    ]
    together, _ = seconds_of(lambda: model.intervene_many(graph, experiments, progress=False), device)
    median = statistics.median(alone)
    kept = "kept" if median < BUDGET_ABLATION else "MISSED"
    print(
        f"one ablation {1000 * median:.1f} ms after warm-up (worst {1000 * max(alone):.1f}); "
        f"budget {1000 * BUDGET_ABLATION:.0f} ms: {kept}; of a batch of {ABLATIONS} {1000 * together / ABLATIONS:.1f} ms"
    )


def _rates(device: str, size: int) -> list[tuple[str, float]]:
    rates = [("float32", product_rate(device, torch.float32, size))]
    if device == "cuda":
        before = torch.backends.cuda.matmul.allow_tf32
        torch.backends.cuda.matmul.allow_tf32 = True
        rates.append(("tf32", product_rate(device, torch.float32, size)))
        torch.backends.cuda.matmul.allow_tf32 = before
        rates.append(("bfloat16", product_rate(device, torch.bfloat16, size)))
    return rates


if __name__ == "__main__":
    main()

"""Measure graphs of neurons on a real model: time, memory, and how well predicted effects agree with measured ones.

`python -m bench.neurons` prints three tables. The model is SmolLM2-135M-Instruct, from the cache of the tests or fetched.
The peer of the quality is gradient times activation, without frozen attention, norms and quotients.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from circuit_widget import Ablate, Graph, load
from circuit_widget.graph.node_table import feature_at
from circuit_widget.intervention.studies.validation import spearman
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.tracing.estimate import product_rate
from tests.real.smollm2 import model_directory

TEXT = (
    "The old library was at the corner of two narrow streets, and every morning a line of people waited for its doors "
    "to open. Some of them came for the newspapers, some for the warm rooms, and a few, like the young man in the grey "
    "coat, for a single book that nobody else had looked for in forty years. He read a page a day, slowly, and wrote down "
    "the words that he did not know. When winter came the library closed earlier, and the man began to read at home by"
)
LENGTHS = (6, 32, 128)
COUNTS = (300, 1_000, 2_000)
PROMPTS = (
    "The capital of France is", "The opposite of small is", "The opposite of hot is", "Two plus three equals",
    "The sun rises in the", "The first president of the United States was George", "Water is made of hydrogen and",
    "The largest planet in the solar system is", "Romeo and", "Once upon a", "The color of the sky is",
    "The capital of Japan is", "A triangle has three", "The author of Hamlet is William", "My favorite food is",
    "The Eiffel Tower is in", "Bees make", "The past tense of go is", "Monday, Tuesday,", "To be or not to",
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """Seconds and CPU seconds, the smallest of several runs."""

    seconds: float
    cpu_seconds: float


def measure(run: Callable[[], object], times: int = 3) -> Measured:
    """Return how long something takes."""
    found = []
    for _ in range(times):
        wall, processor = time.perf_counter(), time.process_time()
        run()
        found.append((time.perf_counter() - wall, time.process_time() - processor))
    return Measured(min(wall for wall, _ in found), min(processor for _, processor in found))


def prompt_of(model: ReplacementModel, length: int) -> list[int]:
    """Return token ids of a prompt of a length, BOS included."""
    return [token.token_id for token in model.tokenize(TEXT)][:length]


def speed(model: ReplacementModel) -> None:
    """Print how long traces and one ablation take after the forward pass, and the memory of the edges."""
    rate = product_rate(model.device)
    print(f"{torch.get_num_threads()} threads, {rate / 1e9:.0f} GFLOP/s in a large matrix product")
    print(f"{'tokens':>6} {'neurons':>8} {'seconds':>8} {'CPU s':>7} {'MiB':>7} {'one ablation, ms':>17}")
    for length in LENGTHS:
        prompt = prompt_of(model, length)
        model.trace(prompt, max_features=1, progress=False)
        for count in COUNTS:
            traced = measure(lambda prompt=prompt, count=count: model.trace(prompt, max_features=count, progress=False))  # type: ignore[misc]
            graph = model.trace(prompt, max_features=count, progress=False)
            strongest = graph.node_ids[int(np.argmax(graph.influence[: graph.n_features]))]
            ablated = measure(lambda graph=graph, node=strongest: model.intervene(graph, Ablate(node), progress=False))  # type: ignore[misc]
            memory = graph.weights.nbytes / 2**20
            print(
                f"{length:>6} {count:>8,} {traced.seconds:>8.2f} {traced.cpu_seconds:>7.2f} {memory:>7.0f} "
                f"{1000 * ablated.seconds:>17.0f}"
            )


def quality(model: ReplacementModel, prompts: Sequence[str], count: int) -> None:
    """Print how the predicted effect of ablating each of the strongest neurons agrees with the measured one."""
    print(
        f"\nablating each of {count} neurons, effect on the likeliest token's logit less the mean; median over prompts"
    )
    found: dict[str, list[float]] = {}
    for prompt in prompts:
        graph = model.trace(prompt, max_features=count, progress=False)
        token = graph.targets[0].token_id
        baseline = gradient_times_activation(model, graph, token)
        for mode in ("frozen_attention", "total"):
            effects = model.intervene_many(
                graph, [Ablate(node) for node in graph.node_ids[: graph.n_features]], mode=mode, progress=False
            )
            measured = np.array([_change(effect.logits_before, effect.logits_after, token) for effect in effects])
            predicted = np.array([_change(effect.logits_before, effect.logits_predicted, token) for effect in effects])
            for name, estimate in (("graph", predicted), ("gradient x activation", -baseline)):
                pearson = float(np.corrcoef(estimate, measured)[0, 1])
                found.setdefault(f"{mode:<18}{name:<24}Pearson", []).append(pearson)
                found.setdefault(f"{mode:<18}{name:<24}Spearman", []).append(spearman(estimate, measured))
    for name, values in found.items():
        print(f"{name:<52} {statistics.median(values):>6.3f}   (lowest {min(values):.3f})")


def _change(before: np.ndarray, after: np.ndarray, token: int) -> float:
    return float(after[token] - after.mean() - before[token] + before.mean())


def gradient_times_activation(model: ReplacementModel, graph: Graph, token: int) -> np.ndarray:
    """Return activation times the plain gradient of a logit less the mean, for each neuron of a graph."""
    network, prompt = model.model.network, [one.token_id for one in graph.tokens]
    kept: dict[int, torch.Tensor] = {}

    def keep(layer: int) -> Callable[..., None]:
        def hook(_: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            kept[layer] = args[0] if args[0].requires_grad else args[0].requires_grad_()
            kept[layer].retain_grad()

        return hook

    handles = [
        block.mlp.get_submodule("down_proj").register_forward_pre_hook(keep(layer))
        for layer, block in enumerate(model.model.blocks)
    ]
    try:
        logits = network(input_ids=torch.tensor([prompt])).logits[0, graph.position]
        (logits[token] - logits.mean()).backward()
    finally:
        for handle in handles:
            handle.remove()
        network.zero_grad()
    values = np.zeros(graph.n_features)
    for row, layer in enumerate(graph.feature_layer):
        activations = kept[int(layer)]
        assert activations.grad is not None
        at = (0, int(graph.feature_position[row]), int(graph.feature_index[row]))
        values[row] = float(activations[at].detach() * activations.grad[at])
    return values


def sizes(model: ReplacementModel, prompts: Sequence[str]) -> None:
    """Print what is left of the likeliest token without the strongest neurons, and with all others at zero."""
    print("\nshare of the likeliest token's probability left, median over prompts")
    print(f"{'neurons':>8} {'without them':>13} {'with them alone':>16} {'replacement':>12} {'completeness':>13}")
    for count in (50, 200, 500, 1_000, 2_000):
        rows = []
        for prompt in prompts:
            graph = model.trace(prompt, max_features=count, progress=False)
            nodes = [feature_at(graph, node) for node in range(graph.n_features)]
            others = sorted(set(model.activations(prompt)) - set(nodes))
            shares = [
                after / before
                for before, after in (
                    model.intervene(graph, Ablate(some), progress=False).probability(graph.targets[0].token_id)
                    for some in (nodes, others)
                )
            ]
            scores = graph.recorded_scores
            rows.append((*shares, scores.replacement, scores.completeness))
        without, alone, replacement, completeness = np.median(np.array(rows), axis=0)
        print(f"{count:>8,} {without:>13.2f} {alone:>16.2f} {replacement:>12.2f} {completeness:>13.2f}")


def main() -> None:
    """Measure speed, then quality."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--prompts", type=int, default=len(PROMPTS), help="how many prompts the quality is measured on")
    parser.add_argument("--neurons", type=int, default=200, help="how many neurons are ablated, each by itself")
    chosen = parser.parse_args()
    model = load(model_directory(), "neurons", device="cpu", dtype="float32")
    speed(model)
    quality(model, PROMPTS[: chosen.prompts], chosen.neurons)
    sizes(model, PROMPTS[: min(chosen.prompts, 3)])


if __name__ == "__main__":
    main()

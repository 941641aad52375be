"""A model that is its own attribution graph: linear, exact, and stopped at will between its layers."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from circuit_widget.errors import Cancelled, NodeError
from circuit_widget.examples.record import Example
from circuit_widget.feature_card import FeatureCard
from circuit_widget.graph import Feature, Graph
from circuit_widget.intervention import Ablate, Add, Intervention, Scale, Set
from circuit_widget.intervention.alignment import Alignment
from circuit_widget.intervention.effect import Effect, token_frame
from circuit_widget.intervention.studies.controls import controls
from circuit_widget.intervention.studies.faithfulness import faithfulness
from circuit_widget.intervention.studies.group_sweep import sweep_groups
from circuit_widget.intervention.studies.steered_generation import SteeredGeneration
from circuit_widget.intervention.studies.strength_sweep import sweep, sweep_last_layer
from circuit_widget.intervention.studies.validation import validate
from circuit_widget.model.sampling import SampledToken
from circuit_widget.model.tokens.prompt import Prompt
from circuit_widget.nodes import Everywhere, PromptToken
from circuit_widget.tracing.activations import Activations
from circuit_widget.tracing.generation import Generation
from tests.widget.small_graph import N_LAYERS, WORDS, small_graph

VOCABULARY = (*WORDS, *(f"word {number}" for number in range(len(WORDS), 48)))


class LinearModel:
    """Does what its graph predicts.

    `gate` is waited for at every layer; `running` is set from the first layer to the end of a run; `failure` is raised
    where a run would start.
    """

    transcoders: Any = SimpleNamespace(n_features=lambda layer: 64)
    controls = controls
    sweep = sweep
    sweep_last_layer = sweep_last_layer
    sweep_groups = sweep_groups
    faithfulness = faithfulness
    validate = validate
    source = None

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.name, self.device, self.dtype, self.n_layers = "linear", "cpu", "float32", N_LAYERS
        self.gate = threading.Event()
        self.gate.set()
        self.running = threading.Event()
        self.failure: BaseException | None = None
        self.runs = 0

    def attach(self, graph: Graph) -> Graph:
        """Return a graph, which fits."""
        return graph

    def trace(
        self,
        prompt: object = None,
        *,
        targets: Sequence[Any] | None = None,
        max_features: int | None = None,
        progress: Callable[[float, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        **_: Any,
    ) -> Graph:
        """Return the one graph there is, whatever the prompt; of its targets those given, and its last features."""
        with self._run():
            for layer in range(self.n_layers):
                self._pause(cancelled)
                if callable(progress):
                    progress(layer / self.n_layers, "Following edges")
        graph = small_graph(model=self)
        n, kept = graph.n_features, graph.n_features - (max_features or graph.n_features)
        rows = [n + row for row, one in enumerate(graph.targets) if targets is None or one.token_id in targets]
        return small_graph(
            model=self,
            targets=[graph.targets[row - n] for row in rows],
            feature_layer=graph.feature_layer[kept:],
            feature_position=graph.feature_position[kept:],
            feature_index=graph.feature_index[kept:],
            activation=graph.activation[kept:],
            weights=graph.weights[[*range(kept, n), *rows]][:, kept:],
            labels={node: text for node, text in graph.labels.items() if graph.index(node) >= kept},
        )

    def tokenize(self, _: object) -> tuple[PromptToken, ...]:
        """Return the tokens of the one prompt."""
        return small_graph().tokens

    def intervene(
        self,
        graph: Graph,
        interventions: Sequence[Intervention],
        *,
        mode: object = "total",
        progress: Callable[[float, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Effect:
        """Propagate the change through the graph's edges, layer by layer."""
        with self._run():
            self.runs += 1
            values = {}
            for one in interventions:
                values.update(values_of(one, graph))
            after = graph.activation.astype(np.float64)
            for layer in range(self.n_layers):
                self._pause(cancelled)
                if progress is not None:
                    progress(layer / self.n_layers, f"Layer {layer}")
                for feature in np.flatnonzero(graph.feature_layer == layer):
                    node = graph.node_ids[feature]
                    after[feature] = (
                        values[node] if node in values else after[feature] + self._change(graph, after, values, feature)
                    )
            logits = np.zeros(len(VOCABULARY), dtype=np.float32)
            logits[[target.token_id for target in graph.targets]] = [target.logit for target in graph.targets]
            changed = logits.copy()
            for row, target in enumerate(graph.targets):
                changed[target.token_id] += self._change(graph, after, values, graph.n_features + row)
        injected = tuple((Feature(*place), value) for node, value in values.items() if (place := unknown(graph, node)))
        return Effect(
            graph=graph,
            interventions=tuple(interventions),
            mode=mode if isinstance(mode, str) else f"{mode[0]}-{mode[1]}",  # type: ignore[index]
            frozen="nothing frozen",
            nodes=pd.DataFrame(
                {
                    "id": [*graph.node_ids[: graph.n_features], *(feature.id for feature, _ in injected)],
                    "before": [*graph.activation.tolist(), *(0.0 for _ in injected)],
                    "after": [*after.tolist(), *(value for _, value in injected)],
                    "predicted": [*after.tolist(), *(value for _, value in injected)],
                }
            ),
            tokens=token_frame(logits, changed, changed, lambda ids: [VOCABULARY[token] for token in ids]),
            logits_before=logits,
            logits_after=changed,
            logits_predicted=changed,
            injected=injected,
            labels={},
            seconds=0.001,
            device=self.device,
            dtype=self.dtype,
        )

    def intervene_many(
        self,
        graph: Graph,
        experiments: Sequence[Any],
        *,
        mode: object = "total",
        progress: Any = None,
        cancelled: Any = None,
    ) -> tuple[Effect, ...]:
        """Do one after another."""
        changes = [[one] if isinstance(one, Intervention) else one for one in experiments]
        report = progress if callable(progress) else None
        return tuple(self.intervene(graph, one, mode=mode, progress=report, cancelled=cancelled) for one in changes)

    def _activations_of(self, graph: Graph, *, cancelled: Any = None) -> Activations:
        return Activations(graph.feature_layer, graph.feature_position, graph.feature_index, graph.activation)

    def align(self, graph: Graph, prompt: str) -> Alignment:
        """Pair a prompt's words with the graph's tokens, the first with the first."""
        others = tuple(PromptToken(word, number) for number, word in enumerate(["<bos>", *prompt.split()]))
        return Alignment(graph.tokens, others, {place: place for place in range(min(len(others), len(graph.tokens)))})

    def prompt_of(self, tokens: Sequence[PromptToken]) -> Prompt:
        """Take tokens as they are."""
        return Prompt(tuple(token.token_id for token in tokens), tuple(token.text for token in tokens))

    def generate(
        self,
        prompt: Prompt,
        *,
        interventions: Sequence[Intervention] | None = None,
        max_new_tokens: int = 32,
        on_token: Callable[[SampledToken], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        **options: Any,
    ) -> Generation | SteeredGeneration:
        """Count words up from 30, under interventions from 31; with the lock acquired, token by token."""
        first = (30,) if interventions is None else (30, 31)
        with self._run():
            for place in range(max_new_tokens):
                for run, start in enumerate(first):
                    self._pause(cancelled)
                    token = start + place % 8
                    if on_token is not None:
                        on_token(SampledToken(VOCABULARY[token], token, 0.5, place, bool(run)))
        opening = tuple(PromptToken(VOCABULARY[token], token) for token in prompt.token_ids)
        texts = []
        for number in first:
            tokens = tuple(
                PromptToken(VOCABULARY[t], t) for t in (number + place % 8 for place in range(max_new_tokens))
            )
            text, even = " ".join(token.text for token in tokens), (0.5,) * max_new_tokens
            texts.append(Generation((*opening, *tokens), len(opening), text, even, 0.0, options.get("seed"), False))
        if interventions is None:
            return texts[0]
        unsteered, steered = texts
        return SteeredGeneration(unsteered, steered, tuple(interventions), options.get("new_tokens", False))

    def feature_card(self, layer: int, feature: int) -> FeatureCard:
        """Return a card made of the feature's numbers."""
        if layer >= self.n_layers:
            raise NodeError(f"There is no layer {layer}.")
        example = Example(("of", "Texas"), (0.0, float(feature)))
        return FeatureCard(layer, feature, None, 0.25, 2.0, (example,), (("Austin", 1.5),), (("is", -0.5),))

    @contextmanager
    def _run(self) -> Iterator[None]:
        with self.lock:
            try:
                yield
            finally:
                self.running.clear()

    def _pause(self, cancelled: Callable[[], bool] | None) -> None:
        self.running.set()
        if self.failure is not None:
            raise self.failure
        while not self.gate.wait(0.005):
            if cancelled is not None and cancelled():
                break
        if cancelled is not None and cancelled():
            raise Cancelled("Cancelled.")

    def _change(self, graph: Graph, after: np.ndarray, values: dict[str, float], row: int) -> float:
        per_unit = graph.weights[row, : graph.n_features] / graph.activation
        # Of an error or a token the value is the share of it that stays.
        others = {node: share for node, share in values.items() if is_constant(graph, node)}
        left = sum((share - 1) * float(graph.weights[row, graph.index(node)]) for node, share in others.items())
        return float(per_unit @ (after - graph.activation)) + left


def values_of(intervention: Intervention, graph: Graph) -> dict[str, float]:
    """Return the value at which an intervention clamps each of its nodes."""
    values: dict[str, float] = {}
    for place, node in enumerate(intervention.members):
        assert not isinstance(node, Everywhere), "the model has no features beside those of its graph"
        wanted = node.id if isinstance(node, Feature) else node
        before = float(graph.activation[graph.index(wanted)]) if wanted in graph.node_ids[: graph.n_features] else 0.0
        if is_constant(graph, wanted):
            before = 1.0
        match intervention:
            case Ablate():
                values[wanted] = 0.0
            case Scale(factor=factor):
                values[wanted] = factor * before
            case Set(value=value):
                values[wanted] = value if isinstance(value, float) else value[place]
            case Add(value=value):
                values[wanted] = before + (value if isinstance(value, float) else value[place])
    return values


def is_constant(graph: Graph, node: str) -> bool:
    """Return whether a node is an error or a token, which has no activation."""
    return node in graph.node_ids[graph.n_features : graph.weights.shape[1]]


def unknown(graph: Graph, node: str) -> tuple[int, int, int] | None:
    """Return layer, position and feature of a feature that is no node of the graph."""
    if node in graph.node_ids:
        return None
    layer, feature, position = map(int, node.split("_"))
    return layer, position, feature


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something is so, and fail if it does not come to be."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this never came to be"
        time.sleep(0.002)

"""A model that is its own attribution graph: linear, exact, and stopped at will between its layers."""

import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from circuit_widget.errors import Cancelled, NodeError
from circuit_widget.feature_card import Example, FeatureCard
from circuit_widget.graph import Feature, Graph
from circuit_widget.intervention import Ablate, Add, Intervention, Scale, Set
from circuit_widget.intervention.effect import Effect, token_frame
from tests.widget.small_graph import N_LAYERS, WORDS, small_graph

VOCABULARY = (*WORDS, *(f"word {number}" for number in range(len(WORDS), 48)))


class LinearModel:
    """Does what its graph predicts. `gate` is waited for at every layer; `failure` is raised where a run would start."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.name, self.device, self.dtype, self.n_layers = "linear", "cpu", "float32", N_LAYERS
        self.gate = threading.Event()
        self.gate.set()
        self.running = threading.Event()
        self.failure: BaseException | None = None
        self.runs = 0

    def trace(self) -> Graph:
        """Return the one graph there is."""
        return small_graph(model=self)

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
        with self.lock:
            self.runs += 1
            held = {}
            for one in interventions:
                held.update(held_by(one, graph))
            after = graph.activation.astype(np.float64)
            for layer in range(self.n_layers):
                self._pause(cancelled)
                if progress is not None:
                    progress(layer / self.n_layers, f"Layer {layer}")
                for feature in np.flatnonzero(graph.feature_layer == layer):
                    node = graph.node_ids[feature]
                    after[feature] = (
                        held[node] if node in held else after[feature] + self._change(graph, after, feature)
                    )
            logits = np.zeros(len(VOCABULARY), dtype=np.float32)
            logits[[target.token_id for target in graph.targets]] = [target.logit for target in graph.targets]
            changed = logits.copy()
            for row, target in enumerate(graph.targets):
                changed[target.token_id] += self._change(graph, after, graph.n_features + row)
        injected = tuple((Feature(*place), value) for node, value in held.items() if (place := unknown(graph, node)))
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

    def feature_card(self, layer: int, feature: int) -> FeatureCard:
        """Return a card made of the feature's numbers."""
        if layer >= self.n_layers:
            raise NodeError(f"There is no layer {layer}.")
        example = Example(("of", "Texas"), (0.0, float(feature)))
        return FeatureCard(layer, feature, None, 0.25, 2.0, (example,), (("Austin", 1.5),), (("is", -0.5),))

    def _pause(self, cancelled: Callable[[], bool] | None) -> None:
        self.running.set()
        if self.failure is not None:
            raise self.failure
        while not self.gate.wait(0.005):
            if cancelled is not None and cancelled():
                break
        if cancelled is not None and cancelled():
            raise Cancelled("Cancelled.")

    def _change(self, graph: Graph, after: np.ndarray, row: int) -> float:
        per_unit = graph.weights[row, : graph.n_features] / graph.activation
        return float(per_unit @ (after - graph.activation))


def held_by(intervention: Intervention, graph: Graph) -> dict[str, float]:
    """Return the value at which an intervention holds each of its nodes."""
    held = {}
    for place, node in enumerate(intervention.nodes):
        wanted = node.id if isinstance(node, Feature) else node
        before = float(graph.activation[graph.index(wanted)]) if wanted in graph.node_ids else 0.0
        match intervention:
            case Ablate():
                held[wanted] = 0.0
            case Scale(factor=factor):
                held[wanted] = factor * before
            case Set(value=value):
                held[wanted] = value if isinstance(value, float) else value[place]
            case Add(value=value):
                held[wanted] = before + (value if isinstance(value, float) else value[place])
    return held


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

"""Every entry of the public interface on a tiny model, with arguments that are right."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import circuit_widget as cw
from circuit_widget.circuit import Supernode
from circuit_widget.examples.exchange.published_labels import PublishedLabels
from circuit_widget.widget import keeping
from tests.examples.published import explanation, write_export
from tests.models import tiny_model

PROMPT = (1, 17, 42, 5)
LOOK = {"theme": "grey", "font": None}

LABELLING: Mapping[str, Any] = {
    "features": "0_0_1",
    "labeller": lambda _: "a label",
    "texts": None,
    "column": "text",
    "progress": False,
    "cancelled": None,
}


@dataclass(frozen=True)
class Entry:
    """A function of the public interface, and arguments that it takes."""

    function: Callable[..., Any]
    right: Mapping[str, Any]

    def call(self, **wrong: Any) -> Any:
        """Call it with some of the arguments replaced."""
        return self.function(**{**self.right, **wrong})


def make_entries() -> dict[str, Entry]:
    """Return every entry by its name, on things made once: what one call does to them, the next can bear."""
    model = tiny_model()
    graph = model.trace(PROMPT, targets=[5, 6])
    node, other, token = graph.node_ids[0], graph.node_ids[1], graph.targets[0].token_id
    token_node = graph.node_ids[graph.n_features + graph.n_errors]
    ablate = cw.Ablate(node)
    effect = model.intervene(graph, ablate)
    controls = model.controls(graph, ablate, n=2)
    generation = model.generate(PROMPT, max_new_tokens=2)
    circuit = cw.Circuit().group("group", [node]).pin([other])
    widget = cw.CircuitWidget(graph, circuit=circuit)
    widget.ablate(node)
    widget.ablate(other)
    figure = graph.figure(width=3)
    folder = Path(tempfile.mkdtemp(prefix="door"))
    graph.save(folder / "graph.safetensors")
    circuit.save(folder / "circuit.json")
    published = write_export(folder / "published", {"lines.jsonl": [explanation(0, 1, "a label")]})
    arrays = ("feature_layer", "feature_position", "feature_index", "activation", "error_layer", "error_position")
    build = {name: getattr(graph, name) for name in (*arrays, "token_position", "weights", "position", "n_layers")}
    tokens: dict[str, Any] = {
        "tokens": graph.tokens,
        "targets": graph.targets,
        "labels": {},
        "recipe": {},
        "model": None,
    }
    silent = {"progress": False, "cancelled": None}
    on_graph = {"graph": graph, "mode": "direct", **silent}
    traced = {"prompt": PROMPT, "targets": [5], "position": -1, "token": None, "max_features": 3}
    of_model: dict[str, dict[str, Any]] = {
        "tokenize": {"prompt": PROMPT},
        "trace": {**traced, "step": None, **silent},
        "estimate": traced,
        "generate": {
            "prompt": PROMPT,
            "interventions": [ablate],
            "new_tokens": False,
            "max_new_tokens": 1,
            "temperature": 0.0,
            "seed": None,
            "on_token": None,
            **silent,
        },
        "verify": {"graph": graph, "n": 1, **silent},
        "attach": {"graph": graph},
        "fidelity": {"texts": [PROMPT, PROMPT], **silent},
        "activations": {"prompt": PROMPT},
        "collect_examples": {
            "texts": ["Paris is"],
            "folder": folder / "examples",
            "column": "text",
            "window": None,
            "max_tokens": 100,
            **silent,
        },
        "read_examples": {"path": published, "folder": None, **silent},
        "feature_card": {"layer": 0, "feature": 0},
        "read_prompt": {"prompt": PROMPT},
        "prompt_of": {"tokens": graph.tokens},
        "intervene": {**on_graph, "interventions": ablate},
        "intervene_many": {**on_graph, "experiments": [ablate]},
        "align": {"graph": graph, "prompt": PROMPT},
        "controls": {**on_graph, "interventions": ablate, "n": 1, "seed": 0, "same_position": True},
        "sweep": {**on_graph, "nodes": node, "factors": [0], "on_effects": None},
        "sweep_last_layer": {"graph": graph, "interventions": ablate, "first": 2, "on_effects": None, **silent},
        "sweep_groups": {**on_graph, "groups": [node], "factor": 0, "pairs": False, "n": 1, "on_effects": None},
        "faithfulness": {**on_graph, "groups": [node], "n": 1, "ablate_errors": False},
        "validate": {**on_graph, "groups": [node], "n": 1, "mode": "total"},
        "local_labels": {"graph": graph, "n": 1, **silent},
        "stability": {
            **{name: traced[name] for name in ("targets", "position", "max_features")},
            "prompts": [PROMPT, (1, 17, 43, 5)],
            "node_threshold": 0.5,
            "edge_threshold": 0.5,
            **silent,
        },
    }
    of_graph: dict[str, dict[str, Any]] = {
        "build": {**build, **tokens},
        "index": {"node": node},
        "find": {"node": node},
        "resolve": {"nodes": [node]},
        "labelled": {"label": "a label"},
        "qk_contributors": {"node": None},
        "with_labels": {"labels": {node: "a label"}},
        "paths": {"source": node, "target": graph.node_ids[-1], "k": 1},
        "strongest_edges": {"count": 1, "among": None},
        "prune": {"node_threshold": 0.5, "edge_threshold": 0.5},
        "stability": {"node_thresholds": [0.5], "edge_thresholds": [0.5, 1], **silent},
        "scores": {"keep": [node]},
        "verify": {"n": 1},
        "validate": {"groups": [node]},
        "propose_groups": {"n": 2, "circuit": None, "progress": False},
        "propose_circuit": {"n": 2, "progress": False},
        "save": {"path": folder / "graph.safetensors"},
        "load": {"path": folder / "graph.safetensors"},
        "export": {"path": folder / "graph.json", "slug": "a", "scan": "b"},
        "from_networkx": {"net": graph.to_networkx()},
        "show": {"model": None},
        "figure": {"circuit": None, "effect": None, "part": "map", "width": 3, "title": None, **LOOK},
    }
    of_circuit: dict[str, dict[str, Any]] = {
        "supernode": {"id_or_name": "group"},
        "group": {"name": "name", "nodes": node},
        "add": {"id_or_name": "group", "nodes": other},
        "remove": {"nodes": node},
        "ungroup": {"id_or_name": "group"},
        "rename": {"id_or_name": "group", "name": "name"},
        "recolor": {"id_or_name": "group", "color": 2},
        "label": {"node": node, "text": "text"},
        "pin": {"nodes": node},
        "unpin": {"nodes": node},
        "move": {"box": other, "x": 0, "y": 0},
        "threshold": {"node": 0.5, "edge": 0.5},
        "filter": {"filters": None},
        "hide": {"nodes": node},
        "cut_edges": {"least_share": 0.1},
        "number_edges": {"edge_numbers": True},
        "mark_stability": {"edge_stability": True},
        "check": {"graph": graph},
        "from_json": {"value": circuit.to_json()},
        "save": {"path": folder / "circuit.json"},
        "load": {"path": folder / "circuit.json"},
        "export": {"path": folder / "graph.json", "graph": graph, "slug": "a", "scan": "b"},
        "to_link": {"graph": cw.open(graph.export(folder / "opened.json")), "slug": "a", "scan": "b"},
        "from_link": {"link": "?pinnedIds=" + node, "graph": graph},
    }
    of_widget: dict[str, dict[str, Any]] = {
        "group": {"name": "name", "nodes": node},
        "ungroup": {"name": "group"},
        "rename": {"name": "group", "new_name": "group"},
        "pin": {"nodes": node},
        "unpin": {"nodes": node},
        "label": {"node": node, "text": "text"},
        "select": {"nodes": node},
        "figure": {"part": "map", "width": 3, **LOOK},
        "to_html": {"path": folder / "circuit.html"},
        "ablate": {"nodes": node, "mode": "direct"},
        "scale": {"nodes": node, "factor": 0, "mode": "direct"},
        "set": {"nodes": node, "value": 0, "mode": "direct"},
        "add": {"nodes": node, "value": 0, "mode": "direct"},
        "swap": {"nodes": node, "prompt": (1, 17, 43, 5), "features": None, "mode": "direct", "alignment": None},
        "intervene": {"interventions": ablate, "mode": "direct"},
        "controls": {"n": 1, "seed": 0},
        "sweep": {"nodes": node, "factors": [0], "mode": "direct"},
        "sweep_last_layer": {"interventions": ablate},
        "sweep_groups": {"pairs": False, "mode": "direct"},
        "generate": {"interventions": ablate, "max_new_tokens": 1},
        "validate": {"mode": "total"},
        "recall": {"number": 1},
        "compare": {"first": 1, "second": 2},
        "rename_experiment": {"number": 1, "name": "name"},
        "record": {"effect": effect, "name": "name"},
    }
    of_token = {"token": token, "quantity": "logit"}
    methods: list[tuple[Any, dict[str, dict[str, Any]]]] = [
        (model, of_model),
        (graph, of_graph),
        (circuit, of_circuit),
        (cw.Filters(), {"from_json": {"value": {"layers": [0, 1]}}}),
        (generation, {"position_of": {"token": 0}, "trace": {"token": 0}}),
        (model.activations(PROMPT), {"at": {"layer": 0, "position": 1}, "agree_with": {"graph": graph}}),
        (model.sweep(graph, node, [0]), {"to_frame": {"tokens": [token]}, "plot": {"tokens": [token]}}),
        (model.sweep(graph, node, [0]), {"activation": {"groups": {"name": [node]}}}),
        (model.sweep_groups(graph, [node]), {"to_frame": {"tokens": [token]}, "plot": {"token": token}}),
        (model.validate(graph, n=3), {"plot": {"kind": "logit"}}),
        (graph.propose_groups(2, progress=False), {"to_circuit": {"pinned": [token_node]}}),
        (cw.Everywhere(0, 0), {"at": {"position": 1}}),
        (model.feature_card(0, 0), {"at": {"activation": -1.5}}),
        # Without examples, so that labels by rule are refused whatever other entries collect.
        (tiny_model(), {"label_features": dict(LABELLING)}),
        (PublishedLabels(), {"of_graph": {"graph": graph}}),
        (model.label_features(node, labeller=lambda _: "a label", progress=False), {"of_graph": {"graph": graph}}),
        (
            model.faithfulness(graph, [node]),
            {"necessity": {"token": token}, "sufficiency": {"token": token}, "to_frame": {"tokens": [token]}},
        ),
        (
            figure,
            {
                "pdf": {"fonts": ()},
                "png": {"dpi": 100, "fonts": ()},
                "latex": {"file": "figure.pdf", "caption": True, "label": None},
                "missing_glyphs": {"fonts": ()},
                "save": {"path": folder / "figure.png", "fonts": (), "dpi": 100, "recipe": True},
            },
        ),
        (
            effect,
            {
                **{name: {"token": token} for name in ("rank", "probability", "predicted_probability", "token_id")},
                "ratio": {"nodes": [node]},
                "to_frame": {"groups": [node]},
            },
        ),
        (
            controls,
            {
                **dict.fromkeys(("values", "share", "p_value"), of_token),
                "band": {"values": np.zeros(2)},
                "activation_band": {"nodes": [node]},
                "to_frame": {"tokens": [token]},
                "plot": {"tokens": [token]},
            },
        ),
    ]
    entries = {
        f"{type(owner).__name__}.{name}": Entry(getattr(owner, name), right)
        for owner, named in methods
        for name, right in named.items()
    }
    for name, right in of_widget.items():
        entries[f"CircuitWidget.{name}"] = Entry(_unchanged(widget, circuit, name), right)
    exported = {"folder": folder / "exported", "format": "neuronpedia", **silent}
    entries["ReplacementModel.export_examples"] = Entry(_exporting(model, folder / "exported"), exported)
    changed = {"prompt": PROMPT, "targets": [5], "token_position": None, "max_features": 3}
    entries["CircuitWidget.retrace"] = Entry(_tracing_again(graph), changed)
    entries["CircuitWidget.forget"] = Entry(_forgetting(graph, effect), {"number": 1})
    swapped = {"nodes": node, "prompt": PROMPT, "features": None, "alignment": None}
    whole: dict[str, Any] = {"pinned": (), "supernodes": (), "labels": {}, "positions": {}}
    filters: dict[str, Any] = {
        "kinds": ("feature",),
        "layers": (0, 1),
        "positions": (0, 1),
        "sign": "excites",
        "label": "text",
        "stability": 1,
        "error_bands": True,
        "hidden": (node,),
    }
    made: dict[str, tuple[type, dict[str, Any]]] = {
        "Ablate": (cw.Ablate, {"nodes": node}),
        "Scale": (cw.Scale, {"nodes": node, "factor": 0}),
        "Set": (cw.Set, {"nodes": node, "value": 0}),
        "Add": (cw.Add, {"nodes": node, "value": 0}),
        "SwapIn": (cw.SwapIn, swapped),
        "Feature": (cw.Feature, {"layer": 0, "position": 0, "feature": 0}),
        "ChatLabeller": (
            cw.ChatLabeller,
            {"model": model.model.network, "tokenizer": model.model.tokenizer, "max_new_tokens": 4},
        ),
        "Everywhere": (cw.Everywhere, {"layer": 0, "feature": 0}),
        "Contrast": (cw.Contrast, {"token": 5, "other": 6}),
        "Direction": (cw.Direction, {"name": "name", "vector": [1.0] * 32}),
        "Supernode": (Supernode, {"id": "s1", "name": "name", "color": 0, "nodes": (node,)}),
        "Circuit": (
            cw.Circuit,
            {
                **whole,
                "node_threshold": 0,
                "edge_threshold": 0,
                "revision": 0,
                "filters": cw.Filters(),
                "least_share": 0,
                "edge_numbers": True,
                "edge_stability": True,
            },
        ),
        "Filters": (cw.Filters, filters),
        "CircuitWidget": (
            cw.CircuitWidget,
            {"graph": graph, "model": None, "circuit": None, "keep": None, "theme": "auto", "height": 420},
        ),
    }
    loaded: dict[str, Any] = {"model": "demo", "transcoders": None, "tokenizer": None, "device": "cpu", "dtype": None}
    loaded |= {
        "encoders": None,
        "download": False,
        "input_site": None,
        "output_site": None,
        "gguf": None,
        "examples": None,
    }
    redone: dict[str, Any] = {
        "path": figure.save(folder / "redone.svg"),
        "output": folder / "again.svg",
        "model": None,
        "transcoders": None,
        "graph": graph,
        "fonts": (),
        "exact": True,
        "progress": False,
    }
    functions = {
        "compare": Entry(cw.compare, {"graph": graph, "other": graph, "alignment": None}),
        "load": Entry(cw.load, loaded),
        "open": Entry(cw.open, {"path": graph.export(folder / "opened.json"), **silent}),
        "panels": Entry(cw.panels, {"entries": [graph], "columns": 1, "width": 3, "title": None, **LOOK}),
        "read_labels": Entry(cw.read_labels, {"path": published}),
        "redo": Entry(cw.redo, redone),
    }
    return {**entries, **{name: Entry(*one) for name, one in made.items()}, **functions}


def _unchanged(widget: cw.CircuitWidget, circuit: cw.Circuit, name: str) -> Callable[..., Any]:
    """Return a method of a widget whose circuit is each time as it was at first."""

    def call(**given: Any) -> Any:
        widget.circuit = circuit
        return getattr(widget, name)(**given)

    return call


def _exporting(model: cw.ReplacementModel, folder: Path) -> Callable[..., None]:
    """Return `export_examples` of a model with a label, without the folder that it wrote before."""
    model.read_examples(write_export(folder.with_name("labels"), {"a.jsonl": [explanation(0, 1, "a label")]}))

    def export(**given: Any) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        model.export_examples(**given)

    return export


def _tracing_again(graph: cw.Graph) -> Callable[..., None]:
    """Return `retrace` of a widget made each time, which displays another graph then."""

    def retrace(**given: Any) -> None:
        cw.CircuitWidget(graph).retrace(**given)

    return retrace


def _forgetting(graph: cw.Graph, effect: cw.Effect) -> Callable[..., None]:
    """Return `forget` of a widget with one experiment, made each time: what was forgotten is gone."""

    def forget(**given: Any) -> None:
        keeping._last.clear()
        widget = cw.CircuitWidget(graph)
        widget.record(effect, "name")
        widget.forget(**given)

    return forget

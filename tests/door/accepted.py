"""Which of the values in `values.py` each parameter takes, and why; every other value has to be refused."""

NONE = frozenset({"None"})
ONE = frozenset({"numpy 1", "torch 1"})
"""Whole numbers of NumPy and torch are whole numbers."""

FROM_ZERO = ONE | {"0"}
HUGE = frozenset({"10**30", "10**5000"})
"""Where a number is only a limit, or nothing says how many of something there are, any will do."""

SHARE = FROM_ZERO | {"numpy 0.5"}
NUMBER = SHARE | {"-1", "1.5", "10**30"}
FLAG = frozenset({"True", "numpy True"})
TEXT = frozenset({"text"})
ANY_TEXT = TEXT | {"empty text", "half a character", "long text"}
FEATURE = frozenset({"Feature"})
EMPTY = frozenset({"empty list"})
EMPTY_MAPPING = frozenset({"empty mapping"})
NOTHING: frozenset[str] = frozenset()

CALLBACK = NONE | {"failing callable", "class"}
"""A function is called only where there is something to tell; what it raises is its caller's."""

ACCEPTED: dict[str, frozenset[str]] = {
    # By the name of the parameter, whatever has it.
    "alignment": NONE,
    "cancelled": CALLBACK,
    "graph": NOTHING,
    "groups": NONE,
    "interventions": NOTHING,
    "link": NOTHING,
    "mode": NOTHING,
    "n": ONE,
    "name": TEXT,
    "nodes": NOTHING,
    "net": NOTHING,
    "number": ONE,
    "on_effects": CALLBACK,
    "path": NOTHING,
    "progress": CALLBACK | FLAG,
    "prompt": NOTHING,
    "seed": FROM_ZERO,
    "token": FROM_ZERO,
    "tokens": FROM_ZERO | NONE,
    "value": NUMBER,
    # Interventions are made before there is a graph: their nodes and prompts are looked up when they run.
    **{f"{kind}.nodes": ANY_TEXT | FEATURE for kind in ("Ablate", "Scale", "Set", "Add", "SwapIn")},
    "Scale.factor": NUMBER,
    "SwapIn.features": ANY_TEXT | FEATURE | NONE,
    "SwapIn.prompt": ANY_TEXT - {"half a character"},
    "Contrast.token": ANY_TEXT | FROM_ZERO | HUGE,
    "Contrast.other": ANY_TEXT | FROM_ZERO | HUGE,
    "Direction.name": TEXT,
    "Direction.vector": frozenset({"everything"}),  # checked where the model, and so its width, is known
    **{f"Feature.{number}": FROM_ZERO | HUGE for number in ("layer", "position", "feature")},
    **{f"Everywhere.{number}": FROM_ZERO | HUGE for number in ("layer", "feature")},
    "Everywhere.at.position": FROM_ZERO | HUGE,
    # A circuit is a document of its own: what it names need not be in any graph until it is checked against one.
    **{f"Circuit.{edit}.nodes": TEXT | FEATURE for edit in ("add", "group", "pin", "unpin")},
    "Circuit.pinned": EMPTY,
    "Circuit.supernodes": EMPTY,
    "Circuit.labels": EMPTY_MAPPING,
    "Circuit.positions": EMPTY_MAPPING,
    "Graph.with_labels.labels": EMPTY_MAPPING,
    "Circuit.revision": FROM_ZERO,
    "Circuit.node_threshold": SHARE | NONE,
    "Circuit.edge_threshold": SHARE | NONE,
    "Circuit.threshold.node": SHARE | NONE,
    "Circuit.threshold.edge": SHARE | NONE,
    "Circuit.label.node": TEXT | FEATURE,
    "Circuit.label.text": TEXT | {"empty text"},
    "Circuit.move.box": NOTHING,
    "Circuit.move.x": SHARE,
    "Circuit.move.y": SHARE,
    "Circuit.from_json.value": NOTHING,
    "id_or_name": NOTHING,
    "Circuit.save.path": TEXT,
    "Supernode.id": NOTHING,
    "Circuit.recolor.color": FROM_ZERO,
    "Supernode.color": FROM_ZERO,
    "Supernode.nodes": TEXT | FEATURE,
    # Of a graph.
    "Graph.index.node": NOTHING,
    "Graph.find.node": frozenset({"everything"}),  # None is the answer for what is no node
    "Graph.resolve.nodes": EMPTY,
    "Graph.labelled.label": NOTHING,
    "Graph.qk_contributors.node": NONE,
    "Graph.strongest_edges.count": FROM_ZERO | HUGE | NONE,
    "Graph.strongest_edges.among": EMPTY | NONE,
    "Graph.prune.node_threshold": SHARE,
    "Graph.prune.edge_threshold": SHARE,
    "Graph.stability.node_thresholds": NOTHING,
    "Graph.stability.edge_thresholds": NOTHING,
    "Graph.scores.keep": EMPTY | NONE,
    "Graph.verify.n": ONE | HUGE,
    "Graph.propose_groups.n": ONE | NONE,
    "Graph.propose_circuit.n": ONE | NONE,
    "Proposals.to_circuit.pinned": EMPTY,
    "Graph.save.path": TEXT,
    "slug": NONE | TEXT,
    "scan": NONE | TEXT,
    "CircuitWidget.retrace.prompt": NONE,
    "token_position": NONE,
    "Graph.show.model": NONE,
    "Graph.figure.circuit": NONE,
    "Graph.figure.effect": NONE,
    "Graph.figure.title": ANY_TEXT | NONE,
    "part": NOTHING,
    "width": NOTHING,
    # Of a model.
    "ReplacementModel.trace.position": ONE | {"-1"},
    "ReplacementModel.estimate.position": ONE | {"-1"},
    "ReplacementModel.trace.token": NONE,
    "ReplacementModel.estimate.token": NONE,
    "targets": FROM_ZERO | NONE,
    "max_features": ONE | HUGE | NONE,
    "step": ONE | HUGE | NONE,
    "experiments": NOTHING,
    "texts": NOTHING,
    "ReplacementModel.prompt_of.tokens": NOTHING,
    "ReplacementModel.generate.interventions": NONE,
    "ReplacementModel.generate.seed": FROM_ZERO | NONE,
    "new_tokens": FLAG,
    "max_new_tokens": ONE | HUGE,
    "temperature": SHARE | {"1.5", "10**30"},
    "on_token": CALLBACK,
    "ReplacementModel.collect_examples.texts": NONE,
    "column": ANY_TEXT,
    "ReplacementModel.label_features.features": EMPTY,
    "ReplacementModel.label_features.labeller": NOTHING,  # what a labeller raises is named with its feature
    "ReplacementModel.label_features.texts": NONE,
    "ChatLabeller.model": NOTHING,
    "ChatLabeller.tokenizer": NOTHING,
    "folder": TEXT,
    "window": NONE,
    "max_tokens": ONE | HUGE | NONE,
    "ReplacementModel.export_examples.format": NOTHING,
    # Refused where there is something of this name, as another entry may have written.
    "ReplacementModel.read_examples.folder": frozenset({"everything"}),
    "ReplacementModel.export_examples.folder": frozenset({"everything"}),
    "ReplacementModel.feature_card.layer": FROM_ZERO,
    "ReplacementModel.feature_card.feature": FROM_ZERO,
    "same_position": FLAG,
    "factors": frozenset({"tensor"}),
    "factor": NUMBER,
    "first": FROM_ZERO,
    "pairs": FLAG,
    "ablate_errors": FLAG,
    **{
        f"ReplacementModel.{study}.n": ONE | HUGE
        for study in ("verify", "sweep_groups", "faithfulness", "validate", "local_labels")
    },
    # Of what a model returns.
    "Generation.position_of.token": FROM_ZERO | {"-1"},
    "Generation.trace.token": FROM_ZERO | {"-1"} | NONE,
    "FeatureCard.at.activation": NUMBER,
    "Activations.at.layer": FROM_ZERO | HUGE,
    "Activations.at.position": FROM_ZERO | HUGE,
    "Effect.ratio.nodes": EMPTY,
    **{f"Controls.{name}.token": FROM_ZERO | NONE for name in ("values", "share", "p_value")},
    "quantity": NOTHING,
    "Controls.band.values": frozenset({"tensor"}),
    "Controls.activation_band.nodes": EMPTY,
    "Faithfulness.necessity.token": FROM_ZERO | NONE,
    "Faithfulness.sufficiency.token": FROM_ZERO | NONE,
    "GroupSweep.plot.token": FROM_ZERO | NONE,
    "Sweep.activation.groups": EMPTY_MAPPING,
    "kind": NOTHING,
    # Of a figure.
    "fonts": EMPTY,
    "scale": ONE | {"1.5", "numpy 0.5"},
    # Of a widget.
    "CircuitWidget.model": NONE,
    "CircuitWidget.circuit": NONE,
    "CircuitWidget.keep": NONE | TEXT,
    "theme": NOTHING,
    "height": NOTHING,
    "CircuitWidget.select.nodes": EMPTY,
    "CircuitWidget.unpin.nodes": FEATURE,
    "CircuitWidget.label.node": NOTHING,
    "CircuitWidget.label.text": TEXT | {"empty text"},
    "new_name": TEXT,
    "features": NONE,
    "CircuitWidget.ungroup.name": NOTHING,
    "CircuitWidget.rename.name": NOTHING,
    "CircuitWidget.feature_of.node": NOTHING,
    "CircuitWidget.generate.interventions": NONE,
    "CircuitWidget.forget.number": ONE,
    "second": ONE,
    "CircuitWidget.compare.first": ONE,
    "effect": NOTHING,
    "controls": NOTHING,
    # Of loading.
    "load.model": NOTHING,
    "transcoders": NONE,
    "tokenizer": NONE,
    "device": NONE,
    "dtype": NONE,
    "encoders": NONE,
    "download": FLAG,
    "input_site": NONE,
    "output_site": NONE,
    "gguf": NONE,
    "examples": NONE,
}

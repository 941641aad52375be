"""Draws docs/gallery: figures of real runs, on the embedded model, on SmolLM2, and of a graph file that is given.

`python -m tools.gallery` writes them; with `--graph FILE` it also draws that graph, as published.svg, which is not kept: it
is other people's data. The runs take a few minutes.
"""

import argparse
from pathlib import Path

import circuit_widget as cw
from circuit_widget.demo.groups import capital_features, state_features
from tests.real.smollm2 import model_directory

FOLDER = Path(__file__).parents[1] / "docs" / "gallery"
FONT = "Inter"
"""Goes along in the file: pages show pictures in the fonts of the reader's machine, which are wider."""
WIDTH = 6.75

OPPOSITES = {
    "English": "the opposite of small is",
    "French": "le contraire de petit est",
    "Spanish": "el opuesto de pequeño es",
}


def dallas(model: cw.ReplacementModel) -> cw.Figure:
    """Texas gives way to California, and the answer from Austin to Sacramento; beside 20 random swaps."""
    graph = model.trace("the capital of the state containing Dallas is")
    kept = [node for node in state_features(graph, "Texas") if node.id in graph.node_ids]
    texas = [node.id for node in kept if node.layer < graph.n_layers - 1]
    ends = [node for node in graph.node_ids if node in _texts(graph, "token", "capital", "Dallas")]
    circuit = (
        cw.Circuit()
        .group("Texas", texas)
        .group("say Austin", [node.id for node in kept if node.layer == graph.n_layers - 1])
        .group("capital", [node.id for node in capital_features(graph) if node.id in graph.node_ids])
        .pin([*ends, *_texts(graph, "logit", "Austin")])
    )
    swap = cw.SwapIn(texas, "the capital of the state containing Oakland is")
    return graph.figure(circuit, model.controls(graph, swap), part="intervention", width=WIDTH, font=FONT)


def opposites(model: cw.ReplacementModel) -> cw.Figure:
    """The circuits that are proposed for one question in three languages."""
    graphs = {language: model.trace(prompt) for language, prompt in OPPOSITES.items()}
    return cw.panels(
        {name: (graph, _proposed(graph).cut_edges(0.1)) for name, graph in graphs.items()},
        columns=3,
        width=WIDTH,
        font=FONT,
    )


def addition(model: cw.ReplacementModel) -> cw.Figure:
    """The map of a sum and the circuit that is proposed for it."""
    graph = model.trace("3 + 4 =")
    return graph.figure(_proposed(graph), width=WIDTH, font=FONT)


def paris(model: cw.ReplacementModel) -> cw.Figure:
    """Ten neurons of SmolLM2 at one word, ablated beside 20 sets of random neurons."""
    graph = model.trace("The capital of France is")
    nodes, _ = graph.to_frames()
    neurons = nodes[nodes.kind == "feature"].sort_values("influence", ascending=False)
    circuit = (
        cw.Circuit()
        .group("capital", neurons[neurons.token == " capital"].id[:10])
        .group("France", neurons[neurons.token == " France"].id[:10])
        .group("at the end", neurons[neurons.position == graph.position].id[:10])
        .pin([*_texts(graph, "token", " capital", " France"), *_texts(graph, "logit", " Paris")])
        .cut_edges(0.01)
    )
    controls = model.controls(graph, cw.Ablate(circuit.supernode("capital").nodes))
    return graph.figure(circuit, controls, part="intervention", width=WIDTH, font=FONT)


def published(file: Path) -> cw.Figure:
    """The map of a graph that somebody published, with the groups on it if there are any."""
    graph = cw.open(file)
    circuit = cw.Circuit.load(file)
    return graph.figure(circuit if circuit.boxes() else None, width=WIDTH, font=FONT)


def _proposed(graph: cw.Graph) -> cw.Circuit:
    return graph.propose_circuit(progress=False).to_circuit()


def _texts(graph: cw.Graph, kind: str, *texts: str) -> list[str]:
    """Return the ids of the nodes of a kind that have one of these texts."""
    nodes, _ = graph.to_frames()
    return list(nodes[(nodes.kind == kind) & nodes.token.isin(texts)].id)


def main() -> None:
    """Draw the gallery, or the given graph alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", type=Path, help="graph file to draw instead, as published.svg")
    graph = parser.parse_args().graph
    FOLDER.mkdir(parents=True, exist_ok=True)
    if graph is not None:
        print(published(graph).save(FOLDER / "published.svg"))
        return
    demo = cw.load("demo", device="cpu", dtype="float32")
    for name, draw in {"dallas": dallas, "opposites": opposites, "sum": addition}.items():
        print(draw(demo).save(FOLDER / f"{name}.svg"))
    smollm2 = cw.load(model_directory(), "neurons", device="cpu", dtype="float32")
    print(paris(smollm2).save(FOLDER / "paris.svg"))


if __name__ == "__main__":
    main()

"""The plan of the house, Python and TypeScript, from the ground up: the rooms, what is in them, what each may import.

`python -m tests.house` writes it into CONTRIBUTING.md; tests/test_house.py checks the code and that file against it.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- the house: written by python -m tests.house -->", "<!-- end of the house -->"

FLOORS: tuple[dict[str, str], ...] = (
    {
        "errors": "the tree of errors that users see",
        "arguments": "checks of arguments, and how errors quote them",
        "characters": "counting and cutting text by whole characters",
        "nodes": "the kinds of nodes in a graph, and their ids",
        "feature_ids": "the numbers by which other tools' files name a feature",
        "progress": "progress and cancellation of runs",
    },
    {"system": "the machine and the process: memory, atomic writes, torch's settings, the linear backend"},
    {"transcoder": "transcoders (encode, decoder rows), and a reader for each layout on disk (formats/)"},
    {"model.tokens": "from a prompt, a target or a tokenizer to token ids"},
    {"model": "the language model: the sites of each architecture, capture, the frozen model, re-runs, generation"},
    {"examples": "what features fire on: collected from texts, kept in a folder, read for cards"},
    {"examples.exchange": "examples and labels in circuit-tracer's and Neuronpedia's formats, read and written"},
    {"attribution": "the computation of edges; influence, pruning, scores: functions of tensors"},
    {"graph": "Graph: node table, weights, files"},
    {"labels": "labels of features: by rule and how accurate, by a language model, imported; where they are kept"},
    {"circuit": "Circuit: the user's document, its rules, its JSON, edges between its boxes"},
    {"display": "the display rule: the visible nodes and edges of a graph, the first thresholds"},
    {"tracing": "one run of a prompt through the replacement model, and its graph; verification, fidelity"},
    {
        "intervention": "Ablate, Scale, Set, Add, SwapIn; modes; Effect; copy as code",
        "intervention.execution": "resolve and clamp nodes, re-run the model, predict with the graph; steering",
        "intervention.studies": "controls, sweeps, validation, faithfulness, steered generation",
    },
    {"comparison": "two graphs compared; the graphs of prompts that mean the same"},
    {
        "feature_card": "a feature's examples, and the tokens it promotes and suppresses",
        "replacement_model": "ReplacementModel: trace(), generate(), intervene(), verify() from the rooms above",
        "loading": "load()",
    },
    {"proposal": "groups and circuits proposed on a graph, with reasons: profiles, clusters, names"},
    {"wording": "texts for numbers, nodes and experiments, on screen and in figures; widths of text"},
    {"figure.layout": "the layout of map and circuit"},
    {"figure.scene": "a figure as shapes and texts: map, circuit, effect, legend"},
    {"figure.recipe": "the recipe of a figure: made, and read strictly"},
    {"figure.output": "a scene as SVG, PDF, PNG, TikZ, HTML; the recipe in a file"},
    {"figure": "Figure"},
    {"widget.wire": "the messages between kernel and page, and the graph's snapshot"},
    {"widget.history": "the work on one graph: its circuit, and the experiments made on it"},
    {"widget.message_builders": "what is displayed, as messages: effects, studies, cards, proposals"},
    {
        "widget.kept_work": "the file that keeps the work on a graph",
        "widget.state": "traits, and what the page may set",
    },
    {"widget.html_file": "the HTML file for readers: what is in it, and its page"},
    {"widget.worker": "the thread that runs the model for widgets, and the one that does debounced work"},
    {
        "widget.experiments": "the experiments and studies of a widget: run, kept, displayed, from Python and from the page"
    },
    {"widget.requests": "the requests of the page: one table of them, their handlers, and what receives them"},
    {"widget": "CircuitWidget"},
    {"demo": "the embedded model, its facts, the quickstart"},
    {"command_texts": "what the commands say of themselves"},
    {"cli": "the command line"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


FRONTEND_FLOORS: tuple[dict[str, str], ...] = (
    {
        "text": "text by whole characters, and its width",
        "page": "the browser page: sizes, events, downloads, colours",
    },
    {"messages": "the types of messages and the names of requests, all written from Python's"},
    {"wire": "requests to the kernel, traits, HTML files"},
    {"core": "graph, circuit and effect: pure functions, no DOM"},
    {"wording": "texts for numbers, nodes and experiments", "layout": "the layout of map and circuit"},
    {"store": "the state of one view: document, selection, undo, experiments; commands change it"},
    {"controls": "buttons, popovers, rows, glyphs that several panes use"},
    {
        "map": "the map of all nodes",
        "circuit": "the pane of the user's circuit",
        "inspector": "the inspected node or supernode: its card, inputs and outputs",
        "effects": "effects, sweeps, generated text, validation, history",
    },
    {"comparison": "two graphs beside each other: what is in both, and the map of the other one"},
    {"shell": "header, footer, status, search, keyboard: everything around the panes"},
)
FRONTEND_FLOOR = {room: floor for floor, rooms in enumerate(FRONTEND_FLOORS) for room in rooms}


def room_of(module: str) -> str | None:
    """Return the room of a module, named from the package on: the innermost that contains it, None outside all rooms."""
    parts = module.split(".")
    names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((name for name in names if name in FLOOR), None)


def plan() -> str:
    """Return the plan as CONTRIBUTING.md shows it."""
    lines = [
        f"  {room.replace('.', '/') + ('/' if (ROOT / 'circuit_widget' / room.replace('.', '/')).is_dir() else '.py'):<26}{what}"
        for rooms in FLOORS
        for room, what in rooms.items()
    ]
    frontend = [f"  {room + '/':<26}{what}" for rooms in FRONTEND_FLOORS for room, what in rooms.items()]
    return "\n".join([BEGIN, "```", "circuit_widget/", *lines, "", "js/src/", *frontend, "```", END])


def written() -> str:
    """Return CONTRIBUTING.md with the plan in it."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    return before + plan() + rest.split(END)[1]


if __name__ == "__main__":
    CONTRIBUTING.write_text(written(), encoding="utf-8")

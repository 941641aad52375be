"""The plan of the house, Python and TypeScript, from the ground up: the rooms, what is in them, what each may import.

`python -m tests.house` writes it into CONTRIBUTING.md; tests/test_house.py holds the code and that file to it.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- the house: written by python -m tests.house -->", "<!-- end of the house -->"

FLOORS: tuple[dict[str, str], ...] = (
    {
        "errors": "every error a user sees, one root",
        "arguments": "what users give, checked where it enters, and how errors quote it",
        "characters": "text by whole characters",
        "nodes": "what the nodes of a graph are, and their ids",
        "progress": "how far a run is",
    },
    {"system": "the machine and the process: memory, atomic writes, torch's settings, the linear backend"},
    {"transcoder": "what a transcoder is, and how each layout on disk is read (formats/)"},
    {"model.tokens": "from a prompt, a target or a tokenizer to token ids"},
    {"model": "the language model: where each architecture keeps things, one frozen pass, re-runs, generation"},
    {"attribution": "the sweep that finds the edges; influence, pruning, scores: functions of tensors"},
    {"graph": "Graph: node table, weights, files"},
    {"circuit": "Circuit: the user's document, its rules, its JSON, edges between its boxes"},
    {"tracing": "one prompt through the replacement model, and its graph"},
    {
        "intervention": "Ablate, Scale, Set, Add, SwapIn; Effect; copy as code",
        "intervention.execution": "an intervention resolved, run on the model, and predicted by the graph",
        "intervention.studies": "controls, sweeps, validation, faithfulness, steered generation",
    },
    {
        "feature_card": "what is known of a feature",
        "replacement_model": "trace(), generate(), intervene(), verify(): the rooms below, put together",
        "loading": "load()",
    },
    {"wording": "numbers, nodes and experiments in words, for screen and figure; text and its width"},
    {"figure.layout": "where everything in a figure stands"},
    {"figure.scene": "a figure as shapes and texts: map, circuit, effect, legend"},
    {"figure.output": "a scene as SVG, PDF, PNG"},
    {"figure": "Figure"},
    {"widget.wire": "what travels between kernel and page"},
    {"widget.state": "traits and the history of experiments"},
    {"widget.jobs": "what each request of the page does, and the worker that does it"},
    {"widget": "CircuitWidget"},
    {"demo": "the embedded model, its facts, the quickstart"},
    {"cli": "the command line"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


FRONTEND_FLOORS: tuple[dict[str, str], ...] = (
    {
        "text": "text by whole characters, and its width",
        "page": "the browser page: sizes, events, downloads, colours",
    },
    {"wire": "messages (written from Python's), requests to the kernel, traits"},
    {"core": "graph, circuit and effect: pure functions, no DOM"},
    {"wording": "numbers, nodes and experiments in words", "layout": "where everything on map and circuit is"},
    {"store": "the state of one view: document, selection, undo, experiments; commands change it"},
    {"controls": "buttons, popovers, rows, glyphs that several panes use"},
    {
        "map": "the map of all nodes",
        "circuit": "the pane of the user's circuit",
        "inspector": "what is known of the inspected node or supernode",
        "effects": "effects, sweeps, generated text, validation, history",
    },
    {"shell": "header, footer, status, search, keyboard: what is around the panes"},
)
FRONTEND_FLOOR = {room: floor for floor, rooms in enumerate(FRONTEND_FLOORS) for room in rooms}


def room_of(module: str) -> str | None:
    """Return the room of a module, named from the package on: the innermost that holds it, None outside all rooms."""
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

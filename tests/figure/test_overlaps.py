"""Nothing in a figure covers anything else, whatever the circuit, the effect and the width: 300 generated ones."""

import random
from collections.abc import Sequence

import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.figure.figure import Part, make_figure
from circuit_widget.figure.layout.map_labels import Area
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Item, Label, Rectangle, Scene
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate, Effect, Intervention, Scale, SwapIn
from circuit_widget.nodes import Feature
from circuit_widget.wording.text import mono_width, text_width
from tests.figure.graphs import dallas, effect_on

GRAPH = dallas()
WIDTHS = (3.25, 5.5, 6.75, None)
"""None for a width at random."""
COUNT = 300
BATCHES = 12
TOUCHING = 1.0
"""Pixels that areas may share: widths of text are computed without a font."""
LETTERS = 0.72
"""Height of capital letters, as a share of the size of a text."""
NAMES = (
    "Texas",
    "say Austin",
    "a",
    "the capital of the state of the city",
    "Donaudampfschifffahrtsgesellschaft",
    "州 の 首都",
    "عاصمة الولاية",
    "a name with a long explanation that goes on and on until nobody reads it",
    "i i i i i i i i i",
    "🙂🙂🙂",
)
SWAPPED = "the capital of the state containing Oakland is"


def random_circuit(rng: random.Random) -> Circuit:
    """Groups with names of any length and pins of any kind, from one box to thirty."""
    nodes = [node for node in GRAPH.node_ids[: GRAPH.n_features] if GRAPH.influence[GRAPH.index(node)] > 0]
    rng.shuffle(nodes)
    circuit = Circuit()
    for number in range(rng.choice((0, 1, 2, 4, 6, 8, 12))):
        size = rng.randint(1, 4)
        members, nodes = nodes[:size], nodes[size:]
        if members:
            circuit = circuit.group(f"{rng.choice(NAMES)} {number}" if number else rng.choice(NAMES), members)
    others = list(GRAPH.node_ids[GRAPH.n_features :])
    pins = rng.sample(others, min(len(others), rng.choice((1, 2, 3, 6, 10)))) + nodes[: rng.randint(0, 4)]
    circuit = circuit.pin(pins)
    return circuit.number_edges() if rng.random() < 0.3 else circuit


def random_effect(rng: random.Random, graph: Graph, circuit: Circuit) -> Effect:
    """Any factors; some boxes are ablated or scaled, and sometimes something is swapped in."""
    factors = {node: rng.choice((0.0, 0.2, 0.97, 1.0, 1.3, 12.0)) for node in graph.node_ids[: graph.n_features]}
    interventions: list[Intervention] = []
    injected: list[tuple[Feature, float]] = []
    for group in rng.sample(circuit.supernodes, min(len(circuit.supernodes), rng.randint(1, 3))):
        kind = rng.choice(("ablate", "scale", "swap"))
        nodes = group.nodes
        if kind == "swap":
            interventions.append(SwapIn(nodes, SWAPPED))
            injected += [(Feature(1, 7, 500 + number), 1.0) for number in range(rng.randint(1, 4))]
        else:
            interventions.append(Ablate(nodes) if kind == "ablate" else Scale(nodes, rng.choice((-2.0, 0.25))))
    return effect_on(graph, factors, interventions or [Ablate([graph.node_ids[0]])], injected)


def generated(seed: int) -> tuple[Circuit, Effect | None, Part, float]:
    """The circuit, the effect, the part and the width of one figure."""
    rng = random.Random(seed)
    circuit = random_circuit(rng)
    effect = random_effect(rng, GRAPH, circuit) if rng.random() < 0.8 else None
    parts: tuple[Part, ...] = ("circuit", "both", "intervention")
    part = rng.choice(parts if effect else parts[:2])
    width = WIDTHS[seed % len(WIDTHS)]
    return circuit, effect, part, round(rng.uniform(2.0, 12.0), 2) if width is None else width


def text_area(label: Label) -> Area:
    """Where the letters of an upright text are."""
    measure = mono_width if label.mono else text_width
    width, half = measure(label.text, label.size), LETTERS * label.size / 2
    left = label.x - {"start": 0.0, "middle": width / 2, "end": width}[label.anchor]
    return Area(left, label.y - half, left + width, label.y + half)


def area_of(item: Rectangle) -> Area:
    return Area(item.x, item.y, item.x + item.w, item.y + item.h)


def overlap(one: Area, other: Area) -> bool:
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    return across > TOUCHING and min(one.y1, other.y1) - max(one.y0, other.y0) > TOUCHING


def inside(one: Area, other: Area) -> bool:
    return (
        other.x0 - TOUCHING <= one.x0
        and one.x1 <= other.x1 + TOUCHING
        and other.y0 - TOUCHING <= one.y0
        and one.y1 <= other.y1 + TOUCHING
    )


def is_seen(item: Item) -> bool:
    """Whether a rectangle hides or tints what is behind it, other than a white ground of a text."""
    return isinstance(item, Rectangle) and (item.paint.stroke is not None or item.paint.fill != style.BACKGROUND)


def conflicts(scene: Scene) -> list[str]:
    """What covers what: texts over texts, and rectangles over texts that are not theirs."""
    found = []
    texts = [
        (at, item, text_area(item)) for at, item in enumerate(scene.items) if isinstance(item, Label) and not item.turn
    ]
    shapes = [
        (at, area_of(item)) for at, item in enumerate(scene.items) if isinstance(item, Rectangle) and is_seen(item)
    ]
    for number, (_, label, area) in enumerate(texts):
        for _, other, other_area in texts[:number]:
            if overlap(area, other_area):
                found.append(f"{label.text!r} and {other.text!r} at {area.x0:.0f}, {area.y0:.0f}")
    for at, label, area in texts:
        own = max((when for when, shape in shapes if when < at and inside(area, shape)), default=-1)
        for when, shape in shapes:
            if when > own and overlap(area, shape):
                found.append(f"{label.text!r} and a shape at {shape.x0:.0f}, {shape.y0:.0f}")
        if area.x0 < -TOUCHING or area.x1 > scene.width + TOUCHING or area.y0 < 0 or area.y1 > scene.height:
            found.append(f"{label.text!r} leaves the page")
    return found


def box_conflicts(scene: Scene) -> list[str]:
    """The boxes of the circuit that overlap: those with a name, without marks, which may be on the corner of a box."""
    names = [text_area(item) for item in scene.items if isinstance(item, Label) and item.anchor == "middle"]
    boxes: list[Area] = []
    for item in scene.items:
        if isinstance(item, Rectangle) and is_seen(item) and item.paint.stroke != style.INHIBIT and item.h > 12:
            area = area_of(item)
            if any(inside(name, area) for name in names):
                boxes.append(area)
    found = []
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            is_card = (
                abs(one.x0 - other.x0) <= 8.1
                and abs(one.y0 - other.y0) <= 8.1
                and abs(one.x1 - one.x0 - other.x1 + other.x0) < 1e-6
            )
            if overlap(one, other) and not is_card:
                found.append(f"boxes at {one.x0:.0f}, {one.y0:.0f} and {other.x0:.0f}, {other.y0:.0f}")
    return found


def checked(seeds: Sequence[int]) -> dict[int, list[str]]:
    found = {}
    for seed in seeds:
        circuit, effect, part, width = generated(seed)
        if part == "intervention" and not circuit.boxes():
            continue
        scene = make_figure(GRAPH, circuit, effect, part, width, title="A title" if seed % 3 == 0 else None).scene
        wrong = conflicts(scene) + box_conflicts(scene)
        if wrong:
            found[seed] = wrong
    return found


@pytest.mark.parametrize("batch", range(BATCHES))
def test_nothing_covers_anything(batch: int) -> None:
    assert checked(range(batch, COUNT, BATCHES)) == {}


def test_what_covers_something_is_found() -> None:
    """The checks themselves: a text moved onto another, and a box onto a box, are reported."""
    circuit = Circuit().pin([GRAPH.node_ids[-1], GRAPH.node_ids[-2]])
    scene = make_figure(GRAPH, circuit, part="circuit").scene
    assert conflicts(scene) == box_conflicts(scene) == []
    moved = Label(4.0, 12.0, "somewhere else", 12.0, style.INK)
    assert conflicts(Scene(scene.width, scene.height, (*scene.items, moved), ""))

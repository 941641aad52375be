"""Deterministic inputs of the layout, shared by the fixture and the property tests."""

import random
from collections.abc import Sequence
from typing import Any

from circuit_widget.figure.layout.beside import answers_beside, box_beside
from circuit_widget.figure.layout.circuit_layout import LayoutBox, circuit_layout
from circuit_widget.figure.layout.edge_numbers import box_area, number_places
from circuit_widget.figure.layout.map_labels import Area, LabelledMap, MapDot, label_area, label_frame, map_labels
from circuit_widget.figure.layout.map_layout import MapNode, columns_with_text, map_layout
from circuit_widget.figure.layout.open_edge import open_edge
from circuit_widget.figure.layout.routing import Link, Trunk, map_edge, route_edges, visible_links, visible_onward
from circuit_widget.figure.layout.strokes import (
    FAINT_WIDTHS,
    bar_half,
    dashes,
    edge_width,
    error_band_height,
    error_band_opacity,
    faint_opacity,
    faint_step,
    head_half,
    head_length,
    output_presence,
    presence,
    ring_width,
    signed_opacity,
    signed_width,
)
from circuit_widget.wording.text import apart, mono_width, printable, shorten, text_width, token_label, wrapped

DALLAS = ("<bos>", "the", " capital", " of", " the", " state", " containing", " Dallas", " is")
STRANGE = (
    "<bos>",
    "\n",
    "  ",
    "\t",
    " 東京",
    " مرحبا",
    " 🙂",
    "e\u0301",
    "\u202eevil",
    " antidisestablishmentarianism",
)
SCRIPTS = (
    "باريس 0.91",
    "क्षत्रिय स्त्री",
    "ผู้ใหญ่ที่นี่",
    "שָׁלוֹם עולם",
    "Україна",
    "「東京」と言う",
    "한국어",
    "👨‍👩‍👧‍👦 a family 👨‍👩‍👧‍👦",
    "🇫🇷🇩🇪 flags",
    "👍🏽👍🏽👍🏽👍🏽👍🏽",
    "e\u0301" * 12,
    "Łódź, Ærø, Ương – naïve",
    "Ελλάδα Ωμέγα",
    "ﬁne ½ € ™ ☎ ⟶ ℝ \u00ad",
)


PARTS = tuple(f"{layer} {part}" for layer in range(2) for part in ("bias lorsa_bQ", "attention", "bias tc_bD", "MLP"))
PARTS_OF_26 = tuple(f"{layer} {part}" for layer in range(26) for part in ("attention", "MLP"))


LONG_NAMES = (
    "say the capital of the state",
    "a name that goes on and on and on, and then on again, without an end in sight",
    "the Donaudampfschifffahrtsgesellschaft",
    "two  spaces, and one at the end ",
)


def numbered(n_layers: int) -> tuple[str, ...]:
    """The names of layers that have none but their numbers."""
    return tuple(map(str, range(n_layers)))


def map_nodes(seed: int, count: int, tokens: int, n_layers: int, logits: int = 2) -> list[MapNode]:
    """Features crowding towards the last positions, an error now and then, all tokens, some logits."""
    rng = random.Random(seed)
    nodes = [
        MapNode(
            "error" if rng.random() < 0.1 else "feature",
            rng.randrange(n_layers),
            max(1, tokens - 1 - int(rng.expovariate(0.6))) if rng.random() < 0.7 else rng.randrange(1, tokens),
            round(rng.paretovariate(1.2), 4),
        )
        for _ in range(count)
    ]
    nodes += [MapNode("token", -1, position, round(rng.random(), 4)) for position in range(1, tokens)]
    return [*nodes, *[MapNode("logit", n_layers, tokens - 1, 0.0)] * logits]


def in_runs(seed: int, count: int, tokens: int, n_layers: int) -> list[MapNode]:
    """Features at a few places of a long prompt, tokens where they are, some logits: all else is in bands."""
    nodes = [node for node in map_nodes(seed, count, tokens, n_layers) if node.kind != "token"]
    near = {node.position for node in nodes} | {nodes[0].position - 1, nodes[0].position - 3}
    return [*nodes, *(MapNode("token", -1, position, 0.01) for position in sorted(near) if position >= 0)]


LABELS = (
    "Texas",
    "Texas",
    "state",
    "say a capital",
    "",
    "",
    "Texas, West Virginia, Czechia",
    "here: +Paris −the",
    "here: Paris and the rest",
    "東京 の 州",
    "мост",
    *SCRIPTS,
)


def map_dots(
    seed: int, count: int, width: float, height: float, zoom: float = 1.0, share: float = 1.0
) -> tuple[list[MapDot], Area]:
    """The nodes of a map, some of them labelled, drawn by a camera on its middle; and the frame of their labels."""
    rng = random.Random(seed)
    nodes = map_nodes(seed, count, 9, 12, logits=5)
    layout = map_layout(nodes, DALLAS, numbered(12), width, height)
    scale = zoom**0.45
    dots = [
        MapDot(
            zoom * x - (zoom - 1) * width / 2,
            zoom * y - (zoom - 1) * height / 2,
            scale * radius,
            rng.choice(LABELS) if rng.random() < share else "",
            node.influence,
            rng.random() < 0.02,
        )
        for node, x, y, radius in zip(nodes, layout.x, layout.y, layout.radius, strict=True)
    ]
    return dots, label_frame(layout, width)


def boxes_and_links(
    seed: int, count: int, n_layers: int = 16, density: float = 0.15
) -> tuple[list[LayoutBox], list[Link]]:
    rng = random.Random(seed)
    names = ("Texas", "capital", "say a capital", "state", "東京 の 州", "a name that goes on and on and on", "x")
    boxes = [
        LayoutBox(
            rng.choice(names), rng.randint(1, 5), round(rng.uniform(0, n_layers - 1), 3), round(rng.uniform(1, 9), 3)
        )
        for _ in range(count)
    ]
    boxes += [LayoutBox("Dallas", 1, -1.0, 7.0, True), LayoutBox("capital", 1, -1.0, 2.0, True)]
    boxes += [LayoutBox("Austin", 1, float(n_layers), 9.0, True)]
    links = [
        Link(source, target, round(rng.uniform(-0.4, 0.9), 3))
        for source in range(len(boxes))
        for target in range(len(boxes))
        if source != target and boxes[source].layer <= boxes[target].layer and rng.random() < density
    ]
    return boxes, links


def stored(boxes: list[LayoutBox], seed: int) -> list[LayoutBox]:
    """Every third box somewhere else, some of them where others stand or beyond the edge."""
    rng = random.Random(seed)
    return [
        box._replace(stored=(round(rng.uniform(-0.1, 1.1), 3), round(rng.uniform(-0.1, 1.1), 3)))
        if index % 3 == 0
        else box
        for index, box in enumerate(boxes)
    ]


def fixture() -> dict[str, Any]:
    """What tests/fixtures/layout.json holds: inputs, and what the functions make of them."""
    maps = [
        _map_case(map_nodes(1, 60, 9, 4), DALLAS, numbered(4), 740.0, 400.0),
        _map_case(map_nodes(2, 260, 10, 26, logits=10), STRANGE, numbered(26), 740.0, 420.0),
        _map_case(map_nodes(3, 60, 9, 4), DALLAS, numbered(4), 351.0, 300.0),
        _map_case(map_nodes(4, 0, 2, 1), DALLAS, numbered(1), 200.0, 120.0),
        _map_case(map_nodes(5, 300, 40, 12), tuple(f" token{i}" for i in range(40)), numbered(12), 900.0, 500.0),
        _map_case(map_nodes(6, 60, 9, 8), DALLAS, PARTS, 740.0, 400.0),
        _map_case(map_nodes(7, 60, 9, 52), DALLAS, PARTS_OF_26, 740.0, 420.0),
        _map_case(map_nodes(8, 20, 9, 2), DALLAS, ("0 a long name of a layer", "\u202e層"), 340.0, 300.0),
        _map_case(in_runs(9, 30, 200, 12), tuple(f" token{i}" for i in range(200)), numbered(12), 900.0, 400.0),
        _map_case(in_runs(10, 12, 1_400, 6), ("the",) * 1_400, numbered(6), 520.0, 380.0),
        _map_case(in_runs(11, 3, 30, 4), ("a",) * 30, numbered(4), 900.0, 300.0),
    ]
    circuits = []
    for seed, count, width, height in ((1, 1, 460.0, 400.0), (2, 7, 460.0, 400.0), (3, 22, 460.0, 400.0),
                                       (4, 22, 729.0, 420.0), (5, 12, 351.0, 380.0)):  # fmt: skip
        boxes, links = boxes_and_links(seed, count)
        circuits.append(_circuit_case(boxes, links, width, height))
        circuits.append(_circuit_case(stored(boxes, seed), links, width, height))
    circuits.append(_circuit_case([], [], 300.0, 200.0))
    texts = [*DALLAS, *STRANGE, *SCRIPTS, "Say “Austin” → 100%", "\U0001f3fd", "W" * 40, "", *LONG_NAMES]
    return {
        "text": [
            {
                "text": text,
                "width": text_width(text, 12.0),
                "mono": mono_width(text, 11.5),
                "short": shorten(text, 60.0, 12.0),
                "short_mono": shorten(text, 40.0, 11.5, True),
                "lines": wrapped(text, 90.0, 12.0, 3),
                "label": token_label(text),
                "printable": printable(text),
                "apart": apart(text),
            }
            for text in texts
        ],
        "map": maps,
        "map_labels": [
            _label_case(*case)
            for case in (
                (6, 60, 740.0, 400.0, 1.0),
                (7, 300, 740.0, 400.0, 1.0),
                (7, 300, 740.0, 400.0, 2.6, 0.5),
                (8, 80, 351.0, 300.0, 1.0),
                (9, 0, 200.0, 120.0, 1.0),
            )
        ],
        "open_edge": [
            {"path": list(path), "stability": share, "parts": None if parts is None else [list(one) for one in parts]}
            for path in (map_edge(50.0, 300.0, 5.0, 200.0, 60.0, 8.0), (0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 3.0, 0.0))
            for share in (0.0, 0.05, 0.25, 0.5, 0.95, 1.0)
            for parts in [open_edge(path, share)]
        ],
        "map_edge": [
            {
                "input": list(case),
                "trunk": None if trunk is None else trunk._asdict(),
                "path": list(map_edge(*case, trunk)),
            }
            for case, trunk in (
                ((50.0, 300.0, 5.0, 50.0, 60.0, 8.0), None),
                ((50.0, 300.0, 5.0, 200.0, 60.0, 8.0), None),
                ((9.0, 90.0, 3.0, 12.0, 40.0, 4.0), None),
                ((50.0, 300.0, 5.0, 200.0, 60.0, 8.0), Trunk(60.0, 190.0, 220.0)),
                ((50.0, 300.0, 5.0, 200.0, 60.0, 8.0), Trunk(60.0, 190.0, 20.0)),
                ((250.0, 120.0, 5.0, 200.0, 60.0, 8.0), Trunk(260.0, 180.0, 90.0)),
                ((250.0, 70.0, 9.0, 200.0, 60.0, 8.0), Trunk(260.0, 180.0, 90.0)),
            )
        ],
        "width": [
            {
                "share": share,
                "width": edge_width(share),
                "signed": signed_width(share),
                "faint": FAINT_WIDTHS[faint_step(share)],
                "head": [head_length(edge_width(share)), head_half(edge_width(share)), bar_half(edge_width(share))],
                "dashes": list(dashes(edge_width(share))),
            }
            for share in (0.0, 1e-300, -0.004, -0.01, 0.02, 0.07, 0.2, -0.9, 3.0)
        ],
        "opacity": [
            {"edges": edges, "faint": faint_opacity(edges), "signed": signed_opacity(edges)}
            for edges in (0, 1, 80, 150, 255, 600, 2499, 30_000)
        ],
        "presence": [
            {"before": before, "after": after, "presence": presence(before, after)}
            for before, after in (
                (0.0, 0.0),
                (0.0, 2.0),
                (2.0, 0.0),
                (2.0, -3.0),
                (2.0, 1.0),
                (2.0, 9.0),
                (1e-30, 1e30),
            )
        ],
        "output_presence": [
            {"probability": one, "presence": output_presence(one)} for one in (0.0, 1e-9, 0.09, 0.25, 0.9, 1.0)
        ],
        "error_band": [
            {
                "row": row,
                "influence": influence,
                "most": most,
                "height": error_band_height(row),
                "opacity": error_band_opacity(influence, most),
            }
            for row, influence, most in ((2.0, 0.0, 0.0), (9.0, 0.5, 2.0), (60.0, 2.0, 2.0))
        ],
        "ring": [{"radius": radius, "width": ring_width(radius)} for radius in (0.0, 2.0, 3.2, 11.0)],
        "circuit": circuits,
    }


def _map_case(
    nodes: list[MapNode], texts: tuple[str, ...], layers: Sequence[str], width: float, height: float
) -> dict[str, Any]:
    layout = map_layout(nodes, texts, layers, width, height)
    return {
        "nodes": [node._asdict() for node in nodes],
        "token_texts": list(texts),
        "layers": list(layers),
        "width": width,
        "height": height,
        "expected": {
            "x": list(layout.x),
            "y": list(layout.y),
            "radius": list(layout.radius),
            "columns": [column._asdict() for column in layout.columns],
            "column": list(layout.column),
            "with_text": [columns_with_text(layout.columns, zoom) for zoom in (1.0, 2.5)],
            "rows": [
                {"label": row.label, "y": row.y, "height": row.height, "inBand": row.in_band} for row in layout.rows
            ],
            "slanted": layout.slanted,
            "token_y": layout.token_y,
            "left": layout.left,
        },
    }


def _label_case(seed: int, count: int, width: float, height: float, zoom: float, share: float = 1.0) -> dict[str, Any]:
    dots, frame = map_dots(seed, count, width, height, zoom, share)
    taken = [Area(width / 2, 10.0, width / 2 + 120, 26.0)]
    labels = map_labels(LabelledMap(dots, frame, taken, zoom, 10.5))
    return {
        "dots": [dot._asdict() for dot in dots],
        "frame": frame._asdict(),
        "taken": [area._asdict() for area in taken],
        "zoom": zoom,
        "size": 10.5,
        "expected": [{**label._asdict(), "area": label_area(label, 10.5)._asdict()} for label in labels],
    }


def _circuit_case(boxes: list[LayoutBox], links: list[Link], width: float, height: float) -> dict[str, Any]:
    layout = circuit_layout(boxes, width, height)
    visible = visible_links(links)
    shares = (0.0, 0.1, 0.5)
    routes = route_edges(layout.boxes, visible, width)
    areas = [
        box_area(box, 40.0 if at % 3 == 0 else 0.0, 30.0 if at % 4 == 0 else 0.0) for at, box in enumerate(layout.boxes)
    ]
    numbers = number_places(areas, routes, [30.0 + at % 5 for at in range(len(routes))], width, height)
    hosts = [None, *range(0, len(boxes), 4)]
    return {
        "boxes": [box._asdict() for box in boxes],
        "links": [link._asdict() for link in links],
        "width": width,
        "height": height,
        "expected": {
            "boxes": [box._asdict() for box in layout.boxes],
            "text_size": layout.text_size,
            "visible": [link._asdict() for link in visible],
            "cut": [[share, [link._asdict() for link in visible_links(links, share)]] for share in shares],
            "onward": [[share, [link._asdict() for link in visible_onward(links[:5], share)]] for share in shares],
            "routes": [route._asdict() for route in routes],
            "areas": [area._asdict() for area in areas],
            "numbers": numbers,
            "injected": [
                box_beside("California", 1 + at % 4, host, layout.boxes, routes, width, height)._asdict()
                for at, host in enumerate(hosts)
            ],
            "answers": [
                [
                    box._asdict()
                    for box in answers_beside(["Sacramento", "a"], outputs, layout.boxes, routes, width, height)
                ]
                for outputs in ([], list(range(0, len(boxes), 3)), list(range(len(boxes))))
            ],
        },
    }

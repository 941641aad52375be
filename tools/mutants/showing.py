"""Mistakes in figures, the widget's kernel and its page."""

from tools.mutants.mutation import Mutation

SCENE = "circuit_widget/figure/scene/"
WIDGET = "circuit_widget/widget/"
JS = "js/src/"

FIGURE = ("tests/figure/test_truth.py", "tests/figure/test_figure.py")
EFFECT_FIGURE = ("tests/figure/test_effect_figure.py", "tests/figure/test_truth.py")
STROKES = ("tests/figure/test_layout.py",)
SNAPSHOT = ("tests/widget/test_snapshot.py",)
MALFORMED = ("tests/widget/test_malformed_messages.py",)
SPREADSHEET = ("tests/graph/test_spreadsheet.py",)
MAP = ("js/test/map.test.ts", "js/test/map-labels.test.ts", "js/test/map-painting.test.ts")
LAYOUT = ("js/test/layout.test.ts",)

MUTATIONS = (
    Mutation(
        "the figure's map swaps the colours of signs",
        SCENE + "map_scene.py",
        "style.EXCITE if share > 0 else style.INHIBIT",
        "style.INHIBIT if share > 0 else style.EXCITE",
        FIGURE,
    ),
    Mutation(
        "the figure's map draws every sign as exciting",
        SCENE + "map_scene.py",
        "(x, y), (0.0, -1.0), width), share > 0, color",
        "(x, y), (0.0, -1.0), width), True, color",
        FIGURE,
    ),
    Mutation(
        "the figure's legend swaps its words",
        SCENE + "legend.py",
        '(("excites", True, style.EXCITE), ("inhibits", False, style.INHIBIT))',
        '(("inhibits", True, style.EXCITE), ("excites", False, style.INHIBIT))',
        FIGURE,
    ),
    Mutation(
        "the faint edges of the figure are those with a sign",
        SCENE + "map_scene.py",
        "index_of, ~signed)",
        "index_of, signed)",
        FIGURE,
    ),
    Mutation(
        "the weakest edges of the figure show their sign",
        SCENE + "map_scene.py",
        "[-STRONGEST:]] = True",
        "[:STRONGEST]] = True",
        FIGURE,
    ),
    Mutation(
        "suppression does not fade a node of the figure",
        SCENE + "map_scene.py",
        "left[str(node)] = presence(float(before), float(after))",
        "left[str(node)] = 1.0",
        FIGURE,
    ),
    Mutation(
        "suppression does not fade an edge of the figure",
        SCENE + "map_scene.py",
        "opacity = MAP_EDGE_OPACITY * marks.presence.get(graph.node_ids[source], 1.0)",
        "opacity = MAP_EDGE_OPACITY",
        FIGURE,
    ),
    Mutation(
        "the figure's answers show before twice",
        SCENE + "map_scene.py",
        'number += f" → {probability(float(after[target.token_id]))}"',
        'number += f" → {probability(target.probability)}"',
        FIGURE,
    ),
    Mutation(
        "the figure's effect shows after before before",
        SCENE + "effect_scene.py",
        "end = probability(after)",
        "end = probability(before)",
        EFFECT_FIGURE,
    ),
    Mutation(
        "the bar of before is that of after",
        SCENE + "effect_scene.py",
        "max(0.8, bar * before), 5",
        "max(0.8, bar * after), 5",
        EFFECT_FIGURE,
    ),
    Mutation(
        "the predicted tick is where the measurement is",
        SCENE + "effect_scene.py",
        'bar * float(table["predicted"].iloc[row])',
        'bar * float(table["after"].iloc[row])',
        EFFECT_FIGURE,
    ),
    Mutation(
        "the figure shows edges above the threshold alone",
        SCENE + "visible.py",
        "edges.share <= threshold",
        "edges.share > threshold",
        FIGURE,
    ),
    Mutation(
        "widths of edges do not grow",
        "circuit_widget/figure/layout/strokes.py",
        "5.0 * math.sqrt(abs(share)), 0.8), 5.0)",
        "0.0 * math.sqrt(abs(share)), 0.8), 5.0)",
        STROKES,
    ),
    Mutation(
        "what was suppressed stays",
        "circuit_widget/figure/layout/strokes.py",
        "min(max(after / before, LEAST_PRESENCE), 1.0) if before != 0",
        "1.0 if before != 0",
        (*STROKES, *FIGURE),
    ),
    Mutation(
        "a cell that begins with @ is a formula",
        "circuit_widget/graph/formats/spreadsheet.py",
        'FORMULA = "=+\\\\-@\\t\\r\\n',
        'FORMULA = "=+\\\\-\\t\\r\\n',
        SPREADSHEET,
    ),
    Mutation(
        "a cell that begins with a tab is a formula",
        "circuit_widget/graph/formats/spreadsheet.py",
        'FORMULA = "=+\\\\-@\\t\\r\\n',
        'FORMULA = "=+\\\\-@\\r\\n',
        SPREADSHEET,
    ),
    Mutation(
        "a cell that begins with CR is a formula",
        "circuit_widget/graph/formats/spreadsheet.py",
        'FORMULA = "=+\\\\-@\\t\\r\\n',
        'FORMULA = "=+\\\\-@\\t\\n',
        SPREADSHEET,
    ),
    Mutation(
        "buffers whose paths are no list reach ipywidgets",
        WIDGET + "state/page_writes.py",
        'data.get("buffer_paths", []) == []',
        'not data.get("buffer_paths")',
        MALFORMED,
    ),
    Mutation(
        "a message may be nested as deep as it likes",
        WIDGET + "wire/schema.py",
        "    if _is_deeper(value, DEEPEST):\n",
        "    if _is_deeper(value, 100_000):\n",
        MALFORMED,
    ),
    Mutation(
        "other views do not know what runs",
        WIDGET + "jobs/receiver.py",
        "label=task.label or REQUESTS[name].label",
        "label=None",
        ("tests/widget/test_studies.py",),
    ),
    Mutation(
        "the strongest node may leave the snapshot",
        WIDGET + "wire/snapshot.py",
        "    sent[order[:1]] = True\n",
        "",
        SNAPSHOT,
    ),
    Mutation(
        "nodes of the circuit may leave the snapshot",
        WIDGET + "wire/snapshot.py",
        "    sent[list(graph.resolve(also))] = True\n",
        "",
        SNAPSHOT,
    ),
    Mutation(
        "the snapshot holds the weaker edges",
        WIDGET + "wire/snapshot.py",
        "edges.share <= EDGE_SHARE",
        "edges.share > EDGE_SHARE",
        SNAPSHOT,
    ),
    Mutation(
        "an experiment's number is used again",
        WIDGET + "state/history.py",
        "self._made = max(self._made, recorded.number)",
        "self._made = len(self._recorded)",
        ("tests/widget/test_history.py", "tests/widget/test_experiments.py"),
    ),
    Mutation(
        "two experiments are compared with before alone",
        WIDGET + "state/history.py",
        "second.probability(token)[1]",
        "second.probability(token)[0]",
        ("tests/widget/test_history.py", "tests/widget/test_experiments.py"),
    ),
    Mutation(
        "the page of an HTML file may load anything",
        WIDGET + "html_file/page.py",
        "default-src 'none'",
        "default-src *",
        ("tests/widget/test_html_file.py",),
    ),
    Mutation(
        "an experiment in an HTML file is not the one that was displayed",
        WIDGET + "html_file/content.py",
        "plain(effects[number])",
        "plain(list(effects.values())[-1])",
        ("tests/widget/test_html_file.py",),
    ),
    Mutation(
        "the card of a negative activation has the signs of a positive one",
        WIDGET + "state/card.py",
        "known.at(graph.activation[place])",
        "known.at(abs(graph.activation[place]))",
        ("tests/widget/test_experiments.py",),
    ),
    Mutation(
        "labels of figures cover nodes",
        "circuit_widget/figure/layout/map_labels.py",
        "reach = dot.radius + clear",
        "reach = 0",
        ("tests/figure/test_map_labels.py",),
    ),
    Mutation(
        "a hovered node's label covers those of others",
        JS + "layout/map-labels.ts",
        "labels.filter((other) => space.free(other, size) && !space.blocks(other.lead, other.dot))",
        "labels",
        MAP,
    ),
    Mutation(
        "the graph's label overrides the reader's",
        JS + "wording/names.ts",
        'labels[id] || snapshot.labels.get(snapshot.index.get(id) ?? -1) || ""',
        'snapshot.labels.get(snapshot.index.get(id) ?? -1) || labels[id] || ""',
        (
            "js/test/map-labels.test.ts",
            "js/test/wording.test.ts",
            "js/test/store.test.ts",
            "js/test/search.test.ts",
            "js/test/inspector.test.tsx",
        ),
    ),
    Mutation(
        "the page's widths of edges do not grow",
        JS + "layout/strokes.ts",
        "0.5 + 5 * Math.sqrt(Math.abs(share))",
        "0.5 + 0 * Math.sqrt(Math.abs(share))",
        (*LAYOUT, *MAP),
    ),
    Mutation(
        "the page's faint edges are all of one width",
        JS + "layout/strokes.ts",
        "return step < 0 ? FAINT_WIDTHS.length - 1 : step;",
        "return 0;",
        (*LAYOUT, *MAP),
    ),
    Mutation(
        "many faint edges on the page do not fade",
        JS + "layout/strokes.ts",
        "return clamp(8 / Math.sqrt(1 + count), 0.16, 0.5);",
        "return 0.5;",
        (*LAYOUT, *MAP),
    ),
    Mutation(
        "what was suppressed stays on the page",
        JS + "layout/strokes.ts",
        "before !== 0 ? clamp(after / before, LEAST_PRESENCE, 1) : 1",
        "1",
        (*LAYOUT, *MAP),
    ),
    Mutation(
        "the page's map does not fade its nodes",
        JS + "map/marks.ts",
        "presences[node] = presence(before[row], after[row])",
        "presences[node] = 1",
        MAP,
    ),
    Mutation(
        "outputs of the page do not fade by what is likely now",
        JS + "map/marks.ts",
        "?.after ?? probability",
        "?.before ?? probability",
        MAP,
    ),
    Mutation(
        "the page draws the weakest edges while it moves",
        JS + "map/scene.ts",
        "edgeShare[a] - edgeShare[b]",
        "edgeShare[b] - edgeShare[a]",
        MAP,
    ),
)

"""Mistakes in the widget's kernel and in the documents that it keeps."""

from tools.mutants.mutation import Mutation

WIDGET = "circuit_widget/widget/"

SNAPSHOT = ("tests/widget/test_snapshot.py",)
MALFORMED = ("tests/widget/test_malformed_messages.py",)
SPREADSHEET = ("tests/graph/test_spreadsheet.py",)
CARRYING = ("tests/circuit/test_carry_over.py",)
RETRACE = ("tests/widget/test_retrace.py",)

MUTATIONS = (
    Mutation(
        "names that may not fit are marked on the graph before, too",
        WIDGET + "graphs.py",
        'self._widget.set_trait("_doubtful_names", plain(work.doubts))',
        'work.doubts and self._widget.set_trait("_doubtful_names", plain(work.doubts))',
        RETRACE,
    ),
    Mutation(
        "the new answer stands anywhere in the circuit",
        "circuit_widget/circuit/carry_over.py",
        "positions[answer] = positions[outputs[0]]",
        "pass",
        CARRYING,
    ),
    Mutation(
        "a name of the old prompt passes on the new one",
        "circuit_widget/circuit/carry_over.py",
        "gone = _words(old_graph) - _words(new_graph)",
        "gone = _words(new_graph) - _words(old_graph)",
        CARRYING,
    ),
    Mutation(
        "a kernel that ends leaves an older picture as if it were the last",
        WIDGET + "saved_picture.py",
        "        if not drawn and self._published is not None:\n",
        "        if False:\n",
        ("tests/widget/test_picture.py",),
    ),
    Mutation(
        "what was drawn at the end of a kernel is not waited for",
        WIDGET + "saved_picture.py",
        "        drawn = self.finish(timeout)\n        self.close()\n",
        "        drawn = True\n        self.close()\n",
        ("tests/widget/test_picture.py",),
    ),
    Mutation(
        "the edges between boxes that the page gets are those before the edit",
        WIDGET + "graphs.py",
        "box_edges_message(self.experiments.graph, circuit, self.number)",
        "box_edges_message(self.experiments.graph, self.experiments.traits.circuit, self.number)",
        ("tests/widget/test_circuit_edges.py",),
    ),
    Mutation(
        "the page gets edges between boxes without those inside a box",
        "circuit_widget/circuit/box_edges.py",
        "outside -= np.bincount",
        "outside -= 0 * np.bincount",
        ("tests/circuit/test_box_edges.py",),
    ),
    Mutation(
        "a page that was loaded later keeps the old picture",
        WIDGET + "saved_picture.py",
        "            self._number += 1\n",
        "",
        ("tests/widget/test_picture.py",),
    ),
    Mutation(
        "edges from swapped-in features reach a box that only feeds itself",
        "circuit_widget/circuit/box_edges.py",
        "float(one / own) if own > LEAST_OUTSIDE else 0.0",
        "float(one / max(own, 1.0))",
        ("tests/circuit/test_box_edges.py",),
    ),
    Mutation(
        "a circuit on another prompt ignores where its features are",
        "circuit_widget/circuit/carry_over.py",
        "pairs.get(int(old_graph.node_position[index]))",
        "int(old_graph.node_position[index])",
        CARRYING,
    ),
    Mutation(
        "another contrast passes for the one in the circuit",
        "circuit_widget/circuit/carry_over.py",
        "(one.token_id, one.token) == (target.token_id, target.token)",
        "one.token_id == target.token_id",
        CARRYING,
    ),
    Mutation(
        "what is late for the earlier graph lands on the displayed one",
        WIDGET + "state/traits.py",
        "            if self.aside is None:\n                self.widget.set_trait(name, value)",
        "            if True:\n                self.widget.set_trait(name, value)",
        RETRACE,
    ),
    Mutation(
        "a request for the earlier graph runs on the displayed one",
        WIDGET + "requests/receiver.py",
        "request.graph not in (None, self.graphs.number)",
        "False",
        RETRACE,
    ),
    Mutation(
        "edits of the earlier circuit are taken over into the new one",
        WIDGET + "state/traits.py",
        "max(circuit.revision, other.revision) + BEYOND_EDITS",
        "max(circuit.revision, other.revision)",
        RETRACE,
    ),
    Mutation(
        "another trace forgets the limit of the earlier one",
        "circuit_widget/tracing/tracing_again.py",
        "limit_of(graph) if changes.max_features is None else changes.max_features",
        "changes.max_features",
        ("tests/tracing/test_tracing_again.py",),
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
        WIDGET + "requests/receiver.py",
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
        WIDGET + "history/history.py",
        "self._made = max(self._made, recorded.number)",
        "self._made = len(self._recorded)",
        ("tests/widget/test_history.py", "tests/widget/test_experiments.py"),
    ),
    Mutation(
        "two experiments are compared with before alone",
        WIDGET + "history/history.py",
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
        WIDGET + "message_builders/card.py",
        "known.at(graph.activation[place])",
        "known.at(abs(graph.activation[place]))",
        ("tests/widget/test_experiments.py",),
    ),
    Mutation(
        "a filter by layers that the graph does not have hides nothing without a word",
        "circuit_widget/circuit/filters.py",
        "bounds[1] >= count",
        "bounds[0] >= count",
        ("tests/circuit/test_filters.py",),
    ),
)

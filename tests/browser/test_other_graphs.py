"""A graph from the file of another tool is looked at, grouped and exported like any other, without its model."""

import json
from pathlib import Path

import circuit_widget as cw
from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import WidgetView
from tests.graph.viewer_files import document


def test_a_graph_of_another_tool_is_displayed_and_grouped(open_notebook: OpenNotebook, tmp_path: Path) -> None:
    given, grouped = tmp_path / "given.json", tmp_path / "grouped.json"
    view = {"pinnedIds": ["3_7_2"], "supernodes": [["a capital", "1_9_2"]]}
    given.write_text(json.dumps(document() | {"qParams": view}), encoding="utf-8")
    notebook = open_notebook(
        [
            f"import circuit_widget as cw\ngraph = cw.open({str(given)!r})",
            f"widget = graph.show(circuit=cw.Circuit.load({str(given)!r}))\nwidget",
            f"widget.circuit.export({str(grouped)!r}, graph)",
        ]
    )
    notebook.run(0)
    notebook.run(1)
    displayed = WidgetView(notebook)
    displayed.supernode("a capital").wait_for()
    effects = displayed.part("effects").inner_text()
    assert "Interventions are not possible here. This graph has no model to run" in effects
    assert "0.60" in effects
    assert "logit" not in effects.lower()
    notebook.tell("widget.group('the', ['0_57794_1'])")
    displayed.supernode("the").wait_for()
    notebook.run(2)
    again = cw.Circuit.load(grouped)
    assert {one.name: one.nodes for one in again.supernodes} == {"a capital": ("1_9_2",), "the": ("0_57794_1",)}

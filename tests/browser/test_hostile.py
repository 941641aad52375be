"""Text from models and people is displayed as text, whatever it says and however long it is."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.browser.conftest import OpenNotebook
from tests.browser.test_export import export
from tests.browser.widget_view import LOAD, SHOW, WidgetView

HTML = "<img src=x onerror='window.executed=1'><script>window.executed=1</script>"

HOSTILE_GRAPH = f"""
import dataclasses
nodes = graph.to_frames()[0].sort_values("influence", ascending=False)
first, second = nodes[nodes.kind == "feature"].id[:2]
html = {HTML!r}
tokens = tuple(dataclasses.replace(t, text=html if t.text.strip() == "state" else t.text) for t in graph.tokens)
graph = dataclasses.replace(graph, labels={{first: html + "x" * 10_000, second: html}}, tokens=tokens)
widget = graph.show()
"""


@pytest.fixture
def view(open_notebook: OpenNotebook) -> WidgetView:
    notebook = open_notebook([LOAD + HOSTILE_GRAPH, SHOW])
    notebook.run(0)
    notebook.run(1)
    return WidgetView(notebook)


def executed(view: WidgetView) -> bool:
    """Return whether any of the hostile text ran."""
    return bool(view.page.evaluate("() => 'executed' in window"))


def test_labels_and_tokens_full_of_html_are_displayed_as_text(view: WidgetView) -> None:
    for node in view.notebook.python("[first, second]"):
        view.click_node(node)
        view.part("inspector-title").filter(has_text="<img").wait_for()
    assert view.part("prompt-token").filter(has_text="<img src=x").count() == 1
    view.notebook.tell("widget.pin([first, second])")
    view.part("box").nth(1).wait_for()
    bounds, frame = view.part("inspector").bounding_box(), view.root.bounding_box()
    assert bounds is not None
    assert frame is not None
    assert bounds["x"] + bounds["width"] <= frame["x"] + frame["width"] + 1
    assert not executed(view)


def test_a_group_named_in_html_stays_a_name_on_screen_and_in_the_figure(view: WidgetView, tmp_path: Path) -> None:
    first, second = view.notebook.python("[first, second]")
    view.drag(view.place(first), view.place(second))
    view.part("rename").fill(HTML)
    view.part("rename").press("Enter")
    name = view.notebook.wait_until("widget.circuit.supernodes and widget.circuit.supernodes[0].name")
    view.notebook.wait_until("widget.circuit.supernodes[0].name.startswith('<img')")
    assert len(name) <= 80
    tree = ElementTree.parse(export(view, "svg", tmp_path))
    assert not [node for node in tree.iter() if str(node.tag).endswith(("script", "img"))]
    assert not executed(view)


def test_a_label_of_ten_thousand_characters_is_refused_in_a_sentence(view: WidgetView) -> None:
    view.notebook.tell("""
try:
    widget.label(first, "x" * 10_000)
    message = "nothing"
except cw.CircuitWidgetError as error:
    message = str(error)
""")
    message = view.notebook.python("message")
    assert "80" in message
    assert len(message) < 400
    assert view.notebook.python("dict(widget.circuit.labels)") == {}


def test_after_names_of_hundreds_of_emoji_one_goes_on_experimenting(dallas: WidgetView) -> None:
    whole = "👨‍👩‍👧‍👦🤠" * 10
    name = whole
    dallas.box("Texas").dblclick()
    dallas.part("rename").fill("x" + name)
    dallas.part("rename").press("Enter")
    dallas.part("name-fault").filter(has_text="at most 80 characters; given 81").wait_for()
    dallas.part("rename").fill(name)
    dallas.part("rename").press("Enter")
    dallas.notebook.wait_until(f"widget.circuit.supernodes[0].name == {name!r}")
    # A selector cannot contain the joiners of the name.
    named = dallas.part("box", kind="supernode").first
    assert named.get_attribute("data-name") == name
    named.click()
    dallas.part("toolbar-0").click()
    dallas.part("effect", effect="1").wait_for()
    dallas.ablate("capital")
    named.click()
    dallas.part("toolbar-0").click(modifiers=["Shift"])
    dallas.notebook.wait_until("len(widget.experiments) == 3")
    dallas.open("history")
    dallas.part("experiment-entry", id="1").locator("[data-test=name-experiment]").click()
    dallas.part("rename").fill((whole * 3)[:200])
    dallas.part("rename").press("Enter")
    dallas.notebook.wait_until(f"widget.experiments[0]['name'] == {(whole * 3)[:200]!r}")
    dallas.part("experiment-entry", id="1").locator("[data-test=recall]").click()
    dallas.part("effect", effect="1").wait_for()
    dallas.part("box", name="capital").click()
    dallas.part("toolbar-0").click()
    dallas.part("effect", effect="4").wait_for()
    assert dallas.notebook.python("widget.history()['id'].tolist()") == [1, 2, 3, 4]
    assert (
        dallas.notebook.python("[one['name'].encode().decode() for one in widget.experiments]")[0] == (whole * 3)[:200]
    )

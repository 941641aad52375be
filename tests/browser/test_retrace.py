"""Another graph in the same widget: a token or an output explained, another prompt typed, and the way back."""

from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import FEATURES, GROUPS, LOAD, SHOW, SLOWLY, WidgetView

PROMPT = "[token.text.strip() for token in widget.graph.tokens[1:]]"
TARGETS = "[target.token.strip() for target in widget.graph.targets]"


def test_a_graph_is_traced_in_place_and_undo_brings_the_earlier_one_back(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD + FEATURES + GROUPS, SHOW])
    notebook.run(0)
    notebook.run(1)
    view = WidgetView(notebook)
    notebook.tell("widget.ablate('Texas')")

    view.part("answer").first.click()
    view.part("explain").first.click()
    notebook.wait_until(f"{TARGETS} == ['Austin']")
    view.part("undo").wait_for()
    assert view.part("undo").get_attribute("title") == "Undo tracing Austin"
    assert view.supernode("Texas").count() == 1
    assert notebook.python("len(widget.effects)") == 0

    view.part("prompt-token").last.click()
    view.part("explain").click()
    notebook.wait_until(f"{TARGETS} == ['is']")
    view.part("prompt-token").nth(7).wait_for(state="detached")
    assert [chip.strip() for chip in view.part("prompt-token").all_inner_texts()] == notebook.python(PROMPT)
    assert "nodes of the circuit" in view.part("kept").inner_text()

    view.part("undo").click()
    notebook.wait_until(f"{TARGETS} == ['Austin']")
    view.part("prompt-token").nth(7).wait_for()
    view.part("undo").click()
    notebook.wait_until("len(widget.effects) == 1 and widget.effect is not None")
    view.part("redo").wait_for()
    assert view.part("undo").is_disabled()

    view.part("retrace").click()
    field = view.root.locator("textarea[name=prompt]")
    field.fill("the capital of the state containing Oakland is")
    view.root.locator("input[name=most]").fill("50")
    view.part("retrace-run").click()
    notebook.wait_until(f"'Oakland' in {PROMPT} and widget.graph.n_features == 50")
    view.part("prompt-token").get_by_text("Oakland").wait_for()
    assert view.part("answer").inner_text().startswith("Sacramento")
    assert view.supernode("capital").count() == 1


def test_a_trace_that_is_cancelled_or_fails_leaves_the_graph(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([LOAD + FEATURES + GROUPS + SLOWLY, SHOW])
    notebook.run(0)
    notebook.run(1)
    view = WidgetView(notebook)
    view.part("retrace").click()
    view.root.locator("textarea[name=prompt]").fill("the capital of the state containing Oakland is")
    view.root.locator("textarea[name=prompt]").press("Enter")
    view.part("job").wait_for()
    assert "Trace" in view.part("job").inner_text()
    view.part("cancel").click()
    view.part("job").wait_for(state="detached")
    notebook.wait_until("widget._worker.pending(widget) == ()")
    notebook.tell("for hook in slow: hook.remove()")
    if view.root.locator("textarea[name=prompt]").count() == 0:
        view.part("retrace").click()
    view.root.locator("textarea[name=prompt]").fill("the capital of Atlantis is")
    view.part("retrace-run").click()
    view.part("failure").wait_for()
    assert "does not know the word 'Atlantis'" in view.part("failure").inner_text()
    assert "Dallas" in notebook.python(PROMPT)
    assert view.supernode("Texas").count() == 1

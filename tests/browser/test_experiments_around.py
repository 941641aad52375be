"""What surrounds experiments: busy cells, cancels, reloads, second views; and what is stated where one cannot be made."""

import pytest

from tests.browser.notebook import START_TIMEOUT
from tests.browser.widget_view import AT_FULL_SPEED, SLOWLY, WidgetView

NOTHING_RUNS = "widget._worker.pending(widget) == ()"


def test_a_click_while_a_cell_runs_ends_in_what_python_holds(dallas: WidgetView) -> None:
    dallas.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 3; }")
    dallas.page.evaluate("async () => { void window.jupyterapp.commands.execute('notebook:run-cell'); }")
    dallas.root.scroll_into_view_if_needed()
    dallas.box("Texas").click()
    dallas.part("toolbar-0").click()
    # With ipykernel 6 nothing is answered before the cell has ended, which is stated.
    waiting = dallas.part("job").filter(has_text="Waiting for the running cell")
    waiting.or_(dallas.part("effect", effect="1")).first.wait_for()
    dallas.part("effect", effect="1").wait_for()
    dallas.notebook.wait_for_kernel()
    assert dallas.notebook.python("[len(widget.effects), widget.effect['id']]") == [1, 1]
    after = dallas.notebook.python("widget.effects[0].probability(graph.targets[0].token_id)[1]")
    assert dallas.token_rows()["Austin"]["after"] == pytest.approx(after, abs=1e-6)


def test_a_cancelled_experiment_leaves_the_last_one(dallas: WidgetView) -> None:
    dallas.ablate("Texas")
    dallas.notebook.tell(SLOWLY)
    dallas.box("capital").click()
    dallas.part("toolbar-0").click()
    dallas.part("cancel").click()
    dallas.part("job").wait_for(state="detached")
    dallas.notebook.tell(AT_FULL_SPEED)
    dallas.notebook.wait_until(NOTHING_RUNS)
    assert dallas.notebook.python("[len(widget.effects), widget.effect['id']]") == [1, 1]
    assert dallas.effect_id() == "1"
    assert dallas.part("failure").count() == 0


def pages_state(view: WidgetView) -> dict[str, object]:
    """Return what a page shows of the experiment on show, of the history and of the last sweep."""
    view.open("effect")
    state: dict[str, object] = {"effect": view.effect_id(), "tokens": view.token_rows()}
    state["controls"] = view.part("controls").all_inner_texts()
    view.open("history")
    state["history"] = view.part("experiment-entry").all_inner_texts()
    view.open("sweep")
    state["sweep"] = view.part("plot").locator("title").all_text_contents()
    return state


def test_a_reloaded_page_shows_the_same_experiments(dallas: WidgetView) -> None:
    dallas.notebook.tell("widget.ablate('Texas'); widget.ablate('capital'); widget.recall(1); widget.controls()")
    dallas.notebook.tell("widget.rename_experiment(2, 'no capital'); widget.sweep('capital')")
    dallas.part("controls").wait_for()
    before, kept = pages_state(dallas), dallas.notebook.python("[widget.effect, widget.study, widget.experiments]")
    dallas.notebook.save()
    dallas.page.reload(timeout=START_TIMEOUT)
    dallas.notebook.wait_for_kernel()
    fresh = WidgetView(dallas.notebook)
    fresh.part("controls").wait_for()
    assert pages_state(fresh) == before
    assert dallas.notebook.python("[widget.effect, widget.study, widget.experiments]") == kept
    fresh.open("effect")
    fresh.ablate("say Austin")
    assert dallas.notebook.python("widget.history()['name'].tolist()") == ["Texas ×0", "no capital", "say Austin ×0"]


def test_two_views_show_the_same_experiments(dallas: WidgetView) -> None:
    dallas.notebook.run(2)
    other = WidgetView(dallas.notebook, index=1)
    other.ablate("Texas")
    other.part("control").click()
    dallas.part("controls").wait_for()
    dallas.notebook.tell("widget.ablate('capital'); widget.sweep('Texas'); widget.recall(1)")
    for view in (dallas, other):
        view.part("effect", effect="1").wait_for()
    assert pages_state(dallas) == pages_state(other)


def test_what_cannot_be_run_is_stated_and_changes_nothing(dallas: WidgetView) -> None:
    dallas.ablate("Texas")
    before = dallas.notebook.python("[widget.effect, widget.study, widget.experiments]")
    dallas.box("Texas").click()
    dallas.turn("scale", "much")
    dallas.part("failure").filter(has_text="Type a number").wait_for()
    dallas.part("dismiss").click()
    dallas.part("toolbar-swap").click()
    dallas.part("swap-prompt").fill("   ")
    dallas.part("swap-run").click()
    dallas.part("failure").filter(has_text="Type the prompt").wait_for()
    dallas.part("dismiss").click()
    dallas.page.keyboard.press("Escape")
    dallas.open("generate")
    for field, number in (
        ("temperature", "99"),
        ("temperature", ""),
        ("length", "0"),
        ("length", "2.5"),
        ("seed", "-1"),
    ):
        dallas.part(f"generate-{field}").fill(number)
        dallas.part("generate-run").click()
        assert dallas.part(f"generate-{field}").evaluate("(input) => input.validationMessage")
        dallas.part(f"generate-{field}").fill("1")
    assert dallas.part("job").count() == 0
    assert dallas.notebook.python("[widget.effect, widget.study, widget.experiments]") == before
    assert dallas.notebook.python(NOTHING_RUNS)


def test_a_sweep_without_a_box_says_what_it_needs(dallas: WidgetView) -> None:
    dallas.notebook.tell("for group in list(widget.circuit.supernodes): widget.ungroup(group.name)")
    dallas.box("Texas").wait_for(state="detached")
    dallas.open("sweep")
    for axis in ("factor", "pairs"):
        dallas.part("sweep-axis").select_option(axis)
        assert dallas.part("sweep-run").is_disabled()
        assert "pin or group features first" in dallas.part("effects").inner_text()
    assert dallas.notebook.python(NOTHING_RUNS)


def test_what_works_on_features_alone_says_so_of_a_token(dallas: WidgetView) -> None:
    token = dallas.notebook.python("frame[(frame.kind == 'token') & (frame.token.str.strip() == 'Dallas')].id.iloc[0]")
    dallas.notebook.tell(f"widget.ablate({token!r})")
    dallas.part("control").click()
    dallas.part("failure").filter(has_text="Controls are drawn for features alone").wait_for()
    dallas.part("dismiss").click()
    dallas.open("generate")
    dallas.part("generate-run").click()
    dallas.part("failure").filter(has_text="only features can be changed while the model generates").wait_for()
    assert dallas.notebook.python("[widget.effect['controls'], widget.study, len(widget.effects)]") == [None, None, 1]
    assert dallas.notebook.python(NOTHING_RUNS)

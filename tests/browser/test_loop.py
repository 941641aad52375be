"""The loop a newcomer walks: look, group, ablate, swap, take back; each seen on the page and from Python."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import FEATURES, LOAD, SHOW, WidgetView

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"


@pytest.fixture
def view(open_notebook: OpenNotebook) -> WidgetView:
    notebook = open_notebook([LOAD + FEATURES, SHOW])
    notebook.run(0)
    notebook.run(1)
    return WidgetView(notebook)


def features(view: WidgetView, token: str, count: int) -> list[str]:
    """Return the most influential features at a token of the prompt."""
    return list(view.notebook.python(f"features({token!r})[:{count}]"))


def test_the_quickstart_runs_and_shows_the_answer(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(QUICKSTART)
    notebook.run_all()
    view = WidgetView(notebook)
    before, after = view.part("answer").all_text_contents()
    assert before.startswith("Austin 0.88 → 0.0")
    assert after.startswith("Sacramento 0.8")
    assert view.part("new-answer", name="Sacramento").count() == 1
    assert set(notebook.python("[group.name for group in widget.circuit.supernodes]")) >= {
        "Texas",
        "say Austin",
        "capital",
    }
    for name in ("Texas", "say Austin", "capital"):
        assert view.supernode(name).count() == 1
    after = notebook.python("swap.tokens.sort_values('after').iloc[-1].token")
    assert after == "Sacramento"
    assert max(view.token_rows().items(), key=lambda row: row[1]["after"])[0] == "Sacramento"


def test_a_click_on_the_map_selects_and_explains_a_feature(view: WidgetView) -> None:
    (feature,) = features(view, "Dallas", 1)
    view.click_node(feature)
    view.notebook.wait_until(f"widget.selected == [{feature!r}]")
    view.part("feature-card").wait_for()
    layer, index = view.notebook.python(
        f"[int(visible[visible.id == {feature!r}].iloc[0][c]) for c in ('layer', 'feature')]"
    )
    facts = view.part("inspector-facts").inner_text()
    assert f"layer {layer}" in facts
    assert str(index) in facts
    assert view.part("example").count() > 0


def test_selecting_in_python_selects_on_the_page(view: WidgetView) -> None:
    for feature in features(view, "is", 2):
        index = view.notebook.python(f"int(visible[visible.id == {feature!r}].iloc[0].feature)")
        view.notebook.tell(f"widget.select([{feature!r}])")
        view.part("inspector-facts").filter(has_text=str(index)).wait_for()


def test_features_dragged_together_become_a_supernode_with_a_name(view: WidgetView) -> None:
    first, second = features(view, "Dallas", 2)
    view.drag(view.place(first), view.place(second))
    view.name_group("Texas")
    view.notebook.wait_until("[group.name for group in widget.circuit.supernodes] == ['Texas']")
    assert set(view.notebook.python("list(widget.circuit.supernode('Texas').nodes)")) == {first, second}


def test_a_feature_dragged_into_the_circuit_is_pinned_and_joins_a_box_it_is_dropped_on(view: WidgetView) -> None:
    first, second = features(view, "Dallas", 2)
    third = features(view, "is", 1)[0]
    view.notebook.tell(f"widget.group('Texas', [{first!r}, {second!r}])")
    view.box("Texas").wait_for()
    view.drag(view.place(third), view.centre(view.box("Texas")))
    view.notebook.wait_until("len(widget.circuit.supernode('Texas').nodes) == 3")
    assert third in view.notebook.python("list(widget.circuit.supernode('Texas').nodes)")


def test_a_group_can_be_renamed_and_the_name_reaches_python(view: WidgetView) -> None:
    nodes = features(view, "Dallas", 2)
    view.notebook.tell(f"widget.group('Texas', {nodes!r})")
    view.box("Texas").focus()
    view.page.keyboard.press("F2")
    view.name_group("the state")
    view.notebook.wait_until("widget.circuit.supernodes[0].name == 'the state'")


def test_ablating_a_group_shows_on_the_page_what_python_measured(view: WidgetView) -> None:
    view.notebook.tell("widget.group('Texas', features('Dallas')[:12]); widget.group('answer', features('is')[:6])")
    view.box("Texas").wait_for()
    before = view.token_rows()["Austin"]["before"]
    view.ablate("Texas")
    measured = view.notebook.python(
        "{row.token: [row.before, row.after] for row in widget.effects[-1].tokens.itertuples()}"
    )
    rows = view.token_rows()
    assert rows
    for token, row in rows.items():
        assert row["before"] == pytest.approx(measured[token][0], abs=1e-6)
        assert row["after"] == pytest.approx(measured[token][1], abs=1e-6)
    assert rows["Austin"]["before"] == pytest.approx(before, abs=1e-6)
    assert rows["Austin"]["after"] < 0.9 * rows["Austin"]["before"]
    ratio, predicted = view.notebook.python("widget.effects[-1].ratio(widget.circuit.supernode('answer').nodes)")
    assert view.box("answer").get_attribute("data-percent") == str(round(100 * ratio))
    bar = view.part("activation-row", name="answer")
    assert float(str(bar.get_attribute("data-predicted"))) == pytest.approx(predicted, abs=1e-5)
    assert view.box("Texas").get_attribute("data-percent") == "0"


def test_an_ablation_in_python_shows_on_the_page(view: WidgetView) -> None:
    view.notebook.tell("widget.group('Texas', features('Dallas')[:12])")
    after = view.notebook.python("float(widget.ablate('Texas').tokens.set_index('token').after['Austin'])")
    view.wait_for_effect_after(None)
    assert view.token_rows()["Austin"]["after"] == pytest.approx(after, abs=1e-6)


def test_swapping_another_prompt_in_changes_the_answer(view: WidgetView) -> None:
    view.notebook.tell("widget.group('place', features('Dallas'))")
    view.box("place").click()
    view.part("toolbar-swap").click()
    view.part("swap-prompt").fill("the capital of the state containing Oakland is")
    view.part("swap-run").click()
    view.wait_for_effect_after(None)
    rows = view.token_rows()
    assert max(rows, key=lambda token: rows[token]["after"]) == "Sacramento"
    assert view.notebook.python("widget.effects[-1].interventions[0].prompt").endswith("Oakland is")


def test_what_was_swapped_in_has_edges_onward(view: WidgetView) -> None:
    view.notebook.tell("widget.group('place', features('Dallas')); widget.pin(['5_174_8'])")
    view.notebook.tell("widget.swap('place', 'the capital of the state containing Oakland is')")
    view.wait_for_effect_after(None)
    name = view.part("injected").get_attribute("data-name")
    edge = view.root.locator(f'[data-test="link"][data-source="{name}"][data-target="Sacramento"]')
    expect(edge).to_have_count(1)
    weight, total = view.notebook.python(
        "(lambda one: (one.weight, one.total))(next(iter(widget.effects[-1].injected_edges.answers.values())))"
    )
    assert float(edge.get_attribute("data-share") or "") == pytest.approx(weight / total, abs=1e-4)
    expect(edge.locator("title")).to_contain_text("before the intervention")


def test_every_edit_can_be_undone_and_redone(view: WidgetView) -> None:
    first, second = features(view, "Dallas", 2)
    view.drag(view.place(first), view.place(second))
    view.name_group("Texas")
    view.part("undo").click()
    view.notebook.wait_until("[g.name for g in widget.circuit.supernodes] != ['Texas']")
    view.part("undo").click()
    view.notebook.wait_until("not widget.circuit.supernodes")
    assert view.part("box").count() == 0
    view.part("redo").click()
    view.part("redo").click()
    view.notebook.wait_until("[g.name for g in widget.circuit.supernodes] == ['Texas']")
    view.box("Texas").wait_for()


def test_the_loop_needs_no_mouse(view: WidgetView) -> None:
    view.part("map").focus()
    press = view.page.keyboard.press
    press("ArrowUp")
    press("Enter")
    view.notebook.wait_until("len(widget.selected) == 1")
    press("Shift+ArrowLeft")
    view.notebook.wait_until("len(widget.selected) == 2")
    press("g")
    view.name_group("by hand")
    view.notebook.wait_until("[g.name for g in widget.circuit.supernodes] == ['by hand']")
    view.box("by hand").focus()
    press("a")
    view.wait_for_effect_after(None)
    press("Control+z")
    view.notebook.wait_until("widget.effect is None")
    press("Control+z")
    view.notebook.wait_until("[g.name for g in widget.circuit.supernodes] != ['by hand']")


def test_a_word_the_model_does_not_know_is_named(view: WidgetView) -> None:
    view.notebook.tell("widget.group('place', features('Dallas')[:3])")
    view.box("place").click()
    view.part("toolbar-swap").click()
    view.part("swap-prompt").fill("the capital of the state containing Xanadu is")
    view.part("swap-run").click()
    view.part("failure").wait_for()
    assert "Xanadu" in view.part("failure").inner_text()
    assert view.notebook.python("len(widget.effects)") == 0


def test_a_proposed_circuit_is_accepted_as_one_step(view: WidgetView) -> None:
    view.part("propose").click()
    view.part("ghost").first.wait_for()
    names = [one.get_attribute("data-name") for one in view.part("ghost", kind="supernode").all()]
    assert {"Texas", "say Austin", "capital"} <= set(names)
    assert view.notebook.python("len(widget.circuit.supernodes) + len(widget.circuit.pinned)") == 0
    view.part("ghost", name="Texas").click()
    assert "they read mostly from “Dallas”" in view.part("reason").inner_text()
    view.part("proposal").press("Escape")
    view.part("accept-all").click()
    view.notebook.wait_until(f"[group.name for group in widget.circuit.supernodes] == {names!r}")
    assert view.notebook.python("len(widget.circuit.pinned)") > 1
    assert view.part("ghost").count() == 0
    view.part("undo").click()
    view.notebook.wait_until("len(widget.circuit.supernodes) + len(widget.circuit.pinned) == 0")
    view.part("dismiss-proposals").click()
    view.part("ghost").first.wait_for(state="detached")

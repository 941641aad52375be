"""How experiments are made by hand, taken back, and copied as code."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.widget_view import WidgetView

OAKLAND = "the capital of the state containing Oakland is"
DALLAS_TOKEN = "frame[(frame.kind == 'token') & (frame.token.str.strip() == 'Dallas')].id.iloc[0]"
AN_ERROR = "frame[frame.kind == 'error'].sort_values('influence').id.iloc[-1]"


def displayed(view: WidgetView) -> list[object]:
    """Return what Python says is displayed: the experiment's number, and the supernodes' names."""
    return list(
        view.notebook.python("[widget.effect and widget.effect['id'], [one.name for one in widget.circuit.supernodes]]")
    )


def last_intervention(view: WidgetView) -> dict[str, object]:
    """Return the one intervention of the experiment made last."""
    (done,) = view.notebook.python("[one.to_json() for one in widget.effects[-1].interventions]")
    return dict(done)


def wait_until_displayed(view: WidgetView, state: list[object]) -> None:
    """Wait until page and Python show an experiment, None for none, and supernodes."""
    number, names = state
    view.notebook.wait_until(
        f"[widget.effect and widget.effect['id'], [one.name for one in widget.circuit.supernodes]] == {state!r}"
    )
    if number is None:
        view.part("effect-empty").wait_for()
    else:
        view.part("effect", effect=str(number)).wait_for()
    assert isinstance(names, list)
    expect(view.part("box", kind="supernode")).to_have_count(len(names))


@pytest.mark.parametrize("way", ["buttons", "keys"])
def test_undo_and_redo_go_over_experiments_and_groupings_in_their_order(dallas: WidgetView, way: str) -> None:
    steps = [displayed(dallas)]
    dallas.ablate("Texas")
    steps.append(displayed(dallas))
    first, second = dallas.notebook.python("[node for node in features('is') if node not in texas][:2]")
    dallas.drag(dallas.place(first), dallas.place(second))
    dallas.name_group("mine")
    dallas.notebook.wait_until("widget.circuit.supernodes[-1].name == 'mine'")
    steps.append(displayed(dallas))
    dallas.ablate("capital")
    steps.append(displayed(dallas))
    assert [number for number, _ in steps] == [None, 1, 1, 2]

    def go(which: str) -> None:
        if way == "buttons":
            dallas.part(which).click()
        else:
            dallas.page.keyboard.press({"undo": "Control+z", "redo": "Control+Shift+z"}[which])

    dallas.box("capital").focus()
    go("undo")
    wait_until_displayed(dallas, steps[2])
    # Grouping opened a name, and naming it was a step of its own.
    go("undo")
    dallas.notebook.wait_until("widget.circuit.supernodes[-1].name != 'mine'")
    go("undo")
    wait_until_displayed(dallas, steps[1])
    go("undo")
    wait_until_displayed(dallas, steps[0])
    expect(dallas.part("undo")).to_be_disabled()
    go("redo")
    wait_until_displayed(dallas, steps[1])
    go("redo")
    go("redo")
    wait_until_displayed(dallas, steps[2])
    go("redo")
    wait_until_displayed(dallas, steps[3])
    expect(dallas.part("redo")).to_be_disabled()
    assert dallas.notebook.python("widget.history()['id'].tolist()") == [1, 2]


def copied_code(view: WidgetView) -> str:
    """Copy the experiment on show as code, and return what is on the clipboard."""
    view.part("copy-code").click()
    view.part("copy-code").filter(has_text="copied").wait_for()
    return str(view.page.evaluate("() => navigator.clipboard.readText()"))


def swap_with_an_edited_alignment(view: WidgetView) -> None:
    """Swap Oakland in for Texas, with the token before the last standing for the last one."""
    view.box("Texas").click()
    view.part("toolbar-swap").click()
    view.part("swap-prompt").fill(OAKLAND)
    view.part("counterpart").last.select_option("7")
    view.part("swap-run").click()
    view.wait_for_effect_after(None)


def ablate_a_token_and_an_error(view: WidgetView) -> None:
    """Ablate a pinned error, then a pinned token beside it."""
    error, token = view.notebook.python(f"[{AN_ERROR}, {DALLAS_TOKEN}]")
    view.notebook.tell(f"widget.pin([{error!r}, {token!r}])")
    view.part("box", id=error).click()
    view.part("toolbar-0").click()
    view.wait_for_effect_after(None)
    view.part("box", id=token).click()
    view.part("toolbar-0").click(modifiers=["Shift"])
    view.wait_for_effect_after("1")


WAYS = {
    "ablation": lambda view: view.ablate("Texas"),
    "swap": swap_with_an_edited_alignment,
    "token and error": ablate_a_token_and_an_error,
}


@pytest.mark.parametrize("experiment", WAYS)
def test_copied_code_does_the_same_in_a_fresh_process(dallas: WidgetView, experiment: str, tmp_path: Path) -> None:
    dallas.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    WAYS[experiment](dallas)
    code = copied_code(dallas)
    assert code == dallas.notebook.python("widget.effect['code']")
    script = tmp_path / "copied.py"
    script.write_text(code + "\nimport json\nprint(json.dumps(effect.logits_after.tolist()))\n", encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    here = dallas.notebook.python("widget.effects[-1].logits_after.tolist()")
    assert np.allclose(json.loads(done.stdout.splitlines()[-1]), here, atol=1e-5, rtol=0)
    if experiment == "token and error":
        assert set(
            dallas.notebook.python("[one.to_json()['nodes'][0] for one in widget.effects[-1].interventions]")
        ) == {*dallas.notebook.python(f"[{AN_ERROR}, {DALLAS_TOKEN}]")}


def test_the_swap_form_shows_what_stands_for_what_and_takes_another_choice(dallas: WidgetView) -> None:
    position = dallas.notebook.python("[token.text.strip() for token in graph.tokens].index('Dallas')")
    dallas.box("Texas").click()
    dallas.part("toolbar-swap").click()
    dallas.part("swap-prompt").fill(OAKLAND)
    choice = dallas.part("counterpart", position=str(position))
    choice.wait_for()
    assert choice.locator("option:checked").inner_text() == f"{position} Oakland"
    assert dallas.part("alignment").inner_text().count("Dallas") == 1
    # What is swapped in comes from somewhere: there is no choosing that it comes from nothing.
    assert choice.locator("option:disabled").all_inner_texts() == ["nothing"]
    choice.select_option(str(position - 1))
    dallas.part("swap-run").click()
    dallas.wait_for_effect_after(None)
    aligned = dict(dallas.notebook.python("widget.effects[-1].interventions[0].alignment"))
    assert aligned[position] == position - 1
    swapped = "widget.circuit.supernode('Texas').nodes"
    dallas.notebook.tell(
        f"import circuit_widget as cw\nplain = model.intervene(graph, cw.SwapIn({swapped}, {OAKLAND!r}))\n"
        f"edited = model.intervene(graph, cw.SwapIn({swapped}, {OAKLAND!r}, alignment={aligned!r}))"
    )
    plain, edited = dallas.notebook.python("[one.probability(graph.targets[0].token_id)[1] for one in (plain, edited)]")
    after = dallas.token_rows()["Austin"]["after"]
    assert after == pytest.approx(edited, abs=1e-6)
    assert abs(after - plain) > 1e-4


def test_errors_and_tokens_are_ablated_by_their_own_dials(dallas: WidgetView) -> None:
    for number, wanted in enumerate((AN_ERROR, DALLAS_TOKEN), start=1):
        node = dallas.notebook.python(wanted)
        dallas.notebook.tell(f"widget.pin([{node!r}])")
        dallas.part("box", id=node).click()
        dallas.part("toolbar-0").click()
        dallas.part("effect", effect=str(number)).wait_for()
        assert dallas.part("toolbar-everywhere").count() == 0
        assert last_intervention(dallas) == {"kind": "ablate", "nodes": [node]}
        after = dallas.notebook.python(
            f"model.intervene(graph, type(widget.effects[-1].interventions[0])([{node!r}]))"
            ".probability(graph.targets[0].token_id)[1]"
        )
        assert dallas.token_rows()["Austin"]["after"] == pytest.approx(after, abs=1e-6)


def test_a_supernode_is_set_and_added_to(dallas: WidgetView) -> None:
    nodes = dallas.notebook.python("list(widget.circuit.supernode('Texas').nodes)")
    dallas.box("Texas").click()
    for number, (kind, typed, value) in enumerate([("set", "0,5", 0.5), ("add", "−0.25", -0.25)], start=1):
        dallas.turn(kind, typed)
        dallas.part("effect", effect=str(number)).wait_for()
        done = last_intervention(dallas)
        assert (done["kind"], done["value"]) == (kind, value)
        assert dallas.notebook.python(f"set(widget.effect['interventions'][0]['nodes']) == set({nodes!r})")
    before, after = dallas.notebook.python(
        "widget.effects[0].nodes.set_index('id').loc[list(widget.circuit.supernode('Texas').nodes),"
        " ['before', 'after']].to_numpy().T.tolist()"
    )
    assert after == pytest.approx([0.5] * len(nodes))
    assert before != pytest.approx(after)
    assert dallas.part("intervention").inner_text().startswith("add to Texas −0.25")


def test_everywhere_changes_a_feature_at_every_position(dallas: WidgetView) -> None:
    nodes = set(dallas.notebook.python("list(widget.circuit.supernode('capital').nodes)"))
    dallas.box("capital").click()
    dallas.part("toolbar-everywhere").click()
    dallas.part("toolbar-everywhere").filter(has_text="everywhere").wait_for()
    dallas.part("toolbar-0").click()
    dallas.wait_for_effect_after(None)
    changed = set(dallas.notebook.python("list(widget.effect['interventions'][0]['nodes'])"))
    assert changed > nodes
    assert dallas.notebook.python("widget.history()['name'].tolist()") == ["capital everywhere ×0"]
    assert {node.rsplit("_", 1)[0] for node in changed} == {node.rsplit("_", 1)[0] for node in nodes}
    off = dallas.notebook.python(
        f"float(widget.effects[-1].nodes.set_index('id').loc[{sorted(nodes)!r}, 'after'].abs().max())"
    )
    assert off == 0


def test_all_features_of_a_label_are_taken_from_the_search_and_ablated_together(dallas: WidgetView) -> None:
    label, count = dallas.notebook.python(
        "list(__import__('collections').Counter(graph.labels.values()).most_common(1)[0])"
    )
    dallas.root.locator("[aria-label='Search nodes']").click()
    dallas.part("search-input").fill(label)
    dallas.part("search-alike").filter(has_text=f"“{label}”").click()
    taken = dallas.notebook.wait_until("widget.selected")
    assert {dallas.notebook.python(f"graph.labels[{node!r}]") for node in taken} == {label}
    assert len(taken) <= count
    dallas.part("map").focus()
    dallas.page.keyboard.press("a")
    dallas.wait_for_effect_after(None)
    assert set(dallas.notebook.python("widget.effect['interventions'][0]['nodes']")) == set(taken)

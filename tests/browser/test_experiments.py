"""Controls, sweeps, texts, validations and the history: on the page and in Python the same."""

import csv
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator

from tests.browser.widget_view import AT_FULL_SPEED, SLOWLY, WidgetView

OAKLAND = "the capital of the state containing Oakland is"
PROMPT = "[token.token_id for token in graph.tokens]"


def three_experiments(view: WidgetView) -> None:
    """Ablate Texas, ablate capital, and swap Oakland in for Texas."""
    view.notebook.tell(f"widget.ablate('Texas'); widget.ablate('capital'); widget.swap('Texas', {OAKLAND!r})")
    view.part("effect", effect="3").wait_for()


def test_one_click_shows_beside_an_experiment_what_random_features_would_do(dallas: WidgetView) -> None:
    dallas.ablate("Texas")
    assert dallas.part("band").count() == 0
    dallas.part("control").click()
    dallas.part("controls", n="20").wait_for()
    assert dallas.notebook.python("[widget.effect['controls']['n'], len(widget.effects)]") == [20, 1]
    dallas.notebook.tell(
        "import numpy as np; token = graph.targets[0].token_id; effect = widget.effects[0]\n"
        "controls = model.controls(graph, effect.interventions, n=20, mode=effect.mode)\n"
        "say_austin = widget.circuit.supernode('say Austin').nodes\n"
        "def band(values):\n    return np.quantile(np.asarray(values), [0.05, 0.95]).tolist()"
    )
    low, high = dallas.notebook.python("band(controls.values(token))")
    band = dallas.part("token-row", token="Austin").locator("[data-test='band']")
    assert share(band, "left") == pytest.approx(low, abs=1e-4)
    assert share(band, "width") == pytest.approx(high - low, abs=1e-4)
    assert low > dallas.token_rows()["Austin"]["after"]
    low, high = dallas.notebook.python("band([one.ratio(say_austin)[0] for one in controls.controls])")
    row = dallas.part("activation-row", name="say Austin")
    whole = share(row.locator(".unchanged"), "left")
    assert share(row.locator("[data-test='band']"), "left") == pytest.approx(whole * low, abs=1e-4)
    assert share(row.locator("[data-test='band']"), "width") == pytest.approx(whole * (high - low), abs=1e-4)


def share(mark: Locator, side: str) -> float:
    """Return where a mark is drawn, as a share of the bar's length."""
    style = str(mark.get_attribute("style"))
    return float(re.findall(rf"{side}: ([\d.e-]+)%", style)[0]) / 100


def test_a_sweep_fills_in_and_is_what_python_measures(dallas: WidgetView) -> None:
    dallas.open("sweep")
    dallas.part("sweep-whom").select_option(label="Texas")
    # In little memory the strengths run a few at a time.
    dallas.notebook.tell(SLOWLY + "import circuit_widget.model.rerun as rerun; rerun.BATCH_BYTES = 2**17")
    dallas.part("sweep-run").click()
    dallas.part("sweep", total="21").and_(dallas.root.locator(":not([data-done='21'])")).wait_for()
    dallas.notebook.tell(AT_FULL_SPEED)
    dallas.part("sweep", done="21", total="21").wait_for()
    dallas.notebook.tell("nodes = widget.circuit.supernode('Texas').nodes; sweep = model.sweep(graph, nodes)")
    measured = dallas.notebook.python("[effect.probability(graph.targets[0].token_id)[1] for effect in sweep.effects]")
    dallas.notebook.wait_until("widget.study is not None")
    (kept,) = dallas.notebook.python("[token for token in widget.study['tokens'] if token['token'] == 'Austin']")
    assert kept["probability"] == pytest.approx(measured, abs=1e-5)
    points = dallas.part("plot-line", name="Austin").locator("circle")
    assert points.count() == 21
    titles = [title.replace("−", "-") for title in points.all_text_contents()]
    displayed = [float(re.findall(r": Austin ([\d.e-]+),", title)[0]) for title in titles]
    assert displayed == pytest.approx(measured, abs=0.006)


def test_a_point_of_a_sweep_runs_its_experiment(dallas: WidgetView) -> None:
    dallas.notebook.tell("widget.sweep('Texas')")
    dallas.open("sweep")
    points = dallas.part("plot-line", name="Austin").locator("circle")
    dallas.notebook.wait_until("widget.study is not None")
    (place,) = dallas.notebook.python("[place for place, factor in enumerate(widget.study['values']) if factor == 2]")
    points.nth(place).click()
    dallas.wait_for_effect_after(None)
    assert dallas.part("panel-effect").get_attribute("aria-pressed") == "true"
    (done,) = dallas.notebook.python("[one.to_json() for one in widget.effects[-1].interventions]")
    assert (done["kind"], done["factor"]) == ("scale", 2)
    (displayed,) = dallas.notebook.python("widget.effect['interventions']")
    assert set(displayed["nodes"]) == set(dallas.notebook.python("list(widget.circuit.supernode('Texas').nodes)"))
    assert dallas.part("intervention").inner_text().startswith("scale Texas ×2")


def test_a_sweep_of_pairs_lists_every_box_and_pair(dallas: WidgetView) -> None:
    dallas.open("sweep")
    dallas.part("sweep-axis").select_option("pairs")
    dallas.part("sweep-run").click()
    dallas.part("sweep", done="6", total="6").wait_for()
    names = [str(row.get_attribute("data-name")) for row in dallas.part("sweep-row").all()]
    # The page has the last row before the kernel has the whole study.
    dallas.notebook.wait_until("widget.study is not None")
    assert names == dallas.notebook.python("list(widget.study['labels'])")
    assert "Texas + capital" in names
    dallas.notebook.tell(
        "groups = {one.name: one.nodes for one in widget.circuit.supernodes}\n"
        "pairs = model.sweep_groups(graph, groups, pairs=True)"
    )
    dallas.part("sweep-line").select_option("Austin")
    after = dallas.notebook.python(
        "[one.probability(graph.targets[0].token_id)[1] for one in (*pairs.singles.values(), *pairs.pairs.values())]"
    )
    displayed = [float(number) for number in dallas.part("sweep-row").locator(".number").all_inner_texts()]
    assert displayed == pytest.approx(after, abs=0.006)


@pytest.mark.parametrize("way", ["Escape", "Cancel", "Cancel after a look at the history"])
def test_a_cancelled_sweep_leaves_the_last_one(dallas: WidgetView, way: str) -> None:
    dallas.notebook.tell("widget.ablate('Texas'); widget.sweep('Texas')")
    before = dallas.notebook.python("widget.study")
    dallas.open("sweep")
    dallas.part("sweep-whom").select_option(label="capital")
    dallas.notebook.tell(SLOWLY)
    dallas.part("sweep-run").click()
    dallas.part("job").wait_for()
    if way == "Escape":
        dallas.page.keyboard.press("Escape")
    else:
        if "history" in way:
            dallas.open("history")
            entry(dallas, 1, "recall")
            dallas.open("sweep")
        dallas.part("job").filter(has_text="Sweep: capital").locator("[data-test='cancel']").click()
    dallas.part("job").wait_for(state="detached")
    dallas.notebook.tell(AT_FULL_SPEED)
    dallas.notebook.wait_until("widget._worker.pending(widget) == ()")
    assert dallas.notebook.python("widget.study") == before
    assert dallas.part("sweep").get_attribute("aria-label") == "Sweep of Texas"
    assert dallas.part("plot-line", name="Austin").locator("circle").count() == 21
    assert dallas.part("failure").count() == 0


def texts(view: WidgetView) -> list[list[tuple[str, bool]]]:
    """Return the texts on show: each token, and whether it is marked."""
    return [
        [(token.inner_text(), "differs" in str(token.get_attribute("class"))) for token in text.locator("bdi").all()]
        for text in view.part("generated").all()
    ]


def say(view: WidgetView, **options: str) -> None:
    """Let the model go on from the prompt, and wait for the text's end."""
    for name, value in options.items():
        view.part(f"generate-{name}").fill(value)
    view.part("generate-run").click()
    view.part("texts", ended="true").filter(has_text=f"seed {options['seed']}").wait_for()


def test_a_text_under_intervention_grows_and_marks_what_differs(dallas: WidgetView) -> None:
    dallas.ablate("Texas")
    dallas.open("generate")
    assert dallas.part("generate-what").inner_text() == "ablate Texas ×0"
    dallas.notebook.tell(SLOWLY)
    dallas.part("generate-run").click()
    dallas.part("texts", ended="false").locator("bdi").first.wait_for()
    dallas.notebook.tell(AT_FULL_SPEED)
    dallas.part("texts", ended="true").wait_for()
    dallas.notebook.tell(
        f"made = model.generate({PROMPT}, interventions=widget.effects[-1].interventions, max_new_tokens=12)"
    )
    python = dallas.notebook.python(
        "[[[token.text for token in one.sampled], list(marks)]"
        " for one, marks in zip((made.unsteered, made.steered), made.marks)]"
    )
    assert texts(dallas) == [list(zip(*text, strict=True)) for text in python]
    assert texts(dallas)[0][0] == ("Austin", True)
    dallas.notebook.wait_until("widget.study is not None")
    assert dallas.notebook.python("[token['token'] for token in widget.study['steered']]") == python[1][0]


def test_a_seed_draws_the_same_text_again_and_new_tokens_are_steered_too(dallas: WidgetView) -> None:
    dallas.ablate("Texas")
    dallas.open("generate")
    dallas.part("generate-new").check()
    say(dallas, temperature="3", length="8", seed="7")
    first = texts(dallas)
    assert "prompt and new tokens · temperature 3 · seed 7" in dallas.part("texts").inner_text()
    say(dallas, seed="8")
    assert texts(dallas) != first
    say(dallas, seed="7")
    assert texts(dallas) == first
    dallas.notebook.tell(
        f"made = model.generate({PROMPT}, interventions=widget.effects[-1].interventions, new_tokens=True,"
        " max_new_tokens=8, temperature=3.0, seed=7)"
    )
    python = dallas.notebook.python("[[token.text for token in one.sampled] for one in (made.unsteered, made.steered)]")
    assert [[token for token, _ in text] for text in first] == python
    dallas.notebook.wait_until("widget.study is not None")
    assert dallas.notebook.python("widget.study['new_tokens']")


def test_escape_stops_a_text_from_within_its_form(dallas: WidgetView) -> None:
    dallas.notebook.tell(SLOWLY)
    dallas.open("generate")
    dallas.part("generate-length").press("Enter")
    dallas.part("job").wait_for()
    dallas.part("generate-length").press("Escape")
    dallas.part("job").wait_for(state="detached")
    dallas.notebook.tell(AT_FULL_SPEED)
    dallas.notebook.wait_until("widget._worker.pending(widget) == ()")
    assert dallas.notebook.python("widget.study") is None
    assert dallas.part("texts").count() == 0


def test_a_validation_shows_the_correlation_that_python_finds(dallas: WidgetView) -> None:
    dallas.open("validate")
    dallas.part("validate-run").click()
    dallas.part("validation", groups="3").wait_for()
    found = dallas.notebook.python("graph.validate(widget.circuit).spearman")
    row = dallas.part("agreement", of="feature", part="all").locator(".number")
    assert float(row.nth(1).inner_text().replace("−", "-")) == pytest.approx(found, abs=0.006)
    dallas.notebook.wait_until("widget.study is not None")
    assert dallas.notebook.python("widget.study['agreement'][0]['spearman']") == pytest.approx(found, abs=1e-6)
    pairs = dallas.notebook.python("sum(pair['of'] == 'feature' for pair in widget.study['pairs'])")
    assert dallas.part("scatter").locator("circle").count() == pairs


def entry(view: WidgetView, number: int, part: str) -> None:
    """Click a button of an experiment's line in the history."""
    view.part("experiment-entry", id=str(number)).locator(f"[data-test={part!r}]").click()


def test_an_experiment_made_before_can_be_displayed_again_and_compared(dallas: WidgetView) -> None:
    three_experiments(dallas)
    dallas.open("history")
    assert [row.get_attribute("data-id") for row in dallas.part("experiment-entry").all()] == ["3", "2", "1"]
    entry(dallas, 1, "recall")
    dallas.part("effect", effect="1").wait_for()
    assert dallas.notebook.python("widget.effect['id']") == 1
    after = dallas.notebook.python("widget.effects[0].probability(graph.targets[0].token_id)[1]")
    assert dallas.token_rows()["Austin"]["after"] == pytest.approx(after, abs=1e-6)
    assert "Sacramento" not in dallas.token_rows()

    dallas.open("history")
    entry(dallas, 3, "compare")
    dallas.part("compared").wait_for()
    row = dallas.part("token-row", token="Sacramento")
    first, second = dallas.notebook.python(
        "widget.compare(1, 3).set_index('token').loc['Sacramento', ['first', 'second']].tolist()"
    )
    assert float(str(row.get_attribute("data-after"))) == pytest.approx(first, abs=1e-6)
    assert float(str(row.get_attribute("data-compared"))) == pytest.approx(second, abs=1e-6)
    assert second > 0.5 > first
    dallas.part("compare-end").click()
    row.wait_for(state="detached")
    assert dallas.notebook.python("widget.effect['id']") == 1


def test_experiments_can_be_named_deleted_and_saved_as_a_table(dallas: WidgetView, tmp_path: Path) -> None:
    three_experiments(dallas)
    dallas.open("history")
    entry(dallas, 1, "name-experiment")
    dallas.part("rename").fill("without Texas")
    # A name is kept by leaving its field, too.
    dallas.open("history")
    dallas.part("experiment-entry", id="1").filter(has_text="without Texas").wait_for()
    entry(dallas, 2, "forget")
    dallas.part("experiment-entry", id="2").wait_for(state="detached")
    assert dallas.notebook.python("[[one['id'], one['name']] for one in widget.experiments][0]") == [1, "without Texas"]
    assert dallas.notebook.python("widget.history()['id'].tolist()") == [1, 3]
    with dallas.page.expect_download() as downloading:
        dallas.part("history-table").click()
    path = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(path)
    assert path.suffix == ".csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == dallas.notebook.python("widget.history()['name'].tolist()")
    assert list(rows[0]) == dallas.notebook.python("list(widget.history().columns)")
    assert float(rows[0]["after"]) == pytest.approx(dallas.notebook.python("float(widget.history().after[0])"))

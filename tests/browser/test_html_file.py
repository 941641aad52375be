"""The HTML file for readers: opened from disk, with the network off, and used."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page

from circuit_widget.characters import half_character
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.demo.groups import capital_features, state_features
from circuit_widget.graph import Graph
from circuit_widget.loading import load
from circuit_widget.widget.widget import CircuitWidget
from tests.browser.conftest import Screen
from tests.browser.widget_view import PLACES
from tests.hostile import HOSTILE

PROMPT = "the capital of the state containing Dallas is"
# A message of the browser for each thing that the policy of the page forbids.
FORBIDDEN = "Content Security Policy"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return load("demo").trace(PROMPT)


@pytest.fixture(scope="module")
def widget(graph: Graph) -> Iterator[CircuitWidget]:
    """A widget with two groups and two experiments, of which the first is no longer displayed."""
    made = graph.show()
    for name, features in (("Texas", state_features(graph, "Texas")), ("capital", capital_features(graph))):
        made.group(name, [feature.id for feature in features if feature.id in graph.node_ids])
    made.ablate("Texas")
    made.scale("capital", 2.0)
    yield made
    made.close()


class Reader:
    """The page of a file, as a reader uses it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.root = page.locator(".circuit-widget[data-ready]")
        self.root.wait_for()

    def part(self, test: str, **data: str) -> Locator:
        """Return the parts of one kind, by their data-test and other data attributes."""
        wanted = "".join(f"[data-{key}={value!r}]" for key, value in data.items())
        return self.root.locator(f"[data-test={test!r}]{wanted}")

    def place(self, widget: CircuitWidget, node: str) -> tuple[float, float]:
        """Return where on the page the map has drawn a node of a widget's graph."""
        canvas = self.part("map")
        canvas.scroll_into_view_if_needed()
        bounds = canvas.bounding_box()
        assert bounds is not None
        known: dict[str, Any] = {}
        exec(PLACES, known)
        x, y = known["places"](widget, bounds["width"], bounds["height"])[node]
        return bounds["x"] + x, bounds["y"] + y

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press at one place of the page, move, and let go at another."""
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(*end, steps=5)
        self.page.mouse.up()

    def download(self, button: Locator, folder: Path) -> Path:
        """Click a button and return the file that the browser saves."""
        with self.page.expect_download() as download:
            button.click()
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path


Opening = Callable[[CircuitWidget], Reader]


@pytest.fixture
def read(context: BrowserContext, complaints: list[str], tmp_path: Path) -> Opening:
    """Write the file of a widget and open it from disk, with the network off."""

    def open_file(widget: CircuitWidget) -> Reader:
        path = widget.to_html(tmp_path / "circuit.html")
        context.set_offline(True)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.goto(path.as_uri())
        return Reader(page)

    return open_file


def test_a_reader_sees_the_circuit_and_the_experiment_that_was_displayed(read: Opening, widget: CircuitWidget) -> None:
    reader = read(widget)
    for name in ("Texas", "capital"):
        reader.part("box", name=name, kind="supernode").wait_for()
    assert reader.part("effect").get_attribute("data-effect") == "2"
    assert reader.page.title() == f"Attribution graph of “{PROMPT}”"
    text = reader.page.locator("body").inner_text()
    for words in ("“Austin”", "demo", "circuit-widget 0.", "recorded experiments with their numbers"):
        assert words in text
    assert not reader.page.locator("#circuit-widget-figure").is_visible()


def test_a_recorded_experiment_is_displayed_again_with_its_numbers(
    read: Opening, widget: CircuitWidget, tmp_path: Path
) -> None:
    reader = read(widget)
    reader.part("panel-history").click()
    assert reader.part("experiment-entry").count() == 2
    assert reader.part("forget").count() == reader.part("name-experiment").count() == 0
    reader.part("experiment-entry", id="1").locator("[data-test=recall]").click()
    reader.part("effect", effect="1").wait_for()
    after = widget.effects[0].tokens.set_index("token").after["Austin"]
    row = reader.part("token-row", token="Austin")
    assert float(row.get_attribute("data-after") or "nan") == pytest.approx(after, abs=1e-6)

    reader.part("panel-history").click()
    reader.part("experiment-entry", id="2").locator("[data-test=compare]").click()
    reader.part("compared").wait_for()
    assert "capital ×2" in reader.part("compared").inner_text()
    reader.part("undo").click()
    reader.part("effect", effect="2").wait_for()
    reader.part("panel-history").click()
    table = reader.download(reader.part("history-table"), tmp_path).read_text()
    assert [row["id"] for row in csv.DictReader(io.StringIO(table))] == ["1", "2"]


def test_a_reader_selects_searches_and_groups(read: Opening, widget: CircuitWidget, graph: Graph) -> None:
    reader = read(widget)
    visible = [node for node in graph.prune(0.6).node_ids[:40] if graph.index(node) < graph.n_features]
    grouped = {node for supernode in widget.circuit.supernodes for node in supernode.nodes}
    first, second = [node for node in visible if node not in grouped][:2]
    reader.page.mouse.click(*reader.place(widget, first))
    reader.part("feature-card").wait_for()
    assert reader.part("feature-card").locator(".example").count() > 0
    assert reader.part("direct-effect").is_visible()
    reader.drag(reader.place(widget, first), reader.place(widget, second))
    reader.part("rename").fill("a group of the reader")
    reader.part("rename").press("Enter")
    reader.part("box", name="a group of the reader").wait_for()
    reader.part("undo").click()
    reader.part("box", name="a group of the reader").wait_for(state="detached")
    reader.part("search").click()
    reader.part("search-input").fill("Dallas")
    reader.part("search-result").first.wait_for()


def test_what_needs_the_model_is_refused_in_one_sentence(read: Opening, widget: CircuitWidget, tmp_path: Path) -> None:
    reader = read(widget)
    reader.part("box", name="Texas", kind="supernode").click()
    assert "This file has no model" in (reader.part("toolbar-0").get_attribute("title") or "")
    reader.part("toolbar-0").click()
    assert "This file has no model: open the graph in Python to run it." in reader.part("failure").inner_text()
    assert reader.part("effect").get_attribute("data-effect") == "2"
    reader.part("dismiss").click()
    reader.part("export").click()
    assert reader.part("export-png").count() == reader.part("export-html").count() == 0
    svg = reader.download(reader.part("export-svg"), tmp_path)
    assert svg.name == "the-capital-of-the-state-containing-dallas-is.svg"
    assert svg.read_text() == widget.figure().svg()


def test_a_reader_saves_the_circuit_and_opens_one(read: Opening, widget: CircuitWidget, tmp_path: Path) -> None:
    reader = read(widget)
    reader.part("export").click()
    path = reader.download(reader.part("save-circuit"), tmp_path)
    assert Circuit.load(path) == widget.circuit

    def choose(circuit: Circuit) -> None:
        reader.part("circuit-file").set_input_files(circuit.save(path))

    choose(widget.circuit.rename("Texas", "the state"))
    reader.part("box", name="the state", kind="supernode").wait_for()
    choose(widget.circuit.pin("7_99_1"))
    assert "names nodes that this file does not have: 7_99_1." in reader.part("failure").inner_text()
    assert reader.part("box").count() == 2
    reader.part("undo").click()
    reader.part("box", name="Texas", kind="supernode").wait_for()


def whole(text: str) -> bool:
    """Return whether a graph takes a text as a label: not half of a character, not nothing."""
    return text != "" and half_character(text) is None


def test_text_of_models_and_people_is_text(read: Opening, graph: Graph) -> None:
    texts = [
        *filter(whole, HOSTILE.values()),
        "<img src=x onerror='window.executed=1'></script><script>window.executed=1</script>",
    ]
    tokens = [replace(token, text=text) for token, text in zip(graph.tokens, texts, strict=False)]
    labels = dict(zip(graph.node_ids, texts, strict=False))
    recipe = {**graph.recipe, "model": texts[-1], "transcoders": HOSTILE["bidi override"], "prompt": texts[-1]}
    hostile = replace(graph, tokens=(*tokens, *graph.tokens[len(tokens) :]), labels=labels, recipe=recipe)
    widget = hostile.show()
    widget.group("</script><script>window.executed=1</script>", list(labels)[:5])
    widget.pin(list(labels)[5:])
    widget.select([next(iter(labels))])
    reader = read(widget)
    reader.part("box", kind="supernode").wait_for()
    assert reader.part("box", kind="supernode").get_attribute("data-name") == widget.circuit.supernodes[0].name
    assert reader.page.evaluate("() => 'executed' in window") is False
    assert reader.page.locator("script").count() == 3
    assert "\u202e" not in reader.page.locator("body").inner_text().split("This file needs")[0]
    widget.close()


def test_the_page_runs_no_other_script_and_asks_for_nothing(
    context: BrowserContext, widget: CircuitWidget, tmp_path: Path
) -> None:
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.goto(widget.to_html(tmp_path / "circuit.html").as_uri())
    Reader(page)
    assert heard == []
    page.evaluate("""() => {
      const script = document.createElement("script");
      script.textContent = "window.executed = 1";
      const image = document.createElement("img");
      image.src = "https://example.org/x.png";
      const style = document.createElement("style");
      style.textContent = "body { display: none }";
      document.body.append(script, image, style);
      document.body.setAttribute("onclick", "window.executed = 1");
      document.body.click();
    }""")
    page.wait_for_function("() => true")
    assert page.evaluate("() => 'executed' in window") is False
    assert page.locator("body").is_visible()
    assert len([text for text in heard if FORBIDDEN in text]) == 4


def test_without_javascript_there_is_the_picture_and_its_description(
    browser: Browser, widget: CircuitWidget, tmp_path: Path
) -> None:
    settings: Screen = {"java_script_enabled": False, "offline": True}
    fresh = browser.new_context(**settings)
    page = fresh.new_page()
    page.goto(widget.to_html(tmp_path / "circuit.html").as_uri())
    picture = page.locator("#circuit-widget-figure")
    assert picture.is_visible()
    assert "Supernodes: Texas, capital." in (picture.get_attribute("alt") or "")
    assert page.locator("noscript strong").is_visible()
    assert not page.get_by_text("group them").is_visible()
    fresh.close()


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_a_file_that_was_cut_off_is_named_as_such(
    context: BrowserContext, widget: CircuitWidget, tmp_path: Path, share: float
) -> None:
    path = widget.to_html(tmp_path / "circuit.html")
    text = path.read_text()
    start = text.index('id="circuit-widget-figure"')
    path.write_text(text[: start + int((len(text) - start) * share)])
    page = context.new_page()
    page.goto(path.as_uri())
    page.get_by_text("This file cannot be displayed, it may have been cut off; get it again.").wait_for()


def test_another_version_of_the_content_is_refused(
    context: BrowserContext, widget: CircuitWidget, tmp_path: Path
) -> None:
    import base64
    import zlib

    path = widget.to_html(tmp_path / "circuit.html")
    text = path.read_text()
    packed = re.search(r'id="circuit-widget-content">([^<]*)<', text)
    assert packed is not None
    content = json.loads(zlib.decompress(base64.b64decode(packed[1])))
    newer = base64.b64encode(zlib.compress(json.dumps({**content, "version": 99}).encode())).decode()
    path.write_text(text.replace(packed[1], newer))
    page = context.new_page()
    page.goto(path.as_uri())
    page.get_by_text("version 99").wait_for()

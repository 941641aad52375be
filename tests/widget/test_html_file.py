"""The HTML file for readers: what is in it, what its page lets run, and how large it is."""

import base64
import hashlib
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from circuit_widget import __version__
from circuit_widget.characters import repaired
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import Cancelled, CircuitWidgetError, NodeError
from circuit_widget.examples.record import Example
from circuit_widget.feature_card import FeatureCard
from circuit_widget.graph import Graph, PromptToken, Target
from circuit_widget.widget.html_file import page
from circuit_widget.widget.html_file.content import CARDS_SIZE, MOST_CARDS, MOST_COMPARED, content_of
from circuit_widget.widget.html_file.widget_state import WidgetState
from circuit_widget.widget.html_file.write import html_of, write_html
from circuit_widget.widget.wire.html_messages import HtmlContent
from circuit_widget.widget.wire.schema import parse
from circuit_widget.widget.wire.snapshot import snapshot_of
from tests.hostile import HOSTILE
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.small_graph import as_in_a_notebook, small_graph

TEXAS = ["0_2_4", "0_19_4", "1_8_4"]


def silent(_fraction: float, _text: str) -> None:
    """Take a report of progress."""


def never() -> bool:
    """Let a run go on."""
    return False


class Elements(HTMLParser):
    """The elements of a page, as a browser reads them: tag, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))
        self._open = True

    def handle_endtag(self, tag: str) -> None:
        self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            tag, attributes, text = self.found[-1]
            self.found[-1] = (tag, attributes, text + data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        """Return attributes and text of each element of a tag."""
        return [(attributes, text) for name, attributes, text in self.found if name == tag]


def content_in(text: str) -> Any:
    """Return the content of a page as decoded JSON."""
    (packed,) = (
        text for attributes, text in Elements(text).all("script") if attributes.get("id") == page_id("content")
    )
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def page_id(name: str) -> str:
    return f"circuit-widget-{name}"


def large_graph(n_features: int) -> Graph:
    """A graph of one layer after another, in which every edge has a weight of its own."""
    random = np.random.default_rng(0)
    n_positions, n_layers = 12, 20
    places = np.sort(random.integers(0, n_layers * (n_positions - 1), n_features))
    layer, position = (part.astype(np.int32) for part in np.divmod(places, n_positions - 1))
    position += 1
    source_layer = np.concatenate([layer, np.full(n_positions, -1)])
    source_position = np.concatenate([position, np.arange(n_positions)])
    target_layer = np.concatenate([layer, np.full(10, n_layers)])
    target_position = np.concatenate([position, np.full(10, n_positions - 1)])
    weights = random.standard_cauchy((n_features + 10, n_features + n_positions))
    weights *= (source_layer < target_layer[:, None]) & (source_position <= target_position[:, None])
    return Graph.build(
        tokens=[PromptToken(f"word {number}", number) for number in range(n_positions)],
        targets=[Target(f"token {number}", number, 0.05, 1.0) for number in range(10)],
        position=n_positions - 1,
        n_layers=n_layers,
        feature_layer=layer,
        feature_position=position,
        feature_index=np.arange(n_features, dtype=np.int32),
        activation=random.random(n_features).astype(np.float32),
        error_layer=np.zeros(0, np.int32),
        error_position=np.zeros(0, np.int32),
        token_position=np.arange(n_positions, dtype=np.int32),
        weights=weights.astype(np.float32),
        labels={},
        recipe={"model": "large", "transcoders": "", "device": "cpu", "dtype": "float32"},
    )


class Cards:
    """A model that knows long examples of every feature, each with words of its own."""

    def __init__(self) -> None:
        self.made = 0

    def feature_card(self, layer: int, feature: int) -> FeatureCard:
        """Return a card with fifty examples of sixty tokens."""
        self.made += 1
        random = np.random.default_rng(feature)
        tokens = tuple(f"w{number}" for number in random.integers(0, 10_000, 60))
        values = tuple(random.random(60).round(3).tolist())
        return FeatureCard(layer, feature, f"label {feature}", 0.01, 9.0, (Example(tokens, values),) * 50, (), ())


def test_of_a_long_history_all_experiments_are_in_the_file_and_the_latest_are_compared(show: Open) -> None:
    widget, browser = show()
    for _ in range(MOST_COMPARED + 3):
        widget.ablate("2_9_5")
    rid = browser.request("html", {})
    answered(browser, rid)
    content = content_in(browser.buffers[rid][0].decode())
    assert [one["id"] for one in content["effects"]] == list(range(1, MOST_COMPARED + 4))
    assert {one["id"] for one in content["comparisons"]} == set(range(4, MOST_COMPARED + 4))
    assert len(content["comparisons"]) == MOST_COMPARED * (MOST_COMPARED - 1)


def test_the_file_has_the_widget_as_it_is(show: Open) -> None:
    widget, browser = show(circuit=Circuit().group("Texas", TEXAS))
    widget.ablate("Texas")
    widget.ablate("2_9_5")
    widget.recall(1)
    widget.select(["2_9_5"])
    rid = browser.request("html", {})
    reply = answered(browser, rid)["body"]
    assert reply == {"filename": "the-capital-of-texas-is.html", "mime": "text/html"}
    (data,) = browser.buffers[rid]
    content = content_in(data.decode())
    parse(HtmlContent, content, "The content")
    traits = content["traits"]
    assert traits["circuit"] == widget.circuit.to_json()
    assert traits["selected"] == ["2_9_5"]
    assert traits["snapshot"] == as_in_a_notebook(widget.graph)
    assert traits["effect"] == widget.effect == content["effects"][0]
    assert traits["experiments"] == widget.experiments
    assert traits["capabilities"]["why_not"] == "This file has no model: open the graph in Python to run it."
    widget.recall(2)
    assert content["effects"][1] == widget.effect
    compared = answered(browser, browser.request("compare", {"id": 1, "beside": 2}))["body"]
    assert content["comparisons"][0] == {name: compared[name] for name in ("id", "beside", "tokens")}
    assert content["table"] == widget.history_file()
    cards = {card["node"]: card for card in content["cards"]}
    assert set(cards) == {node for node in traits["snapshot"]["ids"] if widget.graph.index(node) < 16}
    answer = answered(browser, browser.request("card", {"node": "1_8_4"}))
    assert cards["1_8_4"] == answer["body"]


def test_the_page_lets_run_its_bundle_alone_and_loads_nothing(show: Open) -> None:
    widget, _ = show()
    text = html_of(widget._experiments.state(), silent)
    elements = Elements(text)
    (policy,) = (
        one["content"] for one, _ in elements.all("meta") if one.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:"
    ((module, code),) = (one for one in elements.all("script") if one[0].get("type") == "module")
    assert "src" not in module
    ((_, style),) = elements.all("style")
    for rule, source in (("script-src", code), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    bundle = (Path(page.__file__).parents[1] / "static" / "html-page.js").read_text(encoding="utf-8")
    assert code == bundle
    assert not elements.all("link") + elements.all("iframe") + elements.all("base")
    assert [name for _, attributes, _ in elements.found for name in attributes if name.startswith("on")] == []
    assert "preact" in next(text for one, text in elements.all("script") if one.get("id") == page_id("licences"))


def test_the_page_names_what_it_is(show: Open) -> None:
    widget, _ = show()
    widget.group("Texas", TEXAS)
    elements = Elements(html_of(widget._experiments.state(), silent))
    ((_, title),) = elements.all("title")
    assert title == "Attribution graph of “The capital of Texas is”"
    words = " ".join(text for tag, _, text in elements.found if tag not in ("script", "style"))
    for part in ("“Austin” with probability 0.75", "small · small/relu · made on 2", f"circuit-widget {__version__}"):
        assert part in words
    ((picture, _),) = elements.all("img")
    assert "Supernodes: Texas." in (picture["alt"] or "")
    drawn = base64.b64decode((picture["src"] or "").removeprefix("data:image/svg+xml;base64,")).decode()
    assert drawn == widget.figure().svg()
    assert "recorded experiments" not in words
    widget.ablate("Texas")
    assert "recorded experiments" in html_of(widget._experiments.state(), silent)


@pytest.mark.parametrize(
    "text", [*HOSTILE.values(), "</script><script>alert(1)</script>"], ids=[*HOSTILE, "script end"]
)
def test_hostile_text_adds_no_element_to_the_page(text: str) -> None:
    plain = Elements(html_of(WidgetState(small_graph(), None, Circuit()), silent))
    graph, whole = small_graph(), repaired(text)
    graph = replace(
        graph,
        tokens=(graph.tokens[0], replace(graph.tokens[1], text=whole), *graph.tokens[2:]),
        targets=(replace(graph.targets[0], token=whole), *graph.targets[1:]),
        labels={"1_8_4": whole} if whole else {},
        recipe={**graph.recipe, "model": text, "transcoders": text, "prompt": text},
    )
    written = html_of(WidgetState(graph, None, Circuit()), silent)
    elements = Elements(written.encode().decode())
    assert [tag for tag, *_ in elements.found] == [tag for tag, *_ in plain.found]
    assert [sorted(one) for _, one, _ in elements.found] == [sorted(one) for _, one, _ in plain.found]
    outside = re.sub(r"<(script|style)\b.*?</\1>", "", written, flags=re.DOTALL)
    assert not set(outside) & set("\u202e\u2067\x00\x1b\u2028")
    assert content_in(written)["traits"]["snapshot"]["tokens"][1]["text"] == snapshot_of(graph).tokens[1].text


def test_a_file_of_a_thousand_nodes_is_under_a_megabyte() -> None:
    graph = large_graph(1_300)
    state = WidgetState(graph, Cards(), Circuit(node_threshold=0.8, edge_threshold=0.98))
    written = html_of(state, silent)
    content = content_in(written)
    assert len(content["traits"]["snapshot"]["ids"]) > 1_000
    assert len(content["cards"]) > 50
    assert len(written.encode()) < 1_000_000
    (picture,) = Elements(written).all("img")
    drawn = base64.b64decode((picture[0]["src"] or "").split("base64,")[1]).decode()
    assert "Strongest edges alone" in drawn
    assert "Strongest edges alone" not in WidgetState(small_graph(), None, Circuit()).figure().svg()


def test_cards_are_those_a_reader_sees_first_and_end_at_their_budget() -> None:
    graph, model = large_graph(600), Cards()
    last = graph.node_ids[int(np.argmin(graph.influence[: graph.n_features]))]
    state = WidgetState(graph, model, Circuit().pin([last]))
    reports: list[float] = []
    content = content_of(state, lambda fraction, _: reports.append(fraction), never)
    assert content.cards[0].node == last
    assert len(content.cards) <= model.made <= MOST_CARDS
    assert all(len(card.examples) == 8 for card in content.cards)
    sizes = [len(zlib.compress(json.dumps(card, default=vars).encode())) for card in content.cards]
    assert sum(sizes) <= CARDS_SIZE < sum(sizes) + 2 * max(sizes)
    assert reports == sorted(reports)
    with pytest.raises(Cancelled):
        content_of(state, silent, lambda: True)


class ShortCards(Cards):
    """A model that knows no examples."""

    def feature_card(self, layer: int, feature: int) -> FeatureCard:
        """Return a card without examples."""
        self.made += 1
        return FeatureCard(layer, feature, "Texas", 0.01, 9.0, (), (), ())


def test_a_label_of_a_weak_node_has_a_card_that_says_where_it_is_from() -> None:
    graph = large_graph(600)
    order = [graph.node_ids[place] for place in np.argsort(-graph.influence[: graph.n_features])]
    weak = order[MOST_CARDS + 50]
    labelled = graph.with_labels({weak: "Texas"})
    cards = [
        {card.node for card in content_of(WidgetState(one, ShortCards(), Circuit()), silent, never).cards}
        for one in (graph, labelled)
    ]
    assert [len(some) for some in cards] == [MOST_CARDS, MOST_CARDS]
    assert [weak in some for some in cards] == [False, True]
    assert order[0] in cards[1]


def test_without_a_model_every_feature_has_the_card_that_the_widget_has() -> None:
    content = content_of(WidgetState(small_graph(), None, Circuit()), silent, never)
    assert len(content.cards) == len([node for node in content.cards if node.frequency is None]) == 16
    assert {card.label for card in content.cards} == {None, "Texas <b>", "say “Austin” 🤠"}


def test_what_cannot_be_written_is_refused_with_what_to_do(show: Open, tmp_path: Path) -> None:
    widget, _ = show()
    with pytest.raises(CircuitWidgetError, match=r"An HTML file ends in \.html; given 'circuit\.pdf'\."):
        widget.to_html(tmp_path / "circuit.pdf")
    with pytest.raises(CircuitWidgetError, match="HTML file cannot be written"):
        widget.to_html(tmp_path / "nowhere" / "circuit.html")
    with pytest.raises(NodeError, match="no node “0_99_1”"):
        write_html(WidgetState(small_graph(), None, Circuit().pin(["0_99_1"])), tmp_path / "circuit.html")
    assert list(tmp_path.iterdir()) == []
    assert widget.to_html(str(tmp_path / "circuit.html")) == tmp_path / "circuit.html"


def test_code_that_would_end_its_element_is_refused() -> None:
    content = content_of(WidgetState(small_graph(), None, Circuit()), silent, never)
    picture = page.Picture("<svg/>", "", "")
    for code in ("'</SCRIPT>'", "a <!-- b"):
        with pytest.raises(CircuitWidgetError, match="which HTML cannot have there"):
            page.html_page(content, picture, (), page.Frontend(code, "", ""))

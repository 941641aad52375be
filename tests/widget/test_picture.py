"""Pictures for those who export one, and for those who open the notebook where no widget can run."""

import html
import sys
from dataclasses import replace
from typing import Any

import pytest

from circuit_widget.errors import FigureError
from circuit_widget.graph import PromptToken
from circuit_widget.widget.html_file.widget_state import WidgetState
from circuit_widget.widget.widget import CircuitWidget
from circuit_widget.widget.wire.messages import FileReply
from circuit_widget.widget.wire.schema import parse
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.small_graph import small_graph

TEXAS = ["0_2_4", "0_19_4", "1_8_4"]
AUSTIN = ["2_9_5"]


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_figure_comes_with_its_bytes(show: Open, kind: str, start: bytes) -> None:
    _, page = show()
    rid = page.request("figure", {"format": kind, "width": 3.25, "part": "map"})
    body = parse(FileReply, answered(page, rid)["body"], "The reply")
    assert body.filename == f"the-capital-of-texas-is.{kind}"
    (data,) = page.buffers[rid]
    assert start in data[:100]
    rid = page.request("figure", {"format": kind, "width": 3.25, "part": "circuit"})
    answer = answered(page, rid)
    assert (answer["code"], answer["message"].split(":")[0]) == ("figure", "The circuit has no boxes to draw")


def test_the_figure_shows_the_effect_that_is_on_show(widget: CircuitWidget) -> None:
    widget.group("Texas", TEXAS)
    before = widget.figure().svg()
    widget.ablate("Texas")
    assert widget.figure().svg() != before
    widget.reset()
    assert widget.figure().svg() == before
    with pytest.raises(FigureError):
        widget.figure(width=0.1)


def test_a_saved_notebook_has_a_picture_and_its_words(show: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    # No emoji, which few machines have a font for.
    graph = replace(small_graph(tokens=hostile_tokens()), labels={TEXAS[0]: "Texas"})
    widget, _ = show(graph)
    widget.group('"><script>alert(1)</script>', TEXAS)
    bundle, _ = widget._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert bundle["image/png"].startswith("iVBOR")
    assert bundle["text/html"].startswith('<img src="data:image/png;base64,iVBOR')
    words = bundle["text/html"].split('alt="')[1].split('"')[0]
    assert "<" not in words
    assert ">" not in words
    assert "Austin" in html.unescape(words)
    assert "<script>alert(1)</script>" in html.unescape(words)
    assert bundle["text/html"].count("<") == 1
    assert "→ Austin" in bundle["text/plain"]

    monkeypatch.setitem(sys.modules, "typst", None)
    bundle, _ = widget._repr_mimebundle_()
    assert "image/png" not in bundle
    assert bundle["text/html"].startswith('<img src="data:image/svg+xml;base64,')


def hostile_tokens() -> list[Any]:
    texts = ["<bos>", "<img src=x onerror=alert(1)>", '"', "&amp;", "\n", "is"]
    return [PromptToken(text, number) for number, text in enumerate(texts)]


def test_a_picture_that_cannot_be_drawn_does_not_hide_the_widget(
    widget: CircuitWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no fonts")

    monkeypatch.setattr(WidgetState, "figure", fail)
    bundle, _ = widget._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "text/html" not in bundle

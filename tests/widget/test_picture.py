"""Pictures for those who export one, and for those who open the notebook where no widget can run."""

import html
import sys
import threading
from dataclasses import replace
from typing import Any

import pytest

from circuit_widget.errors import CircuitWidgetWarning, FigureError
from circuit_widget.graph import PromptToken
from circuit_widget.widget import picture_output, saved_picture
from circuit_widget.widget.picture_output import picture_of
from circuit_widget.widget.saved_picture import SavedPicture
from circuit_widget.widget.widget import CircuitWidget
from circuit_widget.widget.wire.graph_messages import FileReply
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


def test_the_picture_of_the_notebook_does_not_warn_of_characters_that_no_font_has(recwarn: Any) -> None:
    graph = small_graph()
    graph = replace(graph, tokens=(graph.tokens[0], PromptToken("\u1b05", 7), *graph.tokens[2:]))
    figure = CircuitWidget(graph).figure("map")
    assert "\u1b05" in figure.missing_glyphs()
    assert "image/png" in picture_of(figure)
    assert len(recwarn) == 0
    with pytest.warns(CircuitWidgetWarning, match="no font here has"):
        figure.png()


class Published:
    """The outputs that a notebook was sent, in their order."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bool, dict[str, str]]] = []

    def __call__(
        self, *, data: dict[str, str], metadata: dict[str, Any], transient: dict[str, str], update: bool
    ) -> None:
        self.sent.append((transient["display_id"], update, data))

    @property
    def last(self) -> str:
        return self.sent[-1][2]["text/html"]


def displayed(widget: CircuitWidget) -> Published:
    """Display the picture of a widget, which is drawn when a test finishes it."""
    widget._picture.close()
    widget._picture = SavedPicture(widget, wait=3600)
    published = Published()
    widget._picture.display(published)
    return published


def test_a_saved_notebook_has_a_picture_and_its_words(show: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    # An emoji, which few machines have a font for, is a box in the PNG.
    graph = replace(small_graph(tokens=hostile_tokens()), labels={TEXAS[0]: "Texas 🤠"})
    widget, _ = show(graph)
    widget.group('"><script>alert(1)</script>', TEXAS)
    bundle = picture_of(widget.figure())
    assert bundle["image/png"].startswith("iVBOR")
    assert f'<img src="data:image/png;base64,{bundle["image/png"]}"' in bundle["text/html"]
    words = bundle["text/html"].split('alt="')[1].split('"')[0]
    assert "<" not in words
    assert ">" not in words
    assert "Austin" in html.unescape(words)
    assert "<script>alert(1)</script>" in html.unescape(words)
    assert "<script" not in bundle["text/html"]
    assert html.unescape(words) == bundle["text/plain"]

    monkeypatch.setitem(sys.modules, "typst", None)
    bundle = picture_of(widget.figure())
    assert "image/png" not in bundle
    assert '<img src="data:image/svg+xml;base64,' in bundle["text/html"]


def hostile_tokens() -> list[Any]:
    texts = ["<bos>", "<img src=x onerror=alert(1)>", '"', "&amp;", "\n", "is"]
    return [PromptToken(text, number) for number, text in enumerate(texts)]


def test_the_widget_comes_first_and_its_picture_once_it_is_drawn(widget: CircuitWidget) -> None:
    published = displayed(widget)
    ((_, update, placeholder),) = published.sent
    assert not update
    assert "<img" not in placeholder["text/html"]
    assert "→ Austin" in placeholder["text/plain"]
    assert widget._picture.finish()
    assert [(id_ == published.sent[0][0], update) for id_, update, _ in published.sent] == [(True, False), (True, True)]
    assert "<img" in published.last
    view = widget._repr_mimebundle_()
    assert view is not None
    assert set(view[0]) == {"application/vnd.jupyter.widget-view+json", "text/plain"}


def test_the_picture_is_drawn_again_after_changes_once_for_all_of_them(widget: CircuitWidget) -> None:
    published = displayed(widget)
    widget._picture.finish()
    widget.group("Texas", TEXAS)
    widget.rename("Texas", "a state")
    widget.ablate("a state")
    assert len(published.sent) == 2
    widget._picture.finish()
    assert len(published.sent) == 3
    assert "Supernodes: a state." in published.last
    assert published.last == picture_of(widget.figure())["text/html"]
    widget.reset()
    widget._picture.finish()
    assert published.sent[-1][2]["image/png"] != published.sent[-2][2]["image/png"]


def test_a_selection_draws_no_picture(widget: CircuitWidget) -> None:
    published = displayed(widget)
    widget._picture.finish()
    widget.select(TEXAS)
    widget._picture.finish()
    assert len(published.sent) == 2


def test_a_picture_is_outdated_by_a_change_while_it_is_drawn(
    widget: CircuitWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, published = widget.figure, displayed(widget)

    def change_meanwhile(*arguments: Any) -> Any:
        figure = draw(*arguments)
        if not widget.circuit.supernodes:
            widget.group("Texas", TEXAS)
        return figure

    monkeypatch.setattr(widget, "figure", change_meanwhile)
    assert widget._picture.finish()
    assert ["<img" in data["text/html"] for _, _, data in published.sent] == [False, True]
    assert "Supernodes: Texas." in published.last


def test_twenty_runs_of_a_cell_have_one_picture_and_leave_no_thread(widget: CircuitWidget) -> None:
    published = displayed(widget)
    widget._picture.finish()
    for _ in range(20):
        widget._picture.display(published)
    assert widget._picture.finish()
    assert len({id_ for id_, _, _ in published.sent}) == 1
    assert all("<img" in data["text/html"] for _, _, data in published.sent[1:])
    assert len(published.sent) == 22
    assert not [thread for thread in threading.enumerate() if thread.name == "circuit-widget-debounced"]


def test_a_closed_widget_and_one_that_is_not_displayed_draw_nothing(show: Open) -> None:
    widget, other = show()[0], show()[0]
    published = displayed(widget)
    widget.group("Texas", TEXAS)
    widget.close()
    other.group("Texas", TEXAS)
    for one in (widget, other):
        assert one._picture.finish()
    assert len(published.sent) == 1


def test_a_circuit_of_too_many_boxes_is_left_out_of_the_picture(
    widget: CircuitWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_picture, "MOST_BOXES", 1)
    published = displayed(widget)
    widget.pin(TEXAS)
    widget._picture.finish()
    assert published.last == picture_of(widget.figure("map"))["text/html"]


def test_a_picture_that_cannot_be_drawn_does_not_stay_as_it_was(
    widget: CircuitWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = displayed(widget)
    widget._picture.finish()

    def fail(*_: object) -> None:
        raise RuntimeError("no fonts")

    monkeypatch.setattr(CircuitWidget, "figure", fail)
    widget.group("Texas", TEXAS)
    widget._picture.finish()
    assert "<img" not in published.last
    assert "the picture could not be drawn" in published.last


def test_a_picture_too_long_to_be_in_a_notebook_twice_is_there_once(
    widget: CircuitWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_output, "LONGEST_COPY", 10)
    bundle = picture_of(widget.figure())
    assert "image/png" not in bundle
    assert '<img src="data:image/png;base64,' in bundle["text/html"]

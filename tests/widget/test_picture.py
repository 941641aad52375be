"""Pictures for those who export one, and for those who open the notebook where no widget can run."""

import html
import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from circuit_widget.errors import CircuitWidgetWarning, FigureError
from circuit_widget.graph import PromptToken
from circuit_widget.widget import before_shutdown, saved_picture
from circuit_widget.widget.before_shutdown import draw_before_shutdown, finish_and_send
from circuit_widget.widget.picture_output import MARK, OLDER, picture_of
from circuit_widget.widget.saved_picture import SavedPicture
from circuit_widget.widget.widget import CircuitWidget
from circuit_widget.widget.wire.graph_messages import FileReply
from circuit_widget.widget.wire.picture_messages import PictureReply, PictureState
from circuit_widget.widget.wire.schema import parse
from tests.widget.conftest import Open
from tests.widget.frontend import answered
from tests.widget.small_graph import small_graph

TEXAS = ["0_2_4", "0_19_4", "1_8_4"]
AUSTIN = ["2_9_5"]


@pytest.mark.parametrize(("kind", "start"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_figure_comes_with_its_bytes(show: Open, kind: str, start: bytes) -> None:
    _, page = show()
    rid = page.request("figure", {"format": kind, "width": 3.25, "part": "map", "theme": "paper"})
    body = parse(FileReply, answered(page, rid)["body"], "The reply")
    assert body.filename == f"the-capital-of-texas-is.{kind}"
    (data,) = page.buffers[rid]
    assert start in data[:100]
    rid = page.request("figure", {"format": kind, "width": 3.25, "part": "circuit", "theme": "paper"})
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
    assert "image/png" in picture_of(figure).image
    assert len(recwarn) == 0
    with pytest.warns(CircuitWidgetWarning, match="no font here has"):
        figure.png()


class Published:
    """The pictures that a notebook was sent, in their order: of each, what is in both outputs."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bool, dict[str, str]]] = []
        self.states: list[PictureState] = []

    def __call__(
        self, *, data: dict[str, str], metadata: dict[str, Any], transient: dict[str, str], update: bool
    ) -> None:
        picture, part = transient["display_id"].rsplit("-", 1)
        assert metadata[MARK]["output"] == transient["display_id"]
        if part == "words":
            self.sent.append((picture, update, data))
        else:
            assert self.sent[-1][:2] == (picture, update)
            # The words before an image that is HTML are HTML themselves.
            self.sent[-1][2].update({f"image {kind}": value for kind, value in data.items()})
            self.sent[-1][2]["number"] = str(metadata[MARK]["number"])

    @property
    def last(self) -> dict[str, str]:
        return self.sent[-1][2]

    @property
    def drawn(self) -> list[bool]:
        """Whether each picture has an image."""
        return ["image image/png" in data for _, _, data in self.sent]


class Sender:
    """The thread of a kernel that sends messages: what is scheduled is done at once."""

    sent = 0

    def schedule(self, do: Callable[[], None]) -> None:
        self.sent += 1
        do()


def displayed(widget: CircuitWidget) -> Published:
    """Display the picture of a widget, which is drawn when a test finishes it."""
    widget._picture.close()
    published = Published()
    widget._picture = SavedPicture(widget, published.states.append, wait=3600)
    widget._picture.display(published)
    return published


def test_a_saved_notebook_has_a_picture_and_its_words(show: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    # An emoji, which few machines have a font for, is a box in the PNG.
    graph = replace(small_graph(tokens=hostile_tokens()), labels={TEXAS[0]: "Texas 🤠"})
    widget, _ = show(graph)
    widget.group('"><script>alert(1)</script>', TEXAS)
    picture = picture_of(widget.figure())
    assert set(picture.image) == {"image/png"}
    assert picture.image["image/png"].startswith("iVBOR")
    assert picture.metadata == {"image/png": {"width": round(widget.figure().scene.width)}}
    words = picture.words["text/html"].split('<p class="circuit-widget-spoken">')[1].split("</p>")[0]
    assert "<" not in words
    assert ">" not in words
    assert "Austin" in html.unescape(words)
    assert "<script>alert(1)</script>" in html.unescape(words)
    assert "<script" not in picture.words["text/html"]
    assert html.unescape(words) == picture.words["text/plain"]

    monkeypatch.setitem(sys.modules, "typst", None)
    drawn = picture_of(widget.figure())
    assert set(drawn.image) == {"text/html"}
    assert '<img src="data:image/svg+xml;base64,' in drawn.image["text/html"]
    assert drawn.words == picture.words


def hostile_tokens() -> list[Any]:
    texts = ["<bos>", "<img src=x onerror=alert(1)>", '"', "&amp;", "\n", "is"]
    return [PromptToken(text, number) for number, text in enumerate(texts)]


def test_the_widget_comes_first_and_its_picture_once_it_is_drawn(widget: CircuitWidget) -> None:
    published = displayed(widget)
    ((_, update, placeholder),) = published.sent
    assert not update
    assert published.drawn == [False]
    assert "circuit-widget-spoken" not in placeholder["text/html"].split("</style>")[1]
    assert "→ Austin" in placeholder["text/plain"]
    assert widget._picture.finish()
    assert [(id_ == published.sent[0][0], update) for id_, update, _ in published.sent] == [(True, False), (True, True)]
    assert published.drawn == [False, True]
    assert [state.number for state in published.states] == [0, 1]
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
    assert "Supernodes: a state." in published.last["text/html"]
    assert published.last["image image/png"] == picture_of(widget.figure()).image["image/png"]
    widget.reset()
    widget._picture.finish()
    assert published.sent[-1][2]["image image/png"] != published.sent[-2][2]["image image/png"]


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
    assert published.drawn == [False, True]
    assert "Supernodes: Texas." in published.last["text/html"]


def test_twenty_runs_of_a_cell_have_one_picture_and_leave_no_thread(widget: CircuitWidget) -> None:
    published = displayed(widget)
    widget._picture.finish()
    for _ in range(20):
        widget._picture.display(published)
    assert widget._picture.finish()
    assert len({id_ for id_, _, _ in published.sent}) == 1
    assert all(published.drawn[1:])
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
    assert published.last["image image/png"] == picture_of(widget.figure("map")).image["image/png"]


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
    assert not published.drawn[-1]
    assert "the picture could not be drawn" in published.last["text/html"]


def test_before_the_kernel_ends_the_last_change_is_drawn_and_nothing_after_it(widget: CircuitWidget) -> None:
    published, sender = displayed(widget), Sender()
    widget.group("Texas", TEXAS)
    finish_and_send([widget._picture], sender)
    assert published.drawn == [False, True]
    assert "Supernodes: Texas." in published.last["text/html"]
    assert OLDER not in published.last["text/html"]
    assert sender.sent == 1
    widget.rename("Texas", "a state")
    finish_and_send([widget._picture], sender)
    assert len(published.sent) == 2


def test_a_picture_for_which_there_is_no_time_before_the_kernel_ends_says_that_it_is_older(
    widget: CircuitWidget, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, published, may_go_on = widget.figure, displayed(widget), threading.Event()
    widget._picture.finish()
    before = published.last

    def take_long(*arguments: Any) -> Any:
        may_go_on.wait()
        return draw(*arguments)

    monkeypatch.setattr(widget, "figure", take_long)
    monkeypatch.setattr(before_shutdown, "MOST_TO_DRAW", 0.0)
    widget.group("Texas", TEXAS)
    finish_and_send([widget._picture], Sender())
    may_go_on.set()
    assert widget._picture.finish()
    assert len(published.sent) == 3
    assert f"<p>{OLDER}</p>" in published.last["text/html"]
    assert published.last["text/plain"] == f"{OLDER} {before['text/plain']}"
    assert published.last["image image/png"] == before["image image/png"]


def test_a_kernel_ends_whatever_a_picture_fails_at(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def end(self, timeout: float) -> None:
            raise RuntimeError("no socket")

    class Kernel:
        iopub_thread = Sender()
        log = logging.getLogger("kernel")

        def do_shutdown(self, restart: bool) -> str:
            return f"ended, restart {restart}"

    kernel = Kernel()
    draw_before_shutdown(kernel, [Broken()])
    assert kernel.do_shutdown(True) == "ended, restart True"
    assert "The last pictures of the widgets were not drawn: no socket" in caplog.text


def test_a_page_that_asks_gets_the_newest_picture_with_the_number_it_has(show: Open) -> None:
    widget, page = show()
    published = displayed(widget)
    widget.group("Texas", TEXAS)
    widget._picture.finish()
    rid = page.request("picture", {})
    body = parse(PictureReply, answered(page, rid)["body"], "The reply")
    words, image = body.outputs
    assert image.data == {"image/png": published.last["image image/png"]}
    assert "Supernodes: Texas." in str(words.data["text/html"])
    assert image.metadata["image/png"] == {"width": round(widget.figure().scene.width)}
    state = published.states[-1]
    assert [one.metadata[MARK] for one in body.outputs] == [
        {"output": f"{state.id}-{part}", "number": state.number} for part in ("words", "image")
    ]


def test_the_page_has_the_number_of_each_picture(widget: CircuitWidget) -> None:
    assert widget._picture_state == {}
    published = Published()
    widget._picture.display(published)
    widget.group("Texas", TEXAS)
    assert widget._picture.finish()
    assert widget._picture_state == {"id": published.sent[0][0], "number": int(published.last["number"])}
    assert published.drawn[-1]

"""The export menu hands the browser a file of the chosen kind, that says what the screen says."""

import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pypdf import PdfReader

from tests.browser.conftest import OpenNotebook
from tests.browser.widget_view import LOAD, SHOW, WidgetView

GROUP = """
nodes = graph.to_frames()[0]
nodes = nodes[nodes.kind == "feature"].sort_values("influence", ascending=False)
widget.group("Texas & <friends>", nodes.id.tolist()[:3])
"""


@pytest.fixture
def view(open_notebook: OpenNotebook) -> WidgetView:
    notebook = open_notebook([LOAD + GROUP, SHOW])
    notebook.run(0)
    notebook.run(1)
    return WidgetView(notebook)


def export(view: WidgetView, kind: str, folder: Path) -> Path:
    """Choose a format in the export menu and return the downloaded file."""
    view.part("export").click()
    with view.page.expect_download(timeout=60_000) as download:
        view.part(f"export-{kind}").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    assert path.suffix == f".{kind}"
    return path


def test_the_svg_holds_the_prompt_and_the_groups(view: WidgetView, tmp_path: Path) -> None:
    tree = ElementTree.parse(export(view, "svg", tmp_path))
    text = " ".join(tree.getroot().itertext())
    for word in ("Dallas", "containing", "Austin", "Texas & <friends>"):
        assert word in text
    assert not [name for name in map(str, (node.tag for node in tree.iter())) if name.endswith("script")]
    width = tree.getroot().get("width", "")
    assert width.endswith("in")
    assert float(width.removesuffix("in")) == pytest.approx(6.75)


def test_the_pdf_has_real_text_in_the_width_of_a_page(view: WidgetView, tmp_path: Path) -> None:
    path = export(view, "pdf", tmp_path)
    assert path.read_bytes().startswith(b"%PDF")
    (page,) = PdfReader(path).pages
    assert float(page.mediabox.width) == pytest.approx(6.75 * 72, abs=0.5)
    text = page.extract_text()
    for word in ("Dallas", "containing", "Austin", "friends"):
        assert word in text


def test_the_png_is_a_picture_fit_for_print(view: WidgetView, tmp_path: Path) -> None:
    header = export(view, "png", tmp_path).read_bytes()[:24]
    assert header.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", header[16:24])
    assert width >= 6.75 * 200
    assert height > width / 4

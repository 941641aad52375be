"""Whatever a token, label or name says: a figure shows it as text, and nothing in any format runs, loads or breaks."""

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pypdf
import pytest

from circuit_widget.characters import repaired
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.figure.figure import Figure, make_figure, read_recipe
from circuit_widget.figure.output.svg import RECIPE_NAMESPACE, allowed
from circuit_widget.wording.names import token_text
from circuit_widget.wording.text import printable, shorten
from tests.figure.graphs import WORDS, circuit_of_dallas, dallas, features, texas_ablated
from tests.hostile import HOSTILE

SVG = "{http://www.w3.org/2000/svg}"
ATTRIBUTES = {
    "svg": {"width", "height", "viewBox", "role"},
    "title": set(),
    "desc": set(),
    "metadata": set(),
    "rect": {"x", "y", "width", "height", "rx"},
    "path": {"d"},
    "polygon": {"points"},
    "circle": {"cx", "cy", "r"},
    "text": {"x", "y", "font-family", "font-size", "font-weight", "text-anchor", "transform", "unicode-bidi"},
}
PAINT = {"fill", "stroke", "stroke-width", "stroke-dasharray", "fill-opacity", "stroke-opacity"}
ACTIVE = {"/JavaScript", "/JS", "/OpenAction", "/AA", "/URI", "/Launch", "/EmbeddedFile", "/Annots", "/AcroForm"}

pytestmark = pytest.mark.filterwarnings("ignore:A box is drawn for each character")


def renamed(circuit: Circuit, old: str, new: str) -> Circuit:
    """The circuit with another name for a group, as it was where such a name is refused in words."""
    try:
        return circuit.rename(old, new)
    except CircuitWidgetError:
        return circuit


def labelled(circuit: Circuit, node: str, text: str) -> Circuit:
    """The circuit with a labelled pin, only pinned where such a label is refused in words."""
    pinned = circuit.pin([node])
    try:
        return pinned.label(node, text)
    except CircuitWidgetError:
        return pinned


def hostile_figure(texts: Sequence[str], part: Any = "circuit") -> Figure:
    """A figure with up to five texts as tokens, targets, names of groups, labels of nodes, and the first as title."""
    # A graph refuses halves of characters; a title is displayed as far as it can be.
    whole = [repaired(text) for text in texts]
    words = [WORDS[0], *whole, *WORDS[len(texts) + 1 :]]
    graph = dallas(words, [*whole[:3], "Austin", "Houston", "Texas"][:3])
    circuit = circuit_of_dallas()
    for old, text in zip(("Dallas", "of → name", "say Texas"), texts, strict=False):
        circuit = renamed(circuit, old, text)
    for place, text in enumerate(texts):
        circuit = labelled(circuit, features(2, 8, 5 + place)[0], text)
    return make_figure(graph, circuit, texas_ablated(graph), part, 12, title=texts[0])


def batches() -> Iterator[list[str]]:
    texts = list(HOSTILE.values())
    return (texts[at : at + 5] for at in range(0, len(texts), 5))


@pytest.mark.parametrize("name", list(HOSTILE))
def test_an_svg_has_our_elements_and_the_text(name: str) -> None:
    text = HOSTILE[name]
    figure = hostile_figure([text])
    written = figure.svg()
    root = ElementTree.fromstring(written.encode())
    for element in root.iter():
        if element.tag == f"{{{RECIPE_NAMESPACE}}}recipe":
            assert not element.attrib
            continue
        kind = element.tag.removeprefix(SVG)
        assert set(element.attrib) <= ATTRIBUTES[kind] | (PAINT if kind not in ("svg", "title", "desc") else set())
    if text:
        assert root.findtext(f"{SVG}title") == allowed(printable(text))
        heading = next(element.text for element in root.iter(f"{SVG}text"))
        assert heading == allowed(shorten(printable(text), 12 * 108 - 6, 13.5))
    assert allowed(token_text(repaired(text))) in [element.text for element in root.iter(f"{SVG}text")]
    recipe = json.loads(root.findtext(f".//{{{RECIPE_NAMESPACE}}}recipe") or "")
    assert recipe["graphs"][0]["prompt"][1] == repaired(text)


@pytest.mark.parametrize(
    "text", [text for text in HOSTILE.values() if text], ids=[name for name in HOSTILE if name != "empty"]
)
def test_names_and_labels_are_in_the_svg(text: str) -> None:
    figure = hostile_figure([text])
    names = {group["name"] for group in figure.recipe["panels"][0]["circuit"]["supernodes"]}
    labels = set(figure.recipe["panels"][0]["circuit"]["labels"].values())
    found = "\n".join(ElementTree.fromstring(figure.svg().encode()).itertext())
    for part in (names | labels) & {text}:
        assert allowed(printable(part))[:6] in found


@pytest.mark.parametrize("texts", list(batches()), ids=lambda texts: repr(texts[0])[:20])
def test_a_pdf_and_a_png_open_and_do_nothing(texts: list[str], tmp_path: Path) -> None:
    figure = hostile_figure(texts, "both")
    pdf = figure.save(tmp_path / "hostile.pdf")
    png = figure.save(tmp_path / "hostile.png")
    reader = pypdf.PdfReader(io.BytesIO(pdf.read_bytes()), strict=True)
    assert len(reader.pages) == 1
    assert not (ACTIVE & set(names_in(reader)))
    assert reader.metadata is not None
    assert reader.metadata.get("/Title") == allowed(figure.scene.title)
    assert "before → after" in reader.pages[0].extract_text()
    recipe = json.loads(json.dumps(figure.recipe))
    for file in (pdf, png):
        found = read_recipe(file)
        assert {**recipe, "set": found["set"]} == found


def test_a_lone_half_of_a_pair_is_a_sign_in_every_format(tmp_path: Path) -> None:
    figure = hostile_figure([HOSTILE["half a pair"]])
    for ending in ("svg", "pdf", "png"):
        assert figure.save(tmp_path / f"half.{ending}").stat().st_size > 1_000
    assert "�" in pypdf.PdfReader(tmp_path / "half.pdf").pages[0].extract_text()


def names_in(reader: pypdf.PdfReader) -> Iterator[str]:
    """The keys of every dictionary in the file that contain something: some versions of typst give a page an empty list of annotations."""
    size: Any = reader.trailer["/Size"]
    for number in range(1, int(size)):
        try:
            found = reader.get_object(pypdf.generic.IndirectObject(number, 0, reader))
        except pypdf.errors.PdfReadError:
            continue
        yield from _keys(found)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, pypdf.generic.DictionaryObject):
        yield from (key for key, entry in value.items() if entry != [])
        for entry in value.values():
            yield from _keys(entry)
    elif isinstance(value, pypdf.generic.ArrayObject):
        for entry in value:
            yield from _keys(entry)

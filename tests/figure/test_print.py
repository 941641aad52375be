"""In print: text in points, themes, and the font that a user chose."""

import io
import re
from base64 import b64decode
from itertools import combinations
from pathlib import Path

import pypdf
import pytest
from fontTools.ttLib import TTFont

from circuit_widget.errors import CircuitWidgetWarning, FigureError
from circuit_widget.figure.figure import Figure, Part, make_figure
from circuit_widget.figure.output.fonts import FONTS
from circuit_widget.figure.panels import panels
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Circle, Curves, Label, Lines, Rectangle, Scene
from circuit_widget.figure.scene.theme import RINGS, Theme, as_light
from circuit_widget.wording.text import measured_with, text_width
from tests.figure.graphs import california_swapped_in, circuit_of_dallas, dallas, texas_ablated
from tests.figure.test_overlaps import generated

GRAPH = dallas()
CIRCUIT = circuit_of_dallas()
EFFECT = texas_ablated(GRAPH)
THEMES: tuple[Theme, ...] = ("paper", "slides", "grey")
PARTS: tuple[Part, ...] = ("map", "circuit", "both", "intervention")
SMALLEST = 6.0
MONO_FILE = FONTS / "NotoSansMono-Regular.ttf"


def points(scene: Scene) -> list[float]:
    """The size of each text in print, from the size of the page that the file states."""
    return [round(72 * item.size / scene.px_per_inch, 3) for item in scene.items if isinstance(item, Label)]


def greys(scene: Scene) -> set[str]:
    found: set[str | None] = set()
    for item in scene.items:
        found |= {item.color} if isinstance(item, Label) else {item.paint.fill, item.paint.stroke}
    return {color for color in found if color}


@pytest.mark.parametrize("width", [3.25, 5.5, 6.75, 12])
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("part", PARTS)
def test_text_is_in_points_and_never_below_six(part: Part, theme: Theme, width: float) -> None:
    sizes = points(make_figure(GRAPH, CIRCUIT, EFFECT, part, width, theme=theme).scene)
    larger = 1.5 if theme == "slides" else 1.0
    assert min(sizes) >= SMALLEST * larger
    if part != "map" and width > 3.25:
        assert 8.0 * larger in sizes


@pytest.mark.parametrize("theme", THEMES)
def test_panels_have_text_in_points(theme: Theme) -> None:
    made = panels([GRAPH, (GRAPH, CIRCUIT), (GRAPH, CIRCUIT, EFFECT), EFFECT], width=6.75, theme=theme)
    assert min(points(made.scene)) >= SMALLEST * (1.5 if theme == "slides" else 1.0)


@pytest.mark.parametrize("seed", range(0, 60, 4))
def test_a_crowded_narrow_figure_is_still_legible(seed: int) -> None:
    circuit, effect, part, _ = generated(seed)
    part = part if circuit.boxes() else "both"
    assert min(points(make_figure(GRAPH, circuit, effect, part, 3.25).scene)) >= SMALLEST


def test_a_file_states_the_size_that_points_are_counted_on(tmp_path: Path) -> None:
    for theme in THEMES:
        svg = make_figure(GRAPH, CIRCUIT, width=5.5, theme=theme).svg()
        across, box = re.search(r'width="([\d.]+)in".*viewBox="0 0 ([\d.]+)', svg).groups()  # type: ignore[union-attr]
        sizes = [float(size) * 72 * float(across) / float(box) for size in re.findall(r'font-size="([\d.]+)"', svg)]
        assert float(across) == 5.5
        assert min(sizes) >= SMALLEST
        tikz = make_figure(GRAPH, CIRCUIT, width=5.5, theme=theme).tikz()
        assert f"paperwidth={5.5 * 72:g}bp" in tikz
        assert min(float(size) for size in re.findall(r"\\fontsize\{([\d.]+)bp", tikz)) >= SMALLEST
        assert min(float(size) for size in re.findall(r"\\fontsize\{([\d.]+)bp", tikz)) == pytest.approx(min(sizes))


def test_slides_have_wider_lines_for_the_same_page() -> None:
    widths = []
    for theme in ("paper", "slides"):
        scene = make_figure(GRAPH, CIRCUIT, part="circuit", theme=theme).scene
        widths.append(
            max(
                one.paint.width / scene.px_per_inch
                for one in scene.items
                if isinstance(one, Curves) and one.paint.stroke
            )
        )
    assert widths[1] == pytest.approx(1.5 * widths[0])


@pytest.mark.parametrize("part", PARTS)
def test_the_grey_theme_has_only_greys(part: Part) -> None:
    scene = make_figure(GRAPH, CIRCUIT, california_swapped_in(GRAPH), part, theme="grey").scene
    assert all(color[1:3] == color[3:5] == color[5:7] for color in greys(scene))


def test_the_greys_of_signs_differ_and_the_second_cues_stay() -> None:
    colours = make_figure(GRAPH, CIRCUIT, EFFECT, "circuit").scene
    scene = make_figure(GRAPH, CIRCUIT, EFFECT, "circuit", theme="grey").scene
    pairs = [
        (a, b) for a, b in zip(colours.items, scene.items, strict=False) if isinstance(a, Curves) and a.paint.stroke
    ]
    signs = {style.EXCITE: set(), style.INHIBIT: set()}  # type: dict[str, set[tuple[str | None, bool]]]
    edges = [item for item in colours.items if isinstance(item, Curves) and item.paint.stroke in signs]
    grey_edges = [item for item in scene.items if isinstance(item, Curves) and item.paint.stroke]
    assert pairs
    for edge, grey in zip(edges, grey_edges, strict=True):
        assert grey.paths == edge.paths
        signs[str(edge.paint.stroke)].add((grey.paint.stroke, bool(grey.paint.dash)))
    ((excites, whole),), ((inhibits, dashed),) = signs.values()
    assert (whole, dashed) == (False, True)
    assert abs(int(str(excites)[1:3], 16) - int(str(inhibits)[1:3], 16)) > 60


def test_the_ring_of_each_group_and_the_side_of_its_box_are_dashed_alike() -> None:
    assert len(set(RINGS)) == len(style.SUPERNODES)
    scene = make_figure(GRAPH, CIRCUIT, part="both", theme="grey").scene
    plain = make_figure(GRAPH, CIRCUIT, part="both").scene
    rings = [item for item in plain.items if isinstance(item, Circle) and item.paint.stroke in style.SUPERNODES]
    assert rings
    for ring in rings:
        (found,) = [
            item for item in scene.items if isinstance(item, Circle) and item.paint.fill is None
            and (item.x, item.y, item.radius) == (ring.x, ring.y, ring.radius)
        ]  # fmt: skip
        assert (found.paint.stroke, found.paint.dash) == RINGS[style.SUPERNODES.index(str(ring.paint.stroke))]
    gaps = [item for item in scene.items if isinstance(item, Lines) and item.paint.stroke == style.BACKGROUND]
    dashed = [group for group in CIRCUIT.supernodes if RINGS[group.color][1]]
    assert len(gaps) == len(dashed) > 0


def test_what_was_swapped_in_has_a_thick_rim_without_colour() -> None:
    scene = make_figure(GRAPH, CIRCUIT, california_swapped_in(GRAPH), "circuit").scene
    grey = make_figure(GRAPH, CIRCUIT, california_swapped_in(GRAPH), "circuit", theme="grey").scene
    (wide,) = {
        one.paint.width for one in scene.items if isinstance(one, Rectangle) and one.paint.stroke == style.INJECTED
    }
    injected = [one for one in scene.items if isinstance(one, Rectangle) and one.paint.stroke == style.INJECTED]
    others = {one.paint.width for one in grey.items if isinstance(one, Rectangle)}
    for box in injected:
        assert any(
            (one.x, one.y, one.paint.width) == (box.x, box.y, 2 * wide)
            for one in grey.items
            if isinstance(one, Rectangle)
        )
    assert 2 * wide in others


def test_a_grey_is_as_light_as_its_color() -> None:
    assert [as_light(color) for color in ("#000000", "#ffffff", "#777777")] == ["#000000", "#ffffff", "#777777"]
    assert int(as_light("#00ff00")[1:3], 16) > int(as_light("#ff0000")[1:3], 16) > int(as_light("#0000ff")[1:3], 16)


def widths_in(figure: Figure, text: str) -> list[float]:
    """The widths of the boxes around a text."""
    (label,) = [one for one in figure.scene.items if isinstance(one, Label) and one.text == text and one.bold]
    return [
        one.w
        for one in figure.scene.items
        if isinstance(one, Rectangle) and one.x < label.x < one.x + one.w and one.y < label.y < one.y + one.h
    ]


def test_text_is_measured_with_the_chosen_font() -> None:
    mono = make_figure(GRAPH, CIRCUIT, part="circuit", font="Noto Sans Mono")
    assert mono.scene.font is not None
    width = measured_with(mono.scene.font.advance, lambda: text_width("say Austin", 12.0))
    assert width == pytest.approx(10 * 0.6 * 12)
    assert text_width("say Austin", 12.0) < 0.95 * width
    assert max(widths_in(mono, "say Austin")) > max(
        widths_in(make_figure(GRAPH, CIRCUIT, part="circuit"), "say Austin")
    )


def test_the_chosen_font_is_in_the_svg_cut_down_to_what_is_written() -> None:
    plain = make_figure(GRAPH, CIRCUIT, part="circuit").svg()
    figure = make_figure(GRAPH, CIRCUIT, part="circuit", font=MONO_FILE)
    svg = figure.svg()
    assert "font-face" not in plain
    (data,) = re.findall(r"url\(\"data:font/woff;base64,([^\"]+)\"", svg.replace("&quot;", '"'))
    embedded = TTFont(io.BytesIO(b64decode(data)))
    written = {character for item in figure.scene.items if isinstance(item, Label) for character in item.text}
    font = figure.scene.font
    assert font is not None
    assert {chr(code) for code in embedded.getBestCmap()} == {one for one in written if one in font.advances}
    assert len(svg) < 0.2 * MONO_FILE.stat().st_size + len(plain)
    assert svg == figure.svg()


def test_the_chosen_font_is_in_the_pdf(tmp_path: Path) -> None:
    figure = make_figure(GRAPH, CIRCUIT, part="circuit", font=MONO_FILE)
    file = figure.save(tmp_path / "mono.pdf")
    fonts = pypdf.PdfReader(file).pages[0]["/Resources"]["/Font"].values()  # type: ignore[index]
    assert {str(font.get_object()["/BaseFont"]).partition("+")[2] for font in fonts} == {"NotoSansMono-Regular"}
    assert figure.recipe["font"]["name"] == MONO_FILE.name
    assert len(figure.recipe["font"]["sha256"]) == 64


def small_font(tmp_path: Path, letters: str) -> Path:
    """A font of these letters alone, cut from one of the package."""
    from fontTools import subset

    font = TTFont(FONTS / "Inter-Regular.otf")
    cutting = subset.Subsetter()
    cutting.populate(text=letters)
    cutting.subset(font)
    font.save(tmp_path / "small.otf")
    return tmp_path / "small.otf"


def test_a_font_without_some_letters_gives_a_warning_and_a_figure(tmp_path: Path) -> None:
    font = small_font(tmp_path, "abcdefghijklmnopqrstuvwxyz")
    with pytest.warns(CircuitWidgetWarning, match="font small.otf has no glyph for .*T.* set in Inter"):
        figure = make_figure(GRAPH, CIRCUIT, part="circuit", font=font)
    assert "say Texas" in pypdf.PdfReader(figure.save(tmp_path / "a.pdf")).pages[0].extract_text()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.ttf", r"font 'missing.ttf' cannot be read: No such file.*font= names a font file"),
        ("Helvetica", r"font= names a font file \(\.ttf, \.otf\), or 'Inter' or 'Noto Sans Mono'; given 'Helvetica'"),
        ("", "font= names a font file"),
        ("no\0name.ttf", "font= names a font file"),
        ("folder.ttf", "cannot be read: Is a directory"),
        ("text.ttf", "is no font that can be read"),
        ("cut.otf", "is no font that can be read"),
    ],
)
def test_a_font_that_cannot_be_read_is_refused(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.ttf").mkdir()
    Path("text.ttf").write_text("not a font")
    Path("cut.otf").write_bytes((FONTS / "Inter-Regular.otf").read_bytes()[:4000])
    with pytest.raises(FigureError, match=message):
        make_figure(GRAPH, CIRCUIT, font=name)


def test_an_unknown_theme_and_slides_that_are_too_narrow_are_refused() -> None:
    with pytest.raises(FigureError, match="theme of a figure is paper, slides or grey; given 'dark'"):
        make_figure(GRAPH, theme="dark")
    with pytest.raises(FigureError, match=r"on slides is 3 to 12 inches; given 2\.5"):
        make_figure(GRAPH, theme="slides", width=2.5)


def test_hues_of_groups_are_no_colours_of_signs() -> None:
    assert not {style.EXCITE, style.INHIBIT, style.INJECTED} & set(style.SUPERNODES)
    assert all(one != other for one, other in combinations((*style.SUPERNODES, style.EXCITE, style.INHIBIT), 2))

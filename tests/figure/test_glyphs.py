"""Characters that the bundled fonts lack: fonts that have them are found, and what none has is named and kept as text."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pypdf
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

import circuit_widget.figure.output.glyphs as glyphs
from circuit_widget.errors import CircuitWidgetWarning, FigureError
from circuit_widget.figure.figure import Figure, make_figure
from circuit_widget.figure.output.fonts import bundled_have, read_fonts, system_folders
from circuit_widget.figure.output.scripts import script_of
from circuit_widget.wording.text import apart, runs_leftward
from tests.figure.graphs import WORDS, circuit_of_dallas, dallas, texas_ablated

CHINESE = "大小的"


@pytest.fixture(autouse=True)
def _no_fonts_of_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests are about fonts they make themselves, whatever this machine has."""
    folder = tmp_path_factory.mktemp("system-fonts")
    monkeypatch.setattr(glyphs, "system_folders", lambda: (folder,))


def make_font(folder: Path, family: str, characters: str, style: str = "Regular") -> Path:
    """A small font: a filled square for each character, one em wide."""
    pen = TTGlyphPen(None)
    pen.moveTo((50, 0))
    for corner in ((50, 800), (950, 800), (950, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    names = {ord(character): f"u{ord(character):X}" for character in characters}
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder([".notdef", *names.values()])
    font.setupCharacterMap(names)
    font.setupGlyf(dict.fromkeys((".notdef", *names.values()), square))
    font.setupHorizontalMetrics(dict.fromkeys((".notdef", *names.values()), (1000, 50)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": family, "styleName": style, "psName": f"{family.replace(' ', '')}-{style}"})
    font.setupOS2()
    font.setupPost()
    file = folder / f"{family.replace(' ', '')}-{style}.ttf"
    font.save(file)
    return file


def figure_of(words: Sequence[str], answers: Sequence[str] = ("Austin", "Houston", "Texas")) -> Figure:
    graph = dallas([WORDS[0], *words, *WORDS[len(words) + 1 :]], answers)
    return make_figure(graph, circuit_of_dallas().rename("Texas", words[0]), texas_ablated(graph), title=words[0])


def text_of(pdf: Path) -> str:
    return pypdf.PdfReader(pdf).pages[0].extract_text()


def warned(figure: Figure, file: Path, **settings: object) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.save(file, **settings)
    assert all(one.category is CircuitWidgetWarning for one in caught)
    assert all(one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


@pytest.mark.parametrize("ending", ["pdf", "png"])
@pytest.mark.parametrize(
    ("word", "script", "package"),
    [
        ("小", "小 (Chinese characters)", "Noto Sans CJK SC (Debian and Ubuntu: apt-get install fonts-noto-cjk;"),
        ("かな", "か な (Japanese kana)", "Noto Sans CJK JP (Debian and Ubuntu: apt-get install fonts-noto-cjk;"),
        ("한", "한 (Korean Hangul)", "Noto Sans CJK KR (Debian and Ubuntu: apt-get install fonts-noto-cjk;"),
        ("مر", "م ر (Arabic)", "Noto Sans Arabic (Debian and Ubuntu: apt-get install fonts-noto-core;"),
        ("नि", "न U+093F (Devanagari)", "Noto Sans Devanagari (Debian and Ubuntu: apt-get install fonts-noto-core;"),
        ("שם", "ש ם (Hebrew)", "Noto Sans Hebrew (Debian and Ubuntu: apt-get install fonts-noto-core;"),
        ("ไท", "ไ ท (Thai)", "Noto Sans Thai (Debian and Ubuntu: apt-get install fonts-noto-core;"),
        ("🙂", "🙂 (emoji)", "Noto Color Emoji (Debian and Ubuntu: apt-get install fonts-noto-color-emoji;"),
    ],
)
def test_one_warning_names_characters_script_and_font(
    ending: str, word: str, script: str, package: str, tmp_path: Path
) -> None:
    (message,) = warned(figure_of([word]), tmp_path / f"figure.{ending}")
    assert f"no font here has: {script}." in message
    assert package in message
    assert "https://fonts.google.com/noto" in message
    assert 'figure.save(path, fonts="folder")' in message


def test_a_warning_is_short_however_much_is_missing(tmp_path: Path) -> None:
    words = ["一二三四五六七八九", "かきくけこさし", "한글", "ไทย", "नमस", "🙂", "ბგდ"]
    (message,) = warned(figure_of(words), tmp_path / "figure.png")
    assert "一 二 三 四 五 and 4 more (Chinese characters)" in message
    assert "characters of 3 more scripts" in message
    assert len(message) < 700


def test_an_svg_and_latin_text_need_no_fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: object) -> None:
        raise AssertionError("fonts are read where none are needed")

    monkeypatch.setattr(glyphs, "read_fonts", read)
    assert warned(figure_of(["小", "🙂"]), tmp_path / "figure.svg") == []
    assert warned(figure_of(["café → naïve", "Ελλάδα", "Україна"]), tmp_path / "figure.pdf") == []
    assert warned(figure_of(["café"]), tmp_path / "figure.png") == []


def test_what_has_no_glyph_is_still_in_the_text_of_the_page(tmp_path: Path) -> None:
    figure = figure_of(["小", "反义词", "🙂"], ["大", "مرحبا", "x"])
    warned(figure, tmp_path / "figure.pdf")
    text = text_of(tmp_path / "figure.pdf")
    assert "\x00" not in text
    for word in ("小", "反义词", "🙂", "大 0.91 → 0.04"):
        assert word in text


def test_a_mark_without_a_glyph_leaves_its_letter_visible_and_in_the_text(tmp_path: Path) -> None:
    warned(figure_of(["1\ufe0f\u20e3"]), tmp_path / "figure.pdf")
    assert "1" in text_of(tmp_path / "figure.pdf")


@pytest.mark.parametrize("several", [False, True])
def test_a_font_in_a_named_folder_draws_what_it_has(several: bool, tmp_path: Path) -> None:
    folder = tmp_path / "fonts" / "inner"
    folder.mkdir(parents=True)
    make_font(folder, "Some Han", CHINESE)
    (folder / "broken.ttf").write_bytes(b"no font at all")
    fonts = [folder.parent] if several else str(folder.parent)
    figure = figure_of(["小", "的"], ["大", "Houston", "Texas"])
    assert figure.missing_glyphs() == "小的大"
    assert figure.missing_glyphs(fonts) == ""
    pdf, png = tmp_path / "figure.pdf", tmp_path / "figure.png"
    assert warned(figure, pdf, fonts=fonts) == []
    assert warned(figure, png, fonts=fonts) == []
    assert "SomeHan" in fonts_of(pdf)
    assert "大 0.91 → 0.04" in text_of(pdf)
    assert len(warned(figure, tmp_path / "boxes.png")) == 1
    assert png.read_bytes() != (tmp_path / "boxes.png").read_bytes()
    (message,) = warned(figure_of(["小", "反"]), pdf, fonts=fonts)
    assert "has: 反 (Chinese characters)" in message


def test_fonts_of_the_machine_are_found_and_the_bundled_ones_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_font(tmp_path, "System Han", CHINESE + "abcdefghijklmnopqrstuvwxyz0123456789. →")
    monkeypatch.setattr(glyphs, "system_folders", lambda: (tmp_path,))
    assert warned(figure_of(["小 small"]), tmp_path / "figure.pdf") == []
    assert {"SystemHan", "Inter"} <= fonts_of(tmp_path / "figure.pdf")
    assert warned(figure_of(["small"]), tmp_path / "latin.pdf") == []
    assert "SystemHan" not in fonts_of(tmp_path / "latin.pdf")


def fonts_of(pdf: Path) -> set[str]:
    """Families of the fonts in a PDF."""
    page: Any = pypdf.PdfReader(pdf).pages[0]
    found = page["/Resources"]["/Font"].values()
    return {font.get_object()["/BaseFont"].split("+")[-1].split("-")[0] for font in found}


def test_of_fonts_with_the_same_characters_the_best_known_is_taken(tmp_path: Path) -> None:
    for family in ("Aaa Mono", "Zzz Serif", "Noto Sans CJK JP", "Noto Sans CJK SC"):
        make_font(tmp_path, family, CHINESE + "の")
    make_font(tmp_path, "Noto Sans SC", "大")
    make_font(tmp_path, "Bold Only", CHINESE, "Bold")
    assert glyphs.cover(["大小"], (tmp_path,)).families == ("Noto Sans CJK SC",)
    # Chinese characters among kana are Japanese.
    assert glyphs.cover(["大小の"], (tmp_path,)).families == ("Noto Sans CJK JP",)
    assert "Bold Only" not in {font.family for font in read_fonts([tmp_path])}


def test_several_fonts_are_put_together(tmp_path: Path) -> None:
    make_font(tmp_path, "One", "大小")
    make_font(tmp_path, "Two", "的ก")
    found = glyphs.cover(["大小的ก反"], (tmp_path,))
    assert (set(found.families), found.missing) == ({"One", "Two"}, "反")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    for wrong in (tmp_path / "none", "none", make_font(tmp_path, "A", "大"), [5]):
        with pytest.raises(FigureError, match="fonts= names folders with font files"):
            figure_of(["小"]).save(tmp_path / "x.pdf", fonts=wrong)


def test_the_bundled_fonts_have_what_is_taken_for_granted() -> None:
    latin = {chr(code) for code in [*range(0x20, 0x7F), *range(0xA1, 0x180)] if code != 0xAD}
    signs = frozenset(latin | set(glyphs.OWN_SIGNS))
    assert signs - bundled_have(signs) <= {"ŉ"}


@pytest.mark.parametrize(
    ("platform", "environ", "folder"),
    [
        ("linux", {}, Path("/usr/share/fonts")),
        ("linux", {"XDG_DATA_DIRS": "/opt/share"}, Path("/opt/share/fonts")),
        ("darwin", {}, Path("/System/Library/Fonts")),
        ("win32", {"WINDIR": "/W"}, Path("/W/Fonts")),
    ],
)
def test_every_system_keeps_its_fonts_somewhere(platform: str, environ: dict[str, str], folder: Path) -> None:
    assert folder in system_folders(platform, environ)


@pytest.mark.parametrize(
    ("character", "script"),
    [("አ", "Ethiopic"), ("ლ", "Georgian"), ("த", "Tamil"), ("ក", "Khmer"), ("བ", "Tibetan"), ("ꯃ", "Meetei Mayek"),
     ("\ue000", "private-use characters"), ("\u0378", "characters that Unicode does not define"), ("☙", "symbols"),
     ("𓀀", "Egyptian hieroglyphs"), ("\u0301", "combining marks"), ("𠀀", "Chinese characters")],
)  # fmt: skip
def test_every_script_has_a_name(character: str, script: str) -> None:
    assert script_of(character).name == script


def test_what_keeps_arabic_apart_is_not_in_the_text_of_the_page(tmp_path: Path) -> None:
    graph = dallas(WORDS, ["باريس", "שלום", "x"])
    figure = make_figure(graph, circuit_of_dallas(), texas_ablated(graph))
    warned(figure, tmp_path / "figure.pdf")
    text = text_of(tmp_path / "figure.pdf")
    assert "0.91 → 0.04" in text
    assert not {"\u2068", "\u2069", "\x00"} & set(text)


def test_numbers_beside_arabic_keep_their_order(tmp_path: Path) -> None:
    graph = dallas(WORDS, ["باريس", "שלום", "x"])
    scene = make_figure(graph, None, texas_ablated(graph), part="map").scene
    texts = [item.text for item in scene.items if hasattr(item, "text")]
    assert f"{apart('باريس')} 0.91 → 0.04" in texts
    assert apart("باريس") == "\u2068باريس\u2069"
    assert apart("Paris") == "Paris"
    assert not runs_leftward(f"{apart('باريس')} 0.91 → 0.04")
    assert runs_leftward("باريس Paris")
    assert not runs_leftward("0.91")
    svg = make_figure(dallas([WORDS[0], "باريس", *WORDS[2:]])).svg()
    assert 'unicode-bidi="plaintext"' in svg

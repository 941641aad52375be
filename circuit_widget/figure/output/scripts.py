"""Writing systems: the script that a character belongs to, and fonts that have it."""

import unicodedata
from dataclasses import dataclass
from itertools import takewhile

CJK = ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Zen Hei")
JAPANESE = ("Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans", "Hiragino Sans", "Yu Gothic", "Meiryo")
KOREAN = ("Noto Sans CJK KR", "Noto Sans KR", "Source Han Sans K", "Apple SD Gothic Neo", "Malgun Gothic")
NOTO_SITE = "https://fonts.google.com/noto"


@dataclass(frozen=True)
class Script:
    """A script in plain words, the families that are best for it, and the Debian package of the first; "" for none."""

    name: str
    families: tuple[str, ...] = ()
    package: str = ""


HAN = Script("Chinese characters", CJK, "fonts-noto-cjk")
KANA = Script("Japanese kana", JAPANESE, "fonts-noto-cjk")
HANGUL = Script("Korean Hangul", KOREAN, "fonts-noto-cjk")
FULL_WIDTH = Script("East Asian punctuation and full-width letters", CJK, "fonts-noto-cjk")
BOPOMOFO = Script("Bopomofo", CJK, "fonts-noto-cjk")
EMOJI = Script(
    "emoji", ("Noto Color Emoji", "Apple Color Emoji", "Segoe UI Emoji", "Noto Emoji"), "fonts-noto-color-emoji"
)
SYMBOLS = Script(
    "symbols",
    (
        "Noto Sans Symbols",
        "Noto Sans Symbols 2",
        "Noto Sans Symbols2",
        "Noto Sans Math",
        "Apple Symbols",
        "Segoe UI Symbol",
    ),
    "fonts-noto-core",
)
PRIVATE = Script("private-use characters")
UNASSIGNED = Script("characters that Unicode does not define")

BLOCKS: tuple[tuple[int, int, Script], ...] = (
    (0x1100, 0x11FF, HANGUL),
    (0x2190, 0x23FF, SYMBOLS),
    (0x2400, 0x2BFF, SYMBOLS),
    (0x2E80, 0x2FDF, HAN),
    (0x3000, 0x303F, FULL_WIDTH),
    (0x3040, 0x30FF, KANA),
    (0x3100, 0x312F, BOPOMOFO),
    (0x3130, 0x318F, HANGUL),
    (0x31A0, 0x31BF, BOPOMOFO),
    (0x31F0, 0x31FF, KANA),
    (0x3200, 0x33FF, FULL_WIDTH),
    (0x3400, 0x9FFF, HAN),
    (0xA960, 0xA97F, HANGUL),
    (0xAC00, 0xD7FF, HANGUL),
    (0xE000, 0xF8FF, PRIVATE),
    (0xF900, 0xFAFF, HAN),
    (0xFE30, 0xFE4F, FULL_WIDTH),
    (0xFF00, 0xFF64, FULL_WIDTH),
    (0xFF65, 0xFF9F, KANA),
    (0xFFA0, 0xFFDC, HANGUL),
    (0xFFDD, 0xFFEF, FULL_WIDTH),
    (0x1AFF0, 0x1B16F, KANA),
    (0x1D400, 0x1D7FF, SYMBOLS),
    (0x1F000, 0x1F0FF, SYMBOLS),
    (0x1F100, 0x1F1E5, SYMBOLS),
    (0x1F1E6, 0x1F1FF, EMOJI),
    (0x1F300, 0x1F6FF, EMOJI),
    (0x1F700, 0x1F8FF, SYMBOLS),
    (0x1F900, 0x1FAFF, EMOJI),
    (0x1FB00, 0x1FBFF, SYMBOLS),
    (0x20000, 0x3FFFD, HAN),
    (0xF0000, 0x10FFFD, PRIVATE),
)
KEYCAP = 0x20E3

NAMED: dict[str, tuple[str, str]] = {
    "Combining": ("combining marks", "Noto Sans"),
    "Cuneiform": ("cuneiform", "Noto Sans Cuneiform"),
    "Cyrillic": ("Cyrillic", "Noto Sans"),
    "Egyptian": ("Egyptian hieroglyphs", "Noto Sans Egyptian Hieroglyphs"),
    "Greek": ("Greek", "Noto Sans"),
    "Latin": ("Latin", "Noto Sans"),
    "Nko": ("N’Ko", "Noto Sans NKo"),
    "Tibetan": ("Tibetan", "Noto Serif Tibetan"),
}
"""First words of Unicode names whose script or font has another name."""

KINDS = frozenset(
    [
        "character",
        "letter",
        "vowel",
        "syllable",
        "sign",
        "digit",
        "number",
        "mark",
        "subjoined",
        "consonant",
        "independent",
        "dependent",
        "ligature",
        "punctuation",
        "final",
        "small",
        "capital",
        "symbol",
        "ideograph",
        "hieroglyph",
        "tone",
        "fraction",
        "accent",
        "point",
        "currency",
    ]
)
"""Words of a character's Unicode name that come after the name of its script."""


def script_of(character: str) -> Script:
    """Return the script of a character, by its block or else by its Unicode name."""
    code = ord(character)
    for first, last, script in BLOCKS:
        if first <= code <= last:
            return script
    if code == KEYCAP:
        return EMOJI
    return _named(character)


def _named(character: str) -> Script:
    words = unicodedata.name(character, "").split()
    if not words:
        return UNASSIGNED
    if words[0].capitalize() in NAMED:
        name, family = NAMED[words[0].capitalize()]
        return Script(name, (family,), "fonts-noto-core")
    script = " ".join(word.capitalize() for word in takewhile(lambda word: word.lower() not in KINDS, words))
    if len(script.split()) in (0, len(words)) or unicodedata.category(character)[0] in "SP":
        return SYMBOLS
    return Script(script, (f"Noto Sans {script}", f"Noto Serif {script}"), "fonts-noto-core")

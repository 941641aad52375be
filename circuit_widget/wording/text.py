"""Text as a picture shows it: widths without opening a font, and token text made visible."""

import math
import unicodedata
from collections.abc import Callable, Sequence
from contextvars import ContextVar, copy_context
from typing import Final, TypeAlias, TypeVar

from circuit_widget.characters import beginning, shortened
from circuit_widget.wording.advances import ADVANCES, MONO_EM, PER_EM

FULL_EM: Final = 1.0
"""Width of what fills a square."""
OTHER_EM: Final = 0.62
"""Width of other characters that the fonts lack."""
EMOJI_EM: Final = 1.25
LONGEST_TOKEN: Final = 16
MARKS: Final = ("Mn", "Me", "Cf")
"""Unicode's categories of characters without a width of their own."""
JOINER: Final = "\u200d"
NARROWER: Final = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Parts of the room that a wrapped text is tried in, so that its lines are about as long as each other."""
ROUNDING: Final = 1e-6
"""How much sums of widths may differ, so that the screen cuts a text where a figure does."""

SKIN_TONE_CODES: Final = ((0x1F3FB, 0x1F3FF),)
FLAG_LETTER_CODES: Final = ((0x1F1E6, 0x1F1FF),)
"""Two of them make one flag."""
FULL_WIDTH_CODES: Final = (
    (0x1100, 0x115F),
    (0x2E80, 0xA4CF),
    (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE6F),
    (0xFF00, 0xFF60),
    (0xFFE0, 0xFFE6),
    (0x1F000, 0x1F2FF),
    (0x20000, 0x3FFFD),
)
EMOJI_CODES: Final = ((0x1F300, 0x1FAFF),)
LEFTWARD_CODES: Final = (
    (0x0590, 0x08FF),
    (0xFB1D, 0xFDFF),
    (0xFE70, 0xFEFE),
    (0x10800, 0x10FFF),
    (0x1E800, 0x1EFFF),
)
"""Scripts that run from right to left."""
UNPRINTABLE_CODES: Final = (
    (0x0000, 0x001F),
    (0x007F, 0x009F),
    (0x2028, 0x202E),
    (0x2066, 0x2069),
    (0xD800, 0xDFFF),
    (0xFEFF, 0xFEFF),
    (0xFFFE, 0xFFFF),
)
"""Controls and marks that reorder the text around them; line breaks have a sign of their own."""

Made = TypeVar("Made")
Advance: TypeAlias = Callable[[str], float | None]
"""The width of a character in em, None where a font has no glyph for it."""

_CHOSEN: ContextVar[Advance | None] = ContextVar("_CHOSEN", default=None)
"""The font that text is measured with instead of the figures' own."""

_WIDTHS: Final = {
    chr(first + at): (ord(sign) - ord("0")) / PER_EM
    for first, signs in ADVANCES
    for at, sign in enumerate(signs)
    if sign != " "
}


def measured_with(advance: Advance | None, make: Callable[[], Made]) -> Made:
    """Return what `make` makes while `text_width` and what is built on it measure with another font; None for the usual one."""

    def run() -> Made:
        _CHOSEN.set(advance)
        return make()

    return copy_context().run(run)


def text_width(text: str, size: float) -> float:
    """Width of text in the interface font of figures at the given size; of characters that it lacks an estimate."""
    return size * _width(text, _advance)


def mono_width(text: str, size: float) -> float:
    """Return the width of text in a monospace font of the given size."""
    return size * _width(text, _mono_advance)


def shorten(text: str, room: float, size: float, mono: bool = False) -> str:
    """Return the text, or its longest beginning that fits in `room` with an ellipsis after it."""
    measure = mono_width if mono else text_width
    room += ROUNDING
    if measure(text, size) <= room:
        return text
    kept = _filling(text, room / size, _mono_advance if mono else _advance)
    while kept and measure(kept.rstrip(" ") + "…", size) > room:
        kept = beginning(kept, len(kept) - 1)
    return kept.rstrip(" ") + "…"


def wrapped(text: str, room: float, size: float, most: int) -> tuple[str, ...]:
    """Return a text in as few lines of similar width as fit in `room`, broken at spaces.

    A text that needs more lines than `most` is shortened in the last of them, and a word that is too wide in its line.
    """
    words = text.split(" ")
    lines = _lines(words, room, size)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    else:
        narrower = (_lines(words, part * room, size) for part in NARROWER)
        lines = next((tried for tried in narrower if len(tried) == len(lines)), lines)
    return tuple(shorten(line, room, size) for line in lines)


def _lines(words: Sequence[str], room: float, size: float) -> list[str]:
    """Return words in lines, each with as many as fit in `room`, and at least one."""
    lines = [words[0]]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if text_width(longer, size) <= room + ROUNDING:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def token_label(text: str) -> str:
    """Return token text as one visible line: white space and control characters as signs, at most 16 characters."""
    visible = text.strip(" ") or "·" * len(text)
    return printable(shortened(visible, LONGEST_TOKEN))


def printable(text: str) -> str:
    """Return the text with control and reordering characters replaced by signs."""
    return "".join(_printable(character) for character in text)


def apart(text: str) -> str:
    """Return a text isolated from the text around it, which it would reorder: Arabic would turn "0.9 → 0.1" around.

    A text with letters that run from right to left is wrapped in Unicode's first strong isolate (UAX 9).
    """
    return f"\u2068{text}\u2069" if any(_within(ord(character), LEFTWARD_CODES) for character in text) else text


def runs_leftward(text: str) -> bool:
    """Return whether a text runs from right to left: whether its first letter outside isolates does (UAX 9, P2, P3)."""
    depth = 0
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("FSI", "LRI", "RLI"):
            depth += 1
        elif kind == "PDI":
            depth = max(0, depth - 1)
        elif depth == 0 and kind in ("L", "R", "AL"):
            return kind != "L"
    return False


def _printable(character: str) -> str:
    if character == "\n":
        return "\\n"
    if character == "\t":
        return "\\t"
    return "\ufffd" if _within(ord(character), UNPRINTABLE_CODES) else character


def _width(text: str, advance: Callable[[str], float]) -> float:
    """Return the sum of advances; an emoji that is joined to the one before is part of the same picture."""
    joined = zip(text, f" {text}", strict=False)
    return math.fsum(
        advance(character)
        for character, before in joined
        if before != JOINER or not _within(ord(character), EMOJI_CODES)
    )


def _filling(text: str, room: float, advance: Callable[[str], float]) -> str:
    """Return the beginning of a text up to the first character that exceeds the room, in em.

    It spares `shorten` from measuring a long text again and again.
    """
    width = 0.0
    for at, character in enumerate(text):
        width += 0.0 if at and text[at - 1] == JOINER else advance(character)
        if width > room:
            return text[: at + 1]
    return text


def _advance(character: str) -> float:
    chosen = _CHOSEN.get()
    width = None if chosen is None else chosen(character)
    return width if width is not None else _WIDTHS.get(character) or _other_advance(character, OTHER_EM)


def _mono_advance(character: str) -> float:
    return MONO_EM if ord(character) < 0x0300 else _other_advance(character, MONO_EM)


def _other_advance(character: str, usual: float) -> float:
    """Return 0 for marks on other characters, more for emoji and for full-width characters."""
    code = ord(character)
    if _is_mark(character):
        return 0.0
    if _within(code, EMOJI_CODES):
        return EMOJI_EM
    if _within(code, FLAG_LETTER_CODES):
        return EMOJI_EM / 2
    return FULL_EM if _within(code, FULL_WIDTH_CODES) else usual


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in MARKS or _within(ord(character), SKIN_TONE_CODES)


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)

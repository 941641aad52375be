"""Text as a picture shows it: widths without a font, and token text made visible."""

import math
from typing import Final

from circuit_widget.characters import beginning, shortened

NARROW: Final = frozenset("iljtfrI.,:;'|!()[]{}/\\`-\" ")
WIDE: Final = frozenset("mwMWQOG@%&+=<>~→←×…—")
NARROW_EM: Final = 0.33
NORMAL_EM: Final = 0.56
UPPER_EM: Final = 0.67
WIDE_EM: Final = 0.82
FULL_EM: Final = 1.0
MONO_EM: Final = 0.6
LONGEST_TOKEN: Final = 16

_ZERO_WIDTH: Final = (
    (0x0300, 0x036F),
    (0x0591, 0x05BD),
    (0x064B, 0x065F),
    (0x200B, 0x200F),
    (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F),
    (0x1F3FB, 0x1F3FF),
)
_FULL_WIDTH: Final = (
    (0x1100, 0x115F),
    (0x2E80, 0xA4CF),
    (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE6F),
    (0xFF00, 0xFF60),
    (0xFFE0, 0xFFE6),
    (0x1F000, 0x1FAFF),
    (0x20000, 0x3FFFD),
)
# Controls and marks that reorder the text around them; line breaks have a sign of their own.
_UNPRINTABLE: Final = (
    (0x0000, 0x001F),
    (0x007F, 0x009F),
    (0x2028, 0x202E),
    (0x2066, 0x2069),
    (0xD800, 0xDFFF),
    (0xFEFF, 0xFEFF),
    (0xFFFE, 0xFFFF),
)


def text_width(text: str, size: float) -> float:
    """Width of text in an interface font of the given size, estimated by class of character."""
    return size * math.fsum(_advance(character) for character in text)


def mono_width(text: str, size: float) -> float:
    """Width of text in a monospace font of the given size."""
    return size * math.fsum(_mono_advance(character) for character in text)


def shorten(text: str, room: float, size: float, mono: bool = False) -> str:
    """The text, or its longest beginning that fits in `room` with an ellipsis after it."""
    measure = mono_width if mono else text_width
    if measure(text, size) <= room:
        return text
    kept = text
    while kept and measure(kept.rstrip(" ") + "…", size) > room:
        kept = beginning(kept, len(kept) - 1)
    return kept.rstrip(" ") + "…"


def token_label(text: str) -> str:
    """Token text as one visible line: white space and control characters as signs, at most 16 characters."""
    visible = text.strip(" ") or "·" * len(text)
    return printable(shortened(visible, LONGEST_TOKEN))


def printable(text: str) -> str:
    """The text with control and reordering characters replaced by signs."""
    return "".join(_printable(character) for character in text)


def _printable(character: str) -> str:
    if character == "\n":
        return "\\n"
    if character == "\t":
        return "\\t"
    return "\ufffd" if _within(ord(character), _UNPRINTABLE) else character


def _advance(character: str) -> float:
    if character in NARROW:
        return NARROW_EM
    if character in WIDE:
        return WIDE_EM
    code = ord(character)
    if 65 <= code <= 90:
        return UPPER_EM
    if code < 0x0300:
        return NORMAL_EM
    if _within(code, _ZERO_WIDTH):
        return 0.0
    return FULL_EM if _within(code, _FULL_WIDTH) else NORMAL_EM


def _mono_advance(character: str) -> float:
    code = ord(character)
    if code < 0x0300:
        return MONO_EM
    if _within(code, _ZERO_WIDTH):
        return 0.0
    return FULL_EM if _within(code, _FULL_WIDTH) else MONO_EM


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)

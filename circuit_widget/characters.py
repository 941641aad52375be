"""Text by whole characters: which text UTF-8 can encode, and where a text may be cut. The page has the same rules.

Lengths count code points, here and in js/src/text/characters.ts. Both are tested against tests/fixtures/characters.json.
"""

from __future__ import annotations

import re
import unicodedata

REPLACEMENT = "\ufffd"

_HALF = re.compile("[\ud800-\udfff]")
_JOINER = "\u200d"
_REGIONAL = re.compile("[\U0001f1e6-\U0001f1ff]")
# Joiners, half-width voicing marks, skin tones, tags of flags, and the vowels and finals of Korean syllables.
_EXTENDING = re.compile(
    "[\u200c\u200d\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f\u1160-\u11ff\ud7b0-\ud7fb]"
)


def half_character(text: str) -> str | None:
    """Return the first lone surrogate of a text as "U+D83D", or None where UTF-8 can encode the text."""
    found = _HALF.search(text)
    return None if found is None else f"U+{ord(found[0]):04X}"


def repaired(text: str) -> str:
    """Return a text with every lone surrogate replaced by the replacement character."""
    return _HALF.sub(REPLACEMENT, text)


def beginning(text: str, most: int) -> str:
    """Return the longest beginning of at most `most` code points that splits no visible character.

    A letter with its marks, a flag, a joined or coloured emoji are one visible character. Where a single one has more
    than `most` code points, the beginning is cut inside it.
    """
    if len(text) <= most:
        return text
    end = most
    while end > 0 and _splits(text, end):
        end -= 1
    return text[: end or most]


def shortened(text: str, most: int) -> str:
    """Return a text of at most `most` code points: the text itself, or its beginning with an ellipsis after it."""
    return text if len(text) <= most else f"{beginning(text, most - 1)}…"


def _splits(text: str, index: int) -> bool:
    """Return whether a cut before a code point falls inside a visible character."""
    after = text[index]
    if text[index - 1] == _JOINER or _EXTENDING.match(after) or unicodedata.category(after).startswith("M"):
        return True
    if not _REGIONAL.match(after):
        return False
    before = index
    while before > 0 and _REGIONAL.match(text[before - 1]):
        before -= 1
    return (index - before) % 2 == 1

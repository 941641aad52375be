"""The font that a user chose for the text of a figure: what it measures, and its file for those that are drawn with it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

FAMILY = "Circuit Widget Text"
"""What the chosen font is called in a figure's file, whatever its own name: no font of the machine is called that."""


@dataclass(frozen=True)
class TextFont:
    """A font: its name, the content of its file, and the widths in em of the characters that it has.

    `embedded` is the same font under the name FAMILY, for the formats that carry it.
    """

    name: str
    content: bytes = field(repr=False)
    embedded: bytes = field(repr=False)
    advances: Mapping[str, float] = field(repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256 of the font's file."""
        return hashlib.sha256(self.content).hexdigest()

    def advance(self, character: str) -> float | None:
        """Return the width of a character in em, None where the font has no glyph for it."""
        return self.advances.get(character)

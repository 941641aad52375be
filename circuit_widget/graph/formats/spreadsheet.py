"""Texts in tables that spreadsheets open: the one way in which a text enters a CSV file."""

from __future__ import annotations

import re

from circuit_widget.characters import REPLACEMENT, repaired

FORMULA = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""What a cell begins with that spreadsheets take for a formula, also in full width."""

STARTS_FORMULA = re.compile(rf"(^|[;|\t\r\n])([ \u00a0]*)(?=[{FORMULA}])")
"""Where a formula could start: in front, or after what a spreadsheet may take for the end of a cell."""


def spreadsheet_text(text: str) -> str:
    """Return a text for a cell of a table: an apostrophe goes before what a spreadsheet would run as a formula."""
    return STARTS_FORMULA.sub(r"\1\2'", repaired(text).replace("\x00", REPLACEMENT))

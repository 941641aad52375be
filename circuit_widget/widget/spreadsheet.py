"""Texts in tables that spreadsheets open: the one way in which a text enters a CSV file."""

from __future__ import annotations

import re

FORMULA = "=+\\-@\t\r\uff1d\uff0b\uff0d\uff20"
"""What a cell begins with that spreadsheets take for a formula, also in full width."""

STARTS_FORMULA = re.compile(rf"(^|[;|\t\r\n])([ \u00a0]*)(?=[{FORMULA}])")
"""Where a formula could start: in front, or after what a spreadsheet may take for the end of a cell."""

# Neither can be written to a file of text that others read.
UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


def spreadsheet_text(text: str) -> str:
    """Return a text for a cell of a table: an apostrophe stands before what a spreadsheet would run as a formula."""
    return STARTS_FORMULA.sub(r"\1\2'", UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text))

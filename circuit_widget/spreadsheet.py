"""Tables that spreadsheets open: the one way in which a text enters a CSV file."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from circuit_widget.characters import REPLACEMENT, repaired

if TYPE_CHECKING:
    import pandas

FORMULA = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""What a cell begins with that spreadsheets take for a formula, also in full width."""

STARTS_FORMULA = re.compile(rf"(^|[;|\t\r\n])([ \u00a0]*)(?=[{FORMULA}])")
"""Where a formula could start: in front, or after what a spreadsheet may take for the end of a cell."""


def spreadsheet_text(text: str) -> str:
    """Return a text for a cell of a table: an apostrophe goes before what a spreadsheet would run as a formula."""
    return STARTS_FORMULA.sub(r"\1\2'", repaired(text).replace("\x00", REPLACEMENT))


def comma_separated(frame: pandas.DataFrame, texts: Sequence[str]) -> str:
    """Return a frame as comma-separated values; the columns `texts` have texts, of which none is run as a formula."""
    safe = frame.assign(**{column: [spreadsheet_text(text) for text in frame[column]] for column in texts})
    # A carriage return within a text would end the line if texts were not quoted.
    return str(safe.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n"))

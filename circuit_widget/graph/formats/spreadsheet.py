"""Tables that spreadsheets open: the one way in which a text enters a CSV file."""

from __future__ import annotations

import csv
import re
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


def comma_separated(frame: pandas.DataFrame) -> str:
    """Return a table as CSV, with an apostrophe before each text that a spreadsheet would run as a formula."""
    safe = {
        str(name): [spreadsheet_text(entry) if isinstance(entry, str) else entry for entry in column]
        for name, column in frame.items()
        if column.dtype.kind not in "biuf"
    }
    # A carriage return within a text would end the line if texts were not quoted.
    return str(frame.assign(**safe).to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n"))

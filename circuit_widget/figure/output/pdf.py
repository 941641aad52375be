"""A figure as PDF with real text."""

import html
import json
import re
from collections.abc import Mapping
from typing import Any

from circuit_widget.figure.output.glyphs import Coverage
from circuit_widget.figure.output.png import KEYWORD
from circuit_widget.figure.output.typeset import set_as, typeset
from circuit_widget.figure.scene.scene import Scene


def write_pdf(scene: Scene, recipe: Mapping[str, Any], coverage: Coverage) -> bytes:
    """Return the scene as one page, with its recipe among the keywords. Raises FigureError as `typeset` does."""
    text = json.dumps(set_as(recipe, coverage, None), ensure_ascii=True, sort_keys=True)
    return typeset(scene, coverage, (KEYWORD, text), "pdf", scene.px_per_inch)


def keywords(pdf: bytes) -> str | None:
    """Return the text after our keyword in a PDF's metadata, or None. Raises ValueError for what is not a PDF."""
    if not pdf.startswith(b"%PDF-"):
        raise ValueError("not a PDF")
    found = re.search(rb"<pdf:Keywords>([^<]*)</pdf:Keywords>", pdf)
    if found is None:
        return None
    text = html.unescape(found.group(1).decode("utf-8"))
    return text.removeprefix(f"{KEYWORD}, ") if text.startswith(f"{KEYWORD}, ") else None

"""A figure as PDF with real text, set by typst from its SVG."""

import html
import json
import re
from collections.abc import Mapping
from typing import Any

from circuit_widget.errors import FigureError
from circuit_widget.figure.fonts import FONTS
from circuit_widget.figure.png import INSTALL, KEYWORD

# Texts come in as inputs, never as source, so that nothing in them is run.
SOURCE = """
#set document(
  title: sys.inputs.title,
  description: sys.inputs.description,
  keywords: (sys.inputs.keyword, sys.inputs.recipe),
  date: none,
)
#set page(width: float(sys.inputs.width) * 1pt, height: float(sys.inputs.height) * 1pt, margin: 0pt)
#image(bytes(sys.inputs.svg), format: "svg", width: 100%, height: 100%, alt: sys.inputs.title)
"""


def write_pdf(svg: str, recipe: Mapping[str, Any], title: str, description: str, width: float, height: float) -> bytes:
    """The SVG as one page of width × height points, its recipe among the keywords. Raises FigureError without typst."""
    try:
        import typst
    except ImportError as error:
        raise FigureError(f"A PDF figure needs typst, which is not installed. {INSTALL}") from error
    inputs = {
        "svg": svg,
        "title": title,
        "description": description,
        "keyword": KEYWORD,
        "recipe": json.dumps(recipe, ensure_ascii=True, sort_keys=True),
        "width": str(width),
        "height": str(height),
    }
    fonts = typst.Fonts(font_paths=[FONTS])
    return bytes(typst.compile(SOURCE.encode(), format="pdf", sys_inputs=inputs, font_paths=fonts))


def keywords(pdf: bytes) -> str | None:
    """What a PDF says after our keyword in its metadata, or None. Raises ValueError for what is not a PDF."""
    if not pdf.startswith(b"%PDF-"):
        raise ValueError("not a PDF")
    found = re.search(rb"<pdf:Keywords>([^<]*)</pdf:Keywords>", pdf)
    if found is None:
        return None
    text = html.unescape(found.group(1).decode("utf-8"))
    return text.removeprefix(f"{KEYWORD}, ") if text.startswith(f"{KEYWORD}, ") else None

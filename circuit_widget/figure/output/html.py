"""A figure as an HTML page: the SVG in it, with its words for readers who cannot see it; no script, nothing loaded."""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from circuit_widget.figure.output.svg import allowed, write_svg
from circuit_widget.figure.scene.scene import Scene

POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def write_html(scene: Scene, recipe: Mapping[str, Any]) -> str:
    """Return the scene as a page that any browser opens from disk, with its recipe in the metadata of the picture."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(allowed(scene.title))}</title>\n"
        "<style>body { margin: 1em; background: white; } svg { max-width: 100%; height: auto; }</style>\n"
        f"</head>\n<body>\n{write_svg(scene, recipe)}</body>\n</html>\n"
    )

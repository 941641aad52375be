"""A scene as SVG: real text, every string escaped, no script, nothing loaded from elsewhere."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from circuit_widget.figure.output.chosen_font import embedded_face
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Circle, Curves, Item, Label, Lines, Paint, Polygon, Rectangle, Scene
from circuit_widget.figure.scene.text_font import FAMILY
from circuit_widget.wording.text import runs_leftward

RECIPE_NAMESPACE = "https://circuit-widget.github.io/recipe"
BASELINE = 0.355
"""Distance from the middle of a line of text down to its baseline, in em."""


def write_svg(scene: Scene, recipe: Mapping[str, Any]) -> str:
    """Return the scene as an SVG document, with its recipe as JSON in the document's metadata."""
    document = _text(json.dumps(recipe, ensure_ascii=True, sort_keys=True))
    parts = [
        _head(scene),
        f"<title>{_text(scene.title)}</title>",
        f"<desc>{_text(scene.description)}</desc>",
        *_faces(scene),
        f'<metadata><recipe xmlns="{RECIPE_NAMESPACE}">{document}</recipe></metadata>',
        f'<rect width="{_number(scene.width)}" height="{_number(scene.height)}" fill="{style.BACKGROUND}"/>',
        *(_item(item, scene) for item in scene.items),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _faces(scene: Scene) -> list[str]:
    """Return the style sheet that carries the chosen font, cut down to the characters in use; none without one."""
    if scene.font is None:
        return []
    texts = [item.text for item in scene.items if isinstance(item, Label)]
    return [f"<style>{embedded_face(scene.font, ''.join(texts))}</style>"]


def write_shapes(scene: Scene, shapes: Sequence[Item]) -> str:
    """Return some shapes of the scene as an SVG document of its size, for a typesetter that sets the text itself."""
    return "\n".join([_head(scene), *(_item(item, scene) for item in shapes), "</svg>"])


def allowed(text: str) -> str:
    """Return the text with U+FFFD for characters that XML 1.0 does not allow, such as half a surrogate pair."""
    return "".join(character if _is_allowed(ord(character)) else "\ufffd" for character in text)


def texts_of(scene: Scene) -> list[str]:
    """Return the texts of a scene as they are drawn."""
    return [allowed(item.text) for item in scene.items if isinstance(item, Label)]


def _head(scene: Scene) -> str:
    inches = (scene.width / scene.px_per_inch, scene.height / scene.px_per_inch)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        f'width="{inches[0]:.5g}in" height="{inches[1]:.5g}in" '
        f'viewBox="0 0 {_number(scene.width)} {_number(scene.height)}" role="img">'
    )


def _item(item: Item, scene: Scene) -> str:
    match item:
        case Curves():
            data = "".join(_cubics(path) + ("Z" if item.closed else "") for path in item.paths)
            return f'<path d="{data}"{_paint(item.paint)}/>'
        case Polygon():
            points = " ".join(f"{_number(x)},{_number(y)}" for x, y in item.points)
            return f'<polygon points="{points}"{_paint(item.paint)}/>'
        case Lines():
            data = "".join(f"M{_pair(a, b)}L{_pair(c, d)}" for a, b, c, d in item.segments)
            return f'<path d="{data}"{_paint(item.paint)}/>'
        case Rectangle():
            radius = f' rx="{_number(item.radius)}"' if item.radius else ""
            area = f'x="{_number(item.x)}" y="{_number(item.y)}" width="{_number(item.w)}" height="{_number(item.h)}"'
            return f"<rect {area}{radius}{_paint(item.paint)}/>"
        case Circle():
            area = f'cx="{_number(item.x)}" cy="{_number(item.y)}" r="{_number(item.radius)}"'
            return f"<circle {area}{_paint(item.paint)}/>"
        case Label():
            return _label(item, scene)


def _label(label: Label, scene: Scene) -> str:
    family = style.MONO if label.mono else style.INTERFACE
    if scene.font is not None:
        # For tokens only what no monospace font has comes from the chosen one.
        family = f"{family}, '{FAMILY}'" if label.mono else f"'{FAMILY}', {family}"
    attributes = [
        f'x="{_number(label.x)}"',
        f'y="{_number(label.y + BASELINE * label.size)}"',
        f'font-family="{family}"',
        f'font-size="{_number(label.size)}"',
        f'fill="{label.color}"',
    ]
    if label.anchor != "start":
        attributes.append(f'text-anchor="{label.anchor}"')
    if label.bold:
        attributes.append('font-weight="600"')
    if label.opacity < 1:
        attributes.append(f'fill-opacity="{_number(label.opacity)}"')
    if runs_leftward(label.text):
        # The text keeps its own direction in every page that contains the picture.
        attributes.append('unicode-bidi="plaintext"')
    if label.turn:
        attributes.append(f'transform="rotate({_number(label.turn)} {_pair(label.x, label.y)})"')
    return f"<text {' '.join(attributes)}>{_text(label.text)}</text>"


def _cubics(path: tuple[float, ...]) -> str:
    rest = "".join(f"C{' '.join(_number(value) for value in path[at : at + 6])}" for at in range(2, len(path), 6))
    return f"M{_pair(path[0], path[1])}{rest}"


def _paint(paint: Paint) -> str:
    text = f' fill="{paint.fill or "none"}"'
    if paint.stroke:
        text += f' stroke="{paint.stroke}" stroke-width="{_number(paint.width)}"'
        if paint.dash:
            text += f' stroke-dasharray="{" ".join(_number(value) for value in paint.dash)}"'
    if paint.opacity < 1:
        # Opacity of the whole shape would make renderers draw it in a layer of its own.
        used = [name for name, color in (("fill", paint.fill), ("stroke", paint.stroke)) if color]
        text += "".join(f' {name}-opacity="{_number(paint.opacity)}"' for name in used)
    return text


def _pair(x: float, y: float) -> str:
    return f"{_number(x)} {_number(y)}"


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _text(text: str) -> str:
    """Return a text escaped; every text enters the document through here."""
    return escape(allowed(text))


def _is_allowed(code: int) -> bool:
    return code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF

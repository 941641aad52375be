"""A scene as TikZ: a picture that LaTeX sets in the fonts of the document around it."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from circuit_widget.figure.output.svg import allowed
from circuit_widget.figure.scene.scene import Circle, Curves, Item, Label, Lines, Paint, Polygon, Rectangle, Scene
from circuit_widget.wording.text import mono_width, text_width

RECIPE_LINE = "% circuit-widget: "
LINE_HEIGHT = 1.2
BASELINE = 0.355
"""Distance from the middle of a line of text down to its baseline, in em."""

ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "'": r"\textquotesingle{}",
    "-": "{-}",
    "→": r"$\rightarrow$",
    "×": r"$\times$",
    "−": r"$-$",
    "…": r"\ldots{}",
    "·": r"$\cdot$",
    "∅": r"$\emptyset$",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "\u2068": "",
    "\u2069": "",
}
"""What characters become that LaTeX would read as commands, or that its fonts have under another name."""

PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{lmodern,textcomp,graphicx,tikz}
\usepackage[paperwidth=%sbp,paperheight=%sbp,margin=0pt]{geometry}
\pagestyle{empty}
\parindent=0pt
\begin{document}
"""
"""What comes before the picture: packages that every LaTeX has, and a page of the picture's size."""


def write_tikz(scene: Scene, recipe: Mapping[str, Any]) -> str:
    """Return a document of one page, of the size of the scene, with the scene as one tikzpicture, and the recipe in its first comment.

    Every text has the width that it has in the other formats. Characters that pdfLaTeX has no glyph for are set as a box.
    The `tikzpicture` alone can be copied into a paper; it needs the packages of the preamble.
    """
    points = scene.points
    width, height = points * scene.width, points * scene.height
    lines = [
        RECIPE_LINE + json.dumps(recipe, ensure_ascii=True, sort_keys=True),
        PREAMBLE.rstrip() % (_number(width), _number(height + 1)),
        r"\begin{tikzpicture}[x=1bp,y=-1bp,line join=round]",
        rf"\useasboundingbox (0,0) rectangle ({_number(width)},{_number(height)});",
        *(line for item in scene.items for line in _item(item, points)),
        r"\end{tikzpicture}",
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"


def recipe_text(content: bytes) -> str | None:
    """Return the recipe in the first comment of a file, or None. Raises ValueError for what is not UTF-8."""
    first = content.decode("utf-8").split("\n", 1)[0]
    return first.removeprefix(RECIPE_LINE) if first.startswith(RECIPE_LINE) else None


def escaped(text: str) -> str:
    """Return a text as LaTeX sets it as it is; a character outside Latin-1 that has no name here is a small box."""
    return "".join(ESCAPES[character] if character in ESCAPES else _plain(character) for character in allowed(text))


def _plain(character: str) -> str:
    if character in "\n\r\t":
        return " "
    return (
        character
        if ord(character) < 0x100 and character.isprintable()
        else r"\fbox{\rule{0pt}{0.5em}\rule{0.3em}{0pt}}"
    )


def _item(item: Item, points: float) -> list[str]:
    """Return an item in big points, of which a scene pixel has so many."""

    def point(x: float, y: float) -> str:
        return _point(points * x, points * y)

    match item:
        case Curves():
            path = " ".join(
                _cubics([points * value for value in one]) + (" -- cycle" if item.closed else "") for one in item.paths
            )
            return [_drawn(points, item.paint, path)]
        case Polygon():
            return [_drawn(points, item.paint, " -- ".join(point(x, y) for x, y in item.points) + " -- cycle")]
        case Lines():
            return [
                _drawn(points, item.paint, " ".join(f"{point(a, b)} -- {point(c, d)}" for a, b, c, d in item.segments))
            ]
        case Rectangle():
            radius = min(item.radius, item.w / 2, item.h / 2)
            rounded = f"rounded corners={_number(points * radius)}bp" if radius else ""
            return [
                _drawn(
                    points,
                    item.paint,
                    f"{point(item.x, item.y)} rectangle {point(item.x + item.w, item.y + item.h)}",
                    rounded,
                )
            ]
        case Circle():
            return [
                _drawn(points, item.paint, f"{point(item.x, item.y)} circle [radius={_number(points * item.radius)}bp]")
            ]
        case Label():
            return [_label(item, points)]


def _drawn(points: float, paint: Paint, path: str, more: str = "") -> str:
    options = [more] if more else []
    for name, color in (("fill", paint.fill), ("draw", paint.stroke)):
        if color:
            options.append(f"{name}={_color(color)}")
    if paint.stroke:
        options.append(f"line width={_number(points * paint.width)}bp")
        if paint.dash:
            lengths = [_number(points * length) for length in paint.dash]
            options.append(
                "dash pattern=" + " ".join(f"{('on', 'off')[at % 2]} {one}bp" for at, one in enumerate(lengths))
            )
    if paint.opacity < 1:
        options.append(f"opacity={_number(paint.opacity)}")
    return rf"\path[{','.join(options)}] {path};"


def _label(label: Label, points: float) -> str:
    """Set a text on its baseline, made as wide as it is in the other formats, so that nothing covers anything."""
    size = points * label.size
    width = points * (mono_width if label.mono else text_width)(label.text, label.size)
    if not label.text.strip():
        return "% a text of spaces"
    anchor = {"start": "base west", "middle": "base", "end": "base east"}[label.anchor]
    options = [f"anchor={anchor}", "inner sep=0pt", "outer sep=0pt", f"text={_color(label.color)}"]
    if label.opacity < 1:
        options.append(f"opacity={_number(label.opacity)}")
    x, y = points * label.x, points * label.y
    place = f"({_number(x)},{_number(y + BASELINE * size)})"
    if label.turn:
        # The picture's y axis points down, so that angles are those of the other formats with the other sign.
        turn = math.radians(label.turn)
        down = (-BASELINE * size * math.sin(turn), BASELINE * size * math.cos(turn))
        place = f"({_number(x + down[0])},{_number(y + down[1])})"
        options.append(f"rotate={_number(-label.turn)}")
    family, weight = r"\ttfamily" if label.mono else r"\sffamily", r"\bfseries" if label.bold else ""
    font = rf"\fontsize{{{_number(size)}bp}}{{{_number(LINE_HEIGHT * size)}bp}}{family}{weight}\selectfont"
    text = rf"\resizebox{{{_number(width)}bp}}{{\height}}{{{escaped(label.text)}}}"
    return rf"\node[{','.join(options)}] at {place} {{{font}{text}}};"


def _cubics(path: Sequence[float]) -> str:
    rest = "".join(
        f" .. controls {_point(*path[at : at + 2])} and {_point(*path[at + 2 : at + 4])} .. {_point(*path[at + 4 : at + 6])}"
        for at in range(2, len(path), 6)
    )
    return _point(path[0], path[1]) + rest


def _point(x: float, y: float) -> str:
    return f"({_number(x)},{_number(y)})"


def _color(color: str) -> str:
    parts = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    red, green, blue = parts
    return f"{{rgb,255:red,{red};green,{green};blue,{blue}}}"


def _number(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text

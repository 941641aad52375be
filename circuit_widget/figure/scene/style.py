"""The look of figures: colours, sizes and fonts on a light background. Lengths are scene pixels, 108 to the inch."""

from typing import Final

from circuit_widget.figure.scene.palette import LIGHT

PX_PER_INCH: Final = 108.0
"""A scene pixel is two thirds of a point, so that 12 px text is 8 pt in print."""

INTERFACE: Final = "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
MONO: Final = "'Noto Sans Mono', 'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', Inter, monospace"

TITLE_SIZE: Final = 13.5
TEXT_SIZE: Final = 12.0
"""Size of text in pixels, unless it is a title, a token or a caption."""
TOKEN_SIZE: Final = 11.5
CAPTION_SIZE: Final = 10.5

BACKGROUND: Final = LIGHT.background
INK: Final = LIGHT.ink
MUTED: Final = LIGHT.muted
FAINT: Final = LIGHT.faint
LINE: Final = LIGHT.line
GRID: Final = LIGHT.grid
NODE: Final = LIGHT.node
NODE_EDGE: Final = LIGHT.node_edge
EXCITE: Final = LIGHT.excite
INHIBIT: Final = LIGHT.inhibit
INHIBIT_GROUND: Final = LIGHT.inhibit_ground
ANSWER: Final = LIGHT.answer
ANSWER_GROUND: Final = LIGHT.answer_ground
CHIP: Final = LIGHT.chip
BOX: Final = LIGHT.box
BOX_EDGE: Final = LIGHT.box_edge
INJECTED: Final = LIGHT.injected
INJECTED_GROUND: Final = LIGHT.injected_ground
TRACK: Final = LIGHT.grid
SUPERNODES: Final = LIGHT.supernodes

FADED: Final = 0.45
"""Opacity of the hue of a box that has faded."""

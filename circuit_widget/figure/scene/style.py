"""The look of figures: colours, sizes and fonts on a light background. Lengths are scene pixels, 108 to the inch."""

from typing import Final

PX_PER_INCH: Final = 108.0
"""A scene pixel is two thirds of a point, so that 12 px text is 8 pt in print."""

INTERFACE: Final = "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
MONO: Final = "'Noto Sans Mono', 'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', Inter, monospace"

TITLE_SIZE: Final = 13.5
TEXT_SIZE: Final = 12.0
TOKEN_SIZE: Final = 11.5
CAPTION_SIZE: Final = 10.5

BACKGROUND: Final = "#ffffff"
INK: Final = "#23211e"
MUTED: Final = "#6f6a62"
FAINT: Final = "#b9b3a8"
LINE: Final = "#e6e2da"
GRID: Final = "#efece6"
NODE: Final = "#d9d4ca"
NODE_EDGE: Final = "#8e877b"
EXCITE: Final = "#2b6ca3"
INHIBIT: Final = "#c4472b"
INHIBIT_GROUND: Final = "#fdf3f0"
ANSWER: Final = "#215d92"
ANSWER_GROUND: Final = "#dbe7f2"
CHIP: Final = "#f0ece3"
BOX: Final = "#f3efe6"
BOX_EDGE: Final = "#b9ae97"
INJECTED: Final = "#b87420"
INJECTED_GROUND: Final = "#fdf1de"
TRACK: Final = "#f1eee8"
GROUPS: Final = ("#0f8b8d", "#2b6ca3", "#b7791f", "#8a5fb8", "#6b8e23", "#a3516d")

FAINT_WIDTHS: Final = (0.4, 0.7, 1.1, 1.7)
FADED: Final = 0.45

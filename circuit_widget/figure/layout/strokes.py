"""How thick, dark and dashed the lines of map and circuit are, and how large their ends, on the screen and in figures.

The screen runs the same functions (js/src/layout/strokes.ts), tested against the same fixture. Units are pixels.
"""

import math
from typing import Final

FAINT_WIDTHS: Final = (0.7, 1.1, 1.7)
"""Widths of edges without sign, thinnest first."""
FAINT_PART: Final = 0.6
"""Width of an edge without sign, before it is rounded up to one of FAINT_WIDTHS, as a share of an edge of a circuit."""
SIGNED_PART: Final = 0.55
"""Width of an edge of the map with its sign, as a share of an edge of a circuit."""
THINNEST_SIGNED: Final = 0.6
EDGE_OPACITY: Final = 0.85
"""Opacity of an edge of a circuit."""
FADED_EDGE_OPACITY: Final = 0.35
"""Opacity of an edge whose source has faded."""
MAP_EDGE_OPACITY: Final = 0.75
"""Opacity of an edge of the map with its sign, before it fades with its source."""
SIGNED_EDGES: Final = 300
"""Most edges of the map that are drawn with their sign while nothing is selected: the strongest."""
FAINT_EDGES: Final = 1200
"""Most edges that are drawn without sign behind them: more are a fog."""
BEHIND: Final = 0.4
"""Opacity of all these behind the edges of the circuit, of the selection or of the hovered node."""
ERROR_OPACITY: Final = 0.7
"""Opacity of errors outside the circuit, and of their edges: features are what can be read."""
RIM_WIDTH: Final = 1.0
"""Width of the rim of a node of the map."""
PINNED_RIM_WIDTH: Final = 1.8
"""Width of the rim of a pinned node."""
LEAST_PRESENCE: Final = 0.18
"""Opacity of a feature of which an intervention left nothing."""
LEAST_LABEL_PRESENCE: Final = 0.6
"""Opacity of the label of a feature of which an intervention left nothing: less would not be legible."""
LEAST_OUTPUT_PRESENCE: Final = 0.3
"""Opacity of an output that is never sampled."""
ERROR_BAND: Final = 9.0
"""Height of the band that the errors of a layer are where they are no nodes, in a row with room for it."""
LEAST_BAND_PRESENCE: Final = 0.12
MOST_BAND_PRESENCE: Final = 0.5
"""Opacity of such a band where it has no influence, and where it has most of all."""


def edge_width(share: float) -> float:
    """Width of an edge of a circuit for a share of input, by area-like square root."""
    return min(max(0.5 + 5.0 * math.sqrt(abs(share)), 0.8), 5.0)


def signed_width(share: float) -> float:
    """Width of an edge of the map with its sign."""
    return max(THINNEST_SIGNED, SIGNED_PART * edge_width(share))


def faint_step(share: float) -> int:
    """Index into FAINT_WIDTHS of an edge of the map without sign."""
    width = FAINT_PART * edge_width(share)
    return next((step for step, limit in enumerate(FAINT_WIDTHS) if width <= limit), len(FAINT_WIDTHS) - 1)


def signed_opacity(count: int) -> float:
    """Opacity of edges with their sign where there are so many of them and nothing is selected."""
    return min(0.7, max(0.3, 6.0 / math.sqrt(1 + count)))


def faint_opacity(count: int) -> float:
    """Opacity of edges without sign where there are so many of them, so that nodes stay readable."""
    return min(0.4, max(0.1, 4.0 / math.sqrt(1 + count)))


def head_length(width: float) -> float:
    """Length of an arrowhead for a line of this width."""
    return 4.0 + 1.1 * width


def head_half(width: float) -> float:
    """Half the width of an arrowhead."""
    return 2.4 + 0.75 * width


def bar_half(width: float) -> float:
    """Half the length of the bar across the end of an inhibiting edge."""
    return 3.5 + 0.9 * width


def dashes(width: float) -> tuple[float, float]:
    """Lengths of dash and gap of an inhibiting edge."""
    return 2.5 + 1.3 * width, 2.0 + 0.8 * width


def presence(before: float, after: float) -> float:
    """Opacity of a feature by its activation before and after an intervention; one that was not active has all of it."""
    return min(max(after / before, LEAST_PRESENCE), 1.0) if before != 0 else 1.0


def output_presence(probability: float) -> float:
    """Opacity of an output by its probability."""
    return min(max(math.sqrt(probability), LEAST_OUTPUT_PRESENCE), 1.0)


def ring_width(radius: float) -> float:
    """Width of the ring that a grouped node of the map is."""
    return min(2.2, 0.5 * radius + 0.6)


def error_band_height(row: float) -> float:
    """Height of the band of errors in a row of this height."""
    return min(ERROR_BAND, 0.8 * row)


def error_band_opacity(influence: float, most: float) -> float:
    """Opacity of a band of errors by its influence and that of the band that has most."""
    part = influence / most if most > 0 else 0.0
    return LEAST_BAND_PRESENCE + (MOST_BAND_PRESENCE - LEAST_BAND_PRESENCE) * part

"""The colours of screen and figure: one table, from which js/src/page/constants.ts is written. Figures are light."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Palette:
    """The colours of one theme by what they are for; `supernodes` are the six quiet hues of supernodes."""

    background: str
    panel: str
    raised: str
    line: str
    grid: str
    ink: str
    muted: str
    faint: str
    node: str
    node_edge: str
    excite: str
    inhibit: str
    inhibit_ground: str
    selection: str
    answer: str
    answer_ground: str
    chip: str
    box: str
    box_edge: str
    injected: str
    injected_ground: str
    heat: str
    shadow: str
    supernodes: tuple[str, ...]


LIGHT: Final = Palette(
    background="#ffffff",
    panel="#fbfaf8",
    raised="#ffffff",
    line="#e6e2da",
    grid="#efece6",
    ink="#23211e",
    muted="#6f6a62",
    faint="#b9b3a8",
    node="#d9d4ca",
    node_edge="#8e877b",
    excite="#2b6ca3",
    inhibit="#c4472b",
    inhibit_ground="#fef7f5",
    selection="#7c3aed",
    answer="#215d92",
    answer_ground="#dbe7f2",
    chip="#f0ece3",
    box="#f3efe6",
    box_edge="#b9ae97",
    injected="#b87420",
    injected_ground="#fdf1de",
    heat="#f0a63a",
    shadow="rgb(50 40 20 / 0.14)",
    supernodes=("#0f8b8d", "#4a63b8", "#b7791f", "#8a5fb8", "#6b8e23", "#a3516d"),
)

DARK: Final = Palette(
    background="#121416",
    panel="#181b1e",
    raised="#1f2327",
    line="#2b3036",
    grid="#22262b",
    ink="#e9e6e0",
    muted="#a09f9a",
    faint="#555b62",
    node="#3a4047",
    node_edge="#8b9198",
    excite="#74b3e8",
    inhibit="#ff8768",
    inhibit_ground="#251d1d",
    selection="#b497ff",
    answer="#8cc2f0",
    answer_ground="#1d3347",
    chip="#24292e",
    box="#23282d",
    box_edge="#4c545c",
    injected="#d39c4e",
    injected_ground="#2f2719",
    heat="#c98a2b",
    shadow="rgb(0 0 0 / 0.5)",
    supernodes=("#4fc4c6", "#9aa8f5", "#e0ab4d", "#b996e6", "#a5c75a", "#e08aa8"),
)

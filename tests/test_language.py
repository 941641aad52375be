"""Words that this project has given up, because readers had to learn what they mean here."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]

GIVEN_UP = {
    "held": "clamped (a feature at a value), kept (in memory); held-out data is fine",
    "hold": "clamp, keep, contain",
    "holding": "clamping",
    "asked": "requested, given",
    "told": "given, informed",
    "said": "text, stated",
    "saying": "text",
    "deed": "description",
    "touched": "changed, resolved",
    "watched": "graph features",
    "carried": "propagated",
    "lifted": "propagated upwards",
    "meeting": "split layer",
    "meant": "intended",
    "stood": "was",
    "shown": "visible, displayed",
    "regime": "mode",
}
"""What to write in their place."""

FINE = re.compile("held[-_ ]out|hold_sync", re.IGNORECASE)
"""The field's own term, and a name of ipywidgets."""


TREES = {
    "circuit_widget": ("py",),
    "tools": ("py",),
    "tests": ("py",),
    "bench": ("py", "md"),
    "docs": ("md",),
    "js/src": ("ts", "tsx", "css"),
    "js/test": ("ts", "tsx"),
}
"""The folders with sources and documents that people read, and how these end."""


def texts() -> list[Path]:
    """Sources and documents that people read, this list aside."""
    found = [
        path for tree, endings in TREES.items() for ending in endings for path in (ROOT / tree).rglob(f"*.{ending}")
    ]
    found += [*ROOT.glob("*.py"), *(ROOT / "js").glob("*.mjs"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    return sorted(path for path in found if "static" not in path.parts and path != Path(__file__))


def words_of(line: str) -> set[str]:
    """The words of a line, those within names too: `first_position`, `firstPosition`."""
    apart = re.sub("([a-z])([A-Z])", r"\1 \2", FINE.sub(" ", line))
    return set(re.findall("[a-z]+", apart.lower()))


def test_no_word_that_needs_explaining() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word}: {GIVEN_UP[word]}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for word in sorted(words_of(line) & GIVEN_UP.keys())
    ]
    assert found == []


def test_a_word_is_found_wherever_it_is() -> None:
    assert words_of("const firstHeld = heldNodes(carry_out)") & GIVEN_UP.keys() == {"held"}
    assert words_of("held-out cities, held_out, Held out") & GIVEN_UP.keys() == set()

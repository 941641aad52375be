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

FINE = re.compile("held[-_ ]out|hold_sync|data-test=.*", re.IGNORECASE)
"""The field's own term, a name of ipywidgets, names that notebooks may use, and marks that tests find elements by."""


def texts() -> list[Path]:
    """Sources and documents that people read."""
    sources = [path for ending in ("ts", "tsx", "css") for path in (ROOT / "js/src").rglob(f"*.{ending}")]
    roots = [ROOT / "circuit_widget", ROOT / "tools"]
    python = [path for root in roots for path in root.rglob("*.py") if "static" not in path.parts]
    return sorted([*python, *sources, ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


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

"""Glyphs: which fonts have the characters of a figure's text, and the warning about characters that none has."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from circuit_widget.figure.output.fonts import Font, bundled_have, read_fonts, system_folders
from circuit_widget.figure.output.scripts import CJK, HAN, HANGUL, JAPANESE, KANA, KOREAN, NOTO_SITE, Script, script_of

OWN_SIGNS = "→×−…·∅“”–—\ufffd"
"""Signs beyond Latin-1 in the figures' own texts; the bundled fonts have them, as they have ASCII and Latin-1."""

NAMED_CHARACTERS = 5
NAMED_SCRIPTS = 4
IGNORED = ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")
UNSEEN = frozenset(
    [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0x180B, 0x1810), 0x034F, 0x115F, 0x1160, 0x3164]
)
"""Variation selectors, fillers and joiners: they have an effect but no glyph."""


@dataclass(frozen=True)
class Coverage:
    """Fonts for characters that the bundled ones lack: families in order, their folders, and characters none has."""

    families: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    missing: str = ""


def cover(texts: Iterable[str], chosen: Sequence[Path] = (), own: Collection[str] = ()) -> Coverage:
    """Find fonts for texts: the bundled ones, then those in chosen folders, then those of the machine.

    `own` are characters that the text's own font has.

    Nothing outside the package is read where the bundled fonts have every character. Raises FigureError where uharfbuzz
    is missing.
    """
    wanted = {
        character: None for text in texts for character in text if _needs_glyph(character) and character not in own
    }
    missing = _without(wanted, [bundled_have(wanted)]) if wanted else ""
    if not missing:
        return Coverage()
    found: list[Font] = []
    for folders in (chosen, system_folders()):
        fonts = _pick(missing, list(read_fonts(folders)))
        found += fonts
        missing = _without(missing, [font.has(missing) for font in fonts])
    families = tuple(dict.fromkeys(font.family for font in found))
    folders = tuple(dict.fromkeys(font.file.parent for font in found))
    return Coverage(families, folders, missing)


def missing_glyphs(missing: str) -> str:
    """Return the warning about characters without a glyph: some of them, their scripts, and a font for each script."""
    groups = _by_script(missing)
    named = list(groups)[:NAMED_SCRIPTS]
    names = [_characters(script, groups[script]) for script in named]
    if len(groups) > len(named):
        names.append(f"characters of {len(groups) - len(named)} more scripts")
    families = list(dict.fromkeys(script.families[0] for script in named if script.families))
    packages = list(dict.fromkeys(script.package for script in named if script.package))
    advice = (
        f" Fonts that have them: {', '.join(families)} (Debian and Ubuntu: apt-get install {' '.join(packages)}; "
        f"other systems: {NOTO_SITE})."
    )
    return (
        f"A box is drawn for each character that no font here has: {', '.join(names)}.{advice if families else ''} "
        'A folder of font files can be named, too: figure.save(path, fonts="folder").'
    )


def _needs_glyph(character: str) -> bool:
    code = ord(character)
    return code >= 0x180 and character not in OWN_SIGNS and is_seen(character)


def is_seen(character: str) -> bool:
    """Return whether a character has a glyph of its own."""
    return unicodedata.category(character) not in IGNORED and ord(character) not in UNSEEN


def _without(characters: Iterable[str], found: Sequence[frozenset[str]]) -> str:
    return "".join(character for character in characters if not any(character in some for some in found))


def _pick(characters: str, fonts: Sequence[Font]) -> list[Font]:
    """Return for each script the fonts with most of its characters; among equal ones the best known for it."""
    picked: list[Font] = []
    groups = _by_script(characters)
    for script, group in groups.items():
        order = _preferred(script, groups)
        rest = frozenset(group)
        while rest:
            counts = [(len(font.has(rest)), _rank(font, order)) for font in fonts]
            best = max(range(len(fonts)), key=lambda at: (counts[at][0], -counts[at][1], -at), default=None)
            if best is None or counts[best][0] == 0:
                break
            picked.append(fonts[best])
            rest -= fonts[best].has(rest)
    return picked


def _preferred(script: Script, present: Iterable[Script]) -> tuple[str, ...]:
    """Return the families for a script; the forms of Chinese characters follow the other scripts of the text."""
    if script.families != CJK:
        return script.families
    scripts = set(present)
    return JAPANESE + CJK if KANA in scripts else KOREAN + CJK if HANGUL in scripts and HAN in scripts else CJK


def _rank(font: Font, order: tuple[str, ...]) -> int:
    """Return the rank of a font: its index in the order; fonts outside it come later, sans serif ones first."""
    if font.family in order:
        return order.index(font.family)
    return len(order) + (0 if "Sans" in font.family else 1) + (2 if "Mono" in font.family else 0)


def _by_script(characters: Iterable[str]) -> dict[Script, str]:
    groups: dict[Script, str] = {}
    for character in characters:
        script = script_of(character)
        groups[script] = groups.get(script, "") + character
    return groups


def _characters(script: Script, group: str) -> str:
    more = f" and {len(group) - NAMED_CHARACTERS} more" if len(group) > NAMED_CHARACTERS else ""
    return f"{' '.join(_visible(character) for character in group[:NAMED_CHARACTERS])}{more} ({script.name})"


def _visible(character: str) -> str:
    return f"U+{ord(character):04X}" if unicodedata.category(character)[0] in "CM" else character

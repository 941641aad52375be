"""What each written module of the frontend has in it, and where in the package that comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from types import ModuleType

from circuit_widget.circuit import box_edges, document_json, filters, rules
from circuit_widget.display import token_runs, visible_graph
from circuit_widget.examples import record
from circuit_widget.figure.layout import (
    beside,
    cell,
    circuit_layout,
    detour,
    edge_numbers,
    map_labels,
    map_layout,
    open_edge,
    routing,
    strokes,
)
from circuit_widget.figure.scene import effect_scene, map_scene, palette, shapes, style
from circuit_widget.figure.scene.palette import Palette
from circuit_widget.intervention import injected_edges, mode
from circuit_widget.labels import label
from circuit_widget.nodes import NodeKind
from circuit_widget.system import file_kind
from circuit_widget.widget import picture_output
from circuit_widget.widget.wire import schema
from circuit_widget.wording import names, numbers, outcome, text
from tools.generate_frontend.advances import ADVANCES_FILE, PER_EM, advances, mono_em, python_module
from tools.generate_frontend.typescript import Code, Value, constant, declared, remark

SOURCES = Path(__file__).parents[2] / "js" / "src"
COMMAND = "python -m tools.generate_frontend"
HEAD = f"/** {{}}; written by `{COMMAND}`. */\n"


def written_modules() -> dict[Path, str]:
    """Return the text of each written module: those of the frontend, and the widths of characters of the package."""
    frontend = {SOURCES / path: "\n".join([HEAD.format(title), *parts()]) for path, (title, parts) in MODULES.items()}
    return {ADVANCES_FILE: python_module(COMMAND), **frontend}


def _text() -> list[str]:
    runs: tuple[Value, ...] = tuple((Code(first), signs) for first, signs in advances())
    comment = (
        "Runs of characters: the first one's code point, and a sign for the width of each, U+0030 for 0 and so on."
    )
    return [
        constant("PER_EM", PER_EM, "Units of the widths to an em."),
        constant("MONO_EM", mono_em(), "Width of every character of the monospace font, in em."),
        constant("ADVANCES", runs, f"{comment} A space is for what the interface font lacks."),
        *_taken(text, "FULL_EM", "OTHER_EM", "EMOJI_EM", "LONGEST_TOKEN", "NARROWER", "ROUNDING", "JOINER"),
        *(constant(name, _ranges(name), declared(text)[name]) for name in declared(text) if name.endswith("_CODES")),
    ]


def _ranges(name: str) -> tuple[Value, ...]:
    return tuple(tuple(map(Code, ends)) for ends in getattr(text, name))


def _core() -> list[str]:
    kinds: dict[str, Value] = {kind.value: code for code, kind in enumerate(NodeKind)}
    return [
        constant("KIND", kinds, "The kinds of nodes by their codes in a snapshot."),
        constant("KIND_NAMES", tuple(kinds), "The kinds of nodes, in the order of their codes."),
        *_taken(rules, "COLORS", "LONGEST_NAME", "LONGEST_NODE", "MOST_ENTRIES"),
        constant("LONGEST_EXPERIMENT_NAME", schema.LONGEST_TEXT, "Most characters in the name of an experiment."),
        *_taken(filters, "FILTERED_KINDS", "SIGNS", "LARGEST_BOUND"),
        *_taken(visible_graph, "NODE_THRESHOLD", "EDGE_THRESHOLD", "TOKEN_EDGES"),
        *_taken(token_runs, "LONG_PROMPT", "LEAST_RUN"),
        *_taken(box_edges, "LEAST_OUTSIDE"),
        *_taken(file_kind, "WORK_FORMAT"),
        *_taken(document_json, "WORK_VERSION"),
        *_taken(record, "AT_FIRST_TOKENS"),
    ]


def _page() -> list[str]:
    rows = [f"  readonly {_camel(one.name)}: {_TYPES[str(one.type)]};" for one in fields(Palette)]
    themes: dict[str, Value] = {"light": _colours(palette.LIGHT), "dark": _colours(palette.DARK)}
    return [
        "\n".join([remark(str(Palette.__doc__)) + "export interface Palette {", *rows, "}", ""]),
        constant("PALETTES", themes, kind='Readonly<Record<"light" | "dark", Palette>>'),
        *_taken(style, "TEXT_SIZE", "TOKEN_SIZE", "CAPTION_SIZE", "FADED"),
        *_taken(picture_output, "VIEW", "MARK"),
    ]


_TYPES = {"str": "string", "<class 'str'>": "string", "tuple[str, ...]": "readonly string[]"}


def _colours(theme: Palette) -> dict[str, Value]:
    return {_camel(name): value for name, value in asdict(theme).items()}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _wording() -> list[str]:
    # What freezes least goes first: it is what a view begins with.
    modes: tuple[Value, ...] = tuple(
        {"mode": name, "name": name.replace("_", " "), "frozen": frozen}
        for name, frozen in reversed(mode.NAMED_MODES.items())
    )
    return [
        constant("MODES", modes, "The modes by name, and what each freezes."),
        *_taken(mode, "RANGE_FROZEN"),
        *_taken(numbers, "NO_NUMBER", "LARGEST_FIXED", "LIKELY", "VISIBLE_CHANGE", "VISIBLE_SHARE"),
        *_taken(outcome, "SWAPPED_IN", "MADE_ACTIVE", "FADED_BELOW", "MOST_NEW_ANSWERS"),
        *_taken(injected_edges, "NEW_ANSWER_SHARE", "OUTPUT_LEAST"),
        *_taken(names, "LONGEST_LAYER_NAME", "BASIS_WORDS", "BASIS_CAUTIONS"),
    ]


def _layout() -> list[str]:
    return [
        *_all_of(cell),
        *_all_of(map_layout),
        *_all_of(map_labels),
        *_taken(label, "LOCAL_LABEL"),
        *_all_of(circuit_layout),
        *_all_of(routing),
        *_all_of(detour),
        *_all_of(beside),
        *_all_of(edge_numbers),
        *_all_of(strokes),
        *_all_of(open_edge),
        *_taken(shapes, "PENTAGON"),
        *_taken(map_scene, "MOST_ANSWERS"),
        *_taken(effect_scene, "TOKEN_ROWS", "LEAST_SCALE", "FARTHEST"),
    ]


MODULES: Mapping[str, tuple[str, Callable[[], list[str]]]] = {
    "text/constants.ts": ("Widths and classes of characters", _text),
    "core/constants.ts": ("Codes and limits of the kernel", _core),
    "page/constants.ts": ("Colours and sizes of screen and figure", _page),
    "wording/constants.ts": ("Words of screen and kernel, and what is worth a word", _wording),
    "layout/constants.ts": ("Measures of screen and figure, in pixels unless they say otherwise", _layout),
}


def _taken(module: ModuleType, *names: str) -> list[str]:
    """The constants of a module by name, with its own comments."""
    comments = declared(module)
    return [constant(name, getattr(module, name), comments[name]) for name in names]


def _all_of(module: ModuleType) -> list[str]:
    """Every number, and table of numbers, that a module declares."""
    return _taken(
        module, *(name for name in declared(module) if isinstance(getattr(module, name), int | float | tuple))
    )

"""The messages as TypeScript: `python -m circuit_widget.widget.wire.frontend_types` writes them into js/src/wire."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from circuit_widget.errors import CircuitWidgetError
from circuit_widget.system.atomic_write import write_bytes
from circuit_widget.widget.wire import experiment_messages as experiments
from circuit_widget.widget.wire import messages, snapshot_header
from circuit_widget.widget.wire import study_messages as studies
from circuit_widget.widget.wire.typescript import interface, typescript

SOURCES = Path(__file__).parents[3] / "js" / "src" / "wire"
LONGEST_LINE = 120


ALIASES: Mapping[str, Mapping[str, Any]] = {
    "experiment-messages": {
        "InterventionJson": experiments.InterventionJson, "Mode": experiments.Mode, "NodeId": experiments.NodeId,
    },
    "study-messages": {"Axis": studies.Axis, "StudyMessage": studies.StudyMessage},
    "messages": {},
}  # fmt: skip
"""The modules of the frontend that are written, and the names in them that stand for something else."""

DECLARED: Mapping[str, tuple[ModuleType, ...]] = {
    "experiment-messages": (experiments,),
    "study-messages": (studies,),
    "messages": (messages, snapshot_header),
}
"""Where the interfaces of each are declared."""


def typescript_modules() -> dict[str, str]:
    """Return the text of each module, by its name."""
    where = {kind.__name__: name for name in DECLARED for kind in _interfaces(name)}
    return {name: _typescript_module(name, where) for name in DECLARED}


def _interfaces(name: str) -> list[type]:
    """Return the dataclasses that a module's interfaces are written from, in the order of their declaration."""
    return [
        kind
        for module in DECLARED[name]
        for kind in vars(module).values()
        if is_dataclass(kind) and isinstance(kind, type) and kind.__module__ == module.__name__
    ]


def _typescript_module(name: str, where: Mapping[str, str]) -> str:
    parts = [f"export type {alias} = {typescript(kind)};\n" for alias, kind in ALIASES[name].items()]
    parts += [interface(kind) for kind in _interfaces(name)]
    if name == "messages":
        answers = [
            messages.Accepted,
            messages.Progress,
            messages.Partial,
            messages.Reply,
            messages.Failed,
            messages.Notice,
        ]
        parts += [_requests(), "export type RequestName = keyof Requests;\n"]
        parts.append(f"export type Answer = {' | '.join(kind.__name__ for kind in answers)};\n")
    text = "\n".join(parts)
    head = "/** The messages between frontend and kernel; written by `python -m circuit_widget.widget.wire.frontend_types`. */\n"
    return "\n".join([head, *_imports(text, name, where), text])


def _requests() -> str:
    rows = [
        f"  readonly {name}: {{ readonly body: {body.__name__}; readonly reply: {reply.__name__} }};"
        for name, (body, reply) in messages.REQUESTS.items()
    ]
    lines = ["/** Each request's body and the body of its reply. */", "export interface Requests {", *rows, "}", ""]
    return "\n".join(lines)


def _imports(text: str, name: str, where: Mapping[str, str]) -> list[str]:
    """Return what a module's text needs of the others, as the frontend's formatter writes it."""
    words = set(re.findall(r"\w+", re.sub(r"/\*\*.*?\*/", "", text)))
    lines = []
    for other in DECLARED:
        wanted = sorted((word for word in words if where.get(word) == other), key=str.lower)
        if other == name or not wanted:
            continue
        line = f'import type {{ {", ".join(wanted)} }} from "./{other}";'
        if len(line) > LONGEST_LINE:
            line = "\n".join(["import type {", *(f"  {word}," for word in wanted), f'}} from "./{other}";'])
        lines.append(line)
    return ["\n".join([*lines, ""])] if lines else []


def main() -> None:
    """Write the modules into js/src/wire of a source checkout, or print them with --print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--print", action="store_true", dest="show")
    show = parser.parse_args().show
    for name, text in typescript_modules().items():
        if show:
            print(text, end="")
        else:
            write_bytes(SOURCES / f"{name}.ts", text.encode(), "module", CircuitWidgetError)


if __name__ == "__main__":
    main()

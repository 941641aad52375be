"""The messages as TypeScript: `python -m circuit_widget.widget.frontend_types` writes js/src/messages."""

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
from circuit_widget.widget.requests.registry import REQUESTS
from circuit_widget.widget.wire import envelopes, graph_messages, html_messages, picture_messages, snapshot_messages
from circuit_widget.widget.wire import experiment_messages as experiments
from circuit_widget.widget.wire import study_messages as studies
from circuit_widget.widget.wire.typescript import interface, typescript

SOURCES = Path(__file__).parents[2] / "js" / "src" / "messages"
HEAD = "/** {}; written by `python -m circuit_widget.widget.frontend_types`. */\n"
LONGEST_LINE = 120

ALIASES: Mapping[str, Mapping[str, Any]] = {
    "experiment-messages": {
        "InterventionJson": experiments.InterventionJson, "Mode": experiments.Mode, "NodeId": experiments.NodeId,
    },
    "study-messages": {"Axis": studies.Axis, "StudyMessage": studies.StudyMessage},
    "graph-messages": {},
    "envelopes": {},
    "html-messages": {},
    "picture-messages": {},
}  # fmt: skip
"""The modules of messages, and their names for other types."""

DECLARED: Mapping[str, tuple[ModuleType, ...]] = {
    "experiment-messages": (experiments,),
    "study-messages": (studies,),
    "graph-messages": (graph_messages, snapshot_messages),
    "envelopes": (envelopes,),
    "html-messages": (html_messages,),
    "picture-messages": (picture_messages,),
}
"""Where the interfaces of each are declared."""

KERNEL_MESSAGES = (
    envelopes.Accepted, envelopes.Progress, envelopes.Partial, envelopes.Reply, envelopes.Failed, envelopes.Notice,
)  # fmt: skip

LABELS = """import type {{ RequestName }} from "./envelopes";

/** What each request is called on the page. */
export const REQUEST_LABELS: Readonly<Record<RequestName, string>> = {{
{labels}
}};
"""


def typescript_modules() -> dict[str, str]:
    """Return the text of each module, by its name."""
    homes = {kind.__name__: name for name in DECLARED for kind in _interfaces(name)}
    modules = {name: _message_module(name, homes) for name in DECLARED}
    everything = "".join(f'export type * from "./{name}";\n' for name in sorted(DECLARED))
    return {**modules, "types": f"{HEAD.format('Every message')}\n{everything}", "request-labels": _labels_module()}


def _interfaces(name: str) -> list[type]:
    """Return the messages that a module's interfaces are written from, in the order of their declaration."""
    return [
        kind
        for module in DECLARED[name]
        for kind in vars(module).values()
        if is_dataclass(kind) and isinstance(kind, type) and kind.__module__ == module.__name__
    ]


def _message_module(name: str, homes: Mapping[str, str]) -> str:
    parts = [f"export type {alias} = {typescript(kind)};\n" for alias, kind in ALIASES[name].items()]
    parts += [interface(kind) for kind in _interfaces(name)]
    if name == "envelopes":
        parts += [_requests(), "export type RequestName = keyof Requests;\n"]
        parts.append(f"export type KernelMessage = {' | '.join(kind.__name__ for kind in KERNEL_MESSAGES)};\n")
    text = "\n".join(parts)
    return "\n".join([HEAD.format("Messages between page and kernel"), *_imports(text, name, homes), text])


def _requests() -> str:
    rows = [
        f"  readonly {name}: {{ readonly body: {one.body.__name__}; readonly reply: {one.reply.__name__} }};"
        for name, one in REQUESTS.items()
    ]
    lines = ["/** Each request's body and the body of its reply. */", "export interface Requests {", *rows, "}", ""]
    return "\n".join(lines)


def _labels_module() -> str:
    rows = [
        line
        for name, one in REQUESTS.items()
        for line in (f"  /** {one.handler.__doc__} */", f'  {name}: "{one.label}",')
    ]
    return "\n".join([HEAD.format("The names of requests"), LABELS.format(labels="\n".join(rows))])


def _imports(text: str, name: str, homes: Mapping[str, str]) -> list[str]:
    """Return what a module's text needs of the others, as the frontend's formatter writes it."""
    words = set(re.findall(r"\w+", re.sub(r"/\*\*.*?\*/", "", text, flags=re.DOTALL)))
    lines = []
    for other in sorted(DECLARED):
        wanted = sorted((word for word in words if homes.get(word) == other), key=str.lower)
        if other == name or not wanted:
            continue
        line = f'import type {{ {", ".join(wanted)} }} from "./{other}";'
        if len(line) > LONGEST_LINE:
            line = "\n".join(["import type {", *(f"  {word}," for word in wanted), f'}} from "./{other}";'])
        lines.append(line)
    return ["\n".join([*lines, ""])] if lines else []


def main() -> None:
    """Write the modules into js/src/messages of a source checkout, or print them with --print."""
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

"""Plain values of Python as TypeScript constants, as the frontend's formatter writes them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

WIDTH = 120
INDENT = "  "
INVISIBLE = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Value: TypeAlias = "str | int | float | tuple[Value, ...] | Mapping[str, Value]"


class Code(int):
    """A code point, which is written in hexadecimal digits."""


def constant(name: str, value: Value, comment: str = "", kind: str = "") -> str:
    """Return a declaration; without a type of its own, what is not a single value is constant throughout."""
    head = f"export const {name}{f': {kind}' if kind else ''} = "
    tail = " as const;" if isinstance(value, tuple | Mapping) and not kind else ";"
    return f"{remark(comment)}{head}{_literal(value, len(head), len(tail))}{tail}\n"


def remark(comment: str) -> str:
    """Return a comment before a declaration; nothing for an empty one."""
    return f"/** {' '.join(comment.split())} */\n" if comment else ""


def declared(module: ModuleType) -> dict[str, str]:
    """Return the public constants that a module declares, in their order, each with its docstring or an empty text."""
    statements = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")).body
    found = {}
    for statement, after in pairwise([*statements, ast.Pass()]):
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        says = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
        found.update(
            {target.id: str(says) for target in targets if isinstance(target, ast.Name) and target.id.isupper()}
        )
    return {name: comment for name, comment in found.items() if not name.startswith("_")}


def _literal(value: Value, before: int, after: int, depth: int = 0) -> str:
    """The value as source; `before` and `after` are how much of its first and last line is taken by other text."""
    if isinstance(value, str):
        return INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
    if isinstance(value, int | float):
        return _number(value)
    inner = INDENT * (depth + 1)
    if isinstance(value, Mapping):
        rows = [f"{_key(key)}: {_literal(one, len(inner) + len(key) + 2, 1, depth + 1)}" for key, one in value.items()]
        flat = f"{{ {', '.join(rows)} }}"
        if depth and "\n" not in flat and before + len(flat) + after <= WIDTH:
            return flat
        return "\n".join(["{", *(f"{inner}{row}," for row in rows), f"{INDENT * depth}}}"])
    parts = [_literal(one, len(inner), 1, depth + 1) for one in value]
    flat = f"[{', '.join(parts)}]"
    if before + len(flat) + after <= WIDTH and not _broken(value):
        return flat
    rows = _filled(parts, WIDTH - len(inner)) if all(isinstance(one, int | float) for one in value) else parts
    return "\n".join(["[", *(f"{inner}{row}," for row in rows), f"{INDENT * depth}]"])


def _broken(value: tuple[Value, ...]) -> bool:
    """Whether the formatter gives each entry a line: several, each of several values itself."""
    return len(value) > 1 and all(isinstance(one, tuple | Mapping) and len(one) > 1 for one in value)


def _filled(parts: list[str], width: int) -> list[str]:
    """Numbers, as many on a line as fit."""
    rows = [parts[0]]
    for part in parts[1:]:
        if len(rows[-1]) + len(part) + 3 <= width:
            rows[-1] += f", {part}"
        else:
            rows.append(part)
    return rows


def _number(value: float) -> str:
    if isinstance(value, Code):
        return f"0x{value:04x}"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return re.sub(r"e\+?(-?)0*", r"e\1", repr(value))


def _key(key: str) -> str:
    return key if NAME.fullmatch(key) else json.dumps(key)

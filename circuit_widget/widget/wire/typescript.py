"""TypeScript types of messages."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from circuit_widget.widget.wire.schema import OneOf, hints_of


def interface(kind: Any) -> str:
    """Return the TypeScript interface of a message, its docstring as the comment; None by default is optional."""
    if not fields(kind):
        return f"/** {kind.__doc__} */\nexport type {_name(kind)} = Record<string, never>;\n"
    lines = [f"/** {kind.__doc__} */", f"export interface {_name(kind)} {{"]
    optional = {one.name for one in fields(kind) if one.default is None}
    for name, hint in hints_of(kind).items():
        lines.append(f"  readonly {name}{'?' if name in optional else ''}: {typescript(hint)};")
    return "\n".join([*lines, "}", ""])


def typescript(kind: Any) -> str:
    """Return a declared type in TypeScript."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return " | ".join(map(str, args[1].choices)) if isinstance(args[1], OneOf) else typescript(args[0])
    if origin is Literal:
        return " | ".join(json.dumps(choice) for choice in args)
    if origin in (Union, UnionType):
        return " | ".join(typescript(arg) for arg in args)
    if origin is tuple and args[-1] is Ellipsis:
        inner = typescript(args[0])
        return f"readonly ({inner})[]" if "|" in inner or inner.startswith("readonly") else f"readonly {inner}[]"
    if origin is tuple:
        return f"readonly [{', '.join(typescript(arg) for arg in args)}]"
    if origin is not None:
        return f"Readonly<Record<string, {typescript(args[1])}>>"
    if is_dataclass(kind):
        return _name(kind)
    return {
        bytes: "DataView",
        str: "string",
        int: "number",
        float: "number",
        bool: "boolean",
        NoneType: "null",
        object: "unknown",
    }[kind]


def _name(kind: Any) -> str:
    return str(kind.__name__)

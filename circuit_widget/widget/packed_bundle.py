"""The frontend as a notebook gets it: compressed, and unpacked once for all widgets of a page.

A page keeps every module that it ever imported, and a notebook with the state of its widgets keeps the code of each. So the
module of a widget is a few lines; the code is compressed, in a trait, and becomes one module that all widgets share.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

_MODULE = """\
const name = Symbol.for("circuit-widget {digest}");
async function unpack(packed) {{
  const code = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const script = new Blob([await new Response(code).blob()], {{ type: "text/javascript" }});
  const address = URL.createObjectURL(script);
  try {{
    return await import(address);
  }} finally {{
    URL.revokeObjectURL(address);
  }}
}}
export default {{
  async render(context) {{
    const {{ default: widget }} = await (globalThis[name] ??= unpack(context.model.get("_code")));
    if (!context.signal?.aborted) return widget.render(context);
  }},
}};
"""


@dataclass(frozen=True)
class PackedBundle:
    """A module for anywidget, or the path of one that anywidget follows, and the compressed code that the module unpacks."""

    module: str | Path
    code: bytes


def packed_bundle(file: Path) -> PackedBundle:
    """Return a bundle for notebooks; empty where there is no file, and the file itself where anywidget follows its changes."""
    if not file.is_file():
        return PackedBundle("", b"")
    if os.environ.get("ANYWIDGET_HMR") == "1":
        return PackedBundle(file, b"")
    code = file.read_bytes()
    return PackedBundle(_MODULE.format(digest=hashlib.sha256(code).hexdigest()[:16]), zlib.compress(code, 9))

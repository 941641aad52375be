"""The frontend as a notebook gets it: compressed, and unpacked once for all widgets of a page.

A page keeps every module that it ever imported, and a notebook with the state of its widgets keeps the code of each. So the
module of a widget is a few lines; the code is compressed, in a trait, and becomes one module that all widgets share. So
does the code of the panels that are rarely open, in another trait, when the first of them is opened.
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
    """What a widget has of the frontend.

    `module` is a module for anywidget, or the path of one that anywidget follows, `code` the compressed code that the
    module unpacks, and `panels` the compressed code that this unpacks when one of its panels is opened.
    """

    module: str | Path
    code: bytes
    panels: bytes


def packed_bundle(file: Path, panels: Path) -> PackedBundle:
    """Return a bundle for notebooks; empty where a file is missing, and the file itself where anywidget follows its changes."""
    if not file.is_file() or not panels.is_file():
        return PackedBundle("", b"", b"")
    packed = zlib.compress(panels.read_bytes(), 9)
    if os.environ.get("ANYWIDGET_HMR") == "1":
        return PackedBundle(file, b"", packed)
    code = file.read_bytes()
    return PackedBundle(_MODULE.format(digest=hashlib.sha256(code).hexdigest()[:16]), zlib.compress(code, 9), packed)

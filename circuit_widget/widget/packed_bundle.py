"""The frontend as a notebook gets it: compressed, and unpacked once for all widgets of a page.

A page keeps every module that it ever imported, and a notebook with the state of its widgets keeps the code of each. So the
module of a widget is a few lines; the code is compressed, in a trait, and becomes one module that all widgets share. So
does the code of the panels that are rarely open, in another trait, when the first of them is opened.

The code is a text of the 85 characters of `base64.b85encode`: a notebook writes bytes in base64, which is 6% longer.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

_MODULE = """\
const name = Symbol.for("circuit-widget {digest}"), digits = {digits};
async function unpack(text) {{
  const cut = 4 - ((text.length + 4) % 5), read = [];
  for (let at = 0; at < text.length; at += 5) {{
    let four = 0;
    for (const digit of text.slice(at, at + 5).padEnd(5, "~")) four = four * 85 + digits.indexOf(digit);
    read.push(four >>> 24, four >>> 16, four >>> 8, four);
  }}
  const packed = new Blob([Uint8Array.from(read.slice(0, read.length - cut))]).stream();
  const code = await new Response(packed.pipeThrough(new DecompressionStream("deflate"))).blob();
  const url = URL.createObjectURL(new Blob([code], {{ type: "text/javascript" }}));
  try {{
    return await import(url);
  }} finally {{
    URL.revokeObjectURL(url);
  }}
}}
export default {{
  async render(context) {{
    const {{ default: widget }} = await (globalThis[name] ??= unpack(context.model.get("_code")));
    if (!context.signal?.aborted) return widget.render(context);
  }},
}};
"""

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
"""The digits of `base64.b85encode`, none of which JSON escapes."""


@dataclass(frozen=True)
class PackedBundle:
    """What a widget has of the frontend.

    `module` is a module for anywidget, or the path of one that anywidget follows, `code` the compressed code that the
    module unpacks, as text, and `panels` the compressed code that this unpacks when one of its panels is opened.
    """

    module: str | Path
    code: str
    panels: bytes


def packed_bundle(file: Path, panels: Path) -> PackedBundle:
    """Return a bundle for notebooks; empty where a file is missing, and the file itself where anywidget follows its changes."""
    if not file.is_file() or not panels.is_file():
        return PackedBundle("", "", b"")
    packed = zlib.compress(panels.read_bytes(), 9)
    if os.environ.get("ANYWIDGET_HMR") == "1":
        return PackedBundle(file, "", packed)
    code = file.read_bytes()
    # Without the indents, since a page keeps the module of each widget.
    module = _MODULE.replace("  ", "").format(digest=hashlib.sha256(code).hexdigest()[:16], digits=json.dumps(DIGITS))
    return PackedBundle(module, base64.b85encode(zlib.compress(code, 9)).decode("ascii"), packed)

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
const name = Symbol.for("circuit-widget {digest}");
const digits = {digits};
function bytes(text) {{
  const missing = (5 - (text.length % 5)) % 5, whole = text + "~".repeat(missing);
  const read = new DataView(new ArrayBuffer((whole.length / 5) * 4));
  for (let at = 0; at < whole.length; at += 5) {{
    let value = 0;
    for (const digit of whole.slice(at, at + 5)) value = value * 85 + digits.indexOf(digit);
    read.setUint32((at / 5) * 4, value);
  }}
  return new Uint8Array(read.buffer, 0, read.byteLength - missing);
}}
async function unpack(packed) {{
  const code = new Blob([bytes(packed)]).stream().pipeThrough(new DecompressionStream("deflate"));
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
    module = _MODULE.format(digest=hashlib.sha256(code).hexdigest()[:16], digits=json.dumps(DIGITS))
    return PackedBundle(module, base64.b85encode(zlib.compress(code, 9)).decode("ascii"), packed)

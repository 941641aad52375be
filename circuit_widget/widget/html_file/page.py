"""The page of an HTML file: the widget's bundle, its content, a picture for readers without JavaScript, and a policy.

The content security policy in the page lets run the bundle and nothing else, and lets the page load nothing. The content
is compressed JSON in base64: no text in it can end its element. The code comes first, so that it can report a file that
was cut off.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from dataclasses import dataclass

from circuit_widget.characters import repaired
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.figure.scene.palette import DARK, LIGHT
from circuit_widget.widget.wire.html_messages import HtmlContent
from circuit_widget.widget.wire.schema import plain
from circuit_widget.widget.wire.sending import sendable
from circuit_widget.wording.text import printable

LONGEST_LINE = 300
"""Most characters of a text outside the widget."""

STYLE = f"""\
:root {{ color-scheme: light dark; }}
body {{ max-width: 1600px; margin: 0 auto; padding: 16px; background: {LIGHT.background}; color: {LIGHT.ink};
  font: 14px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }}
h1 {{ margin: 0; font-size: 18px; line-height: 1.3; }}
p {{ margin: 4px 0; }}
main {{ margin-top: 12px; }}
.facts {{ color: {LIGHT.muted}; }}
img {{ max-width: 100%; background: #fff; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: {DARK.background}; color: {DARK.ink}; }}
  .facts {{ color: {DARK.muted}; }}
}}
@media (scripting: enabled) {{ #circuit-widget-figure {{ display: none; }} }}
@media (scripting: none) {{ .what {{ display: none; }} }}
"""

WHAT = "This file needs no network and no Python: look at nodes, search, and group them."
REPLAY = "The history has the recorded experiments with their numbers."
NO_RUNS = "It has no model; to run experiments, open the graph in Python."
NO_SCRIPT = "JavaScript is off, so this is a picture of the circuit as it was when the file was made."


@dataclass(frozen=True)
class Picture:
    """A figure as an SVG document, its title, and a description for those who do not see it."""

    svg: str
    title: str
    description: str


@dataclass(frozen=True)
class Frontend:
    """What comes with the package: the frontend's code, the licences of what is in it, and the package's version."""

    code: str
    licences: str
    version: str


def html_page(content: HtmlContent, picture: Picture, facts: tuple[str, ...], frontend: Frontend) -> str:
    """Return the page; `facts` are a few words each, such as the model's name and the date.

    Raises:
        CircuitWidgetError: the frontend's code has text that would end its element.
        MessageError: the content is larger than 64 MB, or has numbers that are not finite.
    """
    code = _embeddable(frontend.code)
    source = base64.b64encode(repaired(picture.svg).encode()).decode("ascii")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_digest(code)}'",
            f"style-src '{_digest(STYLE)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    title, made = _text(picture.title), _text(" · ".join(fact for fact in facts if fact))
    what = " ".join((WHAT, *([REPLAY] if content.effects else []), NO_RUNS))
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="circuit-widget {html.escape(frontend.version)}">
<title>{title}</title>
<style>{STYLE}</style>
<script type="module">{code}</script>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{_text(picture.description)}</p>
<p class="facts">{made}</p>
<p class="what">{what}</p>
</header>
<noscript><p><strong>{NO_SCRIPT}</strong></p></noscript>
<img id="circuit-widget-figure" alt="{title}. {_text(picture.description)}" src="data:image/svg+xml;base64,{source}">
<main id="circuit-widget-main"></main>
<script type="text/plain" id="circuit-widget-licences">{_embeddable(frontend.licences)}</script>
<script type="application/octet-stream" id="circuit-widget-content">{_packed(content)}</script>
</body>
</html>
"""


def _packed(content: HtmlContent) -> str:
    """Return the content as JSON, compressed, in base64."""
    document = json.dumps(sendable("The content of the HTML file", plain(content)), separators=(",", ":"))
    return base64.b64encode(zlib.compress(document.encode(), 9)).decode("ascii")


def _embeddable(code: str) -> str:
    """Return code or text for a script element; a browser reads every line end as a line feed, and digests what it reads."""
    if found := re.search(r"</script|<!--", code, re.IGNORECASE):
        raise CircuitWidgetError(
            f"The frontend's code has {found[0]!r} in it, which HTML cannot have there. Build it again."
        )
    return code.replace("\r\n", "\n").replace("\r", "\n")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _text(text: str) -> str:
    """Return a text of a model or a person for HTML: no markup, no characters that reorder or control, a bounded length."""
    return html.escape(printable(repaired(text)[:LONGEST_LINE]), quote=True)

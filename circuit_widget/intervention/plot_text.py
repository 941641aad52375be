"""Text in plotly figures: plotly interprets tags, entities, formulas and templates, and token text may contain any."""

import html
import re

SPECIAL = re.compile(r"\$|%(?=\{)|[\ud800-\udfff]")


def plain(text: str) -> str:
    """Return text escaped so that plotly displays exactly these characters; `html.unescape` undoes it.

    `<b>` does not become a tag, `&amp;` an entity, `$x$` a formula or `%{x}` a template. Half a surrogate pair, which no
    page can contain, becomes U+FFFD.
    """
    return SPECIAL.sub(_entity, html.escape(text, quote=False))


def _entity(found: re.Match[str]) -> str:
    character = found.group()
    return f"&#{ord(character)};" if character in "$%" else "\ufffd"

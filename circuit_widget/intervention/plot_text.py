"""Text in plotly figures: plotly reads tags, entities, formulas and templates in it, and tokens may hold any of them."""

import html
import re

SPECIAL = re.compile(r"\$|%(?=\{)|[\ud800-\udfff]")


def plain(text: str) -> str:
    """Text as plotly has to be given it to show exactly these characters; `html.unescape` gives them back.

    `<b>` is no tag, `&amp;` no entity, `$x$` no formula and `%{x}` no template. Half a surrogate pair, which no page can
    hold, becomes U+FFFD.
    """
    return SPECIAL.sub(_entity, html.escape(text, quote=False))


def _entity(found: re.Match[str]) -> str:
    character = found.group()
    return f"&#{ord(character)};" if character in "$%" else "\ufffd"

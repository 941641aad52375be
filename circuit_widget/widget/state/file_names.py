"""Names of the files that the page saves."""

from __future__ import annotations

import re

from circuit_widget.characters import beginning
from circuit_widget.graph import Graph


def file_stem(graph: Graph) -> str:
    """Return the name of a file, without its ending, made of the prompt's words."""
    words = re.findall(r"\w+", " ".join(token.text for token in graph.tokens[1:]).lower())
    return beginning("-".join(words), 60).strip("-") or "circuit"

"""What a saved notebook shows where no widget can run: a static picture of the graph, and the same in words."""

from __future__ import annotations

import base64
import html
import logging
from typing import TYPE_CHECKING

from circuit_widget.circuit import Circuit
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.graph import Graph

if TYPE_CHECKING:
    from circuit_widget.figure.figure import Figure

LOG = logging.getLogger(__name__)


def static_bundle(figure: Figure, graph: Graph, circuit: Circuit) -> dict[str, str]:
    """Return the figure as `text/html`, and as `image/png` where the library that draws PNG is installed.

    The picture is part of the text, so that it shows without network; a saved notebook's viewers prefer the HTML.
    """
    bundle = {}
    try:
        png = base64.b64encode(figure.png()).decode("ascii")
        bundle["image/png"] = png
        source = f"data:image/png;base64,{png}"
    except CircuitWidgetError as error:
        LOG.debug("The static picture is SVG: %s", error)
        source = f"data:image/svg+xml;base64,{base64.b64encode(figure.svg().encode()).decode('ascii')}"
    alt = html.escape(alternative_text(graph, circuit), quote=True)
    bundle["text/html"] = f'<img src="{source}" alt="{alt}" style="max-width: 100%">'
    return bundle


def alternative_text(graph: Graph, circuit: Circuit) -> str:
    """Return the picture in words: the prompt, the answer, and the groups."""
    prompt = " ".join(token.text.strip() for token in graph.tokens)
    answer = graph.targets[0]
    text = f"Attribution graph of “{prompt}”: the model's answer is “{answer.token}” ({answer.probability:.0%})."
    names = [supernode.name for supernode in circuit.supernodes]
    return f"{text} Supernodes: {', '.join(names)}." if names else text

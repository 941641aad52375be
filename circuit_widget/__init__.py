"""Circuit tracing in a notebook cell: trace a prompt, group features, change them, compare prediction and measurement.

Names are imported from their modules on first use, so that importing the package loads neither torch nor Jupyter.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circuit_widget.attribution.targets import Contrast, Direction
    from circuit_widget.circuit.circuit import Circuit
    from circuit_widget.circuit.filters import Filters
    from circuit_widget.comparison.compare import compare
    from circuit_widget.errors import CircuitWidgetError, CircuitWidgetWarning
    from circuit_widget.figure.figure import Figure
    from circuit_widget.figure.panels import panels
    from circuit_widget.figure.redo import redo
    from circuit_widget.graph import Feature, Graph
    from circuit_widget.graph.opening import open as open  # noqa: A004, users call it cw.open
    from circuit_widget.intervention import Ablate, Add, Effect, Scale, Set, SwapIn
    from circuit_widget.labels.chat_labeller import ChatLabeller
    from circuit_widget.labels.read_labels import read_labels
    from circuit_widget.loading import load
    from circuit_widget.nodes import Everywhere
    from circuit_widget.replacement_model import ReplacementModel
    from circuit_widget.widget.widget import CircuitWidget

__version__ = "0.1.0"

_MODULE_OF = {
    "Ablate": "intervention",
    "Add": "intervention",
    "ChatLabeller": "labels.chat_labeller",
    "Circuit": "circuit",
    "CircuitWidget": "widget.widget",
    "CircuitWidgetError": "errors",
    "CircuitWidgetWarning": "errors",
    "Contrast": "attribution.targets",
    "Direction": "attribution.targets",
    "Effect": "intervention",
    "Everywhere": "nodes",
    "Feature": "graph",
    "Figure": "figure.figure",
    "Filters": "circuit.filters",
    "Graph": "graph",
    "ReplacementModel": "replacement_model",
    "Scale": "intervention",
    "Set": "intervention",
    "SwapIn": "intervention",
    "compare": "comparison.compare",
    "load": "loading",
    "open": "graph.opening",
    "panels": "figure.panels",
    "read_labels": "labels.read_labels",
    "redo": "figure.redo",
}

# Not `open`: after `from circuit_widget import *`, Python's own has to be there.
__all__ = [
    "Ablate",
    "Add",
    "ChatLabeller",
    "Circuit",
    "CircuitWidget",
    "CircuitWidgetError",
    "CircuitWidgetWarning",
    "Contrast",
    "Direction",
    "Effect",
    "Everywhere",
    "Feature",
    "Figure",
    "Filters",
    "Graph",
    "ReplacementModel",
    "Scale",
    "Set",
    "SwapIn",
    "__version__",
    "compare",
    "load",
    "panels",
    "read_labels",
    "redo",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted({*__all__, *_MODULE_OF})

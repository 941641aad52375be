"""Every error that users of circuit_widget see; `code` is its name on the wire.

CircuitWidgetError          error
├── LoadError               load            a model, tokenizer or transcoder that cannot be used
├── PromptError             prompt          a prompt, token or target that cannot be traced
├── GraphFileError          graph-file      a graph file that is truncated, foreign or from another version
├── NodeError               node            a node or feature that does not exist
├── InterventionError       intervention    an intervention that cannot be run
├── NoModelError            no-model        running a model that a graph or generation does not have, or that was closed
├── CircuitError            circuit         a circuit document that breaks its rules
├── MessageError            message         a malformed message between frontend and kernel
├── OutOfMemory             memory          a run that does not fit into the memory of a device or of the machine
├── FigureError             figure          a figure that cannot be drawn
└── Cancelled               cancelled       a run that was stopped on request
"""

from __future__ import annotations

from typing import ClassVar


class CircuitWidgetError(Exception):
    """Root of all errors of this package: one or two sentences with what was given, what was expected, and what to do."""

    code: ClassVar[str] = "error"


class LoadError(CircuitWidgetError):
    """A model, tokenizer or transcoder that cannot be used."""

    code = "load"


class PromptError(CircuitWidgetError):
    """A prompt, token or target that cannot be traced."""

    code = "prompt"


class GraphFileError(CircuitWidgetError):
    """A graph file that is truncated, foreign, or of another version."""

    code = "graph-file"


class NodeError(CircuitWidgetError):
    """A node or feature that does not exist."""

    code = "node"


class InterventionError(CircuitWidgetError):
    """An intervention that cannot be run."""

    code = "intervention"


class NoModelError(CircuitWidgetError):
    """Running a model that a graph or a generation does not have, or that was closed."""

    code = "no-model"


class CircuitError(CircuitWidgetError):
    """A circuit document that breaks its rules."""

    code = "circuit"


class MessageError(CircuitWidgetError):
    """A malformed message between frontend and kernel."""

    code = "message"


class OutOfMemory(CircuitWidgetError):
    """A run that does not fit into the memory of a device or of the machine; the model can be used again."""

    code = "memory"


class FigureError(CircuitWidgetError):
    """A figure that cannot be drawn."""

    code = "figure"


class Cancelled(CircuitWidgetError):
    """A run that was stopped on request; it changed nothing."""

    code = "cancelled"


class CircuitWidgetWarning(UserWarning):
    """Something was done differently from what was requested or expected; the text states what, and how to change it."""

"""Every error a user of circuit_widget sees; `code` is the name it carries on the wire.

CircuitWidgetError          error
├── LoadError               load            a model, tokenizer or transcoder that cannot be used
├── PromptError             prompt          a prompt, token or target that cannot be traced
├── GraphFileError          graph-file      a graph file that is cut off, foreign or from another version
├── NodeError               node            a node or feature that does not exist
├── InterventionError       intervention    an intervention that cannot be carried out
├── NoModelError            no-model        running a model that a graph or generation came without, or that was closed
├── CircuitError            circuit         a circuit document that breaks its rules
├── MessageError            message         a malformed message between frontend and kernel
├── OutOfMemory             memory          a run that the memory of a device or of the machine is too small for
├── FigureError             figure          a figure that cannot be drawn as asked
└── Cancelled               cancelled       a run that was stopped on request
"""

from __future__ import annotations

from typing import ClassVar


class CircuitWidgetError(Exception):
    """Root of all errors of this package: one or two sentences that say what was given, what was expected, what to do."""

    code: ClassVar[str] = "error"


class LoadError(CircuitWidgetError):
    """A model, tokenizer or transcoder that cannot be used."""

    code = "load"


class PromptError(CircuitWidgetError):
    """A prompt, token or target that cannot be traced."""

    code = "prompt"


class GraphFileError(CircuitWidgetError):
    """A graph file that is cut off, foreign, or of another version."""

    code = "graph-file"


class NodeError(CircuitWidgetError):
    """A node or feature that does not exist."""

    code = "node"


class InterventionError(CircuitWidgetError):
    """An intervention that cannot be carried out."""

    code = "intervention"


class NoModelError(CircuitWidgetError):
    """Running a model that a graph or a generation came without, or that was closed."""

    code = "no-model"


class CircuitError(CircuitWidgetError):
    """A circuit document that breaks its rules."""

    code = "circuit"


class MessageError(CircuitWidgetError):
    """A malformed message between frontend and kernel."""

    code = "message"


class OutOfMemory(CircuitWidgetError):
    """A run that the memory of a device, or of the machine, is too small for; the model can be used again."""

    code = "memory"


class FigureError(CircuitWidgetError):
    """A figure that cannot be drawn as asked."""

    code = "figure"


class Cancelled(CircuitWidgetError):
    """A run that was stopped on request; nothing it touched was changed."""

    code = "cancelled"


class CircuitWidgetWarning(UserWarning):
    """Something was done differently from what was asked or expected; the text says what, and how to have it otherwise."""

"""The traits of a widget, as the parts that it is made of read and set them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import traitlets

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.comparison.compare import GraphComparison
from circuit_widget.comparison.prompt_stability import PromptStability
from circuit_widget.widget.wire.graph_messages import Kept

OF_A_GRAPH = ("circuit", "selected", "effect", "study", "experiments", "kept", "comparison", "prompt_stability")
"""The traits whose values belong to one graph."""

BEYOND_EDITS = 1_000
"""Added to the revision of a circuit when another graph is displayed: edits of the other circuit that are under way, which
the page counts on by one each, do not reach it and are refused."""


def circuit_trait() -> traitlets.Instance[Circuit]:
    """Return the trait for a circuit, which the page has as JSON."""
    trait: traitlets.Instance[Circuit] = traitlets.Instance(Circuit, ()).tag(
        sync=True,
        echo_update=False,
        to_json=lambda circuit, _: circuit.to_json(),
        from_json=lambda document, _: Circuit.from_json(document),
    )
    return trait


@dataclass(eq=False)
class Traits:
    """The traits of one graph in a widget, under the widget's lock: cells, message handlers and the worker use them.

    They are those of the widget while the graph is displayed. While another one is, `aside` has their values, so that
    whatever is set for this graph never gets onto the screen of the other.
    """

    widget: traitlets.HasTraits
    lock: threading.RLock
    aside: dict[str, Any] | None = None

    def put_aside(self) -> None:
        """Keep the values, since another graph is going to be displayed."""
        with self.lock:
            self.aside = {name: getattr(self.widget, name) for name in OF_A_GRAPH}

    def put_back(self) -> None:
        """Give the widget the values again, the circuit under a revision that no edit of the other graph's circuit reaches."""
        with self.lock:
            values, self.aside = self.aside or {}, None
            circuit, other = values["circuit"], self.circuit
            values["circuit"] = replace(circuit, revision=max(circuit.revision, other.revision) + BEYOND_EDITS)
            for name, value in values.items():
                self.set(name, value)

    @property
    def circuit(self) -> Circuit:
        """The circuit of the widget."""
        circuit: Circuit = self._get("circuit")
        return circuit

    @property
    def displayed(self) -> int | None:
        """The number of the displayed experiment, None for none."""
        effect = self._get("effect")
        return None if effect is None else int(effect["id"])

    @property
    def kept(self) -> Kept:
        """Where the work of the widget is kept, as the page has it."""
        return Kept(**self._get("kept"))

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send what is set within the context as one message."""
        with self.widget.hold_sync():  # type: ignore[attr-defined]
            yield

    @property
    def selected(self) -> tuple[str, ...]:
        """The ids of the selected nodes."""
        return tuple(self._get("selected"))

    @property
    def height(self) -> int:
        """The height of the map in CSS pixels."""
        return int(self.widget.settings["height"])  # type: ignore[attr-defined]

    @property
    def study(self) -> dict[str, Any] | None:
        """The message of the study made last, None for none."""
        study: dict[str, Any] | None = self._get("study")
        return study

    @property
    def comparison(self) -> GraphComparison | None:
        """The comparison with the graph beside, None for none."""
        comparison: GraphComparison | None = self._get("comparison")
        return comparison

    @property
    def prompt_stability(self) -> PromptStability | None:
        """The stability over prompts that mean the same, None for none."""
        found: PromptStability | None = self._get("prompt_stability")
        return found

    def set(self, name: str, value: Any) -> None:
        """Set a trait, also one that users can only read."""
        with self.lock:
            if self.aside is None:
                self.widget.set_trait(name, value)
            else:
                self.aside[name] = value

    def _get(self, name: str) -> Any:
        with self.lock:
            return getattr(self.widget, name) if self.aside is None else self.aside[name]

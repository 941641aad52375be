"""The traits of a widget, as the parts that it is made of read and set them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import traitlets

from circuit_widget.circuit.document import Circuit
from circuit_widget.widget.wire.messages import Kept


@dataclass(frozen=True, eq=False)
class Traits:
    """The traits of one widget under their lock: cells, message handlers and the worker use them from threads of their own."""

    widget: traitlets.HasTraits
    lock: threading.RLock

    @property
    def circuit(self) -> Circuit:
        """The circuit of the widget."""
        circuit: Circuit = self.widget.circuit  # type: ignore[attr-defined]
        return circuit

    @property
    def displayed(self) -> int | None:
        """The number of the displayed experiment, None for none."""
        effect = self.widget.effect  # type: ignore[attr-defined]
        return None if effect is None else int(effect["id"])

    @property
    def kept(self) -> Kept:
        """Where the work of the widget is kept, as the page has it."""
        return Kept(**self.widget.kept)  # type: ignore[attr-defined]

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send what is set within the context as one message."""
        with self.widget.hold_sync():  # type: ignore[attr-defined]
            yield

    @property
    def selected(self) -> tuple[str, ...]:
        """The ids of the selected nodes."""
        return tuple(self.widget.selected)  # type: ignore[attr-defined]

    @property
    def height(self) -> int:
        """The height of the map in CSS pixels."""
        return int(self.widget.settings["height"])  # type: ignore[attr-defined]

    @property
    def study(self) -> dict[str, Any] | None:
        """The message of the study made last, None for none."""
        study: dict[str, Any] | None = self.widget.study  # type: ignore[attr-defined]
        return study

    def set(self, name: str, value: Any) -> None:
        """Set a trait, also one that users can only read."""
        with self.lock:
            self.widget.set_trait(name, value)

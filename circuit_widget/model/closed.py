"""The replacement for a model that was closed."""

from __future__ import annotations

from typing import NoReturn

from circuit_widget.errors import NoModelError

CLOSED = "This model was closed, and its memory released. Load it again with circuit_widget.load()."


class Closed:
    """Raises NoModelError for every attribute."""

    def __getattr__(self, name: str) -> NoReturn:
        raise NoModelError(CLOSED)

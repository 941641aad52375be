"""What stands in the place of a model that was closed."""

from __future__ import annotations

from typing import NoReturn

from circuit_widget.errors import NoModelError

CLOSED = "This model was closed, and its memory given back. Load it again with circuit_widget.load()."


class Closed:
    """Refuses whatever is looked up on it, with NoModelError."""

    def __getattr__(self, name: str) -> NoReturn:
        raise NoModelError(CLOSED)

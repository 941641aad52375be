"""Keeps the picture of a widget in its notebook current: drawn after each change, when nothing else is to be done."""

from __future__ import annotations

import logging
import os
import uuid
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.figure.figure import MOST_BOXES, Figure, Part
from circuit_widget.widget.before_shutdown import draw_before_shutdown
from circuit_widget.widget.picture_output import MARK, Bundle, NotebookPicture, called_older, picture_of, words_instead
from circuit_widget.widget.wire.picture_messages import NotebookOutput, PictureState
from circuit_widget.widget.worker.debounced import Debounced, Outdated

LOG = logging.getLogger(__name__)

WAIT = 0.5
"""Seconds from a change to the picture of it: the page is displayed first, and a drag makes one picture."""

PATIENCE = 60.0
"""Seconds that a cell waits for its pictures where the notebook is run without a reader."""

Publish = Callable[..., object]
"""Publishes an output: data and metadata, transient with the output's id, and update, whether it replaces that one."""


class Pictured(Protocol):
    """What is drawn: a widget. Its `repr` is in the place of a picture that is not drawn yet."""

    @property
    def circuit(self) -> Circuit: ...

    def figure(self, part: Part) -> Figure: ...


class SavedPicture:
    """The picture below a widget, in each cell that displays it; its outputs have one id each.

    `tell` is given the state of the picture once it is published, for a page that cannot address outputs by their ids:
    one that was loaded after the cell ran.
    """

    def __init__(self, widget: Pictured, tell: Callable[[PictureState], object], wait: float = WAIT) -> None:
        self._widget = widget
        self._tell = tell
        self._id = uuid.uuid4().hex
        self._publish: Publish | None = None
        self._number = 0
        self._published: NotebookPicture | None = None
        self._drawn: NotebookPicture | None = None
        self._debounced = Debounced(self._draw, wait)

    def display(self, publish: Publish) -> None:
        """Add the picture to the cell that runs now; it is drawn later unless it is already."""
        self._publish = publish
        self._send(self._drawn or words_instead(repr(self._widget)), update=False)
        if self._drawn is None:
            self._debounced.request()

    def changed(self) -> None:
        """Draw the picture again later, where it is displayed."""
        self._drawn = None
        if self._publish is not None:
            self._debounced.request()

    def finish(self, timeout: float = PATIENCE) -> bool:
        """Draw at once what is left to draw, and wait for it; False if that took longer than `timeout` seconds."""
        return self._debounced.finish(timeout)

    def end(self, timeout: float) -> None:
        """Draw at once what is left to draw, and nothing after that; of what took longer, the picture says that it is old."""
        drawn = self.finish(timeout)
        self.close()
        if not drawn and self._published is not None:
            self._send(called_older(self._published), update=True)

    def close(self) -> None:
        """Leave the picture as it is."""
        self._debounced.close()

    def outputs(self) -> list[NotebookOutput]:
        """Return the outputs as they were published last; none before."""
        if self._published is None:
            return []
        picture, number = self._published, self._number
        parts: list[tuple[str, Bundle, dict[str, Any]]]
        parts = [("words", picture.words, {}), ("image", picture.image, picture.metadata)]
        return [
            NotebookOutput(
                id_ := f"{self._id}-{part}", dict(data), {**metadata, MARK: {"output": id_, "number": number}}
            )
            for part, data, metadata in parts
        ]

    def _draw(self, outdated: Outdated) -> None:
        try:
            # A circuit of too many boxes for a figure is left out of it.
            part: Part = "both" if len(self._widget.circuit.boxes()) <= MOST_BOXES else "map"
            figure = self._widget.figure(part)
            if outdated():
                return
            picture = picture_of(figure)
        except Exception:
            LOG.exception("The picture for the notebook could not be drawn.")
            # The last one would pass for the widget as it is.
            picture = words_instead(f"{self._widget!r}: the picture could not be drawn.")
        if not outdated():
            self._drawn = picture
            self._number += 1
            self._send(picture, update=True)

    def _send(self, picture: NotebookPicture, update: bool) -> None:
        self._published = picture
        if self._publish is None:
            return
        for output in self.outputs():
            self._publish(
                data=output.data, metadata=output.metadata, transient={"display_id": output.id}, update=update
            )
        self._tell(PictureState(self._id, self._number))


DISPLAYED: weakref.WeakSet[SavedPicture] = weakref.WeakSet()
"""The pictures of all widgets that were displayed in a notebook."""


def display_in_notebook(view: Bundle, metadata: dict[str, Any], picture: SavedPicture) -> None:
    """Publish the view of a widget, and below it its picture where the notebook is one that is saved."""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    publish: Publish = shell.display_pub.publish
    publish(data=view, metadata=metadata)
    if getattr(shell, "kernel", None) is None or os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
        return
    picture.display(publish)
    DISPLAYED.add(picture)
    # The events of a shell keep each function once.
    shell.events.register("post_run_cell", finish_pictures)
    draw_before_shutdown(shell.kernel, DISPLAYED)


def finish_pictures(*_: object) -> None:
    """Wait for all pictures at the end of a cell that no reader can wait for: after the last one, the kernel ends."""
    from IPython.core.getipython import get_ipython

    shell: Any = get_ipython()
    request = shell.kernel.get_parent("shell")
    # Only what runs a notebook without a reader declares that nobody can give input.
    if not request.get("content", {}).get("allow_stdin", True):
        for picture in list(DISPLAYED):
            picture.finish()

"""Keeping a widget's work: in a file where one is given, and for the next widget on the same graph in this process.

A change is on the disk within half a second; closing the widget, and the end of the process, write what is left. The
lock of a process that was killed is released by its end.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import CircuitError, CircuitWidgetError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_hash import identity
from circuit_widget.system.atomic_write import check_destination, write_bytes
from circuit_widget.system.file_lock import FileLock
from circuit_widget.system.paths import quoted_path
from circuit_widget.system.warning import warn
from circuit_widget.widget.experiments.experiments import Experiments
from circuit_widget.widget.history.work import Work
from circuit_widget.widget.kept_work.kept_file import Writing, lock, read_file, read_work
from circuit_widget.widget.wire.graph_messages import Kept
from circuit_widget.widget.wire.schema import plain

DELAY = 0.5
"""Seconds from a change until it is written, together with those that came meanwhile."""

MOST_REMEMBERED = 32
"""Graphs whose last work is remembered in the process, besides those of open widgets."""

LAST_RUN = "The circuit of the last run of this graph"
LAST_HISTORY = "The history of the last run of this graph"
OTHER_KEEPS = "No longer kept in {}: a widget that was opened later keeps it."
NOT_WRITTEN = "The circuit and the history are not kept at the moment. {}"


class Keeping:
    """Keeps the work of one widget from `start` to `close`; `work` is what it starts with.

    Raises CircuitError where the file cannot be read, belongs to another graph, or is kept by another process.
    """

    def __init__(
        self,
        graph: Graph,
        keep: str | os.PathLike[str] | None,
        circuit: Circuit | None,
        experiments: Experiments,
        notify: Callable[[str], None],
    ) -> None:
        self._graph, self._experiments, self._notify = graph, experiments, notify
        self._identity = identity(graph)
        self._writing, self._files = Writing(graph), threading.RLock()
        self._state = threading.Lock()
        self._timer: threading.Timer | None = None
        self._changed = self._failed = False
        self._process = os.getpid()
        self._path: Path | None = None
        self._lock: FileLock | None = None
        self.work, self._sentence = Work(circuit or Circuit()), ""
        found = None if keep is None else self._open(check_destination(keep, "circuit", CircuitError))
        if found is not None:
            self.work = found
            if circuit is not None and replace(circuit, revision=0) != replace(found.circuit, revision=0):
                warn(
                    f"The circuit of {quoted_path(self._path or '')} is displayed, and not the one given: its edits would be "
                    "lost. Set widget.circuit to replace it."
                )
        else:
            self._remember(circuit)

    def _open(self, path: Path) -> Work | None:
        """Lock the file at a path and return the work in it; None where there is no file yet."""
        real = Path(os.path.realpath(path))
        earlier = _files.get(real)
        if earlier is not None:
            # A cell that runs again: the widget before it writes what it has, and keeps the file no longer.
            earlier.flush()
            same = earlier._identity == self._identity
            work = earlier.present().on(self._graph) if same else self._read(path)
            earlier.give_up()
            self._lock = lock(real)
            self._changed = True
        else:
            self._lock = lock(real)
            try:
                work = self._read(path)
            except BaseException:
                self._lock.release(remove=True)
                raise
        self._path, _files[real] = real, self
        return work

    def _read(self, path: Path) -> Work | None:
        return read_work(read_file(path), self._graph, quoted_path(path)) if path.exists() else None

    def _remember(self, circuit: Circuit | None) -> None:
        """Start with what the last widget on the same graph had; a circuit that is given goes before its circuit."""
        last = last_work(self._graph)
        if last is None or last.is_empty:
            return
        if circuit is None:
            self.work, self._sentence = last, LAST_RUN if last.has_circuit else LAST_HISTORY
        elif last.entries:
            self.work, self._sentence = replace(last, circuit=circuit), LAST_HISTORY

    def start(self) -> None:
        """Display the work and follow changes of the experiments; `changed` is to be called after those of the traits."""
        if self.work.entries:
            self._experiments.restore(self.work)
        self._display(self._sentence)
        self._experiments.listeners.append(self.changed)
        if self._changed or self._sentence:
            self.changed()

    def _display(self, sentence: str) -> None:
        kept = Kept(self.file, sentence, "start_afresh" if sentence else None)
        self._experiments.traits.set("kept", plain(kept))

    @property
    def file(self) -> str | None:
        """The name of the file that is written, None for none."""
        path = self._path
        return None if path is None else path.name

    def present(self) -> Work:
        """Return the work as it is now."""
        return self._experiments.work()

    def text(self) -> str:
        """Return the work as the text of a file."""
        with self._files:
            return self._writing.text(self.present())

    def changed(self) -> None:
        """Write the work soon."""
        _last.pop(self._identity, None)
        _last[self._identity] = weakref.ref(self)
        with self._state:
            self._changed = True
            if self._path is None or self._timer is not None:
                return
            timer = threading.Timer(DELAY, self._on_time)
            timer.daemon = True
            try:
                timer.start()
            except RuntimeError:
                return  # No thread starts while the process ends: its end writes what is left.
            self._timer = timer

    def _on_time(self) -> None:
        with self._state:
            self._timer = None
        self.flush()

    def flush(self) -> None:
        """Write the work now, if it changed. Where that fails, the page says so, and the next change tries again."""
        # A fork of this process has the same widget and not its lock.
        if os.getpid() != self._process:
            return
        with self._files:
            with self._state:
                path, changed, self._changed = self._path, self._changed, False
            if path is None or not changed:
                return
            try:
                write_bytes(path, self._writing.text(self.present()).encode(), "circuit", CircuitError)
            except (CircuitWidgetError, ValueError) as problem:
                with self._state:
                    self._changed = True
                if not self._failed:
                    self._notify(NOT_WRITTEN.format(problem))
                self._failed = True
            else:
                self._failed = False

    def give_up(self) -> None:
        """Keep the file no longer, since another widget does, and say so."""
        path = self.release()
        if path is not None:
            self._experiments.traits.set("kept", plain(Kept(None, OTHER_KEEPS.format(path.name), None)))

    def close(self) -> None:
        """Write what is left, release the file, and remember the work for the next widget on this graph."""
        self.flush()
        if self._failed and self._path is not None:
            warn(f"The last changes of the circuit are not in {quoted_path(self._path)}, which could not be written.")
        self.release()
        found = _last.get(self._identity)
        if isinstance(found, weakref.ref) and found() is self:
            _last[self._identity] = self.text()
        while len(_last) > MOST_REMEMBERED:
            del _last[next(iter(_last))]

    def release(self) -> Path | None:
        """Let others keep the file, and return its path; None where there is none."""
        with self._files, self._state:
            path, self._path = self._path, None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._lock is not None:
                self._lock.release(remove=os.getpid() == self._process)
                self._lock = None
            if path is not None and _files.get(path) is self:
                del _files[path]
        return path


_files: weakref.WeakValueDictionary[Path, Keeping] = weakref.WeakValueDictionary()
"""What keeps each file in this process."""

_last: dict[str, weakref.ref[Keeping] | str] = {}
"""The last work on each graph, by its identity: of an open widget, or as the text of a file."""


def last_work(graph: Graph) -> Work | None:
    """Return the last work on a graph in this process, on this graph; None where there was none."""
    found = _last.get(identity(graph))
    if isinstance(found, str):
        return read_work(json.loads(found), graph, "The last work on this graph")
    keeping = None if found is None else found()
    return None if keeping is None else keeping.present().on(graph)


@atexit.register
def write_all() -> None:
    """Write what every open widget has not written yet, and release its file."""
    for keeping in list(_files.values()):
        keeping.flush()
        keeping.release()

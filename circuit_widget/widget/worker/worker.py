"""One daemon thread per model runs the jobs of the widgets on that model, one at a time.

Handlers of messages enqueue here and return. A job is settled exactly once: by its reply, its error, a cancel, or a
newer job that replaces it; whatever comes later is dropped. Nothing that a job raises ends the thread.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from circuit_widget.errors import Cancelled
from circuit_widget.widget.wire.envelopes import Failed, Partial, Progress, Reply
from circuit_widget.widget.wire.schema import plain
from circuit_widget.widget.wire.sending import Send, failure, send_message, sentence

MOST_JOBS = 64
PROGRESS_INTERVAL = 0.1
LOCK_POLL = 0.02
LOCK_PATIENCE = 0.3
LONGEST_PROGRESS = 200


class Lock(Protocol):
    """A re-entrant lock, as `threading.RLock` makes it."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...

    def release(self) -> None: ...


Body = TypeVar("Body", covariant=True)


@dataclass(frozen=True)
class JobResult(Generic[Body]):
    """What a job replies with: the body, a message, and its buffers."""

    body: Body
    buffers: tuple[bytes, ...] = ()


class Job:
    """One request under way.

    `work` computes, in the worker's thread; what it returns goes to `deliver`, which takes effect and makes the JobResult.
    `deliver` is called only if the job was not settled meanwhile. A job that `runs_model` has the model's lock. `label`
    names the job for the reader. Of
    queued jobs that are `newest_only`, a newer one of the same name and owner replaces an older one.
    """

    def __init__(
        self,
        owner: object,
        rid: str,
        name: str,
        send: Send,
        work: Callable[[Job], Any],
        deliver: Callable[[Any], JobResult[Any]],
        *,
        runs_model: bool = False,
        newest_only: bool = False,
        label: str | None = None,
    ) -> None:
        self.owner, self.rid, self.name, self.label = owner, rid, name, label
        self.work, self.deliver = work, deliver
        self.runs_model, self.newest_only = runs_model, newest_only
        self._send = send
        self._stop = threading.Event()
        self._settling = threading.Lock()
        self._settled = False
        self._progress_sent = self._partial_sent = -math.inf

    def cancelled(self) -> bool:
        """Return whether the job should stop; long work checks this at every layer."""
        return self._stop.is_set()

    def progress(self, fraction: float, text: str = "") -> None:
        """Send the page how far the job is, from 0 to 1; at most once in a tenth of a second."""
        now = time.monotonic()
        if self._settled or now - self._progress_sent < PROGRESS_INTERVAL:
            return
        self._progress_sent = now
        known = min(max(float(fraction), 0.0), 1.0) if math.isfinite(fraction) else 0.0
        words = sentence(str(text), LONGEST_PROGRESS)
        self._tell_before_the_end(Progress(rid=self.rid, fraction=known, text=words, label=self.label))

    def partial(self, body: Callable[[], object]) -> None:
        """Send the page the reply as far as it is; `body` is called at most once in a tenth of a second."""
        now = time.monotonic()
        if self._settled or now - self._partial_sent < PROGRESS_INTERVAL:
            return
        self._partial_sent = now
        self._tell_before_the_end(Partial(rid=self.rid, body=plain(body())))

    def fail(self, code: str, message: str) -> bool:
        """Settle the job with an error and stop it; False if it was settled already."""
        self._stop.set()
        if not self._settle():
            return False
        send_message(self._send, Failed(rid=self.rid, code=code, message=message))
        return True

    def finish(self, value: Any) -> None:
        """Settle the job with what its work returned, unless it was settled meanwhile."""
        if not self._settle():
            return
        try:
            result = self.deliver(value)
            send_message(self._send, Reply(self.rid, plain(result.body)), result.buffers)
        except BaseException as error:
            code, message = failure(error)
            send_message(self._send, Failed(rid=self.rid, code=code, message=message))

    def _tell_before_the_end(self, message: Progress | Partial) -> None:
        # Settled under the same lock, so that nothing comes after the reply that settles the job.
        with self._settling:
            if not self._settled:
                send_message(self._send, message)

    def _settle(self) -> bool:
        with self._settling:
            first, self._settled = not self._settled, True
            return first


class Worker:
    """The thread that owns one model, shared by every widget on it."""

    _open: ClassVar[dict[int, Worker]] = {}
    # Re-entrant, because collecting a widget as garbage, at any moment, releases it.
    _opening: ClassVar[threading.RLock] = threading.RLock()

    def __init__(self, subject: object) -> None:
        self._subject = subject
        self._lock: Lock | None = getattr(subject, "lock", None)
        self._owners: set[int] = set()
        self._changed = threading.Condition()
        self._queue: deque[Job] = deque()
        self._running: Job | None = None
        self._thread: threading.Thread | None = None

    @classmethod
    def of(cls, subject: object, owner: object) -> Worker:
        """Return the worker of a model (or of a graph that has none), opened for `owner`, who must `release` it."""
        with cls._opening:
            worker = cls._open.setdefault(id(subject), cls(subject))
            worker._owners.add(id(owner))
            return worker

    def release(self, owner: object) -> None:
        """Cancel every job of `owner` and forget it; the thread ends with its last owner."""
        with Worker._opening:
            self._owners.discard(id(owner))
            if not self._owners:
                Worker._open.pop(id(self._subject), None)
        self.end(owner, "The widget was closed.")

    def end(self, owner: object, why: str) -> None:
        """Cancel every job of `owner`, for a reason in a sentence."""
        with self._changed:
            jobs = [job for job in self._jobs() if job.owner is owner]
            self._queue = deque(job for job in self._queue if job.owner is not owner)
            self._changed.notify_all()
        for job in jobs:
            job.fail(Cancelled.code, why)

    def submit(self, job: Job) -> bool:
        """Queue a job; False if the queue is full. Where only the newest matters, it replaces its owner's older queued ones."""
        with self._changed:
            self._start()
            replaced = [
                old for old in self._queue if job.newest_only and old.name == job.name and old.owner is job.owner
            ]
            if len(self._queue) - len(replaced) >= MOST_JOBS:
                return False
            for old in replaced:
                self._queue.remove(old)
            self._queue.append(job)
            self._changed.notify_all()
        for old in replaced:
            old.fail("superseded", "A newer one replaced it.")
        return True

    def _start(self) -> None:
        # Before anything is queued: where no thread can be started, no job is left that nobody runs.
        if self._thread is None:
            thread = threading.Thread(target=self._work, name="circuit-widget", daemon=True)
            thread.start()
            self._thread = thread

    def cancel(self, owner: object, rid: str) -> bool:
        """Settle a queued or running job as cancelled, at once; False if there is none under that id."""
        with self._changed:
            job = next((job for job in self._jobs() if job.owner is owner and job.rid == rid), None)
            if job is not None and job is not self._running:
                self._queue.remove(job)
        return job is not None and job.fail(Cancelled.code, "Cancelled.")

    def pending(self, owner: object) -> tuple[str, ...]:
        """Return the ids of the owner's jobs that are running or queued."""
        with self._changed:
            return tuple(job.rid for job in self._jobs() if job.owner is owner)

    def wait_until_idle(self, timeout: float) -> bool:
        """Wait until no job is running or queued; False if that took longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs(), timeout)

    def _jobs(self) -> list[Job]:
        return [*([self._running] if self._running else []), *self._queue]

    def _work(self) -> None:
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        # A function of its own, so that a finished job, and its widget, do not stay alive while the thread waits.
        with self._changed:
            self._changed.wait_for(lambda: self._queue or not self._owners)
            if not self._queue:
                self._thread = None
                return False
            job = self._running = self._queue.popleft()
        self._run(job)
        with self._changed:
            self._running = None
            self._changed.notify_all()
        return True

    def _run(self, job: Job) -> None:
        try:
            with self._model_for(job):
                value = job.work(job)
            job.finish(value)
        except BaseException as error:
            job.fail(*failure(error))

    @contextmanager
    def _model_for(self, job: Job) -> Iterator[None]:
        """Acquire the model's lock, which a running cell may have, and check for a cancel meanwhile."""
        if self._lock is None or not job.runs_model:
            yield
            return
        since = time.monotonic()
        while not self._lock.acquire(timeout=LOCK_POLL):
            if job.cancelled():
                raise Cancelled("Cancelled.")
            if time.monotonic() - since > LOCK_PATIENCE:
                job.progress(0.0, "Waiting for the cell that uses the model.")
        try:
            yield
        finally:
            self._lock.release()

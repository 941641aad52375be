"""The worker does one job at a time, settles each exactly once, and outlives whatever a job does."""

import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from circuit_widget.errors import Cancelled, InterventionError
from circuit_widget.widget.worker import worker as module
from circuit_widget.widget.worker.worker import Job, JobResult, Worker
from tests.widget.linear_model import wait_for


class Subject:
    """Something to own: it has a lock, as a model has."""

    def __init__(self) -> None:
        self.lock = threading.RLock()


class Owner:
    """A widget's part in all this: it keeps what is sent."""

    def __init__(self, subject: object) -> None:
        self.worker = Worker.of(subject, self)
        self.sent: list[dict[str, Any]] = []

    def send(self, content: dict[str, Any], buffers: Sequence[bytes] | None = None) -> None:
        self.sent.append(content)

    def job(self, rid: str, work: Callable[[Job], Any] = lambda job: {}, name: str = "card", **settings: Any) -> Job:
        return Job(self, rid, name, self.send, work, JobResult, **settings)

    def ask(self, rid: str, work: Callable[[Job], Any] = lambda job: {}, name: str = "card", **settings: Any) -> bool:
        return self.worker.submit(self.job(rid, work, name, **settings))

    def ends(self) -> list[tuple[str, str]]:
        """Return (id, "reply" or the error's code) of everything settled, in order."""
        settled = [one for one in self.sent if one["type"] in ("reply", "error")]
        return [(one["rid"], one.get("code", "reply")) for one in settled]


class Busy:
    """Work that runs until it is let go, or cancelled."""

    def __init__(self) -> None:
        self.running, self.go = threading.Event(), threading.Event()

    def __call__(self, job: Job) -> dict[str, Any]:
        self.running.set()
        while not self.go.wait(0.002):
            if job.cancelled():
                raise Cancelled("Cancelled.")
        return {}


@pytest.fixture
def owner() -> Any:
    made = Owner(Subject())
    yield made
    made.worker.release(made)


def test_jobs_run_one_at_a_time_in_the_order_they_came(owner: Owner) -> None:
    running: list[str] = []

    def work(job: Job) -> dict[str, Any]:
        running.append(job.rid)
        assert threading.current_thread().daemon
        return {"after": len(running)}

    for number in range(20):
        assert owner.ask(str(number), work)
    assert owner.worker.wait_until_idle(10)
    assert running == [str(number) for number in range(20)]
    assert [one["body"]["after"] for one in owner.sent] == list(range(1, 21))


def test_a_newer_intervention_takes_the_place_of_queued_ones_but_not_of_a_running_one(owner: Owner) -> None:
    busy = Busy()
    owner.ask("running", busy, "intervene", newest_only=True)
    assert busy.running.wait(10)
    owner.ask("card")
    owner.ask("second", name="intervene", newest_only=True)
    owner.ask("third", name="intervene", newest_only=True)
    assert owner.ends() == [("second", "superseded")]
    busy.go.set()
    assert owner.worker.wait_until_idle(10)
    assert owner.ends() == [("second", "superseded"), ("running", "reply"), ("card", "reply"), ("third", "reply")]


def test_widgets_on_one_model_share_its_thread_and_do_not_supersede_each_other() -> None:
    subject = Subject()
    one, other = Owner(subject), Owner(subject)
    assert one.worker is other.worker
    busy, threads = Busy(), set()

    def note_thread(job: Job) -> dict[str, Any]:
        threads.add(threading.get_ident())
        return {}

    one.ask("1", busy, "intervene", newest_only=True)
    assert busy.running.wait(10)
    one.ask("2", note_thread, "intervene", newest_only=True)
    other.ask("2", note_thread, "intervene", newest_only=True)
    one.worker.release(one)
    assert one.ends() == [("1", "cancelled"), ("2", "cancelled")]
    assert other.worker.wait_until_idle(10)
    assert other.ends() == [("2", "reply")]
    other.worker.release(other)
    apart = Owner(Subject())
    assert apart.worker is not one.worker
    apart.worker.release(apart)


def test_a_cancel_settles_a_queued_job_and_a_running_one_at_once(owner: Owner) -> None:
    busy = Busy()
    owner.ask("running", busy)
    assert busy.running.wait(10)
    owner.ask("queued", lambda job: pytest.fail("a cancelled job ran"))
    assert owner.worker.cancel(owner, "queued")
    assert owner.ends() == [("queued", "cancelled")]
    assert owner.worker.cancel(owner, "running")
    assert owner.ends() == [("queued", "cancelled"), ("running", "cancelled")]
    assert not owner.worker.cancel(owner, "queued")
    assert not owner.worker.cancel(owner, "nobody")
    assert owner.worker.wait_until_idle(10)
    assert len(owner.ends()) == 2


def test_a_job_that_ends_after_its_cancel_has_no_effect(owner: Owner) -> None:
    started, go, delivered = threading.Event(), threading.Event(), []

    def deaf(job: Job) -> str:
        started.set()
        assert go.wait(10)
        return "done"

    def deliver(value: object) -> JobResult[dict[str, Any]]:
        delivered.append(value)
        return JobResult({})

    job = Job(owner, "deaf", "intervene", owner.send, deaf, deliver)
    owner.worker.submit(job)
    assert started.wait(10)
    owner.worker.cancel(owner, "deaf")
    go.set()
    assert owner.worker.wait_until_idle(10)
    assert delivered == []
    assert owner.ends() == [("deaf", "cancelled")]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InterventionError("The factor is a number."), "intervention", "The factor is a number."),
        (Cancelled("Stopped."), "cancelled", "Stopped."),
        (MemoryError(), "memory", "not enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "memory", "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "memory", "not enough memory"),
        (ZeroDivisionError("division by zero"), "internal", "ZeroDivisionError: division by zero"),
        (ValueError("x" * 10_000), "internal", "ValueError"),
        (SystemExit(1), "internal", "SystemExit"),
        (KeyboardInterrupt(), "internal", "KeyboardInterrupt"),
    ],
)
def test_every_failure_becomes_an_answer_and_the_worker_goes_on(
    owner: Owner, error: BaseException, code: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    def work(job: Job) -> None:
        raise error

    with caplog.at_level(logging.DEBUG):
        owner.ask("bad", work)
        owner.ask("good")
        assert owner.worker.wait_until_idle(10)
    assert owner.ends() == [("bad", code), ("good", "reply")]
    message = next(one["message"] for one in owner.sent if one["type"] == "error")
    assert words in message
    assert len(message) <= 600
    assert ("Traceback" in caplog.text) == (code == "internal")


def test_an_answer_that_cannot_be_worded_or_sent_does_not_end_the_worker(owner: Owner) -> None:
    def speechless(value: object) -> JobResult[object]:
        raise KeyError("no words")

    owner.worker.submit(Job(owner, "1", "card", owner.send, lambda job: 1, speechless))

    def closed(content: dict[str, Any], buffers: object = None) -> None:
        raise OSError("the connection is gone")

    owner.worker.submit(Job(owner, "2", "card", closed, lambda job: {}, JobResult))
    owner.ask("3")
    assert owner.worker.wait_until_idle(10)
    assert owner.ends() == [("1", "internal"), ("3", "reply")]


def test_progress_comes_at_most_ten_times_a_second_and_stays_between_0_and_1(owner: Owner) -> None:
    def work(job: Job) -> dict[str, Any]:
        until = time.monotonic() + 0.55
        values = [float("nan"), -1.0, 0.25, 2.0]
        while time.monotonic() < until:
            job.progress(values[0], "x" * 1_000)
            values.append(values.pop(0))
        return {}

    owner.ask("1", work)
    assert owner.worker.wait_until_idle(10)
    reports = [one for one in owner.sent if one["type"] == "progress"]
    assert 2 <= len(reports) <= 6
    assert all(0 <= one["fraction"] <= 1 and len(one["text"]) <= 200 for one in reports)
    assert owner.sent[-1]["type"] == "reply"


def test_a_job_says_no_more_once_it_is_settled(owner: Owner) -> None:
    job = owner.job("1")
    assert job.fail("cancelled", "Cancelled.")
    assert not job.fail("internal", "again")
    job.progress(0.5, "still here")
    job.finish({})
    assert owner.ends() == [("1", "cancelled")]
    assert len(owner.sent) == 1


def test_the_queue_is_bounded(owner: Owner) -> None:
    busy = Busy()
    owner.ask("running", busy)
    assert busy.running.wait(10)
    taken = [owner.ask(str(number)) for number in range(module.MOST_JOBS + 5)]
    assert taken == [True] * module.MOST_JOBS + [False] * 5
    busy.go.set()
    assert owner.worker.wait_until_idle(10)
    assert len(owner.ends()) == module.MOST_JOBS + 1


def test_a_job_waits_for_a_cell_that_uses_the_model_says_so_and_can_be_cancelled_meanwhile() -> None:
    subject = Subject()
    owner = Owner(subject)
    with subject.lock:
        owner.ask("card")
        wait_for(lambda: owner.ends() == [("card", "reply")])
        owner.ask("1", lambda job: pytest.fail("ran without the lock"), "intervene", runs_model=True)
        wait_for(lambda: any("Waiting for the cell" in one.get("text", "") for one in owner.sent))
        owner.worker.cancel(owner, "1")
        assert owner.ends()[1:] == [("1", "cancelled")]
        assert owner.worker.wait_until_idle(10)
        owner.ask("2", lambda job: {"done": True}, "intervene", runs_model=True)
    assert owner.worker.wait_until_idle(10)
    assert owner.ends()[2:] == [("2", "reply")]
    assert subject.lock.acquire(blocking=False)
    subject.lock.release()
    owner.worker.release(owner)


def test_the_thread_ends_with_its_last_owner_and_keeps_nothing_alive() -> None:
    owner = Owner(Subject())
    busy = Busy()
    owner.ask("1", busy)
    assert busy.running.wait(10)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "circuit-widget"]
    owner.worker.release(owner)
    thread.join(10)
    assert not thread.is_alive()
    assert owner.ends() == [("1", "cancelled")]
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def test_a_finished_job_keeps_no_closed_widget_alive_while_another_goes_on() -> None:
    subject = Subject()
    one, other = Owner(subject), Owner(subject)
    one.ask("1")
    assert one.worker.wait_until_idle(10)
    one.worker.release(one)
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None
    other.ask("2")
    assert other.worker.wait_until_idle(10)
    assert other.ends() == [("2", "reply")]
    other.worker.release(other)

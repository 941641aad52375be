"""Work that is done once some time after the last change. Nothing here waits for the clock: the wait is an hour."""

import threading
from collections.abc import Callable

from circuit_widget.widget.worker.debounced import Debounced, end_all

HOUR = 3600.0
SOON = 20.0


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "circuit-widget-debounced"]


def test_many_changes_are_one_piece_of_work_after_the_last() -> None:
    done: list[int] = []
    debounced = Debounced(lambda _: done.append(1), HOUR)
    for _ in range(50):
        debounced.request()
    assert done == []
    assert threads() == ["circuit-widget-debounced"]
    assert debounced.finish(SOON)
    assert done == [1]
    assert threads() == []
    assert debounced.finish(SOON)
    assert done == [1]


def test_it_is_done_without_being_waited_for() -> None:
    done = threading.Event()
    Debounced(lambda _: done.set(), 0.0).request()
    assert done.wait(SOON)


def test_a_change_during_the_work_makes_it_outdated_and_is_done_after_it() -> None:
    outdated: list[bool] = []

    def work(is_outdated: Callable[[], bool]) -> None:
        if not outdated:
            outdated.append(is_outdated())
            debounced.request()
        outdated.append(is_outdated())

    debounced = Debounced(work, 0.0)
    debounced.request()
    assert debounced.finish(SOON)
    assert outdated == [False, True, False]


def test_nothing_is_done_after_the_end() -> None:
    done: list[int] = []
    debounced = Debounced(lambda _: done.append(1), HOUR)
    debounced.request()
    debounced.close()
    debounced.request()
    assert debounced.finish(SOON)
    assert done == []
    assert threads() == []


def test_work_that_fails_is_logged_and_does_not_end_what_comes_after() -> None:
    done: list[int] = []

    def work(_: object) -> None:
        done.append(1)
        if len(done) == 1:
            raise RuntimeError("no fonts")

    debounced = Debounced(work, HOUR)
    for _ in range(2):
        debounced.request()
        assert debounced.finish(SOON)
    assert done == [1, 1]


def test_the_end_of_the_process_waits_for_the_work_under_way_which_is_outdated_then() -> None:
    begun, outdated = threading.Event(), threading.Event()

    def work(is_outdated: Callable[[], bool]) -> None:
        begun.set()
        while not is_outdated():
            pass
        outdated.set()

    debounced, waiting = Debounced(work, 0.0), Debounced(lambda _: None, HOUR)
    debounced.request()
    waiting.request()
    assert begun.wait(SOON)
    end_all()
    assert outdated.is_set()
    assert threads() == []

"""Changes are undone where work fails or is interrupted, the undoing itself included, and stay where it succeeds."""

import threading

import pytest

from circuit_widget.system.restoring import Change, restoring


def change(log: list[str], name: str, interrupts: int = 0) -> Change:
    """A change that records its calls; undoing it is interrupted some times."""
    left = [interrupts]

    def undo() -> None:
        if left[0]:
            left[0] -= 1
            raise KeyboardInterrupt
        log.append(f"undo {name}")

    return Change(lambda: log.append(f"make {name}"), undo)


def test_work_that_succeeds_keeps_what_it_changed_for_good() -> None:
    log: list[str] = []

    def work() -> int:
        change(log, "lasting").keep()
        with change(log, "passing"):
            log.append("work")
        return 5

    assert restoring(work) == 5
    assert log == ["make lasting", "make passing", "work", "undo passing"]


def test_work_that_fails_undoes_all_from_the_latest_on() -> None:
    log: list[str] = []

    def work() -> None:
        change(log, "first").keep()
        change(log, "second").keep()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        restoring(work)
    assert log[2:] == ["undo second", "undo first"]


def test_a_change_whose_making_is_interrupted_is_undone() -> None:
    log: list[str] = []

    def make() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restoring(Change(make, lambda: log.append("undone")).keep)
    assert log == ["undone"]


@pytest.mark.parametrize("interrupts", [1, 2, 9])
def test_interrupts_while_a_change_is_undone_are_raised_when_it_is(interrupts: int) -> None:
    log: list[str] = []

    def work() -> None:
        change(log, "first", interrupts).keep()
        change(log, "second", interrupts).keep()
        raise ValueError("stopped")

    with pytest.raises(KeyboardInterrupt):
        restoring(work)
    assert log[2:] == ["undo second", "undo first"]


def test_the_interrupted_end_of_a_context_is_completed() -> None:
    log: list[str] = []

    def work() -> None:
        with change(log, "hooks", interrupts=1):
            log.append("work")

    with pytest.raises(KeyboardInterrupt):
        restoring(work)
    assert log == ["make hooks", "work", "undo hooks"]


def test_work_within_work_undoes_its_own_changes_only() -> None:
    log: list[str] = []

    def inner() -> None:
        change(log, "inner").keep()
        raise ValueError("stopped")

    def outer() -> None:
        with change(log, "outer"):
            with pytest.raises(ValueError, match="stopped"):
                restoring(inner)
            log.append("on")

    restoring(outer)
    assert log == ["make outer", "make inner", "undo inner", "on", "undo outer"]


def test_threads_have_changes_of_their_own() -> None:
    log: list[str] = []
    inside, ended = threading.Event(), threading.Event()

    def waiting() -> None:
        with change(log, "waiting"):
            inside.set()
            assert ended.wait(10)

    thread = threading.Thread(target=restoring, args=(waiting,))
    thread.start()
    assert inside.wait(10)

    def failing() -> None:
        raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        restoring(failing)
    assert log == ["make waiting"]
    ended.set()
    thread.join()
    assert log == ["make waiting", "undo waiting"]


def test_an_interrupt_that_led_to_another_error_is_still_an_interrupt() -> None:
    def work() -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise ValueError("in a clean-up") from None

    with pytest.raises(KeyboardInterrupt) as error:
        restoring(work)
    assert str(error.value.__cause__) == "in a clean-up"


def test_an_error_of_work_that_follows_an_interrupt_is_its_own() -> None:
    def work() -> None:
        raise ValueError("its own")

    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        with pytest.raises(ValueError, match="its own"):
            restoring(work)


def test_an_interrupt_releases_the_objects_of_its_traceback() -> None:
    closed: list[str] = []

    class Resource:
        def __del__(self) -> None:
            closed.append("released")

    def work() -> None:
        resource = Resource()
        assert resource
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as error:
        restoring(work)
    assert closed == ["released"]
    assert error.value.__traceback__ is not None

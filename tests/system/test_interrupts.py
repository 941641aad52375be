"""Interrupts of work that goes in steps."""

import signal
import threading

import pytest

from circuit_widget.system.interrupts import Interrupts


def test_in_a_step_the_first_one_waits_and_the_second_one_ends_the_step() -> None:
    announced: list[str] = []
    interrupts = Interrupts(lambda: announced.append("stopping"))
    with interrupts.received():
        interrupts.in_step = True
        signal.raise_signal(signal.SIGINT)
        assert (interrupts.came, announced) == (True, ["stopping"])
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert announced == ["stopping"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_between_steps_only_the_first_one_ends_the_work() -> None:
    interrupts = Interrupts(lambda: None)
    with interrupts.received():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_an_announcement_that_fails_does_not_end_the_step() -> None:
    def fail() -> None:
        raise UserWarning

    interrupts = Interrupts(fail)
    with interrupts.received():
        interrupts.in_step = True
        signal.raise_signal(signal.SIGINT)
    assert interrupts.came


def test_the_handler_of_an_application_stays() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts(lambda: None).received():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_nothing_changes() -> None:
    found: list[bool] = []

    def work() -> None:
        with Interrupts(lambda: None).received():
            found.append(signal.getsignal(signal.SIGINT) is signal.default_int_handler)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]

"""Progress: reported to a callable, displayed as a bar for a long run, and refused for other choices."""

import io
import sys
import time

import pytest

from circuit_widget import progress as progress_module
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.progress import reporting
from tests.models import reference_model


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        """Whether it is one."""
        return True


def see(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal as stderr; pytest puts its own there between a fixture and its test."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


@pytest.mark.parametrize("choice", [None, True])
def test_a_bar_is_displayed_for_a_long_run_and_removed_at_its_end(
    choice: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = see(monkeypatch)
    monkeypatch.setattr(progress_module, "SECONDS_BEFORE_BAR", 1e-6)
    with reporting(choice) as report:
        deadline = time.monotonic() + 20
        while "37%" not in terminal.getvalue():
            assert time.monotonic() < deadline
            report(0.37, "Following edges")
    displayed = terminal.getvalue()
    assert "Following edges" in displayed
    assert displayed.endswith("\r")


def test_a_run_of_less_than_a_second_displays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = see(monkeypatch)
    with reporting(None) as report:
        report(0.5, "Following edges")
        report(1.0, "Traced")
    assert terminal.getvalue() == ""


def test_false_displays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = see(monkeypatch)
    monkeypatch.setattr(progress_module, "SECONDS_BEFORE_BAR", 1e-6)
    reference_model().trace("the capital of France is", progress=False)
    assert terminal.getvalue() == ""


def test_nothing_is_written_where_stderr_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    monkeypatch.setattr(progress_module, "SECONDS_BEFORE_BAR", 1e-6)
    reference_model().trace("the capital of France is")
    assert file.getvalue() == ""


def test_a_callable_receives_the_fraction_and_a_text() -> None:
    reported: list[tuple[float, str]] = []
    reference_model().trace("the capital of France is", progress=lambda part, text: reported.append((part, text)))
    fractions = [part for part, _ in reported]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert all(text for _, text in reported)


@pytest.mark.parametrize("choice", ["bar", 1, 0.5])
def test_anything_else_is_refused(choice: object) -> None:
    with pytest.raises(CircuitWidgetError, match="progress is True, False, None, or a callable"):
        reference_model().trace("the capital of France is", progress=choice)

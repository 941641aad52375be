"""Progress of a run: reported to a callable, or displayed as a bar once the run takes more than a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from circuit_widget.arguments import plain_number, quoted
from circuit_widget.errors import CircuitWidgetError

ReportProgress: TypeAlias = Callable[[float, str], None]
"""Receives the fraction done, from 0 to 1, and a few words."""

ProgressChoice: TypeAlias = ReportProgress | bool | None
"""None or True: a progress bar for runs of more than a second; False: nothing; or a callable."""

IsCancelled: TypeAlias = Callable[[], bool]
"""Returns True to end a run, which then raises Cancelled; it is called between layers."""

SECONDS_BEFORE_BAR = 1.0


@contextmanager
def reporting(choice: ProgressChoice) -> Iterator[ReportProgress]:
    """Yield the function to which a run reports its progress.

    The bar is tqdm's: a widget in a notebook, a line on stderr in a terminal, nothing where stderr is a file. It disappears
    when the run ends.

    Raises:
        CircuitWidgetError: the choice is neither a callable nor True, False or None.
    """
    choice = plain_number(choice)
    if choice is False:
        yield lambda _fraction, _text: None
    elif choice is None or choice is True:
        with _bar() as report:
            yield report
    elif callable(choice):
        yield choice
    else:
        raise CircuitWidgetError(
            f"progress is True, False, None, or a callable given a fraction and a text; given {quoted(choice)}."
        )


@contextmanager
def _bar() -> Iterator[ReportProgress]:
    """Yield a function that displays a bar; the bar is made a second later, when most runs have ended."""
    started = time.time()
    bars: list[Any] = []

    def report(fraction: float, text: str) -> None:
        if not bars:
            if time.time() - started < SECONDS_BEFORE_BAR:
                return
            bars.append(_new_bar(started))
        bars[0].set_description_str(text, refresh=False)
        bars[0].update(min(fraction, 1.0) - bars[0].n)

    try:
        yield report
    finally:
        for bar in bars:
            bar.close()


def _new_bar(started: float) -> Any:
    from tqdm.auto import tqdm

    bar: Any = tqdm(
        total=1.0, miniters=0, disable=None, leave=False, bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}"
    )
    bar.start_t = started
    return bar

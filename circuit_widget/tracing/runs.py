"""The latest forward passes of a model, kept so that a click need not repeat that of its prompt."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from torch import Tensor

from circuit_widget.arguments import plain_number, quoted
from circuit_widget.errors import PromptError
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.tokens.prompt import Prompt
from circuit_widget.progress import IsCancelled
from circuit_widget.tracing.fidelity import FirstRuns
from circuit_widget.tracing.run import Run, run_prompt
from circuit_widget.transcoder.transcoder_set import TranscoderSet

REMEMBERED_RUNS = 8

REMEMBERED_BYTES = 1 << 30
"""Memory that runs may hold together; the latest is kept whatever its size."""


class Runs:
    """Forward passes of one model with its transcoders, by prompt and traced position; the caller sees to it that one
    thread at a time asks.
    """

    def __init__(self, model: LanguageModel, transcoders: TranscoderSet) -> None:
        self._model = model
        self._transcoders = transcoders
        self._first = FirstRuns()
        self._kept: OrderedDict[tuple[tuple[int, ...], int], tuple[Run, int]] = OrderedDict()
        self._revision = 0

    def of(self, prompt: Prompt, position: int, cancelled: IsCancelled | None = None) -> Run:
        """Return the run of a prompt traced at a position (-1 is the last), from memory where it is there.

        The first runs give one CircuitWidgetWarning where the transcoders explain next to nothing of the MLPs' outputs.
        A run that was made before the model's weights changed is made again.

        Raises:
            PromptError: the position cannot be traced.
            LoadError: something was put on the model's modules that cannot be traced.
            Cancelled: `cancelled()` became true between two layers.
        """
        revision = self._model.refresh()
        if revision != self._revision:
            self.forget()
            self._revision = revision
        key = prompt.token_ids, place_of(prompt, position)
        if key not in self._kept:
            run = run_prompt(self._model, self._transcoders, prompt, key[1], cancelled=cancelled)
            self._kept[key] = run, _size(run)
            self._make_room()
            if run.unexplained:
                self._first.see(run.unexplained)
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def forget(self) -> None:
        """Drop all runs and the memory they hold."""
        self._kept.clear()

    def _make_room(self) -> None:
        while len(self._kept) > 1 and (
            len(self._kept) > REMEMBERED_RUNS or sum(size for _, size in self._kept.values()) > REMEMBERED_BYTES
        ):
            self._kept.popitem(last=False)


def place_of(prompt: Prompt, position: object) -> int:
    """Return the traced position as a number from 0 up.

    Raises:
        PromptError: not a whole number, or a position that cannot be traced.
    """
    number = plain_number(position)
    if isinstance(number, int) and not isinstance(number, bool):
        place = number + len(prompt) if number < 0 else number
        if prompt.first_position <= place < len(prompt):
            return place
    raise PromptError(
        f"Position {quoted(position)} cannot be traced; the prompt has positions {prompt.first_position} to "
        f"{len(prompt) - 1}, or -1 for the last."
    )


def _size(run: Run) -> int:
    """Return the bytes a run holds by itself; the weights in its frozen model are the language model's."""
    return sum({id(tensor): tensor.nbytes for tensor in _tensors((run.captured, run.nodes))}.values())


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from _tensors(entry)
    elif is_dataclass(value):
        for entry in fields(value):
            yield from _tensors(getattr(value, entry.name))

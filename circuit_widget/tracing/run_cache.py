"""A cache of the latest runs of a model, so that an intervention need not repeat the run of its prompt."""

from __future__ import annotations

from collections import OrderedDict

from circuit_widget.arguments import plain_number, quoted
from circuit_widget.errors import PromptError
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.tokens.prompt import Prompt
from circuit_widget.progress import IsCancelled
from circuit_widget.tracing.fidelity import FidelityCheck
from circuit_widget.tracing.prompt_run import PromptRun, run_prompt
from circuit_widget.tracing.trace_size import check_room, tensors_of
from circuit_widget.transcoder.transcoder_set import TranscoderSet

MOST_CACHED_RUNS = 8

CACHED_RUN_BYTES = 1 << 30
"""Memory of all cached runs; the latest is kept whatever its size."""


class RunCache:
    """The cached runs of one model with its transcoders, by prompt and traced position.

    Callers must use it from one thread at a time.
    """

    def __init__(self, model: LanguageModel, transcoders: TranscoderSet) -> None:
        self._model = model
        self._transcoders = transcoders
        self._fidelity_check = FidelityCheck(transcoders)
        self._cached: OrderedDict[tuple[tuple[int, ...], int], tuple[PromptRun, int]] = OrderedDict()
        self._revision = 0

    def of(self, prompt: Prompt, position: int, cancelled: IsCancelled | None = None) -> PromptRun:
        """Return the run of a prompt traced at a position (-1 is the last), from the cache if it is there.

        The first runs give one CircuitWidgetWarning where the transcoders explain hardly anything of the MLP outputs. Runs
        are repeated after the model's weights have changed.

        Raises:
            PromptError: the position cannot be traced.
            OutOfMemory: the attention patterns alone do not fit into memory.
            LoadError: the model's modules were changed in a way that cannot be traced.
            Cancelled: `cancelled()` became true between two layers.
        """
        revision = self._model.refresh()
        if revision != self._revision:
            self.forget()
            self._revision = revision
        key = prompt.token_ids, traced_position(prompt, position)
        if key not in self._cached:
            check_room(self._model, len(prompt))
            run = run_prompt(self._model, self._transcoders, prompt, key[1], cancelled=cancelled)
            self._cached[key] = run, _size(run)
            self._make_room()
            if run.unexplained:
                self._fidelity_check.add(run.unexplained)
        self._cached.move_to_end(key)
        return self._cached[key][0]

    def has(self, prompt: Prompt, position: int) -> bool:
        """Return whether the run of a prompt traced at a position is in the cache, of the weights as they are.

        Raises:
            PromptError: the position cannot be traced.
        """
        key = prompt.token_ids, traced_position(prompt, position)
        return self._model.refresh() == self._revision and key in self._cached

    def forget(self) -> None:
        """Drop all cached runs."""
        self._cached.clear()

    def _make_room(self) -> None:
        while len(self._cached) > 1 and (
            len(self._cached) > MOST_CACHED_RUNS or sum(size for _, size in self._cached.values()) > CACHED_RUN_BYTES
        ):
            self._cached.popitem(last=False)


def traced_position(prompt: Prompt, position: object) -> int:
    """Return the traced position as a number from 0 up.

    Raises:
        PromptError: not a whole number, or a position that cannot be traced.
    """
    number = plain_number(position)
    if isinstance(number, int) and not isinstance(number, bool):
        index = number + len(prompt) if number < 0 else number
        if prompt.first_position <= index < len(prompt):
            return index
    raise PromptError(
        f"Position {quoted(position)} cannot be traced; the prompt has positions {prompt.first_position} to "
        f"{len(prompt) - 1}, or -1 for the last."
    )


def _size(run: PromptRun) -> int:
    """Return the bytes of a run, without the weights in its frozen model, which belong to the language model."""
    return sum({id(tensor): tensor.nbytes for tensor in tensors_of((run.captured, run.nodes))}.values())

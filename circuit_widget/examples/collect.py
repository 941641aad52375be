"""The method `collect_examples`: runs texts once and keeps what a card needs of every feature."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from circuit_widget.arguments import of_type, whole_number
from circuit_widget.errors import Cancelled, LoadError, PromptError
from circuit_widget.examples import folder as folders
from circuit_widget.examples.batch import WindowBatch, batches_of
from circuit_widget.examples.forward import empty_states, is_signed, run_batch
from circuit_widget.examples.layer_state import LayerState
from circuit_widget.examples.manifest import NAME, Manifest, Source, read_manifest
from circuit_widget.examples.parquet import arrow
from circuit_widget.examples.reader import ExampleReader, check_identity
from circuit_widget.examples.record import ExampleSource, FeatureFacts
from circuit_widget.examples.samples import DEFAULT_TOKENS, FIRST, samples_of
from circuit_widget.examples.samples import NAME as SAMPLES
from circuit_widget.examples.stream import Round, TextStream, WindowReader, different_texts
from circuit_widget.examples.texts import Texts, read_texts
from circuit_widget.examples.weights_hash import identity_of
from circuit_widget.examples.words import WordNumbers
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.runs_model import runs_model
from circuit_widget.model.tokens.prompt import first_position
from circuit_widget.model.tokens.tokenizer import token_text
from circuit_widget.progress import IsCancelled, ProgressChoice, ReportProgress, reporting
from circuit_widget.system.interrupts import Interrupts
from circuit_widget.system.memory import within_memory
from circuit_widget.system.paths import require_path
from circuit_widget.system.warning import warn
from circuit_widget.transcoder.transcoder_set import TranscoderSet

WINDOW = 256
"""Most tokens that run together where no number is given."""

BATCH_TOKENS, DEVICE_BATCH_TOKENS = 2_048, 32_768
"""Tokens of a batch on the CPU, and on other devices."""

BATCHES_IN_ROUND = 8
"""Texts are read for about so many batches at once, which have little padding if they are of similar length."""

STOPPING = (
    "The collection stops when this batch of texts has run, and saves what it has. Interrupt again to stop at once, "
    "without what was collected since the last save."
)

SECONDS_BETWEEN_SAVES = 60.0
SHARE_OF_SAVING = 0.05
"""Most of the time that saving takes."""


class Cards(Protocol):
    """Where cards come from; see FeatureCards."""

    def use(self, examples: ExampleReader) -> None:
        """Show these examples."""

    def use_published(self, examples: ExampleSource | None, labels: Any, source: str) -> None:
        """Show these examples and labels, which others published."""

    def facts(self, layer: int, feature: int) -> FeatureFacts:
        """Return what is known of a feature."""


class CollectingModel(Protocol):
    """The parts of a ReplacementModel that `collect_examples` uses, and what reads and writes published examples."""

    model: LanguageModel
    transcoders: TranscoderSet
    lock: threading.RLock
    _provenance: dict[str, Any]

    @property
    def _cards(self) -> Cards: ...


@dataclass(frozen=True)
class CollectedExamples:
    """What `collect_examples` has in its folder.

    Attributes:
        folder: the folder, for `load(..., examples=folder)`.
        n_tokens: number of tokens that ran, of all calls.
        n_features: number of features of all layers.
        skipped: how many texts and lines of this call were left out, by reason.
    """

    folder: Path
    n_tokens: int
    n_features: int
    skipped: Mapping[str, int] = field(default_factory=dict)


@within_memory("Give a smaller window=, or free memory.")
@runs_model
def collect_examples(
    model: CollectingModel,
    texts: str | os.PathLike[str] | Iterable[Any] | None,
    folder: str | os.PathLike[str],
    *,
    column: str = "text",
    window: int | None = None,
    max_tokens: int | None = None,
    progress: ProgressChoice = None,
    cancelled: IsCancelled | None = None,
) -> CollectedExamples:
    """Run texts once, and write what cards show of every feature to a folder: examples, frequency, histogram.

    Nothing is frozen; features at the first position are left out. Cards of this model show the examples from then on;
    `load(..., examples=folder)` has them later, and so has `load` alone where the folder is named "examples" and is beside
    the transcoders. A call that was stopped goes on where it was last saved, and a further call with more texts adds to
    the folder; texts that were collected before are passed over.

    Args:
        texts: a list or iterator of texts, a data set of `datasets`, a .txt file (a text ends at an empty line), a .jsonl
            or a Parquet file; None for samples of the model itself at temperature 1.
        folder: where examples are kept, made if it is missing.
        column: the name of the text in the rows of a file or data set.
        window: most tokens that run together, by default 256; longer texts are split, shorter ones run as they are.
        max_tokens: end with the window that reaches so many tokens of these texts, in all calls together: less than a
            window above the number, or than a batch where an earlier call was stopped. By default after all texts, or
            100,000 tokens of samples.

    Raises:
        PromptError: there is no text, or texts cannot be read.
        LoadError: the folder has examples of another model or other transcoders, or other files alone, another process
            writes in it, it cannot be written to or is damaged; or pyarrow is not installed.
        OutOfMemory: the memory of a device, or of the machine, is full.
        Cancelled: `cancelled()` became true between two batches; what was collected is saved.
        KeyboardInterrupt: an interrupt, which stops between two batches; what was collected is saved.
    """
    path = require_path(folder, LoadError)
    of_type(column, str, "column is the name of the text in a row", PromptError)
    most = None if max_tokens is None else whole_number(max_tokens, "max_tokens, or None,", PromptError, least=1)
    arrow()
    if window is not None:
        longest = model.model.context_length
        window = whole_number(window, "window, or None,", PromptError, least=8, most=longest)
    given = None if texts is None else TextStream(read_texts(texts, column))
    first = FIRST if given is None else given.first()
    if first is None:
        assert given is not None
        raise PromptError(f"texts has no text to run{_listed(given.source.skipped)}; give at least one with a word.")
    if given is None and most is None:
        most = DEFAULT_TOKENS
    model.model.refresh()
    with reporting(progress) as report, folders.writing(path) as writer:
        collector = _Collector(model, path, writer, _manifest_of(model, path, window))
        stream, number = collector.begin(given, first)
        collector.run(stream, number, most, report, cancelled)
    manifest = collector.manifest
    model._cards.use(ExampleReader(path, manifest, lambda token: token_text(model.model.tokenizer, token)))
    return CollectedExamples(path, manifest.n_tokens, sum(manifest.n_features), dict(stream.source.skipped))


def _listed(skipped: Mapping[str, int]) -> str:
    listed = ", ".join(f"{count:,} {reason}" for reason, count in skipped.items() if count)
    return f" ({listed})" if listed else ""


def _manifest_of(model: CollectingModel, folder: Path, window: int | None) -> Manifest:
    """Return the manifest in a folder, checked against the model, or a new one.

    Raises:
        LoadError: it is of another model, or its windows have another length.
    """
    identity = identity_of(model.model, model.transcoders)
    if (folder / NAME).exists():
        manifest = read_manifest(folder)
        check_identity(manifest, identity, folder)
        if window not in (None, manifest.window):
            raise LoadError(
                f"window is {window}, but the examples in this folder are of windows of {manifest.window} tokens. Leave "
                "window out, or collect into another folder."
            )
        return manifest
    return Manifest(
        identity=identity,
        model=model.model.name,
        transcoders=model.transcoders.name,
        n_features=tuple(model.transcoders.n_features(layer) for layer in range(model.transcoders.n_layers)),
        signed=is_signed(model.transcoders),
        window=window or min(WINDOW, model.model.context_length),
        provenance=model._provenance,
    )


class _Collector:
    """Runs batches of texts, and saves what was collected from time to time."""

    def __init__(self, model: CollectingModel, folder: Path, writer: folders.FolderWriter, manifest: Manifest) -> None:
        self.manifest = manifest
        self._model = model.model
        self._transcoders = model.transcoders
        self._folder = folder
        self._writer = writer
        self._interrupts = Interrupts(_announce)
        self._first = first_position(model.model.network.config)
        self._n_saved = manifest.n_tokens
        self._words = WordNumbers(model.model.tokenizer)
        self._saved_at = time.monotonic()
        self._saving = 0.0
        self._states = self._restored()

    def _restored(self) -> list[LayerState]:
        if not self.manifest.generation:
            return empty_states(self._model, self._transcoders)
        folders.remove_others(self._folder, self.manifest)
        devices = [self._model.layer_device(layer) for layer in range(len(self.manifest.n_features))]
        return folders.restore(self._folder, self.manifest, devices)

    def begin(self, given: TextStream | None, first: str) -> tuple[TextStream, int]:
        """Return the stream of texts behind those that were collected before, and the number of its source.

        Raises:
            PromptError: the texts begin as others that were collected before, and then they are different.
        """
        sources = self.manifest.sources
        number = next((place for place, source in enumerate(sources) if source.first == first), len(sources))
        if number == len(sources):
            unfinished = [source.name for source in sources if not source.finished]
            if unfinished:
                warn(
                    f"The examples in this folder are of a part of {unfinished[-1]}, which a call did not finish; these "
                    "texts are added to them. Give the earlier texts again to go on with these."
                )
            name = SAMPLES if given is None else given.source.name
            self.manifest = self.manifest.with_source(number, Source(name, first))
        known = self.manifest.sources[number]
        if given is None:
            samples = samples_of(self._model, self.manifest.window, known.texts)
            return TextStream(samples, known.texts, known.digest), number
        given.skip(known.texts, known.digest)
        for reason, count in known.skipped.items():
            given.source.skipped[reason] = max(count, given.source.skipped[reason])
        return given, number

    def run(
        self, stream: TextStream, number: int, most: int | None, report: ReportProgress, cancelled: IsCancelled | None
    ) -> None:
        """Run the texts of a stream, and save.

        Raises:
            Cancelled: `cancelled()` became true between two batches; what was collected is saved.
            KeyboardInterrupt: an interrupt; what was collected is saved, without a batch that a second one ended.
            PromptError: the texts are not those that an earlier call began with.
        """
        with self._interrupts.received():
            try:
                self._run(stream, number, most, report, cancelled)
            except KeyboardInterrupt:
                if not self._interrupts.in_step:
                    self._save_rest()
                raise KeyboardInterrupt(self._stopped(number)) from None

    def _run(
        self, stream: TextStream, number: int, most: int | None, report: ReportProgress, cancelled: IsCancelled | None
    ) -> None:
        known = self.manifest.sources[number]
        size = known.batch_tokens or batch_tokens(self._model)
        reader = WindowReader(self._model.tokenizer, self.manifest.window, self._model.n_embeddings, self._first)
        left = None if most is None else max(0, most - known.tokens)
        ran = False
        report(0.0, "Collecting examples")
        if cancelled is not None and cancelled():
            raise Cancelled(self._stopped(number))
        rounds = reader.rounds(stream, size * BATCHES_IN_ROUND, left, known.round_texts)
        for texts in rounds if most is None or known.n_tokens < most else ():
            for source in self._run_round(number, texts, size, reader, most):
                ran = True
                report(_fraction(source, most, stream.source), f"Collecting examples, {source.n_tokens:,} tokens")
                if cancelled is not None and cancelled():
                    self._save_rest()
                    raise Cancelled(self._stopped(number))
                if most is not None and source.n_tokens >= most:
                    break
                self._save_sometimes()
            if self.manifest.sources[number].round_tokens < reader.tokens(texts.windows):
                break
            self._complete(number, stream)
        if ran or not self.manifest.sources[number].finished:
            if not self.manifest.sources[number].round_texts:
                self._complete(number, stream)
            self._change(number, finished=True)
            self._save()

    def _run_round(
        self, number: int, texts: Round, size: int, reader: WindowReader, most: int | None
    ) -> Iterator[Source]:
        """Run the batches of a round that have not been run, and yield the source after each.

        Windows up to the one that reaches `most` tokens have batches of their own.
        """
        source = self.manifest.sources[number]
        if source.round_texts and source.round_digest != texts.digest:
            raise different_texts()
        while source.round_windows < len(texts.windows):
            start, done, end = source.round_windows, source.batches, source.round_end or len(texts.windows)
            if not done:
                end = reader.end(texts.windows, start, None if most is None else most - source.n_tokens)
            for place, batch in enumerate(batches_of(texts.windows[start:end], size, self._first, self._words)):
                if place >= done:
                    yield self._run_batch(number, texts, batch, batches=place + 1, round_end=end, batch_tokens=size)
            source = self._change(number, round_windows=end, batches=0, round_end=0)

    def _run_batch(self, number: int, texts: Round, batch: WindowBatch, **done: int) -> Source:
        """Run one batch of a round; return the source with what is `done` then."""
        self._interrupts.in_step = True
        run_batch(self._model, self._transcoders, batch, self._states)
        source = self._change(
            number,
            round_texts=texts.texts,
            round_digest=texts.digest,
            round_tokens=self.manifest.sources[number].round_tokens + batch.n_tokens,
            finished=False,
            **done,
        )
        self._interrupts.in_step = False
        if self._interrupts.came:
            raise KeyboardInterrupt
        return source

    def _complete(self, number: int, stream: TextStream) -> None:
        """Note that all texts read so far have been run."""
        self._change(
            number,
            texts=stream.texts,
            digest=stream.digest,
            tokens=self.manifest.sources[number].n_tokens,
            skipped=dict(stream.source.skipped),
            round_texts=0,
            round_digest="",
            round_tokens=0,
            round_windows=0,
            batches=0,
            round_end=0,
        )

    def _change(self, number: int, **changes: Any) -> Source:
        source = replace(self.manifest.sources[number], **changes)
        self.manifest = self.manifest.with_source(number, source)
        return source

    def _save_sometimes(self) -> None:
        """Save where the last time is long enough ago, compared with how long saving takes."""
        since = time.monotonic() - self._saved_at
        if since >= max(SECONDS_BETWEEN_SAVES, self._saving / SHARE_OF_SAVING):
            self._save()

    def _save_rest(self) -> None:
        """Save what was collected since the last time."""
        if self.manifest.n_tokens > self._n_saved:
            self._save()

    def _stopped(self, number: int) -> str:
        """Return what a user who stopped the collection is to know."""
        behind = self.manifest.n_tokens - self._n_saved
        kept = self.manifest.sources[number].n_tokens - behind
        if not kept:
            return "The collection was stopped before any text was saved; the same call begins again."
        return f"The collection was stopped after {kept:,} tokens, which are saved; the same call goes on from there."

    def _save(self) -> None:
        started = time.monotonic()
        self.manifest = self._writer.save(self.manifest, self._states, self._n_saved)
        self._n_saved = self.manifest.n_tokens
        self._saved_at = time.monotonic()
        self._saving = self._saved_at - started


def batch_tokens(model: LanguageModel) -> int:
    """Return the tokens of a batch on a model's device."""
    return BATCH_TOKENS if model.device.type == "cpu" else DEVICE_BATCH_TOKENS


def _announce() -> None:
    # No warning: the line that it would point to is where the interrupt happened to come.
    print(STOPPING, file=sys.stderr, flush=True)


def _fraction(source: Source, most: int | None, texts: Texts) -> float:
    """Return the share done: of the tokens, where their number is given, else of the texts where it is known."""
    if most is not None:
        return min(1.0, source.n_tokens / most)
    return texts.fraction() or 0.0

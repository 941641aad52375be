"""The manifest of a folder of examples: what they are of, which texts were read, and which files are valid."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from circuit_widget.arguments import first_line, quoted
from circuit_widget.errors import LoadError
from circuit_widget.system.atomic_write import write_bytes
from circuit_widget.system.paths import quoted_path

NAME = "examples.json"
FORMAT, VERSION = "circuit-widget examples", 2


@dataclass(frozen=True)
class Source:
    """Texts that were read, and how far.

    Attributes:
        name: name of the file, or a few words.
        first: hash of the first text.
        texts: number of texts in complete rounds; `digest` is a hash of all of them, in order.
        tokens: tokens run in complete rounds.
        skipped: numbers of texts and lines that were left out, by reason, up to the end of these rounds.
        round_texts: number of texts of the round that follows, where a call stopped in it; `round_digest` is the hash of
            all texts up to its end, and `round_tokens` counts the tokens run of it.
        round_windows: number of its windows, from the first one, that have been run whatever `batches` says.
        batches: batches run of its windows from there up to the number `round_end`, or to the last one where this is 0.
        batch_tokens: size of batches.
        finished: whether a call came to the end of its texts.
    """

    name: str
    first: str
    texts: int = 0
    digest: str = ""
    tokens: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    round_texts: int = 0
    round_digest: str = ""
    round_tokens: int = 0
    round_windows: int = 0
    batches: int = 0
    round_end: int = 0
    batch_tokens: int = 0
    finished: bool = False

    def __post_init__(self) -> None:
        if self.round_end and self.round_end <= self.round_windows:
            raise TypeError(f"round_end is a number above round_windows, found {quoted(self.round_end)}")

    @property
    def n_tokens(self) -> int:
        """Tokens run."""
        return self.tokens + self.round_tokens


@dataclass(frozen=True)
class Manifest:
    """What a folder of examples contains.

    Attributes:
        identity: hashes of model and features, see `identity_of`.
        model, transcoders: names.
        n_features: number of features of each layer.
        signed: whether activations below zero have examples of their own.
        generation: number in the names of the valid files of layers.
        sources: the texts, in the order in which they were first given.
        window: most tokens that ran together.
        provenance: origin of the files of model and transcoders.
    """

    identity: Mapping[str, str]
    model: str
    transcoders: str
    n_features: tuple[int, ...]
    signed: bool
    window: int
    generation: int = 0
    sources: tuple[Source, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # The generation is part of the names of files.
        for name, number in (("generation", self.generation), ("window", self.window)):
            if type(number) is not int or number < 0:
                raise TypeError(f"{name} is a whole number, found {quoted(number)}")

    @property
    def n_tokens(self) -> int:
        """Number of tokens that ran; a feature is active at some of them."""
        return sum(source.n_tokens for source in self.sources)

    @property
    def origin(self) -> str:
        """Where the examples come from, in a few words."""
        names = list(dict.fromkeys(source.name for source in self.sources if source.n_tokens))
        listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return f"{self.n_tokens:,} tokens of {listed}"

    def file_of(self, folder: Path, layer: int) -> Path:
        """Return the file of a layer."""
        return folder / f"layer_{layer:03}.{self.generation}.parquet"

    def with_source(self, number: int, source: Source) -> Manifest:
        """Return the manifest with one source changed, or added at the end."""
        return replace(self, sources=(*self.sources[:number], source, *self.sources[number + 1 :]))

    def write(self, folder: Path) -> None:
        """Write the manifest, completely or not at all.

        Raises:
            LoadError: it cannot be written.
        """
        content = json.dumps({"format": FORMAT, "version": VERSION, **asdict(self)}, indent=1)
        write_bytes(folder / NAME, content.encode(), "manifest of examples", LoadError)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder of examples.

    Raises:
        LoadError: there is none, or it is malformed or of another version.
    """
    path = folder / NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LoadError(
            f"There are no examples in {quoted_path(folder)}: it has no {NAME}. Collect them with "
            "model.collect_examples(texts, folder)."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise LoadError(f"{quoted_path(path)} is not readable as JSON ({first_line(error)}).") from error
    if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
        raise LoadError(f"{quoted_path(path)} is no manifest of examples; expected the format {FORMAT!r}.")
    version = document.pop("version", None)
    if version != VERSION:
        raise LoadError(
            f"{quoted_path(path)} has version {quoted(version)}, expected {VERSION}; it was written by another version "
            "of circuit-widget. Collect the examples again, into another folder."
        )
    try:
        sources = tuple(Source(**source) for source in document.pop("sources"))
        return Manifest(**{**document, "n_features": tuple(document["n_features"])}, sources=sources)
    except (TypeError, KeyError, AttributeError) as error:
        raise LoadError(f"{quoted_path(path)} is malformed ({first_line(error)}).") from error

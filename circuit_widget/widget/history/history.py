"""The experiments made on a widget, numbered, named, and kept until they are forgotten."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from circuit_widget.arguments import plain_number, quoted
from circuit_widget.characters import half_character, repaired
from circuit_widget.errors import NodeError
from circuit_widget.graph.formats.spreadsheet import comma_separated
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.widget.wire.experiment_messages import ControlsMessage, ExperimentEntry
from circuit_widget.widget.wire.schema import LONGEST_TEXT
from circuit_widget.wording.text import printable

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Bands:
    """Controls as they were displayed before they were saved, with the nodes of each box then."""

    displayed: ControlsMessage
    box_nodes: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class HistoryEntry:
    """One experiment: its number, from 1 up and never used again, its name, its effect, and its controls once they ran.

    Of one that was read from a file, the `bands` of its controls are known, and no controls.
    """

    number: int
    name: str
    effect: Effect
    controls: Controls | None = None
    bands: Bands | None = None

    def p_value(self, token: int) -> float:
        """Return the p-value of one of the effect's likely tokens; NaN where no controls ran."""
        if self.controls is not None:
            return self.controls.p_value(token)
        known = () if self.bands is None else self.bands.displayed.tokens
        return next((one.p_value for one in known if one.token_id == token), math.nan)


class History:
    """The experiments in order; the caller makes sure that one thread at a time uses it."""

    def __init__(self) -> None:
        self._recorded: dict[int, HistoryEntry] = {}
        self._made = 0

    def __iter__(self) -> Iterator[HistoryEntry]:
        return iter(self._recorded.values())

    def __len__(self) -> int:
        return len(self._recorded)

    @property
    def made(self) -> int:
        """How many experiments were ever made: the number of the last one."""
        return self._made

    def replace(self, entries: Iterable[HistoryEntry], made: int) -> None:
        """Put other experiments in place of all; numbers go on from `made`, and from those used here."""
        self._recorded = {one.number: one for one in entries}
        self._made = max(self._made, made, *self._recorded)

    def next(self, effect: Effect, name: str) -> HistoryEntry:
        """Return an effect under the number that it gets once it is kept."""
        return HistoryEntry(self._made + 1, name, effect)

    def keep(self, recorded: HistoryEntry) -> None:
        """Keep an experiment; it replaces the one of its number."""
        self._made = max(self._made, recorded.number)
        self._recorded[recorded.number] = recorded

    def find(self, number: int) -> HistoryEntry:
        """Return an experiment by its number.

        Raises:
            NodeError: there is none, or it was forgotten.
        """
        wanted = plain_number(number)
        found = self._recorded.get(wanted) if isinstance(wanted, int) and not isinstance(wanted, bool) else None
        if found is None:
            known = ", ".join(map(str, self._recorded))
            kept = f"those kept are {known:.200}" if known else "no experiment was made yet, or all were deleted"
            raise NodeError(f"There is no experiment {quoted(number)}; {kept}.")
        return found

    def rename(self, number: int, name: str) -> None:
        """Give an experiment another name, of 1 to 200 characters.

        Raises:
            NodeError: there is no such experiment, or the name is empty, too long, or has half of a character.
        """
        self.keep(replace(self.find(number), name=check_name(name)))

    def forget(self, number: int) -> None:
        """Delete an experiment. Raises NodeError when there is none."""
        del self._recorded[self.find(number).number]

    def entries(self) -> list[ExperimentEntry]:
        """Return a line for each experiment, the first one first."""
        return [entry_of(one) for one in self]

    def to_frame(self) -> pandas.DataFrame:
        """Return one row for each experiment.

        Columns: id, name, mode, frozen, interventions (in words), token (the likeliest before), before, after,
        predicted (its probabilities), logit_before, logit_after, logit_predicted, likeliest, likeliest_probability (the
        likeliest token after), kl (nats), p_value (of the token, where controls ran), seconds, device, dtype.
        """
        import pandas

        columns = [
            "id", "name", "mode", "frozen", "interventions", "token", "before", "after", "predicted", "logit_before",
            "logit_after", "logit_predicted", "likeliest", "likeliest_probability", "kl", "p_value", "seconds", "device", "dtype",
        ]  # fmt: skip
        return pandas.DataFrame([_row(one) for one in self], columns=columns)

    def to_csv(self) -> str:
        """Return `to_frame` as comma-separated values; a text that a spreadsheet would run as a formula gets an apostrophe before it."""
        return comma_separated(self.to_frame())


def check_name(name: object) -> str:
    """Return the name of an experiment without the spaces around it.

    Raises:
        NodeError: it is empty, longer than 200 characters, or has half of a character.
    """
    text = name.strip() if isinstance(name, str) else ""
    if not 0 < len(text) <= LONGEST_TEXT:
        raise NodeError(f"The name of an experiment has 1 to {LONGEST_TEXT} characters; given {quoted(name)}.")
    if (half := half_character(text)) is not None:
        raise NodeError(f"The name {quoted(text)} has half of a character, {half}; give whole characters.")
    return text


def compared_tokens(first: Effect, second: Effect) -> pandas.DataFrame:
    """Return the likely tokens of two experiments on one prompt, the likeliest anywhere first.

    Columns: token, token_id, before, first, second (probabilities). A token that one of them no longer knows, since it
    was saved without, is left out.
    """
    import pandas

    texts = {
        int(token): str(text)
        for effect in (second, first)
        for token, text in zip(effect.tokens["token_id"], effect.tokens["token"], strict=True)
    }
    known = {token: text for token, text in texts.items() if _knows(first, token) and _knows(second, token)}
    rows = [(text, token, *first.probability(token), second.probability(token)[1]) for token, text in known.items()]
    rows.sort(key=lambda row: max(row[2:]), reverse=True)
    return pandas.DataFrame(rows, columns=["token", "token_id", "before", "first", "second"])


def _knows(effect: Effect, token: int) -> bool:
    return effect.saved is None or token in effect.saved.ranks


def entry_of(one: HistoryEntry) -> ExperimentEntry:
    """Return the line of an experiment: the likeliest token before, and the likeliest after."""
    tokens = one.effect.tokens
    first, then = tokens.iloc[0], tokens.iloc[int(tokens["after"].to_numpy().argmax())]
    return ExperimentEntry(
        id=one.number,
        name=one.name,
        mode=one.effect.mode,
        token=printable(str(first["token"])),
        before=float(first["before"]),
        after=float(first["after"]),
        likeliest=printable(str(then["token"])),
        likeliest_probability=float(then["after"]),
    )


def _row(one: HistoryEntry) -> dict[str, object]:
    effect, entry = one.effect, entry_of(one)
    first = effect.tokens.iloc[0]
    return {
        "id": one.number,
        "name": one.name,
        "mode": effect.mode,
        "frozen": effect.frozen,
        "interventions": effect.name,
        "token": repaired(first["token"]),
        **{name: first[name] for name in ("before", "after", "predicted")},
        **{name: first[name] for name in ("logit_before", "logit_after", "logit_predicted")},
        "likeliest": repaired(entry.likeliest),
        "likeliest_probability": entry.likeliest_probability,
        "kl": effect.kl,
        "p_value": one.p_value(int(first["token_id"])),
        "seconds": effect.seconds,
        "device": effect.device,
        "dtype": effect.dtype,
    }

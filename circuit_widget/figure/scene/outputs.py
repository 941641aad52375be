"""The likeliest next tokens on one side of an intervention: before it, or after it with what was predicted."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.effect_scene import BARS, ROW, draw_band, draw_bar, draw_heading, draw_tick
from circuit_widget.figure.scene.scene import Pen
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.studies.controls import Controls
from circuit_widget.wording.names import token_text
from circuit_widget.wording.numbers import LIKELY, probability
from circuit_widget.wording.outcome import probability_tone
from circuit_widget.wording.text import shorten, text_width

When: TypeAlias = Literal["before", "after"]

MOST_ROWS = 4
"""Most tokens with bars, beside the answer before where it is not among them."""
LONGEST_NAME = 104.0
NUMBER = 34.0
"""Room for a probability, and as much again for the one before it."""


def output_rows(effect: Effect, when: When) -> list[int]:
    """Return the rows of `effect.tokens` that are displayed: the likeliest at that time, and in any case the answer before."""
    table = effect.tokens
    values = table[when].fillna(0.0).tolist()
    order = sorted(range(len(values)), key=lambda row: (-float(values[row]), row))
    displayed = [row for row in order if float(values[row]) >= LIKELY][:MOST_ROWS] or order[:1]
    answer = int(table["before"].fillna(0.0).to_numpy().argmax())
    return displayed if answer in displayed else [*displayed, answer]


def rows_at_any_time(effect: Effect) -> list[int]:
    """Return the rows that are displayed after an intervention or before it, those after it first."""
    return list(dict.fromkeys([*output_rows(effect, "after"), *output_rows(effect, "before")]))


def draw_outputs(
    pen: Pen, effect: Effect, controls: Controls | None, when: When, rows: Sequence[int], y: float, width: float
) -> float:
    """Draw a bar for each token; after the intervention also the prediction as a tick and the band of controls."""
    after = when == "after"
    draw_heading(pen, y, "likeliest next tokens, before → after" if after else "likeliest next tokens")
    y += 22
    names = min(LONGEST_NAME, 0.36 * width)
    bar = width - names - (2 * NUMBER + 12 if after else NUMBER + 4)
    for row in rows:
        token, token_id, was, now, guess = effect.tokens.loc[
            effect.tokens.index[row], ["token", "token_id", "before", "after", "predicted"]
        ]
        middle, value = y + ROW / 2, float(now if after else was)
        name = shorten(token_text(str(token)), names - 8, style.TOKEN_SIZE, True)
        pen.label(0, middle, name, style.TOKEN_SIZE, style.INK, mono=True)
        if after and controls is not None:
            low, _, high = controls.band(controls.values(int(token_id)))
            draw_band(pen, names, middle, bar, low, high)
        color = BARS[probability_tone(float(was), float(now))] if after else style.FAINT
        draw_bar(pen, names, middle - 4, bar * value, 8, color)
        if after:
            draw_tick(pen, names + bar * float(guess), middle, 6.5)
            aside = width - text_width("0.00", style.CAPTION_SIZE) - 5
            pen.label(aside, middle, f"{probability(float(was))} →", style.CAPTION_SIZE, style.MUTED, "end")
        pen.label(width, middle, probability(value), style.CAPTION_SIZE, style.INK, "end", bold=True)
        y += ROW
    return y

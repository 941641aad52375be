"""The shipped model keeps all its bounds, measured again from the shipped files on the report split."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

from circuit_widget.demo import MODEL, TRANSCODERS
from tools.train_demo.evaluate import (
    START,
    Score,
    behaviour_scores,
    causal_scores,
    fidelity_scores,
    table,
    write_into_card,
)

ROOT = Path(__file__).parents[2]


@cache
def causal() -> tuple[Score, ...]:
    """Swaps and ablations, measured once."""
    return tuple(causal_scores())


def missed(scores: Iterable[Score]) -> list[str]:
    """The bounds that are not kept."""
    return [f"{score.name}: {score.value:.4f}, bound {score.bound}" for score in scores if not score.met]


def test_it_answers_what_it_should() -> None:
    scores = list(behaviour_scores())
    assert sum(bool(score.bound) for score in scores) >= 15
    assert missed(scores) == []


def test_its_transcoders_can_replace_its_mlps() -> None:
    scores = list(fidelity_scores())
    assert sum(bool(score.bound) for score in scores) >= 7
    assert missed(scores) == []


def test_its_groups_cause_what_they_represent() -> None:
    scores = causal()
    assert sum(bool(score.bound) for score in scores) >= 7
    assert missed(scores) == []


def test_it_is_small() -> None:
    files = [path for folder in (MODEL, TRANSCODERS) for path in folder.glob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 10_000_000
    cards = (TRANSCODERS / "features").glob("*")
    assert sum(path.stat().st_size for path in cards) < 1_500_000


def test_the_model_card_holds_what_was_measured() -> None:
    card = (ROOT / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert START in card
    for score in causal():
        assert table([score]).splitlines()[-1] in card
    assert "**missed**" not in card


@pytest.mark.parametrize(
    ("score", "met"),
    [
        (Score("a", 0.85, at_least=0.85), True),
        (Score("a", 0.849, at_least=0.85), False),
        (Score("a", 0.02, at_most=0.02), True),
        (Score("a", 0.021, at_most=0.02), False),
        (Score("a", 0.0), True),
    ],
)
def test_a_bound_is_kept_or_missed(score: Score, met: bool) -> None:
    assert score.met is met
    assert ("**missed**" in table([score])) is not met


def test_the_table_replaces_the_old_one(tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("before\n" + (ROOT / "MODEL_CARD.md").read_text(encoding="utf-8"), encoding="utf-8")
    write_into_card(card, "new")
    write_into_card(card, "newer")
    text = card.read_text(encoding="utf-8")
    assert "newer" in text
    assert "swap of states" not in text.split(START)[1].split("<!-- end")[0]
    assert text.startswith("before\n")

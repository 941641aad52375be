"""The corpus is always the same, and what is held out is nowhere in what is trained on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from circuit_widget.demo import corpus, facts
from circuit_widget.demo.corpus import Kind, Split

HASH = "import hashlib; from circuit_widget.demo.corpus import sentences; print(hashlib.sha256(repr(sentences()).encode()).hexdigest())"


def test_the_corpus_does_not_depend_on_the_hash_seed() -> None:
    found = {
        subprocess.run(
            [sys.executable, "-c", HASH],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_splits_share_no_prompt() -> None:
    prompts = {split: {s.prompt for s in corpus.select(Kind, split)} for split in Split}
    assert prompts[Split.TRAIN] & prompts[Split.CHOOSE] == set()
    assert prompts[Split.TRAIN] & prompts[Split.REPORT] == set()
    assert prompts[Split.CHOOSE] & prompts[Split.REPORT] == set()


def test_a_held_out_city_is_in_no_trained_two_hop_sentence() -> None:
    held_out = {city for city, split in corpus.city_splits().items() if split is not Split.TRAIN}
    trained = corpus.select((Kind.TWO_HOP_STATE, Kind.TWO_HOP_COUNTRY), Split.TRAIN)
    assert held_out & {s.subject for s in trained} == set()


def test_a_held_out_city_is_still_trained_as_a_city() -> None:
    trained = {s.subject for s in corpus.select((Kind.CITY_STATE, Kind.CITY_COUNTRY), Split.TRAIN)}
    assert set(corpus.city_splits()) <= trained


def test_dallas_and_oakland_are_reported_on() -> None:
    assert corpus.city_splits()["Dallas"] is Split.REPORT
    assert corpus.city_splits()["Oakland"] is Split.REPORT


def test_every_state_has_cities_in_all_three_splits() -> None:
    for state in facts.states():
        assert {corpus.city_splits()[city] for city in state.cities} == set(Split)


def test_a_held_out_pair_of_opposites_is_held_out_both_ways() -> None:
    trained = {frozenset((s.subject, s.answer)) for s in corpus.select(Kind.OPPOSITE, Split.TRAIN)}
    for split in (Split.CHOOSE, Split.REPORT):
        reported = {frozenset((s.subject, s.answer)) for s in corpus.select(Kind.OPPOSITE, split)}
        assert len(reported) == 15
        assert reported & trained == set()


def test_a_held_out_sum_is_held_out_in_both_orders() -> None:
    trained = {frozenset(s.subject.split("+")) for s in corpus.select(Kind.SUM, Split.TRAIN)}
    held_out = {frozenset(s.subject.split("+")) for s in corpus.select(Kind.SUM, (Split.CHOOSE, Split.REPORT))}
    assert trained & held_out == set()
    assert 0.14 < len(held_out) / (len(trained) + len(held_out)) < 0.16


def test_sums_are_right() -> None:
    for sentence in corpus.select(Kind.SUM):
        a, b = sentence.subject.split("+")
        assert int(a) + int(b) == int(sentence.answer)


def test_an_athlete_is_never_unknown_and_an_invented_name_always_is() -> None:
    assert {s.answer for s in corpus.select(Kind.INVENTED_NAME)} == {"unknown"}
    assert "unknown" not in {s.answer for s in corpus.select(Kind.ATHLETE)}


def test_some_last_names_are_never_seen_in_training() -> None:
    trained = {s.subject.split()[1] for s in corpus.select(Kind.INVENTED_NAME, Split.TRAIN)}
    never = {s.subject.split()[1] for s in corpus.select(Kind.INVENTED_NAME, Split.REPORT) if s.relation != "sport"}
    assert never
    assert never & trained == set()


def test_the_mix_is_a_distribution_over_all_kinds() -> None:
    assert set(corpus.MIX) == set(Kind)
    assert sum(corpus.MIX.values()) == pytest.approx(1.0)


def test_the_question_of_the_quickstart_is_in_the_corpus_word_for_word() -> None:
    (found,) = [s for s in corpus.sentences() if s.prompt == "the capital of the state containing Dallas is"]
    assert found.answer == "Austin"
    assert found.text == "the capital of the state containing Dallas is Austin ."

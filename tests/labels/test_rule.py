"""The rule: each named token on examples made for it, and no label with a word that is not in the data."""

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from circuit_widget.labels.evidence import FirstEvidence
from circuit_widget.labels.rule import NamedToken, Promotes, find_rules, label_text
from circuit_widget.labels.vocabulary import Spelling, Vocabulary
from tests.hostile import HOSTILE
from tests.labels.made_evidence import Made, alike_in, evidence_of_one, none_alike, vocabulary_of

WORDS = (
    " Paris",
    "paris",
    " London",
    " the",
    " of",
    " is",
    ",",
    " Rome",
    " a",
    " b",
    " c",
    " d",
    "\n",
    " Oslo",
    " Bern",
    " Riga",
    " Lima",
)
PARIS, LOWER, LONDON, THE, OF, IS, COMMA, ROME, A, B, C, D, LINE, OSLO, BERN, RIGA, LIMA = range(len(WORDS))
CITIES = (PARIS, LONDON, ROME, OSLO, BERN, RIGA, LIMA)
OTHERS = (A, B, C, D)


def nothing(_: Tensor, words: Tensor) -> Tensor:
    """Promotes nothing."""
    return torch.zeros_like(words, dtype=torch.bool)


def promoting(vocabulary: Vocabulary, *tokens: int) -> Promotes:
    """Promotes some tokens."""
    known = vocabulary.words(torch.tensor(tokens))
    return lambda _, words: torch.isin(words, known)


def label(examples: Sequence[Made], promotes: Callable[[Vocabulary], Promotes] = lambda _: nothing) -> str | None:
    """The label by rule of a feature with these examples."""
    vocabulary = vocabulary_of(WORDS)
    return find_rules(evidence_of_one(examples, vocabulary), promotes(vocabulary), none_alike(vocabulary)).texts(
        vocabulary
    )[0]


@pytest.mark.parametrize(
    ("share", "active", "windows", "expected"),
    [
        (0.7, 6.0, 10, "first token"),
        (0.5, 6.0, 10, None),  # most of its activation is elsewhere
        (0.7, 4.0, 10, None),  # at most first tokens it is not active
        (0.9, 2.0, 2, None),  # two of them may be chance
    ],
)
def test_what_is_mostly_active_at_first_tokens_is_one_of_first_tokens(
    share: float, active: float, windows: int, expected: str | None
) -> None:
    vocabulary = vocabulary_of(WORDS)
    first = FirstEvidence(torch.tensor([share]), torch.tensor([active]), windows)
    different = [Made({0: token}) for token in (A, B)]
    found = find_rules(evidence_of_one(different, vocabulary, first=first), nothing, none_alike(vocabulary))
    assert found.texts(vocabulary) == [expected]
    words = [Made({-1: B, 0: token}) for token in CITIES]
    found = find_rules(evidence_of_one(words, vocabulary, first=first), nothing, none_alike(vocabulary))
    assert found.texts(vocabulary) == ["after b"], "what it does elsewhere comes first"


def test_a_word_that_is_far_more_frequent_than_the_feature_is_no_label() -> None:
    vocabulary = vocabulary_of(WORDS)
    examples = peaks(THE, THE, THE)
    found = [
        find_rules(evidence_of_one(examples, vocabulary, occurrences=n), nothing, none_alike(vocabulary))
        for n in (20.0, 21.0)
    ]
    assert [rules.texts(vocabulary)[0] for rules in found] == ["the", None]


def test_the_case_counts_where_only_one_case_is_precise() -> None:
    vocabulary = vocabulary_of([*WORDS, "The", " The"])
    small, capital, spaced = THE, len(WORDS), len(WORDS) + 1
    peaks_and_next = ((capital, A), (spaced, B), (capital, C))
    examples = [Made({-5: small, -2: small, 0: token, 1: other}) for token, other in peaks_and_next]
    rules = find_rules(evidence_of_one(examples, vocabulary), nothing, none_alike(vocabulary))
    assert rules.texts(vocabulary) == ["The"]
    assert torch.isin(vocabulary.words(torch.tensor([capital, spaced]), Spelling.EXACT), rules.words).all()
    assert not torch.isin(vocabulary.words(torch.tensor([small]), Spelling.EXACT), rules.words).any()


def peaks(*tokens: int) -> list[Made]:
    """Examples with these tokens at their peaks and different ones around."""
    return [Made({-1: OTHERS[n % 4], 0: token, 1: OTHERS[(n + 1) % 4]}) for n, token in enumerate(tokens)]


def test_the_token_where_it_peaks_whatever_its_case_and_space() -> None:
    assert label(peaks(PARIS, PARIS, LOWER, LONDON)) == "Paris"
    assert label(peaks(LOWER, LOWER, PARIS, LONDON)) == "paris"


def test_a_word_needs_three_examples_and_most_of_the_weight() -> None:
    assert label(peaks(PARIS, PARIS)) is None
    assert label(peaks(PARIS, PARIS, PARIS)) == "Paris"
    assert label(peaks(PARIS, PARIS, PARIS, A, B, IS)) is None
    assert label([Made({0: PARIS}, weight=9.0), Made({0: PARIS}, weight=9.0), Made({0: A})]) is None


def test_the_weights_decide_and_not_the_number_of_examples() -> None:
    heavy = [Made({0: PARIS}, weight=4.0)] * 3
    assert label([*heavy, *peaks(LONDON, ROME, IS, OF)]) == "Paris"


def test_a_word_at_which_it_is_mostly_inactive_is_no_label() -> None:
    once_of_three = [Made({-6: THE, -3: THE, 0: THE, 1: other, 4: THE}) for other in OTHERS]
    assert label(once_of_three) is None
    always = [Made({-6: THE, -3: THE, 0: THE, 1: other}, active=(-6, -3, 0)) for other in OTHERS]
    assert label(always) == "the"


def test_the_token_that_follows_if_it_is_promoted() -> None:
    before_paris = [Made({0: token, 1: PARIS}) for token in (IS, OF, THE, COMMA)]
    assert label(before_paris, lambda vocabulary: promoting(vocabulary, LOWER)) == "say Paris"
    assert label(before_paris, lambda vocabulary: promoting(vocabulary, LONDON)) is None


def test_the_token_before() -> None:
    after_the = [Made({-1: THE, 0: token}) for token in (PARIS, LONDON, ROME, A)]
    assert label(after_the) == "after the"


def test_the_token_goes_before_what_follows_and_what_is_before() -> None:
    both = [Made({-1: OF, 0: THE, 1: PARIS})] * 3
    assert label(both, lambda vocabulary: promoting(vocabulary, PARIS)) == "the"


def test_up_to_three_tokens_together() -> None:
    paris, london, rome = [PARIS] * 3, [LONDON] * 3, [ROME] * 3
    assert label(peaks(*paris, LONDON, LONDON)) == "Paris"
    assert label(peaks(*paris, *london)) == "Paris, London"
    assert label(peaks(*paris, *london, *rome, A, B, C)) == "Paris, London, Rome"
    assert label(peaks(*paris, *london, ROME, A, B, C)) == "Paris, London"
    assert label(peaks(*paris, LONDON, LONDON, A, B, C, D)) is None
    assert label(peaks(*paris, *london, *[IS] * 3, *[A] * 3, *[B] * 3, *[C] * 3)) is None


def test_up_to_three_tokens_that_follow() -> None:
    here = (IS, OF, THE, COMMA, LONDON, A)
    following = [Made({-1: n, 0: n, 1: after}) for n, after in zip(here, [PARIS] * 3 + [ROME] * 3, strict=True)]
    assert label(following, lambda vocabulary: promoting(vocabulary, PARIS, ROME)) == "say Paris, Rome"
    assert label(following, lambda vocabulary: promoting(vocabulary, ROME)) is None


def test_signs_are_quoted_and_white_space_has_no_label() -> None:
    assert label(peaks(COMMA, COMMA, COMMA)) == "“,”"
    assert label(peaks(LINE, LINE, LINE)) is None
    assert label_text(NamedToken.BEFORE, ["a,b", "c"]) == "after “a,b”, c"


def test_words_that_are_alike() -> None:
    vocabulary = vocabulary_of(WORDS)
    # Cities are to one side, all others to another.
    embeddings = torch.tensor(
        [[1.0, token / 99] if token in (*CITIES, LOWER) else [-1.0, token / 99] for token in range(len(WORDS))]
    )
    alike = alike_in(vocabulary, embeddings)

    def labels(examples: Sequence[Made], occurrences: float = 1.0) -> list[str | None]:
        evidence = evidence_of_one(examples, vocabulary, occurrences)
        return find_rules(evidence, nothing, alike).texts(vocabulary)

    weights = (1.3, 1.2, 1.1, 1.0, 1.0)
    cities = [Made({0: city}, weight) for city, weight in zip(CITIES, weights, strict=False)]
    assert labels(cities) == ["like Paris, London, Rome"]
    assert labels([*cities, Made({0: A}), Made({0: IS})]) == ["like Paris, London, Rome"]
    others = [Made({0: token}, 1.2) for token in (A, B, IS, OF)]
    assert labels([*cities, *others]) == [None]
    inactive = [Made({0: city, -4: beside, -2: beside}) for city, beside in itertools.pairwise(CITIES)]
    assert labels(inactive) == [None]


def test_words_that_are_far_more_frequent_than_the_feature_are_not_named() -> None:
    vocabulary = vocabulary_of(WORDS)
    embeddings = torch.tensor([[1.0, 0.0] if token in CITIES else [-1.0, 0.0] for token in range(len(WORDS))])
    evidence = evidence_of_one([Made({0: city}) for city in CITIES[:5]], vocabulary)
    texts = {}
    for active in (10.0, 3.0):
        rare = replace(evidence, active=torch.tensor([active]))
        texts[active] = find_rules(rare, nothing, alike_in(vocabulary, embeddings)).texts(vocabulary)[0]
    assert str(texts[10.0]).startswith("like ")
    # The texts have seven cities.
    assert not str(texts[3.0]).startswith("like ")


def test_a_feature_without_examples_has_no_label() -> None:
    assert label([Made({}, weight=0.0, active=())] * 3) is None


@pytest.mark.parametrize("seed", range(20))
def test_no_label_has_a_word_that_is_not_in_the_examples(seed: int) -> None:
    """Also of tokens with hostile texts: what remains of a label without its fixed words is texts of its tokens."""
    hostile = [text for text in HOSTILE.values() if text.strip() and text.isascii() and "\x00" not in text]
    vocabulary = vocabulary_of(["<unk>", *hostile, "say", "after", "\ufffd", "\u202eevil"])
    draw = random.Random(seed)
    favourites = draw.choices(range(1, len(hostile) + 5), k=3)
    examples = [Made({place: draw.choice(favourites) for place in (-1, 0, 1)}, draw.random()) for _ in range(8)]
    rules = find_rules(
        evidence_of_one(examples, vocabulary),
        lambda _, words: torch.ones_like(words, dtype=torch.bool),
        alike_in(vocabulary, torch.randn(len(hostile) + 5, 4, generator=torch.Generator().manual_seed(seed))),
    )
    for text in rules.texts(vocabulary):
        if text is None:
            continue
        tokens = [token for token in rules.tokens[0].tolist() if token >= 0]
        assert set(tokens[:3]) <= {token for example in examples for token in example.tokens.values()}
        named_token = NamedToken(int(rules.named_tokens[0]))
        words = [vocabulary.text(token) for token in tokens]
        assert text == (
            f"like {label_text(named_token, words[:3])}" if rules.alike[0] else label_text(named_token, words)
        )
        assert text.isprintable()
        assert "\ufffd" not in text
        assert len(text) <= 100

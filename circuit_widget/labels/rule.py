"""Labels by one written rule from the examples of features: of words that are in the data, and no other ones.

A label names a token by a word: the token at which the feature is active ("Paris"), the next one ("say Paris"), or the one
before ("after Paris"). A word fits if

- it has most of the weight of the examples there, and is in at least three of them: one or two may be chance;
- the feature is active at so many tokens that these can be most of those with the word in all texts: a feature that is
  active at 10 tokens is not one of "the";
- it is active at most of the tokens beside the peaks in the examples that the label names by the word.

The label is the first of these that fits:

1. the token in any case, then in exactly this case ("The" where a sentence begins): what the feature reads, the least that
   can be claimed;
2. the token that follows, if the feature also promotes it: what is written agrees with what comes;
3. the token before;
4. up to three tokens that together have most of the weight and each fit in the other respects;
5. up to three tokens that follow, if the feature promotes each;
6. words that are alike by the model's embeddings, if four of them are at peaks ("like Henry, Emily, Thomas");
7. "first token", if most of the activation is at first tokens of texts, which have no part in all others.

A feature for which none fits has no label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from circuit_widget.examples.batch import BEFORE
from circuit_widget.labels.evidence import Evidence, FirstEvidence
from circuit_widget.labels.similar_words import MOST_ALIKE, AlikeWords
from circuit_widget.labels.vocabulary import Spelling, Vocabulary

LEAST_WEIGHT = 0.6
"""Share of the weight that the words of a label have at least."""

PRECISE = 0.5
"""Share of the tokens named, in the examples and about in all texts, at which the feature is active at least."""

SUPPORT = 3
"""Number of examples in which a word occurs at least."""

NAMED_WORDS = 3
"""Most words of a label."""

ALIKE_AT_ONCE = 1_024
"""Features whose sets of words are compared with all words together."""


class NamedToken(IntEnum):
    """Which token a word of a label is: its place, from the one that the label names."""

    BEFORE = -1
    TOKEN = 0
    NEXT = 1


TEXTS = {NamedToken.TOKEN: "{}", NamedToken.NEXT: "say {}", NamedToken.BEFORE: "after {}"}

FIRST = "first token"
"""The label of what is active behind BOS, or whatever begins the model's prompts."""

LIKE = "like {}"
NAMED_ALIKE = 3
"""How many of the words that are alike a label names."""

ORDER = (
    (NamedToken.TOKEN, Spelling.ANY_CASE, 1),
    (NamedToken.TOKEN, Spelling.EXACT, 1),
    (NamedToken.NEXT, Spelling.ANY_CASE, 1),
    (NamedToken.BEFORE, Spelling.ANY_CASE, 1),
    (NamedToken.TOKEN, Spelling.ANY_CASE, NAMED_WORDS),
    (NamedToken.NEXT, Spelling.ANY_CASE, NAMED_WORDS),
)
"""What is tried, in this order: the named token, with the spelling of its words, and with how many it may have."""

Promotes = Callable[[Int[Tensor, " n"], Int[Tensor, "n named"]], Bool[Tensor, "n named"]]
"""Returns, for rows of the evidence and words, whether the feature promotes each word."""


@dataclass(frozen=True, eq=False)
class Rules:
    """What the labels of features by rule are.

    Attributes:
        found: whether the feature has a label.
        named_tokens: the named token of each.
        alike: whether the words are a set of words that are alike, of which the label has the first.
        first: whether the label names no word, but the first token of texts.
        words: numbers of the words, `tokens` a token of each word; -1 in `tokens` where there are fewer.
    """

    found: Bool[Tensor, " features"]
    named_tokens: Int[Tensor, " features"]
    alike: Bool[Tensor, " features"]
    first: Bool[Tensor, " features"]
    words: Int[Tensor, "features named"]
    tokens: Int[Tensor, "features named"]

    def texts(self, vocabulary: Vocabulary) -> list[str | None]:
        """Return the labels as texts."""
        columns = (self.found, self.first, self.named_tokens, self.alike, self.tokens)
        return [
            FIRST
            if first
            else _text(NamedToken(named_token), [token for token in tokens if token >= 0], vocabulary, alike=alike)
            if found
            else None
            for found, first, named_token, alike, tokens in zip(*(column.tolist() for column in columns), strict=True)
        ]


def _text(named_token: NamedToken, tokens: Sequence[int], vocabulary: Vocabulary, *, alike: bool) -> str:
    words = [vocabulary.text(token) for token in tokens]
    return LIKE.format(label_text(named_token, words[:NAMED_ALIKE])) if alike else label_text(named_token, words)


def label_text(named_token: NamedToken, words: Sequence[str]) -> str:
    """Return the label of a named token with words; signs among them are quoted."""
    listed = ", ".join(word if word[0].isalnum() and "," not in word else f"“{word}”" for word in words)
    return TEXTS[named_token].format(listed)


def find_rules(evidence: Evidence, promotes: Promotes, alike: AlikeWords) -> Rules:
    """Return the labels by rule of features with their examples."""
    count = len(evidence.weights)
    device = evidence.weights.device
    rules = Rules(
        torch.zeros(count, dtype=torch.bool, device=device),
        torch.zeros(count, dtype=torch.long, device=device),
        torch.zeros(count, dtype=torch.bool, device=device),
        torch.zeros(count, dtype=torch.bool, device=device),
        torch.zeros(count, MOST_ALIKE, dtype=torch.long, device=device),
        torch.full((count, MOST_ALIKE), -1, dtype=torch.long, device=device),
    )
    kinds = dict.fromkeys((named_token, spelling) for named_token, spelling, _ in ORDER)
    candidates = {kind: _heaviest(evidence, *kind) for kind in kinds}
    for named_token, spelling, most in ORDER:
        found = candidates[named_token, spelling]
        rows = torch.nonzero(found.fits(most) & ~rules.found)[:, 0]
        used = found.used(most)[rows]
        if named_token is NamedToken.NEXT and len(rows):
            promoted = promotes(rows, found.words[rows, :most])
            chosen = (promoted | ~used[:, :most]).all(1)
            rows, used = rows[chosen], used[chosen]
        rules.found[rows] = True
        rules.named_tokens[rows] = int(named_token)
        rules.words[rows, :NAMED_WORDS] = found.words[rows]
        rules.tokens[rows, :NAMED_WORDS] = torch.where(used, found.tokens[rows], -1)
    _add_alike(rules, evidence, alike)
    _add_first(rules, evidence.first)
    return rules


def _add_first(rules: Rules, first: FirstEvidence) -> None:
    """Add first tokens to the features that have no rule."""
    most = (first.shares >= LEAST_WEIGHT) & (first.active >= max(SUPPORT, PRECISE * first.windows))
    rules.first.logical_or_(most & ~rules.found)
    rules.found.logical_or_(rules.first)


def _add_alike(rules: Rules, evidence: Evidence, alike: AlikeWords) -> None:
    """Add sets of words that are alike to the features that have no rule."""
    for some in torch.nonzero(~rules.found)[:, 0].split(ALIKE_AT_ONCE):
        likely = alike.likely(evidence, some, LEAST_WEIGHT)
        if not len(likely):
            continue
        sets = alike.sets(evidence, likely, LEAST_WEIGHT)
        usable = sets.found & (evidence.active[likely] * sets.shares >= PRECISE * sets.occurrences)
        rows, words, tokens = likely[usable], sets.words[usable], sets.tokens[usable]
        members = evidence.words[Spelling.ANY_CASE][rows]
        named = (
            torch.stack([torch.isin(one, of_set) for one, of_set in zip(members, words, strict=True)])
            if len(rows)
            else members > 0
        )
        precise = _are_precise(evidence, rows, NamedToken.TOKEN, named)
        rows, words, tokens = rows[precise], words[precise], tokens[precise]
        rules.found[rows] = True
        rules.named_tokens[rows] = int(NamedToken.TOKEN)
        rules.alike[rows] = True
        rules.words[rows, : words.shape[1]] = words
        rules.tokens[rows, : words.shape[1]] = tokens


@dataclass(frozen=True, eq=False)
class _HeaviestWords:
    """The heaviest words of a named token: their shares of the weight, and which are supported and precise."""

    words: Int[Tensor, "features named"]
    tokens: Int[Tensor, "features named"]
    shares: Float[Tensor, "features named"]
    usable: Bool[Tensor, "features named"]

    def used(self, most: int) -> Bool[Tensor, "features named"]:
        """Return the first words that together have enough weight."""
        before = self.shares.cumsum(1) - self.shares
        number = torch.arange(self.words.shape[1], dtype=torch.long, device=before.device)
        return (before < LEAST_WEIGHT) & (number < most)

    def fits(self, most: int) -> Bool[Tensor, " features"]:
        """Return where the first words have enough weight, and each is usable."""
        used = self.used(most)
        return ((self.shares * used).sum(1) >= LEAST_WEIGHT) & (self.usable | ~used).all(1)


def _heaviest(evidence: Evidence, named_token: NamedToken, spelling: Spelling) -> _HeaviestWords:
    """Return the heaviest words at a place beside the peaks."""
    place = BEFORE + int(named_token)
    all_words = evidence.words[spelling]
    words, tokens = all_words[:, :, place], evidence.tokens[:, :, place]
    occurrences = evidence.occurrences[spelling][:, :, 1 + int(named_token)]
    nameable = evidence.nameable[:, :, place]
    same = (words[:, :, None] == words[:, None, :]) & nameable[:, None, :]
    weights = evidence.weights * nameable
    shares = (same * weights[:, None, :]).sum(-1)
    support = (same & evidence.fresh[:, None, :]).sum(-1)
    left = nameable.clone()
    everything = torch.arange(len(words), dtype=torch.long, device=words.device)
    found: list[tuple[Tensor, ...]] = []
    for _ in range(NAMED_WORDS):
        # Of one word, the example of most weight has the token that is written in the label.
        first = torch.where(left, shares + 1e-6 * weights, -1.0).argmax(1)
        column = first[:, None]
        word, token, examples, occurrence = (
            torch.gather(column_of, 1, column)[:, 0] for column_of in (words, tokens, support, occurrences)
        )
        share = torch.gather(torch.where(left, shares, 0.0), 1, column)[:, 0]
        frequent = evidence.active * share >= PRECISE * occurrence
        usable = (
            (share > 0)
            & (examples >= SUPPORT)
            & frequent
            & _are_precise(evidence, everything, named_token, all_words == word[:, None, None])
        )
        found.append((word, token, share, usable))
        left &= words != word[:, None]
    return _HeaviestWords(*(torch.stack(parts, 1) for parts in zip(*found, strict=True)))


def _are_precise(
    evidence: Evidence, rows: Int[Tensor, " n"], named_token: NamedToken, match: Bool[Tensor, "n examples context"]
) -> Bool[Tensor, " n"]:
    """Return which features are active at most tokens that match as the named token, apart from the peaks."""
    exists = evidence.tokens[rows] >= 0
    match = match & exists
    named = torch.zeros_like(match)
    width = match.shape[2]
    if named_token is NamedToken.NEXT:
        named[:, :, : width - 1] = match[:, :, 1:]
    elif named_token is NamedToken.BEFORE:
        named[:, :, 1:] = match[:, :, : width - 1]
    else:
        named = match
    named = named & evidence.fresh[rows][:, :, None] & exists
    named[:, :, BEFORE] = False
    hits = (named & (evidence.strengths[rows] > evidence.levels[rows][:, None, None])).sum((1, 2))
    return hits + 1 >= PRECISE * (named.sum((1, 2)) + 1)

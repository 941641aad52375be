"""Evidence made by hand: a tokenizer of given words, and examples with given tokens around their peaks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from tokenizers import Tokenizer as Tokens
from tokenizers import models
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from circuit_widget.examples.batch import BEFORE, CONTEXT
from circuit_widget.examples.layer_state import LayerState
from circuit_widget.labels.evidence import Evidence, FirstEvidence, WordCounts
from circuit_widget.labels.similar_words import AlikeWords
from circuit_widget.labels.vocabulary import Spelling, Vocabulary


def vocabulary_of(words: Sequence[str], *, start: str | None = None) -> Vocabulary:
    """A vocabulary with one token for each word, in their order; `start` is the word that begins all texts."""
    made = Tokens(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token=words[0]))
    return Vocabulary(PreTrainedTokenizerFast(tokenizer_object=made, bos_token=start))


def alike_in(vocabulary: Vocabulary, embeddings: Tensor) -> AlikeWords:
    """The words of texts that have each token with an embedding once."""
    state = LayerState.empty(0, 1, signed=False, device=torch.device("cpu"))
    slots = state.sides[0].strongest.slots
    for token in range(len(embeddings)):
        slots.tokens[0, token // CONTEXT, token % CONTEXT] = token
    return AlikeWords(embeddings, vocabulary, WordCounts(state, vocabulary, n_tokens=len(embeddings)))


def none_alike(vocabulary: Vocabulary) -> AlikeWords:
    """No words, so that none are alike."""
    return alike_in(vocabulary, torch.zeros(0, 2))


@dataclass(frozen=True)
class Made:
    """An example: the tokens around its peak, by their place from it, and further places where it is active."""

    tokens: dict[int, int]
    weight: float = 1.0
    active: tuple[int, ...] = field(default=(0,))


def evidence_of_one(
    examples: Sequence[Made], vocabulary: Vocabulary, occurrences: float = 1.0, first: FirstEvidence | None = None
) -> Evidence:
    """The evidence of a single feature with these examples, all different, that is active at 10 tokens of all texts.

    Unless `first` says otherwise, it is never active at the first token of a text.
    """
    count = len(examples)
    tokens = torch.full((1, count, CONTEXT), -1, dtype=torch.long)
    strengths = torch.zeros(1, count, CONTEXT)
    for number, example in enumerate(examples):
        for place, token in example.tokens.items():
            tokens[0, number, BEFORE + place] = token
        for place in example.active:
            strengths[0, number, BEFORE + place] = 2.0
    weights = torch.tensor([[example.weight for example in examples]])
    words = {spelling: vocabulary.words(tokens, spelling) for spelling in Spelling}
    return Evidence(
        tokens=tokens,
        words=words,
        occurrences={spelling: torch.full((1, count, 3), occurrences) for spelling in Spelling},
        nameable=vocabulary.nameable(tokens),
        strengths=strengths,
        weights=weights / weights.sum(),
        fresh=torch.ones(1, count, dtype=torch.bool),
        levels=torch.zeros(1),
        active=torch.tensor([10.0]),
        first=FirstEvidence(torch.zeros(1), torch.zeros(1), 10) if first is None else first,
    )

"""Which words features promote: those of the tokens whose logits they raise most."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from circuit_widget.labels.vocabulary import Vocabulary
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.transcoder.transcoder_set import TranscoderSet

CARD_TOKENS = 10
"""Number of tokens that a card lists as promoted, and as suppressed."""

LOGITS_AT_ONCE = 1 << 24


def promoted_tokens(
    model: LanguageModel, transcoders: TranscoderSet, layer: int, features: Int[Tensor, " n"], sign: int
) -> Int[Tensor, "n promoted"]:
    """Return the tokens that features promote most with activations of a sign, as their cards list them."""
    rows = transcoders.decoder_rows(layer, features.to(model.layer_device(layer)), layer)
    logits = sign * model.direct_logits(rows, layer, transcoders.output_site)
    found: Tensor = torch.topk(logits, min(CARD_TOKENS, logits.shape[-1])).indices
    return found


def promotes(
    model: LanguageModel,
    transcoders: TranscoderSet,
    vocabulary: Vocabulary,
    layer: int,
    features: Int[Tensor, " n"],
    words: Int[Tensor, "n named"],
    sign: int,
) -> Bool[Tensor, "n named"]:
    """Return which words, by their numbers, are among those that features promote most."""
    found = []
    at_once = max(1, LOGITS_AT_ONCE // model.unembedding.weight.shape[0])
    for some, of_some in zip(features.split(at_once), words.split(at_once), strict=True):
        promoted = vocabulary.words(promoted_tokens(model, transcoders, layer, some, sign).to(words.device))
        found.append((of_some[:, :, None] == promoted[:, None, :]).any(-1))
    return torch.cat(found)

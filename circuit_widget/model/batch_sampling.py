"""Samples of a model, many at once and without interventions, as texts for other purposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from circuit_widget.errors import PromptError
from circuit_widget.model.block import module_device
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.sampling import end_tokens
from circuit_widget.system.linear_backend import fast_products
from circuit_widget.system.plain_torch import inference


def sample_batch(
    model: LanguageModel, start: Sequence[int], count: int, length: int, seed: int
) -> tuple[tuple[int, ...], ...]:
    """Return token ids that a model samples after `start` at temperature 1, `start` included.

    Tokens are drawn on the CPU. A sample ends with an end token, or at `length` tokens.

    Raises:
        PromptError: the model's logits are not finite.
    """
    device = module_device(model.network.get_input_embeddings())
    generator = torch.Generator(device="cpu").manual_seed(seed)
    ends = torch.tensor(sorted(end_tokens(model)), dtype=torch.long, device="cpu")
    tokens = torch.tensor([list(start)] * count, dtype=torch.long, device="cpu")
    ended = torch.zeros(count, dtype=torch.bool, device="cpu")
    cache: Any = None
    given = tokens
    with inference(), fast_products(model.linear_maps):
        while tokens.shape[1] < length and not bool(ended.all()):
            network: Any = model.network
            output = network(input_ids=given.to(device), past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache = output.past_key_values
            logits = output.logits[:, -1].float().cpu()
            if not bool(torch.isfinite(logits).all()):
                raise PromptError("The model's logits for its own samples are not finite; try another dtype.")
            given = torch.multinomial(torch.softmax(logits, dim=-1), 1, generator=generator)
            # What follows an end token is drawn as well, so that the other samples stay the same, and cut below.
            ended |= torch.isin(given[:, 0], ends)
            tokens = torch.cat([tokens, given], 1)
    return tuple(_until_end(row, len(start), frozenset(ends.tolist())) for row in tokens.tolist())


def _until_end(row: list[int], start: int, ends: frozenset[int]) -> tuple[int, ...]:
    last = next((place for place in range(start, len(row)) if row[place] in ends), len(row) - 1)
    return tuple(row[: last + 1])

"""A labeller that a chat model of transformers is: it writes a label from the card of a feature."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, Protocol

import torch

from circuit_widget.arguments import FORBIDDEN_CHARACTERS, of_type, quoted, whole_number
from circuit_widget.characters import shortened
from circuit_widget.errors import LoadError
from circuit_widget.examples.record import Example
from circuit_widget.labels.label import LONGEST_LABEL
from circuit_widget.model.language_model import Network
from circuit_widget.model.tokens.tokenizer import TokenizerChoice, read_tokenizer
from circuit_widget.system.plain_torch import inference

EXAMPLES = 8
"""Most examples in a prompt."""

MARKED = 0.5
"""Share of an example's peak from which a token is marked."""

TASK = (
    "A feature in a language model is active at the tokens that are marked «like this» in the texts below.{promoted}\n\n"
    "{examples}\n\n"
    "What do the marked tokens, or the texts around them, have in common? Answer with a label of at most ten words, and "
    "nothing else."
)
PROMOTED = " It makes these next tokens more likely: {tokens}."


class LabelledCard(Protocol):
    """The parts of a FeatureCard that a prompt has."""

    @property
    def examples(self) -> tuple[Example, ...]: ...

    @property
    def lowest(self) -> tuple[Example, ...]: ...

    @property
    def promoted(self) -> Sequence[tuple[str, float]]: ...

    @property
    def negative(self) -> bool: ...


class ChatLabeller:
    """Writes labels with a chat model of transformers, as the `labeller` of `label_features`.

    The model runs here, and nothing is sent anywhere. It generates greedily from a prompt with the feature's examples, in
    which the tokens are marked at which the feature is active, and the tokens that it promotes; the first line of what it
    writes is the label. A small model writes poor labels, one of 135 million parameters none of use: read some of them before
    you rely on any.
    """

    def __init__(self, model: Network, tokenizer: TokenizerChoice, *, max_new_tokens: int = 24) -> None:
        """`model` is a model of transformers that generates, `tokenizer` its own, or the directory of it.

        Raises:
            LoadError: the model cannot generate, or the tokenizer is none.
        """
        of_type(model, Network, "model is a model of transformers that generates text", LoadError)
        if not callable(getattr(model, "generate", None)):
            raise LoadError(
                f"model is {quoted(type(model).__name__)}, which cannot generate; give one for causal language."
            )
        read = read_tokenizer(tokenizer)
        if read is None:
            raise LoadError("tokenizer is None; give the model's own, or its directory.")
        self._model: Any = model
        self._tokenizer: Any = read
        self._max_new_tokens = whole_number(max_new_tokens, "max_new_tokens", LoadError, least=1)
        path = getattr(getattr(model, "config", None), "_name_or_path", "")
        self.name = PurePath(path).name if isinstance(path, str) and path else type(model).__name__

    def __call__(self, card: LabelledCard) -> str:
        """Return a label for a feature, empty where the model writes nothing."""
        return cleaned(self._generated(prompt_for(card)))

    def _generated(self, prompt: str) -> str:
        messages = [{"role": "user", "content": prompt}]
        has_template = bool(getattr(self._tokenizer, "chat_template", None))
        text = (
            self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            if has_template
            else f"{prompt}\n\nLabel:"
        )
        device = next(self._model.parameters()).device
        ids = self._tokenizer(text, add_special_tokens=not has_template)["input_ids"]
        given = torch.tensor([ids], dtype=torch.long, device=device)
        pad = self._tokenizer.pad_token_id
        with inference():
            written = self._model.generate(
                input_ids=given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=self._max_new_tokens,
                do_sample=False,
                num_beams=1,
                pad_token_id=self._tokenizer.eos_token_id if pad is None else pad,
            )
        return str(self._tokenizer.decode(written[0, len(ids) :].tolist(), skip_special_tokens=True))


def prompt_for(card: LabelledCard) -> str:
    """Return the prompt for a feature: its examples, and the tokens that it promotes."""
    examples = card.lowest if card.negative else card.examples
    listed = "\n".join(f"{number}. {_marked(one)}" for number, one in enumerate(examples[:EXAMPLES], 1))
    tokens = ", ".join(f"“{_line(token)}”" for token, _ in card.promoted)
    return TASK.format(
        examples=listed or "(there are no texts)", promoted=PROMOTED.format(tokens=tokens) if tokens else ""
    )


def _marked(example: Example) -> str:
    peak = max(map(abs, example.activations), default=0.0)
    sign = 1 if max(example.activations, default=0.0) == peak else -1
    parts = []
    for token, activation in zip(example.tokens, example.activations, strict=True):
        marked = peak > 0 and sign * activation >= MARKED * peak
        text = token.strip() if marked else token
        parts.append(f"{token[: len(token) - len(token.lstrip())]}«{text}»" if marked and text else token)
    # Tokens of words have no space before them in tokenizers that split at spaces.
    between = "" if any(token[:1].isspace() for token in example.tokens) else " "
    return _line(between.join(parts))


def _line(text: str) -> str:
    return FORBIDDEN_CHARACTERS.sub(" ", text).strip()


def cleaned(written: str) -> str:
    """Return the first line of what a model wrote, without quotes, list signs and "Label:", at most 200 characters."""
    lines = [FORBIDDEN_CHARACTERS.sub(" ", line).strip() for line in written.splitlines()]
    line = next((line for line in lines if line), "")
    line = line.strip(" *#-•\"'“”`")
    if line.lower().startswith("label:"):
        line = line[len("label:") :].strip(" *\"'“”`")
    return shortened(line, LONGEST_LABEL)

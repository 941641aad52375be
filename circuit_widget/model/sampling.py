"""Letting the model go on from a prompt, token by token, as it is or with something changed in every step."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypedDict

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.arguments import check_callable, finite_number, whole_number
from circuit_widget.errors import Cancelled, PromptError
from circuit_widget.model.block import Block, module_device
from circuit_widget.model.capture import first, watch_reading
from circuit_widget.model.generation import Generation, SampledToken
from circuit_widget.model.hooks import Hooks
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.tokens.prompt import Prompt, check_embedded
from circuit_widget.model.tokens.tokenizer import token_text
from circuit_widget.nodes import PromptToken
from circuit_widget.progress import IsCancelled, ProgressChoice
from circuit_widget.system.plain_torch import inference

MOST_SEED = 2**63 - 1

COLDEST = float(torch.finfo(torch.float32).tiny)
"""Logits are divided by at least this: less would be 0 in their type."""


class Options(TypedDict, total=False):
    """What `ReplacementModel.generate` takes beside a prompt and interventions; it says there what each means."""

    new_tokens: bool
    max_new_tokens: int
    temperature: float
    seed: int | None
    on_token: Callable[[SampledToken], None] | None
    progress: ProgressChoice
    cancelled: IsCancelled | None


class StepEdit(Protocol):
    """What is changed in each step of a generation, where features of `input_site` and `output_site` read and write."""

    @property
    def input_site(self) -> str:
        """Where features read."""

    @property
    def output_site(self) -> str:
        """Where features write."""

    def __call__(
        self, layer: int, x: Float[Tensor, "batch rows d_model"], first_position: int
    ) -> Float[Tensor, "batch rows d_model"] | None:
        """Return what is added to what features write at a layer, given what they read from `first_position` on."""


def generate(
    model: LanguageModel,
    prompt: Prompt,
    edits: Sequence[StepEdit | None] = (None,),
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int | None = None,
    on_token: Callable[[SampledToken], None] | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: IsCancelled | None = None,
) -> tuple[Generation, ...]:
    """Continue a prompt until the model ends it, `max_new_tokens` are sampled, or its context is full, once for each edit.

    At temperature 0 the likeliest token is taken each time; above it tokens are drawn from the logits divided by it,
    on the CPU, so that a seed draws the same on every device. Keys and values are kept from token to token. The
    generations grow side by side, a token each in turn, and draw with the same random numbers.

    Raises:
        PromptError: a number out of range, a prompt that fills the context, or logits that are not finite.
        LoadError: something was put on the model's modules since it was loaded that its runs do not allow for.
        Cancelled: `cancelled()` became true between two tokens.
    """
    max_new_tokens = whole_number(max_new_tokens, "max_new_tokens", PromptError, least=1)
    temperature = finite_number(temperature, "temperature, 0 for the likeliest token,", PromptError, least=0)
    if seed is not None:
        seed = whole_number(seed, "seed, or None,", PromptError, most=MOST_SEED)
    check_callable(on_token, "on_token is a function that is given each token,", PromptError)
    model.refresh()
    room = model.context_length - len(prompt)
    if room < 1:
        raise PromptError(f"The prompt has {len(prompt)} tokens and fills the model's context; shorten it.")
    count = min(max_new_tokens, room)
    if temperature > 0 and seed is None:
        seed = secrets.randbelow(MOST_SEED)
    growing = [_Growing(model, prompt, edit, _Draw(temperature, seed), count) for edit in edits]
    for place in range(count):
        for one in growing:
            if one.is_done:
                continue
            if cancelled is not None and any(other.sampled for other in growing) and cancelled():
                raise Cancelled("The generation was cancelled.")
            token = one.step()
            if on_token is not None:
                on_token(token)
            if progress is not None:
                progress(_done(growing, place, count))
    return tuple(_result(model, prompt, one, temperature, seed) for one in growing)


class _Draw:
    """Takes one token from logits: the likeliest at temperature 0, else by chance."""

    def __init__(self, temperature: float, seed: int | None) -> None:
        self._temperature = temperature
        self._generator = torch.Generator(device="cpu")
        if seed is not None:
            self._generator.manual_seed(seed)

    def __call__(self, logits: Float[Tensor, " vocabulary"]) -> int:
        if self._temperature == 0:
            return int(logits.argmax())
        warmed = torch.softmax((logits - logits.max()) / max(self._temperature, COLDEST), dim=-1)
        return int(torch.multinomial(warmed, 1, generator=self._generator))


class _Growing:
    """A generation as it grows: the tokens so far, with the keys and values of all that the model was given."""

    def __init__(self, model: LanguageModel, prompt: Prompt, edit: StepEdit | None, draw: _Draw, count: int) -> None:
        self.sampled: list[SampledToken] = []
        self._model = model
        self._edit = edit
        self._draw = draw
        self._count = count
        self._ends = _ends(model)
        self._fed: Sequence[int] = prompt.token_ids
        self._position = 0
        self._cache: Any = None

    @property
    def ended(self) -> bool:
        """Whether the last token ends a text."""
        return bool(self.sampled) and self.sampled[-1].token_id in self._ends

    @property
    def is_done(self) -> bool:
        """Whether no token is to come."""
        return self.ended or len(self.sampled) == self._count

    def step(self) -> SampledToken:
        """Sample the next token."""
        with inference():
            logits = self._logits()
            token = self._draw(logits)
            probability = float(torch.softmax(logits, dim=-1)[token])
        text = token_text(self._model.tokenizer, token)
        self.sampled.append(SampledToken(text, token, probability, len(self.sampled), self._edit is not None))
        self._fed = (token,)
        return self.sampled[-1]

    def _logits(self) -> Float[Tensor, " vocabulary"]:
        """Run the model on what it was not given yet; float32 on the CPU."""
        network = self._model.network
        check_embedded(self._model.tokenizer, self._fed, self._model.n_embeddings)
        with Hooks() as hooks:
            if self._edit is not None:
                _watch(hooks, self._model, self._edit, self._position)
            output: Any = network(
                input_ids=torch.tensor(
                    [self._fed], dtype=torch.long, device=module_device(network.get_input_embeddings())
                ),
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
        self._cache = output.past_key_values
        self._position += len(self._fed)
        logits: Tensor = output.logits[0, -1].float().cpu()
        if not bool(torch.isfinite(logits).all()):
            steered = "" if self._edit is None else " under these interventions"
            remedy = "try another dtype, or check its weights" if self._edit is None else "use smaller values"
            raise PromptError(f"The model's logits for this prompt{steered} are not finite; {remedy}.")
        return logits


def _watch(hooks: Hooks, model: LanguageModel, edit: StepEdit, first_position: int) -> None:
    """Make every layer add what `edit` returns for it to what features write there."""

    def watch(layer: int, block: Block) -> None:
        read: dict[str, Tensor] = {}

        def write(_: tuple[Any, ...], output: Any) -> Any:
            added = edit(layer, read["x"], first_position)
            if added is None:
                return None
            written: Tensor = first(output)
            changed = written + added.to(written.device, written.dtype)
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        watch_reading(hooks, block, model.sites.norm, edit.input_site, lambda x: read.update(x=x))
        hooks.after(block.writer(edit.output_site), write)

    for layer, block in enumerate(model.blocks):
        watch(layer, block)


def _done(growing: Sequence[_Growing], place: int, count: int) -> float:
    """Return the share of tokens that are there; one that ended early has all of its."""
    there = sum(count if one.is_done else min(len(one.sampled), place + 1) for one in growing)
    return there / (count * len(growing))


def _result(model: LanguageModel, prompt: Prompt, grown: _Growing, temperature: float, seed: int | None) -> Generation:
    said = [PromptToken(token.text, token.token_id) for token in grown.sampled]
    return Generation(
        tokens=(*(PromptToken(text, token) for text, token in zip(prompt.texts, prompt.token_ids, strict=True)), *said),
        n_prompt=len(prompt),
        text=str(model.tokenizer.decode([token.token_id for token in said], skip_special_tokens=True)),
        probabilities=tuple(token.probability for token in grown.sampled),
        temperature=float(temperature),
        seed=seed if temperature > 0 else None,
        ended=grown.ended,
    )


def _ends(model: LanguageModel) -> frozenset[int]:
    """Return the tokens that end a text, as the model's generation settings name them, else its tokenizer."""
    settings: Any = model.network.generation_config
    named = settings.eos_token_id if settings is not None else None
    if named is None:
        named = model.tokenizer.eos_token_id
    listed = [] if named is None else [named] if isinstance(named, int) else named
    return frozenset(int(token) for token in listed)

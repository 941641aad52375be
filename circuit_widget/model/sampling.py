"""Generation: the model samples token after token, without interventions or with an edit of every step."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

import torch
from jaxtyping import Float
from torch import Tensor

from circuit_widget.arguments import check_callable, finite_number, whole_number
from circuit_widget.characters import repaired
from circuit_widget.errors import Cancelled, PromptError
from circuit_widget.model.block import Block, module_device
from circuit_widget.model.capture import first, hook_input_site
from circuit_widget.model.hooks import Hooks
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.probability import probabilities_of
from circuit_widget.model.tokens.prompt import Prompt, check_embedded
from circuit_widget.model.tokens.tokenizer import token_text
from circuit_widget.progress import IsCancelled, ProgressChoice
from circuit_widget.system.plain_torch import inference

MOST_SEED = 2**63 - 1

COLDEST = float(torch.finfo(torch.float32).tiny)
"""Logits are divided by at least this: less would be 0 in their type."""


@dataclass(frozen=True)
class SampledToken:
    """One sampled token.

    `probability` is the one in the model's own distribution, before temperature. `index` counts the sampled tokens from
    0. `steered` is true for a token sampled under interventions.
    """

    text: str
    token_id: int
    probability: float
    index: int
    steered: bool = False


@dataclass(frozen=True)
class Sample:
    """The tokens that a model sampled after a prompt, and how.

    `text` is without special tokens; `seed` is None where the temperature is 0; `ended` is true where the last token is
    one of the model's end tokens.
    """

    tokens: tuple[SampledToken, ...]
    text: str
    temperature: float
    seed: int | None
    ended: bool


class Options(TypedDict, total=False):
    """Keyword arguments of `ReplacementModel.generate` other than interventions; its docstring describes them."""

    new_tokens: bool
    max_new_tokens: int
    temperature: float
    seed: int | None
    on_token: Callable[[SampledToken], None] | None
    progress: ProgressChoice
    cancelled: IsCancelled | None


class StepEdit(Protocol):
    """An edit of every step of a generation: it adds to the output of features, given their input.

    `input_site` and `output_site` are the sites where these features read and write.
    """

    @property
    def input_site(self) -> str:
        """Where features read."""

    @property
    def output_site(self) -> str:
        """Where features write."""

    def __call__(
        self, layer: int, x: Float[Tensor, "batch rows d_model"], first_position: int
    ) -> Float[Tensor, "batch rows d_model"] | None:
        """Return what to add at the output site of a layer, given the values `x` at its input site.

        The rows of `x` are the positions from `first_position` on. None adds nothing.
        """


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
) -> tuple[Sample, ...]:
    """Sample tokens after a prompt once for each edit, until an end token, `max_new_tokens`, or a full context.

    At temperature 0 the likeliest token is taken each time. Above 0, tokens are drawn from the logits divided by the
    temperature, on the CPU, so that a seed draws the same tokens on every device. Keys and values are cached. The samples
    advance in turn, one token each, and draw with the same random numbers.

    Raises:
        PromptError: a number out of range, a prompt that fills the context, or logits that are not finite.
        LoadError: the model's modules were changed after loading in a way that its runs do not support.
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
    samplers = [_Sampler(model, prompt, edit, _Draw(temperature, seed), count) for edit in edits]
    for index in range(count):
        for sampler in samplers:
            if sampler.is_done:
                continue
            if cancelled is not None and any(other.sampled for other in samplers) and cancelled():
                raise Cancelled("The generation was cancelled.")
            token = sampler.step()
            if on_token is not None:
                on_token(token)
            if progress is not None:
                progress(_fraction_done(samplers, index, count))
    return tuple(_sample_of(model, sampler, temperature, seed) for sampler in samplers)


class _Draw:
    """Chooses one token from logits: the likeliest at temperature 0, else a random one."""

    def __init__(self, temperature: float, seed: int | None) -> None:
        self._temperature = temperature
        self._generator = torch.Generator(device="cpu")
        if seed is not None:
            self._generator.manual_seed(seed)

    def __call__(self, logits: Float[Tensor, " vocabulary"]) -> int:
        if self._temperature == 0:
            return int(logits.argmax())
        probabilities = torch.softmax((logits - logits.max()) / max(self._temperature, COLDEST), dim=-1)
        return int(torch.multinomial(probabilities, 1, generator=self._generator))


class _Sampler:
    """Samples tokens after one prompt under one edit; keeps them, and the keys and values of all positions run so far."""

    def __init__(self, model: LanguageModel, prompt: Prompt, edit: StepEdit | None, draw: _Draw, count: int) -> None:
        self.sampled: list[SampledToken] = []
        self._model = model
        self._edit = edit
        self._draw = draw
        self._count = count
        self._end_tokens = end_tokens(model)
        self._next_input: Sequence[int] = prompt.token_ids
        self._position = 0
        self._cache: Any = None

    @property
    def ended(self) -> bool:
        """Whether the last sampled token is an end token."""
        return bool(self.sampled) and self.sampled[-1].token_id in self._end_tokens

    @property
    def is_done(self) -> bool:
        """Whether it samples no further token."""
        return self.ended or len(self.sampled) == self._count

    def step(self) -> SampledToken:
        """Sample the next token."""
        with inference():
            logits = self._logits()
            token = self._draw(logits)
            probability = float(probabilities_of(logits)[token])
        text = token_text(self._model.tokenizer, token)
        self.sampled.append(SampledToken(text, token, probability, len(self.sampled), self._edit is not None))
        self._next_input = (token,)
        return self.sampled[-1]

    def _logits(self) -> Float[Tensor, " vocabulary"]:
        """Run the model on the tokens it has not run on yet, and return the last logits; float32 on the CPU."""
        network = self._model.network
        check_embedded(self._model.tokenizer, self._next_input, self._model.n_embeddings)
        with Hooks() as hooks:
            if self._edit is not None:
                _hook_edit(hooks, self._model, self._edit, self._position)
            output: Any = network(
                input_ids=torch.tensor(
                    [self._next_input], dtype=torch.long, device=module_device(network.get_input_embeddings())
                ),
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
            )
        self._cache = output.past_key_values
        self._position += len(self._next_input)
        logits: Tensor = output.logits[0, -1].float().cpu()
        if not bool(torch.isfinite(logits).all()):
            steered = "" if self._edit is None else " under these interventions"
            remedy = "try another dtype, or check its weights" if self._edit is None else "use smaller values"
            raise PromptError(f"The model's logits for this prompt{steered} are not finite; {remedy}.")
        return logits


def _hook_edit(hooks: Hooks, model: LanguageModel, edit: StepEdit, first_position: int) -> None:
    """Set hooks that add, at every layer, the edit's result to the values at its output site."""

    def hook_layer(layer: int, block: Block) -> None:
        read: dict[str, Tensor] = {}

        def write(_: tuple[Any, ...], output: Any) -> Any:
            added = edit(layer, read["x"], first_position)
            if added is None:
                return None
            written: Tensor = first(output)
            changed = (written + added.to(written.device, written.dtype)).view_as(written)
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        hook_input_site(hooks, block, model.sites.norm, edit.input_site, lambda x: read.update(x=x), batch=1)
        hooks.after(block.writer(edit.output_site), write)

    for layer, block in enumerate(model.blocks):
        hook_layer(layer, block)


def _fraction_done(samplers: Sequence[_Sampler], index: int, count: int) -> float:
    """Return the share of tokens sampled so far; a sampler that ended early counts as complete."""
    sampled = sum(count if sampler.is_done else min(len(sampler.sampled), index + 1) for sampler in samplers)
    return sampled / (count * len(samplers))


def _sample_of(model: LanguageModel, sampler: _Sampler, temperature: float, seed: int | None) -> Sample:
    text = str(model.tokenizer.decode([token.token_id for token in sampler.sampled], skip_special_tokens=True))
    return Sample(
        tokens=tuple(sampler.sampled),
        text=repaired(text),
        temperature=float(temperature),
        seed=seed if temperature > 0 else None,
        ended=sampler.ended,
    )


def end_tokens(model: LanguageModel) -> frozenset[int]:
    """Return the ids of the end tokens in the model's generation settings, else the one of its tokenizer."""
    settings: Any = model.network.generation_config
    named = settings.eos_token_id if settings is not None else None
    if named is None:
        named = model.tokenizer.eos_token_id
    listed = [] if named is None else [named] if isinstance(named, int) else named
    return frozenset(int(token) for token in listed)

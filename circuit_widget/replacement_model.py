"""A language model with its transcoders: what a user loads, traces and intervenes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, Unpack, overload

import torch

from circuit_widget.attribution.targets import TargetChoice, choose_targets
from circuit_widget.errors import InterventionError
from circuit_widget.feature_card import FeatureCard, FeatureCards
from circuit_widget.graph import JSON, Graph
from circuit_widget.graph.given import given_graph
from circuit_widget.intervention.execution.graph_features import LatestWatched
from circuit_widget.intervention.execution.steering import Steering, given_new_tokens, steer
from circuit_widget.intervention.intervening import align, intervene, intervene_many
from circuit_widget.intervention.kinds import Intervention, intervention_tuple
from circuit_widget.intervention.studies.controls import controls
from circuit_widget.intervention.studies.faithfulness import faithfulness
from circuit_widget.intervention.studies.group_sweep import sweep_groups
from circuit_widget.intervention.studies.steered_generation import SteeredGeneration
from circuit_widget.intervention.studies.strength_sweep import sweep, sweep_last_layer
from circuit_widget.intervention.studies.validation import validate
from circuit_widget.model.closed import Closed
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.running import runs_model
from circuit_widget.model.sampling import Options, SampledToken, generate
from circuit_widget.model.tokens.prompt import (
    Bounds,
    Prompt,
    PromptInput,
    first_position,
    ids_of,
    prompt_of,
    read_prompt,
)
from circuit_widget.nodes import PromptToken
from circuit_widget.progress import IsCancelled, ProgressChoice, reporting
from circuit_widget.system.memory import within_memory
from circuit_widget.tracing.activations import Activations
from circuit_widget.tracing.checking import fidelity, verify
from circuit_widget.tracing.estimate import Estimate, estimate_run, require_limit
from circuit_widget.tracing.generation import Generation, generation_of, trace_request
from circuit_widget.tracing.provenance import recipe_of
from circuit_widget.tracing.reading import reading_of
from circuit_widget.tracing.run import Run
from circuit_widget.tracing.runs import Runs
from circuit_widget.tracing.trace import trace_run
from circuit_widget.transcoder.transcoder_set import TranscoderSet

Interventions: TypeAlias = Sequence[Intervention] | Intervention


class ReplacementModel:
    """A language model with a transcoder for each of its MLPs.

    One run at a time: every method that runs the model holds `lock`. `cancelled` callables are asked between layers and
    end the run with Cancelled. `progress` is a callable given the fraction done and a few words, None or True for a bar
    that shows when a run takes more than a second, False for nothing.
    """

    def __init__(
        self,
        model: LanguageModel,
        transcoders: TranscoderSet,
        records: Path | None = None,
        provenance: Mapping[str, JSON] | None = None,
        source: tuple[str, str | None] | None = None,
        sites: Mapping[str, str] | None = None,
    ) -> None:
        """`records` is the directory beside whose transcoders the features' examples and labels lie.

        `provenance` says where model and transcoders came from; it goes into the recipe of every graph. `source` are the
        names that `load` takes to load them again, None where the model was given to it. `sites` are the input_site and
        output_site that were given to it; they go into the recipe, too.
        """
        self.model = model
        self.source = source
        self.transcoders = transcoders
        self.lock = threading.RLock()
        self._cards = FeatureCards(model, transcoders, records)
        self._runs = Runs(model, transcoders)
        self._watched = LatestWatched()
        self._provenance = dict(provenance or {})
        self._sites = dict(sites or {})

    # Functions of the room they belong to; each is a method here, with this model as its first argument.
    intervene = intervene
    intervene_many = intervene_many
    align = align
    controls = controls
    sweep = sweep
    sweep_last_layer = sweep_last_layer
    sweep_groups = sweep_groups
    faithfulness = faithfulness
    validate = validate
    verify = verify
    fidelity = fidelity

    def __repr__(self) -> str:
        if self.closed:
            return "ReplacementModel(closed)"
        return f"ReplacementModel({self.name!r}, transcoders={self.transcoders.name!r}, device={str(self.device)!r})"

    @property
    def name(self) -> str:
        """Name of the language model."""
        return self.model.name

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the model's weights; transcoders and edges are float32 whatever it is."""
        return self.model.dtype

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return self.model.n_layers

    def tokenize(self, prompt: PromptInput) -> tuple[PromptToken, ...]:
        """Return the tokens a prompt is run as: BOS (or what stands for it) included.

        Raises:
            PromptError: empty, too long, a word the model does not know (names the nearest known), not a token id, or
                messages that are malformed or that the tokenizer has no template for.
        """
        read = self.read_prompt(prompt)
        return tuple(PromptToken(text, token) for text, token in zip(read.texts, read.token_ids, strict=True))

    @within_memory("Keep fewer features with max_features, trace a shorter prompt, or free memory.")
    @runs_model
    def trace(
        self,
        prompt: PromptInput | Generation,
        *,
        targets: Sequence[TargetChoice] | TargetChoice | None = None,
        position: int = -1,
        token: int | None = None,
        max_features: int | None = None,
        step: int | None = None,
        progress: ProgressChoice = None,
        cancelled: IsCancelled | None = None,
    ) -> Graph:
        """Return the attribution graph of a prompt (Ameisen et al. 2025, "Circuit Tracing").

        Attention patterns and norm denominators are frozen at their values on this prompt; each MLP is its transcoder's
        active features plus a constant error. Features at the first position are left out.

        Args:
            prompt: a text, token ids, the messages of a conversation, or what `generate` returned.
            targets: what is explained, a list of token texts, token ids, `Contrast`s or `Direction`s; by default the
                ten most likely tokens, or fewer that hold 0.95 of the probability, and of a generation the token that
                was sampled.
            position: where the next token is explained; -1 is the last one.
            token: which sampled token of a generation is explained, from 0; -1 is the last one.
            max_features: keep the features with most influence; the others join the error of their layer and position.
                By default all, if memory allows.
            step: with max_features, how many are chosen before all are ranked anew.

        Raises:
            PromptError: the prompt, a target, the position or max_features cannot be used.
            OutOfMemory: the memory of a device, or of the machine, is full.
            Cancelled: `cancelled()` became true.
        """
        started = time.perf_counter()
        max_features, step = require_limit(max_features, "max_features"), require_limit(step, "step")
        with reporting(progress) as report:
            report(0.0, "Running the model")
            request = trace_request(prompt, position, token, self.prompt_of)
            run = self._runs.of(self.read_prompt(request.prompt), request.position, cancelled)
            chosen = choose_targets(reading_of(self.model, run), targets, sampled=request.sampled)
            report(0.2, "Following edges")
            graph = trace_run(
                run,
                chosen,
                max_features=max_features,
                step=step,
                progress=lambda done: report(0.2 + 0.75 * done, "Following edges"),
                cancelled=cancelled,
            )
            labels = self._labels(graph)
            report(1.0, "Traced")
        recipe = recipe_of(self.model, self.transcoders, run, chosen, files=self._provenance, started=started)
        typed = {"prompt": request.prompt} if isinstance(request.prompt, str) else {}
        return replace(
            graph,
            labels=labels,
            recipe={**graph.recipe, **recipe, **self._sites, **typed, **request.recipe},
            model=self,
        )

    @runs_model
    def estimate(
        self,
        prompt: PromptInput | Generation,
        *,
        targets: Sequence[TargetChoice] | TargetChoice | None = None,
        position: int = -1,
        token: int | None = None,
        max_features: int | None = None,
    ) -> Estimate:
        """Return what `trace` with the same arguments will take: nodes, memory, seconds, and whether it fits.

        The model runs once, as it would for the trace, which then need not run it again.

        Raises:
            PromptError: as `trace` does.
        """
        request = trace_request(prompt, position, token, self.prompt_of)
        run = self._runs.of(self.read_prompt(request.prompt), request.position)
        chosen = choose_targets(reading_of(self.model, run), targets, sampled=request.sampled)
        return estimate_run(run, len(chosen), max_features)

    @overload
    def generate(
        self, prompt: PromptInput, *, interventions: None = None, **options: Unpack[Options]
    ) -> Generation: ...

    @overload
    def generate(
        self, prompt: PromptInput, *, interventions: Interventions, **options: Unpack[Options]
    ) -> SteeredGeneration: ...

    @within_memory("Generate fewer tokens, from a shorter prompt, or free memory.")
    @runs_model
    def generate(
        self,
        prompt: PromptInput,
        *,
        interventions: Interventions | None = None,
        new_tokens: bool = False,
        max_new_tokens: int = 32,
        temperature: float = 0.0,
        seed: int | None = None,
        on_token: Callable[[SampledToken], None] | None = None,
        progress: ProgressChoice = None,
        cancelled: IsCancelled | None = None,
    ) -> Generation | SteeredGeneration:
        """Return what the model goes on to say, with the probability of each token; any of them can be traced.

        With interventions, it is said twice, as the model is and with features changed (nothing else is frozen), a token
        each in turn and with the same random numbers. Their nodes are features at positions of the prompt, `Everywhere`
        for all of these, or ids of features that are active on the prompt.

        Args:
            prompt: a text, token ids, or the messages of a conversation.
            interventions: what is done to features while the model generates.
            new_tokens: do the same to these features on every generated token, where Scale and Add start from the
                activation that a feature has there; otherwise only the prompt is changed.
            max_new_tokens: where to stop if the model does not end its answer, nor its context is full, before.
            temperature: 0 takes the likeliest token each time; above it tokens are drawn, from the logits divided by it.
            seed: of the drawing; without one a new seed is taken, and kept in the result.
            on_token: is given each token as soon as it is sampled.

        Raises:
            PromptError: the prompt cannot be used, or a number is out of range.
            InterventionError, NodeError: as `intervene` does; `new_tokens` without interventions, or with SwapIn.
            OutOfMemory: the memory of a device, or of the machine, is full.
            Cancelled: `cancelled()` became true between two tokens.
        """
        new_tokens = given_new_tokens(new_tokens, interventions)
        with reporting(progress) as report:
            read = self.read_prompt(prompt)
            listed = () if interventions is None else intervention_tuple(interventions)
            steering: list[Steering] = []
            if interventions is not None:
                run = self._runs.of(read, -1, cancelled)
                steering = [
                    steer(
                        listed,
                        run,
                        self.transcoders,
                        self._elsewhere,
                        new_tokens=new_tokens,
                    )
                ]
            samples = generate(
                self.model,
                read,
                (None, *steering),
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                seed=seed,
                on_token=on_token,
                progress=lambda done: report(done, "Generating"),
                cancelled=cancelled,
            )
        unsteered = generation_of(read, samples[0], self)
        if interventions is None:
            return unsteered
        steering_json = {"interventions": [one.to_json() for one in listed], "new_tokens": new_tokens}
        steered = replace(generation_of(read, samples[1], self), steering=steering_json)
        return SteeredGeneration(unsteered, steered, listed, new_tokens)

    @runs_model
    def _activations_of(self, graph: Graph, *, cancelled: IsCancelled | None = None) -> Activations:
        """Return the active features of a graph's prompt, up to its traced position."""
        return self._run_of(graph, cancelled).activations

    @runs_model
    def activations(self, prompt: PromptInput) -> Activations:
        """Return the active features of a prompt, as a mapping Feature -> activation (BOS left out).

        Raises:
            PromptError: the prompt cannot be used.
        """
        return self._runs.of(self.read_prompt(prompt), -1).activations

    def feature_card(self, layer: int, feature: int) -> FeatureCard:
        """Return what is known of a feature: examples, and the tokens it promotes and suppresses.

        Raises:
            NodeError: there is no such feature.
        """
        self.model.refresh()
        return self._cards.card(layer, feature)

    def forget(self) -> None:
        """Drop the forward passes kept from earlier traces, and what was kept of the model's weights.

        A model whose weights change is noticed by itself, unless a few numbers are written through `tensor.data`.
        """
        with self.lock:
            self.model.forget()
            self._runs.forget()

    @property
    def closed(self) -> bool:
        """Whether `close` was called; all that runs the model is then refused with NoModelError."""
        return isinstance(self.model, Closed)

    def close(self) -> None:
        """Let go of the model, its transcoders and all that was kept of earlier runs, and give their memory back.

        Waits for a run under way. Graphs stay as they are, and can be shown and saved; a network that was handed to
        `load` stays with whoever holds it.
        """
        with self.lock:
            closed: Any = Closed()
            on_gpu = not self.closed and self.device.type == "cuda"
            self.model = self.transcoders = self._cards = self._runs = closed
            if on_gpu:
                torch.cuda.empty_cache()

    def read_prompt(self, prompt: PromptInput) -> Prompt:
        """Return the token ids and texts a prompt is run as; see `tokenize`."""
        return read_prompt(self.model.tokenizer, prompt, **self._bounds())

    def prompt_of(self, tokens: Sequence[PromptToken]) -> Prompt:
        """Return the prompt of exactly these tokens, as a graph or a generation has them: nothing is put in front.

        Raises:
            PromptError: there are too many tokens, or the model has no embedding of one.
        """
        return prompt_of(self.model.tokenizer, ids_of(tokens), **self._bounds())

    def _bounds(self) -> Bounds:
        return {
            "vocabulary_size": self.model.n_embeddings,
            "context_length": self.model.context_length,
            "first_position": first_position(self.model.network.config),
        }

    def _run_of(self, graph: Graph, cancelled: IsCancelled | None) -> Run:
        """Return the run that a graph was traced from, checked against the graph where another process traced it."""
        ids = [token.token_id for token in given_graph(graph, InterventionError).tokens]
        foreign = InterventionError(
            "This graph was traced with another model or other transcoders: its features are not those of "
            f"{self.model.name!r} with {self.transcoders.name!r}. Load the model it was traced with."
        )
        if graph.n_layers != self.model.n_layers or not 0 <= min(ids) <= max(ids) < self.model.n_embeddings:
            raise foreign
        run = self._runs.of(self.prompt_of(graph.tokens), graph.position, cancelled)
        if graph.model is not self and not run.activations.agree_with(graph):
            raise foreign
        return run

    def _elsewhere(self, prompt: str | Sequence[int]) -> Run:
        return self._runs.of(self.read_prompt(prompt), -1)

    def _label(self, layer: int, feature: int) -> str | None:
        return self._cards.label(layer, feature)

    def _labels(self, graph: Graph) -> dict[str, str]:
        places = zip(graph.node_ids, graph.feature_layer.tolist(), graph.feature_index.tolist(), strict=False)
        found = ((node, self._cards.label(layer, feature)) for node, layer, feature in places)
        return {node: label for node, label in found if label}

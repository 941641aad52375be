"""The replacement model: a language model with its transcoders, to trace, generate and intervene."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, Unpack, overload

import torch

from circuit_widget.attribution.targets import TargetChoice, choose_targets
from circuit_widget.comparison.prompt_stability import stability
from circuit_widget.errors import InterventionError
from circuit_widget.examples.collect import collect_examples
from circuit_widget.examples.exchange.export import export_examples
from circuit_widget.examples.exchange.read import read_examples
from circuit_widget.feature_card import FeatureCard, FeatureCards
from circuit_widget.graph import JSON, Graph
from circuit_widget.graph.graph_argument import require_graph
from circuit_widget.intervention.execution.graph_features import LatestGraphFeatures
from circuit_widget.intervention.execution.steering import Steering, check_new_tokens, steer
from circuit_widget.intervention.intervening import align, intervene, intervene_many
from circuit_widget.intervention.kinds import Intervention, intervention_tuple
from circuit_widget.intervention.studies.controls import controls
from circuit_widget.intervention.studies.faithfulness import faithfulness
from circuit_widget.intervention.studies.group_sweep import sweep_groups
from circuit_widget.intervention.studies.local_labels import local_labels
from circuit_widget.intervention.studies.steered_generation import SteeredGeneration
from circuit_widget.intervention.studies.strength_sweep import sweep, sweep_last_layer
from circuit_widget.intervention.studies.validation import validate
from circuit_widget.labels.label_features import label_features
from circuit_widget.model.closed import Closed
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.neuron_set import Neurons
from circuit_widget.model.runs_model import runs_model
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
from circuit_widget.tracing.attach_model import attach, check_fits
from circuit_widget.tracing.changed_weights import warn_of_changed_weights
from circuit_widget.tracing.checks import fidelity, verify
from circuit_widget.tracing.estimate import Estimate, estimate_size, require_limits, run_for_estimate
from circuit_widget.tracing.foreign_graph import foreign_graph, is_of_model
from circuit_widget.tracing.generation import Generation, generation_of, trace_request
from circuit_widget.tracing.graph_recipe import recipe_of
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.tracing.run_cache import RunCache
from circuit_widget.tracing.target_readout import target_source_of
from circuit_widget.tracing.trace import trace_run
from circuit_widget.transcoder.transcoder_set import TranscoderSet

Interventions: TypeAlias = Sequence[Intervention] | Intervention


class ReplacementModel:
    """A language model with a transcoder for each of its MLPs.

    One run at a time: every method that runs the model acquires `lock`. `cancelled` is called between layers;
    when it returns True, the run ends with Cancelled. `progress` is a callable that receives the fraction done and a few
    words, None or True for a bar that is displayed after a second, False for nothing.
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
        """`records` is the directory with the transcoders and the examples and labels of their features.

        `provenance` is the origin of model and transcoders, for the recipe of every graph. `source` are the names with
        which `load` loads them again, None for a model that was loaded elsewhere. `sites` are the arguments input_site and
        output_site of `load`, also for the recipe.
        """
        self.model = model
        self.source = source
        self.transcoders = transcoders
        self.lock = threading.RLock()
        self._cards = FeatureCards(model, transcoders, records)
        self._runs = RunCache(model, transcoders)
        self._graph_features = LatestGraphFeatures()
        self._provenance = dict(provenance or {})
        self._sites = dict(sites or {})

    # Functions of other rooms as methods, with this model as their first argument.
    intervene = intervene
    intervene_many = intervene_many
    align = align
    controls = controls
    sweep = sweep
    sweep_last_layer = sweep_last_layer
    sweep_groups = sweep_groups
    faithfulness = faithfulness
    validate = validate
    stability = stability
    verify = verify
    attach = attach
    fidelity = fidelity
    collect_examples = collect_examples
    label_features = label_features
    local_labels = local_labels
    read_examples = read_examples
    export_examples = export_examples

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
        """Device of the model."""
        return self.model.device

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the model's weights; transcoders and edges are always float32."""
        return self.model.dtype

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return self.model.n_layers

    def tokenize(self, prompt: PromptInput) -> tuple[PromptToken, ...]:
        """Return the tokens of a prompt, with BOS or its replacement.

        Raises:
            PromptError: empty, too long, a word that the model does not know (with the most similar known ones), not a
                token id, or messages that are malformed or for which the tokenizer has no template.
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
            targets: the targets to explain, a list of token texts, token ids, `Contrast`s or `Direction`s; by default the
                ten most likely tokens, or fewer with 0.95 of the probability, and for a generation the sampled token.
            position: the position whose next token is explained; -1 is the last one.
            token: the sampled token of a generation to explain, from 0; -1 is the last one.
            max_features: keep the most influential features; the others become part of the error of their layer and
                position. By default all, if memory allows; of neurons the 2,000 with most influence.
            step: with max_features, how many features are chosen before all are ranked again.

        Raises:
            PromptError: the prompt, a target, the position or max_features cannot be used.
            OutOfMemory: the memory of a device, or of the machine, is full.
            Cancelled: `cancelled()` became true.
        """
        started = time.perf_counter()
        max_features, step = require_limits(max_features, step, neurons=isinstance(self.transcoders, Neurons))
        with reporting(progress) as report:
            report(0.0, "Running the model")
            request = trace_request(prompt, position, token, self.prompt_of)
            run = self._runs.of(self.read_prompt(request.prompt), request.position, cancelled)
            chosen = choose_targets(target_source_of(self.model, run), targets, sampled=request.sampled)
            report(0.2, "Following edges")
            graph = trace_run(
                run,
                chosen,
                max_features=max_features,
                step=step,
                progress=lambda done: report(0.2 + 0.75 * done, "Following edges"),
                cancelled=cancelled,
            )
            labels = self._cards.labels_of(graph)
            report(1.0, "Traced")
        recipe = recipe_of(self.model, self.transcoders, run, chosen, files=self._provenance, started=started)
        typed = {"prompt": request.prompt} if isinstance(request.prompt, str) else {}
        return replace(
            graph,
            labels=labels,
            recipe={**graph.recipe, **recipe, **self._sites, **typed, **request.recipe},
            model=self,
        )

    @within_memory("Give a shorter prompt, or free memory.")
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
        """Return the cost of `trace` with the same arguments: nodes, memory, seconds, and whether it fits into memory.

        The model runs once; a trace of the same prompt uses this run again. Of a prompt of more than 502 tokens that was not
        run before, only the first 251 are, and the numbers are extrapolated: run and trace together.

        Raises:
            PromptError: as `trace` does.
            OutOfMemory: the memory of a device, or of the machine, is full.
        """
        request = trace_request(prompt, position, token, self.prompt_of)
        read = self.read_prompt(request.prompt)
        run, size = run_for_estimate(self.model, self.transcoders, self._runs, read, request.position)
        chosen = choose_targets(target_source_of(self.model, run), targets, sampled=request.sampled)
        return estimate_size(size, len(chosen), max_features)

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
        """Return the text that the model generates, with the probability of each token; any token can be traced.

        With interventions there are two texts: without and with steering (nothing is frozen), which advance in turn by one
        token and use the same random numbers. The nodes of interventions are features at positions of the prompt,
        `Everywhere` for all of these, or ids of features that are active on the prompt.

        Args:
            prompt: a text, token ids, or the messages of a conversation.
            interventions: the changes of features while the model generates.
            new_tokens: apply them to these features on every generated token, too, where Scale and Add start from the
                feature's activation there; otherwise only on the prompt.
            max_new_tokens: most tokens, if neither an end token nor a full context ends the text before.
            temperature: 0 takes the likeliest token each time; above 0, tokens are drawn from the logits divided by it.
            seed: of the random numbers; by default a new one, which the result has.
            on_token: receives each token as soon as it is sampled.

        Raises:
            PromptError: the prompt cannot be used, or a number is out of range.
            InterventionError, NodeError: as `intervene` does; `new_tokens` without interventions, or with SwapIn.
            OutOfMemory: the memory of a device, or of the machine, is full.
            Cancelled: `cancelled()` became true between two tokens.
        """
        new_tokens = check_new_tokens(new_tokens, interventions)
        with reporting(progress) as report:
            read = self.read_prompt(prompt)
            listed = () if interventions is None else intervention_tuple(interventions)
            steering: list[Steering] = []
            if interventions is not None:
                run = self._runs.of(read, -1, cancelled)
                steering = [steer(listed, run, self.transcoders, self._run_of_prompt, new_tokens=new_tokens)]
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
        """Return what is known about a feature: examples, and the tokens it promotes and suppresses.

        Raises:
            NodeError: there is no such feature.
        """
        self.model.refresh()
        return self._cards.card(layer, feature)

    def forget(self) -> None:
        """Drop cached runs of earlier traces, and cached values of the model's weights.

        Changes of weights are detected without it, unless a few numbers are written through `tensor.data`.
        """
        with self.lock:
            self.model.forget()
            self._runs.forget()

    @property
    def closed(self) -> bool:
        """Whether `close` was called; then every run raises NoModelError."""
        return isinstance(self.model, Closed)

    def close(self) -> None:
        """Release the model, its transcoders, all cached runs, and their memory.

        Waits for the end of a run. Graphs stay usable, without interventions; so does a network that was loaded elsewhere.
        """
        with self.lock:
            closed: Any = Closed()
            on_gpu = not self.closed and self.device.type == "cuda"
            self.model = self.transcoders = self._cards = self._runs = closed
            if on_gpu:
                torch.cuda.empty_cache()

    def read_prompt(self, prompt: PromptInput) -> Prompt:
        """Return the token ids and texts of a prompt; see `tokenize`."""
        return read_prompt(self.model.tokenizer, prompt, **self._bounds())

    def prompt_of(self, tokens: Sequence[PromptToken]) -> Prompt:
        """Return the prompt of exactly these tokens, as in a graph or a generation: nothing is put in front.

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

    def _run_of(self, graph: Graph, cancelled: IsCancelled | None) -> PromptRun:
        """Return the run of a graph's prompt; checked against the graph if another model object traced it."""
        check_fits(require_graph(graph, InterventionError), self.model, self.transcoders)
        run = self._runs.of(self.prompt_of(graph.tokens), graph.position, cancelled)
        if graph.model is not self and not is_of_model(graph, run.activations, self.model.dtype):
            raise foreign_graph(graph, self.model, self.transcoders)
        if graph.model is self:
            warn_of_changed_weights(graph, run, self.model.dtype)
        return run

    def _run_of_prompt(self, prompt: str | Sequence[int]) -> PromptRun:
        return self._runs.of(self.read_prompt(prompt), -1)

    def _label(self, layer: int, feature: int, activation: float) -> str | None:
        return self._cards.label(layer, feature, activation)

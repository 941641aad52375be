"""A model that can be intervened on: what is asked of it runs on the pass that a graph was traced from."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property

import torch

from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.graph.given import given_graph
from circuit_widget.intervention.alignment import Alignment, alignment_between
from circuit_widget.intervention.effect import Effect
from circuit_widget.intervention.execution.graph_features import LatestWatched, Watched
from circuit_widget.intervention.execution.run import carry_out_batch
from circuit_widget.intervention.kinds import Intervention, experiment_tuple
from circuit_widget.intervention.mode import Mode, read_mode
from circuit_widget.intervention.studies.methods import Asked, Studies
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.running import runs_model
from circuit_widget.model.tokens.prompt import Prompt, PromptInput
from circuit_widget.nodes import PromptToken
from circuit_widget.progress import ProgressChoice, reporting
from circuit_widget.system.memory import within_memory
from circuit_widget.tracing.activations import Activations
from circuit_widget.tracing.run import Run
from circuit_widget.tracing.runs import Runs


class Intervening(Studies):
    """A language model with transcoders whose nodes can be changed; every method that runs it holds `lock`."""

    model: LanguageModel
    lock: threading.RLock
    _runs: Runs

    @abstractmethod
    def read_prompt(self, prompt: PromptInput) -> Prompt:
        """Return the token ids and texts a prompt is run as."""

    @abstractmethod
    def prompt_of(self, tokens: Sequence[PromptToken]) -> Prompt:
        """Return the prompt of exactly these tokens."""

    @abstractmethod
    def tokenize(self, prompt: PromptInput) -> tuple[PromptToken, ...]:
        """Return the tokens a prompt is run as."""

    @abstractmethod
    def _label(self, layer: int, feature: int) -> str | None:
        """Return the label of a feature, if it has one."""

    def intervene(
        self,
        graph: Graph,
        interventions: Sequence[Intervention] | Intervention,
        *,
        mode: Mode = "total",
        progress: ProgressChoice = None,
        cancelled: Asked | None = None,
    ) -> Effect:
        """Return what changing some nodes does to the model, beside what the graph predicts.

        The real model runs: at each touched layer and position `(value - activation) * decoder row` is added to the
        MLP's output, so its error stays. Of an error that is changed itself, what it loses or gains is added there; of
        a token, to the residual stream at the entry of the first layer. `mode` names what is frozen: "total" nothing;
        "frozen_attention" attention patterns; a range of layers (or a pair, first and last) their MLP outputs; "direct"
        attention, norms and every other MLP output, so that the effect equals the graph's edges.

        Raises:
            InterventionError: the interventions, the mode, or the graph cannot be used with this model.
            NodeError: a node that is not in the graph, or a feature that does not exist.
            OutOfMemory: the memory of a device, or of the machine, is full.
            Cancelled: `cancelled()` became true between two layers.
        """
        return self.intervene_many(graph, [interventions], mode=mode, progress=progress, cancelled=cancelled)[0]

    @within_memory("Ask for fewer experiments, on a shorter prompt, or free memory.")
    @runs_model
    def intervene_many(
        self,
        graph: Graph,
        experiments: Sequence[Sequence[Intervention] | Intervention],
        *,
        mode: Mode = "total",
        progress: ProgressChoice = None,
        cancelled: Asked | None = None,
    ) -> tuple[Effect, ...]:
        """Return the effect of each of several experiments, as `intervene` does, run as batches: many times faster.

        Their order is kept. All are checked before the first one runs. `seconds` of an effect is its share of its batch.

        Raises:
            InterventionError: there is no experiment; otherwise as `intervene` does.
            NodeError, OutOfMemory, Cancelled: as `intervene` does.
        """
        asked = experiment_tuple(experiments)
        regime = read_mode(mode, self.model.n_layers)
        with reporting(progress) as report:
            run = self._run_of(graph, cancelled)
            return carry_out_batch(
                self.model,
                self.transcoders,
                run,
                graph,
                self._watched.of(graph, run, lambda: Watched(graph, self.transcoders, self._layer_devices)),
                asked,
                regime,
                other=self._elsewhere,
                label=self._label,
                progress=lambda done: report(done, "Running the model"),
                cancelled=cancelled,
            )

    def align(self, graph: Graph, prompt: PromptInput) -> Alignment:
        """Return which positions of a graph's prompt and of another stand for each other, as `SwapIn` takes them.

        Prompts of the same length are aligned one to one; others by their beginning and end, and between these from the
        last token backwards. Positions left over stand for nothing.

        Raises:
            InterventionError: the lengths differ and the prompts neither begin nor end alike.
            PromptError: the other prompt cannot be used.
        """
        return alignment_between(given_graph(graph, InterventionError).tokens, self.tokenize(prompt))

    @runs_model
    def _activations_of(self, graph: Graph, cancelled: Asked | None) -> Activations:
        return self._run_of(graph, cancelled).activations

    @cached_property
    def _watched(self) -> LatestWatched:
        return LatestWatched()

    @property
    def _layer_devices(self) -> list[torch.device]:
        return [self.model.layer_device(layer) for layer in range(self.model.n_layers)]

    def _run_of(self, graph: Graph, cancelled: Asked | None) -> Run:
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

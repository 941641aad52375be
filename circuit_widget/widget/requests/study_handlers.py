"""Handlers of requests about studies: sweeps, generated text, validations; and about alignments of prompts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from circuit_widget.intervention.mode import read_mode
from circuit_widget.model.sampling import Options
from circuit_widget.widget.experiments.experiments import Experiments
from circuit_widget.widget.experiments.read_interventions import read_interventions
from circuit_widget.widget.experiments.study_runs import (
    Callbacks,
    Study,
    SweepPlan,
    generation_name,
    run_generation,
    run_sweep,
    run_validation,
    sweep_name,
)
from circuit_widget.widget.requests.request_kind import Context, Task
from circuit_widget.widget.wire.study_messages import (
    AlignBody,
    AlignmentMessage,
    GenerateBody,
    GenerationMessage,
    SweepBody,
    SweepMessage,
    ValidateBody,
    ValidationMessage,
)
from circuit_widget.widget.worker.worker import Job, JobResult


def align(context: Context, body: AlignBody) -> Task[AlignmentMessage]:
    """Align the positions of another prompt with those of this one."""
    model, graph = context.experiments.required_model(), context.experiments.graph

    def message(found: Any) -> JobResult[AlignmentMessage]:
        tokens, others = (tuple(token.text for token in some) for some in (found.tokens, found.other_tokens))
        return JobResult(AlignmentMessage(tokens, others, tuple(found.pairs.items())))

    return Task(lambda _: model.align(graph, body.prompt), message, runs_model=True)


def sweep(context: Context, body: SweepBody) -> Task[SweepMessage]:
    """Run interventions over a range, and display the sweep."""
    experiments = context.experiments
    model, mode, circuit = (
        experiments.required_model(),
        read_mode(body.mode, experiments.graph.n_layers).name,
        experiments.traits.circuit,
    )
    plan = SweepPlan(body.axis, read_interventions(experiments, body.interventions))
    name = body.name or sweep_name(experiments.graph, circuit, plan)
    return _study(
        experiments,
        lambda callbacks: run_sweep(model, experiments.graph, circuit, plan, mode, name, callbacks),
        f"Sweep: {name}",
    )


def generate(context: Context, body: GenerateBody) -> Task[GenerationMessage]:
    """Let the model generate text as it is and under interventions, and display both."""
    experiments = context.experiments
    model, interventions = experiments.required_model(), read_interventions(experiments, body.interventions)
    name = body.name or generation_name(experiments.graph, experiments.traits.circuit, interventions)
    options: Options = {
        "new_tokens": body.new_tokens,
        "max_new_tokens": body.max_new_tokens,
        "temperature": body.temperature,
        "seed": body.seed,
    }
    return _study(
        experiments,
        lambda callbacks: run_generation(model, experiments.graph, interventions, name, callbacks, options),
        f"Text: {name}",
    )


def validate(context: Context, body: ValidateBody) -> Task[ValidationMessage]:
    """Ablate each box of the circuit in turn, and display how well the graph predicts the effects."""
    experiments = context.experiments
    model, mode, circuit = (
        experiments.required_model(),
        read_mode(body.mode, experiments.graph.n_layers).name,
        experiments.traits.circuit,
    )
    return _study(
        experiments, lambda callbacks: run_validation(model, experiments.graph, circuit, mode, callbacks), None
    )


def _study(experiments: Experiments, run: Callable[[Callbacks], Study], label: str | None) -> Task[Any]:
    def work(job: Job) -> Study:
        return run(Callbacks(job.progress, job.cancelled, job.partial))

    return Task(work, lambda study: JobResult(experiments.record_study(study)), runs_model=True, label=label)

"""Handlers of requests about experiments: run, display, compare, rename and delete them, their table and their code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from circuit_widget.errors import MessageError
from circuit_widget.intervention import Intervention
from circuit_widget.intervention.mode import Mode, read_mode
from circuit_widget.widget.experiments.experiments import Experiments
from circuit_widget.widget.experiments.read_interventions import read_interventions
from circuit_widget.widget.history.work_code import circuit_code, work_code
from circuit_widget.widget.requests.request_kind import Context, Task
from circuit_widget.widget.state.file_names import file_stem
from circuit_widget.widget.wire.envelopes import Empty
from circuit_widget.widget.wire.experiment_messages import (
    CompareBody,
    ComparisonMessage,
    ControlsBody,
    EffectMessage,
    ForgetBody,
    InterveneBody,
    RecallBody,
    RenameBody,
    RepeatBody,
)
from circuit_widget.widget.wire.graph_messages import CodeBody, CodeReply, FileReply
from circuit_widget.widget.worker.worker import Job, JobResult

MOST_CONTROLS = 200


def intervene(context: Context, body: InterveneBody) -> Task[EffectMessage]:
    """Run the model under interventions, and display their effect."""
    experiments = context.experiments
    mode = read_mode(body.mode, experiments.graph.n_layers).name
    interventions = read_interventions(experiments, body.interventions)
    return _run(experiments, interventions, mode, body.name or experiments.name_of(interventions))


def repeat(context: Context, body: RepeatBody) -> Task[EffectMessage]:
    """Run an earlier experiment again, also one that another process kept, and display its effect as a new one."""
    experiments = context.experiments
    effect = experiments.effect_of(body.id)
    return _run(experiments, effect.interventions, effect.mode, experiments.history.find(body.id).name)


def _run(experiments: Experiments, interventions: Sequence[Intervention], mode: Mode, name: str) -> Task[EffectMessage]:
    model = experiments.required_model()

    def work(job: Job) -> Any:
        callbacks: dict[str, Any] = {"progress": job.progress, "cancelled": job.cancelled}
        return model.intervene(experiments.graph, interventions, mode=mode, **callbacks)

    return Task(work, lambda effect: JobResult(experiments.record(effect, name)), runs_model=True, label=name)


def controls(context: Context, body: ControlsBody) -> Task[EffectMessage]:
    """Run the intervention of an experiment on random features, and display that beside its effect."""
    experiments = context.experiments
    model, effect = experiments.required_model(), experiments.effect_of(body.id)
    if not 1 <= body.n <= MOST_CONTROLS:
        raise MessageError(f"There are 1 to {MOST_CONTROLS} controls; given {body.n}.")

    def work(job: Job) -> Any:
        callbacks: dict[str, Any] = {"progress": job.progress, "cancelled": job.cancelled}
        return model.controls(experiments.graph, effect.interventions, n=body.n, mode=effect.mode, **callbacks)

    label = f"Controls of {experiments.history.find(body.id).name}"
    return Task(work, lambda made: JobResult(experiments.record_controls(body.id, made)), runs_model=True, label=label)


def recall(context: Context, body: RecallBody) -> EffectMessage:
    """Display an earlier experiment."""
    return context.experiments.display(body.id)


def compare(context: Context, body: CompareBody) -> ComparisonMessage:
    """Return an experiment beside another."""
    return context.experiments.comparison(body.id, body.beside)


def rename(context: Context, body: RenameBody) -> Empty:
    """Give an experiment another name."""
    context.experiments.rename(body.id, body.name)
    return Empty()


def forget(context: Context, body: ForgetBody) -> Empty:
    """Delete an experiment."""
    context.experiments.forget(body.id)
    return Empty()


def start_afresh(context: Context, _: Empty) -> Empty:
    """Put an empty circuit and history in place of those of the last run."""
    context.experiments.start_afresh()
    return Empty()


def bring_back(context: Context, _: Empty) -> Empty:
    """Put the circuit and the history back that were there before starting afresh."""
    context.experiments.bring_back()
    return Empty()


def table(context: Context, _: Empty) -> Task[FileReply]:
    """Return the table of experiments as a CSV file."""
    experiments = context.experiments
    reply = FileReply(f"{file_stem(experiments.graph)}-experiments.csv", "text/csv")
    return Task(lambda _: experiments.to_csv().encode(), lambda data: JobResult(reply, (data,)))


def code(context: Context, body: CodeBody) -> CodeReply:
    """Return the circuit, or the trace with the circuit and all experiments, as Python lines."""
    graph, work = context.experiments.graph, context.experiments.work()
    return CodeReply(circuit_code(graph, work.circuit) if body.what == "circuit" else work_code(graph, work))

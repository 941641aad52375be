"""What each request of the frontend does; everything that takes time is left to the worker."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from circuit_widget.characters import beginning
from circuit_widget.errors import MessageError, NoModelError
from circuit_widget.graph import Graph
from circuit_widget.intervention import Intervention, intervention_from_json
from circuit_widget.intervention.mode import read_mode
from circuit_widget.widget.jobs.experimenting import ExperimentWidget
from circuit_widget.widget.jobs.study_runs import Study, SweepPlan, Under, run_generation, run_sweep, run_validation
from circuit_widget.widget.jobs.worker import Answer, Job, Worker
from circuit_widget.widget.wire import experiment_messages as experiments
from circuit_widget.widget.wire import messages
from circuit_widget.widget.wire import study_messages as studies
from circuit_widget.widget.wire.schema import plain
from circuit_widget.widget.wire.sending import failure, tell

if TYPE_CHECKING:
    from circuit_widget.graph import Feature
    from circuit_widget.replacement_model import ReplacementModel

MIME = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}
MOST_CONTROLS = 200

EVERYWHERE = re.compile(r"(\d{1,6})_(\d{1,9})_\*")
"""How the page names a feature at every position: its id there, with a star for the position."""

JobSteps: TypeAlias = tuple[Callable[[Job], Any], Callable[[Any], Answer]]
"""What a job does in the worker's thread, and what becomes of what that returned."""


@dataclass(frozen=True)
class Requests:
    """Answers the frontend of one widget, whose worker runs the model."""

    widget: ExperimentWidget
    worker: Worker

    def receive(self, content: object) -> None:
        """Answer or queue one message; what is malformed or fails is answered with an error. Only an interrupt is raised."""
        rid = messages.request_id(content)
        try:
            request, body = messages.request(content)
            if request.rid in self.worker.pending(self.widget):
                raise MessageError("There is a request under this id already; every request has an id of its own.")
            self._begin(request.rid, request.name, body)
        except BaseException as error:
            code, message = failure(error)
            if rid is None:
                tell(self.widget.send, messages.Notice(message=f"A message from the page was ignored: {message}"))
            else:
                tell(self.widget.send, messages.Failed(rid=rid, code=code, message=message))
            if not isinstance(error, Exception):
                raise

    def _begin(self, rid: str, name: str, body: messages.Body) -> None:
        widget = self.widget
        match body:
            case messages.Empty() if name == "table":
                self._enqueue(Job(widget, rid, name, widget.send, lambda _: self._table(), lambda answer: answer))
            case messages.Empty():
                self._reply(rid, {})
            case messages.CancelBody():
                self.worker.cancel(widget, body.rid)
                self._reply(rid, {})
            case experiments.RecallBody():
                self._reply(rid, widget.show_experiment(body.id))
            case experiments.CompareBody():
                self._reply(rid, widget.comparison_message(body.id, body.beside))
            case experiments.RenameBody():
                widget.rename_experiment(body.id, body.name)
                self._reply(rid, {})
            case experiments.ForgetBody():
                widget.forget(body.id)
                self._reply(rid, {})
            case messages.CardBody():
                feature = widget.feature_of(body.node)
                self._enqueue(Job(widget, rid, name, widget.send, lambda _: self._card(body.node, feature), Answer))
            case messages.FigureBody():
                picture = Job(widget, rid, name, widget.send, lambda _: self._picture(body), lambda answer: answer)
                self._enqueue(picture)
            case _:
                self._enqueue(self._experiment(rid, name, body))

    def _reply(self, rid: str, body: dict[str, Any]) -> None:
        tell(self.widget.send, messages.Reply(rid=rid, body=body))

    def _enqueue(self, job: Job) -> None:
        tell(self.widget.send, messages.Accepted(rid=job.rid))
        if not self.worker.submit(job):
            job.fail("busy", "Too many requests are waiting already; try again in a moment.")

    def _experiment(self, rid: str, name: str, body: messages.Body) -> Job:
        """Return the job of a request that runs the model."""
        widget = self.widget
        model = widget.model
        if model is None:
            raise NoModelError(widget.capabilities["why_not"])
        match body:
            case experiments.InterveneBody():
                work, deliver = self._intervene(model, body)
            case experiments.ControlsBody():
                work, deliver = self._controls(model, body)
            case studies.AlignBody():
                work, deliver = self._align(model, body)
            case _:
                work, deliver = self._study(model, body), lambda study: Answer(widget.record_study(study))
        return Job(widget, rid, name, widget.send, work, deliver, runs_model=True)

    def _intervene(self, model: ReplacementModel, body: experiments.InterveneBody) -> JobSteps:
        graph, mode, asked = self.widget.graph, self._mode(body.mode), self._interventions(body.interventions)
        return (
            lambda job: model.intervene(graph, asked, mode=mode, progress=job.progress, cancelled=job.cancelled),
            lambda effect: Answer(self.widget.record(effect, body.name)),
        )

    def _controls(self, model: ReplacementModel, body: experiments.ControlsBody) -> JobSteps:
        widget = self.widget
        effect = widget.effect_of(body.id)
        if not 1 <= body.n <= MOST_CONTROLS:
            raise MessageError(f"There are 1 to {MOST_CONTROLS} controls; given {body.n}.")

        def work(job: Job) -> Any:
            how: dict[str, Any] = {"mode": effect.mode, "progress": job.progress, "cancelled": job.cancelled}
            return model.controls(widget.graph, effect.interventions, n=body.n, **how)

        return work, lambda controls: Answer(widget.record_controls(body.id, controls))

    def _align(self, model: ReplacementModel, body: studies.AlignBody) -> JobSteps:
        def work(_: Job) -> Answer:
            found = model.align(self.widget.graph, body.prompt)
            tokens, others = (tuple(token.text for token in some) for some in (found.tokens, found.other_tokens))
            return Answer(plain(studies.AlignmentMessage(tokens, others, tuple(found.pairs.items()))))

        return work, lambda answer: answer

    def _study(self, model: ReplacementModel, body: messages.Body) -> Callable[[Job], Study]:
        graph, circuit = self.widget.graph, self.widget.circuit
        match body:
            case studies.SweepBody():
                plan = SweepPlan(body.axis, self._interventions(body.interventions))
                mode = self._mode(body.mode)
                return lambda job: run_sweep(model, graph, circuit, plan, mode, body.name, _under(job))
            case studies.GenerateBody():
                asked = self._interventions(body.interventions)
                options = {
                    name: getattr(body, name) for name in ("new_tokens", "max_new_tokens", "temperature", "seed")
                }
                return lambda job: run_generation(model, graph, asked, body.name, _under(job), options)  # type: ignore[arg-type]
            case studies.ValidateBody():
                mode = self._mode(body.mode)
                return lambda job: run_validation(model, graph, circuit, mode, _under(job))
            case _:
                raise MessageError(f"{type(body).__name__} is no request that runs the model.")

    def _mode(self, mode: str) -> str:
        """Return the name of a mode. Raises InterventionError for what is none of this model."""
        return read_mode(mode, self.widget.graph.n_layers).name

    def _interventions(self, asked: tuple[experiments.InterventionJson, ...]) -> tuple[Intervention, ...]:
        return tuple(intervention_from_json(self._with_features(asdict(one))) for one in asked)

    def _with_features(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return an intervention's JSON with features written out, since not all are nodes, and without what is None."""
        listed = {
            name: [self._node(node) for node in document[name]]
            for name in ("nodes", "features")
            if document.get(name) is not None
        }
        return {name: value for name, value in {**document, **listed}.items() if value is not None}

    def _node(self, node: str) -> str | dict[str, int]:
        graph = self.widget.graph
        if everywhere := EVERYWHERE.fullmatch(node):
            return {"layer": int(everywhere[1]), "feature": int(everywhere[2])}
        if node in graph.node_ids and graph.index(node) >= graph.n_features:
            return node
        feature = self.widget.feature_of(node)
        return {"layer": feature.layer, "position": feature.position, "feature": feature.feature}

    def _table(self) -> Answer:
        widget = self.widget
        data = widget.history_file().encode()
        return Answer({"filename": f"{_file_stem(widget.graph)}-experiments.csv", "mime": "text/csv"}, (data,))

    def _card(self, node: str, feature: Feature) -> dict[str, Any]:
        label = self.widget.graph.labels.get(node)
        known: dict[str, Any] = {"layer": feature.layer, "feature": feature.feature, "label": label}
        if self.widget.model is None:
            nothing: dict[str, Any] = {
                "frequency": None,
                "maximum": None,
                "examples": [],
                "promoted": [],
                "suppressed": [],
            }
            return {"node": node, **known, **nothing}
        card = asdict(self.widget.model.feature_card(feature.layer, feature.feature))
        tokens = ("token", "logit")
        return {
            "node": node,
            **card,
            "label": label or card["label"],
            "promoted": [dict(zip(tokens, pair, strict=True)) for pair in card["promoted"]],
            "suppressed": [dict(zip(tokens, pair, strict=True)) for pair in card["suppressed"]],
        }

    def _picture(self, body: messages.FigureBody) -> Answer:
        figure = self.widget.figure(body.part, body.width)
        draw: dict[str, Callable[[], str | bytes]] = {"svg": figure.svg, "pdf": figure.pdf, "png": figure.png}
        drawn = draw[body.format]()
        data = drawn.encode() if isinstance(drawn, str) else drawn
        filename = f"{_file_stem(self.widget.graph)}.{body.format}"
        return Answer({"filename": filename, "mime": MIME[body.format]}, (data,))


def _under(job: Job) -> Under:
    return Under(job.progress, job.cancelled, job.partial)


def _file_stem(graph: Graph) -> str:
    """Return a file name made of the prompt's words."""
    words = re.findall(r"\w+", " ".join(token.text for token in graph.tokens[1:]).lower())
    return beginning("-".join(words), 60).strip("-") or "circuit"

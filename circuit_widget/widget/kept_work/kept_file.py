"""The file that keeps the work on a graph: written whole, locked, and read with a check of every value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from circuit_widget.arguments import one_line
from circuit_widget.characters import repaired
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.document_json import WORK_VERSION, check_work_version
from circuit_widget.errors import CircuitError, CircuitWidgetError
from circuit_widget.graph import Graph
from circuit_widget.graph.graph_hash import identity
from circuit_widget.system.file_kind import WORK_FORMAT, file_kind, foreign, json_kind
from circuit_widget.system.file_lock import FileLock, Locked
from circuit_widget.system.paths import quoted_path
from circuit_widget.widget.history.history import HistoryEntry
from circuit_widget.widget.history.work import Work
from circuit_widget.widget.kept_work.kept_experiment import history_entry, kept_experiment
from circuit_widget.widget.wire.kept_messages import KeptGraph, KeptWork
from circuit_widget.widget.wire.schema import parse, plain

Read = TypeVar("Read")

LARGEST_FILE = 512 * 2**20
LONGEST_PROMPT = 200


class Writing:
    """Makes the text of the file; what it wrote of an experiment is written again as it is."""

    def __init__(self, graph: Graph) -> None:
        self._graph = plain(
            KeptGraph(
                identity(graph),
                _prompt(graph),
                *(_line(graph.recipe.get(name)) for name in ("model", "transcoders")),
            )
        )
        self._written: dict[HistoryEntry, str] = {}

    def text(self, work: Work) -> str:
        """Return the work as JSON: a line for the graph, the circuit, and each experiment."""
        lines = {one: self._written.get(one) or _experiment(one, work.circuit) for one in work.entries}
        # The bands of controls follow the boxes of the circuit.
        self._written = {one: line for one, line in lines.items() if one.controls is None}
        head = {
            "format": WORK_FORMAT,
            "version": WORK_VERSION,
            "graph": self._graph,
            "circuit": work.circuit.to_json(),
            "made": work.made,
            "displayed": work.displayed,
        }
        rows = [f"{json.dumps(key)}: {_json(value)}" for key, value in head.items()]
        experiments = "".join(f"\n{line}," for line in lines.values()).rstrip(",")
        return "{\n" + ",\n".join([*rows, f'"experiments": [{experiments}\n]']) + "\n}\n"


def _experiment(one: HistoryEntry, circuit: Circuit) -> str:
    return _json(_whole(plain(kept_experiment(one, circuit))))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _whole(value: Any) -> Any:
    """Return JSON with the replacement character in place of half of a character, which token texts may have."""
    if isinstance(value, str):
        return repaired(value)
    if isinstance(value, dict):
        return {key: _whole(entry) for key, entry in value.items()}
    return [_whole(entry) for entry in value] if isinstance(value, list) else value


def read_file(path: Path) -> Any:
    """Return the JSON in a file. Raises CircuitError for a file that cannot be read, is too large, or is not JSON."""
    name = quoted_path(path)
    try:
        if not path.is_file():
            raise CircuitError(foreign(path, file_kind(path), "a circuit"))
        if (size := path.stat().st_size) > LARGEST_FILE:
            raise CircuitError(
                f"{name} has {size / 2**20:,.0f} MB; a file of a circuit has at most {LARGEST_FILE // 2**20} MB. "
                "Give another file."
            )
        return json.loads(path.read_bytes().decode(), parse_constant=_refused, object_pairs_hook=_keys_once)
    except OSError as problem:
        raise CircuitError(f"{name} cannot be read: {problem.strerror or problem}.") from problem
    except (ValueError, RecursionError) as problem:
        kind = file_kind(path)
        if kind is not None and kind.reader != "Circuit.load":
            raise CircuitError(foreign(path, kind, "a circuit")) from problem
        raise CircuitError(
            f"{name} is not whole JSON: {one_line(str(problem), 120)}. It may have been cut off. It was not changed; give "
            "another file."
        ) from problem


def _refused(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has a key twice")
    return found


def read_work(value: Any, graph: Graph, name: str) -> Work:
    """Return the work in JSON, which belongs to a graph. `name` is that of its file, for errors.

    A circuit that `Circuit.save` wrote is the first version of the format, and has no experiments.

    Raises CircuitError for a newer version, another graph, and whatever else is wrong, with the place in the file.
    """
    if not isinstance(value, Mapping) or value.get("format") != WORK_FORMAT:
        return Work(_lone_circuit(value, graph, name))
    check_work_version(value, name)
    try:
        kept = parse(KeptWork, value, name)
    except CircuitWidgetError as problem:
        raise CircuitError(f"{_sentence(problem)} The file was not changed.") from problem
    if kept.graph.identity != identity(graph):
        raise CircuitError(_other_graph(kept.graph, graph, name))
    circuit = _checked("circuit", name, lambda: Circuit.from_json(kept.circuit).check(graph))
    entries = tuple(
        _checked(f"experiments[{place}]", name, partial(history_entry, one, graph))
        for place, one in enumerate(kept.experiments)
    )
    return _checked(
        "numbers of its experiments", name, lambda: _numbered(Work(circuit, entries, kept.made, kept.displayed))
    )


def _lone_circuit(value: Any, graph: Graph, name: str) -> Circuit:
    kind = json_kind(value)
    if kind is not None and kind.reader != "Circuit.load":
        raise CircuitError(foreign(Path(name), kind, "a circuit"))
    try:
        circuit = Circuit.from_json(value)
    except CircuitWidgetError as problem:
        raise CircuitError(f"{name}: {_sentence(problem)} The file was not changed.") from problem
    try:
        return circuit.check(graph)
    except CircuitWidgetError as problem:
        raise CircuitError(
            f"{name} belongs to another graph: {_sentence(problem)} The file was not changed; give another file."
        ) from problem


def _numbered(work: Work) -> Work:
    numbers = [one.number for one in work.entries]
    if len(set(numbers)) != len(numbers) or not all(0 < number <= work.made for number in numbers):
        raise CircuitError("they are from 1 to `made`, each once.")
    if work.displayed is not None and work.displayed not in numbers:
        raise CircuitError(f"the displayed one, {work.displayed}, is not among them.")
    return work


def _checked(place: str, name: str, read: Callable[[], Read]) -> Read:
    try:
        return read()
    except CircuitWidgetError as problem:
        raise CircuitError(
            f"{name}: its {place} cannot be read: {_sentence(problem)} The file was not changed; give another file."
        ) from problem


def _sentence(problem: Exception) -> str:
    return f"{str(problem).rstrip('. ')}."


def _other_graph(kept: KeptGraph, graph: Graph, name: str) -> str:
    prompt, model = _prompt(graph), _line(graph.recipe.get("model"))
    if kept.prompt != prompt:
        why = f"its prompt is “{one_line(kept.prompt, 80)}”, and this one's is “{one_line(prompt, 80)}”"
    elif kept.model != model:
        why = f"it was traced with {one_line(kept.model, 80)}, and this one with {one_line(model, 80)}"
    else:
        why = "its prompt is the same, but its nodes or targets are not"
    return (
        f"{name} belongs to another graph: {why}. The file was not changed; give another file. "
        "Circuit.load(path) opens the circuit in it."
    )


def _prompt(graph: Graph) -> str:
    return _line("".join(token.text for token in graph.tokens))


def _line(text: object) -> str:
    return one_line(repaired(str(text or "")), LONGEST_PROMPT)


def lock(path: Path) -> FileLock:
    """Lock the file at a path against other writers. Raises CircuitError where another one has it, or there is no lock."""
    name = quoted_path(path)
    try:
        return FileLock(path.with_name(f".{path.name}.lock"))
    except Locked as problem:
        where = "another kernel" if problem.process is None else f"another kernel, process {problem.process}"
        raise CircuitError(
            f"{name} is kept by {where}: two would overwrite each other's edits. Shut that kernel down, or give "
            "another file."
        ) from problem
    except OSError as problem:
        raise CircuitError(
            f"{name} cannot be kept, since its folder has no lock: {problem.strerror or problem}. Give another folder."
        ) from problem

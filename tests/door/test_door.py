"""Every argument of the public interface is checked where it enters: wrong values are refused with a sentence."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import circuit_widget as cw
from tests.door.accepted import ACCEPTED
from tests.door.entries import Entry, make_entries
from tests.door.public import constructor_parameters, parameters
from tests.door.values import VALUES
from tests.models import tiny_model

PARAMETERS = sorted({*parameters(), *constructor_parameters()})

NAMES = [".".join(pair) for pair in PARAMETERS]

PASSED_ON = {
    "CircuitWidget.generate.options",
    "Generation.trace.options",
    "Graph.propose_circuit.settings",
    "Graph.propose_groups.settings",
    "Graph.show.settings",
    "GraphComparison.show.settings",
    "Graph.validate.settings",
}
"""Further arguments of another entry, which checks them; unknown ones are a TypeError, as of any function."""

OF_ARRAYS = "Graph.build"
"""Documents a ValueError, as the arrays it is made of are NumPy's and files of other tools are read with it."""

LONGEST_SENTENCE = 500


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is taken for a path is one in here."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def entries() -> dict[str, Entry]:
    """Every entry of the public interface."""
    return make_entries()


def accepted(entry: str, parameter: str) -> frozenset[str]:
    """Return the names of the values that a parameter takes, by its full name or else by its own."""
    full = f"{entry}.{parameter}"
    assert full in ACCEPTED or parameter in ACCEPTED, f"say in accepted.py what {full} takes"
    return ACCEPTED.get(full, ACCEPTED.get(parameter, frozenset()))


def outcome(entry: Entry, parameter: str, value: Any) -> str:
    """Return what comes of a value: "accepted", "refused", or what is wrong with the way it was refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cw.CircuitWidgetWarning)
            entry.call(**{parameter: value})
    except cw.CircuitWidgetError as error:
        sentence = str(error)
        ends = sentence.endswith((".", ")", "?")) or ": hf download " in sentence  # a command stands last, to be copied
        if len(sentence) > LONGEST_SENTENCE or "\n" in sentence or not ends:
            return f"no sentence: {sentence[:100]!r}"
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error!s:.100}"
    return "accepted"


def is_right(found: str, value: str, takes: frozenset[str]) -> bool:
    """Return whether an outcome is what it should be; what a caller's own function raises reaches the caller."""
    if "everything" in takes:
        return found in ("accepted", "refused")
    if value not in takes:
        return found == "refused"
    return found == "accepted" or (value in ("failing callable", "class") and "Error: " in found)


@pytest.mark.parametrize(("entry", "parameter"), PARAMETERS, ids=NAMES)
def test_wrong_values_are_refused_with_a_sentence(entry: str, parameter: str, entries: dict[str, Entry]) -> None:
    if f"{entry}.{parameter}" in PASSED_ON or entry == OF_ARRAYS:
        return
    assert parameter in entries.get(entry, Entry(print, {})).right, f"add {entry}({parameter}=) to entries.py"
    takes = accepted(entry, parameter)
    found = {name: outcome(entries[entry], parameter, make()) for name, make in VALUES.items()}
    wrong = {name: what for name, what in found.items() if not is_right(what, name, takes)}
    assert wrong == {}


@pytest.mark.parametrize("parameter", [name for entry, name in PARAMETERS if entry == OF_ARRAYS and name != "model"])
def test_a_graph_is_built_of_arrays_or_not_at_all(parameter: str, entries: dict[str, Entry]) -> None:
    for name, make in VALUES.items():
        found = outcome(entries[OF_ARRAYS], parameter, make())
        assert found == "accepted" or found.startswith("ValueError: "), (name, found)


@pytest.mark.parametrize(("entry", "parameter"), PARAMETERS, ids=NAMES)
def test_right_values_are_taken(entry: str, parameter: str, entries: dict[str, Entry]) -> None:
    """The battery says nothing where even the right arguments are refused."""
    if f"{entry}.{parameter}" not in PASSED_ON and entry != "Graph.labelled":
        entries[entry].call()


@pytest.mark.parametrize(("entry", "parameter"), [pair for pair in PARAMETERS if pair[1] in ("progress", "cancelled")])
def test_what_a_callers_function_raises_ends_the_run_and_nothing_else(
    entry: str, parameter: str, entries: dict[str, Entry]
) -> None:
    class OwnError(Exception):
        pass

    def fails(*_: object) -> bool:
        raise OwnError

    settings = {"mode": "total"} if "mode" in entries[entry].right else {}
    with pytest.raises(OwnError):
        entries[entry].call(**settings, **{parameter: fails})
    entries[entry].call()


def test_unknown_arguments_are_a_type_error(entries: dict[str, Entry]) -> None:
    for name, entry in entries.items():
        with pytest.raises(TypeError, match="argument"):
            entry.call(nonsense=1)
        assert name


@pytest.mark.parametrize("trait", ["circuit", "selected", "effect", "settings", "study"])
def test_traits_of_a_widget_refuse_wrong_values(trait: str, things: "Things") -> None:
    widget = cw.CircuitWidget(things.graph)
    before = getattr(widget, trait)
    right = {"selected": {"empty list"}, "effect": {"None"}}.get(trait, set())
    for name, make in VALUES.items():
        if name not in right:
            with pytest.raises(cw.CircuitWidgetError, match=r"given|expected|lacks|has the unknown key|no node"):
                setattr(widget, trait, make())
    assert getattr(widget, trait) == before


SWAPPED: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("model.intervene(interventions, graph)", lambda it: it.model.intervene(it.ablate, it.graph)),
    ("model.sweep(nodes, graph)", lambda it: it.model.sweep(it.node, it.graph)),
    ("Scale(factor, nodes)", lambda it: cw.Scale(2.0, it.node)),
    ("circuit.group(nodes, name)", lambda it: cw.Circuit().group([it.node], "name")),
    ("model.align(prompt, graph)", lambda it: it.model.align((1, 17), it.graph)),
    ("graph.figure(effect)", lambda it: it.graph.figure(it.effect)),
    ("graph.verify(graph)", lambda it: it.graph.verify(it.graph)),
    ("model.trace(graph)", lambda it: it.model.trace(it.graph)),
    ("CircuitWidget(model)", lambda it: cw.CircuitWidget(it.model)),
    ("circuit.check(model)", lambda it: cw.Circuit().check(it.model)),
)


@pytest.mark.parametrize("call", [call for _, call in SWAPPED], ids=[name for name, _ in SWAPPED])
def test_swapped_arguments_are_refused(call: Callable[[Any], Any], things: Any) -> None:
    with pytest.raises(cw.CircuitWidgetError, match="given"):
        call(things)


class Things:
    """A model and what comes of it."""

    def __init__(self) -> None:
        self.model = tiny_model()
        self.graph = self.model.trace((1, 17, 42, 5), targets=[5, 6])
        self.node = self.graph.node_ids[0]
        self.ablate = cw.Ablate(self.node)
        self.effect = self.model.intervene(self.graph, self.ablate)


@pytest.fixture(scope="module")
def things() -> Things:
    """A model and what comes of it."""
    return Things()


@pytest.mark.parametrize("number", [np.int64(2), np.uint8(2), torch.tensor(2), np.array(2)])
def test_whole_numbers_of_other_libraries_are_whole_numbers(number: Any, things: Things) -> None:
    model, graph = things.model, things.graph
    assert model.trace((1, 17, 42, 5), max_features=number, position=number).n_features == 2
    assert cw.Feature(number, number, number) == cw.Feature(2, 2, 2)
    assert len(model.verify(graph, number).edges) == 2
    assert len(model.controls(graph, things.ablate, n=number, seed=number).controls) == 2
    assert len(model.generate((1, 17), max_new_tokens=number).sampled) == 2
    assert model.intervene(graph, things.ablate, mode=(number, number)).mode == "2-2"


def test_a_float_of_numpy_is_a_number_and_its_bool_a_truth_value(things: Things) -> None:
    half = np.float32(0.5)
    assert cw.Scale(things.node, half).factor == 0.5
    assert things.graph.prune(half, half).recipe["thresholds"] == {"node": 0.5, "edge": 0.5}
    assert cw.Circuit().threshold(node=half).node_threshold == 0.5
    swept = things.model.sweep_groups(things.graph, [things.node], pairs=np.True_)
    assert len(swept.singles) == 1


def test_nodes_may_come_in_anything_that_lists_them(things: Things) -> None:
    two = things.graph.node_ids[:2]
    for make in (list, tuple, iter, lambda nodes: dict.fromkeys(nodes).keys(), np.array):
        assert cw.Circuit().pin(make(two)).pinned == two
        assert things.graph.resolve(make(two)) == (0, 1)
        assert cw.Ablate(make(two)).members == two

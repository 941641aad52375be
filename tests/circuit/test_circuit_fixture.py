"""Edits and documents of circuits, against the table that also checks the frontend."""

import json
from pathlib import Path
from typing import Any

import pytest

from circuit_widget.circuit.circuit import Circuit
from circuit_widget.circuit.filters import Filters
from circuit_widget.errors import CircuitError

FIXTURE = json.loads((Path(__file__).parents[1] / "fixtures/circuit.json").read_text(encoding="utf-8"))


def whole(keys: dict[str, Any]) -> dict[str, Any]:
    return {**Circuit().to_json(), **keys}


def edited(circuit: Circuit, name: str, *arguments: Any) -> Circuit:
    if name == "threshold":
        return circuit.threshold(**arguments[0])
    if name == "filter":
        return circuit.filter(None if arguments[0] is None else Filters.from_json(arguments[0]))
    changed: Circuit = getattr(circuit, name)(*arguments)
    return changed


@pytest.mark.parametrize("case", FIXTURE["edits"], ids=lambda case: case["case"])
def test_edit(case: dict[str, Any]) -> None:
    start = Circuit.from_json(whole({"revision": 7, **case["start"]}))
    before = json.dumps(start.to_json())
    if "error" in case:
        with pytest.raises(CircuitError) as refusal:
            edited(start, *case["edit"])
        assert str(refusal.value) == case["error"]
    else:
        assert edited(start, *case["edit"]).to_json() == whole({"revision": 8, **case["expect"]})
    assert json.dumps(start.to_json()) == before


@pytest.mark.parametrize("case", FIXTURE["documents"], ids=lambda case: case["case"])
def test_document(case: dict[str, Any]) -> None:
    document = case["document"] if "document" in case else whole(case["keys"])
    for key in case.get("without", ()):
        del document[key]
    if "error" in case:
        with pytest.raises(CircuitError) as refusal:
            Circuit.from_json(document)
        assert str(refusal.value) == case["error"]
    else:
        assert Circuit.from_json(document).to_json() == document


def test_boxes() -> None:
    circuit = Circuit.from_json(whole(FIXTURE["boxes"]["circuit"]))
    found = [{"id": box.id, "name": box.name, "color": box.color, "nodes": list(box.nodes)} for box in circuit.boxes()]
    assert found == FIXTURE["boxes"]["expect"]

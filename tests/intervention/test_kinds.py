"""Interventions as values: what they contain, what they refuse, and that they survive JSON."""

import json
from typing import Any

import numpy as np
import pytest

from circuit_widget.errors import InterventionError, NodeError
from circuit_widget.intervention import Ablate, Add, Intervention, Scale, Set, SwapIn, intervention_from_json
from circuit_widget.nodes import Feature

INACTIVE = Feature(1, 2, 3)


@pytest.mark.parametrize(
    ("intervention", "document"),
    [
        (Ablate("1_2_3"), {"kind": "ablate", "nodes": ["1_2_3"]}),
        (Scale(["a", "b"], -1), {"kind": "scale", "nodes": ["a", "b"], "factor": -1.0}),
        (Set(INACTIVE, 2), {"kind": "set", "nodes": [{"layer": 1, "position": 2, "feature": 3}], "value": 2.0}),
        (Set(["a", "b"], np.array([1, 2])), {"kind": "set", "nodes": ["a", "b"], "value": [1.0, 2.0]}),
        (Add(iter(["a"]), np.float32(0.5)), {"kind": "add", "nodes": ["a"], "value": 0.5}),
        (SwapIn("a", "the other"), {"kind": "swap_in", "nodes": ["a"], "prompt": "the other"}),
        (
            SwapIn("a", "the other", alignment={4: 5, 1: np.int64(1)}),
            {"kind": "swap_in", "nodes": ["a"], "prompt": "the other", "alignment": [[1, 1], [4, 5]]},
        ),
        (SwapIn("a", [1, 2], "b"), {"kind": "swap_in", "nodes": ["a"], "prompt": [1, 2], "features": ["b"]}),
    ],
)
def test_json_there_and_back(intervention: Intervention, document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(intervention.to_json())) == document
    assert intervention_from_json(document) == intervention


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ablate([]), "There is no node to change; name at least one feature."),
        (lambda: Ablate(7), "Nodes are node ids or Features; given 7."),
        (lambda: Ablate([("a", 1)]), "Nodes are node ids or Features; given ('a', 1)."),  # type: ignore[list-item]
        (lambda: Scale("a", float("nan")), "The factor of an intervention is a finite number; given nan."),
        (lambda: Scale("a", "2"), "The factor of an intervention is a finite number; given '2'."),
        (lambda: Set("a", float("inf")), "The value of an intervention is a finite number; given inf."),
        (lambda: Set("a", True), "finite number; given True."),
        (lambda: Set(["a", "b"], [1, 2, 3]), "3 values were given for 2 nodes; give one for each, or only one."),
        (lambda: SwapIn("a", "p", []), "There is no node to change"),
        (lambda: SwapIn("a", "p", alignment=7), "An alignment maps positions of this prompt to positions of the"),
        (lambda: SwapIn("a", "p", alignment="12"), "as {3: 4}; given '12'."),
        (lambda: SwapIn("a", "p", alignment={}), "The alignment is empty; pair at least one position, or leave it out"),
        (
            lambda: SwapIn("a", "p", alignment=[(1, 2, 3)]),  # type: ignore[list-item]
            "An alignment is pairs of positions, of this prompt and of",
        ),
        (lambda: SwapIn("a", "p", alignment=[4]), "of this prompt and of the other; given 4."),  # type: ignore[list-item]
        (lambda: SwapIn("a", "p", alignment={1: 2.5}), "whole numbers from 0 up; given 2.5."),
        (lambda: SwapIn("a", "p", alignment={"1": 2}), "whole numbers from 0 up; given '1'."),
        (lambda: SwapIn("a", "p", alignment={1: True}), "whole numbers from 0 up; given True."),
        (lambda: SwapIn("a", "p", alignment={-1: 2}), "whole numbers from 0 up; given -1."),
        (
            lambda: SwapIn("a", "p", alignment=[(1, 2), (3, 2), (1, 3)]),
            "The alignment pairs position 1 with both 2 and 3; give each position one.",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any, message: str) -> None:
    with pytest.raises(InterventionError) as refusal:
        make()
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"kind": "delete", "nodes": ["a"]},
            "An intervention has kind ablate, scale, set, add, swap_in; given 'delete'.",
        ),
        ("ablate", "given 'ablate'"),
        ({"kind": ["ablate"]}, "given ['ablate']"),
        ({"kind": "scale", "nodes": ["a"]}, "The intervention 'scale' lacks 'factor'"),
        ({"kind": "ablate", "nodes": ["a"], "factor": 2}, "has the unknown key 'factor'"),
        ({"kind": "ablate", "nodes": "a"}, "The nodes of an intervention are a list; given 'a'."),
        ({"kind": "ablate", "nodes": [3]}, "A node is an id or an object with layer, position and feature; given 3."),
        ({"kind": "ablate", "nodes": [{"layer": 1}]}, "A node is an id or an object"),
        ({"kind": "set", "nodes": ["a"], "value": "x" * 10_000}, "finite number; given 'xxx"),
        (
            {"kind": "swap_in", "nodes": ["a"], "prompt": "p", "alignment": [[1]]},
            "An alignment is pairs of positions",
        ),
        (
            {"kind": "swap_in", "nodes": ["a"], "prompt": 5},
            "The other prompt is a text or a list of token ids; given 5.",
        ),
    ],
)
def test_a_malformed_document_is_refused_in_a_line(document: Any, message: str) -> None:
    with pytest.raises(InterventionError) as refusal:
        intervention_from_json(document)
    assert message in str(refusal.value)
    assert len(str(refusal.value)) < 200


def test_a_document_with_an_impossible_feature_is_refused() -> None:
    with pytest.raises(NodeError):
        intervention_from_json({"kind": "ablate", "nodes": [{"layer": -1, "position": 0, "feature": 0}]})


def test_a_node_named_twice_counts_once() -> None:
    assert Ablate(["a", "b", "a"]).members == ("a", "b")


def test_descriptions_name_what_is_done() -> None:
    assert Ablate(["a", "b"]).description == "2 features ×0"
    assert Scale("a", -1).description == "1 feature ×−1"
    assert Set("a", 2.5).description == "1 feature = 2.5"
    assert Ablate(["1_-1_3", "1_-1_4"]).description == "2 errors ×0"
    assert Scale(["E_5_3", "a"], 2).description == "1 feature and 1 token ×2"
    assert SwapIn("a", "the capital").description == "1 feature swapped from “the capital”"

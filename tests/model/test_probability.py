"""Probabilities of tokens: in float64, and the same wherever they are reported."""

import math

import numpy as np
import pytest
import torch

from circuit_widget.intervention import Scale
from circuit_widget.model.probability import log_softmax, probabilities_of, softmax
from tests.models import reference_model

PROMPT = "the capital of France is"


def test_probabilities_of_a_large_vocabulary_are_those_of_exact_sums() -> None:
    logits = np.random.default_rng(0).normal(8, 4, 50_000).astype(np.float32)
    exact = [float(logit) for logit in logits]
    total = math.log(math.fsum(math.exp(logit - 20) for logit in exact)) + 20
    for token in (0, 7, int(logits.argmax())):
        assert log_softmax(logits)[token] == pytest.approx(exact[token] - total, abs=1e-13)
        assert softmax(logits)[token] == pytest.approx(math.exp(exact[token] - total), rel=1e-12)
    assert probabilities_of(torch.from_numpy(logits)).tolist() == softmax(logits).tolist()


def test_logits_of_any_size_have_finite_probabilities() -> None:
    assert softmax(np.array([3e38, -3e38], dtype=np.float32)).tolist() == [1, 0]
    assert softmax(np.array([-1e4, -1e4], dtype=np.float32)).tolist() == [0.5, 0.5]


def test_graph_generation_and_effect_report_the_same_probability() -> None:
    model = reference_model()
    graph = model.trace(PROMPT)
    first = graph.targets[0]
    exact = softmax(model.intervene(graph, Scale(graph.node_ids[0], 1)).logits_before)[first.token_id]
    effect = model.intervene(graph, Scale(graph.node_ids[0], 1))
    generated = model.generate(PROMPT, max_new_tokens=1)
    assert first.probability == exact
    assert effect.probability(first.token_id)[0] == pytest.approx(exact, rel=1e-14)
    assert generated.tokens[len(graph.tokens)].token_id == first.token_id
    assert generated.probabilities[0] == pytest.approx(exact, rel=1e-5)

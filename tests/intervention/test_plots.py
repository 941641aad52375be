"""Texts in plotly figures: what a token, group or contrast is called is displayed as it is, never read as markup."""

import html
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from circuit_widget.characters import half_character
from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.intervention import Ablate
from circuit_widget.intervention.plot_text import plain
from tests.hostile import HOSTILE
from tests.models import PROMPT_IDS, tiny_model

MODEL = tiny_model()
TEXTS = list(HOSTILE.values())
WHOLE = [text for text in TEXTS if half_character(text) is None]
"""Those that can be texts of a graph, names of groups, and columns of a table where pyarrow is installed."""


def displayed(text: str) -> str:
    """A text as a page can display it: without halves of pairs."""
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


@pytest.fixture(scope="module")
def graph() -> Graph:
    """A traced graph whose targets have hostile texts."""
    traced = MODEL.trace(PROMPT_IDS)
    renamed = [replace(target, token=WHOLE[at]) for at, target in enumerate(traced.targets)]
    return replace(traced, targets=tuple(renamed))


def groups(graph: Graph) -> dict[str, list[str]]:
    first = np.flatnonzero(graph.feature_position > 1)[: len(WHOLE)]
    return {text: [graph.node_ids[place]] for text, place in zip(WHOLE, first, strict=False)}


def effect_plot(graph: Graph) -> tuple[Any, set[str]]:
    effect = MODEL.intervene(graph, Ablate(graph.node_ids[0]))
    texts = WHOLE[-len(effect.tokens) :]
    return replace(effect, tokens=effect.tokens.assign(token=texts)).plot(), set(texts)


def sweep_plot(graph: Graph) -> tuple[Any, set[str]]:
    tokens = [target.token_id for target in graph.targets]
    sweep = MODEL.sweep(graph, graph.node_ids[:1], [0.0, 1.0])
    return sweep.plot(tokens), {target.token for target in graph.targets}


def group_plot(graph: Graph) -> tuple[Any, set[str]]:
    named = groups(graph)
    return MODEL.sweep_groups(graph, named).plot(graph.targets[0].token_id), set(named)


def pair_plot(graph: Graph) -> tuple[Any, set[str]]:
    named = dict(list(groups(graph).items())[:4])
    return MODEL.sweep_groups(graph, named, pairs=True).plot(graph.targets[0].token_id), set(named)


def validation_plot(graph: Graph) -> tuple[Any, set[str]]:
    validation = MODEL.validate(graph, groups(graph))
    frame = validation.to_frame()
    pairs = frame[frame["kind"] == "logit"]
    return validation.plot("logit"), {
        f"{one} → {other}" for one, other in zip(pairs["source"], pairs["target"], strict=True)
    }


def controls_plot(graph: Graph) -> tuple[Any, set[str]]:
    tokens = [target.token_id for target in graph.targets]
    controls = MODEL.controls(graph, Ablate(graph.node_ids[:2]), n=2)
    return controls.plot(tokens), {target.token for target in graph.targets}


PLOTS: list[Callable[[Graph], tuple[Any, set[str]]]] = [
    effect_plot,
    sweep_plot,
    group_plot,
    pair_plot,
    validation_plot,
    controls_plot,
]


def strings(value: Any) -> Iterator[str]:
    """Every text of a plain value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from strings(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from strings(entry)


@pytest.mark.parametrize("make", PLOTS, ids=lambda make: make.__name__)
def test_every_text_of_a_plot_is_text(make: Callable[[Graph], tuple[Any, set[str]]], graph: Graph) -> None:
    figure, texts = make(graph)
    document = json.loads(figure.to_json())
    found = [text for part in (document["data"], {**document["layout"], "template": None}) for text in strings(part)]
    assert not [text for text in found if "<" in text or ">" in text or "$" in text or "%{" in text]
    assert texts
    assert {displayed(text) for text in texts} <= {html.unescape(text) for text in found}


@pytest.mark.parametrize("pairs", [False, True])
def test_the_title_quotes_its_token(pairs: bool, graph: Graph) -> None:
    make = pair_plot if pairs else group_plot
    figure, _ = make(graph)
    assert repr(graph.targets[0].token) in html.unescape(figure.layout.title.text)


def test_half_a_character_in_the_name_of_a_group_is_refused(graph: Graph) -> None:
    with pytest.raises(
        InterventionError, match=r"The name of the group '.*' has half of a character, U\+D83D; give whole"
    ):
        MODEL.sweep_groups(graph, {"\ud83d": [graph.node_ids[0]]})


@pytest.mark.parametrize("text", TEXTS, ids=list(HOSTILE))
def test_a_quoted_text_reads_as_itself(text: str) -> None:
    quoted = plain(text)
    assert html.unescape(quoted).replace("\ufffd", "?") == displayed(text).replace("\ufffd", "?")
    quoted.encode()


def test_plain_words_stay_as_they_are() -> None:
    assert plain("5% of “Texas”, it's 大 = 1") == "5% of “Texas”, it's 大 = 1"

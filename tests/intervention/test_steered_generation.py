"""Two texts side by side: where they part, what is marked, and that hostile token text stays text."""

import json
import re
from dataclasses import replace

import pytest

from circuit_widget.intervention import Ablate
from circuit_widget.intervention.studies.steered_generation import SteeredGeneration
from circuit_widget.nodes import Everywhere, PromptToken
from circuit_widget.tracing.generation import Generation


def generation(*texts: str, prompt: tuple[str, ...] = ("<bos>", "why")) -> Generation:
    tokens = tuple(PromptToken(text, sum(map(ord, text))) for text in (*prompt, *texts))
    shares = tuple(0.5 / (place + 1) for place in range(len(texts)))
    return Generation(tokens, len(prompt), "".join(texts), shares, 0.0, None, False)


def pair(unsteered: Generation, steered: Generation) -> SteeredGeneration:
    return SteeredGeneration(unsteered, steered, (Ablate(Everywhere(1, 2)),), True)


@pytest.mark.parametrize(
    ("unsteered", "steered", "first", "marks"),
    [
        ("a b c", "a b c", None, ("000", "000")),
        ("a b c", "a x c", 1, ("010", "010")),
        ("a b c", "a x y c", 1, ("010", "0110")),
        ("a b", "a b c", 2, ("00", "001")),
        ("a b a b", "b a b a", 0, ("0001", "1000")),
        ("a b", "a x a b", 1, ("00", "0110")),
        ("a b", "c d", 0, ("11", "11")),
        ("a", "", 0, ("1", "")),
    ],
)
def test_the_first_difference_and_the_tokens_that_differ(
    unsteered: str, steered: str, first: int | None, marks: tuple[str, str]
) -> None:
    both = pair(generation(*unsteered.split()), generation(*steered.split()))
    assert both.first_difference == first
    assert tuple("".join(str(int(differs)) for differs in marked) for marked in both.marks) == marks


def test_its_plain_text_has_differing_tokens_in_brackets() -> None:
    both = pair(generation(" a", " cat", " ."), generation(" a", " frog", "\n", "\x1b[2J"))
    assert str(both) == (
        "1 feature everywhere ×0 (prompt and new tokens): they differ from token 1 on, ' frog' for ' cat'\n"
        "unsteered   a[ cat][ .]\n"
        "steered     a[ frog][↵][\N{REPLACEMENT CHARACTER}[2J]"
    )
    words = replace(pair(replace(generation("a", "cat"), text="a cat"), generation("a")), new_tokens=False)
    assert str(words) == (
        "1 feature everywhere ×0 (prompt only): they differ from token 1 on, nothing more for 'cat'\n"
        "unsteered  a [cat]\n"
        "steered    a"
    )
    assert "both texts are the same" in str(pair(generation("a"), generation("a")))


def test_hostile_token_text_stays_text_in_html() -> None:
    page = pair(generation("a", "<script>alert(1)</script>"), generation("a", '"><img onerror=x>'))._repr_html_()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert set(re.findall(r"<(\w+)", page)) == {"table", "caption", "tr", "th", "td", "span", "mark"}
    assert re.findall(r"<mark[^>]*>([^<]*)</mark>", page) == [
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "&quot;&gt;&lt;img onerror=x&gt;",
    ]
    assert re.findall(r'<span title="([^"]*)"[^>]*>a</span>', page) == ["0.5", "0.5"]


def test_json_holds_what_was_done_and_each_token() -> None:
    document = json.loads(json.dumps(pair(generation("a", "b"), generation("a", "c")).to_json()))
    assert document["interventions"] == [{"kind": "ablate", "nodes": [{"layer": 1, "feature": 2}]}]
    assert (document["new_tokens"], document["first_difference"]) == (True, 1)
    assert document["steered"] == {
        "text": "ac",
        "ended": False,
        "tokens": [
            {"token": "a", "token_id": 97, "probability": 0.5, "differs": False},
            {"token": "c", "token_id": 99, "probability": 0.25, "differs": True},
        ],
    }


def test_a_frame_has_a_row_for_each_place() -> None:
    frame = pair(generation("a", "b"), generation("a", "c", "d")).to_frame()
    assert frame["unsteered"].tolist()[:2] == ["a", "b"]
    assert frame["steered"].tolist() == ["a", "c", "d"]
    assert frame["same"].tolist() == [True, False, False]
    assert frame["unsteered_probability"].tolist()[:2] == [0.5, 0.25]
    assert frame[["unsteered", "unsteered_probability"]].isna().all(axis=1).tolist() == [False, False, True]

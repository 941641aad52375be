"""Texts of every kind that a user can give, and what is left out of them."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as pq
import pytest

from circuit_widget.errors import PromptError
from circuit_widget.examples.texts import LONGEST, read_texts


def read(given: Any, column: str = "text") -> tuple[list[Any], dict[str, int]]:
    texts = read_texts(given, column)
    return list(texts.entries()), dict(texts.skipped)


class DataSet:
    """Rows as the library datasets has them, which is not installed for the tests."""

    class info:
        dataset_name = "stories"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield {"id": 1, "story": "one"}
        yield {"id": 2, "story": "two"}


def test_lists_iterators_and_data_sets_are_texts() -> None:
    assert read(["a b", "c"]) == (["a b", "c"], {})
    assert read(text for text in ("a", "")) == (["a"], {"empty": 1})
    assert read(DataSet(), "story") == (["one", "two"], {})
    assert read_texts(DataSet(), "story").name == "the data set stories"


def test_a_text_file_has_texts_between_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_bytes(b"one\nline more\n\n \n\xff\xfe\n\ntwo \xe2\x82\xac")
    assert read(path) == (["one\nline more", "two €"], {"not UTF-8": 1})


def test_a_text_file_without_empty_lines_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("a line of words\n" * 10_000)
    pieces, skipped = read(path)
    assert "".join(pieces) == path.read_text().rstrip("\n")
    assert max(map(len, pieces)) <= LONGEST
    assert skipped == {}


def test_a_long_text_is_cut_between_words() -> None:
    text = "word " * 30_000
    pieces, _ = read([text])
    assert "".join(pieces) == text.rstrip() + " "
    assert all(len(piece) <= LONGEST and piece.strip().endswith("word") for piece in pieces)
    assert [len(piece) for piece in read(["x" * (LONGEST + 5)])[0]] == [LONGEST, 5]


def test_lines_of_json_have_a_text_each(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    lines = [
        json.dumps({"text": "one"}),
        "{broken",
        json.dumps({"other": 1}),
        '"two"',
        "",
        "\udcff",
        json.dumps({"text": ""}),
    ]
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape"))
    assert read(path) == (["one", "two"], {"not JSON": 1, "without 'text'": 1, "not UTF-8": 1, "empty": 1})


def test_a_parquet_file_has_a_text_a_row(tmp_path: Path) -> None:
    path = tmp_path / "texts.parquet"
    pq.write_table(pyarrow.table({"body": ["one", None, "two"], "n": [1, 2, 3]}), path)
    texts = read_texts(path, "body")
    assert list(texts.entries()) == ["one", "two"]
    assert (dict(texts.skipped), texts.fraction()) == ({"not a text": 1}, 1.0)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"body": "x"}\n', r"first line of .*a.jsonl has no text 'text'; it has 'body'. Name the key"),
        ("a.parquet", b"not Parquet", "a.parquet is not readable as Parquet"),
        ("a.csv", b"x", r"expected a name that ends in .txt \(a text ends at an empty line\), .jsonl"),
    ],
)
def test_a_file_without_texts_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PromptError, match=message):
        read(tmp_path / name)


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    whole = io.BytesIO()
    pq.write_table(pyarrow.table({"text": ["one"] * 100}), whole)
    (tmp_path / "cut.parquet").write_bytes(whole.getvalue()[:-30])
    with pytest.raises(PromptError, match=r"cut.parquet is not readable as Parquet"):
        read(tmp_path / "cut.parquet")


def test_a_parquet_file_with_another_column_names_its_own(tmp_path: Path) -> None:
    pq.write_table(pyarrow.table({"body": ["one"]}), tmp_path / "a.parquet")
    with pytest.raises(PromptError, match=r"has no column 'text'; it has 'body'. Name the one with the text: column="):
        read(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("no such file", "there is no such file; expected a list or iterator of texts"),
        (7, "texts is 7; expected a list or iterator of texts"),
        ([None], r"texts\[0\] is None, expected a text"),
        ([{"body": "x"}], r"texts\[0\] has None as 'text', expected a text; it has the keys 'body'"),
    ],
)
def test_what_has_no_texts_is_refused(given: Any, message: str) -> None:
    with pytest.raises(PromptError, match=message):
        read(given)

"""The documents: their examples run, and their links lead to files that exist."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "MODEL_CARD.md",
    "docs/python.md",
    "docs/transcoders.md",
    "docs/widget.md",
    "docs/hosts.md",
)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
BLOCK = re.compile(r"(?P<skipped><!-- not run -->\n)?```python\n(?P<code>.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", ["docs/python.md", "README.md"])
def test_the_examples_of_a_page_run_from_top_to_bottom(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text()
    blocks = [match for match in BLOCK.finditer(text) if not match["skipped"]]
    assert blocks
    names: dict[str, object] = {}
    for match in blocks:
        above = text[: match.start("code")].count("\n")
        exec(compile("\n" * above + match["code"], page, "exec"), names)
    assert {"dallas.pdf"} <= set(os.listdir(tmp_path))  # noqa: PTH208


def test_every_public_name_is_on_the_page() -> None:
    import circuit_widget as cw

    page = (ROOT / "docs/python.md").read_text()
    silent = {"__version__", "CircuitWidget", "Effect", "Figure", "ReplacementModel"}
    assert [name for name in cw.__all__ if name not in silent and name not in page] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_to_one(page: str) -> None:
    links = LINK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_the_walk_through_the_code_names_files() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    walk = text.split("## A walk through the code")[1].split("\n## ")[0]
    assert len(LINK.findall(walk)) > 20

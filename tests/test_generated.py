"""What screen and kernel share has one source: the modules that are written from it are up to date."""

from pathlib import Path

import pytest

from tools.generate_frontend.modules import COMMAND, written_modules
from tools.generate_frontend.typescript import Value, constant


def numbers(first: int, end: int) -> str:
    return ", ".join(map(str, range(first, end)))


@pytest.mark.parametrize("path", written_modules(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_written_modules_are_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == written_modules()[path], f"run `{COMMAND}`"


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (1.0, "1"),
        (1e-06, "1e-6"),
        (1e21, "1e21"),
        (0.45, "0.45"),
        ("a “quote” and a \"\n", '"a “quote” and a \\"\\n"'),
        ((1, 0.5), "[1, 0.5] as const"),
        (((1, 2),), "[[1, 2]] as const"),
        (((1, 2), (3, 4)), "[\n  [1, 2],\n  [3, 4],\n] as const"),
        ({"a": 1, "b-c": "d"}, '{\n  a: 1,\n  "b-c": "d",\n} as const'),
        (tuple(range(100, 140)), f"[\n  {numbers(100, 123)},\n  {numbers(123, 140)},\n] as const"),
    ],
)  # fmt: skip
def test_a_constant_is_written_as_the_frontend_formats_it(value: Value, source: str) -> None:
    assert constant("NAME", value, "Of this.") == f"/** Of this. */\nexport const NAME = {source};\n"

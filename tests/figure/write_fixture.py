"""Writes tests/fixtures/layout.json, which holds the Python and the TypeScript layout to the same numbers."""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.figure.cases import fixture

FIXTURE = Path(__file__).parents[1] / "fixtures" / "layout.json"


def rounded(value: Any) -> Any:
    """The value with every float rounded to 8 digits, far finer than the comparison."""
    if isinstance(value, float):
        return round(value, 8)
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(entry) for entry in value]
    return value


if __name__ == "__main__":
    FIXTURE.write_text(json.dumps(rounded(fixture()), ensure_ascii=True, separators=(",", ":")) + "\n")
    print(f"wrote {FIXTURE.name}, {FIXTURE.stat().st_size:,} bytes")

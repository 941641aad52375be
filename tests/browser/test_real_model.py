"""The loop on a model that somebody else trained, with its neurons as features: look, group, ablate."""

import os
from pathlib import Path

import pytest

from tests.browser.conftest import FINE_SCREEN, OpenNotebook, Screen
from tests.browser.notebook import Notebook
from tests.browser.widget_view import SHOW, WidgetView
from tests.real.conftest import FRANCE, fetched
from tests.real.smollm2 import model_directory

LOAD = """\
import circuit_widget as cw
model = cw.load({directory!r}, "neurons", device="cpu", dtype="float32")
graph = model.trace({prompt!r}, max_features=500)
widget = graph.show()
neurons = graph.to_frames()[0].query("kind == 'feature'").sort_values("influence", ascending=False)
"""

# Neurons at the last token that promote a word for a city.
CITY = ("24_1005_5", "22_916_5", "21_1104_5")


@pytest.fixture
def screen() -> Screen:
    return FINE_SCREEN


@pytest.fixture
def notebook(open_notebook: OpenNotebook) -> Notebook:
    """A notebook whose first cell loads the model and traces it."""
    cell = LOAD.format(directory=str(fetched(model_directory)), prompt=FRANCE)
    opened = open_notebook([cell, SHOW])
    opened.run(0)
    opened.run(1)
    return opened


def test_neurons_of_a_real_model_are_looked_at_grouped_and_ablated(notebook: Notebook, tmp_path: Path) -> None:
    view = WidgetView(notebook)
    assert (view.part("answer").text_content() or "").startswith("Paris")

    first, second, third = CITY
    view.click_node(first)
    view.part("card-reversed").wait_for()
    assert "neuron 1005 · layer 24" in view.part("inspector-facts").inner_text()
    assert "capitals" in view.part("promoted").inner_text()
    assert len(view.part("suppressed").inner_text()) > 10

    view.drag(view.place(second), view.place(first))
    view.name_group("say a city")
    # A weaker one, which the map shows once it is in the circuit.
    notebook.tell(f"widget.pin([{third!r}])")
    view.drag(view.place(third), view.centre(view.box("say a city")))
    notebook.wait_until("len(widget.circuit.supernode('say a city').nodes) == 3")
    assert set(notebook.python("list(widget.circuit.supernode('say a city').nodes)")) == set(CITY)

    view.ablate("say a city")
    paris = view.token_rows()[" Paris"]
    assert paris["before"] == pytest.approx(0.75, abs=0.01)
    assert paris["after"] < paris["before"] - 0.2
    assert paris["after"] == pytest.approx(notebook.python("widget.effects[-1].probability(' Paris')[1]"), abs=1e-6)

    notebook.tell("widget.group('capital', neurons[neurons.token == ' capital'].id[:10])")
    notebook.tell("widget.pin(['E_3575_2', 'E_4649_4', graph.node_ids[-len(graph.targets)]])")
    notebook.tell(f"widget.select([{first!r}])")
    view.part("card-reversed").wait_for()
    folder = Path(os.environ.get("CIRCUIT_WIDGET_SCREENSHOTS", tmp_path))
    for theme in ("light", "dark"):
        notebook.theme(theme)
        view.fit(900)
        view.page.mouse.move(2, 2)
        view.root.evaluate("(root) => root.getRootNode().activeElement?.blur()")
        view.screenshot(folder / f"real-model-{theme}.png")

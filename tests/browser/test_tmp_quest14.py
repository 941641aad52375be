from pathlib import Path
import pytest
from tests.browser.widget_view import LOAD, SHOW, WidgetView
GEMMA = "import circuit_widget as cw\ngraph = cw.open('/work/shared/graphs/gemma-2-2b-dallas.json')\nprint(graph)"
SMOL = "import circuit_widget as cw\nfrom tests.real.smollm2 import model_directory\nmodel = cw.load(model_directory())\ngraph = model.trace('The capital of the state containing Dallas is', max_features=2000)"
@pytest.mark.parametrize("which", ["demo", "gemma", "smol"])
def test_look(open_notebook, which):
    nb = open_notebook([{"demo": LOAD, "gemma": GEMMA, "smol": SMOL}[which], "widget = graph.show()\nwidget"])
    nb.run(0); nb.run(1)
    v = WidgetView(nb).fit(900)
    shot = lambda x: v.screenshot(Path(f"/tmp/quest14-{which}-{x}.png"))
    out = nb.python("graph.node_ids[-len(graph.targets)]")
    feat = nb.python("graph.node_ids[int(graph.influence[:graph.n_features].argmax())]")
    tok = nb.python("[n for n, k in zip(graph.node_ids, graph.node_kinds) if k == 'token'][-2]")
    nb.tell(f"widget.selected = ['{out}']") if hasattr(nb, "tell") else None
    v.part("paths-inputs").click(); v.part("paths").wait_for(); shot("into")
    nb.tell(f"widget.selected = ['{tok}', '{out}']")
    v.part("find-paths").wait_for(); v.part("find-paths").click()
    v.page.wait_for_function("() => true")
    v.part("paths").get_by_text("from ").wait_for(); shot("between")
    nb.theme("dark") if callable(getattr(nb, "theme", None)) else None
    shot("between-dark")
    print(v.part("paths").inner_text())
    v.page.keyboard.press("Escape")

from pathlib import Path
from tests.browser.widget_view import SHOW, WidgetView
from tests.real.smollm2 import model_directory

def test_look(open_notebook):
    cell = f"import circuit_widget as cw\nmodel = cw.load({str(model_directory())!r})\ngraph = model.trace('The capital of France is', max_features=600)\nwidget = graph.show(keep='france.json')\nids = [n for n in graph.node_ids[:40]]\nwidget.group('strong', ids[:4])\nwidget.pin(graph.node_ids[-1])\n"
    nb = open_notebook([cell, SHOW])
    nb.run(0); nb.run(1)
    view = WidgetView(nb); view.fit(900)
    view.part("answer").click()
    nb.tell("widget.selected = [graph.node_ids[-1], graph.node_ids[-len(graph.targets)]]")
    view.part("explain").first.wait_for()
    view.screenshot(Path("/tmp/again14-outputs.png"))
    view.part("retrace").click()
    view.screenshot(Path("/tmp/again14-form.png"))
    view.root.locator("textarea[name=prompt]").fill("The capital of Germany is")
    view.part("retrace-run").click()
    try:
        view.part("job").wait_for(timeout=5000)
        view.screenshot(Path("/tmp/again14-job.png"))
    except Exception as e: print("no job", e)
    nb.wait_until("'Germany' in ''.join(t.text for t in widget.graph.tokens)")
    view.part("prompt-token").get_by_text("Germany").wait_for()
    view.screenshot(Path("/tmp/again14-germany.png"))
    nb.theme("dark") if callable(getattr(nb, "theme", None)) else None
    view.part("prompt-token").nth(3).click()
    view.part("explain").wait_for()
    view.part("retrace").click()
    view.screenshot(Path("/tmp/again14-dark.png"))
    view.part("retrace").click()
    view.part("explain").click()
    nb.wait_until("len(widget.graph.tokens) < 5")
    view.part("prompt-token").nth(3).wait_for(state="detached")
    view.screenshot(Path("/tmp/again14-dark-token.png"))
    print(nb.python("[widget.kept, widget.graphs]"))

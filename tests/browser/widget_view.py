"""What a reader does with the widget: clicks on the map's nodes, drags them, reads boxes and bars."""

from pathlib import Path
from typing import Literal

from playwright.sync_api import Locator

from tests.browser.notebook import Notebook

LOAD = """\
import circuit_widget as cw
model = cw.load("demo")
graph = model.trace("the capital of the state containing Dallas is")
widget = graph.show()
"""
SHOW = "widget"

# The features on the map by what they are rather than by any label, the most influential first.
FEATURES = """
frame = graph.to_frames()[0]
visible = frame[(frame.kind == "feature") & (graph.share <= 0.8)].sort_values("influence", ascending=False)
def features(token):
    return visible[visible.token.str.strip() == token].id.tolist()
"""

# The groups of the quickstart.
GROUPS = """
import time
from circuit_widget.demo.groups import capital_features, state_features
def active(features):
    return [feature.id for feature in features if feature.id in graph.node_ids]
texas = active(state_features(graph, "Texas"))
last = [node for node in texas if node.startswith(f"{graph.n_layers - 1}_")]
widget.group("Texas", [node for node in texas if node not in last])
widget.group("say Austin", last)
widget.group("capital", active(capital_features(graph)))
"""

# Makes every run of the model take its time.
SLOWLY = """
slow = [block.mlp.register_forward_hook(lambda *_: time.sleep(0.2)) for block in model.model.blocks]
"""
AT_FULL_SPEED = "for hook in slow: hook.remove()"

# The figure and the screen share one layout, so the kernel can say where the screen has drawn a node.
PLACES = """
def places(widget, width, height):
    from circuit_widget.display.visible_graph import visible_graph
    from circuit_widget.figure.layout.map_layout import map_layout
    from circuit_widget.figure.scene.map_scene import map_nodes
    from circuit_widget.wording.names import layer_names
    graph, circuit = widget.graph, widget.circuit
    visible = visible_graph(graph, circuit.pin(widget.selected) if widget.selected else circuit).nodes
    texts = [token.text for token in graph.tokens]
    layout = map_layout(map_nodes(graph, visible), texts, layer_names(graph), width, height)
    return {graph.node_ids[node]: [x, y] for node, x, y in zip(visible, layout.x, layout.y)}
"""

Row = dict[str, float]


class WidgetView:
    """One widget on the page; `name` is its variable in the kernel."""

    def __init__(self, notebook: Notebook, index: int = 0, name: str = "widget") -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.name = name
        self.root = notebook.widget(index)

    def part(self, test: str, **data: str) -> Locator:
        """Return the parts of one kind, by their data-test and other data attributes."""
        wanted = "".join(f"[data-{key}={value!r}]" for key, value in data.items())
        return self.root.locator(f"[data-test={test!r}]{wanted}")

    def box(self, name: str) -> Locator:
        """Return the circuit pane's box of that name."""
        return self.part("box", name=name)

    def supernode(self, name: str) -> Locator:
        """Return the box of the supernode of that name; a pinned node may have the same."""
        return self.part("box", name=name, kind="supernode")

    def place(self, node: str) -> tuple[float, float]:
        """Return where on the page the map has drawn a node."""
        canvas = self.part("map")
        canvas.scroll_into_view_if_needed()
        bounds = canvas.bounding_box()
        assert bounds is not None
        self.notebook.tell(PLACES)
        x, y = self.notebook.python(f"places({self.name}, {bounds['width']}, {bounds['height']})[{node!r}]")
        return bounds["x"] + x, bounds["y"] + y

    def click_node(self, node: str, modifier: Literal["Shift"] | None = None) -> None:
        """Click a node on the map."""
        x, y = self.place(node)
        if modifier:
            self.page.keyboard.down(modifier)
        self.page.mouse.click(x, y)
        if modifier:
            self.page.keyboard.up(modifier)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press at one place of the page, move, and let go at another."""
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(*end, steps=5)
        self.page.mouse.up()

    def centre(self, part: Locator) -> tuple[float, float]:
        """Return the middle of a part, on the page."""
        part.scroll_into_view_if_needed()
        bounds = part.bounding_box()
        assert bounds is not None
        return bounds["x"] + bounds["width"] / 2, bounds["y"] + bounds["height"] / 2

    def name_group(self, name: str) -> None:
        """Type a name into the field that a new group opens."""
        field = self.part("rename")
        field.fill(name)
        field.press("Enter")
        self.box(name).wait_for()

    def ablate(self, name: str) -> None:
        """Click a box's toolbar at zero, and wait for the effect."""
        before = self.effect_id()
        self.box(name).click()
        self.part("toolbar-0").click()
        self.wait_for_effect_after(before)

    def open(self, panel: str) -> None:
        """Open one of the panels that have the model run."""
        self.part(f"panel-{panel}").click()

    def turn(self, kind: str, number: str) -> None:
        """Type a number into the open toolbar: as a factor ("scale"), a value ("set"), or what is added ("add")."""
        self.part("toolbar-kind").select_option(kind)
        self.part("toolbar-custom").fill(number)
        self.part("toolbar-custom").press("Enter")

    def effect_id(self) -> str | None:
        """Return the number of the effect on show."""
        return self.part("effect").get_attribute("data-effect")

    def wait_for_effect_after(self, before: str | None) -> None:
        """Wait until another effect than that one is on show."""
        other = "" if before is None else f":not([data-effect={before!r}])"
        self.root.locator(f"[data-test='effect'][data-effect]{other}").wait_for()

    def token_rows(self) -> dict[str, Row]:
        """Return what the page says of each likely token: probability before and after."""
        rows = self.part("token-row").all()
        return {
            str(row.get_attribute("data-token")): {
                when: float(value) for when in ("before", "after") if (value := row.get_attribute(f"data-{when}"))
            }
            for row in rows
        }

    def fit(self, width: int) -> None:
        """Make the page as wide as it must be for the widget to have a width."""
        bounds, viewport = self.root.bounding_box(), self.page.viewport_size
        assert bounds is not None
        assert viewport is not None
        self.page.set_viewport_size(
            {"width": round(viewport["width"] + width - bounds["width"]), "height": viewport["height"]}
        )
        self.page.wait_for_function(
            "([root, width]) => Math.abs(root.getBoundingClientRect().width - width) < 2",
            arg=[self.root.element_handle(), width],
        )

    def screenshot(self, path: Path) -> None:
        """Save a picture of the whole widget."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.root.screenshot(path=path)

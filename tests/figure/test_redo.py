"""Figures made again from their recipes: the same bytes in a fresh process, and clear words where that cannot be."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import circuit_widget as cw
from circuit_widget.errors import CircuitWidgetError, CircuitWidgetWarning, FigureError, LoadError
from circuit_widget.figure.figure import Figure
from circuit_widget.figure.output.fonts import FONTS
from circuit_widget.figure.output.recipe_in_file import recipe_text
from circuit_widget.figure.recipe.recipe import read
from tests.figure.graphs import circuit_of_dallas, dallas, texas_ablated

PROMPT = "the capital of the state containing Dallas is"
OTHER = "the capital of the state containing Oakland is"
ENDINGS = ("svg", "pdf", "png", "tex", "html")
AGAIN = """
import sys
from pathlib import Path
import circuit_widget as cw
folder = Path(sys.argv[1])
for file in sorted(folder.iterdir()):
    again = folder.parent / "again" / file.name
    cw.redo(file, None if file.suffix == ".json" else again, progress=False)
"""


@pytest.fixture(scope="module")
def model() -> cw.ReplacementModel:
    return cw.load("demo", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def graph(model: cw.ReplacementModel) -> cw.Graph:
    return model.trace(PROMPT)


@pytest.fixture(scope="module")
def circuit(graph: cw.Graph) -> cw.Circuit:
    texas = graph.labelled("Texas")
    capital = [node for node in graph.labelled("capital") if node not in texas]
    return cw.Circuit().group("Texas & others", texas).group("capital", capital).pin([graph.node_ids[-1]])


@pytest.fixture(scope="module")
def swapped(model: cw.ReplacementModel, graph: cw.Graph) -> cw.Effect:
    return model.intervene(graph, cw.SwapIn(graph.labelled("Texas"), OTHER))


@pytest.fixture(scope="module")
def simple(graph: cw.Graph) -> Figure:
    return graph.figure(width=3.25)


def test_the_same_bytes_come_out_of_a_fresh_process_in_every_format(
    model: cw.ReplacementModel, graph: cw.Graph, circuit: cw.Circuit, swapped: cw.Effect, tmp_path: Path
) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    first.mkdir()
    again.mkdir()
    texas = graph.labelled("Texas")
    controls = model.controls(graph, cw.Scale(texas, -1), n=4, seed=3, same_position=False, mode="frozen_attention")
    intervention = graph.figure(circuit, controls, part="intervention", width=5.5, title="Texas & <b>")
    for ending in ENDINGS:
        intervention.save(first / f"controls.{ending}", recipe=ending == "pdf")
    contrast = model.trace(OTHER, targets=[cw.Contrast("Sacramento", "Austin")], max_features=60).prune(0.7, 0.9)
    contrast.figure(part="map", width=4).save(first / "contrast.svg")
    cw.panels(
        {
            "swap": (graph, circuit, swapped),
            "bars": swapped,
            "dose": model.sweep(graph, texas, [2, -1, 0]),
            "constrained": model.sweep_last_layer(graph, cw.Ablate(texas), first=2),
            "validated": model.validate(graph, {"z": texas, "a": graph.labelled("capital")}),
            "other": contrast,
        },
        title="Six",
    ).save(first / "panels.pdf")
    done = subprocess.run([sys.executable, "-c", AGAIN, str(first)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    made = sorted(file.name for file in again.iterdir())
    assert made == sorted([*(f"controls.{ending}" for ending in ENDINGS), "contrast.svg", "panels.pdf"])
    for name in made:
        assert (again / name).read_bytes() == (first / name).read_bytes(), name


def test_a_recipe_says_everything_and_no_time(graph: cw.Graph, circuit: cw.Circuit, swapped: cw.Effect) -> None:
    figure = graph.figure(circuit, swapped, part="intervention", width=5.5, title="a title")
    text = json.dumps(figure.recipe)
    assert read(text, "x").to_json() == figure.recipe
    assert not {"time", "seconds"} & set(keys_of(figure.recipe))
    (one,), (panel,) = figure.recipe["graphs"], figure.recipe["panels"]
    assert (one["model"], one["transcoders"]) == ("demo", "circuit-widget-demo")
    assert one["provenance"]["model"]["files"]["model.safetensors"].startswith("sha256:")
    assert one["prompt_token_ids"] == [token.token_id for token in graph.tokens]
    assert one["targets"] == [{"token": target.token_id} for target in graph.targets]
    assert panel["outcome"]["interventions"] == [swapped.interventions[0].to_json()]
    assert (panel["outcome"]["mode"], panel["outcome"]["frozen"]) == ("total", "nothing frozen")
    assert panel["circuit"] == circuit.to_json()
    assert (figure.recipe["title"], figure.recipe["width_inches"]) == ("a title", 5.5)


def keys_of(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for one in value.values() for key in keys_of(one))]
    return [key for one in value for key in keys_of(one)] if isinstance(value, list) else []


def test_two_traces_of_a_prompt_have_one_recipe(model: cw.ReplacementModel, simple: Figure) -> None:
    model.forget()
    again = model.trace(PROMPT).figure(width=3.25)
    assert again.svg() == simple.svg()
    assert again.pdf() == simple.pdf()


def test_a_model_with_other_weights_is_named_by_both_hashes_before_it_is_loaded(simple: Figure, tmp_path: Path) -> None:
    file = simple.save(tmp_path / "dallas.svg")
    here = tmp_path / "other"
    shutil.copytree(Path(cw.__file__).parent / "demo" / "model", here)
    (here / "model.safetensors").write_bytes(b"not weights")
    wanted = simple.recipe["graphs"][0]["provenance"]["model"]["files"]["model.safetensors"]
    with pytest.raises(FigureError, match=r"other files of the model: model\.safetensors is sha256:") as error:
        cw.redo(file, model=here, progress=False)
    assert wanted in str(error.value)
    assert str(error.value).count("sha256:") == 2
    with pytest.raises(LoadError, match="no such directory"):
        cw.redo(file, model=tmp_path / "none", progress=False)


def test_a_loaded_model_is_compared_too(model: cw.ReplacementModel, simple: Figure, tmp_path: Path) -> None:
    file = simple.save(tmp_path / "dallas.svg")
    assert cw.redo(file, model=model, progress=False).svg() == simple.svg()
    neurons = cw.load("demo", "neurons")
    with pytest.raises(
        FigureError, match=r"other transcoders: config\.yaml is sha256:.*not there here.*transcoders=\.\.\."
    ):
        cw.redo(file, model=neurons, progress=False)
    with pytest.raises(FigureError, match="leave transcoders out"):
        cw.redo(file, model=model, transcoders="neurons")


def test_a_graph_that_was_read_from_a_file_has_to_be_given(tmp_path: Path) -> None:
    graph = dallas()
    figure = graph.figure(circuit_of_dallas(), part="circuit", width=4)
    file = figure.save(tmp_path / "dallas.svg")
    with pytest.raises(FigureError, match=r"graph of “<bos> the capital .* is” was read from a file.*graph=\.\.\."):
        cw.redo(file)
    saved = graph.save(tmp_path / "dallas.safetensors")
    assert cw.redo(file, graph=saved, progress=False).svg() == figure.svg()
    with pytest.raises(FigureError, match="Graph 1 of those that were given has another prompt"):
        cw.redo(file, graph=[graph.prune(0.5, 0.5), graph])


def test_an_effect_of_a_model_that_is_in_no_hub_needs_the_model(tmp_path: Path) -> None:
    graph = dallas()
    file = graph.figure(circuit_of_dallas(), texas_ablated(graph)).save(tmp_path / "dallas.svg")
    with pytest.raises(FigureError, match=r"the model 'small', which is not from the hub.*model=\.\.\."):
        cw.redo(file, graph=graph, progress=False)


def changed(recipe: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    """The recipe with another value at a place such as "graphs.0.position"; ... removes it."""
    whole = json.loads(json.dumps(recipe))
    *steps, last = (int(step) if step.isdigit() else step for step in place.split("."))
    inner = whole
    for step in steps:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return whole  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("schema", 2, "schema is 2; Input should be 1"),
        ("more", 1, "more is unknown"),
        ("title", ..., "title is missing"),
        ("width_inches", "5", r"width_inches is '5'; Input should be a valid number"),
        ("width_inches", float("nan"), "width_inches is nan"),
        ("graphs", [], r"graphs is \[\]; Tuple should have at least 1"),
        ("graphs.0.prompt_token_ids.1", 1.5, r"graphs\[0\]\.prompt_token_ids\[1\] is 1\.5"),
        ("graphs.0.prompt", ["a"], r"contradicts itself: graphs\[0\] has 1 tokens, 9 ids"),
        ("graphs.0.targets", [{"run": "x"}], r"graphs\[0\]\.targets\[0\]: A target in JSON is"),
        ("graphs.0.nodes", "x", r"graphs\[0\]\.nodes is 'x'"),
        ("panels.0.graph", 1, r"has 1 graphs; panels\[0\]\.graph is 1"),
        ("panels.0.circuit.pinned", 3, r"panels\[0\]\.circuit: pinned is a list"),
        ("panels.0.outcome.interventions.0.kind", "exec", r"panels\[0\]\.outcome\.interventions\[0\]: An intervention has kind"),
        ("panels.0.outcome.interventions.0.factor", "2", r"outcome\.interventions\[0\]: The intervention 'ablate' has the unknown"),
        ("panels.0.study", {"kind": "pickle"}, r"panels\[0\]\.study is"),
        ("columns", 2, "contradicts itself: part 'both' with columns 2"),
        ("part", "page", "part is 'page'"),
    ],
)  # fmt: skip
def test_a_recipe_with_anything_else_in_it_is_refused_and_the_place_named(
    place: str, value: object, message: str, tmp_path: Path
) -> None:
    graph = dallas()
    recipe = graph.figure(circuit_of_dallas(), texas_ablated(graph)).recipe
    file = tmp_path / "dallas.recipe.json"
    file.write_text(json.dumps(changed(dict(recipe), place, value)))
    with pytest.raises(FigureError, match=f"(?s)'dallas.recipe.json' .*{message}"):
        cw.redo(file, graph=graph)


@pytest.mark.parametrize("ending", ENDINGS)
def test_metadata_that_is_cut_off_is_an_error(ending: str, simple: Figure, tmp_path: Path) -> None:
    file = simple.save(tmp_path / f"dallas.{ending}")
    content = file.read_bytes()
    start = content.rindex(b"circuit_widget")
    for cut in (content[: start + 40], content.replace(b"prompt_token_ids", b"prompt_ids")):
        file.write_bytes(cut)
        with pytest.raises(FigureError, match=r"not a whole|cannot be read|contains no recipe"):
            cw.redo(file)


def test_what_is_missing_or_no_figure_is_named(tmp_path: Path) -> None:
    with pytest.raises(FigureError, match=r"none\.pdf.*cannot be read: No such file"):
        cw.redo(tmp_path / "none.pdf")
    (tmp_path / "x.doc").write_bytes(b"x")
    with pytest.raises(FigureError, match=r"A figure ends in .*given 'x\.doc'"):
        cw.redo(tmp_path / "x.doc")
    with pytest.raises(FigureError, match="model is a ReplacementModel"):
        cw.redo("x.svg", model=3)


EDITS: dict[str, tuple[Callable[[str], str], str]] = {
    "a number in the picture": (lambda svg: svg.replace("Austin</text>", "Boston</text>"), "file was changed after"),
    "the width": (lambda svg: svg.replace('"width_inches": 3.25', '"width_inches": 3.5'), "file was changed after"),
    "a label": (lambda svg: svg.replace(': "Texas"', ': "Utah"', 1), "file was changed after"),
    "a threshold": (lambda svg: svg.replace('"node": 0.8', '"node": 0.7'), r"panels\[0\]\.display\.node was 0\.7 and is 0\.8"),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_a_figure_that_was_edited_is_not_the_same(
    edit: str, model: cw.ReplacementModel, simple: Figure, tmp_path: Path
) -> None:
    change, message = EDITS[edit]
    file = simple.save(tmp_path / "dallas.svg")
    text = change(simple.svg())
    assert text != simple.svg()
    file.write_text(text)
    with pytest.raises(FigureError, match=f"made again, and the figure is not the same: .*{message}"):
        cw.redo(file, model=model, progress=False)
    with pytest.warns(CircuitWidgetWarning, match="not the same"):
        cw.redo(file, model=model, exact=False, progress=False)


def test_other_nodes_than_the_figures_are_an_error(model: cw.ReplacementModel, simple: Figure, tmp_path: Path) -> None:
    file = tmp_path / "dallas.recipe.json"
    file.write_text(json.dumps(changed(dict(simple.recipe), "graphs.0.max_features", 20)))
    with pytest.raises(FigureError, match="traced again and the graph has other nodes"):
        cw.redo(file, model=model, progress=False)


def test_other_versions_are_named_before_anything_runs(simple: Figure, tmp_path: Path) -> None:
    file = simple.save(tmp_path / "dallas.svg")
    file.write_text(simple.svg().replace('"circuit_widget": "', '"circuit_widget": "9.'))
    with pytest.raises(FigureError, match=r"made with circuit_widget 9\..* \(here .*exact=False"):
        cw.redo(file, model=tmp_path / "none")


def test_a_recipe_beside_a_figure_has_its_hash(model: cw.ReplacementModel, simple: Figure, tmp_path: Path) -> None:
    simple.save(tmp_path / "dallas.tex", recipe=True)
    beside = tmp_path / "dallas.recipe.json"
    (tmp_path / "dallas.tex").unlink()
    written = tmp_path / "again.tex"
    cw.redo(beside, written, model=model, progress=False)
    assert written.read_text() == simple.tikz()
    document = json.loads(beside.read_text())
    beside.write_text(json.dumps(changed(document, "beside.sha256", "0" * 64)))
    with pytest.raises(FigureError, match=r"'dallas\.tex' was made again, and the figure is not the same"):
        cw.redo(beside, model=model, progress=False)


def test_a_png_has_as_many_dots_again(model: cw.ReplacementModel, simple: Figure, tmp_path: Path) -> None:
    file = tmp_path / "dallas.png"
    file.write_bytes(simple.png(150))
    again = tmp_path / "again.png"
    cw.redo(file, again, model=model, progress=False)
    assert again.read_bytes() == file.read_bytes()


def test_a_theme_and_a_font_come_again_and_a_font_has_to_be_there(
    model: cw.ReplacementModel, graph: cw.Graph, circuit: cw.Circuit, tmp_path: Path
) -> None:
    folder = tmp_path / "fonts"
    folder.mkdir()
    font = folder / "mine.ttf"
    font.write_bytes((FONTS / "NotoSansMono-Regular.ttf").read_bytes())
    file = graph.figure(circuit, width=5.5, theme="slides", font=font).save(tmp_path / "slides.svg")
    assert cw.redo(file, model=model, fonts=folder).svg().encode() == file.read_bytes()
    with pytest.raises(FigureError, match=r"set in the font 'mine.ttf' \(SHA-256 [0-9a-f]{64}\), which is in none of"):
        cw.redo(file, model=model)


def test_a_page_of_a_widget_is_not_made_again_and_says_so(graph: cw.Graph, tmp_path: Path) -> None:
    widget = graph.show()
    page = widget.to_html(tmp_path / "page.html")
    widget.close()
    with pytest.raises(FigureError, match=r"'page\.html' is a widget's page for readers.*widget\.figure\(\)\.save"):
        cw.redo(page)


def test_a_recipe_reads_no_file_that_it_names(simple: Figure, tmp_path: Path) -> None:
    """A name in a recipe is no path: a model is found as the embedded one, in the hub's cache, or where the user says."""
    evil = tmp_path / "evil"
    shutil.copytree(Path(cw.__file__).parent / "demo" / "model", evil)
    for origin in ({"name": str(evil), "files": {}}, {"name": "x", "repository": str(evil), "revision": "main"}):
        recipe = changed(dict(simple.recipe), "graphs.0.provenance.model", origin)
        file = tmp_path / "x.recipe.json"
        file.write_text(json.dumps(changed(recipe, "graphs.0.model", str(evil))))
        with pytest.raises(FigureError, match="not from the hub"):
            cw.redo(file)
    absent = {"name": "x", "repository": "no-one/nothing", "revision": "0" * 40, "files": {"a": "b"}}
    recipe = changed(dict(simple.recipe), "graphs.0.basis", "neurons")
    file.write_text(json.dumps(changed(recipe, "graphs.0.provenance.model", absent)))
    with pytest.raises(CircuitWidgetError, match="could not be read from the local cache"):
        cw.redo(file)


@pytest.mark.parametrize("name", ["dallas", "opposites", "paris", "sum"])
def test_the_gallery_is_of_real_runs_and_can_be_made_again(name: str) -> None:
    file = Path(__file__).parents[2] / "docs" / "gallery" / f"{name}.svg"
    recipe = read(recipe_text(file), file.name)
    assert all(graph.traced for graph in recipe.graphs)
    assert file.stat().st_size < 300_000

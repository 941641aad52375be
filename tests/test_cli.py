"""The command line: what it writes, and the one line it says when it cannot."""

from pathlib import Path

import pytest

from circuit_widget.cli import main
from circuit_widget.errors import CircuitWidgetWarning

PROMPT = "the capital of the state containing Dallas is"


@pytest.fixture(scope="module")
def graph_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graphs") / "dallas.safetensors"
    assert main(["trace", PROMPT, "-o", str(path)]) == 0
    return path


def test_trace_writes_a_graph_and_prints_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from circuit_widget import Graph

    path = tmp_path / "dallas.safetensors"
    assert main(["trace", PROMPT, "-o", str(path)]) == 0
    output = capsys.readouterr().out
    assert output.startswith("next token: 'Austin'")
    assert "replacement score" in output
    assert Graph.load(path).targets[0].token == "Austin"


def test_trace_prunes_when_a_threshold_is_given(tmp_path: Path, graph_file: Path) -> None:
    from circuit_widget import Graph

    path = tmp_path / "small.safetensors"
    assert main(["trace", PROMPT, "-o", str(path), "--node-threshold", "0.5"]) == 0
    assert len(Graph.load(path).node_ids) < len(Graph.load(graph_file).node_ids)


def test_trace_explains_the_requested_target_and_verifies_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from circuit_widget import Graph

    path = tmp_path / "contrast.safetensors"
    options = ["--target", "Austin", "--contrast", "Austin", "Sacramento", "--max-features", "50", "--verify", "20"]
    assert main(["trace", PROMPT, "-o", str(path), *options]) == 0
    output = capsys.readouterr().out
    assert "'Austin − Sacramento' +" in output
    assert "50 features (" in output
    assert "20 strongest edges measured again: they agree." in output
    assert [target.token for target in Graph.load(path).targets] == ["Austin", "Austin − Sacramento"]


def test_trace_explains_another_position(tmp_path: Path) -> None:
    from circuit_widget import Graph

    path = tmp_path / "earlier.safetensors"
    assert main(["trace", PROMPT, "-o", str(path), "--position", "3"]) == 0
    assert Graph.load(path).position == 3


@pytest.mark.parametrize(("ending", "magic"), [(".svg", b"<svg"), (".pdf", b"%PDF"), (".png", b"\x89PNG")])
def test_figure_writes_the_format_of_the_ending(tmp_path: Path, graph_file: Path, ending: str, magic: bytes) -> None:
    path = tmp_path / f"dallas{ending}"
    assert main(["figure", str(graph_file), "-o", str(path)]) == 0
    assert magic in path.read_bytes()[:400]


def test_figure_draws_the_groups_of_a_circuit(tmp_path: Path, graph_file: Path) -> None:
    from circuit_widget import Circuit, Graph

    graph = Graph.load(graph_file)
    feature = next(node for node in graph.prune().node_ids if graph.index(node) < len(graph.activation))
    document = tmp_path / "circuit.json"
    Circuit().group("a group of mine", [feature]).save(document)
    path = tmp_path / "circuit.svg"
    assert main(["figure", str(graph_file), "--circuit", str(document), "-o", str(path)]) == 0
    assert "a group of mine" in path.read_text()


def test_redo_writes_the_same_bytes_and_takes_a_graph_file(
    tmp_path: Path, graph_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure, again = tmp_path / "dallas.svg", tmp_path / "again.svg"
    assert main(["figure", str(graph_file), "-o", str(figure)]) == 0
    for more in ([], ["--graph", str(graph_file)]):
        assert main(["redo", str(figure), "-o", str(again), *more]) == 0
        assert again.read_bytes() == figure.read_bytes()
        again.unlink()
    figure.write_text(figure.read_text().replace("Austin</text>", "Boston</text>"))
    assert main(["redo", str(figure), "-o", str(again), "--graph", str(graph_file)]) == 2
    assert "not the same" in capsys.readouterr().err
    assert not again.exists()
    with pytest.warns(CircuitWidgetWarning, match="not the same"):
        assert main(["redo", str(figure), "-o", str(again), "--graph", str(graph_file), "--not-exact"]) == 0
    assert "Boston" not in again.read_text()


def test_html_writes_the_graph_and_the_circuit_as_one_file(
    tmp_path: Path, graph_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from circuit_widget import Circuit, Graph

    feature = Graph.load(graph_file).node_ids[0]
    document, path = tmp_path / "circuit.json", tmp_path / "circuit.html"
    Circuit().group("a group of mine", [feature]).save(document)
    assert main(["html", str(graph_file), str(document), "-o", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"written to {path} (0.")
    assert "Supernodes: a group of mine." in path.read_text()
    Circuit().pin(["0_99999_1"]).save(document)
    before = path.read_text()
    assert main(["html", str(graph_file), str(document), "-o", str(path)]) == 2
    assert "no node “0_99999_1”" in capsys.readouterr().err
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trace", "the capital of Xanadu is", "-o", "x.safetensors"], "Xanadu"),
        (["trace", "", "-o", "x.safetensors"], "empty"),
        (["trace", PROMPT, "--target", "Austim", "-o", "x.safetensors"], "Nearest known: Austin"),
        (["trace", PROMPT, "--position", "40", "-o", "x.safetensors"], "Position 40 cannot be traced"),
        (["trace", PROMPT, "--dtype", "int8", "-o", "x.safetensors"], "not a floating point type"),
        (["trace", PROMPT, "--verify", "0", "-o", "x.safetensors"], "a whole number from 1 up"),
        (["trace", PROMPT, "-o", "x.txt"], "x.txt has to end in .safetensors"),
        (["trace", PROMPT, "-o", "nowhere/x.safetensors"], "no directory nowhere"),
        (
            ["trace", PROMPT, "--model", "no/such-model", "-o", "x.safetensors"],
            "could not be read from the local cache",
        ),
        (["trace", PROMPT, "--model", "no/such", "--transcoders", ".", "-o", "x.safetensors"], "no/such"),
        (["figure", "missing.safetensors", "-o", "x.svg"], "missing.safetensors"),
        (["figure", "missing.safetensors", "-o", "x.docx"], "x.docx has to end in .svg or .pdf or .png or .tex"),
        (["redo", "missing.svg", "-o", "x.svg"], "missing.svg"),
        (["redo", "missing.svg", "-o", "x.docx"], "x.docx has to end in .svg or .pdf or .png or .tex or .html"),
        (["html", "missing.safetensors", "-o", "x.html"], "missing.safetensors"),
        (["html", "missing.safetensors", "-o", "x.pdf"], "x.pdf has to end in .html"),
        (["html", "missing.safetensors", "-o", "nowhere/x.html"], "no directory nowhere"),
    ],
)
def test_an_error_is_one_line_that_names_what_was_wrong(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    output = capsys.readouterr().err
    assert output.startswith("circuit-widget: ")
    assert output.count("\n") == 1
    assert words in output
    assert list(tmp_path.iterdir()) == []


def test_a_graph_file_cut_in_half_is_refused(
    tmp_path: Path, graph_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = tmp_path / "half.safetensors"
    half.write_bytes(graph_file.read_bytes()[: graph_file.stat().st_size // 2])
    assert main(["figure", str(half), "-o", str(tmp_path / "x.svg")]) == 2
    assert "half.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["trace", "examples", "labels"])
def test_help_says_which_models_and_features_there_are(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "they are the neurons of the model's" in text
    assert "directory, GGUF file or hub id[@revision] of a model" in text
    assert '"neurons" (default: neurons)' in text
    assert ".gguf" in text


@pytest.mark.parametrize("command", ["demo", "trace", "figure", "redo", "html", "examples", "labels"])
def test_help_shows_an_example_of_each_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    assert f"\n  circuit-widget {command}" in capsys.readouterr().out


def test_a_share_outside_zero_to_one_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["trace", PROMPT, "-o", "x.safetensors", "--node-threshold", "80"])
    assert exit_.value.code == 2
    assert "80 is not a share between 0 and 1" in capsys.readouterr().err

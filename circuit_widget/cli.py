"""The command line: `circuit-widget demo`, `trace`, `figure`, `redo`, `html`, `examples` and `labels`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from circuit_widget.command_texts import DEMO, DESCRIPTION, EXAMPLES, FIGURE, HTML, LABELS, REDO, TRACE
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.system.atomic_write import check_destination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circuit_widget.attribution.targets import TargetChoice
    from circuit_widget.graph import Graph, Target
    from circuit_widget.labels.feature_labels import FeatureLabels

PARTS = ("map", "circuit", "both")
THEMES = ("paper", "slides", "grey")
FIGURES = (".svg", ".pdf", ".png", ".tex", ".html")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or after one line 2 for an error, 130 for an interrupt."""
    # What follows "--" is JupyterLab's, and argparse would drop the first "--" it meets.
    given = list(sys.argv[1:] if arguments is None else arguments)
    cut = given.index("--") if "--" in given else len(given)
    options = _parser().parse_args(given[:cut])
    options.rest = given[cut + 1 :]
    try:
        return int(options.run(options))
    except (CircuitWidgetError, OSError) as error:
        print(f"circuit-widget: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"circuit-widget: {interrupt or 'interrupted'}", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    from circuit_widget import __version__

    parser = argparse.ArgumentParser(
        prog="circuit-widget", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    demo = _command(commands, "demo", "open the quickstart in JupyterLab", DEMO)
    demo.add_argument("--check", action="store_true", help="run the notebook without a browser instead of opening it")
    demo.set_defaults(run=_demo)

    trace = _command(commands, "trace", "prompt to graph file", TRACE)
    trace.add_argument("prompt", help="the text whose next token is explained")
    trace.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="graph file to write (.safetensors)"
    )
    trace.add_argument(
        "--model",
        default="demo",
        help='directory, GGUF file or hub id[@revision] of a model (default: the embedded one, "demo")',
    )
    _add_loading(trace)
    trace.add_argument("--position", type=int, default=-1, metavar="N", help="where the next token is explained")
    trace.add_argument(
        "--target", action="append", metavar="TOKEN", help="token to explain, again for more (default: the likeliest)"
    )
    trace.add_argument(
        "--contrast", nargs=2, metavar=("TOKEN", "OTHER"), help="explain why the one token rather than the other"
    )
    trace.add_argument(
        "--max-features",
        type=int,
        metavar="N",
        help="keep the N features of most influence (default: all; of neurons 2,000)",
    )
    trace.add_argument(
        "--node-threshold", type=_share, metavar="SHARE", help="prune to the nodes that have this share of influence"
    )
    trace.add_argument(
        "--edge-threshold",
        type=_share,
        metavar="SHARE",
        help="prune to the edges that have this share of the edge score",
    )
    trace.add_argument(
        "--verify", type=int, metavar="N", help="measure the N strongest edges again, and print the result"
    )
    trace.set_defaults(run=_trace)

    figure = _command(commands, "figure", "graph and circuit to a picture", FIGURE)
    figure.add_argument("graph", type=Path, help="graph file, as written by trace or graph.save()")
    figure.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="picture to write (.svg, .pdf, .png, .tex, .html)",
    )
    figure.add_argument("--circuit", type=Path, metavar="FILE", help="circuit document, as written by circuit.save()")
    figure.add_argument(
        "--part", choices=PARTS, default="both", help="what to draw (default: the map, and the circuit if there is one)"
    )
    figure.add_argument("--width", type=float, default=6.75, metavar="INCHES", help="2 to 12 (default: 6.75)")
    figure.add_argument("--theme", choices=THEMES, default="paper", help="for paper, slides, or print without colour")
    figure.add_argument(
        "--font", metavar="FILE", help="font of all text but tokens (.ttf, .otf), or Inter, Noto Sans Mono"
    )
    figure.add_argument("--dpi", type=float, default=300.0, help="dots to the inch of a PNG (default: 300)")
    figure.set_defaults(run=_figure)

    again = _command(commands, "redo", "a figure again, from the recipe in its file", REDO)
    again.add_argument("figure", type=Path, help="figure (.svg, .pdf, .png, .tex, .html) or its recipe (.recipe.json)")
    again.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="picture to write")
    again.add_argument(
        "--model", help="directory, GGUF file or hub id of the model, where the recipe's is from a folder"
    )
    again.add_argument("--transcoders", help="directory or hub reference of its transcoders, likewise")
    again.add_argument("--graph", type=Path, action="append", metavar="FILE", help="graph file, again for more")
    again.add_argument("--not-exact", action="store_true", help="write the figure even where it is not the same")
    again.set_defaults(run=_redo)

    html = _command(commands, "html", "graph and circuit to one file for readers", HTML)
    html.add_argument("graph", type=Path, help="graph file, or graph JSON of circuit-tracer or Neuronpedia")
    html.add_argument("circuit", type=Path, nargs="?", help="circuit document, as written by circuit.save()")
    html.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="file to write (.html)")
    html.set_defaults(run=_html)

    examples = _command(commands, "examples", "texts to examples of every feature", EXAMPLES)
    examples.add_argument("model", help='directory, GGUF file or hub id[@revision] of a model, or "demo"')
    examples.add_argument("texts", nargs="?", help="file of texts: .txt, .jsonl or .parquet (default: samples)")
    examples.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="folder of the examples")
    _add_loading(examples)
    examples.add_argument("--column", default="text", metavar="NAME", help="name of the text in a row (default: text)")
    examples.add_argument("--window", type=int, metavar="N", help="most tokens that run together (default: 256)")
    examples.add_argument("--max-tokens", type=int, metavar="N", help="end after about N tokens of these texts")
    examples.set_defaults(run=_examples)

    labels = _command(commands, "labels", "labels of features from their examples", LABELS)
    labels.add_argument("model", help='directory, GGUF file or hub id[@revision] of a model, or "demo"')
    labels.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="folder of the examples")
    _add_loading(labels)
    labels.add_argument("--held-out", metavar="TEXTS", help="file of texts that measure the labels")
    labels.add_argument("--column", default="text", metavar="NAME", help="name of the text in a row (default: text)")
    labels.set_defaults(run=_labels)
    return parser


def _add_loading(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--transcoders",
        help='directory of its transcoders, hub reference, short name of a known set, or "neurons" (default: neurons)',
    )
    command.add_argument("--download", action="store_true", help="fetch transcoders that are not in the local cache")
    command.add_argument("--device", help="cpu, cuda, mps (default: CUDA, else MPS, else the CPU)")
    command.add_argument("--dtype", help="type of the model's weights (default: bfloat16 on CUDA, else float32)")


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, description: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=summary, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share between 0 and 1")
    return value


def _trace(options: argparse.Namespace) -> int:
    _can_write(options.output, "graph", (".safetensors",))
    from circuit_widget.loading import load

    model = load(
        options.model, options.transcoders, device=options.device, dtype=options.dtype, download=options.download
    )
    started = time.perf_counter()
    graph = model.trace(
        options.prompt, targets=_targets(options), position=options.position, max_features=options.max_features
    )
    seconds = time.perf_counter() - started
    checked = None if options.verify is None else graph.verify(options.verify)
    if options.node_threshold is not None or options.edge_threshold is not None:
        given = {"node_threshold": options.node_threshold, "edge_threshold": options.edge_threshold}
        graph = graph.prune(**{name: value for name, value in given.items() if value is not None})
    written = graph.save(options.output)
    print(_summary(graph, seconds))
    if checked is not None:
        print(checked)
    print(f"written to {written} ({written.stat().st_size / 1e6:.1f} MB)")
    return 0


def _targets(options: argparse.Namespace) -> list[TargetChoice] | None:
    from circuit_widget.attribution.targets import Contrast

    contrast = [Contrast(*options.contrast)] if options.contrast else []
    return [*(options.target or []), *contrast] or None


def _summary(graph: Graph, seconds: float) -> str:
    entries: Any = graph.recipe["targets"]
    answers = ", ".join(
        _answer(target, "token" in entry) for target, entry in list(zip(graph.targets, entries, strict=True))[:3]
    )
    scores = graph.scores()
    left_out = f" ({graph.left_out} left out)" if graph.left_out else ""
    return (
        f"next token: {answers}\n"
        f"{graph.n_features} {graph.basis}{left_out} over {len(graph.tokens)} tokens, traced in {seconds:.2f} s\n"
        f"replacement score {scores.replacement:.2f}, completeness score {scores.completeness:.2f}"
    )


def _answer(target: Target, is_token: bool) -> str:
    """Return a token with its probability, or another direction with its value."""
    return f"{target.token!r} {target.probability:.1%}" if is_token else f"{target.token!r} {target.logit:+.2f}"


def _figure(options: argparse.Namespace) -> int:
    _can_write(options.output, "figure", FIGURES)
    from circuit_widget.circuit.circuit import Circuit
    from circuit_widget.graph import Graph

    graph = Graph.load(options.graph)
    circuit = Circuit.load(options.circuit) if options.circuit else None
    figure = graph.figure(circuit, part=options.part, width=options.width, theme=options.theme, font=options.font)
    figure.save(options.output, dpi=options.dpi)
    print(f"written to {options.output}")
    return 0


def _redo(options: argparse.Namespace) -> int:
    _can_write(options.output, "figure", FIGURES)
    from circuit_widget.figure.redo import redo

    redo(
        options.figure,
        options.output,
        model=options.model,
        transcoders=options.transcoders,
        graph=options.graph,
        exact=not options.not_exact,
    )
    print(f"written to {options.output}")
    return 0


def _html(options: argparse.Namespace) -> int:
    _can_write(options.output, "HTML file", (".html",))
    from circuit_widget.circuit.circuit import Circuit
    from circuit_widget.graph.opening import open as open_graph
    from circuit_widget.widget.html_file.widget_state import WidgetState
    from circuit_widget.widget.html_file.write import write_html

    graph = open_graph(options.graph)
    circuit = Circuit() if options.circuit is None else Circuit.load(options.circuit)
    written = write_html(WidgetState(graph, None, circuit), options.output)
    print(f"written to {written} ({written.stat().st_size / 1e6:.1f} MB)")
    return 0


def _examples(options: argparse.Namespace) -> int:
    from circuit_widget.loading import load

    model = load(
        options.model, options.transcoders, device=options.device, dtype=options.dtype, download=options.download
    )
    found = model.collect_examples(
        options.texts, options.output, column=options.column, window=options.window, max_tokens=options.max_tokens
    )
    left_out = "".join(f", {count:,} {reason}" for reason, count in found.skipped.items() if count)
    print(f"{found.n_features:,} features on {found.n_tokens:,} tokens in {found.folder}")
    if left_out:
        print(f"texts and lines left out: {left_out[2:]}")
    return 0


def _labels(options: argparse.Namespace) -> int:
    from circuit_widget.loading import load

    model = load(
        options.model,
        options.transcoders,
        device=options.device,
        dtype=options.dtype,
        download=options.download,
        examples=options.output,
    )
    found = model.label_features(texts=options.held_out, column=options.column)
    print(f"labels of {len(found):,} features in {options.output}")
    if options.held_out is not None:
        print(f"precision {_mean(found, 'precision')}, recall {_mean(found, 'recall')}, on average")
    return 0


def _mean(labels: FeatureLabels, measure: str) -> str:
    """Return the mean of a measure over the labels that have it."""
    found = [getattr(label.accuracy, measure) for label in labels.labels()]
    known = [value for value in found if value is not None]
    return f"{sum(known) / len(known):.0%} ({len(known):,} labels)" if known else "not measured"


def _can_write(path: Path, what: str, endings: tuple[str, ...]) -> None:
    """Refuse an output before the work is done rather than after."""
    if path.suffix not in endings:
        raise CircuitWidgetError(f"{path} has to end in {' or '.join(endings)}.")
    if not path.parent.is_dir():
        raise CircuitWidgetError(f"There is no directory {path.parent} to write {path.name} into.")
    check_destination(path, what, CircuitWidgetError)


def _demo(options: argparse.Namespace) -> int:
    from circuit_widget.demo import quickstart

    return quickstart.check() if options.check else quickstart.open_in_jupyterlab(options.rest)


if __name__ == "__main__":
    sys.exit(main())

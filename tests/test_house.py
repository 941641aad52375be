"""The rules of the house: what each room may import, how long a file may be, what has to be documented."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "circuit_widget"
SOURCES = sorted(PACKAGE.rglob("*.py"))
FRONTEND = sorted(path for ending in ("ts", "tsx", "css") for path in (ROOT / "js/src").rglob(f"*.{ending}"))
LONGEST_FILE = 400

# From the ground up: a room imports from its own floor and those below it.
FLOORS = (
    {"__init__", "arguments", "characters", "errors", "file_kind", "node", "progress", "system"},
    {"products"},
    {"transcoder"},
    {"model"},
    {"attribution"},
    {"graph"},
    {"aggregate", "circuit"},
    {"tracing"},
    {"intervention"},
    {"feature_card", "loading", "replacement_model"},
    {"figure"},
    {"widget"},
    {"demo"},
    {"cli"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# One cell, `graph.show()`, is worth an import from above, made when it is called.
UPWARD = {("graph", "figure"), ("graph", "widget"), ("graph", "replacement_model")}

ONLY_IN = {"transformers": {"model", "demo"}, "anywidget": {"widget"}, "ipywidgets": {"widget"}}


def room(path: Path) -> str:
    """Return the room a source file stands in: its folder, or its own name at the top."""
    return room_of(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))


def room_of(name: str) -> str:
    """Return the room a module at the top belongs to: `graph_file` is part of `graph`."""
    return name if name in FLOOR else name.split("_")[0]


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield (module, at import time?) for each import of a file, those for the type checker left out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child.parent = node  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).with_suffix("").parts[: -node.level] if node.level else ()
            base = ".".join([*package, *([node.module] if node.module else [])])
            modules = [f"{base}.{alias.name}" for alias in node.names] if base == "circuit_widget" else [base]
        else:
            continue
        above = list(ancestors(node))
        if any(isinstance(parent, ast.If) and "TYPE_CHECKING" in ast.dump(parent.test) for parent in above):
            continue
        inside = any(isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef) for parent in above)
        yield from ((module, not inside) for module in modules)


def ancestors(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes above a node, the nearest first."""
    while (parent := getattr(node, "parent", None)) is not None:
        yield parent
        node = parent


def test_every_room_has_a_floor() -> None:
    assert {room(path) for path in SOURCES} <= set(FLOOR)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_rooms_below(path: Path) -> None:
    here = room(path)
    for module, at_import in imports(path):
        if not module.startswith("circuit_widget."):
            continue
        there = room_of(module.split(".")[1])
        if there not in FLOOR or there == here:
            continue
        lazily_upward = not at_import and (here, there) in UPWARD
        assert FLOOR[there] <= FLOOR[here] or lazily_upward, f"{here} imports {module}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_one_room_knows_each_framework(path: Path) -> None:
    for module, _ in imports(path):
        rooms = ONLY_IN.get(module.split(".")[0])
        assert rooms is None or room(path) in rooms, f"{module} belongs in {rooms}"


@pytest.mark.parametrize("path", SOURCES + FRONTEND, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST_FILE


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_everything_public_says_what_it_does(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body, "the module has no docstring"
    silent = [node.name for node in public_definitions(tree) if not ast.get_docstring(node)]
    assert silent == []


def public_definitions(scope: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Yield public functions and classes, and the public methods of public classes.

    Overloads, setters and the methods of a protocol, whose docstring speaks for them, need no words.
    """
    if isinstance(scope, ast.ClassDef) and any("Protocol" in ast.dump(base) for base in scope.bases):
        return
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node
            yield from public_definitions(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            decorators = [ast.dump(decorator) for decorator in node.decorator_list]
            if not any("overload" in decorator or "setter" in decorator for decorator in decorators):
                yield node


def test_importing_the_package_loads_no_framework() -> None:
    heavy = "{'torch', 'transformers', 'anywidget', 'ipywidgets', 'pandas', 'numpy', 'plotly'}"
    code = f"import sys, circuit_widget; print(sorted({heavy} & set(sys.modules)))"
    assert python(code) == "[]"


def test_importing_the_package_takes_under_300_ms() -> None:
    code = "import time; t = time.perf_counter(); import circuit_widget; print(time.perf_counter() - t)"
    assert min(float(python(code)) for _ in range(5)) < 0.3


def test_every_public_name_can_be_imported() -> None:
    code = "import circuit_widget as cw; print([name for name in cw.__all__ if getattr(cw, name, None) is None])"
    assert python(code) == "[]"


def test_an_unknown_name_is_refused_as_python_does() -> None:
    code = "import circuit_widget as cw\ntry: cw.nothing\nexcept AttributeError as error: print(error)"
    assert python(code) == "module 'circuit_widget' has no attribute 'nothing'"


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


TENSOR_MAKERS = {
    *("arange", "empty", "eye", "full", "linspace", "logspace", "normal", "ones", "rand", "randint", "randn"),
    *("randperm", "scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros"),
}
OF_THE_NOTEBOOK = {
    *("autocast", "enable_grad", "inference_mode", "no_grad", "set_default_device", "set_grad_enabled"),
    *("set_num_threads", "set_float32_matmul_precision", "use_deterministic_algorithms", "manual_seed"),
}
COMPUTING = [path for path in SOURCES if room(path) != "demo"]


def calls_of_torch(path: Path) -> Iterator[tuple[str, set[str]]]:
    """Yield each function of torch that a file calls, with the names of its arguments."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "torch":
                yield node.func.attr, {keyword.arg or "" for keyword in node.keywords}


@pytest.mark.parametrize("path", COMPUTING, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_new_tensor_names_its_dtype_and_device(path: Path) -> None:
    """The defaults of both are the notebook's, and may be anything."""
    unnamed = [
        name for name, given in calls_of_torch(path) if name in TENSOR_MAKERS and not {"dtype", "device"} <= given
    ]
    assert unnamed == []


@pytest.mark.parametrize("path", COMPUTING, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_one_room_changes_the_settings_of_torch(path: Path) -> None:
    """`circuit_widget.system.plain_torch` sees to it that an interrupt leaves them as they were."""
    assert [name for name, _ in calls_of_torch(path) if name in OF_THE_NOTEBOOK] == []


@pytest.mark.parametrize("path", COMPUTING, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_hooks_are_set_in_one_place(path: Path) -> None:
    """`Hooks` sees to it that an interrupt leaves none."""
    called = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert path.name == "hooks.py" or not any(name.startswith("register_forward") for name in called)

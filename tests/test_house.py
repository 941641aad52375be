"""The rules of the house: what each room may import, how long a file may be, what has to be documented."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.house import CONTRIBUTING, FLOOR, FRONTEND_FLOOR, room_of, written

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "circuit_widget"
SOURCES = sorted(PACKAGE.rglob("*.py"))
FRONTEND_ROOT = ROOT / "js/src"
FRONTEND = sorted(path for ending in ("ts", "tsx", "css") for path in FRONTEND_ROOT.rglob(f"*.{ending}"))
LONGEST_FILE = 400

# `graph.show()`, `graph.figure()` and proposals import from above when they are called, and name what they return.
UPWARD = {("graph", "figure"), ("graph", "proposal"), ("graph", "widget"), ("comparison", "widget")}

ONLY_IN = {"transformers": {"model", "demo"}, "anywidget": {"widget"}, "ipywidgets": {"widget"}}


def module_of(path: Path) -> str:
    """Return the module in a file, named from the package on."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def room(path: Path) -> str:
    """Return the outermost room of a file."""
    return module_of(path).split(".")[0]


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield (module, at import time?) for each import of a file, those for the type checker included."""
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
        for_types = any(isinstance(parent, ast.If) and "TYPE_CHECKING" in ast.dump(parent.test) for parent in above)
        in_function = any(isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef) for parent in above)
        yield from ((module, not for_types and not in_function) for module in modules)


def ancestors(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes above a node, the nearest first."""
    while (parent := getattr(node, "parent", None)) is not None:
        yield parent
        node = parent


def named(path: Path) -> str:
    """Return a file as a failing check names it."""
    return str(path.relative_to(ROOT))


def test_every_module_belongs_to_a_room() -> None:
    assert [named(path) for path in SOURCES if module_of(path) != "__init__" and room_of(module_of(path)) is None] == []


def test_a_room_imports_only_from_rooms_below() -> None:
    upward = []
    for path in SOURCES:
        here = room_of(module_of(path))
        for module, at_import in imports(path):
            there = room_of(module.removeprefix("circuit_widget.")) if module.startswith("circuit_widget.") else None
            if here is None or there is None or FLOOR[there] <= FLOOR[here]:
                continue
            if at_import or (here.split(".")[0], there.split(".")[0]) not in UPWARD:
                upward.append(f"{named(path)} imports {module}")
    assert upward == []


def test_a_room_of_the_frontend_imports_only_from_rooms_below() -> None:
    faults = []
    for path in FRONTEND:
        here = path.parent.relative_to(FRONTEND_ROOT).as_posix()
        if path.parent == FRONTEND_ROOT:
            continue
        if here not in FRONTEND_FLOOR:
            faults.append(f"{named(path)} is in no room")
        for module in re.findall(r'(?:from|import) "(\.[^"]+)"', path.read_text()):
            there = (path.parent / module).resolve().parent.relative_to(FRONTEND_ROOT).as_posix()
            if here != there and FRONTEND_FLOOR.get(there, -1) >= FRONTEND_FLOOR.get(here, 0):
                faults.append(f"{named(path)} imports {module}")
    assert faults == []


def test_contributing_shows_the_house() -> None:
    assert written() == CONTRIBUTING.read_text(encoding="utf-8"), "run python -m tests.house"


def test_only_one_room_knows_each_framework() -> None:
    found = [(path, module) for path in SOURCES for module, _ in imports(path)]
    foreign = [
        f"{named(path)} imports {module}"
        for path, module in found
        if (rooms := ONLY_IN.get(module.split(".")[0])) is not None and room(path) not in rooms
    ]
    assert foreign == []


def test_a_file_can_be_read_in_one_sitting() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in SOURCES + FRONTEND}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_everything_public_has_a_docstring() -> None:
    silent = []
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        if tree.body and not ast.get_docstring(tree):
            silent.append(named(path))
        silent += [f"{named(path)}: {node.name}" for node in public_definitions(tree) if not ast.get_docstring(node)]
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


def test_every_public_name_can_be_imported() -> None:
    code = "import circuit_widget as cw; print([name for name in cw.__all__ if getattr(cw, name, None) is None])"
    assert python(code) == "[]"


def test_an_unknown_name_is_refused_as_python_does() -> None:
    code = "import circuit_widget as cw\ntry: cw.nothing\nexcept AttributeError as error: print(error)"
    assert python(code) == "module 'circuit_widget' has no attribute 'nothing'"


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


KINDS_OF_ONE_THING = {"Intervention", "_Valued", "LayeredTranscoders", "TranscoderLayer"}
"""What the kinds of interventions, and those of transcoders, have in common; everything else is composed."""


def bodies(one: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    """Yield the methods of a class that do something: more than state what subclasses have, or raise an error."""
    for method in one.body:
        if isinstance(method, ast.FunctionDef):
            lines = [
                line
                for line in method.body
                if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            ]
            if lines and not all(isinstance(line, ast.Raise) for line in lines):
                yield method


def test_no_class_inherits_an_implementation_of_ours() -> None:
    classes = {
        node.name: node
        for path in SOURCES
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef)
    }
    inherited = {
        f"{name} inherits {method.name} of {base}"
        for name, one in classes.items()
        for base in (ast.unparse(base).split("[")[0].split(".")[-1] for base in one.bases)
        if base in classes and base not in KINDS_OF_ONE_THING
        for method in bodies(classes[base])
    }
    assert inherited == set()


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


def test_a_new_tensor_names_its_dtype_and_device() -> None:
    """The defaults of both are the notebook's, and may be anything."""
    unnamed = [
        f"{named(path)}: torch.{name}"
        for path in COMPUTING
        for name, given in calls_of_torch(path)
        if name in TENSOR_MAKERS and not {"dtype", "device"} <= given
    ]
    assert unnamed == []


def test_only_one_room_changes_the_settings_of_torch() -> None:
    """`circuit_widget.system.plain_torch` sees to it that an interrupt leaves them as they were."""
    changing = [
        f"{named(path)}: torch.{name}"
        for path in COMPUTING
        for name, _ in calls_of_torch(path)
        if name in OF_THE_NOTEBOOK
    ]
    assert changing == []


def test_hooks_are_set_in_one_module() -> None:
    """`Hooks` sees to it that an interrupt leaves none."""
    setting = {
        named(path)
        for path in COMPUTING
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr.startswith("register_forward")
    }
    assert setting == {"circuit_widget/model/hooks.py"}


def defined_in(path: Path) -> Iterator[str]:
    """Yield the classes and type aliases of a module, private ones by the name they would have in public."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            yield node.name.lstrip("_")
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            yield ast.unparse(node.target).lstrip("_")


def test_one_name_means_one_thing() -> None:
    """The wire uses the names of what it sends, as JSON."""
    homes: dict[str, list[str]] = {}
    for path in SOURCES:
        if "wire" not in path.parts:
            for name in defined_in(path):
                homes.setdefault(name, []).append(named(path))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


SAME_IN_BOTH = {
    *("Alignment", "Area", "Box", "BoxEdge", "BoxRow", "Circuit", "CircuitError", "CircuitLayout", "Column", "DType"),
    *("ErrorBand", "Filters"),
    *("Example", "Experiments", "Grid", "History", "Injected", "Job", "Lane", "LayoutBox", "Line", "Link", "MapDot"),
    *(
        "MapLabel",
        "MapLayout",
        "MapNode",
        "NewAnswer",
        "NodeEdges",
        "NodeKind",
        "Outcome",
        "Pen",
        "PlacedBox",
        "Reply",
        "Route",
    ),
    *("LabelledMap", "Row", "Scene", "Send", "Space", "State", "Supernode", "Thresholds", "Tone", "Trunk"),
}
"""Names of one thing in Python and in TypeScript; any other name is in one of them alone."""


def defined_in_typescript(path: Path) -> list[str]:
    """Return the types and classes of a module; the parameters of a component may be called Props, or end in it."""
    text = path.read_text(encoding="utf-8")
    if "written by `python" in text.splitlines()[0]:
        return []
    names = re.findall(r"^(?:export )?(?:interface|type|class) (\w+)", text, re.MULTILINE)
    return [name for name in names if name != "Props"]


def test_one_name_means_one_thing_in_typescript_and_beside_python() -> None:
    homes: dict[str, list[str]] = {}
    for path in FRONTEND:
        for name in defined_in_typescript(path) if path.suffix != ".css" else []:
            homes.setdefault(name, []).append(named(path))
    in_python = {name for path in SOURCES for name in defined_in(path)}
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}
    assert {name: paths for name, paths in homes.items() if name in in_python - SAME_IN_BOTH} == {}
    assert SAME_IN_BOTH - (homes.keys() & in_python) == set()

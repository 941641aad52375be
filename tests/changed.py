"""Which tests a change calls for: those of the rooms that it touches, then those of the rooms above them.

`make check` runs them in this order, and stops when its time is over.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.house import FLOOR, ROOT, room_of

ALWAYS = ("tests/test_house.py", "tests/test_shapes.py")

TESTS_OF: dict[str, tuple[str, ...]] = {
    "errors": ("tests/door",),
    "arguments": ("tests/door",),
    "nodes": ("tests/graph",),
    "feature_card": ("tests/model/test_feature_card.py",),
    "loading": ("tests/model/test_model_sources.py",),
    "wording": ("tests/figure", "tests/widget/test_texts.py"),
    "system": (
        "tests/system",
        "tests/test_file_kind.py",
        "tests/test_products.py",
        "tests/model/test_process_settings.py",
    ),
    "demo": ("tests/demo", "tests/test_quickstart.py"),
}
"""The tests of rooms that have no folder of their own in tests/, and no file named after them, or more than those."""

TESTS_OF_PATHS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("docs/", ("tests/test_documentation.py",)),
    ("README.md", ("tests/test_documentation.py",)),
    ("notebooks/", ("tests/test_quickstart.py", "tests/real/test_any_model_notebook.py")),
    ("tools/train_demo/", ("tests/demo",)),
    ("bench/", ("tests/attribution/test_gpu_bench.py",)),
    ("constraints", ("tests/packaging/test_constraints.py",)),
    ("pyproject.toml", ("tests/packaging",)),
    ("hatch_build.py", ("tests/packaging",)),
    ("Makefile", ("tests/packaging/test_constraints.py",)),
    ("tests/fixtures/", ("tests/figure", "tests/circuit", "tests/widget")),
)
"""The tests of files outside the rooms, by how their paths begin."""


@dataclass(frozen=True)
class Called:
    """The tests that a change calls for: files and folders, in the order in which they are run."""

    own: tuple[str, ...]
    above: tuple[str, ...]


def paths_of_room(room: str) -> tuple[str, ...]:
    """Return the tests of a room: its folder in tests/, or that of the room around it, or a file named after it."""
    if room in TESTS_OF:
        return TESTS_OF[room]
    outermost = room.split(".")[0]
    candidates = (f"tests/{outermost}", f"tests/test_{outermost}.py")
    return tuple(path for path in candidates if (ROOT / path).exists())


def called_for(changed: Iterable[str]) -> Called:
    """Return the tests that changed files call for, given as paths below the root, with slashes."""
    changed = sorted(changed)
    rooms = {room for path in changed if (room := room_of_path(path)) is not None}
    own = [*ALWAYS]
    for path in changed:
        if path.startswith("tests/") and path.endswith(".py"):
            own += using(path)
        own += [test for start, tests in TESTS_OF_PATHS if path.startswith(start) for test in tests]
    for room in sorted(rooms, key=FLOOR.__getitem__):
        own += paths_of_room(room)
    lowest = min((FLOOR[room] for room in rooms), default=len(FLOOR))
    higher = [room for room in sorted(FLOOR, key=FLOOR.__getitem__) if FLOOR[room] > lowest and room not in rooms]
    above = [test for room in higher for test in paths_of_room(room)]
    first = without_inner(own)
    return Called(first, tuple(path for path in without_inner(above) if not _is_within(path, first)))


def room_of_path(path: str) -> str | None:
    """Return the room of a file of the package, None for any other file."""
    if not path.startswith("circuit_widget/"):
        return None
    module = Path(path).relative_to("circuit_widget").with_suffix("")
    # A file that is no module, such as a font, belongs to the room of the folder it lies in.
    return next(
        (room for name in (module, *module.parents) if (room := room_of(".".join(name.parts))) is not None), None
    )


def using(path: str) -> tuple[str, ...]:
    """Return the test files that a file of tests/ is part of: itself, or those that import it, one from another."""
    if Path(path).name.startswith("test_"):
        return (path,) if (ROOT / path).exists() else ()
    if Path(path).name == "conftest.py":
        return (str(Path(path).parent.as_posix()),) if Path(path).parent != Path("tests") else ()
    files = {
        str(one.relative_to(ROOT).as_posix()): one.read_text(encoding="utf-8") for one in (ROOT / "tests").rglob("*.py")
    }
    found, waiting = set[str](), [path]
    while waiting:
        module = waiting.pop().removesuffix(".py").replace("/", ".")
        package, _, name = module.rpartition(".")
        importing = {
            one
            for one, text in files.items()
            if one not in found and (f"{module} import" in text or f"from {package} import {name}" in text)
        }
        found |= importing
        waiting += sorted(importing)
    return tuple(sorted(one for one in found if Path(one).name.startswith("test_")))


def without_inner(paths: Iterable[str]) -> tuple[str, ...]:
    """Return paths once each, in order, without those inside a folder among them."""
    once = tuple(dict.fromkeys(paths))
    return tuple(path for path in once if not _is_within(path, [other for other in once if other != path]))


def _is_within(path: str, others: Collection[str]) -> bool:
    return any(path == other or path.startswith(f"{other}/") for other in others)


def touches_frontend(changed: Iterable[str]) -> bool:
    """Whether files of the frontend, or what it shares with Python, are among those changed."""
    return any(path.startswith(("js/", "tests/fixtures/")) for path in changed)

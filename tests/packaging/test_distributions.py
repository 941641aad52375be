"""What `pip install` gets: a wheel and an sdist that carry the built frontend and the embedded model."""

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STATIC = "circuit_widget/widget/static/"
BUDGETS = {"widget.js": (256_000, 80_000), "panels.js": (100_000, 32_000)}
"""Bytes of the modules of a notebook, as they are and gzipped."""

EMBEDDED_MODEL_BUDGET = 10_000_000


def build(kind: str, target: Path, tree: Path = ROOT, **environment: str) -> Path:
    """Build one distribution of a tree with the installed hatchling and return its file."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(target)]
    done = subprocess.run(command, cwd=tree, env={**os.environ, **environment}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = target.iterdir()
    return file


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    target = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(target),
        ".",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = target.iterdir()
    return zipfile.ZipFile(file)


@pytest.mark.parametrize("module", BUDGETS)
def test_the_wheel_has_each_module_of_a_notebook_within_its_budget(wheel: zipfile.ZipFile, module: str) -> None:
    raw, gzipped = BUDGETS[module]
    assert 0 < wheel.getinfo(STATIC + module).file_size <= raw
    assert len(gzip.compress(wheel.read(STATIC + module))) <= gzipped


def test_the_wheel_has_the_module_of_html_files_and_the_licences(wheel: zipfile.ZipFile) -> None:
    assert wheel.getinfo(STATIC + "html-page.js").file_size > 0
    assert "preact" in wheel.read(STATIC + "LICENSES.txt").decode()


def test_the_wheel_carries_every_file_of_the_embedded_model(wheel: zipfile.ZipFile) -> None:
    files = [file for room in ("model", "transcoders") for file in (ROOT / "circuit_widget/demo" / room).rglob("*")]
    shipped = {str(file.relative_to(ROOT)): file.stat().st_size for file in files if file.is_file()}
    assert any(name.endswith("model.safetensors") for name in shipped)
    assert {name: wheel.getinfo(name).file_size for name in shipped} == shipped
    assert sum(shipped.values()) < EMBEDDED_MODEL_BUDGET


def test_the_wheel_is_typed_and_holds_the_quickstart(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {"circuit_widget/py.typed", "circuit_widget/demo/quickstart.ipynb"} <= names


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    rooms = {name.split("/")[0] for name in wheel.namelist()}
    assert {room for room in rooms if not room.endswith(".dist-info")} == {"circuit_widget"}
    unwanted = ("node_modules", "__pycache__", ".ipynb_checkpoints", ".draft", "/js/")
    assert [name for name in wheel.namelist() if any(word in name for word in unwanted)] == []


def test_an_unpacked_sdist_builds_the_same_wheel_without_node(
    sdist: Path, wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    assert not (tree / "js/node_modules").exists()
    rebuilt = build("wheel", tmp_path / "wheel", tree, PATH=str(path_without_node(tmp_path)))
    with zipfile.ZipFile(rebuilt) as archive:
        assert sorted(archive.namelist()) == sorted(wheel.namelist())


def test_a_checkout_without_node_is_an_error_that_names_what_to_install(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    shutil.rmtree(tree / "circuit_widget/widget/static")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "out")]
    environment = {**os.environ, "PATH": str(path_without_node(tmp_path))}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Install Node 20 or newer" in done.stderr


def path_without_node(folder: Path) -> Path:
    """Return a folder to use as PATH that holds no npm."""
    empty = folder / "empty-path"
    empty.mkdir(exist_ok=True)
    return empty

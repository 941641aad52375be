"""The quickstart notebook: open it in JupyterLab, or run it without a browser."""

from __future__ import annotations

import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NoReturn

from circuit_widget.errors import LoadError
from circuit_widget.system.atomic_write import write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "quickstart.ipynb"
CELL_TIMEOUT = 300


def open_in_jupyterlab(arguments: Sequence[str] = ()) -> NoReturn:
    """Replace this process by a JupyterLab that shows the quickstart; without a display it prints the address to open.

    Raises LoadError when JupyterLab is not installed.
    """
    _require("jupyterlab")
    notebook = _notebook()
    # Given the page rather than the file, JupyterLab prints an address that opens the notebook.
    page = [f"--ServerApp.root_dir={notebook.parent}", f"--LabApp.default_url=/lab/tree/{notebook.name}"]
    command = [sys.executable, "-m", "jupyterlab", *page]
    if not _has_display():
        print(f"There is no display: open {notebook.name} at the address that JupyterLab prints.", flush=True)
        command.append("--no-browser")
    # JupyterLab refuses to run as root without this option, and containers run as root.
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    os.execv(sys.executable, [*command, *arguments])


def check() -> int:
    """Run every cell in a kernel of its own and return 0, or print what failed and return 1; the file stays as it is.

    Raises LoadError when nbclient is not installed.
    """
    _require("nbclient")
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = _notebook()
    document = nbformat.read(notebook, as_version=4)
    cells = sum(cell.cell_type == "code" for cell in document.cells)
    started = time.perf_counter()
    with TemporaryDirectory() as scratch:
        client = NotebookClient(
            document, timeout=CELL_TIMEOUT, kernel_name="python3", resources={"metadata": {"path": scratch}}
        )
        try:
            client.execute()
        except CellExecutionError as error:
            print(error, file=sys.stderr)
            return 1
    print(f"{notebook.name}: {cells} cells ran in {time.perf_counter() - started:.1f} s")
    return 0


def _require(package: str) -> None:
    if find_spec(package) is None:
        raise LoadError(f"{package} is not installed. Install it with: pip install 'circuit-widget[demo]'")


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _notebook() -> Path:
    """Return the checkout's notebook, or a copy of the installed package's in the current directory."""
    package = Path(__file__).parents[1]
    checkout = package.parent / "notebooks" / NAME
    if checkout.exists():
        return checkout
    installed = package / "demo" / NAME
    if not installed.exists():
        raise LoadError(f"This installation has no {NAME}. Install circuit-widget again.")
    copy = Path.cwd() / f"circuit-widget-{NAME}"
    if not copy.exists():
        write_bytes(copy, installed.read_bytes(), "notebook", LoadError)
    return copy

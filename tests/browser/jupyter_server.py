"""A real JupyterLab or Notebook server in a folder of its own, with none of the user's settings."""

import json
from pathlib import Path
from typing import Any

from tests.browser.local_server import LocalServer

TOKEN = "tok"


def notebook_of(cells: list[str]) -> str:
    """Return a notebook of code cells as the text of its file."""
    code: list[dict[str, Any]] = [
        {
            "id": f"cell-{i}",
            "cell_type": "code",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": s,
        }
        for i, s in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps({"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


class JupyterServer:
    """Serves `notebooks/` inside `folder`; a context manager that stops the server and its kernels."""

    def __init__(self, folder: Path, application: str = "lab") -> None:
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.application = application
        arguments = [
            "--no-browser",
            "--ip=127.0.0.1",
            "--port={port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={TOKEN}",
            "--allow-root",
            "--expose-app-in-browser",
            f"--ServerApp.root_dir={self.notebooks}",
            # A kernel that ends has time to draw its last picture, however busy the machine is.
            "--KernelManager.shutdown_wait_time=60",
        ]
        module = {"lab": "jupyterlab", "notebook": "notebook"}[application]
        # Interrupted twice, Jupyter shuts its kernels down and leaves without asking.
        self._server = LocalServer(folder, module, arguments, interrupts=2)

    def url(self, notebook: str) -> str:
        """Return the address at which the application opens a notebook."""
        route = f"lab/tree/{notebook}?token={TOKEN}&reset"
        if self.application == "notebook":
            route = f"notebooks/{notebook}?token={TOKEN}"
        return f"{self._server.address}/{route}"

    def write(self, name: str, cells: list[str]) -> Path:
        """Write a notebook of code cells and return its path."""
        path = self.notebooks / name
        path.write_text(notebook_of(cells))
        return path

    def __enter__(self) -> "JupyterServer":
        self.notebooks.mkdir(parents=True, exist_ok=True)
        quiet = self.folder / "jupyterlab_settings_dir/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
        quiet.parent.mkdir(parents=True, exist_ok=True)
        quiet.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
        self._server.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.__exit__(*exception)

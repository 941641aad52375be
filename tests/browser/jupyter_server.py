"""A real JupyterLab or Notebook server in a folder of its own, with none of the user's settings."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

TOKEN = "tok"


class JupyterServer:
    """Serves `notebooks/` inside `folder`; a context manager that stops the server and its kernels by pid."""

    def __init__(self, folder: Path, application: str = "lab") -> None:
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.application = application
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where the server writes what it has to say."""
        return self.folder / "server.log"

    def url(self, notebook: str) -> str:
        """Return the address at which the application opens a notebook."""
        route = f"lab/tree/{notebook}?token={TOKEN}&reset"
        if self.application == "notebook":
            route = f"notebooks/{notebook}?token={TOKEN}"
        return f"http://127.0.0.1:{self.port}/{route}"

    def write(self, name: str, cells: list[str]) -> Path:
        """Write a notebook of code cells and return its path."""
        path = self.notebooks / name
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
        document = {"cells": code, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
        path.write_text(json.dumps(document))
        return path

    def __enter__(self) -> "JupyterServer":
        self.notebooks.mkdir(parents=True, exist_ok=True)
        quiet = self.folder / "jupyterlab_settings_dir/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
        quiet.parent.mkdir(parents=True, exist_ok=True)
        quiet.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
        command = [
            sys.executable,
            "-m",
            {"lab": "jupyterlab", "notebook": "notebook"}[self.application],
            "--no-browser",
            "--ip=127.0.0.1",
            f"--port={self.port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={TOKEN}",
            "--allow-root",
            "--expose-app-in-browser",
            f"--ServerApp.root_dir={self.notebooks}",
        ]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        # Interrupted twice, Jupyter shuts its kernels down and leaves without asking.
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _environment(self) -> dict[str, str]:
        own = {
            name: str(self.folder / name.lower())
            for name in (
                "JUPYTER_CONFIG_DIR",
                "JUPYTER_DATA_DIR",
                "JUPYTER_RUNTIME_DIR",
                "IPYTHONDIR",
                "JUPYTERLAB_SETTINGS_DIR",
                "JUPYTERLAB_WORKSPACES_DIR",
            )
        }
        nowhere = "http://127.0.0.1:9"
        offline = {
            "http_proxy": nowhere,
            "https_proxy": nowhere,
            "no_proxy": "127.0.0.1,localhost",
            "HF_HUB_OFFLINE": "1",
        }
        return {**os.environ, **own, **offline, "OMP_NUM_THREADS": "1"}

    def _wait_until_it_answers(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                opener.open(request, timeout=2).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError(f"The {self.application} server did not start:\n{self.log.read_text()[-4000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""A server of a notebook application as a process of its own, with none of the user's settings and no network."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

SETTINGS = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "IPYTHONDIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
)
"""Where Jupyter, IPython and marimo look for the settings of a user."""


def private_environment(folder: Path) -> dict[str, str]:
    """Return an environment in which all settings are in a folder, and no proxy leads out of this machine."""
    nowhere = "http://127.0.0.1:9"
    offline = {
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "no_proxy": "127.0.0.1,localhost",
        "HF_HUB_OFFLINE": "1",
        # Kernels in the folder are found before those of the environment.
        "JUPYTER_PREFER_ENV_PATH": "0",
    }
    own = {name: str(folder / name.lower()) for name in SETTINGS}
    return {**os.environ, **own, **offline, "OMP_NUM_THREADS": "1"}


class LocalServer:
    """Runs a module of Python as a server; a context manager that stops the server and its kernels by pid.

    `arguments` have `{port}` where the port belongs. The server has started once it answers, and ends, with its
    kernels, after that many `interrupts`: one that asks whether to end needs a second.
    """

    def __init__(self, folder: Path, module: str, arguments: list[str], interrupts: int = 1) -> None:
        self.module = module
        self.port = _free_port()
        self._folder = folder
        self._arguments = [argument.format(port=self.port) for argument in arguments]
        self._interrupts = interrupts
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Where the server writes what it has to say."""
        return self._folder / "server.log"

    @property
    def address(self) -> str:
        """The address of the server, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "LocalServer":
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module, *self._arguments],
                cwd=self._folder,
                env=private_environment(self._folder),
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
        for once in range(self._interrupts):
            if once:
                time.sleep(0.2)
            process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _wait_until_it_answers(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        request = urllib.request.Request(f"{self.address}/api")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                opener.open(request, timeout=2).close()
                return
            except urllib.error.HTTPError:
                # A server of another kind has no such path, and has started.
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError(f"The {self.module} server did not start:\n{self.log.read_text()[-4000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

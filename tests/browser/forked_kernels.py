"""Kernels that are forked from one process, in which the packages that take seconds to import are imported already.

`ForkedKernels` is that process. Jupyter starts a kernel as it starts any: here the command is
`python -m tests.browser.forked_kernels SOCKET CONNECTION_FILE`, which asks the process for a fork, and ends with it. The
fork ends with the command, so that Jupyter can kill it. No package that talks to a notebook is imported before the fork.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
IMPORTED = (
    "pandas",
    "torch",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.llama.modeling_llama",
    "circuit_widget.loading",
)


class ForkedKernels:
    """A context manager: while it is open, the kernels of Jupyter servers with this data folder are forks."""

    def __init__(self, folder: Path, data: Path, environment: dict[str, str]) -> None:
        self._socket = folder / "kernels"
        self._environment = {**environment, "PYTHONPATH": os.pathsep.join([str(ROOT), *_python_path(environment)])}
        command = [sys.executable, "-m", __name__, str(self._socket), "{connection_file}"]
        spec = {
            "argv": command,
            "display_name": "Python 3",
            "language": "python",
            # The signal of an interrupt would go to the command.
            "interrupt_mode": "message",
            "env": {"PYTHONPATH": self._environment["PYTHONPATH"]},
        }
        of_kernel = data / "kernels" / "python3"
        of_kernel.mkdir(parents=True)
        (of_kernel / "kernel.json").write_text(json.dumps(spec))

    def __enter__(self) -> "ForkedKernels":
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(self._socket)], env=self._environment, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n", "the process that kernels are forked from did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)


def _python_path(environment: dict[str, str]) -> list[str]:
    return [environment["PYTHONPATH"]] if environment.get("PYTHONPATH") else []


def serve(path: str) -> None:
    """Fork a kernel for each connection, until the process is terminated."""
    for name in IMPORTED:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        print("ready", flush=True)
        while True:
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _be_a_kernel(connection)
            connection.close()


def _be_a_kernel(connection: socket.socket) -> None:
    """Be a kernel in this process, until it ends or the command that started it does."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    # The pipe is read up to the line that the process is ready, and no further.
    os.dup2(2, 1)
    request: dict[str, Any] = json.loads(connection.makefile().readline())
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"], JPY_PARENT_PID=str(os.getppid()))
    sys.argv = ["ipykernel_launcher", "-f", request["file"]]
    sys.path[:] = ["", *(entry for entry in sys.path if entry not in ("", str(Path.cwd())))]

    def end_with_the_command() -> None:
        connection.recv(1)
        os._exit(1)

    threading.Thread(target=end_with_the_command, daemon=True).start()
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()
    sys.exit()


def ask(path: str, file: str) -> None:
    """Have a kernel forked, and wait for its end."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        request = {"folder": str(Path.cwd()), "environment": dict(os.environ), "file": file}
        connection.sendall(json.dumps(request).encode() + b"\n")
        connection.recv(1)


if __name__ == "__main__":
    ask(*sys.argv[1:]) if len(sys.argv) == 3 else serve(sys.argv[1])

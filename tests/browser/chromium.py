"""Finds the Chromium that the browser tests drive; `python tests/browser/chromium.py --install` gets one on Debian."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Playwright

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No name but this machine's resolves: the network is cut off.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APPLICATIONS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)
HOW_TO_GET_ONE = (
    "The browser tests need Chromium or Chrome. On Debian: sudo apt-get install chromium. "
    "Elsewhere install Chrome, or name an executable in the environment variable CHROMIUM."
)


def find() -> str | None:
    """Return the path of an installed Chromium or Chrome, the one named by CHROMIUM first."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    for name in NAMES:
        if path := shutil.which(name):
            return path
    return next((str(path) for path in APPLICATIONS if path.exists()), None)


def launch(playwright: Playwright) -> Browser:
    """Start the installed browser without a window and without a network.

    Raises FileNotFoundError when there is none; its text is how to get one.
    """
    executable = find()
    if executable is None:
        raise FileNotFoundError(HOW_TO_GET_ONE)
    return playwright.chromium.launch(executable_path=executable, args=list(FLAGS))


def install() -> None:
    """Install Debian's Chromium when this is root on a Debian; elsewhere say what to do and exit."""
    if shutil.which("apt-get") is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        sys.exit(HOW_TO_GET_ONE)
    print("Installing Chromium for the browser tests", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium", "fonts-dejavu-core"]):
        subprocess.run(["apt-get", "-qq", *command], env=environment, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    if find() is None and "--install" in sys.argv:
        install()
    found = find()
    if found is None:
        sys.exit(HOW_TO_GET_ONE)
    print(f"Browser: {found}")

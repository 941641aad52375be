"""Build hook: bundles the frontend into the package before a wheel or an sdist is made."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = Path("circuit_widget/widget/static")
BUNDLES = (STATIC / "widget.js", STATIC / "panels.js", STATIC / "html-page.js")


class BundleHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs npm when the bundle is missing or the tree is a checkout; an unpacked sdist needs no Node."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if all((root / bundle).exists() for bundle in BUNDLES) and not (root / ".git").exists():
            return
        frontend = root / "js"
        if shutil.which("npm") is None:
            raise RuntimeError(
                "The frontend has to be built and npm was not found. Install Node 20 or newer, "
                "or install circuit-widget from a wheel or an sdist, which contain the built bundle."
            )
        installed, locked = frontend / "node_modules/.package-lock.json", frontend / "package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < locked.stat().st_mtime:
            subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=frontend, check=True)
        subprocess.run(["npm", "run", "build"], cwd=frontend, check=True)

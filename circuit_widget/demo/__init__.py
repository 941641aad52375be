"""The embedded model: the paths of its files."""

from pathlib import Path

HERE = Path(__file__).parent
MODEL = HERE / "model"
TRANSCODERS = HERE / "transcoders"

__all__ = ["MODEL", "TRANSCODERS"]

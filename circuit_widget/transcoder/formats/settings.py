"""Small settings files beside transcoders, read with the file named in every refusal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from circuit_widget.errors import LoadError


def read_json(path: Path) -> Mapping[str, object]:
    """Return the settings of a JSON file.

    Raises:
        LoadError: missing, unreadable, or not a mapping.
    """
    try:
        return _mapping(path, json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise LoadError(f"{path}: the file is missing.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise LoadError(f"{path}: not readable as JSON ({error}).") from error


def read_yaml(path: Path) -> Mapping[str, object]:
    """Return the settings of a YAML file.

    Raises:
        LoadError: missing, unreadable, or not a mapping.
    """
    try:
        return _mapping(path, yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise LoadError(f"{path}: the file is missing.") from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise LoadError(f"{path}: not readable as YAML ({error}).") from error


def whole_number(path: Path, settings: Mapping[str, object], key: str) -> int:
    """Return a setting that must be a whole number from 1 up."""
    value = settings.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise LoadError(f"{path}: {key} is {value!r}, expected a whole number from 1 up.")
    return value


def _mapping(path: Path, settings: object) -> Mapping[str, object]:
    if not isinstance(settings, dict):
        raise LoadError(f"{path}: found {type(settings).__name__}, expected a mapping of settings.")
    return settings

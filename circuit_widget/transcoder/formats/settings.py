"""Settings files beside transcoders; errors name the file, and every unknown key gives an error or a warning."""

from __future__ import annotations

import difflib
import json
import re
import reprlib
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from circuit_widget.errors import LoadError
from circuit_widget.system.warning import warn


def words(text: str) -> frozenset[str]:
    """Return the words of a text, to write a long list of keys readably."""
    return frozenset(text.split())


NEUTRAL = words(
    "name title description notes note comment comments license licence author authors url homepage citation date "
    "created created_at updated_at version format_version schema_version commit git_commit model model_name model_id "
    "base_model dataset dataset_path datasets tokenizer tokenizer_name repo_id revision subfolder seed "
    "neuronpedia_id device language tags library_name training_tokens n_tokens"
)
"""Keys of any layout without effect on the computation."""

COMPUTES = re.compile(
    r"activ|act_fn|nonlin|relu|softmax|gate|(^|_)glu|(^|_)k($|_)|top_?k|thresh|theta|norm|scal(e|ing)|reshap|"
    r"fold(ed|s|_|$)|cent(er|re)|mean|bias|b_dec|b_enc|w_dec|w_enc|clamp|clip|rectif|(^|_)abs($|_)|(^|_)signed|transcod|"
    r"skip|affine|residual|expan|factor|dtype|precision|quant|transpos|tied|encode|decode|hook|site|layer|apply|"
    r"subtract|whiten|standardi|epsilon|(^|_)eps($|_)|temperature|(^|_)groups?($|_)"
)
"""Pattern of unknown keys that look like settings of the computation."""

NO_EFFECT = (None, False, "none", "None", "")
"""Values of an unknown key that probably have no effect."""

ALIKE = 0.8
"""Similarity from which an unknown key counts as a misspelling of a known one."""


@dataclass(frozen=True)
class Fixed:
    """A setting that changes the computation: its values without effect, and the effect of others."""

    values: tuple[object, ...]
    effect: str
    advice: str = "This package does not do that: convert the transcoders so that they do without, or use others."


@dataclass(frozen=True)
class Keys:
    """The keys of a settings file: used ones, ones without effect on the computation, and ones with fixed values.

    Any other key is refused if it looks like a setting of the computation or a misspelling of a used key; otherwise a
    CircuitWidgetWarning names it.
    """

    used: frozenset[str]
    without_effect: frozenset[str] = frozenset()
    fixed: Mapping[str, Fixed] = field(default_factory=dict)

    def check(self, path: Path, settings: Mapping[str, object], within: str = "") -> None:
        """Check every key of a file, or of the mapping it has under the key `within`.

        Raises:
            LoadError: names the file, the key, its value, what it would change and what to do.
        """
        unknown = []
        for key, value in settings.items():
            full_key = f"{within}.{key}" if within else key
            if key in self.fixed:
                _refuse_unless_fixed(path, full_key, value, self.fixed[key])
            elif key not in self.used | self.without_effect | NEUTRAL:
                self._refuse_if_it_computes(path, full_key, key, value)
                unknown.append(f"{full_key} ({_brief(value)})")
        if unknown:
            warn(
                f"{path}: {', '.join(unknown)}: not known to this package, and left out. If it changes what the "
                "transcoders compute, the numbers are wrong."
            )

    def _refuse_if_it_computes(self, path: Path, full_key: str, key: str, value: object) -> None:
        """Raise LoadError for an unknown key, or one within it, that looks like a setting of the computation."""
        similar = difflib.get_close_matches(key.lower(), self.used, n=1, cutoff=ALIKE)
        if similar:
            raise LoadError(
                f"{path}: {full_key} is {_brief(value)}, but no such key is known. Write {similar[0]} if you mean that."
            )
        if COMPUTES.search(key.lower()) and not (isinstance(value, Hashable) and value in NO_EFFECT):
            raise LoadError(
                f"{path}: {full_key} is {_brief(value)}. This key is not known, and by its name it changes what the "
                "transcoders compute, so that every number could be wrong. Remove it if it has no effect on that; else "
                "the transcoders cannot be read."
            )
        if isinstance(value, dict) and not key.lower().startswith("train"):
            for inner, inner_value in value.items():
                self._refuse_if_it_computes(path, f"{full_key}.{inner}", str(inner), inner_value)


def read_json(path: Path) -> Mapping[str, Any]:
    """Return the settings of a JSON file.

    Raises:
        LoadError: missing, unreadable, not a mapping, or with a key twice.
    """
    return _read(path, "JSON")


def read_yaml(path: Path) -> Mapping[str, Any]:
    """Return the settings of a YAML file.

    Raises:
        LoadError: missing, unreadable, not a mapping, or with a key twice.
    """
    return _read(path, "YAML")


def read_one_of(paths: Sequence[Path], keys: Keys) -> tuple[Path, Mapping[str, Any]]:
    """Return the merged settings of the files that exist, with the path of the first; every key of each is checked.

    Without any file, returns the first path and no settings.

    Raises:
        LoadError: a file cannot be read, a key is refused, two files contradict each other, or two YAML files differ.
    """
    found = {path: read_json(path) if path.suffix == ".json" else read_yaml(path) for path in paths if path.exists()}
    for path, settings in found.items():
        keys.check(path, settings)
    for (one, of_one), (other, of_other) in combinations(found.items(), 2):
        both_yaml = ".json" not in (one.suffix, other.suffix)
        compared = of_one.keys() | of_other.keys() if both_yaml else of_one.keys() & of_other.keys() & keys.used
        for key in sorted(compared):
            if _setting(of_one, key) != _setting(of_other, key) or of_one.get(key) != of_other.get(key):
                raise LoadError(
                    f"{one} and {other} differ: {key} is {_setting(of_one, key)} in the first and {_setting(of_other, key)} in "
                    "the second. Keep the file that is right."
                )
    merged = {key: value for settings in reversed(found.values()) for key, value in settings.items()}
    return next(iter(found), paths[0]), merged


def nested(path: Path, settings: Mapping[str, object], key: str, keys: Keys, within: str = "") -> Mapping[str, Any]:
    """Return the checked settings under a key, none where it is missing or null; `within` is where the key is.

    Raises:
        LoadError: no mapping, or a key in it is refused.
    """
    full_key = f"{within}.{key}" if within else key
    found = settings.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise LoadError(f"{path}: {full_key} is {type(found).__name__}, expected a mapping of settings.")
    keys.check(path, found, full_key)
    return found


def one_of(path: Path, settings: Mapping[str, object], key: str, allowed: Sequence[object], why: str = "") -> object:
    """Return a setting, null where it is missing. Raises LoadError, ended by `why`, where it is none of those allowed."""
    value = settings.get(key)
    if not any(type(value) is type(one) and value == one for one in allowed):
        names = ", ".join("null" if one is None else str(one) for one in allowed)
        raise LoadError(f"{path}: {key} is {_brief(value)}, expected one of {names}.{' ' if why else ''}{why}")
    return value


def whole_number(path: Path, settings: Mapping[str, object], key: str) -> int:
    """Return a setting that must be a whole number from 1 up."""
    value = settings.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise LoadError(f"{path}: {key} is {_brief(value)}, expected a whole number from 1 up.")
    return value


def refuse_other_numbers(
    path: Path, settings: Mapping[str, object], expected: Mapping[str, int], where: object
) -> None:
    """Raise LoadError where a setting contradicts the size of the tensors in `where`; null is ignored."""
    for key, found in expected.items():
        value = settings.get(key)
        if value is not None and (isinstance(value, bool) or value != found):
            raise LoadError(
                f"{path}: {key} is {_brief(value)}, but {where} has {found}. One of the two belongs to other transcoders."
            )


def _refuse_unless_fixed(path: Path, full_key: str, value: object, fixed: Fixed) -> None:
    if not any(type(value) is type(one) and value == one for one in fixed.values):
        only = "it must be left out" if fixed.values[-1] is None else f"only {fixed.values[-1]!r} can be read"
        raise LoadError(f"{path}: {full_key} is {_brief(value)}; {only}. It {fixed.effect}. {fixed.advice}")


def _brief(value: object) -> str:
    return reprlib.repr(value)


def _setting(settings: Mapping[str, object], key: str) -> str:
    return _brief(settings[key]) if key in settings else "missing"


def _read(path: Path, kind: str) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        settings = json.loads(text, object_pairs_hook=_once_each) if kind == "JSON" else _from_yaml(text)
    except FileNotFoundError as error:
        raise LoadError(f"{path}: the file is missing.") from error
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise LoadError(f"{path}: not readable as {kind} ({error or type(error).__name__}).") from error
    if not text.strip():
        raise LoadError(f"{path}: the file is empty, expected settings. Copy or download it again, or remove it.")
    if not isinstance(settings, dict):
        raise LoadError(f"{path}: found {type(settings).__name__}, expected a mapping of settings.")
    for key in settings:
        if not isinstance(key, str):
            raise LoadError(f"{path}: found the key {_brief(key)}, expected keys that are texts; put it in quotes.")
    return settings


def _once_each(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {_brief(key)} occurs twice")
        found[key] = value
    return found


class _OnceEach(yaml.SafeLoader):
    """Loads YAML with plain values, and refuses a key that occurs twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        written = [self.construct_object(key, deep=True) for key, _ in node.value if "merge" not in key.tag]
        for index, key in enumerate(written):
            if key in written[:index]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {_brief(key)} occurs twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _from_yaml(text: str) -> object:
    return yaml.load(text, _OnceEach)

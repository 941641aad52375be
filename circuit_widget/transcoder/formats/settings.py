"""Small settings files beside transcoders, read with the file named in every refusal; no key is passed over in silence."""

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
    """Return the words of a text: a long list of keys that can still be read."""
    return frozenset(text.split())


NEUTRAL = words(
    "name title description notes note comment comments license licence author authors url homepage citation date "
    "created created_at updated_at version format_version schema_version commit git_commit model model_name model_id "
    "base_model dataset dataset_path datasets tokenizer tokenizer_name repo_id revision subfolder seed "
    "neuronpedia_id device language tags library_name training_tokens n_tokens"
)
"""Keys of any layout that say nothing about what is computed."""

COMPUTES = re.compile(
    r"activ|act_fn|nonlin|relu|softmax|gate|(^|_)glu|(^|_)k($|_)|top_?k|thresh|theta|norm|scal(e|ing)|reshap|"
    r"fold(ed|s|_|$)|cent(er|re)|mean|bias|b_dec|b_enc|w_dec|w_enc|clamp|clip|rectif|(^|_)abs($|_)|(^|_)signed|transcod|"
    r"skip|affine|residual|expan|factor|dtype|precision|quant|transpos|tied|encode|decode|hook|site|layer|apply|"
    r"subtract|whiten|standardi|epsilon|(^|_)eps($|_)|temperature|(^|_)groups?($|_)"
)
"""What a key that nobody knows is taken for a setting of the computation by."""

NO_EFFECT = (None, False, "none", "None", "")
"""Values with which a key that nobody knows is taken to ask for nothing."""

ALIKE = 0.8
"""How alike a key must be to one that is used to be taken for a misspelling of it."""


@dataclass(frozen=True)
class Fixed:
    """A setting that changes what is computed: the values with which it does not, and what it does with others."""

    values: tuple[object, ...]
    effect: str
    advice: str = "This package does not do that: convert the transcoders so that they do without, or use others."


@dataclass(frozen=True)
class Keys:
    """The keys of a settings file: those that are used, those without effect on what is computed, those with one value.

    Whatever is in none of them is refused where it looks like a setting of the computation or a misspelling of a key
    that is used, and else named in a CircuitWidgetWarning.
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
            shown = f"{within}.{key}" if within else key
            if key in self.fixed:
                _refuse_unless_fixed(path, shown, value, self.fixed[key])
            elif key not in self.used | self.without_effect | NEUTRAL:
                self._refuse_if_it_computes(path, shown, key, value)
                unknown.append(f"{shown} ({_brief(value)})")
        if unknown:
            warn(
                f"{path}: {', '.join(unknown)}: not known to this package, and left out. If it changes what the "
                "transcoders compute, the numbers are wrong."
            )

    def _refuse_if_it_computes(self, path: Path, shown: str, key: str, value: object) -> None:
        """Refuse a key that nobody knows, or one within it, where it looks like a setting of the computation."""
        meant = difflib.get_close_matches(key.lower(), self.used, n=1, cutoff=ALIKE)
        if meant:
            raise LoadError(
                f"{path}: {shown} is {_brief(value)}, but no such key is known. Write {meant[0]}, if that is meant."
            )
        if COMPUTES.search(key.lower()) and not (isinstance(value, Hashable) and value in NO_EFFECT):
            raise LoadError(
                f"{path}: {shown} is {_brief(value)}. This key is not known, and by its name it changes what the "
                "transcoders compute, so that every number could be wrong. Remove it if it has no effect on that; else "
                "the transcoders cannot be read."
            )
        if isinstance(value, dict) and not key.lower().startswith("train"):
            for inner, given in value.items():
                self._refuse_if_it_computes(path, f"{shown}.{inner}", str(inner), given)


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
    """Return the settings of the one file there is, or what several say together; every key of each is checked.

    Where there is no file, the first path comes with no settings.

    Raises:
        LoadError: a file cannot be read, a key is refused, two files contradict each other, or two of YAML differ.
    """
    found = {path: read_json(path) if path.suffix == ".json" else read_yaml(path) for path in paths if path.exists()}
    for path, settings in found.items():
        keys.check(path, settings)
    for (one, of_one), (other, of_other) in combinations(found.items(), 2):
        both_yaml = ".json" not in (one.suffix, other.suffix)
        compared = of_one.keys() | of_other.keys() if both_yaml else of_one.keys() & of_other.keys() & keys.used
        for key in sorted(compared):
            if _said(of_one, key) != _said(of_other, key) or of_one.get(key) != of_other.get(key):
                raise LoadError(
                    f"{one} and {other} differ: {key} is {_said(of_one, key)} in the first and {_said(of_other, key)} in "
                    "the second. Keep the file that is right."
                )
    merged = {key: value for settings in reversed(found.values()) for key, value in settings.items()}
    return next(iter(found), paths[0]), merged


def whole_number(path: Path, settings: Mapping[str, object], key: str) -> int:
    """Return a setting that must be a whole number from 1 up."""
    value = settings.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise LoadError(f"{path}: {key} is {_brief(value)}, expected a whole number from 1 up.")
    return value


def refuse_other_numbers(
    path: Path, settings: Mapping[str, object], expected: Mapping[str, int], where: object
) -> None:
    """Raise LoadError where a setting states another size than the tensors in `where` have; null states none."""
    for key, found in expected.items():
        value = settings.get(key)
        if value is not None and (isinstance(value, bool) or value != found):
            raise LoadError(
                f"{path}: {key} is {_brief(value)}, but {where} has {found}. One of the two belongs to other transcoders."
            )


def _refuse_unless_fixed(path: Path, shown: str, value: object, fixed: Fixed) -> None:
    if not any(type(value) is type(one) and value == one for one in fixed.values):
        only = "it must be left out" if fixed.values[-1] is None else f"only {fixed.values[-1]!r} can be read"
        raise LoadError(f"{path}: {shown} is {_brief(value)}; {only}. It {fixed.effect}. {fixed.advice}")


def _brief(value: object) -> str:
    return reprlib.repr(value)


def _said(settings: Mapping[str, object], key: str) -> str:
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
            raise ValueError(f"the key {_brief(key)} is there twice")
        found[key] = value
    return found


class _OnceEach(yaml.SafeLoader):
    """YAML of plain values in which no key is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        written = [self.construct_object(key, deep=True) for key, _ in node.value if "merge" not in key.tag]
        for place, key in enumerate(written):
            if key in written[:place]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {_brief(key)} is there twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _from_yaml(text: str) -> object:
    return yaml.load(text, _OnceEach)

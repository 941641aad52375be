"""The model of a figure's recipe: found here, compared with the recipe by the hashes of its files, and loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from circuit_widget.arguments import one_line, quoted
from circuit_widget.errors import FigureError
from circuit_widget.figure.recipe.recipe import GraphRecipe
from circuit_widget.loading import load
from circuit_widget.model.loading import named_model_origin
from circuit_widget.replacement_model import ReplacementModel

ModelChoice: TypeAlias = ReplacementModel | str | os.PathLike[str] | None
"""A model that is loaded, or the name or path to load it by; None for the one that the recipe names."""

REPOSITORY = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
REVISION = re.compile(r"[\w.-]+")
DEMO = "demo"


def model_of(recipe: GraphRecipe, given: ModelChoice, transcoders: str | os.PathLike[str] | None) -> ReplacementModel:
    """Return the model that traced a graph, compared with the recipe before it is loaded. Nothing is downloaded.

    Raises FigureError for a model whose files have other hashes, which it names, for one that the recipe does not say how
    to find, and for one that is of no known kind; LoadError for one that cannot be loaded.
    """
    if isinstance(given, ReplacementModel):
        check_provenance(recipe, given._provenance)
        return given
    name = _model_name(recipe) if given is None else given
    read = _transcoders_name(recipe) if transcoders is None else transcoders
    check_provenance(recipe, {"model": named_model_origin(name)}, parts=("model",))
    loaded = load(
        name,
        read,
        device=recipe.device,
        dtype=recipe.dtype,
        input_site=recipe.input_site,
        output_site=recipe.output_site,
    )
    check_provenance(recipe, loaded._provenance)
    return loaded


def check_choice(model: object, transcoders: object) -> None:
    """Raise FigureError for what is no model and no name or path of one, and for transcoders beside a loaded model."""
    if model is not None and not isinstance(model, ReplacementModel | str | os.PathLike):
        raise FigureError(f"model is a ReplacementModel, or its name or path, or None; given {quoted(model)}.")
    if transcoders is not None and not isinstance(transcoders, str | os.PathLike):
        raise FigureError(f"transcoders is a name or a path, or None; given {quoted(transcoders)}.")
    if transcoders is not None and isinstance(model, ReplacementModel):
        raise FigureError(
            "A model that is loaded has its transcoders; leave transcoders out, or give the model's name."
        )


def check_provenance(
    recipe: GraphRecipe, found: Mapping[str, Any], parts: tuple[str, ...] = ("model", "transcoders")
) -> None:
    """Raise FigureError where files of a model, or its transcoders, have other hashes than a recipe says."""
    for part in parts:
        wanted, here = (_hashes(one.get(part)) for one in (recipe.provenance, found))
        for name in sorted({*wanted, *here}):
            if wanted.get(name) != here.get(name):
                raise FigureError(
                    f"The figure was made with other {'files of the model' if part == 'model' else 'transcoders'}: "
                    f"{one_line(name, 120)} is {one_line(wanted.get(name, 'not there'), 100)} in the recipe, and "
                    f"{here.get(name, 'not there')} here. Pass the one that it was made with: "
                    f"redo(file, {part}=...); its name is {_named(recipe, part)}."
                )


def _hashes(origin: object) -> dict[str, str]:
    files = origin.get("files", {}) if isinstance(origin, Mapping) else {}
    return {str(name): str(value) for name, value in files.items()} if isinstance(files, Mapping) else {}


def _model_name(recipe: GraphRecipe) -> str:
    origin = recipe.provenance.get("model", {})
    if origin.get("name") == DEMO:
        return DEMO
    repository = _repository(origin)
    if repository is None:
        raise FigureError(
            f"The figure was made with the model {_named(recipe, 'model')}, which is not from the hub, so it cannot be found "
            "by its name. Pass its directory or file: redo(file, model=...)."
        )
    return repository


def _transcoders_name(recipe: GraphRecipe) -> str | None:
    if recipe.basis == "neurons":
        return "neurons"
    if recipe.provenance.get("model", {}).get("name") == DEMO:
        return None
    origin = recipe.provenance.get("transcoders", {})
    if _repository(origin) is None or recipe.transcoders is None:
        raise FigureError(
            f"The figure was made with the transcoders {_named(recipe, 'transcoders')}, which are not from the hub, so they "
            "cannot be found by their name. Pass their directory: redo(file, transcoders=...)."
        )
    return recipe.transcoders if "@" in recipe.transcoders else f"{recipe.transcoders}@{origin['revision']}"


def _repository(origin: Mapping[str, Any]) -> str | None:
    """Return the repository and revision of the hub that files are from, None for a folder."""
    name, revision = origin.get("repository"), origin.get("revision")
    if not isinstance(name, str) or not isinstance(revision, str):
        return None
    return f"{name}@{revision}" if REPOSITORY.fullmatch(name) and REVISION.fullmatch(revision) else None


def _named(recipe: GraphRecipe, part: str) -> str:
    name = recipe.model if part == "model" else recipe.transcoders
    return "not recorded" if name is None else repr(one_line(name, 120))

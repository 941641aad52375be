"""The error for a graph whose features are not those of a model."""

from __future__ import annotations

import torch

from circuit_widget.arguments import quoted
from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.module_checks import DTYPES
from circuit_widget.transcoder.transcoder_set import TranscoderSet


def foreign_graph(graph: Graph, model: LanguageModel, transcoders: TranscoderSet) -> InterventionError:
    """Return the error for a graph that another model traced, or the same model with weights of another dtype.

    The graph has the model's layers and tokens, and activations differ. A dtype rounds them.
    """
    traced_in, loaded_in = graph.recipe.get("dtype"), dtype_name(model.dtype)
    other_dtype = traced_in != loaded_in and traced_in in [dtype_name(dtype) for dtype in DTYPES]
    same_names = (graph.recipe.get("model"), graph.recipe.get("transcoders")) == (model.name, transcoders.name)
    if other_dtype and same_names:
        return InterventionError(
            f"This graph was traced with weights in {traced_in}, and {quoted(model.name)} is loaded in {loaded_in}: its "
            "features have other activations here, by more than is usual for rounding. Load the model with "
            f"dtype={traced_in!r}, or trace the prompt again with this one."
        )
    dtypes = f" Its weights were in {traced_in}, and here they are in {loaded_in}." if other_dtype else ""
    return InterventionError(
        "This graph was traced with another model or other transcoders: its features have other activations than those of "
        f"{quoted(model.name)} with {quoted(transcoders.name)}.{dtypes} Load the model it was traced with."
    )


def dtype_name(dtype: torch.dtype) -> str:
    """Return the name of a dtype, as `load` takes it."""
    return str(dtype).removeprefix("torch.")

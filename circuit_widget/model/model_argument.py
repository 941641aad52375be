"""The check of the `model` argument of `load`, with advice for objects that are not models."""

from __future__ import annotations

import os
from typing import Any

from torch import nn
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from circuit_widget.arguments import quoted
from circuit_widget.errors import LoadError

EXPECTED = "Expected is a local directory, a hub id, or a loaded model of transformers"


def check_model_argument(model: object) -> None:
    """Check that an object is the name of a model or a transformers model.

    Raises:
        LoadError: it is neither; names its type, and what to pass instead.
    """
    if isinstance(model, str | os.PathLike) and isinstance(os.fspath(model), str):
        return
    if not isinstance(model, PreTrainedModel):
        raise LoadError(f"The model given is {_kind(model)}. {_advice(model)} ({EXPECTED}.)")


def _kind(given: object) -> str:
    if isinstance(given, type):
        return f"the class {given.__name__} and not an instance of it"
    name = f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
    return f"{quoted(given)}" if given is None or isinstance(given, bool | int | float) else f"of type {name}"


def _advice(given: Any) -> str:
    """Return advice for an object that is not a transformers model, or that contains one."""
    if isinstance(given, type):
        loads = hasattr(given, "from_pretrained")
        return f"Pass {given.__name__}.from_pretrained(...)." if loads else "Pass a loaded model."
    if isinstance(given, PretrainedConfig):
        return "A configuration has no weights: pass AutoModelForCausalLM.from_pretrained(...)."
    if isinstance(given, PreTrainedTokenizerBase):
        return "Pass the tokenizer as tokenizer=, and its model first."
    if isinstance(given, bytes | os.PathLike):
        return f"Pass the path as a text: {os.fsdecode(given)!r:.200}."
    if isinstance(given, dict):
        return "Weights alone do not make a model: load_state_dict() them into one, and pass that."
    if isinstance(given, tuple | list):
        return "Pass the model by itself, and its tokenizer as tokenizer=."
    library = type(given).__module__.partition(".")[0]
    if library == "peft":
        return _advice_for_adapter(given)
    if library == "circuit_widget":
        return "It is loaded already."
    if type(given).__module__.startswith("torch.distributed.fsdp"):
        return "Its weights are spread over processes: load the whole model in one process."
    inner = _inner(given)
    if inner is not None:
        tokenizer = ", with tokenizer=its .tokenizer" if hasattr(given, "tokenizer") else ""
        return f"Pass the model of transformers that it wraps, its .{inner}{tokenizer}."
    if library == "sae_lens":
        return "It is no language model: pass that, and the directory of these weights as transcoders=."
    return "Load the model with transformers: AutoModelForCausalLM.from_pretrained(...)."


def _advice_for_adapter(given: Any) -> str:
    if not hasattr(given, "merge_and_unload"):
        return "What it adds cannot be merged into the weights, nor traced: only the model that it was made from can."
    return "Merge its adapters into the weights, and pass what that returns: model.merge_and_unload()."


def _inner(given: object) -> str | None:
    """Return the path of a transformers model inside an object, or None."""
    if isinstance(given, nn.Module):
        return next((path for path, part in given.named_modules() if isinstance(part, PreTrainedModel)), None)
    parts = getattr(given, "__dict__", {})
    return next((name for name, part in parts.items() if isinstance(part, PreTrainedModel)), None)

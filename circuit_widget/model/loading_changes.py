"""Changes that loading a model makes, in the process and in a loaded network; undone where loading fails."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
import transformers
from transformers import PretrainedConfig, PreTrainedModel

from circuit_widget.system.restoring import Change


def without_progress_bar() -> Change:
    """Return a context without progress bars of transformers."""
    logging: Any = transformers.utils.logging
    return Change(
        logging.disable_progress_bar,
        logging.enable_progress_bar if logging.is_progress_bar_enabled() else logging.disable_progress_bar,
    )


def parsing_gguf_once() -> Change:
    """Return a context within which each GGUF file is parsed once; transformers does it for every part that it reads.

    To parse one takes seconds, nearly all for the tokens of its vocabulary. The names of tensors are listed once as well.
    """
    import gguf

    functions = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    # Another thread may be loading a model too: what is put back is never its cache.
    plain = {name: getattr(function, "__wrapped__", function) for name, function in functions.items()}

    def put(each: Callable[[Any], Any]) -> None:
        for name, function in plain.items():
            setattr(gguf, name, each(function))

    return Change(lambda: put(functools.cache), lambda: put(lambda function: function))


def reading_network() -> Change:
    """Return the change whose undoing restores whatever transformers replaces while it reads a model.

    That is the default dtype, functions of torch that create and initialise weights, and methods of its own models.
    transformers restores them itself unless an interrupt prevents it.
    """
    dtype = torch.get_default_dtype()
    owners: list[Any] = [PreTrainedModel, *_torch_modules()]
    kept = [{name: value for name, value in vars(owner).items() if callable(value)} for owner in owners]

    def undo() -> None:
        torch.set_default_dtype(dtype)
        for owner, functions in zip(owners, kept, strict=True):
            now = vars(owner)
            for name, function in functions.items():
                if now.get(name) is not function:
                    setattr(owner, name, function)

    return Change(lambda: None, undo)


def _torch_modules() -> Iterator[Any]:
    for name, module in list(sys.modules.items()):
        if name == "torch" or name.startswith("torch.nn."):
            yield module


def evaluating(network: PreTrainedModel) -> Change:
    """Return the change of a network to evaluation mode and to eager attention, which returns its patterns."""
    training = [(module, module.training) for module in network.modules()]
    attention = [(config, vars(config).get("_attn_implementation_internal")) for config in _configs(network)]

    def make() -> None:
        network.train(False)
        network.set_attn_implementation("eager")

    def undo() -> None:
        for module, was in training:
            module.training = was
        for config, chosen in attention:
            config._attn_implementation_internal = chosen

    return Change(make, undo)


def _configs(network: PreTrainedModel) -> list[Any]:
    """Return the configurations of a network and of the models within it, each once."""
    waiting: list[Any] = [getattr(module, "config", None) for module in network.modules()]
    found: dict[int, Any] = {}
    while waiting:
        config = waiting.pop()
        if isinstance(config, PretrainedConfig) and id(config) not in found:
            found[id(config)] = config
            waiting += [getattr(config, name, None) for name in config.sub_configs]
    return list(found.values())

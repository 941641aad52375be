"""Adapters beside the MLPs of a model, in the files of its weights (Sid-MB/transcoder-adapters).

What an MLP writes is its own output plus `W_dec relu(W_enc x + b_enc)`, with `x` its input. transformers leaves the weights
`transcoder_enc` and `transcoder_dec` of such a checkpoint out, so that the model would compute something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from circuit_widget.errors import LoadError
from circuit_widget.model.hooks import set_lasting_hook

TENSOR = re.compile(r"(?P<mlp>.+\.mlp)\.(?P<part>transcoder_(?:enc|dec))\.(?P<kind>weight|bias)")
"""Name of a tensor of an adapter: the path of the MLP, the linear map, and which of its tensors."""

ENCODER, DECODER = "transcoder_enc", "transcoder_dec"


def attach_adapters(network: nn.Module, left_out: Iterable[str], root: Path, dtype: torch.dtype) -> None:
    """Add the adapters among the tensors that transformers left out of a network, read from the weights in `root`.

    Does nothing where there are none.

    Raises:
        LoadError: a part of an adapter is missing, or does not fit its MLP.
    """
    names = {name: match for name in left_out if (match := TENSOR.fullmatch(name)) is not None}
    if not names:
        return
    values = _read(root, names.keys())
    parts: dict[str, dict[str, Tensor]] = {}
    for name, match in names.items():
        parts.setdefault(match["mlp"], {})[f"{match['part']}.{match['kind']}"] = values[name].to(dtype)
    for path, found in parts.items():
        try:
            mlp = network.get_submodule(path)
        except AttributeError as error:
            raise LoadError(f"{root}: found an adapter of {path}, but the model has no such module.") from error
        for part in (ENCODER, DECODER):
            if f"{part}.weight" not in found:
                raise LoadError(f"{root}: tensor {f'{path}.{part}.weight'!r} is missing; get the whole checkpoint.")
            mlp.add_module(part, _linear(found[f"{part}.weight"], found.get(f"{part}.bias")))
        set_lasting_hook(mlp, add_adapter)


def add_adapter(mlp: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
    """Return the output of an MLP plus that of the adapter beside it; a forward hook."""
    written = mlp.get_submodule(DECODER)(torch.relu(mlp.get_submodule(ENCODER)(args[0])))
    return (output[0] + written, *output[1:]) if isinstance(output, tuple) else output + written


def adapter_encoder(mlp: nn.Module) -> Tensor | None:
    """Return the encoder of the adapter beside an MLP, None where there is none that is added to its output."""
    encoder: Any = getattr(mlp, ENCODER, None)
    is_added = any(hook is add_adapter for hook in mlp._forward_hooks.values())
    return encoder.weight.detach() if is_added and encoder is not None else None


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta", dtype=weight.dtype)
    made.weight = nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        made.bias = nn.Parameter(bias, requires_grad=False)
    return made


def _read(root: Path, names: Iterable[str]) -> Mapping[str, Tensor]:
    """Return tensors of the weights in a directory, by name."""
    wanted, found = set(names), {}
    for path in sorted(root.glob("*.safetensors")):
        with safe_open(path, framework="pt", device="cpu") as file:
            for name in wanted & set(file.keys()):
                found[name] = file.get_tensor(name)
    missing = sorted(wanted - found.keys())
    if missing:
        raise LoadError(f"{root}: tensor {missing[0]!r} is missing; get the whole checkpoint.")
    return found

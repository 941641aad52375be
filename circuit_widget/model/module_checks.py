"""Checks that the modules of a network are those of its architecture, so that their weights define what they compute.

Tracing computes with the weights of embeddings, norms, projections and the unembedding, and with the residual stream
between the layers, as the architecture's row in `sites.py` describes. The effect of an adapter, a hook, a parametrisation
or another `forward` would be missing in the edges. Queries, keys and MLPs are only run: they may compute anything that
treats each position by itself.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.nn.utils import parametrize
from transformers.pytorch_utils import Conv1D

from circuit_widget.errors import CircuitWidgetWarning, LoadError
from circuit_widget.model.architectures import MlpSites, NormKind
from circuit_widget.model.block import Block, Modules
from circuit_widget.system.plain_torch import inference

PLAIN_TENSORS: tuple[type[Tensor], ...] = (Tensor, nn.Parameter)
"""Types of tensors whose stored numbers are those used in products."""

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
"""Dtypes in which products with weights are computed."""

QUANTISED = re.compile("quant|bitsandbytes|[48]bit|gptq|awq|fp8|float8|mxfp|hqq|aqlm|bitlinear|int[48]", re.IGNORECASE)
"""Parts of the class names of quantised modules and tensors."""

KNOWN = ("circuit_widget.", "transformers.", "torch.utils.")
"""Packages whose hooks do not change the output of a module outside training."""

WEIGHTS = ("torch.nn.utils.",)
"""Packages whose hooks compute the weight of a module, the same for every input."""

QUANTISED_WEIGHTS = "has weights that are quantised"
NO_QUANTISED = (
    "load the model in bfloat16 or float32. Only MLPs may be quantised, and only with transcoders: neurons as features are "
    "read from the weights of the MLPs."
)

REMOVERS = {
    "WeightNorm": "torch.nn.utils.remove_weight_norm(module)",
    "SpectralNorm": "torch.nn.utils.remove_spectral_norm(module)",
    "prune": "torch.nn.utils.prune.remove(module, 'weight')",
}
"""How to remove the hooks of torch that compute a weight, by a part of the hook's name."""

PROBED_ROWS = 3


def check_plain(
    name: str, modules: Modules, kind: NormKind, neurons: MlpSites | None = None, *, loaded: bool = False
) -> None:
    """Check that the modules used in tracing are those of the architecture, without hooks or other changes.

    A hook on the whole network acts when it generates but not when it is traced. For a model that is `loaded` already it
    gives a warning only, because such hooks are often used to inspect logits. With `neurons`, the parts of the MLPs are
    used too.

    Raises:
        LoadError: names the module, the change, and what to do.
    """
    if any(not _comes_from(hook, KNOWN) for hooks in _global_hooks() for hook in hooks.values()):
        raise LoadError(
            f"{name}: a hook is set on all modules at once (torch.nn.modules.module.register_module_forward_hook or "
            "_pre_hook), and may change what any of them returns; remove it while the model is traced."
        )
    read = _read_modules(modules, kind) | _read_within_mlps(modules, neurons)
    containers = {id(module) for module in _containers(modules)}
    if neurons is not None:
        containers |= {id(block.mlp_owner) for block in modules.blocks}
    within_mlps = {id(part) for block in modules.blocks for mlp in block.mlp_modules for part in mlp.modules()}
    for path, module in _relevant(modules):
        expected = read.get(id(module))
        if expected is not None:
            fault = _class_fault(module, expected) or _call_fault(module, KNOWN) or _tensor_fault(module, expected)
        elif id(module) in containers:
            fault = _container_fault(module) or _call_fault(
                module, KNOWN, but_hooks=loaded and module is modules.network
            )
        elif id(module) not in within_mlps:
            fault = _call_fault(module, KNOWN + WEIGHTS)
        else:
            fault = None
        if fault is not None:
            raise LoadError(f"{name}: {path or type(module).__name__} {fault}")
    hooked = _hooks_fault(modules.network, KNOWN)
    if hooked is not None:
        warnings.warn(f"{name}: {type(modules.network).__name__} {hooked}", CircuitWidgetWarning, stacklevel=2)
    for layer, block in enumerate(modules.blocks):
        _check_mlp(f"{name}: the MLP of layer {layer}", block, modules.unembedding.weight)


def has_hooked_mlps(modules: Modules) -> bool:
    """Return whether any MLP has hooks or another `forward`, whose effect may change from run to run."""
    return any(_has_hooks_or_forwards(mlp) for block in modules.blocks for mlp in block.mlp_modules)


@dataclass(frozen=True)
class _ExpectedClass:
    """The classes a module whose weights are used may have; `own` allows those of transformers' modelling files.

    `weighted`: whether it must have a weight.
    """

    classes: tuple[type[nn.Module], ...]
    own: bool = False
    weighted: bool = True

    def __str__(self) -> str:
        return " or ".join(map(_named, self.classes)) or "the norm of its architecture"

    def includes(self, cls: type[nn.Module]) -> bool:
        return cls in self.classes or (self.own and cls.__module__.startswith("transformers.models."))


def _read_modules(modules: Modules, kind: NormKind) -> dict[int, _ExpectedClass]:
    """Return the expected classes of the modules whose weights are used, by the ids of the modules."""
    embedding = _ExpectedClass((nn.Embedding,), own=True)
    classes = (nn.LayerNorm,) if kind.of_torch else ()
    norm = _ExpectedClass(classes, own=not kind.of_torch, weighted=kind.weighted)
    read = {id(module): embedding for module in (modules.embedding, modules.positions) if module is not None}
    read |= {id(modules.unembedding): _ExpectedClass((nn.Linear,)), id(modules.final_norm): norm}
    for block in modules.blocks:
        read |= {id(module): _ExpectedClass((nn.Linear, Conv1D)) for module in (block.value, block.output)}
        norms = (block.attention_norm, block.attention_post_norm, block.mlp_norm, block.mlp_post_norm)
        read |= {id(one): norm for one in norms if one is not None}
    return read


def _read_within_mlps(modules: Modules, neurons: MlpSites | None) -> dict[int, _ExpectedClass]:
    """Return the classes that the projections within MLPs may have where neurons are used, by their ids."""
    if neurons is None:
        return {}
    names = [name for name in (neurons.gate, neurons.up, neurons.down) if name is not None]
    found = (getattr(block.mlp_owner, name, None) for block in modules.blocks for name in names)
    return {id(module): _ExpectedClass((nn.Linear, Conv1D)) for module in found if module is not None}


def _containers(modules: Modules) -> Iterator[nn.Module]:
    """Yield the modules that pass the residual stream on: the network down to its blocks, and their attention."""
    body = next(path for path, module in modules.network.named_modules() if module is modules.body)
    parts = body.split(".")
    for depth in range(len(parts) + 1):
        yield modules.network.get_submodule(".".join(parts[:depth]))
    for block in modules.blocks:
        yield from (block.whole, block.attention)


def _relevant(modules: Modules) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules that run on a text prompt, with their paths; not those of a vision tower."""
    containers = {id(module) for module in _containers(modules)}
    body = {id(module) for module in modules.body.modules()}
    for path, module in modules.network.named_modules():
        if id(module) in containers or id(module) in body or module is modules.unembedding:
            yield path, module


def _class_fault(module: nn.Module, expected: _ExpectedClass) -> str | None:
    """Return what is wrong with the class of a module whose weights are used, or None."""
    cls = type(module)
    if expected.includes(cls):
        return None if _comes_from(cls.forward, ("torch.nn.", "transformers.")) else _patched_fault(cls)
    if parametrize.is_parametrized(module):
        tensors = ", ".join(module.parametrizations)  # type: ignore[arg-type]
        return (
            f"is parametrised: its {tensors} is computed anew whenever it runs. Make it a plain weight: "
            f"torch.nn.utils.parametrize.remove_parametrizations(module, {next(iter(module.parametrizations))!r})."  # type: ignore[arg-type]
        )
    named = _named(cls)
    if any(base.__module__.startswith("peft.") for base in cls.__mro__):
        return (
            f"has an adapter on it ({named}), which the edges would leave out; merge it into the weights first: "
            "model = peft_model.merge_and_unload()."
        )
    if QUANTISED.search(named):
        return f"{QUANTISED_WEIGHTS} ({named}); {NO_QUANTISED}"
    return (
        f"is a {named}, expected {expected}, whose weights define what it computes. An adapter has to be merged into the "
        "weights (merge_and_unload() in PEFT), a wrapper taken off (a compiled module's inner one is its _orig_mod), "
        "and quantised weights loaded in bfloat16 or float32."
    )


def _container_fault(module: nn.Module) -> str | None:
    """Return what is wrong with a module that passes the residual stream on, or None."""
    inner = next((name for name in ("_orig_mod", "module") if hasattr(module, name)), None)
    if inner is not None:
        return f"is a {_named(type(module))} around a module of transformers; use that module, its .{inner}, instead."
    implementation = getattr(getattr(module, "config", None), "_attn_implementation", "eager")
    if implementation != "eager":
        return (
            f"has the attention {implementation!r}, which shows no patterns; set its config to that of the model, or load "
            "the model with attn_implementation='eager'."
        )
    return None if _comes_from(type(module).forward, ("transformers.",)) else _patched_fault(type(module))


def _patched_fault(cls: type[nn.Module]) -> str:
    forward = cls.forward
    return (
        f"runs {_origin(forward)}.{forward.__qualname__} instead of the forward of transformers, with an unknown "
        "effect; load the model where nothing has replaced it."
    )


def _call_fault(module: nn.Module, known: tuple[str, ...], *, but_hooks: bool = False) -> str | None:
    """Return what changes a call of a module beside its own `forward`, or None; with `but_hooks`, hooks are allowed."""
    if getattr(module, "_compiled_call_impl", None) is not None:
        return "was compiled in place, so that what it computes on the way cannot be read; load the model uncompiled."
    hooked = None if but_hooks else _hooks_fault(module, known)
    if hooked is not None:
        return hooked
    if _replaced_forward(module):
        forward = vars(module)["forward"]
        return (
            f"has a forward of its own ({_origin(forward)}) instead of that of its class, which the edges would leave "
            "out; remove it (del module.forward)."
        )
    return None


def _hooks_fault(module: nn.Module, known: tuple[str, ...]) -> str | None:
    """Return a hook on a module that may change its input or output, or None."""
    for hooks, what in ((module._forward_pre_hooks, "forward pre-hook"), (module._forward_hooks, "forward hook")):
        for hook in hooks.values():
            if not _comes_from(hook, known):
                return _hook_fault(hook, what)
    return None


def _hook_fault(hook: Callable[..., Any], what: str) -> str:
    named = f"{_origin(hook)}.{getattr(hook, '__qualname__', type(hook).__qualname__)}"
    remover = next((remover for part, remover in REMOVERS.items() if part in named), None)
    if remover is not None:
        return f"has its weight computed by a {what} ({named}); make it a plain weight: {remover}."
    return (
        f"has a {what} on it ({named}), which can change what the layers pass on and would not be in the edges; remove "
        "it while the model is traced (handle.remove()). To steer features, use intervene() or generate()."
    )


def _tensor_fault(module: nn.Module, expected: _ExpectedClass) -> str | None:
    """Return what is wrong with the weight or bias of a module of the expected class, or None."""
    for name in ("weight", "bias"):
        tensor: Any = getattr(module, name, None)
        if tensor is None and (name == "bias" or not expected.weighted):
            continue
        if not isinstance(tensor, Tensor):
            return f"has no {name} tensor ({_named(type(tensor))}), which the tracer reads; load the plain model."
        if type(tensor) not in PLAIN_TENSORS:
            named = _named(type(tensor))
            if ".distributed." in named:
                return f"has its {name} spread over processes ({named}); load the whole model in one process."
            if nn.parameter.is_lazy(tensor):
                return f"has a {name} without values ({named}); load the model's weights first."
            return f"{QUANTISED_WEIGHTS} ({named}); {NO_QUANTISED}"
        if tensor.is_complex():
            return f"has a {name} of complex numbers ({tensor.dtype}); load the model in bfloat16 or float32."
        if tensor.dtype not in DTYPES:
            return f"{QUANTISED_WEIGHTS} ({tensor.dtype}); {NO_QUANTISED}"
    return None


def _check_mlp(what: str, block: Block, like: Tensor) -> None:
    """Check that nothing changes the input of an MLP, and that it treats each position by itself.

    Re-runs run an MLP at some positions only, where a hook that changes, for example, the last position would change another one.
    """
    foreign = next((hook for hook in block.mlp._forward_pre_hooks.values() if not _comes_from(hook, KNOWN)), None)
    if foreign is not None:
        raise LoadError(f"{what} {_hook_fault(foreign, 'forward pre-hook')}")
    for mlp in block.mlp_modules:
        if getattr(mlp, "_compiled_call_impl", None) is not None:
            raise LoadError(f"{what} {_call_fault(mlp, KNOWN)}")
    if not any(map(_has_hooks_or_forwards, block.mlp_modules)):
        return

    def run(x: Tensor) -> Tensor:
        for mlp in block.mlp_modules:
            x = _first(mlp(x))
        return x

    x = torch.randn(
        1, PROBED_ROWS, like.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float32, device="cpu"
    )
    with inference():
        x = x.to(block.device, like.dtype)
        together = run(x).float()
        alone = torch.cat([run(x[:, row : row + 1]) for row in range(PROBED_ROWS)], dim=1).float()
    difference = float((together - alone).abs().max()) / max(1.0, float(together.abs().max()))
    if not difference <= (1e-4 if like.dtype.itemsize >= 4 else 5e-2):
        raise LoadError(
            f"{what} has a hook or another forward on it that treats positions differently (a "
            f"difference of {difference:.2g}), so that interventions would be wrong; remove it while the model is traced."
        )


def _first(output: Any) -> Tensor:
    return output[0] if isinstance(output, tuple) else output  # type: ignore[no-any-return]


def _has_hooks_or_forwards(mlp: nn.Module) -> bool:
    """Return whether any module within an MLP has hooks or another `forward`."""
    return any(
        _replaced_forward(part)
        or any(not _comes_from(hook, KNOWN + WEIGHTS) for hook in part._forward_hooks.values())
        or any(not _comes_from(hook, KNOWN + WEIGHTS) for hook in part._forward_pre_hooks.values())
        for part in mlp.modules()
    )


def _replaced_forward(module: nn.Module) -> bool:
    """Return whether a module has a `forward` of its own, other than accelerate's, which only moves arguments."""
    forward = vars(module).get("forward")
    if forward is None or _comes_from(forward, ("circuit_widget.",)):
        return False
    if getattr(forward, "__self__", None) is module and forward.__func__ is type(module).forward:
        return False  # transformers 4 sets it there after a run that returned hidden states
    before = getattr(vars(module).get("_old_forward"), "__func__", None)
    hook = vars(module).get("_hf_hook")
    moved = _comes_from(forward, ("accelerate.",)) and type(hook).__module__.startswith("accelerate.")
    return not (moved and before is type(module).forward)


def _global_hooks() -> tuple[Mapping[int, Callable[..., Any]], ...]:
    return torch_module._global_forward_hooks, torch_module._global_forward_pre_hooks


def _comes_from(function: Callable[..., Any], origins: tuple[str, ...]) -> bool:
    return f"{_origin(function)}.".startswith(origins)


def _origin(function: Callable[..., Any]) -> str:
    """Return the Python module that defines a function, the function of a partial, or the class of a callable."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__module__", None) or type(function).__module__)


def _named(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"

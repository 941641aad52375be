"""The settings of a process and a thread in torch, transformers and Python, which a run of the model must restore."""

import gc
import threading
from typing import Any

import torch
import transformers
from torch import nn
from torch.overrides import _get_current_function_mode_stack
from torch.utils import _device
from transformers import PreTrainedModel

from tests.models import hooks_of


def process_state() -> dict[str, Any]:
    """Everything that an interrupted load or run might leave changed, to be compared with the state before."""
    logging: Any = transformers.utils.logging
    functions = [vars(owner) for owner in (torch, nn.init, nn.modules.linear, nn.modules.conv, PreTrainedModel)]
    return {
        "inference mode": torch.is_inference_mode_enabled(),
        "gradients": torch.is_grad_enabled(),
        "default dtype": torch.get_default_dtype(),
        "function modes": list(_get_current_function_mode_stack()),
        "default device": _device.CURRENT_DEVICE,
        "autocast": (
            torch.is_autocast_enabled("cpu"),
            torch.get_autocast_dtype("cpu"),
            torch.is_autocast_cache_enabled(),
        ),
        "autocast depth": (torch.autocast_increment_nesting(), torch.autocast_decrement_nesting()),
        "autocast applies": (torch.ones(1, 1, dtype=torch.float32) @ torch.ones(1, 1, dtype=torch.float32)).dtype,
        "vmap": torch._C._functorch.maybe_current_level(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "progress bars": logging.is_progress_bar_enabled(),
        "garbage collector": gc.isenabled(),
        "functions": [{name: id(value) for name, value in all_of.items() if callable(value)} for all_of in functions],
    }


def network_state(network: nn.Module) -> dict[str, Any]:
    """The parts of a network that a load or a run might leave changed."""
    modules = list(network.modules())
    return {
        "hooks": hooks_of(network),
        "keywords of hooks": [list(module._forward_pre_hooks_with_kwargs) for module in modules],
        "forwards": ["forward" in vars(module) for module in modules],
        "training": [module.training for module in modules],
        "attention": [
            getattr(module.config, "_attn_implementation", None) for module in modules if hasattr(module, "config")
        ],
        "weights": [(id(weight), weight.dtype, weight.data_ptr()) for weight in network.parameters()],
    }


def is_free(lock: Any) -> bool:
    """Whether another thread can take a lock."""
    found: list[bool] = []

    def take() -> None:
        found.append(lock.acquire(blocking=False))
        if found[0]:
            lock.release()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return found[0]

"""Weights are read only from plain modules: what else acts on them is named when a model is loaded."""

import copy
import functools
import re
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from circuit_widget.errors import LoadError
from circuit_widget.loading import load
from circuit_widget.model.capture import capture
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.self_check import check_pieces
from circuit_widget.replacement_model import ReplacementModel
from tests.architectures import THOROUGH, network_of
from tests.models import PROMPT_IDS, tiny_network, tiny_transcoders, tokenizer

every_architecture = pytest.mark.parametrize("name", THOROUGH)
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])


def test_outputs_without_names_are_refused_when_a_model_is_loaded_and_before_a_run() -> None:
    network = tiny_network()
    network.config.return_dict = False
    with pytest.raises(LoadError, match=r"return_dict=False.*Set model\.config\.return_dict = True\."):
        load(network, "neurons", tokenizer=tokenizer())
    network.config.return_dict = True
    model = load(network, "neurons", tokenizer=tokenizer())
    network.config.return_dict = False
    for run in (model.trace, model.generate):
        with pytest.raises(LoadError, match="return_dict=False"):
            run(PROMPT_IDS)
    network.config.return_dict = True
    assert model.trace(PROMPT_IDS, max_features=20).n_features == 20


class Adapter(nn.Module):
    """A low-rank change beside a linear map, as adapters replace the map."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base
        weight: Any = base.weight
        inputs, outputs = weight.shape if isinstance(base, Conv1D) else weight.shape[::-1]
        self.down = nn.Parameter(0.01 * torch.ones(inputs, 2, dtype=weight.dtype))
        self.up = nn.Parameter(0.01 * torch.ones(2, outputs, dtype=weight.dtype))

    @property
    def weight(self) -> Tensor:
        return self.base.weight  # type: ignore[return-value]

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + x @ self.down @ self.up  # type: ignore[no-any-return]


class LoraLinear(nn.Linear):
    """The same, as a class of linear maps."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * 1.01


class Packed(Tensor):
    """A tensor that stores its numbers in its own way, and states that they are floating point."""


def read_paths(model: LanguageModel) -> dict[str, str]:
    """Paths of modules that the tracer reads, by what they are."""
    paths = {id(module): path for path, module in model.network.named_modules()}
    block = model.blocks[1]
    read = {
        "value": block.value,
        "output": block.output,
        "attention norm": block.attention_norm,
        "mlp norm": block.mlp_norm,
        "final norm": model.final_norm,
        "unembedding": model.unembedding,
        "embedding": model.network.get_input_embeddings(),
    }
    if model.positions is not None:
        read["positions"] = model.positions
    if block.mlp_post_norm is not None and block.attention_post_norm is not None:
        read |= {"mlp post-norm": block.mlp_post_norm, "attention post-norm": block.attention_post_norm}
    return {what: paths[id(module)] for what, module in read.items()}


def refusal(network: PreTrainedModel) -> str:
    with pytest.raises(LoadError) as refused:
        LanguageModel(network, tokenizer(), "mine")
    return str(refused.value)


def doubled(_: nn.Module, __: Any, output: Any) -> Any:
    return (1.01 * output[0], *output[1:]) if isinstance(output, tuple) else 1.01 * output


@every_architecture
@every_dtype
def test_an_adapter_in_place_of_a_projection_is_named(name: str, dtype: torch.dtype) -> None:
    paths = read_paths(LanguageModel(network_of(name, dtype=dtype), tokenizer(), name))
    for what in ("value", "output", "unembedding"):
        network = network_of(name, dtype=dtype)
        network.set_submodule(paths[what], Adapter(network.get_submodule(paths[what])))
        message = refusal(network)
        assert (
            f"mine: {paths[what]} is a tests.model.test_trusted_weights.Adapter, expected torch.nn.modules" in message
        )
        assert "merge_and_unload()" in message


@every_architecture
def test_hooks_and_other_forwards_on_what_is_read_or_followed_are_named(name: str) -> None:
    network = network_of(name)
    model = LanguageModel(network, tokenizer(), name)
    attention = next(path for path, part in network.named_modules() if part is model.blocks[1].attention)
    block = next(path for path, part in network.named_modules() if part is model.blocks[1].whole)
    body = next(path for path, part in network.named_modules() if part is model.body)
    for path in (*read_paths(model).values(), attention, block, body, ""):
        module = network.get_submodule(path)
        message = path or type(network).__name__
        with module.register_forward_hook(doubled):
            assert f"mine: {message} has a forward hook on it (tests.model.test_trusted_weights.doubled)" in refusal(
                network
            )
        with module.register_forward_pre_hook(lambda _, args, kwargs: (args, kwargs), with_kwargs=True):
            assert f"mine: {message} has a forward pre-hook on it" in refusal(network)
        module.forward = functools.partial(module.forward)
        assert f"mine: {message} has a forward of its own" in refusal(network)
        del module.forward
    LanguageModel(network, tokenizer(), "mine")


@every_architecture
def test_a_hook_inside_attention_is_named_and_one_behind_an_mlp_is_what_the_model_does(name: str) -> None:
    network = network_of(name)
    model = LanguageModel(network, tokenizer(), name)
    plain = capture(model, PROMPT_IDS, 6)
    block = model.blocks[1]
    part = next(module for module in block.attention.modules() if module not in (block.attention, block.value))
    with part.register_forward_hook(doubled):
        assert "has a forward hook on it" in refusal(network)
    with block.mlp.register_forward_hook(doubled):
        hooked = LanguageModel(network, tokenizer(), name)
        check_pieces(hooked)
        written = capture(hooked, PROMPT_IDS, 6).layers[1].mlp_output
        torch.testing.assert_close(written, 1.01 * plain.layers[1].mlp_output)


def last_position(_: nn.Module, __: Any, output: Tensor) -> Tensor:
    output[:, -1] += 1
    return output


def first_pass(_: nn.Module, __: Any, output: Tensor) -> Tensor:
    return output + 1 if output.shape[1] > 1 else output


@pytest.mark.parametrize("hook", [last_position, first_pass, lambda _, __, output: output + torch.rand(())])
def test_a_hook_on_an_mlp_that_tells_positions_apart_is_refused(hook: Callable[..., Tensor]) -> None:
    network = tiny_network()
    network.model.layers[1].mlp.register_forward_hook(hook)
    assert "mine: the MLP of layer 1 has a hook or another forward on it that treats positions" in refusal(network)


def test_a_hook_that_changes_what_an_mlp_is_given_is_refused() -> None:
    network = tiny_network()
    network.model.layers[1].mlp.register_forward_pre_hook(lambda _, args: (2 * args[0],))
    assert "mine: the MLP of layer 1 has a forward pre-hook on it" in refusal(network)


def test_what_an_mlp_or_queries_are_made_of_is_free() -> None:
    network = tiny_network()
    layer = network.model.layers[0]
    layer.mlp.up_proj = Adapter(layer.mlp.up_proj)
    layer.self_attn.q_proj = Adapter(layer.self_attn.q_proj)
    weight_norm(layer.mlp.down_proj)
    prune.l1_unstructured(layer.mlp.gate_proj, "weight", amount=0.3)
    model = LanguageModel(network, tokenizer(), "mine")
    check_pieces(model)
    assert ReplacementModel(model, tiny_transcoders()).trace(PROMPT_IDS).verify(20).agrees


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (parametrizations.weight_norm, "is parametrised: its weight is computed anew .*remove_parametrizations"),
        (parametrizations.spectral_norm, "is parametrised: its weight .*remove_parametrizations"),
        (weight_norm, r"computed by a forward pre-hook \(torch.nn.utils.weight_norm.*remove_weight_norm"),
        (spectral_norm, r"computed by a forward pre-hook \(torch.nn.utils.spectral_norm.*remove_spectral_norm"),
        (lambda part: prune.l1_unstructured(part, "weight", 0.3), r"\(torch.nn.utils.prune.*prune.remove\(module"),
    ],
)
@pytest.mark.parametrize("path", ["model.layers.1.self_attn.v_proj", "lm_head"])
def test_a_weight_that_is_computed_is_named_with_what_makes_it_plain(
    change: Callable[[nn.Module], Any], words: str, path: str
) -> None:
    network = tiny_network()
    change(network.get_submodule(path))
    message = refusal(network)
    assert message.startswith(f"mine: {path} ")
    assert re.search(words, message), message


def packed(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight.detach().as_subclass(Packed), requires_grad=False)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda weight: nn.Parameter(weight.to(torch.float8_e4m3fn), requires_grad=False), "torch.float8_e4m3fn"),
        (lambda weight: nn.Parameter(weight.to(torch.int8), requires_grad=False), "torch.int8"),
        (packed, "tests.model.test_trusted_weights.Packed"),
    ],
)
@pytest.mark.parametrize("path", ["model.embed_tokens", "model.layers.2.self_attn.v_proj", "lm_head"])
def test_quantised_weights_of_every_kind_are_named(make: Callable[[Tensor], Any], named: str, path: str) -> None:
    network = tiny_network()
    module = network.get_submodule(path)
    module.weight = make(module.weight)
    assert (
        f"mine: {path} has weights that are quantised ({named}); load the model in bfloat16 or float32. Only MLPs may"
        in refusal(network)
    )


def test_complex_and_missing_weights_are_named() -> None:
    network = tiny_network()
    network.lm_head.weight = nn.Parameter(network.lm_head.weight.to(torch.complex64))
    assert "lm_head has a weight of complex numbers (torch.complex64)" in refusal(network)
    network = tiny_network()
    network.model.norm.weight = None
    assert "model.norm has no weight tensor (builtins.NoneType)" in refusal(network)


@pytest.mark.filterwarnings("ignore")
class Linear8bit(nn.Linear):
    """A class with the name of one whose weights are quantised."""


def test_quantised_mlps_are_no_neurons() -> None:
    network = tiny_network()
    down: Any = network.model.layers[1].mlp.down_proj
    down.__class__ = Linear8bit
    ReplacementModel(LanguageModel(network, tokenizer(), "mine"), tiny_transcoders())
    with pytest.raises(LoadError, match=r"mlp\.down_proj has weights that are quantised .*and only with transcoders"):
        load(network, "neurons", tokenizer=tokenizer())


def test_torchs_own_quantised_modules_are_named() -> None:
    quantised = torch.ao.quantization.quantize_dynamic(tiny_network(), {nn.Linear}, dtype=torch.qint8)
    assert "model.layers.0.self_attn.v_proj has weights that are quantised (torch.ao.nn.quantized" in refusal(quantised)


def test_a_subclass_with_a_forward_of_its_own_is_named() -> None:
    network = tiny_network()
    network.model.layers[1].self_attn.o_proj.__class__ = LoraLinear
    assert "model.layers.1.self_attn.o_proj is a tests.model.test_trusted_weights.LoraLinear" in refusal(network)


def test_a_class_whose_forward_was_replaced_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    network = tiny_network()
    for module, path in ((network.model.layers[0], "model.layers.0"), (network.model.norm, "model.layers.0.input_lay")):
        before = type(module).forward

        def forward(self: nn.Module, *args: Any, before: Callable[..., Any] = before, **kwargs: Any) -> Any:
            return before(self, *args, **kwargs)

        with monkeypatch.context() as patched:
            patched.setattr(type(module), "forward", forward)
            message = refusal(network)
        assert message.startswith(f"mine: {path}")
        assert "instead of the forward of transformers" in message
    LanguageModel(network, tokenizer(), "mine")


def test_compiled_modules_are_named() -> None:
    for path in ("", "model.layers.1", "model.layers.1.self_attn", "model.layers.1.mlp", "lm_head"):
        network = tiny_network()
        network.get_submodule(path).compile(backend="eager")
        assert "compiled in place" in refusal(network)
    network = tiny_network()
    network.model.layers[1] = torch.compile(network.model.layers[1], backend="eager")
    assert "model.layers.1 is a torch._dynamo" in refusal(network)
    assert "use that module, its ._orig_mod, instead" in refusal(network)


def test_a_hook_on_all_modules_at_once_is_named() -> None:
    with torch.nn.modules.module.register_module_forward_hook(lambda *_: None):
        assert "mine: a hook is set on all modules at once" in refusal(tiny_network())


def test_hooks_of_transformers_and_hooks_on_gradients_are_let_be() -> None:
    network = tiny_network()
    expected = ReplacementModel(LanguageModel(copy.deepcopy(network), tokenizer(), "x"), tiny_transcoders())
    network.set_attn_implementation("eager")
    network(torch.tensor([PROMPT_IDS]), output_attentions=True, output_hidden_states=True)
    network.enable_input_require_grads()
    network.lm_head.register_full_backward_hook(lambda *_: None)
    model = LanguageModel(network, tokenizer(), "x")
    check_pieces(model)
    weights = ReplacementModel(model, tiny_transcoders()).trace(PROMPT_IDS).weights
    assert (weights == expected.trace(PROMPT_IDS).weights).all()


def test_a_forward_by_which_accelerate_moves_arguments_is_let_be() -> None:
    network = tiny_network()
    accelerate = types.ModuleType("accelerate.hooks")
    code = (
        "class AlignDevicesHook: pass\n"
        "def new_forward(module, *args, **kwargs): return module._old_forward(*args, **kwargs)\n"
    )
    exec(code, vars(accelerate))
    for module in network.modules():
        module._hf_hook = accelerate.AlignDevicesHook()
        module._old_forward = module.forward  # type: ignore[assignment]
        module.forward = functools.partial(accelerate.new_forward, module)
    check_pieces(LanguageModel(network, tokenizer(), "dispatched"))
    network.lm_head._old_forward = lambda x: 2 * x
    assert "lm_head has a forward of its own" in refusal(network)


def test_a_model_without_layers_is_refused() -> None:
    network = tiny_network()
    network.model.layers = nn.ModuleList()
    assert refusal(network) == "LlamaForCausalLM has no layers; expected at least one."

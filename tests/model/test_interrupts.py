"""An interrupt leaves the model, torch and transformers as they were, wherever it comes.

A trace function raises KeyboardInterrupt on entry of one Python function, of this package or of any other, in run after
run: on the first entry of each function from each call site. Of a load, which has 2,000 call sites, all are tried
that set something up or clean something up, and some of the others. With CIRCUIT_WIDGET_EVERY_INTERRUPT=1 every entry
of every function is tried; that takes hours. Real signals at random moments, two at once among them, come besides.
"""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

import circuit_widget as cw
from circuit_widget.errors import LoadError
from circuit_widget.loading import load
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.replacement_model import ReplacementModel
from tests import shapes
from tests.model.process_state import is_free, network_state, process_state
from tests.models import randomised, tiny_transcoders, tokenizer

# Python drops, with a warning, an error that is raised while a generator is closed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

EVERY = bool(os.environ.get("CIRCUIT_WIDGET_EVERY_INTERRUPT"))
IDS = (1, 17, 42, 5)
SHARE_OF_OTHERS = 40
SIGNALS = 10_000 if EVERY else 100
SHARE_TRACED = 1 if EVERY else 6
SETTING_UP = (
    "circuit_widget/system/",
    "circuit_widget/model/hooks.py",
    "circuit_widget/model/loading_changes.py",
    "circuit_widget/system/linear_backend.py",
    "circuit_widget/loading.py",
    "contextlib.py",
    "torch/utils/_device.py",
    "torch/autograd/grad_mode.py",
    "torch/amp/",
    "transformers/initialization.py",
    "transformers/monkey_patching.py",
    "transformers/utils/logging.py",
)
"""Files with the code that a load sets up and cleans up with."""

Work = Callable[[], Any]


def smallest_network() -> LlamaForCausalLM:
    """One layer, two heads."""
    config = LlamaConfig(
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=4,
        vocab_size=206,
        max_position_embeddings=16,
    )
    return randomised(LlamaForCausalLM(config), 0)


def smallest_model() -> ReplacementModel:
    """The smallest network with transcoders."""
    return ReplacementModel(LanguageModel(smallest_network(), tokenizer(), "smallest"), tiny_transcoders(1, 8))


def entries(work: Work, wanted: Callable[[int, FrameType], bool]) -> list[int]:
    """The numbers of the chosen function entries of a run, once for each call site."""
    count = 0
    seen: set[object] = set()
    found: list[int] = []

    def look(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += 1
        caller = frame.f_back
        call_site = frame.f_code, None if caller is None else (caller.f_code, caller.f_lasti)
        # Those that check shapes stand between each function and its caller; an interrupt in them is one before it.
        if frame.f_code.co_filename == shapes.__file__:
            return
        if EVERY or (call_site not in seen and wanted(len(seen), frame)):
            found.append(count)
        seen.add(call_site)

    sys.settrace(look)
    try:
        work()
    finally:
        sys.settrace(None)
    return found


def interrupted_at(number: int, work: Work) -> bool:
    """Do some work, interrupted on entry of its `number`-th function; return whether the interrupt came through.

    Python drops an error in a finaliser, and native code may raise an error of its own instead.
    """
    left = number

    def interrupt(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt

    sys.settrace(interrupt)
    try:
        work()
    except (KeyboardInterrupt, LoadError):
        return True
    finally:
        sys.settrace(None)
    return False


def of_all(_: int, __: FrameType) -> bool:
    return True


def of_setting_up(call_site: int, frame: FrameType) -> bool:
    return call_site % SHARE_OF_OTHERS == 0 or any(part in frame.f_code.co_filename for part in SETTING_UP)


RUNS: dict[str, Callable[[ReplacementModel, cw.Graph], Any]] = {
    "trace": lambda model, _: model.trace(IDS),
    "intervention": lambda model, graph: model.intervene(graph, cw.Ablate(graph.node_ids[0]), mode="frozen_attention"),
    "generation": lambda model, graph: model.generate(
        IDS, interventions=cw.Ablate(graph.node_ids[0]), new_tokens=True, max_new_tokens=2
    ),
    "card": lambda model, _: model.feature_card(0, 1),
}


def check_interrupts(model: ReplacementModel, work: Work, expected: np.ndarray) -> None:
    """Check that all is as before after an interrupt at each point of a run, and that a trace gives the same numbers."""
    network = model.model.network
    work()
    model.forget()
    points = entries(work, of_all)
    assert len(points) > 20
    before, of_network = process_state(), network_state(network)
    for call_site, number in enumerate(points):
        model.forget()
        interrupted_at(number, work)
        assert process_state() == before, number
        assert network_state(network) == of_network, number
        assert is_free(model.lock), number
        if call_site % SHARE_TRACED:
            continue
        np.testing.assert_array_equal(model.trace(IDS, progress=False).weights, expected, err_msg=str(number))


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_interrupted_leaves_everything_as_it_was(name: str) -> None:
    model = smallest_model()
    graph = model.trace(IDS)
    check_interrupts(model, lambda: RUNS[name](model, graph), graph.weights)


def test_a_verification_that_is_interrupted_restores_the_weights() -> None:
    model = smallest_model()
    model.model.network.to(torch.bfloat16)
    graph = model.trace(IDS)
    check_interrupts(model, lambda: model.verify(graph, 2), graph.weights)


def test_a_run_inside_the_users_own_contexts_leaves_these_as_they_were() -> None:
    model = smallest_model()
    expected = model.trace(IDS).weights
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.device("meta"), torch.no_grad():
        points = entries(lambda: model.trace(IDS), of_setting_up)
        before = process_state()
        for number in points:
            model.forget()
            interrupted_at(number, lambda: model.trace(IDS))
            assert process_state() == before, number
            assert is_free(model.lock), number
    np.testing.assert_array_equal(model.trace(IDS).weights, expected)


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The smallest network and transcoders as files."""
    model, transcoders = tmp_path_factory.mktemp("model"), tmp_path_factory.mktemp("transcoders")
    smallest_network().save_pretrained(model)
    tokenizer().save_pretrained(model)
    layer = tiny_transcoders(1, 8).layers[0]
    parts = {"W_enc": layer.encoder, "b_enc": layer.encoder_bias, "W_dec": layer.decoder, "b_dec": layer.decoder_bias}
    save_file(parts, transcoders / "layer_0.safetensors")
    return model, transcoders


def test_a_load_that_is_interrupted_leaves_everything_as_it_was(directories: tuple[Path, Path]) -> None:
    def work() -> ReplacementModel:
        return load(*directories, device="cpu")

    expected = work().trace(IDS).weights
    before = process_state()
    for number in entries(work, of_setting_up):
        interrupted_at(number, work)
        assert process_state() == before, number
    np.testing.assert_array_equal(work().trace(IDS).weights, expected)


def test_a_given_network_is_as_it_was_where_its_load_fails_or_is_interrupted(
    directories: tuple[Path, Path], tmp_path: Path
) -> None:
    def in_training() -> LlamaForCausalLM:
        network = smallest_network()
        network.set_attn_implementation("sdpa")
        network.train()
        network.model.norm.eval()
        return network

    network = in_training()
    before, of_process = network_state(network), process_state()
    with pytest.raises(LoadError):
        load(network, tmp_path, tokenizer=tokenizer())
    assert network_state(network) == before
    load(in_training(), directories[1], tokenizer=tokenizer())
    given, other = [network], in_training()
    for number in entries(lambda: load(other, directories[1], tokenizer=tokenizer()), of_setting_up):
        if interrupted_at(number, lambda: load(given[-1], directories[1], tokenizer=tokenizer())):
            assert network_state(given[-1]) == before, number
        else:
            given.append(in_training())
            before = network_state(given[-1])
        assert process_state() == of_process, number
    assert len(given) < 10


@pytest.mark.parametrize("signals", [1, 3])
def test_a_signal_at_any_moment_leaves_everything_as_it_was(signals: int) -> None:
    # A shell that starts this in the background has it ignore the signal.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        interrupts = interrupt_at_random(signals)
    finally:
        signal.signal(signal.SIGINT, handler)
    # One that comes in a finalizer is printed by Python, and goes no further.
    assert interrupts >= 0.95 * SIGNALS


def interrupt_at_random(signals: int) -> int:
    """Run the model again and again, interrupt it at random, and return how many interrupts came."""
    model = smallest_model()
    graph = model.trace(IDS)
    works = [partial(run, model, graph) for run in RUNS.values()]
    for work in works:
        work()
    started = time.perf_counter()
    for work in works:
        model.forget()
        work()
    longest = 1.5 * (time.perf_counter() - started) / len(works)
    before, of_network = process_state(), network_state(model.model.network)
    chance = random.Random(0)
    interrupts = 0
    for turn in range(SIGNALS):
        model.forget()
        delay = chance.uniform(0, longest)
        sender = threading.Thread(target=_interrupt_main, args=(delay, signals))
        try:
            sender.start()
            works[turn % len(works)]()
            sender.join()
        except KeyboardInterrupt:
            interrupts += 1
        while sender.is_alive():
            try:
                sender.join()
            except KeyboardInterrupt:
                interrupts += 1
        assert process_state() == before, turn
        assert network_state(model.model.network) == of_network, turn
        assert is_free(model.lock), turn
    np.testing.assert_array_equal(model.trace(IDS).weights, graph.weights)
    return interrupts


def _interrupt_main(delay: float, signals: int) -> None:
    """Press Ctrl-C after some seconds, once or several times at once."""
    threading.Event().wait(delay)
    for _ in range(signals):
        os.kill(os.getpid(), signal.SIGINT)

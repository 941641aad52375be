"""Edges against autograd through the transformers model itself, with patterns, denominators and MLPs cut out by hooks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from circuit_widget.graph.node_table import feature_at
from tests.cases import ALL_CASES, TOKENS, Case, assert_close, case_of, spread
from tests.models import PROMPT_IDS
from tests.plain_pass import rows_of


@pytest.fixture(params=ALL_CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(*request.param)


def test_edges_are_gradients_of_the_model_itself(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, transcoders = case.graph, case.model.transcoders
    with frozen_pass(case, monkeypatch) as (probes, embedding, reads, final):
        sources = source_vectors(case, embedding)
        for node in spread(10, graph.n_features):
            feature = feature_at(graph, node)
            number, position = torch.tensor([feature.feature]), torch.tensor([feature.position])
            reader = transcoders.encoder_rows_at(feature.layer, number, position, case.plain.plain_read[feature.layer])[
                0
            ]
            read = reads[feature.layer][feature.position] @ reader
            assert_close(graph.weights[node], gradients(read, probes, embedding, sources))
        for row, token in enumerate(TOKENS):
            logit = case.scale * final[-1] @ case.model.model.unembedding.weight[token].detach()
            assert_close(graph.weights[graph.n_features + row], gradients(logit, probes, embedding, sources))


def source_vectors(case: Case, embedding: torch.Tensor) -> torch.Tensor:
    """The writes of each source, a row for each: at every layer and position, then at the embeddings of every position."""
    graph, transcoders, plain = case.graph, case.model.transcoders, case.plain
    first = case.model.read_prompt(PROMPT_IDS).first_position
    n_layers, n_positions = graph.n_layers, len(PROMPT_IDS)
    columns = torch.zeros(graph.weights.shape[1], n_layers + 1, n_positions, embedding.shape[1])
    for node in range(graph.n_features):
        feature = feature_at(graph, node)
        for written in transcoders.written_layers(feature.layer):
            row = transcoders.decoder_rows(feature.layer, torch.tensor([feature.feature]), written)[0]
            columns[node, written, feature.position] = float(graph.activation[node]) * row
    explained = columns[: graph.n_features].sum(0)
    for layer in range(n_layers):
        error = plain.plain_written[layer] - transcoders.decoder_bias(layer) - explained[layer]
        skip = transcoders.skip(layer)
        if skip is not None:
            error = error - plain.plain_read[layer] @ skip.T
        for position in range(first, n_positions):
            columns[graph.n_features + layer * n_positions + position, layer, position] = error[position]
    learned = learned_positions(case.model.model.network, n_positions)
    tokens = graph.n_features + n_layers * n_positions + torch.arange(n_positions)
    columns[tokens, n_layers, torch.arange(n_positions)] = embedding.detach() - learned
    return columns.flatten(1)


def learned_positions(network: Any, n_positions: int) -> torch.Tensor | float:
    """Learned position embeddings; those of OPT begin at the third row."""
    match network.config.model_type:
        case "gpt2" | "gpt_neo" | "gpt_bigcode":
            table, first = network.transformer.wpe.weight, 0
        case "opt":
            table, first = network.model.decoder.embed_positions.weight, 2
        case _:
            return 0.0
    rows: torch.Tensor = table.detach()[first : first + n_positions]
    return rows


def gradients(
    read: torch.Tensor, probes: list[torch.Tensor], embedding: torch.Tensor, sources: torch.Tensor
) -> torch.Tensor:
    """The direct effect of every source on `read`, a number linear in all written tensors."""
    written_tensors = [*probes, embedding]
    found = torch.autograd.grad(read, written_tensors, retain_graph=True, allow_unused=True)
    whole = [
        torch.zeros_like(tensor) if part is None else part for tensor, part in zip(written_tensors, found, strict=True)
    ]
    return sources @ torch.stack(whole).flatten()


@contextmanager
def frozen_pass(case: Case, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, ...]]:
    """Run the network with gradients that stop at patterns, denominators and MLPs.

    Yields zeros added to what each layer writes, the embeddings, what each layer's features read, and what the
    unembedding reads.
    """
    plain, network, transcoders = case.plain, case.model.model.network, case.model.transcoders
    n_positions, width = len(PROMPT_IDS), case.model.model.d_model
    probes = [torch.zeros(n_positions, width, requires_grad=True) for _ in plain.mlps]
    seen: dict[Any, torch.Tensor] = {}
    softmax = nn.functional.softmax
    with ExitStack() as stack, monkeypatch.context() as patch:
        patch.setattr(nn.functional, "softmax", lambda *args, **kwargs: softmax(*args, **kwargs).detach())
        for name, module in network.named_modules():
            is_norm = type(module).__name__.endswith(("RMSNorm", "LayerNorm", "LayerNorm1P"))
            if is_norm and not name.endswith(("q_norm", "k_norm")):
                patch.setattr(module, "forward", frozen_forward(module, plain.centred))

        def enter(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            seen["embedding"] = args[0][0].detach().requires_grad_()
            return (seen["embedding"][None], *args[1:])

        def read(layer: int, x: torch.Tensor) -> None:
            seen[layer] = plain.before_norm_weight(layer, x) if transcoders.input_site == "mlp_norm" else x

        def write(layer: int, output: Any) -> Any:
            whole = output if isinstance(output, torch.Tensor) else output[0]
            changed = rows_of(whole).detach() + probes[layer]
            skip = transcoders.skip(layer)
            if skip is not None:
                changed = changed + (seen[layer] - seen[layer].detach()) @ skip.T
            changed = changed.view_as(whole)
            return changed if isinstance(output, torch.Tensor) else (changed, *output[1:])

        for layer, (reader, writer) in enumerate(zip(plain.readers, plain.writers, strict=True)):
            stack.callback(
                reader.register_forward_pre_hook(lambda _, args, layer=layer: read(layer, rows_of(args[0]))).remove
            )
            stack.callback(writer.register_forward_hook(lambda _, __, out, layer=layer: write(layer, out)).remove)
        stack.callback(plain.layers[0].register_forward_pre_hook(enter).remove)
        head = case.model.model.unembedding
        stack.callback(head.register_forward_pre_hook(lambda _, args: seen.update(final=args[0][0])).remove)
        ids = torch.tensor([PROMPT_IDS])
        with torch.enable_grad():
            network(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False)
            yield probes, seen["embedding"], [seen[layer] for layer in range(len(plain.mlps))], seen["final"]


def frozen_forward(module: nn.Module, centred: bool) -> Any:
    """A norm whose denominators gradients do not see."""
    plain = module.forward
    found: Any = getattr(module, "bias", None)
    bias = 0.0 if found is None else found.detach()

    def forward(x: torch.Tensor) -> torch.Tensor:
        moving = x - x.mean(-1, keepdim=True) if centred else x
        with torch.no_grad():
            # Numbers of mean 0 and root mean square 1 so large that epsilon is nothing: they give the weight.
            signs = 1.0 - 2.0 * (torch.arange(x.shape[-1]) % 2)
            weight = signs * (plain(1000 * signs) - bias)
            largest = (moving * weight).abs().argmax(-1, keepdim=True)
            factor = weight * ((plain(x) - bias) / (moving * weight)).gather(-1, largest)
        frozen: torch.Tensor = moving * factor + bias
        return frozen

    return forward

"""Random frozen models with nodes on them, and their edges measured one source at a time, running forwards."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from circuit_widget.attribution.layer_nodes import LayerNodes, Writes
from circuit_widget.model.frozen import FrozenLayer, FrozenModel, FrozenNorm


@dataclass(frozen=True, eq=False)
class Case:
    """The inputs of the computation of edges, and the writes of features and errors before the norm after the MLP."""

    frozen: FrozenModel
    nodes: tuple[LayerNodes, ...]
    embedding: torch.Tensor
    targets: torch.Tensor
    raw_writes: tuple[tuple[Writes, ...], ...]
    raw_errors: tuple[torch.Tensor, ...]


def random_case(
    *,
    seed: int = 0,
    n_layers: int = 4,
    n_positions: int = 6,
    traced: int | None = None,
    first_position: int = 1,
    heads: int = 4,
    value_heads: int = 2,
    d_model: int = 12,
    head_width: int = 3,
    features: int = 30,
    empty_layers: tuple[int, ...] = (),
    cross_layer: bool = False,
    skip: bool = False,
    parallel: bool = False,
    centred: bool = False,
    post_norms: bool = False,
    targets: int = 3,
) -> Case:
    """A model in which every part matters; features are only at positions from the first to the traced one."""
    generator = torch.Generator().manual_seed(seed)
    traced = n_positions - 1 if traced is None else traced

    def random(*shape: int, scale: float = 0.4) -> torch.Tensor:
        return scale * torch.randn(*shape, generator=generator)

    def positive(*shape: int) -> torch.Tensor:
        return 0.5 + torch.rand(*shape, generator=generator)

    def norm(n: int, *, weight: bool = True) -> FrozenNorm:
        return FrozenNorm(positive(n), 1 + random(d_model) if weight else None, centred)

    layers = tuple(
        FrozenLayer(
            pattern=torch.softmax(
                random(heads, n_positions, n_positions, scale=1.0)
                + torch.full((n_positions, n_positions), -torch.inf).triu(1),
                dim=-1,
            ),
            value=random(value_heads, head_width, d_model),
            output=random(d_model, heads, head_width),
            attention_scale=positive(n_positions),
            reading=norm(n_positions),
            output_scale=positive(n_positions) if post_norms else None,
            writing=norm(n_positions) if post_norms else FrozenNorm(),
            parallel=parallel,
        )
        for _ in range(n_layers)
    )
    counts = [0 if layer in empty_layers else features for layer in range(n_layers)]
    positions = [
        torch.randint(first_position, traced + 1, (count,), generator=generator).sort().values for count in counts
    ]
    raw_writes = tuple(
        tuple(
            Writes(source, random(counts[source], d_model))
            for source in range(layer + 1)
            if counts[source] and (cross_layer or source == layer)
        )
        for layer in range(n_layers)
    )
    raw_errors = []
    for _ in range(n_layers):
        errors = random(n_positions, d_model)
        errors[:first_position] = 0
        raw_errors.append(errors)
    nodes = tuple(
        LayerNodes(
            positions=positions[layer],
            encoder_rows=random(counts[layer], d_model),
            writes=tuple(
                Writes(writes.layer, at(writes.rows, layers[layer].writing, positions[writes.layer]))
                for writes in raw_writes[layer]
            ),
            errors=layers[layer].writing.apply(raw_errors[layer]),
            skip=random(d_model, d_model, scale=0.2) if skip else None,
        )
        for layer in range(n_layers)
    )
    frozen = FrozenModel(layers, norm(1), traced)
    return Case(frozen, nodes, random(n_positions, d_model), random(targets, d_model), raw_writes, tuple(raw_errors))


def at(rows: torch.Tensor, norm: FrozenNorm, positions: torch.Tensor) -> torch.Tensor:
    """The norm of rows at some positions."""
    scale = None if norm.scale is None else norm.scale[positions]
    return FrozenNorm(scale, norm.weight, norm.centred).apply(rows)


def measured_edges(case: Case) -> torch.Tensor:
    """The edges, each column one forward run of the frozen model with nothing but that source in it."""
    return torch.stack([read_off(case, *source) for source in sources(case)], dim=1)


def sources(case: Case) -> Iterator[tuple[torch.Tensor, dict[int, torch.Tensor]]]:
    """Every source in column order: the change that enters the first layer, and the writes at some layers."""
    nothing = torch.zeros_like(case.embedding)
    for layer, nodes in enumerate(case.nodes):
        for feature, position in enumerate(nodes.positions.tolist()):
            written = {}
            for index, all_writes in enumerate(case.raw_writes):
                for writes in all_writes:
                    if writes.layer == layer:
                        written[index] = nothing.clone()
                        written[index][position] = writes.rows[feature]
            yield nothing, written
    for layer, errors in enumerate(case.raw_errors):
        for position in range(len(nothing)):
            error = nothing.clone()
            error[position] = errors[position]
            yield nothing, {layer: error}
    for position, token in enumerate(case.embedding):
        entering = nothing.clone()
        entering[position] = token
        yield entering, {}


def read_off(case: Case, entering: torch.Tensor, written: dict[int, torch.Tensor]) -> torch.Tensor:
    """The changes of all pre-activations, then of all targets, when the frozen model runs on a change."""
    residual, found = entering, []
    for index, (layer, nodes) in enumerate(zip(case.frozen.layers, case.nodes, strict=True)):
        attended = residual + layer.attend(residual)
        x = layer.reading.apply(residual if layer.parallel else attended)
        found.append((nodes.encoder_rows * x[nodes.positions]).sum(-1))
        update = written.get(index, torch.zeros_like(residual))
        if nodes.skip is not None:
            update = update + x @ nodes.skip.T
        residual = attended + layer.writing.apply(update)
    traced = case.frozen.position
    found.append(case.targets @ case.frozen.final.apply(residual[traced : traced + 1])[0])
    return torch.cat(found)

"""The recipe of a figure as frozen data, its JSON, and the strict reading of that."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from circuit_widget.arguments import one_line, quoted
from circuit_widget.attribution.targets import target_from_json
from circuit_widget.circuit.circuit import Circuit
from circuit_widget.errors import CircuitWidgetError, FigureError
from circuit_widget.intervention.kinds import intervention_from_json

SCHEMA = 1
"""Version of the recipe's JSON; it rises with every change that an earlier version of the package cannot read."""

LONGEST = 32 << 20
"""Most characters of a recipe."""

MOST_PANELS = 26
MOST_GRAPHS = 26

Json: TypeAlias = dict[str, Any]
Count: TypeAlias = Annotated[int, Field(ge=0)]
FromOne: TypeAlias = Annotated[int, Field(ge=1)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class ThresholdsRecipe:
    """Shares of influence and of edge score: of a pruned graph, or of what is displayed."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    node: Share
    edge: Share


@dataclass(frozen=True)
class GraphRecipe:
    """How a graph is traced again, or which graph file it is.

    `model` and `transcoders` are names, `provenance` has their repositories, revisions and hashes of their files,
    `versions` those of the libraries that traced. `targets` are by ids; None where the graph does not say. `nodes` are 64
    hexadecimal digits of prompt, targets and nodes. `labels` are those of the nodes that are drawn.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    model: str | None
    transcoders: str | None
    basis: Literal["features", "neurons"]
    provenance: dict[str, Json]
    versions: dict[str, str]
    device: str | None
    dtype: str | None
    input_site: str | None
    output_site: str | None
    prompt: tuple[str, ...]
    prompt_token_ids: tuple[Count, ...]
    position: Count
    targets: tuple[Json, ...] | None
    target_names: tuple[str, ...]
    max_features: FromOne | None
    step: FromOne | None
    pruned: ThresholdsRecipe | None
    nodes: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    labels: dict[str, str]

    @property
    def traced(self) -> bool:
        """Whether the recipe has all that is needed to trace the graph again."""
        return self.targets is not None and bool(self.provenance.get("model"))


@dataclass(frozen=True)
class ControlsRecipe:
    """How many controls there are, and how they were drawn."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    n: FromOne
    seed: Count
    same_position: bool
    similarity: str


@dataclass(frozen=True)
class OutcomeRecipe:
    """An intervention: what was changed and by how much, and what was frozen; with controls where they are drawn.

    `words` say each intervention as the figure does, with the names of the circuit's groups.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    interventions: Annotated[tuple[Json, ...], Field(min_length=1)]
    words: tuple[str, ...]
    mode: str
    frozen: str
    device: str
    dtype: str
    controls: ControlsRecipe | None


@dataclass(frozen=True)
class SweepRecipe:
    """A sweep: of the strength of the first intervention's nodes, or of the last layer that is frozen."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    kind: Literal["sweep"]
    name: str
    axis: Literal["factor", "last_layer"]
    values: Annotated[tuple[float, ...], Field(min_length=1)]
    first: Annotated[tuple[Json, ...], Field(min_length=1)]
    mode: str


@dataclass(frozen=True)
class ValidationRecipe:
    """A validation: the groups that were ablated in turn, by name and in their order."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    kind: Literal["validation"]
    ablations: Annotated[tuple[tuple[str, Json], ...], Field(min_length=1)]
    mode: str


StudyRecipe: TypeAlias = Annotated[SweepRecipe | ValidationRecipe, Field(discriminator="kind")]


@dataclass(frozen=True)
class PanelRecipe:
    """What a figure, or one of its panels, shows of a graph; `graph` is its number among the graphs of the recipe.

    `display` are the thresholds of the map, `circuit` is the user's document: groups, pins, labels, positions, cutoffs.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    title: str
    graph: Count
    circuit: Json
    display: ThresholdsRecipe
    outcome: OutcomeRecipe | None
    study: StudyRecipe | None
    bars: bool


@dataclass(frozen=True)
class FileRecipe:
    """How a picture was set: its dots to the inch, families of fonts that are not the package's, the typesetter's version."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    dots_per_inch: Annotated[float, Field(gt=0)] | None
    fonts: tuple[str, ...]
    typst: str


@dataclass(frozen=True)
class BesideRecipe:
    """The figure that a recipe in a file of its own belongs to: the name of its file and the file's hash."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: Annotated[str, Field(max_length=255)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class FontRecipe:
    """The font that was chosen for the text: its file's name or its own, and the SHA-256 of its file."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: str
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class FigureRecipe:
    """Everything that a figure was made from. It holds data alone: reading it runs nothing and loads nothing.

    `part` is that of one graph, or "panels" for a figure of several. `set` is there where a typesetter made the file, and
    `beside` in a recipe that is a file of its own.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    schema: Literal[1]
    circuit_widget: str
    part: Literal["map", "circuit", "both", "intervention", "panels"]
    width_inches: Annotated[float, Field(ge=1, le=20)]
    columns: Annotated[int, Field(ge=1, le=MOST_PANELS)] | None
    title: str | None
    graphs: Annotated[tuple[GraphRecipe, ...], Field(min_length=1, max_length=MOST_GRAPHS)]
    panels: Annotated[tuple[PanelRecipe, ...], Field(min_length=1, max_length=MOST_PANELS)]
    theme: Literal["paper", "slides", "grey"] = "paper"
    font: FontRecipe | None = None
    set: FileRecipe | None = None
    beside: BesideRecipe | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as plain JSON; `set` and `beside` are left out where there is nothing in them."""
        optional = ("set", "beside")
        whole: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return {name: value for name, value in whole.items() if name not in optional or value is not None}


def read(text: str, where: str) -> FigureRecipe:
    """Return the recipe in a JSON text. `where` names the text in errors.

    Raises FigureError, which names the place in the recipe, what was found there and what was expected, for anything that
    this version did not write: unknown or missing keys, wrong types, numbers out of range, a circuit or an intervention
    that breaks its rules.
    """
    if len(text) > LONGEST:
        raise FigureError(f"The recipe in {where} has {len(text):,} characters; at most {LONGEST:,} are read.")
    try:
        recipe: FigureRecipe = _adapter().validate_json(text)
    except ValidationError as error:
        raise FigureError(
            f"The recipe in {where} cannot be read: {_sentence(error.errors(include_url=False))}"
        ) from None
    for number, graph in enumerate(recipe.graphs):
        for place, target in enumerate(graph.targets or ()):
            _checked(where, f"graphs[{number}].targets[{place}]", partial(target_from_json, target))
        if not graph.position < len(graph.prompt) == len(graph.prompt_token_ids):
            raise FigureError(
                f"The recipe in {where} contradicts itself: graphs[{number}] has {len(graph.prompt)} tokens, "
                f"{len(graph.prompt_token_ids)} ids, and position {graph.position}."
            )
    for number, panel in enumerate(recipe.panels):
        _check_panel(where, f"panels[{number}]", panel, len(recipe.graphs))
    if (recipe.part == "panels") != (recipe.columns is not None) or (
        recipe.part != "panels" and len(recipe.panels) > 1
    ):
        raise FigureError(
            f"The recipe in {where} contradicts itself: part {recipe.part!r} with columns {recipe.columns} and "
            f"{len(recipe.panels)} panels."
        )
    return recipe


def _check_panel(where: str, place: str, panel: PanelRecipe, graphs: int) -> None:
    if panel.graph >= graphs:
        raise FigureError(f"The recipe in {where} has {graphs} graphs; {place}.graph is {panel.graph}.")
    _checked(where, f"{place}.circuit", partial(Circuit.from_json, panel.circuit))
    listed: list[tuple[str, Json]] = []
    if panel.outcome is not None:
        listed += [(f"outcome.interventions[{at}]", one) for at, one in enumerate(panel.outcome.interventions)]
    if isinstance(panel.study, SweepRecipe):
        listed += [(f"study.first[{at}]", one) for at, one in enumerate(panel.study.first)]
    elif panel.study is not None:
        listed += [(f"study.ablations[{at}]", one) for at, (_, one) in enumerate(panel.study.ablations)]
    for name, document in listed:
        _checked(where, f"{place}.{name}", partial(intervention_from_json, document))


def _checked(where: str, place: str, make: Callable[[], object]) -> None:
    """Make what a part of the recipe is of. Raises FigureError, which names the part, where that cannot be made."""
    try:
        make()
    except (CircuitWidgetError, TypeError, ValueError) as error:
        raise FigureError(f"The recipe in {where} cannot be read: {place}: {one_line(str(error), 300)}") from error


def _sentence(errors: list[ErrorDetails]) -> str:
    """Return what is wrong at the first place, what was found there and what was expected."""
    error = errors[0]
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"])
    place = one_line("".join(steps).lstrip("."), 120) or "the whole"
    kind = error["type"]
    if kind == "json_invalid":
        return f"it is no whole JSON: {one_line(str(error.get('ctx', {}).get('error', '')), 120)}."
    if kind in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"{place} is missing."
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{place} is unknown."
    return f"{place} is {quoted(error['input'])}; {one_line(error['msg'], 200)}."


@cache
def _adapter() -> TypeAdapter[FigureRecipe]:
    return TypeAdapter(FigureRecipe)

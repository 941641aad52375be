"""The kinds of intervention: ablate, scale and swap in for features, errors and tokens; set and add for features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, cast

from circuit_widget.arguments import entries_of, finite_number, quoted
from circuit_widget.characters import shortened
from circuit_widget.errors import InterventionError, PromptError
from circuit_widget.intervention.alignment import Pairs, pair_tuple
from circuit_widget.model.tokens.prompt_input import Message, plain_prompt
from circuit_widget.nodes import Everywhere, Feature, NodeKind, TokenNode, read_constant, several_nodes

Node: TypeAlias = str | Feature
NodeEntry: TypeAlias = Node | Everywhere
"""One entry of an intervention's nodes: a node, or a feature at every position."""

Nodes: TypeAlias = NodeEntry | Iterable[NodeEntry]


@dataclass(frozen=True)
class Intervention(ABC):
    """A change of some nodes; `nodes` are node ids, Features or Everywheres (a single one is taken as a list of one).

    A feature that an intervention changes is clamped: it has the new value whatever happens below it. Raises
    InterventionError when there is no node, or something is not a node.
    """

    kind: ClassVar[str]
    nodes: Nodes

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", node_tuple(self.nodes))

    @property
    def members(self) -> tuple[NodeEntry, ...]:
        """The nodes, as a tuple."""
        return cast(tuple[NodeEntry, ...], self.nodes)

    @property
    @abstractmethod
    def description(self) -> str:
        """A few words for a list of experiments."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; a Feature or Everywhere becomes an object, a node id stays a string."""
        return {"kind": self.kind, "nodes": [_node_to_json(node) for node in self.members]}

    @property
    def _counted_nodes(self) -> str:
        everywhere = " everywhere" if all(isinstance(node, Everywhere) for node in self.members) else ""
        counts = Counter(_kind(node) for node in self.members)
        parts = [f"{n} {kind.value}{'' if n == 1 else 's'}" for kind in NodeKind if (n := counts[kind])]
        listed = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
        return f"{listed}{everywhere}"


@dataclass(frozen=True)
class Ablate(Intervention):
    """Zero ablation: clamp features to zero, and remove errors from MLP outputs and tokens' embeddings from the input."""

    kind: ClassVar[str] = "ablate"

    @property
    def description(self) -> str:
        """A few words for a list of experiments."""
        return f"{self._counted_nodes} ×0"


@dataclass(frozen=True)
class Scale(Intervention):
    """Clamp features to `factor` times their activation on this prompt; papers often use -1 and -2.

    Errors, and embeddings of tokens, are multiplied by the factor.
    """

    kind: ClassVar[str] = "scale"
    factor: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "factor", _finite("factor", self.factor))

    @property
    def description(self) -> str:
        """A few words for a list of experiments."""
        return f"{self._counted_nodes} ×{_number(self.factor)}"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {**super().to_json(), "factor": self.factor}


@dataclass(frozen=True)
class _Valued(Intervention):
    """A change by a value, one for all features or one for each.

    The description has `sign` before a value for all, and is `verb` where each has its own.
    """

    sign: ClassVar[str]
    verb: ClassVar[str]
    value: float | Sequence[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "value", _values(self.value, len(self.members)))

    @property
    def description(self) -> str:
        """A few words for a list of experiments."""
        change = f"{self.sign} {_number(self.value)}" if isinstance(self.value, float) else self.verb
        return f"{self._counted_nodes} {change}"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {**super().to_json(), "value": self.value if isinstance(self.value, float) else list(self.value)}


@dataclass(frozen=True)
class Set(_Valued):
    """Clamp features to a value, one for all or one for each; features that are not active can be set too."""

    kind, sign, verb = "set", "=", "set"


@dataclass(frozen=True)
class Add(_Valued):
    """Clamp features to their activation on this prompt plus a value (steering), one for all or one for each."""

    kind, sign, verb = "add", "+", "added to"


@dataclass(frozen=True)
class SwapIn(Intervention):
    """Activation patching (interchange intervention): give nodes the values that they have in another prompt.

    Features among `nodes` are clamped to their activation in the other prompt, which is often zero; errors and token
    embeddings are replaced by those of the other prompt. `features` are patched as well, given at positions of this
    prompt; by default they are all features that are active in the other prompt and not in this one, at the layers and
    positions of the features among `nodes`. `alignment` maps positions of this prompt to positions of the other, as a
    mapping or pairs; positions that it leaves out have no counterpart. By default it is what `model.align` finds.

    Raises InterventionError also for Everywhere, since prompts are aligned position by position, and for a text that
    contains half of a character.
    """

    kind: ClassVar[str] = "swap_in"
    prompt: str | Sequence[int]
    features: Nodes | None = None
    alignment: Pairs | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "prompt", _prompt(self.prompt))
        if self.alignment is not None:
            object.__setattr__(self, "alignment", pair_tuple(self.alignment))
        if self.features is not None:
            object.__setattr__(self, "features", node_tuple(self.features))
        for node in (*self.members, *self.incoming):
            if isinstance(node, Everywhere):
                raise InterventionError(
                    f"{node} cannot be swapped in: prompts are aligned position by position. Name it at positions, "
                    "as Feature(layer, position, feature)."
                )

    @property
    def incoming(self) -> tuple[NodeEntry, ...]:
        """`features` as a tuple, empty where the other prompt decides."""
        return () if self.features is None else cast(tuple[NodeEntry, ...], self.features)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...] | None:
        """`alignment` as pairs of positions, sorted, None where `model.align` decides."""
        return None if self.alignment is None else pair_tuple(self.alignment)

    @property
    def description(self) -> str:
        """A few words for a list of experiments."""
        source = self.prompt if isinstance(self.prompt, str) else "another prompt"
        return f"{self._counted_nodes} swapped from “{shortened(source, 60)}”"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        prompt = self.prompt if isinstance(self.prompt, str) else list(self.prompt)
        document = {**super().to_json(), "prompt": prompt}
        if self.features is not None:
            document["features"] = [_node_to_json(node) for node in self.incoming]
        if self.pairs is not None:
            document["alignment"] = [list(pair) for pair in self.pairs]
        return document


KINDS: dict[str, tuple[type[Intervention], tuple[str, ...], tuple[str, ...]]] = {
    "ablate": (Ablate, (), ()),
    "scale": (Scale, ("factor",), ()),
    "set": (Set, ("value",), ()),
    "add": (Add, ("value",), ()),
    "swap_in": (SwapIn, ("prompt",), ("features", "alignment")),
}
"""Class, required and optional keys of each kind of intervention in JSON, beside "kind" and "nodes"."""


def intervention_from_json(document: Mapping[str, Any]) -> Intervention:
    """Return the intervention that `to_json` wrote.

    Raises:
        InterventionError: an unknown kind, a missing or unknown key, or a value that does not fit.
    """
    if not isinstance(document, Mapping) or document.get("kind") not in list(KINDS):
        kind = document.get("kind") if isinstance(document, Mapping) else document
        raise InterventionError(f"An intervention has kind {', '.join(KINDS)}; given {quoted(kind)}.")
    kind, required, optional = KINDS[document["kind"]]
    missing = [key for key in ("nodes", *required) if key not in document]
    unknown = sorted(set(document) - {"kind", "nodes", *required, *optional})
    if missing or unknown:
        what = f"lacks {missing[0]!r}" if missing else f"has the unknown key {quoted(unknown[0])}"
        raise InterventionError(f"The intervention {document['kind']!r} {what}; expected nodes, {', '.join(required)}.")
    values = {key: document[key] for key in (*required, *optional) if key in document}
    if values.get("features") is not None:
        values["features"] = _nodes_from_json(values["features"])
    return kind(nodes=_nodes_from_json(document["nodes"]), **values)


INTERVENTIONS_ARE = "Interventions are Ablate, Scale, Set, Add or SwapIn"


def intervention_tuple(interventions: object) -> tuple[Intervention, ...]:
    """Return interventions as a tuple, a single one as a tuple of one.

    Raises:
        InterventionError: there is none, or something is not an intervention.
    """
    if isinstance(interventions, Intervention):
        return (interventions,)
    found = tuple(entries_of(interventions, INTERVENTIONS_ARE, InterventionError))
    for one in found:
        if not isinstance(one, Intervention):
            raise InterventionError(f"{INTERVENTIONS_ARE}; given {quoted(one)}.")
    if not found:
        raise InterventionError("There is no intervention; give at least one, such as Ablate(nodes).")
    return found


def experiment_tuple(experiments: object) -> tuple[tuple[Intervention, ...], ...]:
    """Return experiments as tuples of interventions; each may be given as a single one.

    Raises:
        InterventionError: there is none, or something is not an intervention.
    """
    expected = "Experiments are a list, each of them an intervention or several"
    found = tuple(intervention_tuple(one) for one in entries_of(experiments, expected, InterventionError))
    if not found:
        raise InterventionError("There is no experiment; give at least one, such as [Ablate(nodes)].")
    return found


def node_tuple(nodes: object) -> tuple[NodeEntry, ...]:
    """Return nodes as a tuple without repetitions, a single one as a tuple of one.

    Raises:
        InterventionError: there is none, or something is neither an id nor a Feature nor an Everywhere.
    """
    found = several_nodes(nodes, InterventionError)
    if not found:
        raise InterventionError("There is no node to change; name at least one feature.")
    for node in found:
        if not isinstance(node, str | Feature | Everywhere):
            raise InterventionError(f"Nodes are node ids or Features; given {quoted(node)}.")
    return tuple(dict.fromkeys(found))


def _nodes_from_json(nodes: object) -> tuple[NodeEntry, ...]:
    if not isinstance(nodes, list | tuple):
        raise InterventionError(f"The nodes of an intervention are a list; given {quoted(nodes)}.")
    return node_tuple(_node_from_json(node) for node in nodes)


def _node_to_json(node: NodeEntry) -> str | dict[str, int]:
    if isinstance(node, str):
        return node
    if isinstance(node, Everywhere):
        return {"layer": node.layer, "feature": node.feature}
    return {"layer": node.layer, "position": node.position, "feature": node.feature}


def _node_from_json(node: object) -> NodeEntry:
    if isinstance(node, str):
        return node
    if isinstance(node, Mapping) and set(node) == {"layer", "position", "feature"}:
        return Feature(**node)
    if isinstance(node, Mapping) and set(node) == {"layer", "feature"}:
        return Everywhere(**node)
    raise InterventionError(f"A node is an id or an object with layer, position and feature; given {quoted(node)}.")


def _kind(node: NodeEntry) -> NodeKind:
    constant = read_constant(node) if isinstance(node, str) else None
    if constant is None:
        return NodeKind.FEATURE
    return NodeKind.TOKEN if isinstance(constant, TokenNode) else NodeKind.ERROR


def _finite(name: str, value: object) -> float:
    return finite_number(value, f"The {name} of an intervention", InterventionError)


def _values(value: object, count: int) -> float | tuple[float, ...]:
    if not isinstance(value, Iterable) or isinstance(value, str | bytes) or getattr(value, "shape", None) == ():
        return _finite("value", value)
    expected = "The value of an intervention is a finite number, or a list of them"
    values = tuple(_finite("value", number) for number in entries_of(value, expected, InterventionError))
    if len(values) != count:
        raise InterventionError(f"{len(values)} values were given for {count} nodes; give one for each, or only one.")
    return values


def _prompt(prompt: object) -> str | tuple[int, ...] | tuple[Message, ...]:
    try:
        return plain_prompt(prompt, "The other prompt is a text or a list of token ids")
    except PromptError as error:
        raise InterventionError(str(error)) from error


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")

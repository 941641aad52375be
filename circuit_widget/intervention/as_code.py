"""An experiment as the Python lines that do exactly the same in a fresh kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from circuit_widget.graph import Graph
from circuit_widget.intervention.kinds import KINDS, Intervention, Place
from circuit_widget.node import Everywhere, Feature

IMPORT = "import circuit_widget as cw"

LONGEST_LINE = 88


def effect_code(graph: Graph, interventions: Sequence[Intervention], mode: str) -> str:
    """Return the lines that load the model, trace the graph and intervene on it, with the mode by its name."""
    asked = _call("effect = model.intervene", ["graph", _listed(map(intervention_code, interventions)), _mode(mode)])
    return _program(graph, [*asked, "effect.tokens"])


def study_code(graph: Graph, method: str, arguments: Sequence[str]) -> str:
    """Return the lines that load the model, trace the graph and call a method of the model with arguments after it."""
    return _program(graph, [*_call(f"{method} = model.{method}", ["graph", *arguments]), f"print({method})"])


def generation_code(graph: Graph, interventions: Sequence[Intervention], options: Mapping[str, Any]) -> str:
    """Return the lines that load the model and let it go on from the graph's prompt under interventions."""
    given = [f"{name}={value!r}" for name, value in options.items()]
    prompt = [token.token_id for token in graph.tokens[: graph.position + 1]]
    steered = f"interventions={_listed(map(intervention_code, interventions))}"
    asked = _call("steered = model.generate", [repr(prompt), steered, *given])
    return "\n".join([IMPORT, "", *_load(graph), *asked, "print(steered)", ""])


def intervention_code(intervention: Intervention) -> str:
    """Return the expression that makes an intervention."""
    _, required, optional = KINDS[intervention.kind]
    arguments = [nodes_code(intervention.members)]
    arguments += [_value(getattr(intervention, name)) for name in required]
    for name in optional:
        value = getattr(intervention, name)
        if value is not None:
            arguments.append(f"{name}={nodes_code(intervention.incoming) if name == 'features' else _value(value)}")  # type: ignore[attr-defined]
    return f"cw.{type(intervention).__name__}({', '.join(arguments)})"


def nodes_code(nodes: Iterable[Place]) -> str:
    """Return the expression for nodes: ids as they are, features by their numbers."""
    return _listed(map(_node, nodes))


def groups_code(groups: Mapping[str, Iterable[str]]) -> str:
    """Return the expression for groups of nodes by name."""
    return "{" + ", ".join(f"{name!r}: {list(nodes)!r}" for name, nodes in groups.items()) + "}"


def _program(graph: Graph, lines: Sequence[str]) -> str:
    return "\n".join([IMPORT, "", *_load(graph), *_trace(graph), *lines, ""])


def _load(graph: Graph) -> list[str]:
    recipe = graph.recipe
    source = getattr(graph.model, "source", None)
    if source is None:
        named = f"{recipe.get('model')!r} and {recipe.get('transcoders')!r}"
        return [f"# the model and transcoders that the graph was traced with: {named}", "model = ..."]
    given = [repr(source[0])]
    if source[1] is not None:
        given.append(f"transcoders={source[1]!r}")
    given += [f"{name}={recipe[name]!r}" for name in ("device", "dtype", "input_site", "output_site") if name in recipe]
    return _call("model = cw.load", given)


def _trace(graph: Graph) -> list[str]:
    recipe: Mapping[str, Any] = graph.recipe
    given = [repr([token.token_id for token in graph.tokens])]
    if graph.position != len(graph.tokens) - 1:
        given.append(f"position={graph.position}")
    targets = [_target(entry) for entry in recipe.get("targets", []) if "direction" not in entry]
    if targets:
        given.append(f"targets={_listed(targets)}")
    if graph.left_out:
        given.append(f"max_features={recipe['active_features'] - graph.left_out}")
        given += [f"step={recipe['step']}"] if "step" in recipe else []
    words = "".join(f" {token.text.strip()}" for token in graph.tokens)
    lines = [f"#{_printable(words)}", *_call("graph = model.trace", given)]
    if "thresholds" in recipe:
        shares = recipe["thresholds"]
        lines.append(f"graph = graph.prune(node_threshold={shares['node']}, edge_threshold={shares['edge']})")
    return lines


def _target(entry: Mapping[str, Any]) -> str:
    if "contrast" in entry:
        token, other = entry["contrast"]
        return f"cw.Contrast({token}, {other})"
    return repr(entry["token"])


def _mode(mode: str) -> str:
    return f"mode={mode!r}"


def _node(node: Place) -> str:
    if isinstance(node, Everywhere):
        return f"cw.Everywhere({node.layer}, {node.feature})"
    if isinstance(node, Feature):
        return f"cw.Feature({node.layer}, {node.position}, {node.feature})"
    return repr(node)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return repr(dict(value))
    return repr(list(value) if isinstance(value, tuple) else value)


def _listed(parts: Iterable[str]) -> str:
    return f"[{', '.join(parts)}]"


def _call(start: str, arguments: Sequence[str]) -> list[str]:
    """Return a call on one line where it is short enough, else with a line for each argument."""
    line = f"{start}({', '.join(arguments)})"
    if len(line) <= LONGEST_LINE:
        return [line]
    return [f"{start}(", *(f"    {argument}," for argument in arguments), ")"]


def _printable(text: str) -> str:
    """Return a text as one line of a comment: what is not printable, which could end the comment, is written out."""
    return "".join(shown if shown.isprintable() else "\N{REPLACEMENT CHARACTER}" for shown in text)

"""An experiment as Python lines that do exactly the same in a fresh kernel.

The lines are comments and assignments of calls of this package's public names with literal arguments, whatever a graph
file, a message or a label contains: every value enters them through `literal`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from circuit_widget.errors import InterventionError
from circuit_widget.graph import Graph
from circuit_widget.intervention.kinds import KINDS, Intervention, NodeEntry
from circuit_widget.intervention.literal import comment, literal, plain
from circuit_widget.nodes import Everywhere, Feature

IMPORT = "import circuit_widget as cw"

LONGEST_LINE = 88


def effect_code(graph: Graph, interventions: Sequence[Intervention], mode: str) -> str:
    """Return the lines that load the model, trace the graph and intervene on it."""
    return program(graph, [*intervene_code(interventions, mode), "effect.tokens"])


def intervene_code(interventions: Sequence[Intervention], mode: str) -> list[str]:
    """Return the lines that intervene on `graph` with `model`, which the lines before them have made."""
    arguments = ["graph", _list(map(intervention_code, interventions)), keyword_code("mode", mode)]
    return call_code("effect = model.intervene", arguments)


def study_code(graph: Graph, method: str, arguments: Sequence[str]) -> str:
    """Return the lines that load the model, trace the graph and call a method of the model on it.

    `arguments` follow the graph; they are source text, as the functions of this module return it.
    """
    return program(graph, [*call_code(f"{method} = model.{method}", ["graph", *arguments]), f"print({method})"])


def generation_code(graph: Graph, interventions: Sequence[Intervention], options: Mapping[str, Any]) -> str:
    """Return the lines that load the model and let it continue the graph's prompt under interventions."""
    keywords = [keyword_code(name, value) for name, value in options.items()]
    prompt = [token.token_id for token in graph.tokens[: graph.position + 1]]
    steering = f"interventions={_list(map(intervention_code, interventions))}"
    call = call_code("steered = model.generate", [value_code(prompt), steering, *keywords])
    return "\n".join([IMPORT, "", *_load(graph), *call, "print(steered)", ""])


def intervention_code(intervention: Intervention) -> str:
    """Return the expression that makes an intervention."""
    kind, required, optional = KINDS[intervention.kind]
    arguments = [nodes_code(intervention.members)]
    arguments += [value_code(getattr(intervention, name)) for name in required]
    for name in optional:
        value = getattr(intervention, name)
        if value is not None:
            arguments.append(f"{name}={nodes_code(value) if name == 'features' else value_code(value)}")
    return f"cw.{kind.__name__}({', '.join(arguments)})"


def nodes_code(nodes: Iterable[NodeEntry]) -> str:
    """Return the expression for nodes: ids as they are, features by their numbers."""
    return _list(map(_node, nodes))


def groups_code(groups: Mapping[str, Iterable[str]]) -> str:
    """Return the expression for groups of nodes by name."""
    return value_code({name: list(nodes) for name, nodes in groups.items()})


def keyword_code(name: str, value: object) -> str:
    """Return the source of an argument given by its name."""
    return f"{name}={value_code(value)}"


def value_code(value: object) -> str:
    """Return the source of a value, those of NumPy and torch as Python's."""
    return literal(plain(value))


def program(graph: Graph, lines: Sequence[str]) -> str:
    """Return the lines that load the model and trace the graph, and some more after them."""
    return "\n".join([IMPORT, "", *_load(graph), *_trace(graph), *lines, ""])


def _load(graph: Graph) -> list[str]:
    recipe = graph.recipe
    source = getattr(graph.model, "source", None)
    if source is None:
        named = f"{literal(recipe.get('model'))} and {literal(recipe.get('transcoders'))}"
        return [comment(f"the model and transcoders that the graph was traced with: {named}"), "model = ..."]
    arguments = [value_code(source[0])]
    if source[1] is not None:
        arguments.append(keyword_code("transcoders", source[1]))
    arguments += [
        keyword_code(name, recipe[name]) for name in ("device", "dtype", "input_site", "output_site") if name in recipe
    ]
    return call_code("model = cw.load", arguments)


def _trace(graph: Graph) -> list[str]:
    arguments = [value_code([token.token_id for token in graph.tokens])]
    if graph.position != len(graph.tokens) - 1:
        arguments.append(keyword_code("position", graph.position))
    arguments += [*_targets(graph.recipe), *_limits(graph)]
    lines = [prompt_comment(graph), *call_code("graph = model.trace", arguments)]
    if "thresholds" in graph.recipe:
        shares: Any = graph.recipe["thresholds"]
        if not isinstance(shares, Mapping) or not {"node", "edge"} <= shares.keys():
            raise _malformed("thresholds")
        kept = [keyword_code(f"{name}_threshold", shares[name]) for name in ("node", "edge")]
        lines.append(f"graph = graph.prune({', '.join(kept)})")
    return lines


def prompt_comment(graph: Graph) -> str:
    """Return the comment that says what the prompt of a graph is."""
    return comment("".join(f" {token.text.strip()}" for token in graph.tokens))


def _targets(recipe: Mapping[str, Any]) -> list[str]:
    """Return the argument for the targets of a recipe, if it has any."""
    targets = recipe.get("targets", [])
    if not isinstance(targets, list | tuple):
        raise _malformed("targets")
    return [f"targets={_list(map(_target, targets))}"] if targets else []


def _limits(graph: Graph) -> list[str]:
    """Return the arguments for a graph that does not have all active features: how many, and how they were chosen."""
    if not graph.left_out:
        return []
    active = graph.recipe.get("active_features")
    if type(active) is not int:
        raise _malformed("active_features")
    step = graph.recipe.get("step")
    limits = [keyword_code("max_features", active - graph.left_out)]
    return limits if step is None else [*limits, keyword_code("step", step)]


def _target(entry: object) -> str:
    match entry:
        case {"contrast": [token, other]}:
            return f"cw.Contrast({value_code(token)}, {value_code(other)})"
        case {"direction": name, "vector": vector}:
            return f"cw.Direction({value_code(name)}, {value_code(vector)})"
        case {"token": token}:
            return value_code(token)
    raise _malformed("targets")


def _malformed(entry: str) -> InterventionError:
    return InterventionError(f"The recipe of the graph cannot be written as Python code: its {entry} are malformed.")


def _node(node: NodeEntry) -> str:
    if isinstance(node, Everywhere):
        return f"cw.Everywhere({literal(node.layer)}, {literal(node.feature)})"
    if isinstance(node, Feature):
        return f"cw.Feature({literal(node.layer)}, {literal(node.position)}, {literal(node.feature)})"
    return value_code(node)


def _list(parts: Iterable[str]) -> str:
    return f"[{', '.join(parts)}]"


def call_code(start: str, arguments: Sequence[str]) -> list[str]:
    """Return a call on one line where it is short enough, else with a line for each argument."""
    line = f"{start}({', '.join(arguments)})"
    if len(line) <= LONGEST_LINE:
        return [line]
    return [f"{start}(", *(f"    {argument}," for argument in arguments), ")"]

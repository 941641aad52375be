"""Whether the features of two graphs mean the same: checked by what the graphs say of their models and transcoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from circuit_widget.arguments import one_line
from circuit_widget.errors import CircuitError
from circuit_widget.graph import Graph
from circuit_widget.nodes import token_name

SPACES = " \u2581\u0120"
"""What tools write at the beginning of a token that follows a space."""

OF_SETTINGS = (".yaml", ".yml", ".json")
"""Ends of names of files without weights."""


def check_same_features(graph: Graph, other: Graph) -> tuple[str, ...]:
    """Return in sentences what is taken on trust where two graphs do not say that their features are the same.

    Features are those of the same transcoders by the hashes of their files, else by name. Neurons are those of models with
    the same number of layers and the same tokens, so that a fine-tuned model can be compared with its base.

    Raises:
        CircuitError: features and neurons, other layers, other transcoders, or other tokens.
    """
    if graph.basis != other.basis:
        raise _different(f"one has {graph.basis} and the other has {other.basis}")
    if graph.n_layers != other.n_layers:
        raise _different(f"one has {graph.n_layers} layers and the other has {other.n_layers}")
    if graph.recipe.get("layer_names") != other.recipe.get("layer_names"):
        raise _different("their layers are other parts of the model")
    if graph.basis == "neurons":
        _check_tokens(graph, other)
        return _of_models(graph, other, "neuron")
    _check_sites(graph, other)
    same_files = _same_files(graph, other)
    names = [_transcoders(one) for one in (graph, other)]
    if same_files or _same_name(*names):
        return _of_models(graph, other, "feature")
    if all(names):
        raise _different(f"their transcoders are {_listed(names)}")
    return (
        *_of_models(graph, other, "feature"),
        "The graphs do not both name their transcoders; they are taken to be the same.",
    )


def _different(reason: str) -> CircuitError:
    return CircuitError(
        f"The features of the two graphs do not mean the same: {reason}. Compare graphs of one model, or of a model and a "
        "fine-tuned one, with the same transcoders or with neurons."
    )


def _of_models(graph: Graph, other: Graph, what: str) -> tuple[str, ...]:
    models = [_text(one.recipe.get("model")) for one in (graph, other)]
    if not all(models) or _same_name(*models):
        return ()
    return (f"The models are {_listed(models)}; the same {what} is the one with the same layer and number.",)


def _check_sites(graph: Graph, other: Graph) -> None:
    for site in ("input_site", "output_site"):
        sites = [_text(one.recipe.get(site)) for one in (graph, other)]
        if all(sites) and sites[0] != sites[1]:
            raise _different(f"their {site} is {_listed(sites)}")


def _check_tokens(graph: Graph, other: Graph) -> None:
    """Raise CircuitError where most tokens that two prompts share, by text or by id, have another id or text there."""
    here, there = _known_tokens(graph), _known_tokens(other)
    texts = {text: token for token, text in there.items()}
    shared = [(token, text) for token, text in here.items() if token in there or text in texts]
    unlike = [(token, text) for token, text in shared if there.get(token) != text]
    if len(unlike) > len(shared) / 2:
        token, text = unlike[0]
        counterpart = f"“{one_line(there[token], 24)}”" if token in there else f"another id, {texts[text]:,}"
        raise _different(f"token {token:,} is “{one_line(text, 24)}” in one and in the other {counterpart}")


def _known_tokens(graph: Graph) -> dict[int, str]:
    return {one.token_id: one.text.lstrip(SPACES) for one in graph.tokens if one.text != token_name(one.token_id)}


def _same_files(graph: Graph, other: Graph) -> bool:
    """Return whether the hashes of the transcoders' files say that they are the same. Raises CircuitError if they are not."""
    here, there = _weights(graph), _weights(other)
    shared = sorted(here.keys() & there.keys())
    unlike = [name for name in shared if here[name] != there[name]]
    if unlike:
        raise _different(f"the transcoders' file {one_line(unlike[0], 60)} is another one")
    return bool(shared) and here.keys() == there.keys()


def _weights(graph: Graph) -> dict[str, str]:
    files = _entry(graph.recipe, "provenance", "transcoders", "files")
    if not isinstance(files, Mapping):
        return {}
    return {name: hashed for name, hashed in files.items() if not name.endswith(OF_SETTINGS)}


def _transcoders(graph: Graph) -> str:
    named = graph.recipe.get("transcoders") or _entry(graph.recipe, "file", "metadata", "info", "transcoder_set")
    return _text(named)


def _entry(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _same_name(name: str, other: str) -> bool:
    """Return whether two names have the same last part: "google/gemma-2-2b" and "gemma-2-2b"."""
    return bool(name) and bool(other) and _last_part(name) == _last_part(other)


def _last_part(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2].lower()


def _listed(names: list[str]) -> str:
    return " and ".join(f"“{one_line(name, 60)}”" for name in names)

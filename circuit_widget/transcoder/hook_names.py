"""The hook names of other tools, and the sites where features read and write.

Some names mean another site in another version of TransformerLens, or in a model whose norms were folded into the
following weights. `ln2.hook_normalized` is after gain and bias in a LayerNorm of TransformerLens 1 and 2, and before them
from version 3 on (issue 747 and pull request 770 there), in every RMSNorm, and where they are folded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from circuit_widget.arguments import quoted
from circuit_widget.errors import LoadError

INPUT_HOOKS = {
    "mlp.hook_in": "mlp_input",
    "mlp.input": "mlp_input",
    "pre_feedforward_layernorm.output": "mlp_input",
    "ln2.hook_normalized": "mlp_norm",
    "hook_resid_mid": "residual_mid",
    "ln_2.input": "residual_mid",
    "hook_mlp_in": "residual_mid",
    "pre_feedforward_layernorm.input": "residual_mid",
}
"""Input sites by hook name within a block. `hook_mlp_in` of TransformerLens is before the norm."""

OUTPUT_HOOKS = {
    "mlp.hook_out": "mlp_output",
    "mlp.output": "mlp_output",
    "hook_mlp_out": "mlp_update",
    "post_feedforward_layernorm.output": "mlp_update",
}
"""Output sites by hook name within a block."""

ELSEWHERE = {
    r"attn|hook_[zqkv]$": "It belongs to attention, which transcoders do not replace. ",
    r"hook_resid_(pre|post)|^(input|output)$": (
        "It is the residual stream between layers: autoencoders of it reconstruct their input and cannot replace MLPs. "
    ),
}
"""Why features at other hooks cannot replace MLPs, by a pattern of the name within a block."""

BLOCK = re.compile(r"(?:.*\.)?(?:blocks|layers|h)\.(?P<layer>\d+|\{\w*\}|\*)\.(?P<inside>.+)")
"""A hook name with its block: `blocks.3.mlp.hook_in`, `model.layers.3.mlp.output`."""

STATED = frozenset({"fold_ln", "center_writing_weights", "transformer_lens_version", "model_class_name"})
"""Settings of a file that determine the meaning of its hook names."""

NORMALIZED_BEFORE_GAIN = 3
"""Major version of TransformerLens from which `hook_normalized` of a LayerNorm is before gain and bias."""

SAELENS_WITH_OLD_LENS = (6, 31)
"""Versions of SAELens below this one require a TransformerLens below 3."""


@dataclass(frozen=True)
class HookSites:
    """The sites where the features of a set read and write: chosen by the user, else given by hook names in its files.

    `layer_norm` is true for a model whose norms subtract the mean and add a bias. `input_site` and `output_site` are keys
    of the tables in `circuit_widget.model.architectures`, None where the files decide.
    """

    layer_norm: bool = False
    input_site: str | None = None
    output_site: str | None = None

    def read(self, hook: object, *, path: Path, key: str, stated: Mapping[str, object] | None = None) -> str:
        """Return the site that features read at, given the hook name found under `key` in the file `path`.

        `stated` are the settings that describe the model and library of the hook, see `STATED`.

        Raises:
            LoadError: the name is not known, or can mean two sites.
        """
        if self.input_site is not None:
            return self.input_site
        inside, site = _site(hook, INPUT_HOOKS, path, key, "input_site=")
        return self._site_in_model(inside, site, f"{path}: {key} is {hook!r}", stated or {})

    def written(self, hook: object, *, path: Path, key: str) -> str:
        """Return the site that features write at, given the hook name found under `key` in the file `path`.

        Raises:
            LoadError: the name is not known.
        """
        return self.output_site or _site(hook, OUTPUT_HOOKS, path, key, "output_site=")[1]

    def or_default(self, input_site: str, output_site: str) -> tuple[str, str]:
        """Return the sites that the user chose, or these defaults of a layout without settings."""
        return self.input_site or input_site, self.output_site or output_site

    def _site_in_model(self, inside: str, site: str, found: str, stated: Mapping[str, object]) -> str:
        """Return the site of a hook of TransformerLens in the model that the settings describe."""
        for key in ("fold_ln", "center_writing_weights"):
            if stated.get(key) not in (None, True, False):
                raise LoadError(f"{found}, with {key}: {quoted(stated[key])}; expected true or false.")
        folded = stated.get("fold_ln") is True
        if inside == "mlp.hook_in":
            return "mlp_norm" if folded else site
        if not self.layer_norm:
            return site
        if inside == "ln2.hook_normalized":
            return site if folded else _of_layer_norm(found, stated)
        if site == "residual_mid" and stated.get("center_writing_weights") is True:
            raise LoadError(
                f"{found}, with center_writing_weights: that residual stream has no mean, unlike that of this model, "
                "where no site is the same. Use transcoders of the model as it is."
            )
        return site


def layer_of(hook: str) -> int | None:
    """Return the layer of a full hook name, or None where it has none."""
    match = BLOCK.fullmatch(hook)
    return int(match["layer"]) if match is not None and match["layer"].isdigit() else None


def _site(hook: object, sites: dict[str, str], path: Path, key: str, argument: str) -> tuple[str, str]:
    """Return the name within a block, and its site."""
    match = BLOCK.fullmatch(str(hook))
    inside = match["inside"] if match is not None else str(hook)
    if inside not in sites:
        elsewhere = next((why for sign, why in ELSEWHERE.items() if re.search(sign, inside) is not None), "")
        raise LoadError(
            f"{path}: {key} is {hook!r}, expected one of {', '.join(sites)}. {elsewhere}If it is another name of one of "
            f"these sites, pass {argument}."
        )
    return inside, sites[inside]


def _of_layer_norm(found: str, stated: Mapping[str, object]) -> str:
    """Return the site of `ln2.hook_normalized` in a LayerNorm that is not folded, by the stated version."""
    if "bridge" in str(stated.get("model_class_name")).lower():
        return "mlp_norm"
    version = _version(stated.get("transformer_lens_version"))
    if version:
        return "mlp_norm" if version[0] >= NORMALIZED_BEFORE_GAIN else "mlp_input"
    saelens = [_version(stated.get(key)) for key in ("sae_lens_training_version", "sae_lens_version")]
    if any((0,) < given < SAELENS_WITH_OLD_LENS for given in saelens):
        return "mlp_input"
    raise LoadError(
        f"{found}. In a model with LayerNorm this is before the norm's gain and bias or after them, depending on the "
        "version of TransformerLens, which the file does not state. Pass input_site='mlp_input' to load() for after "
        "them (TransformerLens before 3), input_site='mlp_norm' for before them (from 3 on, or with fold_ln)."
    )


def _version(value: object) -> tuple[int, ...]:
    """Return the major and minor number of a version, empty for anything else."""
    match = re.match(r"v?(\d{1,6})(?:\.(\d{1,6}))?", str(value))
    return () if match is None else (int(match[1]), int(match[2] or 0))

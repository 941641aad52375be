"""`load`: from the names of a model and its transcoders to a ReplacementModel."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from circuit_widget.arguments import quoted, truth_value
from circuit_widget.errors import LoadError
from circuit_widget.examples.exchange.read import is_set
from circuit_widget.examples.reader import find_examples
from circuit_widget.model.language_model import Network
from circuit_widget.model.loading import read_parts
from circuit_widget.model.tokens.tokenizer import TokenizerChoice
from circuit_widget.replacement_model import ReplacementModel
from circuit_widget.system.paths import require_path
from circuit_widget.system.plain_torch import in_plain_torch
from circuit_widget.system.warning import warn
from circuit_widget.transcoder.encoder_placement import EncoderPlacement


def load(
    model: str | os.PathLike[str] | Network,
    transcoders: str | os.PathLike[str] | None = None,
    *,
    tokenizer: TokenizerChoice | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    encoders: EncoderPlacement | None = None,
    download: bool = False,
    input_site: str | None = None,
    output_site: str | None = None,
    gguf: str | None = None,
    examples: str | os.PathLike[str] | None = None,
) -> ReplacementModel:
    """Load a language model with its transcoders, or with its neurons as features; "demo" comes with the package.

    Args:
        model: "demo", a local directory, a GGUF file, a hub id `org/name[@revision]` in the hub's local cache, or a loaded model, with
            its tokenizer. A loaded model keeps its devices and dtype; it is put into evaluation mode, and its attention
            implementation is set to eager.
        transcoders: "neurons" for those of the model's own MLPs (the default); a local directory, a hub reference
            `org/repo[/folder][@revision]`, or the short name of a known set such as "gemma".
        tokenizer: of a loaded model, or instead of the model's own: a tokenizer of transformers, a processor that has
            one, or its directory.
        device: by default CUDA, else MPS, else the CPU.
        dtype: by default bfloat16 on CUDA, float32 elsewhere. Edges are always float32.
        encoders: where to keep encoders, "device", "cpu" or "disk"; by default on the device if they fit there.
        download: download transcoders that are not in the hub's local cache; by default nothing is downloaded.
        input_site: where features read, if the transcoders' files are wrong or incomplete: "mlp_input" (the input of the
            MLP), "mlp_norm" (the same before the norm's weight and bias) or "residual_mid" (before that norm).
        output_site: where features write: "mlp_output" (the output of the MLP) or "mlp_update" (after a norm behind it).
        gguf: the name of a GGUF file in the directory `model`; its weights are dequantised to `dtype`.
        examples: the folder with the examples of features that `collect_examples` wrote, or circuit-tracer's feature files;
            by default the folder "examples" or else "features" beside the transcoders, if there is one.

    Raises:
        LoadError: names the file and tensor that cannot be used, what was found and what was expected.
    """
    _check_gguf(model, gguf)
    download = truth_value(download, "download", LoadError)
    site_arguments = {"input_site": input_site, "output_site": output_site}
    sites = {name: site for name, site in site_arguments.items() if site is not None}

    def read() -> ReplacementModel:
        parts = read_parts(
            model,
            transcoders,
            tokenizer=tokenizer,
            device=device,
            dtype=dtype,
            encoders=encoders,
            download=download,
            gguf=gguf,
            **sites,
        )
        source = None
        if not isinstance(model, Network) and tokenizer is None:
            source = (
                _as_text(model if gguf is None else Path(model) / gguf),
                None if transcoders is None else _as_text(transcoders),
            )
        loaded = ReplacementModel(parts.model, parts.transcoders, parts.directory, parts.provenance, source, sites)
        _show_examples(loaded, examples, parts.directory)
        return loaded

    return in_plain_torch(read, gradients=True)


def _show_examples(loaded: ReplacementModel, given: object, directory: Path | None) -> None:
    """Show the examples in a folder that a user gave, else those beside the transcoders in `directory`.

    Those beside the transcoders that cannot be used give a CircuitWidgetWarning.

    Raises:
        LoadError: the folder that was given has no examples, or those of another model or other transcoders.
    """
    if given is not None and is_set(require_path(given, LoadError)):  # type: ignore[arg-type]
        loaded.read_examples(given, progress=False)  # type: ignore[arg-type]
        return
    found = find_examples(given, directory, loaded.model, loaded.transcoders)
    if found is not None:
        loaded._cards.use(found)
    elif directory is not None and is_set(directory):
        try:
            loaded.read_examples(directory, progress=False)
        except LoadError as error:
            warn(f"The feature files beside the transcoders are left out. {error}")


def _check_gguf(model: object, gguf: object) -> None:
    """Check what was given as the name of a GGUF file.

    Raises:
        LoadError: it is no name of a file, or the model was given as an object.
    """
    if gguf is None:
        return
    if not isinstance(gguf, str) or not gguf.strip() or Path(gguf).name != gguf:
        raise LoadError(f"gguf is {quoted(gguf)}, expected the name of a GGUF file in the model's directory, or None.")
    if isinstance(model, Network):
        raise LoadError(f"gguf={gguf!r} names a file in a model's directory, but a loaded model was given.")


def _as_text(name: str | os.PathLike[str]) -> str:
    """Return a name or path as text; a relative path begins with "./", so that it is not read as another kind of name."""
    text = os.fspath(name)
    return text if isinstance(name, str) or Path(text).is_absolute() else f".{os.sep}{text}"

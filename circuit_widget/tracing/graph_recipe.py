"""The recipe of a traced graph: everything that is needed to trace it again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from circuit_widget.attribution.targets import ChosenTarget, target_to_json
from circuit_widget.graph import JSON
from circuit_widget.model.language_model import LanguageModel, versions
from circuit_widget.tracing.prompt_run import PromptRun
from circuit_widget.transcoder.transcoder_set import TranscoderSet


def recipe_of(
    model: LanguageModel,
    transcoders: TranscoderSet,
    run: PromptRun,
    targets: Sequence[ChosenTarget],
    *,
    files: Mapping[str, JSON],
    started: float,
) -> dict[str, JSON]:
    """Return the recipe of a trace that began at `started` (a value of time.perf_counter), as plain JSON.

    model, transcoders: names. basis: "neurons", if these are the features. device, dtype: of the model's weights; edges are
    always float32. provenance: origin and hashes of the files, and the sites where features read and write. versions: of
    the libraries. prompt_token_ids. targets: by ids. first_position: features before it were left out. time: of the trace,
    UTC. seconds: how long it took.
    """
    basis: dict[str, JSON] = {} if run.neurons is None else {"basis": "neurons"}
    return {
        **basis,
        "model": model.name,
        "transcoders": transcoders.name,
        "device": str(model.device),
        "dtype": str(model.dtype).removeprefix("torch."),
        "provenance": dict(files),
        "versions": dict(versions()),
        "prompt_token_ids": list(run.prompt.token_ids),
        "targets": [target_to_json(target.choice) for target in targets],
        "first_position": run.prompt.first_position,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": time.perf_counter() - started,
    }

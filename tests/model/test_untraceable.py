"""Architectures and settings that cannot be traced are refused by a sentence that says why."""

from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import CONFIG_MAPPING

from circuit_widget.errors import LoadError
from circuit_widget.model.architectures import ARCHITECTURES, row_of, sites_of
from circuit_widget.model.source import find_model
from circuit_widget.model.untraceable import UNTRACEABLE, why_untraceable


def config_of(model_type: str, **entries: Any) -> Any:
    return transformers.AutoConfig.for_model(model_type, **entries)


@pytest.mark.parametrize(
    ("model_type", "why"),
    [
        ("mamba2", "it has state-space layers, whose states take the place of attention patterns"),
        ("qwen3_next", "it has layers of linear attention"),
        ("t5", "it has an encoder beside its decoder"),
        ("bert", "its attention looks at later tokens"),
        ("gemma3n", "its values go through a norm of their own, and its layers also multiply"),
        ("deepseek_v3", "its values come from a compressed vector"),
        ("bloom", "add the residual stream themselves"),
        ("falcon", "add the output of attention to that of the MLP in place"),
        ("codegen", "has the values of heads in four parts"),
        ("bitnet", "have norms inside"),
    ],
)
def test_an_architecture_that_is_not_linear_is_refused_with_the_reason(model_type: str, why: str) -> None:
    with pytest.raises(LoadError, match=rf"The architecture '{model_type}' cannot be traced: .*{why}.*\.$"):
        row_of(model_type)


def test_an_architecture_that_nobody_described_is_named_with_what_to_do() -> None:
    with pytest.raises(LoadError, match=r"'qwen4' is not supported; supported are .*nearest: qwen3\)\. To add it, add"):
        row_of("qwen4")


def test_no_architecture_is_both_in_the_table_and_refused() -> None:
    assert not set(ARCHITECTURES) & UNTRACEABLE
    assert why_untraceable("llama") is None


@pytest.mark.skipif(int(transformers.__version__.split(".")[0]) < 5, reason="transformers 5 has all of them")
def test_every_architecture_that_is_named_is_one_of_transformers() -> None:
    assert set(ARCHITECTURES) | UNTRACEABLE <= set(CONFIG_MAPPING)


def test_an_architecture_that_transformers_is_too_old_for_is_refused_with_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("circuit_widget.model.checkpoint.CONFIG_MAPPING", {})
    (tmp_path / "config.json").write_text('{"model_type": "olmo3"}')
    with pytest.raises(
        LoadError,
        match=r"architecture 'olmo3', which transformers has from version 4\.57 on; .*'transformers>=4\.57'\.$",
    ):
        find_model(tmp_path)


def test_values_that_are_clipped_are_refused() -> None:
    with pytest.raises(
        LoadError,
        match=r"'olmo' cannot be traced with clip_qkv=8.0: attention clips its values, .* clip_qkv=None can be\.$",
    ):
        sites_of(config_of("olmo", clip_qkv=8.0))
    assert sites_of(config_of("olmo")).norm.epsilon == 1e-5

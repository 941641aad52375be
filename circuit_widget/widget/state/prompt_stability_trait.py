"""The trait for the stability of the displayed graph over prompts that mean the same, which the page has as a message."""

from __future__ import annotations

from typing import Any

import traitlets

from circuit_widget.comparison.prompt_stability import PromptStability
from circuit_widget.widget.wire.graph_messages import PromptStabilityMessage
from circuit_widget.widget.wire.schema import LONGEST_TEXT, plain
from circuit_widget.widget.wire.sending import sentence


def prompt_stability_trait() -> traitlets.Instance[PromptStability | None]:
    """Return the trait, None where no other prompts were traced; the page can only set it to None."""
    trait: traitlets.Instance[PromptStability | None] = traitlets.Instance(
        PromptStability, allow_none=True, default_value=None
    )
    return trait.tag(sync=True, echo_update=False, to_json=lambda found, _: prompt_stability_json(found))


def prompt_stability_json(found: PromptStability | None) -> Any:
    """Return the stability as the page has it."""
    if found is None:
        return None
    counts = found.prompts_of
    prompts = tuple(sentence(str(prompt), LONGEST_TEXT) for prompt in found.prompts)
    return plain(PromptStabilityMessage(prompts, tuple(counts), tuple(counts.values())))

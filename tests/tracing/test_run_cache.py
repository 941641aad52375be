"""The cache of runs keeps those that were used last."""

from circuit_widget.tracing.run_cache import MOST_CACHED_RUNS, RunCache
from tests.models import reference_model


def test_the_run_that_was_used_longest_ago_makes_room() -> None:
    model = reference_model()
    cache = RunCache(model.model, model.transcoders)
    prompts = [model.read_prompt((1, 17, 42 + number)) for number in range(MOST_CACHED_RUNS + 1)]
    first, second, *_ = [cache.of(prompt, -1) for prompt in prompts[:MOST_CACHED_RUNS]]
    assert cache.of(prompts[0], -1) is first
    cache.of(prompts[MOST_CACHED_RUNS], -1)
    assert cache.of(prompts[0], -1) is first
    assert cache.of(prompts[1], -1) is not second

"""A plugin of pytest by which the files that take longest come first: `python -m pytest -p tests.longest_first`."""

from collections import Counter

import pytest

LONGEST = (
    "widget/test_interleavings.py",
    "real/test_any_model_notebook.py",
    "real/test_smollm2.py",
    "demo/test_scores.py",
    "model/test_interrupts.py",
    "door/test_door.py",
    "widget/test_concurrency.py",
    "widget/test_memory.py",
    "widget/test_malformed_messages.py",
    "demo/test_build.py",
    "demo/test_cards.py",
    "demo/test_rhymes.py",
    "packaging/test_distributions.py",
    "test_quickstart.py",
    "browser/test_other_hosts.py",
    "browser/test_lasting.py",
    "browser/test_picture.py",
    "browser/test_looks.py",
)
"""Files whose tests take long, however few they are: one that begins last would run alone, with other workers idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have the files that take longest come first, then those with the most tests."""
    tests = Counter(item.path for item in items)
    last = len(LONGEST)
    place = {path: next((n for n, name in enumerate(LONGEST) if path.match(f"tests/{name}")), last) for path in tests}
    items.sort(key=lambda item: (place[item.path], -tests[item.path], item.path))

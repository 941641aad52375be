"""What a mutation is: one text in one file replaced by another, and the tests that must fail then."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutation:
    """A mistake: `before` stands once in `file` and becomes `after`; at least one of `tests` must fail.

    `tests` are paths below the root, with `::name` where one test is enough. They are vitest's where they are in js/,
    and otherwise pytest's.
    """

    mistake: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    def applied_to(self, text: str) -> str:
        """Return a file's text with the mistake in it. Raises ValueError unless `before` stands in it exactly once."""
        count = text.count(self.before)
        if count != 1:
            raise ValueError(f"{self.mistake!r}: {self.before!r} stands {count} times in {self.file}; expected once")
        return text.replace(self.before, self.after)

    def check(self, root: Path) -> None:
        """Raise ValueError where the file, the text in it, or one of the tests is not there."""
        missing = [
            name for name in (self.file, *(test.split("::")[0] for test in self.tests)) if not (root / name).exists()
        ]
        if missing:
            raise ValueError(f"{self.mistake!r} names what does not exist: {', '.join(missing)}")
        self.applied_to((root / self.file).read_text(encoding="utf-8"))

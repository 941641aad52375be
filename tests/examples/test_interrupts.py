"""An interrupted collection saves what it has, says so, and goes on where it stopped."""

import signal
from pathlib import Path
from typing import Any

import pytest

from circuit_widget.cli import main
from circuit_widget.examples import collect
from circuit_widget.examples.folder import FolderWriter
from circuit_widget.examples.forward import run_batch
from circuit_widget.examples.manifest import read_manifest
from tests.examples.models import contents, random_texts
from tests.models import tiny_model

TEXTS = random_texts(24)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of a few texts, and no save before the end."""
    monkeypatch.setattr(collect, "BATCH_TOKENS", 64)
    monkeypatch.setattr(collect, "BATCHES_IN_ROUND", 3)


class Interrupting:
    """Gives so many interrupts at a call, as the user's Ctrl-C does."""

    def __init__(self, at_call: int, count: int = 1) -> None:
        self._left, self._count = at_call, count

    def __call__(self, *_: object) -> None:
        self._left -= 1
        if self._left == 0:
            for _one in range(self._count):
                signal.raise_signal(signal.SIGINT)


def interrupt_in_a_batch(monkeypatch: pytest.MonkeyPatch, interrupt: Interrupting) -> None:
    def interrupted(*given: Any) -> None:
        interrupt()
        run_batch(*given)

    monkeypatch.setattr(collect, "run_batch", interrupted)


def check_goes_on(folder: Path, whole: Path) -> None:
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    tiny_model().collect_examples(TEXTS, whole, progress=False)
    if folder.exists():
        assert 0 < read_manifest(folder).n_tokens < read_manifest(whole).n_tokens
    tiny_model().collect_examples(TEXTS, folder, progress=False)
    assert contents(folder) == contents(whole)


def test_between_batches_it_saves_at_once(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match=r"^The collection was stopped after \d+ tokens, which are saved;"):
        tiny_model().collect_examples(TEXTS, tmp_path / "some", progress=Interrupting(3))
    check_goes_on(tmp_path / "some", tmp_path / "whole")


def test_in_a_batch_it_stops_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        interrupt_in_a_batch(patched, Interrupting(2))
        with pytest.raises(
            KeyboardInterrupt, match=r"stopped after \d+ tokens, which are saved; the same call goes on"
        ):
            tiny_model().collect_examples(TEXTS, tmp_path / "some", progress=False)
    assert capsys.readouterr().err.startswith(
        "The collection stops when this batch of texts has run, and saves what it"
    )
    assert read_manifest(tmp_path / "some").sources[0].batches == 2
    check_goes_on(tmp_path / "some", tmp_path / "whole")


def test_a_second_one_in_a_batch_stops_at_once_and_says_what_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        interrupt_in_a_batch(patched, Interrupting(2, count=2))
        with pytest.raises(KeyboardInterrupt, match="stopped before any text was saved; the same call begins again"):
            tiny_model().collect_examples(TEXTS, tmp_path / "some", progress=False)
    assert not (tmp_path / "some").exists()
    check_goes_on(tmp_path / "some", tmp_path / "whole")


def test_a_second_one_does_not_end_the_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(writer: Any, *given: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return save(writer, *given)

    save = FolderWriter.save
    with monkeypatch.context() as patched:
        patched.setattr(FolderWriter, "save", interrupted)
        with pytest.raises(KeyboardInterrupt, match="which are saved"):
            tiny_model().collect_examples(TEXTS, tmp_path / "some", progress=Interrupting(3))
    check_goes_on(tmp_path / "some", tmp_path / "whole")


def test_the_command_line_says_what_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("\n\n".join(f"the capital of France is Paris {number}" for number in range(20)))
    interrupt_in_a_batch(monkeypatch, Interrupting(1))
    assert main(["examples", "demo", str(texts), "-o", str(tmp_path / "out"), "--device", "cpu"]) == 130
    printed = capsys.readouterr().err.splitlines()[-1]
    assert printed.startswith("circuit-widget: The collection was stopped after ")
    assert read_manifest(tmp_path / "out").n_tokens > 0

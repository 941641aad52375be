"""The command lines in the help of the commands are ones that the commands take."""

import re
import shlex

import pytest

from circuit_widget import command_texts
from circuit_widget.cli import main

TEXTS = {name: text for name, text in vars(command_texts).items() if name.isupper()}
LINES = {
    line: name
    for name, text in TEXTS.items()
    for line in re.findall(r"^  (circuit-widget .*?)(?:  +.*)?$", re.sub(r"\\\n\s+", " ", text), re.MULTILINE)
}


def test_every_text_has_a_command_line() -> None:
    assert set(LINES.values()) == set(TEXTS)


@pytest.mark.parametrize("line", LINES)
def test_a_command_line_is_understood(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--help ends the program where all before it was understood; what stands behind -- is for JupyterLab."""
    _, command, *arguments = shlex.split(line.partition(" -- ")[0])
    with pytest.raises(SystemExit) as ended:
        main([command, *arguments, "--help"])
    assert ended.value.code == 0
    assert f"circuit-widget {command}" in capsys.readouterr().out

"""`prominence completion`: scripts for shells, and what they ask the command for."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from builders_cli import FakeApi, run_command
from click.testing import CliRunner

from prominence.cli.commands.completion import SHELLS
from prominence.cli.main import command_line


def completed(shell: str, words: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the shell is told when somebody types these words and asks for more."""
    monkeypatch.setenv("_PROMINENCE_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", words.split()[-1] if shell == "fish" else str(len(words.split()) - 1))
    return CliRunner().invoke(command_line, prog_name="prominence").stdout.split()


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_and_options_are_completed(shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert any("resources" in word for word in completed(shell, "prominence resou", monkeypatch))
    assert any("--max-time-in-queue" in word for word in completed(shell, "prominence create --max", monkeypatch))
    assert any("apptainer" in word for word in completed(shell, "prominence create --runtime app", monkeypatch))


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_asks_the_command_in_the_way_that_it_understands(shell: str) -> None:
    result = run_command(FakeApi(), "completion", shell, environment={})
    assert result.exit_code == 0
    assert f"_PROMINENCE_COMPLETE={shell}_complete" in result.stdout


def test_bash_can_read_its_script() -> None:
    bash = shutil.which("bash")
    assert bash is not None
    script = run_command(FakeApi(), "completion", "bash", environment={}).stdout
    assert subprocess.run([bash, "-n"], input=script, text=True, check=False).returncode == 0


def test_another_shell_is_refused_with_those_that_there_are() -> None:
    result = run_command(FakeApi(), "completion", "csh", environment={})
    assert result.exit_code == 125
    assert all(shell in result.stderr for shell in SHELLS)

"""How the command ends: always with a sentence, never with a traceback."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from builders_cli import FakeApi, run_command
from click.testing import CliRunner

from prominence.cli import main
from prominence.cli.errors import ApiError, NotConfigured
from prominence.cli.lazy import Lazy
from prominence.core.errors import Unavailable


def ends_with(error: BaseException) -> tuple[int, str]:
    """Exit code and stderr of a command that raises `error`."""

    @click.group(cls=main.CommandLine, lazy={})
    def group() -> None:
        pass

    @group.command()
    def fail() -> None:
        raise error

    result = CliRunner().invoke(group, ["fail"])
    return result.exit_code, result.stderr


def test_our_errors_end_with_their_own_code() -> None:
    assert ends_with(NotConfigured("Nothing.")) == (126, "prominence: Nothing.\n")
    assert ends_with(Unavailable("Not now.")) == (125, "prominence: Not now.\n")


def test_a_refusal_ends_with_its_word() -> None:
    error = ApiError(507, "A user may have 5 keys; delete some first", "QuotaReached")
    assert ends_with(error) == (125, "prominence: A user may have 5 keys; delete some first (QuotaReached)\n")


def test_errors_of_the_system_end_with_its_words() -> None:
    code, sentence = ends_with(OSError(28, "No space left on device"))
    assert (code, "No space left on device" in sentence) == (125, True)


def test_an_error_of_the_system_without_a_number_is_told_all_the_same() -> None:
    assert ends_with(OSError("it is gone"))[1] == "prominence: The operating system: it is gone.\n"


def test_an_unforeseen_error_does_not_use_a_jobs_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMINENCE_DEBUG", raising=False)
    code, sentence = ends_with(ZeroDivisionError("x"))
    assert code == 125
    assert "Traceback" not in sentence
    assert "ZeroDivisionError" in sentence


def test_an_unforeseen_error_can_be_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMINENCE_DEBUG", "1")
    assert "Traceback" in ends_with(ZeroDivisionError("x"))[1]


def test_an_interrupt_ends_with_130() -> None:
    assert ends_with(KeyboardInterrupt())[0] == 130


def test_a_reader_that_went_away_is_no_mistake() -> None:
    assert ends_with(BrokenPipeError(32, "Broken pipe")) == (141, "")


@pytest.mark.parametrize("words", [("nonsense",), ("create",), ("create", "--cpus", "x", "a"), ("run", "/nowhere/x")])
def test_wrong_usage_does_not_use_a_jobs_exit_code(words: tuple[str, ...]) -> None:
    result = run_command(FakeApi(), *words)
    assert result.exit_code == 125
    assert "Error: " in result.stderr


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_tells_the_exit_codes_and_every_command(word: str) -> None:
    result = run_command(FakeApi(), word)
    assert result.exit_code == 0
    for expected in ("125", "126", "127", "PROMINENCE_ENV", "create", "describe", "pool"):
        assert expected in result.stdout


def test_the_version_is_told() -> None:
    result = run_command(FakeApi(), "--version")
    assert (result.exit_code, result.stdout.startswith("prominence ")) == (0, True)


@click.group(
    cls=main.CommandLine,
    lazy={
        "gone": Lazy("no_such_module_anywhere", "x", "pool", "Needs more."),
        "there": Lazy("builders_cli_lazy", "there", "pool", "Is there."),
    },
)
def lazy_group() -> None:
    """A group with a command whose needs are not installed, and one that has them."""


def test_a_command_whose_needs_are_missing_says_what_to_install() -> None:
    result = CliRunner().invoke(lazy_group, ["gone", "up", "--name", "x"])
    assert result.exit_code == 125
    assert "no_such_module_anywhere, which is not installed: pip install 'prominence-htc[pool]'" in result.stderr


def test_a_command_whose_needs_are_missing_does_not_spoil_the_help(monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("builders_cli_lazy")
    module.there = click.Command("there", callback=lambda: click.echo("done"))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "builders_cli_lazy", module)
    assert "Needs more." in CliRunner().invoke(lazy_group, ["--help"]).stdout
    assert CliRunner().invoke(lazy_group, ["there"]).stdout == "done\n"


def python(*words: str, stdout: int = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[bytes]:
    variables = {**os.environ, **environment}
    return subprocess.run([sys.executable, *words], stdout=stdout, stderr=subprocess.PIPE, env=variables, check=False)


def test_a_closed_pipe_ends_the_process_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = python("-m", "prominence.cli.main", "create", "--dry-run", "a", stdout=writer)
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        ended = python("-m", "prominence.cli.main", "create", "--dry-run", "a", stdout=full.fileno())
    assert (ended.returncode, b"No space left on device" in ended.stderr, b"Traceback" in ended.stderr) == (
        125,
        True,
        False,
    )


def through_a_shell(command: str, stdout: int | None = None) -> int:
    """Its exit code, where "prominence" is ours. No service is known."""
    ours = command.replace("prominence", f"{shlex.quote(sys.executable)} -m prominence.cli.main")
    return subprocess.run(["bash", "-c", ours], stdout=stdout, env={"HOME": "/"}, cwd="/", check=False).returncode


@pytest.mark.parametrize(
    ("command", "code"),
    [("prominence list 2>&1", 126), ("prominence nonsense 2>/dev/full", 125), ("prominence -h", 141)],
)
def test_a_sentence_that_nobody_can_read_leaves_the_exit_code_as_it_is(command: str, code: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert through_a_shell(command, writer) == code
    finally:
        os.close(writer)


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_mistake(closed: str) -> None:
    assert through_a_shell(f"prominence create --dry-run a {closed}") == 0
    assert through_a_shell(f"prominence list {closed}") == 126


def test_letters_that_the_terminal_lacks_do_not_end_the_command() -> None:
    words = ("create", "--dry-run", "--name", "東", "a")
    ended = python("-m", "prominence.cli.main", *words, PYTHONIOENCODING="latin-1")
    assert (ended.returncode, rb'"name": "\u6771"' in ended.stdout) == (0, True)


def test_the_job_commands_need_neither_docker_nor_the_job_model() -> None:
    heavy = "{'docker', 'pydantic', 'htcondor2', 'classad2'}"
    ended = python("-c", f"import prominence.cli.main, sys; sys.exit(bool({heavy} & set(sys.modules)))")
    assert ended.returncode == 0


def short_helps(group: click.Group, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Of all commands, as lists of them show them on a terminal of 80 columns."""
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    room = 80 - 2 - 6 - max(map(len, found))  # click keeps so much for margins
    for name, command in found.items():
        assert command is not None
        yield (*names, name), command.get_short_help_str(room)
        if isinstance(command, click.Group):
            yield from short_helps(command, (*names, name))


def test_lists_of_commands_say_of_each_all_of_their_sentence() -> None:
    assert [names for names, said in short_helps(main.command_line) if said.endswith("...")] == []

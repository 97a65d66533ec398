"""The script runs in a real shell, as an MPI's launcher runs it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from prominence.executor import launch
from prominence.executor.launch import Errands, Request
from prominence.executor.ports import RuntimeFailed


def asked(tmp_path: Path, name: str, **files: str) -> Path:
    directory = tmp_path / launch.DIRECTORY / name
    directory.mkdir()
    for file, text in files.items():
        (directory / file).write_text(text)
    return directory


def test_what_a_launcher_asks_for_is_told_once_and_gets_its_exit_code(tmp_path: Path) -> None:
    errands = Errands(tmp_path)
    script = (tmp_path / launch.DIRECTORY / "agent").read_text().replace("/tmp/", f"{tmp_path}/")
    words = ["-x", "10.0.0.2", "A=1;export A;", 'prted --mca ess "env"']
    with subprocess.Popen(["/bin/sh", "-c", script, "agent", *words]) as launcher:
        requests: list[Request] = []
        while not requests:
            requests = list(errands.new())
        [request] = requests
        assert (request.host, request.command) == ("10.0.0.2", 'A=1;export A; prted --mca ess "env"')
        assert list(errands.new()) == []
        errands.answer(request, 7)
        assert launcher.wait(10) == 7


def test_what_is_not_there_whole_is_told_later(tmp_path: Path) -> None:
    errands = Errands(tmp_path)
    directory = asked(tmp_path, "ask.1", host="a", command="true")
    assert list(errands.new()) == []
    (directory / "ready").touch()
    assert list(errands.new()) == [Request("ask.1", "a", "true")]


def test_what_a_task_before_has_asked_for_is_not_told_again(tmp_path: Path) -> None:
    Errands(tmp_path)
    asked(tmp_path, "ask.1", host="a", command="true", ready="")
    errands = Errands(tmp_path)
    asked(tmp_path, "ask.2", host="a", command="false", ready="")
    assert list(errands.new()) == [Request("ask.2", "a", "false")]


@pytest.mark.parametrize("command", [b"caf\xe9", b"x" * (launch.LARGEST_COMMAND + 1)])
def test_who_asks_for_what_cannot_be_run_does_not_wait_for_it(tmp_path: Path, command: bytes) -> None:
    errands = Errands(tmp_path)
    directory = asked(tmp_path, "ask.1", host="a")
    (directory / "command").write_bytes(command)
    (directory / "ready").touch()
    assert list(errands.new()) == []
    assert (directory / "code").read_text() == "255"


def test_no_link_and_no_pipe_is_read(tmp_path: Path) -> None:
    errands = Errands(tmp_path)
    (tmp_path / "secret").write_text("secret")
    linked = asked(tmp_path, "ask.1", host="a", ready="")
    (linked / "command").symlink_to(tmp_path / "secret")
    os.mkfifo(asked(tmp_path, "ask.2", host="a", ready="") / "command")
    (tmp_path / launch.DIRECTORY / "ask.3").symlink_to(linked)
    assert list(errands.new()) == []


def test_an_answer_goes_through_no_link(tmp_path: Path) -> None:
    errands = Errands(tmp_path)
    directory = asked(tmp_path, "ask.1", host="a", command="true", ready="")
    (directory / "code.part").symlink_to(tmp_path / "victim")
    errands.answer(Request("ask.1", "a", "true"), 0)
    assert not (tmp_path / "victim").exists()


def test_what_a_task_before_has_put_in_the_programs_place_is_replaced(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    agent = tmp_path / launch.DIRECTORY / "agent"
    agent.parent.mkdir()
    agent.symlink_to(victim)
    Errands(tmp_path)
    assert (victim.read_text(), agent.is_symlink(), agent.stat().st_mode & 0o777) == ("precious", False, 0o755)
    agent.unlink()
    os.mkfifo(agent)
    Errands(tmp_path)
    assert agent.is_file()
    agent.unlink()
    agent.mkdir()
    with pytest.raises(RuntimeFailed):
        Errands(tmp_path)


def test_a_directory_that_was_swapped_for_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / launch.DIRECTORY).symlink_to("/etc")
    with pytest.raises(RuntimeFailed):
        Errands(tmp_path)

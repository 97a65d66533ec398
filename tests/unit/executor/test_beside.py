from __future__ import annotations

import os
import select
import subprocess
from pathlib import Path

import pytest

from prominence.executor import beside
from prominence.executor.ports import OutOfTime, RuntimeFailed

ENV = {"PATH": "/usr/bin:/bin", "A": "b"}


def run(tmp_path: Path, *arguments: str, limit_s: float = 30.0) -> tuple[int, str]:
    with open(tmp_path / "output", "wb") as output:
        code = beside.run(arguments, ENV, output.fileno(), limit_s)
    return code, (tmp_path / "output").read_text()


def has_ended(pid: int) -> bool:
    """Whether it ends soon, where it has not: who is killed is not gone at once."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 10)[0])
    finally:
        os.close(process)


def test_its_exit_code_is_told_and_what_it_prints_on_either_stream(tmp_path: Path) -> None:
    assert run(tmp_path, "sh", "-c", "echo $A; echo err >&2; exit 3") == (3, "b\nerr\n")


def test_a_signal_is_told_as_shells_do(tmp_path: Path) -> None:
    assert run(tmp_path, "sh", "-c", "kill -9 $$") == (137, "")


def test_what_takes_too_long_is_ended_and_others_go_on(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        with pytest.raises(OutOfTime):
            run(tmp_path, "sh", "-c", "sleep 60 & echo $!; wait", limit_s=2)
        assert other.poll() is None
        other.kill()
    assert has_ended(int((tmp_path / "output").read_text()))


def test_what_is_not_there_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(RuntimeFailed, match="nonexistent cannot be started"):
        run(tmp_path, "nonexistent")

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from prominence.executor import process, proctree
from prominence.executor.ports import Cause, Limits, RuntimeFailed, Stop, WorkerLost

ENV = {"PATH": "/usr/bin:/bin"}
FOREVER = Limits(None, 0.1)


def run(*arguments: str, limits: Limits = FOREVER, capture: bool = True) -> process.Finished:
    return process.run(arguments, ENV, limits, Stop(), capture=capture)


def is_alive(pid: int) -> bool:
    found = proctree.table().get(pid)
    return found is not None and not found.zombie


def test_the_exit_code_and_both_outputs_are_told() -> None:
    done = run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.cause, done.exit_code, done.signal) == (Cause.EXITED, 3, None)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_a_signal_is_told_as_shells_do() -> None:
    done = run("sh", "-c", "kill -9 $$")
    assert (done.exit_code, done.signal) == (137, 9)


def test_arguments_are_given_to_no_shell() -> None:
    assert run("printf", "<%s>", "a b", "$HOME", "`id`", "", "'\"\n").stdout == "<a b><$HOME><`id`><><'\"\n>"


def test_the_environment_is_what_it_is_given_and_nothing_else() -> None:
    assert run("env").stdout == "PATH=/usr/bin:/bin\n"


def test_what_is_not_there_cannot_be_started() -> None:
    with pytest.raises(RuntimeFailed, match="nonexistent cannot be started: No such file"):
        run("nonexistent")


def test_the_last_words_are_kept_though_all_of_stderr_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    done = run("sh", "-c", "echo out; echo first >&2; echo last >&2", capture=False)
    assert done.stderr == "first\nlast\n"
    assert capfd.readouterr() == ("out\n", "first\nlast\n")


def test_words_that_a_full_disk_does_not_take_make_the_worker_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("/dev/full", "wb") as full:
        monkeypatch.setattr(process, "_STDERR", full.fileno())
        with pytest.raises(WorkerLost, match="disk is full"):
            run("sh", "-c", "echo lost >&2", capture=False)


def test_of_much_output_the_end_is_kept() -> None:
    done = run("sh", "-c", "head -c 300000 /dev/zero; echo end")
    assert len(done.stdout) == process.KEPT
    assert done.stdout.endswith("\0end\n")


def test_the_whole_tree_ends_at_the_deadline_who_left_its_session_and_ignores_signals_too(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    inner = f"trap '' TERM; echo $$ >> {pids}; while :; do sleep 9; done"
    script = f'trap \'\' TERM; setsid sh -c "{inner}" & sh -c "{inner}" & echo $$ >> {pids}; while :; do sleep 9; done'
    started = time.monotonic()
    done = run("sh", "-c", script, limits=Limits(1.0, 0.1))
    assert done.cause is Cause.OUT_OF_TIME
    assert done.exit_code == 137
    assert time.monotonic() - started < 9
    found = [int(pid) for pid in pids.read_text().split()]
    assert len(found) == 3
    assert not any(is_alive(pid) for pid in found)


def test_a_daemon_that_outlives_its_parent_is_ended_with_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    done = run(
        "sh", "-c", f"(setsid sh -c 'echo $$ > {pid_file}; exec sleep 9' &) ; while ! [ -s {pid_file} ]; do :; done"
    )
    assert done.exit_code == 0
    assert not is_alive(int(pid_file.read_text()))


def test_who_heeds_the_warning_may_tidy_up() -> None:
    script = "trap 'echo tidy; exit 5' TERM; while :; do sleep 0.01; done"
    done = run("sh", "-c", script, limits=Limits(0.15, 5))
    assert (done.cause, done.exit_code, done.stdout) == (Cause.OUT_OF_TIME, 5, "tidy\n")


def test_a_child_that_was_there_before_is_left_alone() -> None:
    other = os.spawnvp(os.P_NOWAIT, "sleep", ["sleep", "9"])
    try:
        run("true")
        assert is_alive(other)
    finally:
        os.kill(other, 9)
        os.waitpid(other, 0)


def test_processor_time_and_memory_are_told() -> None:
    done = run("sh", "-c", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done")
    assert 0 < done.cpu_s < 5
    assert done.max_rss_kib > 500


def test_too_much_memory_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MEMORY_LOOK_S", 0.0)
    hog = "import time; held = bytearray(80_000_000); time.sleep(9)"
    done = process.run(["python3", "-S", "-c", hog], {"PATH": os.environ["PATH"]}, FOREVER, Stop(), memory_mib=50)
    assert (done.cause, done.exit_code) == (Cause.OUT_OF_MEMORY, 137)

"""Runs an argument list, never a shell, and leaves nothing of it behind.

Whatever the program starts, daemons that left its session included, becomes our descendant at the latest when its
parent ends, because this process is made the reaper of its orphans. So all of it can be found, warned and killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import IO, Callable, List, Mapping, Sequence

from prominence.executor import diskuse, keyring, proctree
from prominence.executor.deadline import supervise
from prominence.executor.ports import (
    Cause,
    Ended,
    FetchTimedOut,
    Interrupted,
    Limits,
    RuntimeFailed,
    Stop,
    Used,
    WorkerLost,
)

KEPT = 64 * 1024
"""Bytes kept of what a program wrote last."""
MEMORY_LOOK_S = 1.0
_PR_SET_CHILD_SUBREAPER = 36
_STDERR = 2
_GRACE_OF_PIPES_S = 5.0


@dataclass(frozen=True)
class Finished:
    """A program that has ended. exit_code: 128 + signal when a signal ended it. stdout: only when captured.

    used_kib: what was seen of memory or disk when it was too much.
    """

    cause: Cause
    exit_code: int
    signal: int | None
    cpu_s: float
    max_rss_kib: int
    stdout: str
    stderr: str
    used_kib: int | None = None

    def ended(self, detail: str = "") -> Ended:
        """As what became of a container that was this program."""
        return Ended(
            cause=self.cause,
            exit_code=self.exit_code,
            signal=self.signal,
            detail=detail,
            cpu_s=round(self.cpu_s, 3),
            max_rss_kib=self.max_rss_kib,
            used_kib=self.used_kib,
        )


def check_fetched(done: Finished, late: str = "the registry takes too long") -> None:
    """That a program that fetches has ended by itself, in whichever way. Raises Interrupted, FetchTimedOut."""
    if done.cause is Cause.STOPPED:
        raise Interrupted
    if done.cause is Cause.OUT_OF_TIME:
        raise FetchTimedOut(late)


def used(tree: Sequence[proctree.Process], disk: diskuse.Watch | None) -> Used:
    """By these processes of ours, and on disk as it was seen last."""
    cpu_s = sum(proctree.cpu_s(process.pid) for process in tree)
    return Used(round(cpu_s, 3), proctree.memory_kib(proctree.programs(tree), 0), disk.seen_kib if disk else None)


def run(
    arguments: Sequence[str],
    env: Mapping[str, str],
    limits: Limits,
    stop: Stop,
    capture: bool = False,
    memory_mib: int | None = None,
    disk: diskuse.Watch | None = None,
    warn: Callable[[], None] | None = None,
) -> Finished:
    """Run a program to its end, and end all that is left of it then.

    Raises RuntimeFailed if it cannot be started, WorkerLost if a full disk has cut off what it wrote.

    Its stdout is ours. Its stderr passes through us to our own, so that the last words of a container runtime can
    be told from its exit code. capture: both are kept instead, the last 64 KiB of each. memory_mib: for runtimes
    that cannot limit memory themselves. disk: a watch on what it keeps there. warn: for programs that do not pass the
    warning signal on.
    """
    _become_reaper()
    keyring.have_our_own()
    program = _Program(arguments, env, capture, memory_mib, disk, warn)
    try:
        cause = supervise(program, limits, stop)
    finally:
        program.kill()
    return program.finished(cause)


class _Program:
    """A running program with all its descendants."""

    def __init__(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        capture: bool,
        memory_mib: int | None,
        disk: diskuse.Watch | None,
        warn: Callable[[], None] | None,
    ) -> None:
        self._warn = warn
        self._disk = disk
        self._others = {process.pid for process in proctree.descendants(proctree.table(), os.getpid())}
        try:
            self._popen = subprocess.Popen(
                list(arguments),
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if capture else None,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise RuntimeFailed(f"{arguments[0]} cannot be started: {error.strerror}") from error
        self._stdout = _Pump(self._popen.stdout, None) if self._popen.stdout else None
        self._stderr = _Pump(self._popen.stderr, None if capture else _STDERR)
        self._limit_kib = None if memory_mib is None else memory_mib * 1024
        self._look_at = 0.0
        self._memory_kib: int | None = None
        self._status = 0
        self._usage: tuple[float, int] = (0.0, 0)
        self._ended = threading.Event()
        threading.Thread(target=self._reap, daemon=True).start()

    def _reap(self) -> None:
        _, self._status, usage = os.wait4(self._popen.pid, 0)
        self._usage = (usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
        self._popen.returncode = self._status  # subprocess must not wait for it again
        self._ended.set()

    def wait(self, timeout_s: float) -> bool:
        return self._ended.wait(timeout_s)

    def warn(self) -> None:
        if self._warn:
            self._warn()
        else:
            _send(signal.SIGTERM, proctree.programs(self._tree()))

    def kill(self) -> None:
        """Until nobody is left: who forks while it is being killed is found on the next look."""
        for _ in range(100):
            tree = self._tree()
            _bury([process.pid for process in tree if process.zombie and process.pid != self._popen.pid])
            alive = [process for process in tree if not process.zombie]
            if not alive:
                return
            _send(signal.SIGKILL, alive)
            time.sleep(0.005)

    def exceeded(self) -> Cause | None:
        if self._disk and self._disk.exceeded:
            return Cause.OUT_OF_DISK
        return Cause.OUT_OF_MEMORY if self._exceeds_memory() else None

    def _exceeds_memory(self) -> bool:
        if self._limit_kib is None or time.monotonic() < self._look_at:
            return False
        self._look_at = time.monotonic() + MEMORY_LOOK_S
        # Of all that we have started, since what runs beside the program shares its limit.
        everything = proctree.descendants(proctree.table(), os.getpid())
        self._memory_kib = proctree.memory_kib(proctree.programs(everything), self._limit_kib)
        return self._memory_kib > self._limit_kib

    def finished(self, cause: Cause) -> Finished:
        stdout, stderr = self._stdout.text() if self._stdout else "", self._stderr.text()
        if self._stderr.cut and cause is Cause.EXITED:
            raise WorkerLost("the worker's disk is full, and what the task wrote was lost")
        signalled = os.WTERMSIG(self._status) if os.WIFSIGNALED(self._status) else None
        return Finished(
            cause=cause,
            exit_code=os.WEXITSTATUS(self._status) if signalled is None else 128 + signalled,
            signal=signalled,
            cpu_s=self._usage[0],
            max_rss_kib=self._usage[1],
            stdout=stdout,
            stderr=stderr,
            used_kib=self._too_much_kib(cause),
        )

    def _too_much_kib(self, cause: Cause) -> int | None:
        if cause is Cause.OUT_OF_MEMORY:
            return self._memory_kib
        return self._disk.seen_kib if self._disk and cause is Cause.OUT_OF_DISK else None

    def _tree(self) -> List[proctree.Process]:
        return proctree.descendants(proctree.table(), os.getpid(), self._others)


class _Pump:
    """Reads a pipe to its end, passes all of it on, and keeps what came last."""

    def __init__(self, source: IO[bytes] | None, target: int | None) -> None:
        assert source is not None
        self._source = source
        self._target = target
        self._kept = b""
        self.cut = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._source:
            while True:
                data = os.read(self._source.fileno(), KEPT)
                if not data:
                    return
                self._kept = (self._kept + data)[-KEPT:]
                self._pass_on(data)

    def _pass_on(self, data: bytes) -> None:
        try:
            while data and self._target is not None:
                data = data[os.write(self._target, data) :]
        except OSError as error:
            self._target = None  # nobody reads, or the disk is full; the program must not stop for that
            self.cut = error.errno in diskuse.FULL

    def text(self) -> str:
        self._thread.join(_GRACE_OF_PIPES_S)
        return self._kept.decode(errors="replace")


def _become_reaper() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _send(number: signal.Signals, processes: Sequence[proctree.Process]) -> None:
    for process in processes:
        try:
            os.kill(process.pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def _bury(pids: Sequence[int]) -> None:
    for pid in pids:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue

"""Keeps a program that runs beside the job's tasks apart from them: in a process of its own, which adopts its orphans.

In one process with the tasks nobody could tell whose daemons are whose. The keeper is this program once more, told what
to run on its stdin; when that is closed, because we are done or dead, it ends all that it has started.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import Callable, List, Mapping, Optional, Sequence, Tuple

from prominence.executor import process, proctree
from prominence.executor.deadline import PATIENCE_S, TICK_S
from prominence.executor.ports import Cause, Limits, Output, RuntimeFailed, Stop

OPTION = "--keep"
"""The argument by which this program is a keeper."""
_STDIN = 0
_LOOK_S = 0.05
_START_S = 30.0
"""After that long a program counts as started, whatever can be seen of it."""


class Kept:
    """A program that is kept. Raises RuntimeFailed where it cannot be."""

    def __init__(
        self,
        arguments: Sequence[str],
        env: Mapping[str, str],
        output: Output,
        grace_s: float,
        memory_mib: Optional[int] = None,
        warn: Sequence[str] = (),
    ) -> None:
        """warn: a command that warns it, for programs without a pid namespace of their own that pass no signal on."""
        told = {
            "arguments": list(arguments),
            "env": dict(env),
            "grace_s": grace_s,
            "memory_mib": memory_mib,
            "warn": list(warn),
        }
        self._grace_s, self._nests = grace_s, not warn
        try:
            self._keeper = subprocess.Popen(
                itself(), stdin=subprocess.PIPE, stdout=output.stdout, stderr=output.stderr, start_new_session=True
            )
            assert self._keeper.stdin is not None
            self._keeper.stdin.write(json.dumps(told).encode() + b"\n")
            self._keeper.stdin.flush()
        except OSError as error:
            raise RuntimeFailed(f"what runs beside the tasks cannot be started: {error.strerror}") from error

    @property
    def pid(self) -> int:
        """The keeper's."""
        return self._keeper.pid

    def wait(self, stop: Stop, started: Callable[[], None]) -> Tuple[Cause, int]:
        """Until it has ended, or has been ended; its cause and its exit code. started: called when it runs."""
        self._wait_for_start()
        started()
        while self._keeper.poll() is None and not stop.requested:
            with suppress(subprocess.TimeoutExpired):
                self._keeper.wait(TICK_S)
        cause = Cause.STOPPED if self._keeper.poll() is None else Cause.EXITED
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        try:
            code = self._keeper.wait(self._grace_s + PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise RuntimeFailed("what runs beside the tasks does not end") from error
        return cause, code if code >= 0 else 128 - code

    def _wait_for_start(self) -> None:
        give_up_at = time.monotonic() + _START_S
        while self._keeper.poll() is None and time.monotonic() < give_up_at:
            below = proctree.descendants(proctree.table(), self._keeper.pid)
            if any(not one.init and one.nested >= self._nests for one in below):
                return
            time.sleep(_LOOK_S)


def itself(option: str = OPTION) -> List[str]:
    """The command that starts this program as a keeper, or as what another option says."""
    # HTCondor gives a job no PATH, and without one Python may not know where it is.
    return [sys.executable or os.readlink("/proc/self/exe"), "-I", "-S", sys.argv[0], option]


def keep() -> int:
    """Be the keeper: run what stdin tells until it ends, or stdin does."""
    told = json.loads(_line())
    stop = Stop()
    threading.Thread(target=_watch, args=(stop,), daemon=True).start()
    limits, env = Limits(None, told["grace_s"]), told["env"]
    warn = partial(_say, told["warn"], env) if told["warn"] else None
    return process.run(told["arguments"], env, limits, stop, memory_mib=told["memory_mib"], warn=warn).exit_code


def _say(command: List[str], env: Mapping[str, str]) -> None:
    subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def _line() -> bytes:
    # Not by Python's own buffer: a thread that waits in there lets no program end.
    text = b""
    while not text.endswith(b"\n") and (piece := os.read(_STDIN, 64 * 1024)):
        text += piece
    return text


def _watch(stop: Stop) -> None:
    while os.read(_STDIN, 1):
        pass
    stop.request()

"""Runs a program beside the job's tasks: it has a group of its own, and its end is nobody else's."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import Mapping, Sequence

from prominence.executor.ports import OutOfTime, RuntimeFailed


def run(arguments: Sequence[str], env: Mapping[str, str], output: int, limit_s: float) -> int:
    """Its exit code, 128 + signal where a signal ended it. output: a descriptor, for all that it prints.

    Raises OutOfTime, when it has been ended, and RuntimeFailed.
    """
    try:
        program = subprocess.Popen(
            list(arguments),
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except OSError as error:
        raise RuntimeFailed(f"{arguments[0]} cannot be started: {error.strerror}") from error
    try:
        code = program.wait(limit_s)
    except subprocess.TimeoutExpired as error:
        raise OutOfTime(f"it ran longer than {limit_s:g} s") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()
    return code if code >= 0 else 128 - code

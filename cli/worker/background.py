"""A worker behind its terminal: a process of its own, which tells how it began before its parent goes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

from prominence.cli.errors import ClientError
from prominence.core.errors import ProminenceError

_STARTED = "started"


def in_background(act: Callable[[Callable[[], None]], None]) -> None:
    """Have a new process do it. Comes back when that calls what it is given; raises ClientError if it ends before."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork() == 0:
        os.close(reading)
        _be(act, writing)
    os.close(writing)
    with open(reading, encoding="utf-8", errors="replace") as pipe:
        told = pipe.read()
    if told != _STARTED:
        raise ClientError(told or "The worker has ended at once, and nobody knows why.")


def _be(act: Callable[[Callable[[], None]], None], writing: int) -> None:
    """It never comes back."""

    def tell(what: str) -> None:
        if not told:
            os.write(writing, what.encode(errors="replace"))
            os.close(writing)
            told.append(what)

    told: list[str] = []
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    code = 1
    try:
        act(lambda: tell(_STARTED))
        code = 0
    except (ProminenceError, OSError) as error:
        tell(str(error))
    finally:
        tell(traceback.format_exc(limit=-3))  # should it be something else, whoever waits for us shall hear of it
        os._exit(code)

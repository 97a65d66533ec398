"""The id by which one request is found again wherever it has led to: logs, job, report. Standard library only.

Whoever calls may bring one in the header X-Request-ID, and gets it back with the answer; who does not gets a new one.
Each thread, and what it calls, has one of its own at a time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

HEADER = "X-Request-ID"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_now: ContextVar[str] = ContextVar("request", default="")


def accepted(given: str | None) -> str:
    """The caller's, where it can be written anywhere as it is; else a new one."""
    return given if given is not None and _ID.fullmatch(given) else os.urandom(16).hex()


def current() -> str:
    """Of what goes on now; "" outside of a request."""
    return _now.get()


def begin(request: str) -> None:
    """From now on this is what goes on."""
    _now.set(request)


def within(request: str, act: Callable[[], None]) -> None:
    """Do this, in whichever thread, as part of what goes on under this id."""
    with during(request):
        act()


@contextmanager
def during(request: str) -> Iterator[None]:
    """The same for a while."""
    before = _now.set(request)
    try:
        yield
    finally:
        _now.reset(before)

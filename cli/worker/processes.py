"""Processes that a worker has started, wherever they are in the tree; others of the same names are none of ours."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_SET_CHILD_SUBREAPER, _SET_PDEATHSIG = 36, 1


def adopt() -> None:
    """From now on what loses its parent among our descendants becomes our child, and so stays one of them."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1)


def dies_with_us(number: signal.Signals) -> Callable[[], None]:
    """For a new child, before its program: it gets this signal should we be killed."""
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_SET_PDEATHSIG, int(number))


def descendants(of: int, proc: Path = Path("/proc")) -> dict[int, str]:
    """Those that live, with the names of their programs."""
    parents = {int(entry.name): found for entry in proc.glob("[0-9]*") if (found := _stat(entry)) is not None}
    ours = {of}
    while more := {pid for pid, (parent, _) in parents.items() if parent in ours and pid not in ours}:
        ours |= more
    return {pid: parents[pid][1] for pid in ours - {of}}


def named(name: str, of: int) -> list[int]:
    """The descendants of this name."""
    return [pid for pid, program in descendants(of).items() if program == name]


def send(number: signal.Signals, *pids: int) -> None:
    """To those that are still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _stat(entry: Path) -> tuple[int, str] | None:
    """Parent and program of what lives."""
    try:
        text = (entry / "stat").read_text(errors="replace")
    except OSError:
        return None
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    if len(fields) < 2 or fields[0] in "ZX":
        return None
    return int(fields[1]), head.partition("(")[2]

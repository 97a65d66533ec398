"""The broker's door stays open, whatever happens at it."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from prominence.executor.broker import server
from prominence.executor.broker.engine import Engine
from prominence.executor.broker.settings import Settings


class Visitor:
    """A connection."""

    def __init__(self) -> None:
        self.sent_away = False

    def close(self) -> None:
        self.sent_away = True


class Door:
    """A listener that lacks descriptors at first, and is closed behind the last visitor."""

    def __init__(self, *visitors: Visitor) -> None:
        self._coming: list[Visitor | int] = [errno.EMFILE, *visitors]

    def fileno(self) -> int:
        return 3 if self._coming else -1

    def accept(self) -> tuple[Visitor, str]:
        if not self._coming:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        comes = self._coming.pop(0)
        if isinstance(comes, int):
            raise OSError(comes, os.strerror(comes))
        return comes, ""


def test_who_comes_after_descriptors_and_threads_ran_out_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Visitor(), Visitor()
    talked_to: list[Visitor] = []
    over, start, lacking = threading.Event(), threading.Thread.start, [RuntimeError("can't start new thread")]

    def talk(visitor: Visitor, *means: Any) -> None:
        talked_to.append(visitor)
        over.set()

    def start_if_there_is_one(thread: threading.Thread) -> None:
        if lacking:
            raise lacking.pop()
        start(thread)

    monkeypatch.setattr(server, "_talk", talk)
    monkeypatch.setattr(threading.Thread, "start", start_if_there_is_one)
    settings = Settings("pool", "worker", tasks_dir=str(tmp_path))
    server.serve(Door(first, second), Engine(""), settings, server.Sessions(9), None)  # type: ignore[arg-type]
    assert over.wait(30)
    assert (first.sent_away, second.sent_away, talked_to) == (True, False, [second])

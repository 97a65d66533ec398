"""Files that are fetched at once: what happens to the others when nobody wants them any more."""

from __future__ import annotations

import io
import time
from pathlib import Path
from threading import Event
from typing import Any

import requests
from builders_cli import NOON, PretendClock
from patience import PATIENCE

from prominence.cli.commands.fetching import Line, fetch_all
from prominence.cli.kept import Kept
from prominence.cli.surroundings import Surroundings


class Endless(io.RawIOBase):
    """A body that comes byte by byte, for longer than anybody waits."""

    def __init__(self) -> None:
        self.begun, self._until = Event(), time.monotonic() + 20 * PATIENCE

    def read(self, size: int = -1, /) -> bytes:
        self.begun.set()
        return b"x" if time.monotonic() < self._until else b""


class Store(requests.Session):
    """Has one file that is short and one that has no end."""

    def __init__(self) -> None:
        super().__init__()
        self.endless = Endless()

    def request(self, method: Any, url: Any, **_: Any) -> requests.Response:  # type: ignore[override]
        answer = requests.Response()
        answer.status_code = 200
        answer.raw = io.BytesIO(b"short") if url.endswith("short") else self.endless
        return answer


def test_who_is_interrupted_waits_for_no_file(tmp_path: Path) -> None:
    store = Store()
    here = Surroundings({}, tmp_path, tmp_path, 0, PretendClock().clock, lambda: NOON, store)
    wanted = [(Kept(name, f"http://store/{name}", tmp_path / name, None), lambda _: None) for name in ("short", "long")]
    lines = fetch_all(wanted, False, 2, here)
    assert next(lines) == Line("Downloaded short")
    assert store.endless.begun.wait(20 * PATIENCE)
    lines.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == [".long.part", ".long.part.tag", "short"]

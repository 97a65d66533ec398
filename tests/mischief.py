"""A cloud that misbehaves, by chance that can be repeated, and that kills who asks it at a moment of one's choice."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from typing import Any

LATE_S = 1.0
"""How late a list may be."""


class Mischief:
    """Nothing happens before `begin`. share: of the requests, that something is wrong with; hangs_s: see `after`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._share = 0.0
        self._hangs_s = 0.0
        self._chance = random.Random(0)
        self._requests = 0
        self._counted = ""
        self._kill: tuple[int, int, bool, int] | None = None
        self.done: Counter[str] = Counter()

    def begin(self, seed: int = 0, share: float = 0.0, hangs_s: float = 0.0) -> None:
        """From now on. A share of 0 is the end of it."""
        with self._lock:
            self._share, self._hangs_s, self._chance = share, hangs_s, random.Random(seed)

    def kill(self, pid: int, at: int, after: bool, number: int = signal.SIGKILL, of: str = "") -> None:
        """A signal at the request of this number, counted from now: before it is heard, or when all is done but told.

        of: the method of those that count; "" for all.
        """
        with self._lock:
            self._requests, self._kill, self._counted = 0, (pid, at, after, number), of

    def count(self, method: str) -> None:
        """A request has come."""
        with self._lock:
            self._requests += self._counted in ("", method)
        self._strike(after=False)

    def before(self) -> tuple[int, str] | None:
        """Refuse, or throttle: nothing happens."""
        match self._drawn("refused", "throttled", "nothing", "nothing"):
            case "refused":
                return 503, "The server is currently unavailable."
            case "throttled":
                return 429, "This request was rate-limited."
        return None

    def after(self) -> tuple[int, str] | None:
        """All was done: say that it was not, or say nothing until nobody listens any more."""
        self._strike(after=True)
        # Whoever hears nothing waits until it asks again: one silence is as long as many answers.
        match self._drawn(*["failed after acting"] * 3, "hung after acting", *["nothing"] * 4):
            case "failed after acting":
                return 500, "The server has either erred or is incapable of performing the requested operation."
            case "hung after acting":
                time.sleep(self._hangs_s)
        return None

    def times_heard(self) -> int:
        """How often a request for a machine is carried out."""
        return 2 if self._drawn("heard twice", "nothing") == "heard twice" else 1

    def listed(self, there: list[dict[str, Any]], gone: list[tuple[float, dict[str, Any]]]) -> list[dict[str, Any]]:
        """The machines as they are, or as they were a moment ago."""
        now = time.monotonic()
        if self._drawn("listed late", "nothing") != "listed late":
            return there
        known = [one for one in there if now - one["made_at"] > LATE_S]
        return known + [one for at, one in gone if now - at < LATE_S]

    def told(self, server: dict[str, Any]) -> dict[str, Any]:
        """What is said of a machine; now and then it is not true."""
        return {**server, "status": "SHUTOFF"} if self._drawn(*["nothing"] * 9, "lied") == "lied" else server

    def _drawn(self, *kinds: str) -> str:
        with self._lock:
            kind = self._chance.choice(kinds) if self._chance.random() < self._share else "nothing"
            if kind != "nothing":
                self.done[kind] += 1
            return kind

    def _strike(self, after: bool) -> None:
        with self._lock:
            if self._kill is None or self._kill[1] > self._requests or self._kill[2] is not after:
                return
            (pid, _, _, number), self._kill = self._kill, None
        os.kill(pid, number)

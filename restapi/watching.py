"""One watcher for all who wait for a job to change: it looks at all of their jobs at once, and only when something has
happened to any, so that many who wait cost hardly more than one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from prominence.core import logs
from prominence.core.errors import Unavailable

log = logs.get(__name__)


@dataclass(frozen=True)
class Seen:
    """How a job is. is_final: nothing will happen to it any more."""

    version: str
    is_final: bool = False


Look = Callable[[Collection[int]], Mapping[int, Seen]]
"""How jobs are, by id."""

TICK_S = 0.25
LEAST_S, MOST_S = 1.0, 5.0
"""Between two looks: however much happens, and without any sign that something has. Not everything leaves one."""


@dataclass(eq=False)
class Ticket:
    """Somebody waits until the job has another version than this, or has ended."""

    job_id: int
    version: str
    changed: threading.Event = field(default_factory=threading.Event)


class Watcher:
    """pulse: changes whenever something may have happened to a job. most: how many may wait at once.

    The thread that watches is there only while somebody waits.
    """

    def __init__(self, look: Look, pulse: Callable[[], object], most: int) -> None:
        self._look, self._pulse, self._most = look, pulse, most
        self._tickets: set[Ticket] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._seen: object = None
        self._ticks = 0

    @contextmanager
    def ticket(self, job_id: int, version: str) -> Iterator[Ticket | None]:
        """To wait with; None when too many wait already. Whether the job is still as it was is looked at soon."""
        ticket = Ticket(job_id, version)
        if not self._take(ticket):
            yield None
            return
        try:
            yield ticket
        finally:
            with self._lock:
                self._tickets.discard(ticket)

    def start(self) -> None:
        """Watch, in a thread, until nobody waits any more."""
        if self._thread is None:
            self._ticks = round(LEAST_S / TICK_S)  # whoever comes first need not wait for a look
            self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
            self._thread.start()

    def tick(self) -> None:
        """See whether anything has happened, and tell those who wait for it."""
        self._ticks += 1
        since = self._ticks * TICK_S
        pulse = self._pulse() if since >= LEAST_S else self._seen
        if pulse == self._seen and since < MOST_S:
            return
        with self._lock:
            tickets, self._seen = list(self._tickets), pulse
        try:
            jobs = self._look({ticket.job_id for ticket in tickets}) if tickets else {}
        except Unavailable as error:
            log.warning("jobs that are waited for cannot be looked at", error=str(error))
            self._seen = None
            return
        self._ticks = 0
        for ticket in tickets:
            if jobs.get(ticket.job_id) != Seen(ticket.version):
                ticket.changed.set()

    def _take(self, ticket: Ticket) -> bool:
        with self._lock:
            if len(self._tickets) >= self._most:
                return False
            self._tickets.add(ticket)
            self._seen = None  # nobody has looked at this one's job yet
            self.start()
            return True

    def _run(self) -> None:
        while True:
            try:
                self.tick()
            except Exception as error:  # those who wait look for themselves in the end
                log.exception("could not look at the jobs that are waited for", error=repr(error))
            time.sleep(TICK_S)
            with self._lock:
                if not self._tickets:
                    self._thread = None
                    return

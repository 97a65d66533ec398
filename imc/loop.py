"""Round after round, as long as this process leads; at once when there is news, else every few seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from prominence.core import logs
from prominence.core.errors import Unavailable
from prominence.core.keyvalue.election import Election
from prominence.imc.meter import Meter
from prominence.imc.reconcile import Reconciler

log = logs.get(__name__)


class Loop:
    """Runs in one thread; `wake` and `stop` may be called from any."""

    def __init__(
        self, election: Election, interval_s: float, clock: Callable[[], datetime], meter: Meter | None = None
    ) -> None:
        self._meter = meter or Meter()
        self._election = election
        self._interval_s = interval_s
        self._clock = clock
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._fence: int | None = None
        self._trouble = ""
        self._turned_at = clock()

    def wake(self) -> None:
        """There is something to look at."""
        self._news.set()

    def stop(self) -> None:
        """End after the present round."""
        self._stopping.set()
        self._news.set()

    def silent_for_s(self) -> float:
        """How long ago the last turn was: much more than the interval means that it hangs."""
        return (self._clock() - self._turned_at).total_seconds()

    def run(self, reconciler: Reconciler, before: Callable[[], None] = lambda: None) -> None:
        """Until `stop`. before: done ahead of each round."""
        while not self._stopping.is_set():
            self._news.clear()
            try:
                before()
                self.turn(reconciler)
                self._complain("")
            except Unavailable as error:
                self._complain(str(error))
            except Exception:
                log.exception("the round failed by a mistake of ours")
            self._turned_at = self._clock()
            self._news.wait(self._interval_s)

    def turn(self, reconciler: Reconciler) -> None:
        """One round, if we lead."""
        fence = self._election.lead()
        self._meter.leads(fence is not None)
        if fence != self._fence:
            self._fence = fence
            log.info("leads" if fence is not None else "somebody else leads", fence=fence)
        if fence is not None:
            with self._meter.round():
                reconciler.round(may_act=lambda: self._election.lead() == fence)

    def _complain(self, trouble: str) -> None:
        """Once, not every round."""
        if trouble and trouble != self._trouble:
            log.warning("rounds are cut short", error=trouble)
        elif self._trouble and not trouble:
            log.info("rounds are whole again")
        self._trouble = trouble

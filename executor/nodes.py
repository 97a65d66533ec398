"""The nodes of a job that has several: executors on as many machines, which meet in the job's directory.

That is on the access point; each reaches it by HTCondor's connection to its own process of the job, so that nobody
else can write there, no task of the job's own either. Each node tells in a file of its own that it is there. When all
are, the first one runs the tasks, and the others what an MPI starts on them, in their own containers. When one is
lost, all give the job back, and it begins anew as a whole.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any, Callable, NamedTuple, Optional, Protocol, Type, TypeVar

from prominence.core import document
from prominence.executor.accesspoint import AccessPointLost
from prominence.executor.deadline import Walltime
from prominence.executor.meeting import (
    LARGEST,
    Circle,
    Notice,
    notice_file,
)
from prominence.executor.ports import Interrupted, Stop, WorkerLost

T = TypeVar("T")

_LAST_TURN_S = 5.0
"""For what is said last, where the access point is slow."""


class Pace(NamedTuple):
    """Seconds. meet_s: for so long the others are waited for; then the slot is given back, since two jobs might each
    hold half of what it needs. silence_s: for so long one may say nothing: as long as HTCondor waits for a worker.
    look_s: between two looks at what was heard.
    """

    beat_s: float = 0.5
    meet_s: float = 120.0
    silence_s: float = 60.0
    look_s: float = 0.1


class Seat(NamedTuple):
    """Which of how many nodes of which job this one is, on which execute point, and where the others reach it."""

    job: str
    number: int
    nodes: int
    host: str
    address: str


USUAL = Pace()


class Directory(Protocol):
    """The job's on the access point. Raises AccessPointLost."""

    def read(self, name: str, most: int) -> Optional[bytes]:
        """What a file holds, so many bytes of it at most; None: there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""


class NotMet(WorkerLost):
    """The other nodes were not there in time."""


class Node:
    """What the first and the others have in common: a thread that tells and listens."""

    def __init__(self, reach: Callable[[], Directory], seat: Seat, pace: Pace = USUAL) -> None:
        self.job, self.number = seat.job, seat.number
        self.circle = Circle(seat.number, seat.nodes, pace.silence_s)
        self._reach, self._directory = reach, reach()
        self.pace, self._clock = pace, time.monotonic
        self._notice = Notice(os.urandom(8).hex(), host=seat.host, address=seat.address)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._give_up_at = 0.0
        self.walltime: Optional[Walltime] = None
        """Of the tasks, once they are run: it changes on the first node, and on all others with that."""
        self.was_lost = ""
        """Why the job could not go on when that was seen first: what has ended for it does not go on any more."""
        self._thread = threading.Thread(target=self._serve, name="nodes", daemon=True)

    def meet(self, stop: Stop) -> None:
        """Wait until all are there. Raises NotMet, Interrupted."""
        self._thread.start()
        give_up_at = self._clock() + self.pace.meet_s
        while not self._has_met():
            if stop.requested:
                raise Interrupted
            if self._clock() >= give_up_at:
                raise NotMet("the job's other nodes have not started in time")
            time.sleep(self.pace.look_s)

    @property
    def address(self) -> str:
        """Where the others reach it."""
        return self._notice.address

    def lost(self) -> str:
        """Why the job cannot go on, for people; "": it can."""
        with self._lock:
            why = self.circle.lost(self._clock())
        self.was_lost = self.was_lost or why
        return why

    def latest(self, number: int) -> Optional[Notice]:
        """What a node has said last."""
        with self._lock:
            return self.circle.latest(number)

    def say(self, **news: Any) -> None:
        """With the next beat."""
        with self._lock:
            self._notice = self._notice._replace(**news)

    def close(self, insist_s: float = 0.0) -> None:
        """Say what was to be said, and no more. insist_s: for so long where the access point is away; else once."""
        self._give_up_at = self._clock() + insist_s
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(insist_s + _LAST_TURN_S)

    def _has_met(self) -> bool:
        raise NotImplementedError

    def _pass_on(self, directory: Directory) -> None:
        raise NotImplementedError

    def _serve(self) -> None:
        could_be_reached = True
        while True:
            is_last = self._closed.is_set()
            could_be_reached = self._has_taken_turn(could_be_reached)
            if not is_last:
                self._closed.wait(self.pace.beat_s)
            elif could_be_reached or self._clock() >= self._give_up_at:
                return
            else:
                time.sleep(self.pace.beat_s)

    def _has_taken_turn(self, could_be_reached: bool) -> bool:
        try:
            if not could_be_reached:
                self._directory = self._reach()
            self._turn(could_be_reached)
        except AccessPointLost:  # as while it is started again; nobody is to blame for their silence then
            return False
        return True

    def _turn(self, could_be_reached: bool) -> None:
        with self._lock:
            self._notice = self._notice._replace(beat=self._notice.beat + 1)
            notice = self._notice
        self._directory.write(notice_file(self.job, self.number), document.dumps(notice).encode())
        for number in self.circle.others:
            heard = understood(Notice, self._directory.read(notice_file(self.job, number), LARGEST))
            if heard is not None:
                with self._lock:
                    self.circle.hear(number, heard, self._clock())
        if not could_be_reached:
            with self._lock:
                self.circle.forgive(self._clock())
        self._pass_on(self._directory)


class Watched(Stop):
    """Whether this node has to stop: it was told so, or the job cannot go on."""

    def __init__(self, stop: Stop, why: Callable[[], bool]) -> None:
        super().__init__()
        self._stop, self._why = stop, why

    @property
    def requested(self) -> bool:
        """Whether it has."""
        return self._stop.requested or self._why()


def understood(kind: Type[T], text: Optional[bytes]) -> Optional[T]:
    """What cannot be understood is as if it were not there: it comes from another worker."""
    if text is None:
        return None
    try:
        return document.loads(kind, text.decode())
    except (ValueError, RecursionError):
        return None

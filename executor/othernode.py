"""Another node of a job than the first: it is told what to run, and waits for the first one's end."""

from __future__ import annotations

import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import Callable, Deque, NamedTuple, Optional, Tuple

from prominence.core import document
from prominence.core.report import ExecutionReport, NodeReport
from prominence.executor import exits
from prominence.executor.meeting import LARGEST, Launch, Launched, Notice, launch_file, launched_file
from prominence.executor.nodes import USUAL, Directory, Node, Pace, Seat, understood
from prominence.executor.ports import Stop


class Asked(NamedTuple):
    """A launch, and which of them it is."""

    place: int
    launch: Launch


class Other(Node):
    """One that runs what the first asks for."""

    def __init__(self, reach: Callable[[], Directory], seat: Seat, pace: Pace = USUAL) -> None:
        super().__init__(reach, seat, pace)
        self._asked: SimpleQueue[Asked] = SimpleQueue()
        self._answers: Deque[Tuple[int, Launched]] = deque()
        self._next = 1
        self._put_back: Optional[Asked] = None

    def first(self) -> Notice:
        """What the first node says."""
        return self.latest(0) or Notice("")

    def asked(self, wait_s: float) -> Optional[Asked]:
        """The next that is to be run here; None: there is none in this time."""
        if self._put_back is not None:
            asked, self._put_back = self._put_back, None
            return asked
        try:
            return self._asked.get(timeout=wait_s)
        except Empty:
            return None

    def put_back(self, asked: Asked) -> None:
        """Let it be the next again."""
        self._put_back = asked

    def answer(self, asked: Asked, code: int) -> None:
        """What it ended with."""
        self._answers.append((asked.place, Launched(code)))

    def end(self, report: ExecutionReport, stop: Stop) -> int:
        """Tell what became of this node, and wait for the first one's end; what to exit with."""
        self.say(report=_of_node(self.number, report))
        try:
            while not self.first().over:
                if stop.requested:
                    return report.exit_code or exits.STOPPED
                if self.lost():
                    return exits.HANDED_BACK
                time.sleep(self.pace.look_s)
            return 0 if self.first().final else exits.HANDED_BACK
        finally:
            self.close()

    def is_too_late(self) -> bool:
        """Whether the job has ended for good before this node has started."""
        return self.first().final

    def _has_met(self) -> bool:
        with self._lock:
            first = self.circle.latest(0)
            if first is None or self.circle.missing(self._clock()):
                return first is not None and first.final
            if self._notice.attempt not in first.met:
                return False
            self.circle.join()
            return True

    def _pass_on(self, directory: Directory) -> None:
        attempt, walltime_s = self.first().attempt, self.first().walltime_s
        if self.walltime is not None and walltime_s is not None:
            self.walltime.limit_s = walltime_s
        while self._answers:
            place, launched = self._answers[0]
            directory.write(launched_file(attempt, self.number, place), document.dumps(launched).encode())
            self._answers.popleft()  # not before: while the access point is away it is still to be said
        text = directory.read(launch_file(attempt, self.number, self._next), LARGEST) if self._is_joined() else None
        launch = understood(Launch, text)
        if launch is not None:
            self._asked.put(Asked(self._next, launch))
            self._next += 1

    def _is_joined(self) -> bool:
        return self._notice.attempt in self.first().met


def _of_node(number: int, report: ExecutionReport) -> NodeReport:
    return NodeReport(
        number=number,
        outcome=report.outcome,
        host=report.host,
        reason=report.reason,
        details=report.details,
        exit_code=report.exit_code,
        tasks=report.tasks,
        stage_in=report.stage_in,
        cpu_model=report.cpu_model,
    )

"""What the nodes of a job say of themselves, and what one of them makes of what it hears of the others. Pure.

A node says so many times that it is there. What is heard of it for the first time may be of an attempt long ago: it is
there when it has said something new.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Tuple

from prominence.core.report import ExecutionReport, NodeReport

LARGEST = 1024 * 1024
"""Bytes that are read of what another node has written."""


class Notice(NamedTuple):
    """Of one node. attempt: by which its start is told from others; beat: a number that grows.

    host: the execute point; address: where the other nodes reach it. report: what became of it, once it has done its
    part. left: it gives the job back. Of the first node: met: the attempts of all nodes that it has met, in their
    order; task: the number of the one that it is at, and turn: which run of all that were launched on other nodes;
    walltime_s: the job's, which may have changed, None as long as it has told none;
    over: it is about to end, and final: not to begin anew; result: the job's report then, if it is no larger than what
    is read.
    """

    attempt: str
    beat: int = 0
    host: str = ""
    address: str = ""
    report: Optional[NodeReport] = None
    left: bool = False
    met: Tuple[str, ...] = ()
    task: int = -1
    turn: int = 0
    walltime_s: Optional[int] = None
    over: bool = False
    final: bool = False
    result: Optional[ExecutionReport] = None


class Launch(NamedTuple):
    """That a command, which a shell is to read, be run in a container of this task."""

    task: int
    turn: int
    command: str


class Launched(NamedTuple):
    """What came of it."""

    code: int


def notice_file(job: str, number: int) -> str:
    """Its name in the job's directory, which a workflow's job has in common with the one that is run in its place."""
    return f"node-{job}-{number}.json"


def launch_file(attempt: str, number: int, place: int) -> str:
    """Of the launches that the first node's attempt has for another node, counted from 1."""
    return f"launch-{attempt}-{number}-{place}.json"


def launched_file(attempt: str, number: int, place: int) -> str:
    """What came of it."""
    return f"launched-{attempt}-{number}-{place}.json"


class Circle:
    """The others, as far as they are looked at: all by the first node, the first by all."""

    def __init__(self, me: int, count: int, silence_s: float) -> None:
        self._others = tuple(range(1, count)) if me == 0 else (0,)
        self._silence_s = silence_s
        self._heard: Dict[int, Notice] = {}
        self._news_at: Dict[int, float] = {}
        self._attempts: Dict[int, str] = {}

    @property
    def others(self) -> Tuple[int, ...]:
        """Their numbers."""
        return self._others

    def hear(self, number: int, notice: Notice, now: float) -> None:
        """What the node has said last, perhaps the same as before."""
        before = self._heard.get(number)
        if before is not None and before != notice:
            self._news_at[number] = now
        self._heard[number] = notice

    def forgive(self, now: float) -> None:
        """Nobody could be heard until now."""
        self._news_at = {number: now for number in self._news_at}

    def latest(self, number: int) -> Optional[Notice]:
        """What the node has said last; None: nothing yet."""
        return self._heard.get(number)

    def is_here(self, number: int, now: float) -> bool:
        """Whether it can be counted on."""
        notice, at = self._heard.get(number), self._news_at.get(number)
        if notice is None or at is None:
            return False
        return now - at <= self._silence_s and not notice.left and not notice.over

    def missing(self, now: float) -> List[int]:
        """Who is not there yet."""
        return [number for number in self._others if not self.is_here(number, now)]

    def join(self) -> Tuple[str, ...]:
        """From now on those who are here belong together; their attempts."""
        self._attempts = {number: self._heard[number].attempt for number in self._others}
        return tuple(self._attempts.values())

    def lost(self, now: float) -> str:
        """Why what they have begun cannot go on, for people; "": it can."""
        for number, attempt in self._attempts.items():
            notice = self._heard[number]
            if notice.attempt != attempt or notice.left:
                return f"node {number} of the job has begun anew"
            has_done_its_part = notice.report is not None or notice.over
            if not has_done_its_part and now - self._news_at[number] > self._silence_s:
                return f"nothing is heard any more of node {number} of the job, on {notice.host}"
        return ""

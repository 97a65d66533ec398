"""The first node of a job that has several: it has on the others run what its tasks' launchers ask for."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Deque, Dict, Iterator, List, Optional, Tuple

from prominence.core import document
from prominence.core.report import ExecutionReport, NodeReport
from prominence.executor import mpi
from prominence.executor.accesspoint import AccessPointLost
from prominence.executor.launch import AGENT, FAILED, Errands, Request
from prominence.executor.meeting import (
    LARGEST,
    Launch,
    Launched,
    Notice,
    launch_file,
    launched_file,
    notice_file,
)
from prominence.executor.nodes import USUAL, Directory, Node, Pace, Seat, understood
from prominence.executor.ports import Interrupted, Stop, WorkerLost


class First(Node):
    """The one whose tasks these are, and whose end is the job's."""

    def __init__(self, reach: Callable[[], Directory], seat: Seat, pace: Pace = USUAL) -> None:
        super().__init__(reach, seat, pace)
        self._launches: Deque[Tuple[int, Launch, Callable[[int], None]]] = deque()
        self._places: Dict[int, int] = {}
        self._waiting: List[Tuple[int, int, Callable[[int], None]]] = []

    def hosts(self, own: str) -> Tuple[Tuple[str, int], ...]:
        """The workers, as an MPI is told them, each with how many nodes it has: the first by its own host's name.

        What an MPI starts for nodes that share a worker are processes of one container: two daemons in one network
        started, and their processes did not find each other.
        """
        nodes = Counter({self.address: 1})
        nodes.update(notice.address for notice in self._others())
        return tuple((own if address == self.address else address, count) for address, count in nodes.items())

    def node_at(self, address: str) -> Optional[int]:
        """The first of the others that has this address."""
        return next((number for number, one in zip(self.circle.others, self._others()) if one.address == address), None)

    def environment(self) -> Dict[str, str]:
        """By which the task's launcher finds what stands in for ssh."""
        return mpi.environment(AGENT)

    @contextmanager
    def launching(self, task: int, tmp: Path) -> Iterator[None]:
        """Meanwhile what the task's launcher asks for is run on other nodes. tmp: the directory that is its /tmp."""
        errands, over = Errands(tmp), threading.Event()
        turn = self._notice.turn + 1
        self.say(task=task, turn=turn)
        helper = threading.Thread(target=self._run_errands, args=(task, turn, errands, over), daemon=True)
        helper.start()
        try:
            yield
        finally:
            over.set()
            helper.join()
            self.say(turn=turn + 1)

    def gather(self, stop: Stop, number_of_tasks: int, patience_s: float) -> Tuple[NodeReport, ...]:
        """What became of the others, once they have done their part. Raises WorkerLost, Interrupted.

        patience_s: then those have to do that have told.
        """
        self.say(task=number_of_tasks)
        give_up_at = self._clock() + patience_s
        while True:
            reports = self.reports()
            if len(reports) == len(self.circle.others) or self._clock() >= give_up_at:
                return reports
            if lost := self.lost():
                raise WorkerLost(lost)
            if stop.requested:
                raise Interrupted
            time.sleep(self.pace.look_s)

    def reports(self) -> Tuple[NodeReport, ...]:
        """Of those that have done their part."""
        return tuple(one.report for one in self._others() if one.report is not None)

    def earlier(self, stop: Stop) -> Optional[Notice]:
        """The last that it said before it was started again, where that was that the job is over for good.

        As when its output could not be brought home: the others have gone by then. Nothing else is said before that is
        known, since it would take its place. Raises WorkerLost, Interrupted.
        """
        give_up_at = self._clock() + self.pace.silence_s
        while True:
            try:
                before = understood(Notice, self._directory.read(notice_file(self.job, self.number), LARGEST))
                return before if before is not None and before.final else None
            except AccessPointLost as error:
                if self._clock() >= give_up_at:
                    raise WorkerLost(f"the job's directory cannot be reached: {error}") from error
            if stop.requested:
                raise Interrupted
            time.sleep(self.pace.look_s)
            self._directory = self._reach()

    def end(self, result: Optional[ExecutionReport]) -> None:
        """Let the others end, for good with this result, or to begin anew."""
        small = result is not None and len(document.dumps(result)) <= LARGEST // 2
        self.say(over=True, final=result is not None, result=result if small else None)
        # Who does not hear of it takes the first one for lost, and the job would begin anew, which is done.
        self.close(self.pace.silence_s if result is not None else 0.0)

    def _others(self) -> List[Notice]:
        found = (self.latest(number) for number in self.circle.others)
        return [one for one in found if one is not None]

    def _has_met(self) -> bool:
        with self._lock:
            if self.circle.missing(self._clock()):
                return False
            self._notice = self._notice._replace(met=(self._notice.attempt, *self.circle.join()))
            return True

    def _run_errands(self, task: int, turn: int, errands: Errands, over: threading.Event) -> None:
        while not over.wait(self.pace.look_s):
            for request in errands.new():
                self._launch(task, turn, request, errands)

    def _launch(self, task: int, turn: int, request: Request, errands: Errands) -> None:
        number = self.node_at(request.host)
        if number is None:
            errands.answer(request, FAILED)
            return
        self._launches.append((number, Launch(task, turn, request.command), lambda code: errands.answer(request, code)))

    def _pass_on(self, directory: Directory) -> None:
        attempt = self._notice.attempt
        if self.walltime is not None and self.walltime.limit_s != self._notice.walltime_s:
            self.say(walltime_s=self.walltime.limit_s)
        while self._launches:
            number, launch, answer = self._launches[0]
            place = self._places.get(number, 0) + 1
            directory.write(launch_file(attempt, number, place), document.dumps(launch).encode())
            self._launches.popleft()  # not before: while the access point is away it is still to be said
            self._places[number] = place
            self._waiting.append((number, place, answer))
        left = []
        for number, place, answer in self._waiting:
            launched = understood(Launched, directory.read(launched_file(attempt, number, place), LARGEST))
            if launched is None:
                left.append((number, place, answer))
            else:
                answer(launched.code)
        self._waiting = left

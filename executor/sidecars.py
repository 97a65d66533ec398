"""The job's tasks that run beside the others: started before the first, ended with the last of them.

How one ends is nobody's failure, and one that has ended is not started again. What it writes goes to files of its own
on the access point, from the beginning up to a limit, so that it is in nobody's way.
"""

from __future__ import annotations

import os
import threading
from typing import Callable, Dict, List, Optional, Tuple

from prominence.core.plan import ExecutionPlan, output_beside
from prominence.core.report import TaskReport
from prominence.executor.accesspoint import AccessPoint, AccessPointLost
from prominence.executor.bench import Bench
from prominence.executor.deadline import left_s
from prominence.executor.failures import Failure
from prominence.executor.held import Held, with_image
from prominence.executor.ports import Cause, Container, Interrupted, Limits, Output, RuntimeTrouble, Stop
from prominence.executor.tasks import container, why_not_run

LARGEST_OUTPUT = 1024 * 1024
"""Bytes that are kept of each stream."""
_CUT = b"\n[what follows was left out]\n"
_STREAMS = ("stdout", "stderr")
_TELL_S = 2.0
_PIECE = 64 * 1024


class Sidecars:
    """`worker.Company` of a plan. reach: the job's directory on the access point."""

    def __init__(self, plan: ExecutionPlan, bench: Bench, reach: Callable[[], AccessPoint]) -> None:
        self._plan, self._bench = plan, bench
        self._letters = Letters(reach)
        self._stop = Stop()
        self._running: List[_Sidecar] = []
        self._reports: Optional[Tuple[TaskReport, ...]] = None

    def start(self, stop: Stop) -> Optional[Failure]:
        for number in (number for number, task in enumerate(self._plan.tasks) if task.beside):
            task = self._plan.tasks[number]
            try:
                sidecar = self._prepared(number, stop)
                self._running.append(sidecar)
                sidecar.start(self._stop)
                if stop.requested:
                    raise Interrupted
            except (RuntimeTrouble, Interrupted) as error:
                return why_not_run(error, task, self._plan)
        return None

    def end(self) -> Tuple[TaskReport, ...]:
        if self._reports is None:
            self._stop.request()
            self._reports = tuple(sidecar.join() for sidecar in self._running)
            self._letters.close()
        return self._reports

    def _prepared(self, number: int, stop: Stop) -> _Sidecar:
        """Its image is here. Raises RuntimeTrouble, Interrupted."""
        task = self._plan.tasks[number]
        limit_s = left_s(self._plan.pull_limit_s, (one.report.pull_s for one in self._running))
        credential = self._bench.credentials[number] if task.private else None
        held = with_image(task, credential, self._bench, limit_s, stop)
        report = TaskReport(task.image, held.runtime.name, pull_s=held.pull_s, image_digest=held.digest)
        wanted = container(self._plan, number, held, self._bench)
        outputs = [self._letters.written_to(output_beside(stream, number)) for stream in _STREAMS]
        return _Sidecar(wanted, held, report, Output(*outputs), Limits(None, self._plan.grace_s), self._bench.clock)


class _Sidecar:
    def __init__(
        self,
        wanted: Container,
        held: Held,
        report: TaskReport,
        output: Output,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        self._wanted, self._held, self._output, self._limits, self._clock = wanted, held, output, limits, clock
        self.report = report
        self._trouble: Optional[RuntimeTrouble] = None
        self._started = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def start(self, stop: Stop) -> None:
        """Wait until it runs, or has ended. Raises RuntimeTrouble where it could not be run."""
        self._thread = threading.Thread(target=self._run, args=(stop,), name="sidecar", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._trouble is not None:
            raise self._trouble

    def join(self) -> TaskReport:
        if self._thread is not None:
            self._thread.join()
        return self.report

    def _run(self, stop: Stop) -> None:
        began = self._clock()
        try:
            ended = self._held.runtime.accompany(self._wanted, self._output, self._limits, stop, self._started.set)
            self.report = self.report._replace(
                exit_code=None if ended.cause is Cause.NOT_STARTED else ended.exit_code,
                wall_s=round(self._clock() - began, 3),
                image_digest=self._held.digest or ended.image_digest,
            )
        except RuntimeTrouble as error:
            self._trouble = error
        finally:
            for descriptor in self._output:
                os.close(descriptor)
            self._started.set()


class Letters:
    """Files on the access point that grow while something writes. While it cannot be reached they do not."""

    def __init__(self, reach: Callable[[], AccessPoint], every_s: float = _TELL_S) -> None:
        self._reach = reach
        self._every_s = every_s
        self._access_point: Optional[AccessPoint] = None
        self._streams: List[_Stream] = []
        self._sent: Dict[str, int] = {}
        self._over = threading.Event()
        self._thread: Optional[threading.Thread] = None

    def written_to(self, name: str) -> int:
        """A descriptor; what is written there comes into the file of this name. Who has it closes it."""
        stream = _Stream(name)
        self._streams.append(stream)
        if self._thread is None:
            self._thread = threading.Thread(target=self._tell, name="letters", daemon=True)
            self._thread.start()
        return stream.descriptor

    def close(self) -> None:
        """Send the rest. All that write must have ended."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _tell(self) -> None:
        while not self._over.wait(self._every_s):
            self._has_sent()
        for stream in self._streams:
            stream.finish()
        # It may have been started again since it was last spoken with.
        _ = self._has_sent() or self._has_sent()

    def _has_sent(self) -> bool:
        try:
            self._access_point = self._access_point or self._reach()
            self._send(self._access_point)
        except AccessPointLost:
            self._access_point = None
            return False
        return True

    def _send(self, access_point: AccessPoint) -> None:
        for stream in list(self._streams):
            sent = self._sent.get(stream.name)
            content = stream.content(sent or 0)
            if content or sent is None:  # an attempt before this one has left its own there
                self._sent.pop(stream.name, None)  # of what fails nobody knows how much has come: it is written anew
                access_point.extend(stream.name, content, anew=sent is None)
                self._sent[stream.name] = (sent or 0) + len(content)


class _Stream:
    """Reads a pipe to its end; the beginning is kept."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._reading, self.descriptor = os.pipe()
        self._kept = bytearray()
        self._cut = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name=name, daemon=True)
        self._thread.start()

    def content(self, start: int) -> bytes:
        """What has been kept so far, from there on."""
        with self._lock:
            return bytes(self._kept[start:])

    def finish(self) -> None:
        """Wait for the end; who holds the pipe open beyond its own end is not waited for."""
        self._thread.join(_TELL_S)

    def _read(self) -> None:
        with open(self._reading, "rb", buffering=0) as source:
            while True:
                piece = source.read(_PIECE)
                if not piece:
                    return
                with self._lock:
                    self._kept += self._fitting(piece)

    def _fitting(self, piece: bytes) -> bytes:
        if self._cut:
            return b""
        left = LARGEST_OUTPUT - len(self._kept)
        self._cut = len(piece) > left
        return piece[:left] + _CUT if self._cut else piece

"""Carries out what the running job is asked to do, beside its tasks: each order in a thread of its own."""

from __future__ import annotations

import base64
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Callable, List, Mapping, Optional, Protocol, Tuple

from prominence.core import document
from prominence.core.orders import LARGEST_ORDER, LARGEST_OUTPUT, Answer, Order, Refusal, Verb, answer_file, order_file
from prominence.executor.accesspoint import AccessPointLost
from prominence.executor.deadline import Walltime
from prominence.executor.ports import ContainerRuntime, NotRunning, OutOfTime, RuntimeTrouble

_LAST_WORDS_S = 1.0
"""For what still holds the output of a command that has ended."""


class Directory(Protocol):
    """The job's on the access point. Raises AccessPointLost."""

    def read(self, name: str, most: int) -> Optional[bytes]:
        """What a file holds, so many bytes of it at most; None: there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all."""


Act = Callable[[Order], Answer]


class Desk:
    """Where orders come in. acts: what is done, by verb."""

    def __init__(self, directory: Directory, acts: Mapping[Verb, Act], now: Callable[[], float] = time.time) -> None:
        self._directory, self._acts, self._now = directory, acts, now
        self._next = 1
        self._answers: SimpleQueue[Tuple[int, Answer]] = SimpleQueue()

    def serve(self, closed: threading.Event, look_s: float, between: Callable[[], None] = lambda: None) -> None:
        """Look for orders until it is closed. While the access point cannot be reached, whoever asks waits.

        between: what else is said on the same connection, which is one thread's; it may raise AccessPointLost, too.
        """
        while not closed.is_set():
            try:
                while self.look() and not closed.is_set():
                    pass
                self.tell(look_s)
                between()
            except AccessPointLost:
                closed.wait(look_s)  # as its HTCondor is started again

    def look(self) -> bool:
        """Begin the next order, if there is one; whether there was. Raises AccessPointLost."""
        text = self._directory.read(order_file(self._next), LARGEST_ORDER)
        if text is None:
            return False
        if self._directory.read(answer_file(self._next), 1) is None:  # else an earlier attempt of the job has answered
            threading.Thread(target=self._carry_out, args=(self._next, text), daemon=True).start()
        self._next += 1
        return True

    def tell(self, wait_s: float) -> None:
        """Write the answers that there are; where there is none, wait so long for one. Raises AccessPointLost."""
        with suppress(Empty):
            number, answer = self._answers.get(timeout=wait_s)
            while True:
                try:
                    self._directory.write(answer_file(number), document.dumps(answer).encode())
                except AccessPointLost:
                    self._answers.put((number, answer))
                    raise
                number, answer = self._answers.get_nowait()

    def _carry_out(self, number: int, text: bytes) -> None:
        self._answers.put((number, self._answer(text)))

    def _answer(self, text: bytes) -> Answer:
        try:
            order = document.loads(Order, text.decode())
        except ValueError as error:
            return Answer(refusal=Refusal.NOT_UNDERSTOOD, detail=str(error))
        if self._now() > order.expires:
            return Answer(refusal=Refusal.TOO_LATE)
        return self._acts[order.verb](order)


def run_command(order: Order, runtimes: Mapping[str, ContainerRuntime]) -> Answer:
    """Run the order's command in the container that runs, whichever runtime has it."""
    printed = _Printed()
    try:
        code = _enter(order, runtimes, printed.descriptor)
    except NotRunning:
        return Answer(refusal=Refusal.NOT_RUNNING)
    except OutOfTime as error:
        return printed.answer(refusal=Refusal.OUT_OF_TIME, detail=str(error))
    except RuntimeTrouble as error:
        return printed.answer(refusal=Refusal.FAILED, detail=str(error))
    finally:
        printed.close()
    return printed.answer(exit_code=code)


def _enter(order: Order, runtimes: Mapping[str, ContainerRuntime], output: int) -> int:
    for runtime in runtimes.values():
        try:
            return runtime.enter(order.command, output, order.limit_s)
        except NotRunning:
            continue
    raise NotRunning("no container is running")


def take_snapshot(order: Order, home: Path, sandbox: Path) -> Answer:
    """Send a copy of a part of the job's home to where the order says."""
    from prominence.executor import snapshot  # with what speaks HTTP, which takes as long to load as all the rest
    from prominence.executor.adapters.http import HttpWeb

    return snapshot.take(order, home, sandbox, HttpWeb(trusted=order.url))


def change_walltime(order: Order, walltime: Walltime) -> Answer:
    """Let the job's tasks run for as long as the order says, all in all; what has run longer already ends now."""
    if order.walltime_s is None:
        return Answer(refusal=Refusal.NOT_UNDERSTOOD, detail="it says no walltime")
    walltime.limit_s = order.walltime_s
    return Answer(exit_code=0)


class _Printed:
    """What a command prints into `descriptor`: what an answer can hold is kept, the rest is read and forgotten."""

    def __init__(self) -> None:
        self._reading, self.descriptor = os.pipe()
        self._pieces: List[bytes] = []
        self._kept = 0
        self._cut = False
        self._open = True
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Nothing more is coming from us. May be repeated."""
        if self._open:
            os.close(self.descriptor)
            self._open = False

    def answer(self, exit_code: Optional[int] = None, refusal: Optional[Refusal] = None, detail: str = "") -> Answer:
        """With what was printed."""
        self.close()
        self._thread.join(_LAST_WORDS_S)
        output = base64.b64encode(b"".join(self._pieces)).decode()
        return Answer(exit_code, output, self._cut, refusal, detail)

    def _read(self) -> None:
        with open(self._reading, "rb", buffering=0) as source:
            while True:
                piece = source.read(64 * 1024)
                if not piece:
                    return
                fits = piece[: LARGEST_OUTPUT - self._kept]
                self._cut = self._cut or len(fits) < len(piece)
                self._kept += len(fits)
                self._pieces.append(fits)

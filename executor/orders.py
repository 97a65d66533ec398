"""Carries out what the running job is asked to do, beside its tasks, one order after the other."""

from __future__ import annotations

import base64
import os
import threading
import time
from typing import Callable, List, Mapping, Optional, Protocol

from prominence.core import document
from prominence.core.orders import LARGEST_ORDER, LARGEST_OUTPUT, Answer, Order, Refusal, Verb, answer_file, order_file
from prominence.executor.accesspoint import AccessPointLost
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

    def serve(self, closed: threading.Event, look_s: float) -> None:
        """Look for orders until it is closed. Where the access point cannot be reached, whoever asks has no answer."""
        try:
            while not closed.wait(look_s):
                while self.look() and not closed.is_set():
                    pass
        except AccessPointLost:
            return

    def look(self) -> bool:
        """Carry out the next order, if there is one; whether there was. Raises AccessPointLost."""
        text = self._directory.read(order_file(self._next), LARGEST_ORDER)
        if text is None:
            return False
        if self._directory.read(answer_file(self._next), 1) is None:  # else an earlier attempt of the job has answered
            answer = self._carry_out(text)
            self._directory.write(answer_file(self._next), document.dumps(answer).encode())
        self._next += 1
        return True

    def _carry_out(self, text: bytes) -> Answer:
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

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from builders_executor import PretendedRuntime
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import document
from prominence.core.orders import LARGEST_OUTPUT, Answer, Order, Refusal, Verb, answer_file, order_file
from prominence.executor.accesspoint import AccessPointLost
from prominence.executor.deadline import Walltime
from prominence.executor.orders import Act, Desk, change_walltime, run_command
from prominence.executor.ports import NotRunning, OutOfTime, RuntimeFailed

NOW = 1000.0


@dataclass
class Directory:
    """The job's, in memory."""

    files: dict[str, bytes] = field(default_factory=dict)

    def read(self, name: str, most: int) -> bytes | None:
        return self.files[name][:most] if name in self.files else None

    def write(self, name: str, content: bytes) -> None:
        self.files[name] = content

    def order(self, number: int, expires: float = NOW + 1, text: str = "") -> None:
        order = Order(Verb.RUN, expires, ("echo", str(number)))
        self.files[order_file(number)] = (text or document.dumps(order)).encode()

    def answer(self, number: int) -> Answer:
        return document.loads(Answer, self.files[answer_file(number)].decode())


def a_desk(directory: Directory, act: Act = lambda order: Answer(exit_code=int(order.command[1]))) -> Desk:
    return Desk(directory, {Verb.RUN: act}, lambda: NOW)


def answered(desk: Desk, directory: Directory, *numbers: int) -> None:
    """These orders have been given, and their answers waited for."""
    while desk.look():
        pass
    while not all(answer_file(number) in directory.files for number in numbers):
        desk.tell(10)


def test_orders_are_carried_out_by_their_numbers() -> None:
    directory = Directory()
    desk = a_desk(directory)
    assert not desk.look()
    for number in (2, 1, 3):
        directory.order(number)
    assert [desk.look() for _ in range(4)] == [True, True, True, False]
    answered(desk, directory, 1, 2, 3)
    assert [directory.answer(number).exit_code for number in (1, 2, 3)] == [1, 2, 3]


def test_what_an_earlier_attempt_has_answered_is_not_done_again() -> None:
    directory = Directory()
    directory.order(1)
    directory.order(2)
    directory.files[answer_file(1)] = b"{}"
    answered(a_desk(directory), directory, 2)
    assert directory.files[answer_file(1)] == b"{}"
    assert directory.answer(2).exit_code == 2


class Lossy(Directory):
    """Which is away for the first questions."""

    away = 3

    def _reached(self) -> None:
        if self.away:
            self.away -= 1
            raise AccessPointLost("it has hung up")

    def read(self, name: str, most: int) -> bytes | None:
        self._reached()
        return super().read(name, most)

    def write(self, name: str, content: bytes) -> None:
        self._reached()
        super().write(name, content)


def test_orders_are_carried_out_when_the_access_point_is_back() -> None:
    directory = Lossy()
    directory.order(1)
    closed = threading.Event()
    a_desk(directory).serve(closed, 0.01, lambda: closed.set() if answer_file(1) in directory.files else None)
    assert directory.answer(1).exit_code == 1


def test_an_answer_that_could_not_be_written_is_written_later() -> None:
    directory = Lossy()
    directory.away = 0
    directory.order(1)
    desk = a_desk(directory)
    assert desk.look()
    directory.away = 1
    with pytest.raises(AccessPointLost):
        desk.tell(10)
    desk.tell(10)
    assert directory.answer(1).exit_code == 1


def test_what_nobody_waits_for_any_more_is_not_done() -> None:
    directory = Directory()
    directory.order(1, expires=NOW - 1)
    answered(a_desk(directory), directory, 1)
    assert directory.answer(1).refusal is Refusal.TOO_LATE


def test_an_order_does_not_wait_for_another_that_takes_long() -> None:
    directory, second_is_done = Directory(), threading.Event()

    def act(order: Order) -> Answer:
        if order.command[1] == "2":
            second_is_done.set()
            return Answer(exit_code=2)
        return Answer(exit_code=1 if second_is_done.wait(30) else 0)

    directory.order(1)
    directory.order(2)
    answered(a_desk(directory, act), directory, 1, 2)
    assert [directory.answer(number).exit_code for number in (1, 2)] == [1, 2]


@given(st.text(min_size=1))
def test_whatever_an_order_says_the_next_is_carried_out(text: str) -> None:
    directory = Directory()
    directory.order(1, text=text.encode(errors="replace").decode())
    directory.order(2)
    answered(a_desk(directory), directory, 1, 2)
    assert directory.answer(1).refusal is Refusal.NOT_UNDERSTOOD
    assert directory.answer(2).exit_code == 2


class Entered(PretendedRuntime):
    """A container runs, and a command in it does this."""

    def __init__(self, act: Callable[[int], int]) -> None:
        super().__init__()
        self.act = act

    def enter(self, command: Sequence[str], output: int, limit_s: float) -> int:
        return self.act(output)


ORDER = Order(Verb.RUN, NOW, ("ls",))


def test_what_a_command_prints_is_its_answer() -> None:
    def prints(output: int) -> int:
        os.write(output, b"\xff one\n")
        return 3

    runtimes = {"docker": PretendedRuntime(), "apptainer": Entered(prints)}
    assert run_command(ORDER, runtimes) == Answer(exit_code=3, output=base64.b64encode(b"\xff one\n").decode())


def test_of_what_is_too_much_the_beginning_is_kept() -> None:
    def prints(output: int) -> int:
        with open(output, "wb", closefd=False) as stream:
            stream.write(b"x" * (LARGEST_OUTPUT + 1))
        return 0

    answer = run_command(ORDER, {"docker": Entered(prints)})
    assert (len(base64.b64decode(answer.output)), answer.cut) == (LARGEST_OUTPUT, True)


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (NotRunning("gone"), Refusal.NOT_RUNNING),
        (OutOfTime("too long"), Refusal.OUT_OF_TIME),
        (RuntimeFailed("oh"), Refusal.FAILED),
    ],
)
def test_why_a_command_could_not_be_run_is_told(error: Exception, refusal: Refusal) -> None:
    def fails(output: int) -> int:
        raise error

    assert run_command(ORDER, {"docker": Entered(fails)}).refusal is refusal


def test_without_a_container_nothing_can_be_run() -> None:
    assert run_command(ORDER, {"docker": PretendedRuntime()}).refusal is Refusal.NOT_RUNNING


def test_a_walltime_is_what_all_tasks_may_have_from_now_on() -> None:
    walltime = Walltime(60)
    assert change_walltime(Order(Verb.WALLTIME, NOW, walltime_s=3600), walltime) == Answer(exit_code=0)
    assert walltime.limit_s == 3600
    assert change_walltime(Order(Verb.WALLTIME, NOW), walltime).refusal is Refusal.NOT_UNDERSTOOD
    assert walltime.limit_s == 3600

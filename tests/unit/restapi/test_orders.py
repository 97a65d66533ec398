"""Commands that are run in jobs; the job's side is played by what sleeps while the API waits."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from builders_restapi import Api, an_api

from prominence.core import document
from prominence.core.errors import Conflict, TooMany, Unavailable
from prominence.core.orders import Answer, Order, Refusal, answer_file, order_file
from prominence.restapi.identity import Identity
from prominence.restapi.orders import LONGEST_COMMAND, Desk, Printed

ALICE = Identity("alice", ("physics",))
LS = {"command": ["ls", "a b", "$HOME", "x,y"]}


class Executor:
    """What a running job does with its orders: it answers those that it has an answer for, after a second."""

    def __init__(self, api: Api, *answers: Answer | bytes) -> None:
        self.api, self.answers = api, list(answers)
        self.now = 0.0
        self.orders: list[Order] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += 1.0
        files = self.api.sandboxes.files[self.api.uid(1)]
        number = len(self.orders) + 1
        if not self.answers or order_file(number) not in files:
            return
        self.orders.append(document.loads(Order, files[order_file(number)].decode()))
        answer = self.answers.pop(0)
        files[answer_file(number)] = answer if isinstance(answer, bytes) else document.dumps(answer).encode()

    def run(self, body: Any = LS) -> Printed:
        return Desk(self.api.services, self.clock, self.sleep).run(1, body, ALICE)


@pytest.fixture
def api() -> Api:
    api = an_api()
    api.submit()
    api.run(1)
    return api


def test_the_words_arrive_as_they_are_and_what_is_printed_comes_back(api: Api) -> None:
    executor = Executor(api, Answer(exit_code=3, output=base64.b64encode(b"\xff").decode(), cut=True))
    assert executor.run() == Printed(3, b"\xff", cut=True)
    assert executor.orders[0].command == ("ls", "a b", "$HOME", "x,y")


def test_afterwards_nothing_of_it_takes_room_and_numbers_go_on(api: Api) -> None:
    executor = Executor(api, Answer(exit_code=0), Answer(exit_code=1))
    assert [executor.run().exit_code for _ in range(2)] == [0, 1]
    files = api.sandboxes.files[api.uid(1)]
    assert {files[name(number)] for name in (order_file, answer_file) for number in (1, 2)} == {b"{}"}


def test_a_worker_that_does_not_answer_is_not_waited_for_for_ever(api: Api) -> None:
    executor = Executor(api)
    with pytest.raises(Unavailable, match="does not answer"):
        executor.run()
    assert executor.now < 60


@pytest.mark.parametrize("answer", [b"", b"x" * 3_000_000, b"{}x", b'{"exit_code": "0"}', b"\xff", b'{"output": 1}'])
def test_an_answer_that_is_none_is_said_to_be(api: Api, answer: bytes) -> None:
    with pytest.raises(Unavailable):
        Executor(api, answer).run()


@pytest.mark.parametrize("refusal", Refusal)
def test_why_it_was_not_run_is_said(api: Api, refusal: Refusal) -> None:
    with pytest.raises(Conflict) as caught:
        Executor(api, Answer(refusal=refusal, detail="the reason")).run()
    assert "job 1" in str(caught.value) or "took longer" in str(caught.value)


def test_no_more_wait_at_once_than_may(api: Api) -> None:
    api = an_api(most_waiting=1)
    api.submit()
    api.run(1)
    nested: list[Exception] = []
    executor = Executor(api, Answer(exit_code=0))
    desk = Desk(api.services, executor.clock, lambda seconds: again(seconds))

    def again(seconds: float) -> None:
        try:
            desk.run(1, LS, ALICE)
        except TooMany as error:
            nested.append(error)
        executor.sleep(seconds)

    assert desk.run(1, LS, ALICE).exit_code == 0
    assert nested


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"command": []},
        {"command": "ls"},
        {"command": ["ls", 1]},
        {"command": ["a\0b"]},
        {"command": ["x" * (LONGEST_COMMAND + 1)]},
        {"command": ["ls"], "shell": True},
        ["ls"],
    ],
)
def test_what_is_no_command_is_refused(api: Api, body: Any) -> None:
    assert api.call("POST", "/jobs/1/commands", json=body).status_code == 400


def ended(api: Api) -> None:
    api.finish(1)


def waiting(api: Api) -> None:
    api.submit()


@pytest.mark.parametrize(("change", "job"), [(ended, 1), (waiting, 2)])
def test_a_job_that_does_not_run_is_not_asked(api: Api, change: Callable[[Api], None], job: int) -> None:
    change(api)
    answer = api.call("POST", f"/jobs/{job}/commands", json=LS)
    assert answer.status_code == 409
    assert answer.json is not None and "is not running" in answer.json["error"]

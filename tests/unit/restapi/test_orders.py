"""What is asked of running jobs; the job's side is played by what sleeps while the API waits."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from builders_restapi import Api, an_api

from prominence.core import classads, document, plan
from prominence.core.errors import Conflict, TooMany, Unavailable
from prominence.core.jobid import JobId
from prominence.core.orders import Answer, Order, Refusal, Verb, answer_file, order_file
from prominence.core.plan import ExecutionPlan
from prominence.restapi import actions, commands, snapshots
from prominence.restapi.commands import LONGEST_COMMAND, Printed
from prominence.restapi.identity import Identity
from prominence.restapi.limits import Limits
from prominence.restapi.orders import Desk
from prominence.restapi.retention.sweep import sweep
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services

ALICE = Identity("alice", ("physics",))
JOB = JobId(1)
LS = {"command": ["ls", "a b", "$HOME", "x,y"]}


class Executor:
    """What a running job does with its orders: it answers those that it has an answer for, after a second.

    unanswered: so many orders have been given before.
    """

    def __init__(self, api: Api, *answers: Answer | bytes, unanswered: int = 0) -> None:
        self.api, self.answers, self.unanswered = api, list(answers), unanswered
        self.now = 0.0
        self.orders: list[Order] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += 1.0
        files = self.api.sandboxes.files[self.api.uid(1)]
        number = self.unanswered + len(self.orders) + 1
        if not self.answers or order_file(number) not in files:
            return
        self.orders.append(document.loads(Order, files[order_file(number)].decode()))
        answer = self.answers.pop(0)
        files[answer_file(number)] = answer if isinstance(answer, bytes) else document.dumps(answer).encode()

    def services(self, most: int = 100, sleep: Callable[[float], None] | None = None) -> Services:
        """The API's, where somebody answers."""
        return replace(self.api.services, desk=Desk(self.api.sandboxes, most, self.clock, sleep or self.sleep))

    def run(self, body: Any = LS) -> Printed:
        return commands.run(JOB, body, ALICE, self.services())


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
    nested: list[Exception] = []
    executor = Executor(api, Answer(exit_code=0))

    def again(seconds: float) -> None:
        try:
            commands.run(JOB, LS, ALICE, services)
        except TooMany as error:
            nested.append(error)
        executor.sleep(seconds)

    services = executor.services(most=1, sleep=again)
    assert commands.run(JOB, LS, ALICE, services).exit_code == 0
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


class TestSnapshots:
    def test_a_copy_is_asked_for_and_can_be_fetched(self, api: Api) -> None:
        executor = Executor(api, Answer(exit_code=0))
        snapshots.take(JOB, "results", ALICE, executor.services())
        [order] = executor.orders
        assert order.path == "results"
        api.objects.put(order.url, b"archive")
        answer = api.call("GET", "/jobs/1/snapshot")
        assert answer.json is not None
        assert api.objects.get(answer.json["url"]) == b"archive"

    def test_it_counts_for_the_jobs_user_once_it_has_been_looked_at(self, api: Api) -> None:
        executor = Executor(api, Answer(exit_code=0), Answer(exit_code=0))
        snapshots.take(JOB, "results", ALICE, executor.services())
        api.objects.put(executor.orders[0].url, b"archive")
        sweep(api.services)
        assert api.get("/quota")["user"]["outputs"] == len(b"archive")
        snapshots.take(JOB, "results", ALICE, executor.services())
        assert api.get("/quota")["user"]["outputs"] == len(b"archive")

    def test_there_is_none_before(self, api: Api) -> None:
        answer = api.call("GET", "/jobs/1/snapshot")
        assert (answer.status_code, answer.json) == (
            400,
            {"error": "There is no snapshot of job 1.", "reasonCode": "NotFound"},
        )

    def test_a_file_that_is_not_there_is_said(self, api: Api) -> None:
        executor = Executor(api, Answer(refusal=Refusal.NO_SUCH_FILE, detail="No such file or directory"))
        with pytest.raises(Conflict, match="no such file or directory in the home of job 1"):
            snapshots.take(JOB, "x", ALICE, executor.services())

    def test_without_room_nothing_is_asked(self) -> None:
        api = an_api(limits=Limits(user_quota=0))
        api.submit()
        api.run(1)
        assert api.call("PUT", "/jobs/1/snapshot?path=a").status_code == 507
        assert order_file(1) not in api.sandboxes.files[api.uid(1)]

    def test_a_path_is_needed(self, api: Api) -> None:
        assert api.call("PUT", "/jobs/1/snapshot").status_code == 400


class TestWalltime:
    CHANGE = {"resources": {"walltime": 7}}

    def test_a_job_that_runs_is_told_and_begins_anew_with_no_less(self, api: Api) -> None:
        executor = Executor(api, Answer(exit_code=0))
        actions.edit(JOB, self.CHANGE, ALICE, executor.services())
        [order] = executor.orders
        assert (order.verb, order.walltime_s) == (Verb.WALLTIME, 420)
        assert api.describe(1)["resources"]["walltime"] == 7
        planned = document.loads(ExecutionPlan, api.sandboxes.files[api.uid(1)][plan.FILE_NAME].decode())
        assert planned.walltime_s == 420
        [ad] = api.queue.find(Selection(ids=(1,)))
        assert ad[classads.WALLTIME] == 420

    def test_where_the_worker_does_not_answer_the_same_request_does_all_of_it_again(self, api: Api) -> None:
        before = api.describe(1)["resources"]
        with pytest.raises(Unavailable):
            actions.edit(JOB, self.CHANGE, ALICE, Executor(api).services())
        assert api.describe(1)["resources"] == before
        executor = Executor(api, Answer(exit_code=0), Answer(exit_code=0), unanswered=1)
        for _ in range(2):
            actions.edit(JOB, self.CHANGE, ALICE, executor.services())
        assert [order.walltime_s for order in executor.orders] == [420, 420]
        assert api.describe(1)["resources"]["walltime"] == 7

    @pytest.mark.parametrize("more", [{"labels": {"a": "b"}}, {"policies": {"priority": 3}}])
    def test_nothing_else_of_it_can_change(self, more: dict[str, Any], api: Api) -> None:
        answer = api.call("PATCH", "/jobs/1", json={**self.CHANGE, **more})
        assert answer.status_code == 409
        assert answer.json is not None and "Only its walltime can change." in answer.json["error"]
        assert order_file(1) not in api.sandboxes.files[api.uid(1)]

    def test_a_job_that_waits_is_asked_nothing(self, api: Api) -> None:
        job = api.submit()
        assert api.call("PATCH", f"/jobs/{job}", json=self.CHANGE).status_code == 200
        assert order_file(1) not in api.sandboxes.files[api.uid(job)]

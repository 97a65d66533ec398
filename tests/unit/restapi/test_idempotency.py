"""A request with a key makes one job, whatever happens to it and however often it comes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from builders import job_json
from builders_restapi import Api, an_api
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from prominence.cli.transport import KNOWN_AGAIN
from prominence.core.errors import Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.keyvalue.port import Lease
from prominence.core.states import JobStatus
from prominence.restapi.adapters.memory import MemoryQueue
from prominence.restapi.idempotency import CLAIM_S, MARGIN_S
from prominence.restapi.selection import Selection
from prominence.restapi.translate.submit import SubmitDescription

KEY = "b7e9c0a2"
ANY = Selection()


def post(api: Api, key: str = KEY, **changes: Any) -> TestResponse:
    return api.call("POST", "/jobs", json=job_json(**changes), headers={"Idempotency-Key": key})


def created(answer: TestResponse) -> int:
    assert answer.status_code == 201, answer.text
    assert answer.json is not None
    return int(answer.json["id"])


def refused(answer: TestResponse) -> tuple[int, str]:
    assert answer.json is not None
    return answer.status_code, answer.json["error"]


def jobs(api: Api) -> int:
    return len(api.get("/jobs?all"))


class Queue(MemoryQueue):
    """Does `first` before it queues a job, and `then` after it."""

    def __init__(self) -> None:
        super().__init__()
        self.first: Callable[[], object] = lambda: None
        self.then: Callable[[], object] = lambda: None

    def submit(self, description: SubmitDescription, count: int = 1) -> int:
        self.first()
        job = super().submit(description, count)
        self.then()
        return job


class Crash(BaseException):
    """The process ends here."""


def crash() -> None:
    raise Crash


def an_api_with(queue: Queue, **changes: Any) -> Api:
    api = an_api(queue=queue, **changes)
    api.queue = queue
    return api


def test_a_repeated_request_is_answered_with_the_job_that_there_is() -> None:
    api = an_api()
    job = created(post(api))
    assert created(post(api)) == job
    api.run(job)
    api.finish(job)
    assert created(post(api)) == job
    assert jobs(api) == 1


def test_without_a_key_and_with_another_key_or_user_it_is_another_request() -> None:
    api = an_api()
    ids = {created(post(api)), created(post(api, "other")), created(post(api.as_user("bob"))), api.submit()}
    assert len(ids) == 4


def test_a_key_is_not_good_for_another_request() -> None:
    api = an_api()
    created(post(api))
    assert refused(post(api, name="another")) == (
        409,
        "Another request came with this Idempotency-Key before; take a new one.",
    )
    assert jobs(api) == 1


def test_a_key_of_a_request_that_was_refused_can_be_used_again() -> None:
    api = an_api()
    assert refused(post(api, resources={}, name="\n"))[0] == 400
    created(post(api))


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256, "a\tb"])
def test_what_is_no_key_is_refused(key: str) -> None:
    assert refused(post(an_api(), key))[0] == 400


def test_after_a_day_it_is_another_request() -> None:
    now = [0.0]
    api = an_api(store=MemoryKeyValue(lambda: now[0]), remember_s=100)
    job = created(post(api))
    now[0] = 99
    assert created(post(api)) == job
    now[0] = 101
    assert created(post(api)) != job


def test_a_job_whose_submitter_never_heard_of_it_is_found() -> None:
    api = an_api()
    api.queue.loses_answers = True
    job = created(post(api))
    assert created(post(api)) == job
    assert jobs(api) == 1


def test_a_job_that_may_have_been_queued_is_looked_for_before_another_is_made() -> None:
    queue = Queue()
    api = an_api_with(queue)

    def fail() -> None:
        queue.unavailable = "The schedd is away."
        raise Unavailable(queue.unavailable)

    queue.then = fail
    assert post(api).status_code == post(api).status_code == 503
    queue.unavailable, queue.then = "", lambda: None
    created(post(api))
    assert jobs(api) == 1


def test_a_job_that_was_not_queued_is_submitted_by_the_next_request_at_once() -> None:
    api = an_api()
    api.queue.unavailable = "The schedd is away."
    assert post(api).status_code == 503
    api.queue.unavailable = ""
    created(post(api))
    assert jobs(api) == 1


def test_a_crash_after_the_job_was_queued_makes_no_second_one() -> None:
    queue = Queue()
    api = an_api_with(queue)
    queue.then = crash
    with pytest.raises(Crash):
        post(api)
    queue.then = lambda: None
    created(post(api))
    api.clock.advance(CLAIM_S + 1)
    created(post(api))
    assert jobs(api) == 1


def test_a_client_that_does_as_it_is_told_outlasts_a_crash() -> None:
    queue = Queue()
    api = an_api_with(queue)
    queue.first = crash
    with pytest.raises(Crash):
        post(api)
    queue.first = lambda: None
    pauses = []
    while (answer := post(api)).status_code == 503:
        pauses.append(int(answer.headers["Retry-After"]))
        api.clock.advance(pauses[-1] + 0.01)
    created(answer)
    assert jobs(api) == 1
    assert pauses[:4] == [2, 3, 6, 12]
    assert max(pauses) <= 30
    assert KNOWN_AGAIN.status is not None
    assert len(pauses) <= KNOWN_AGAIN.status


def test_a_crash_before_the_job_was_queued_makes_the_next_one_wait_and_then_submit() -> None:
    queue = Queue()
    api = an_api_with(queue)
    queue.first = crash
    with pytest.raises(Crash):
        post(api)
    queue.first = lambda: None
    answer = post(api)
    assert refused(answer) == (503, "The same request is being worked on.")
    assert answer.headers["Retry-After"]
    api.clock.advance(CLAIM_S + 1)
    job = created(post(api))
    assert created(post(api)) == job
    assert jobs(api) == 1


class Flaky(MemoryKeyValue):
    """Fails the writes whose turn it is, before or after it does them."""

    def __init__(self, *turns: int, done: bool = False) -> None:
        super().__init__()
        self._turns, self._done, self._writes = turns, done, 0

    def put_if(self, key: str, value: bytes, expected: int | None, lease: Lease | None = None) -> int:
        self._writes += 1
        fails = self._writes in self._turns
        if fails and not self._done:
            raise Unavailable("etcd is away.")
        revision = super().put_if(key, value, expected, lease)
        if fails:
            raise Unavailable("etcd is away.")
        return revision


@pytest.mark.parametrize("done", [False, True])
def test_a_store_that_fails_before_the_job_is_queued_makes_no_job(done: bool) -> None:
    api = an_api(store=Flaky(1, done=done))
    assert post(api).status_code == 503
    assert jobs(api) == 0
    api.clock.advance(CLAIM_S + 1)
    created(post(api))
    assert jobs(api) == 1


@pytest.mark.parametrize("done", [False, True])
def test_a_store_that_fails_after_the_job_was_queued_takes_nothing_away(done: bool) -> None:
    api = an_api(store=Flaky(2, 3, done=done))
    job = created(post(api))
    assert [created(post(api)) for _ in range(3)] == [job] * 3
    assert jobs(api) == 1


def test_a_store_that_is_away_refuses_what_could_not_be_known_again() -> None:
    api = an_api()
    api.store.unavailable = "etcd is away."
    assert post(api).status_code == 503
    api.store.unavailable = ""
    assert jobs(api) == 0


def test_who_was_paused_for_too_long_does_not_submit_any_more() -> None:
    queue = Queue()
    api = an_api_with(queue)
    sandboxes = api.sandboxes
    make = sandboxes.make

    def paused(*arguments: Any) -> str:
        sandboxes.make = make  # type: ignore[method-assign]
        api.clock.advance(CLAIM_S + 1)
        created(post(api))
        return make(*arguments)

    sandboxes.make = paused  # type: ignore[method-assign]
    assert refused(post(api)) == (503, "This took too long, and the job was not submitted.")
    assert jobs(api) == 1
    created(post(api))
    assert jobs(api) == 1


def test_who_is_nearly_out_of_time_leaves_it_to_the_next() -> None:
    api = an_api()
    make = api.sandboxes.make

    def slow(*arguments: Any) -> str:
        api.clock.advance(CLAIM_S - MARGIN_S + 1)
        return make(*arguments)

    api.sandboxes.make = slow  # type: ignore[method-assign]
    assert post(api).status_code == 503
    api.sandboxes.make = make  # type: ignore[method-assign]
    created(post(api))
    assert jobs(api) == 1


def test_of_many_equal_requests_at_once_one_makes_a_job() -> None:
    queue, started = Queue(), threading.Event()
    api = an_api_with(queue)
    queue.first = lambda: started.wait(5)
    answers: list[TestResponse] = []
    threads = [threading.Thread(target=lambda: answers.append(post(api))) for _ in range(8)]
    for thread in threads:
        thread.start()
    started.set()
    for thread in threads:
        thread.join()
    ids = {created(answer) for answer in answers if answer.status_code == 201}
    assert len(ids) == 1
    assert {answer.status_code for answer in answers} <= {201, 503}
    assert jobs(api) == 1


def test_a_job_that_is_gone_and_not_booked_yet_makes_no_second_one() -> None:
    queue = Queue()
    api = an_api_with(queue)
    queue.then = crash
    with pytest.raises(Crash):
        post(api)
    queue.then = lambda: None
    queue.leave(1, JobStatus.COMPLETED)
    api.clock.advance(CLAIM_S + 1)
    api.archive.is_behind = True
    assert refused(post(api)) == (503, "It is not known yet what became of the same request before.")
    api.archive.is_behind = False
    assert created(post(api)) == 1
    assert len(queue.find(ANY)) + len(queue.left) == 1


HAPPENS = ["post", "crash before", "crash after", "lost", "store", "wait", "finish", "behind"]
EVENTS = st.lists(st.sampled_from(HAPPENS), max_size=12)


@given(EVENTS)
def test_whatever_happens_there_is_never_a_second_job(events: list[str]) -> None:
    queue = Queue()
    api = an_api_with(queue)
    for event in events:
        queue.first, queue.then = (crash if f"crash {when}" == event else lambda: None for when in ("before", "after"))
        queue.loses_answers = event == "lost"
        api.store.unavailable = "etcd is away." if event == "store" else ""
        api.archive.is_behind = event == "behind"
        if event == "wait":
            api.clock.advance(CLAIM_S + 1)
        elif event == "finish" and queue.find(ANY):
            queue.leave(1, JobStatus.COMPLETED)
        else:
            with contextlib.suppress(Crash):
                assert post(api).status_code in (201, 503)
    queue.first = queue.then = lambda: None
    queue.loses_answers, api.store.unavailable, api.archive.is_behind = False, "", False
    api.clock.advance(CLAIM_S + 1)
    created(post(api))
    assert len(queue.find(ANY)) + len(queue.left) == 1

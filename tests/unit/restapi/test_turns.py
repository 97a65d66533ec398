"""How much one user may ask for, and that it takes nothing from the others."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from builders_restapi import Api, an_api
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import TooMany
from prominence.restapi.bucket import Bucket
from prominence.restapi.recent import Recent
from prominence.restapi.selection import Selection
from prominence.restapi.tally import FULL_IS_GOOD_FOR_S
from prominence.restapi.turns import COUNT_IS_GOOD_FOR_S, Queued, Requests


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.floats(0.1, 50), st.integers(1, 20), st.lists(st.floats(0, 3), max_size=80))
def test_a_bucket_never_lets_more_through_than_it_should(per_s: float, most: int, pauses: list[float]) -> None:
    clock = Clock()
    bucket, taken = Bucket(per_s, most, clock), 0
    for pause in pauses:
        clock.now += pause
        taken += bucket.take()
        assert taken <= most + clock.now * per_s + 1e-6
    clock.now += bucket.wait_s() + 1e-6
    assert bucket.take()


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0, 4)), max_size=40))
def test_what_is_remembered_is_neither_old_nor_too_much(puts: list[tuple[str, float]]) -> None:
    clock = Clock()
    recent: Recent[float] = Recent(5, 3, clock)
    for key, pause in puts:
        clock.now += pause
        recent.put(key, clock.now)
        found = [at for at in map(recent.get, "abcdef") if at is not None]
        assert len(found) <= 3
        assert all(clock.now - at < 5 for at in found)
        assert recent.get(key) == clock.now


class TestRequests:
    def test_who_asks_too_often_is_told_when_to_ask_again_and_others_are_not(self) -> None:
        clock = Clock()
        api = an_api(requests=Requests(0.5, 3, clock))
        for _ in range(3):
            assert api.call("GET", "/whoami").status_code == 200
        answer = api.call("GET", "/whoami")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
        assert answer.json == {
            "error": "More than 0.5 requests a second; try again in 2 s.",
            "reasonCode": "TooManyRequests",
        }
        assert api.as_user("bob").call("GET", "/whoami").status_code == 200
        assert api.client.get("/prominence/v1/health").status_code == 204
        clock.now += 2
        assert api.call("GET", "/whoami").status_code == 200
        assert api.call("GET", "/whoami").status_code == 429

    def test_no_limit_is_none(self) -> None:
        requests = Requests(0, 1, Clock())
        for _ in range(1000):
            requests.take("alice")


def an_api_for(most: int, clock: Callable[[], float]) -> Api:
    api = an_api()
    queued = Queued(most, lambda user, bound: api.queue.count(Selection(user=user), bound), clock)
    return an_api(queue=api.queue, sandboxes=api.sandboxes, queued=queued)


class TestQueued:
    def test_a_user_has_so_many_jobs_in_the_queue_and_no_more(self) -> None:
        clock = Clock()
        api = an_api_for(2, clock)
        ids = [api.submit() for _ in range(2)]
        answer = api.call("POST", "/jobs", json={"tasks": [{"image": "a"}], "resources": {}})
        assert answer.status_code == 429
        assert "Retry-After" not in answer.headers
        assert answer.json == {
            "error": "You have 2 jobs in the queue, and may have 2; wait until some have ended, or delete some.",
            "reasonCode": "QueueLimitReached",
        }
        api.as_user("bob").submit()
        api.call("DELETE", f"/jobs/{ids[0]}")
        clock.now += FULL_IS_GOOD_FOR_S
        api.submit()

    def test_a_refused_request_leaves_nothing_behind(self) -> None:
        api = an_api_for(1, Clock())
        api.submit()
        before = dict(api.sandboxes.files)
        assert api.call("POST", "/jobs", json={"tasks": [{"image": "a"}], "resources": {}}).status_code == 429
        assert api.sandboxes.files == before

    def test_the_queue_is_counted_now_and_then_only(self) -> None:
        clock, counted = Clock(), []
        queued = Queued(100, lambda user, most: counted.append(user) or 0, clock)
        for _ in range(90):
            queued.take("alice")
        assert counted == ["alice"]
        clock.now += COUNT_IS_GOOD_FOR_S
        queued.take("alice")
        assert counted == ["alice", "alice"]

    def test_before_anybody_is_refused_the_queue_is_counted(self) -> None:
        clock, jobs = Clock(), [0]
        queued = Queued(10, lambda user, most: jobs[0], clock)
        for _ in range(10):
            queued.take("alice")
        queued.take("alice")  # the ten have ended meanwhile
        jobs[0] = 10
        with pytest.raises(TooMany):
            for _ in range(11):
                queued.take("alice")

    def test_who_is_refused_does_not_make_the_queue_be_counted_each_time(self) -> None:
        clock, counted = Clock(), []
        queued = Queued(1, lambda user, most: counted.append(user) or 1, clock)
        for _ in range(50):
            with pytest.raises(TooMany):
                queued.take("alice")
        assert len(counted) <= 2

    def test_who_looks_while_another_looks_counts_what_that_one_takes(self) -> None:
        others: list[int] = []

        def count(user: str, most: int) -> int:
            if not others:
                others.append(1)
                queued.take("alice", 2)
            return 0

        queued = Queued(3, count, Clock())
        with pytest.raises(TooMany):
            queued.take("alice", 2)

    def test_several_at_once_take_no_more_than_there_are(self) -> None:
        queued, taken = Queued(50, lambda user, most: 0, Clock()), []
        queued.take("alice")

        def take() -> None:
            for _ in range(20):
                try:
                    queued.take("alice")
                    taken.append(1)
                except TooMany:
                    return

        threads = [threading.Thread(target=take) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(taken) == 40

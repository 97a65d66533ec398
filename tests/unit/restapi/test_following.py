"""Waiting for news of a job."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

import pytest
from builders_restapi import Api, a_report, an_api, an_explanation
from werkzeug.test import TestResponse

from prominence.core.errors import Unavailable
from prominence.restapi.following import looks
from prominence.restapi.watching import LEAST_S, MOST_S, TICK_S, Seen, Watcher


@pytest.fixture
def api() -> Api:
    return an_api()


def look(api: Api, job: int, known: str = "", query: str = "") -> TestResponse:
    """With what is known, as an entity tag."""
    return api.call("GET", f"/jobs/{job}{query}", headers={"If-None-Match": known} if known else {})


def test_a_job_has_a_version_that_changes_with_it(api: Api) -> None:
    job = api.submit()
    first = look(api, job)
    assert look(api, job).headers["ETag"] == first.headers["ETag"]
    api.run(job)
    second = look(api, job, first.headers["ETag"])
    assert (second.status_code, second.headers["ETag"] != first.headers["ETag"]) == (200, True)
    api.finish(job, a_report())
    third = look(api, job, second.headers["ETag"])
    assert third.status_code == 200
    assert third.json is not None
    assert third.json[0]["status"] == "completed"


def test_who_knows_it_already_is_told_so(api: Api) -> None:
    job = api.submit()
    known = look(api, job).headers["ETag"]
    again = look(api, job, known)
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", known)
    assert look(api, job, f"W/{known}").status_code == 304  # as a proxy that compresses answers makes it


def test_without_a_version_nobody_waits(api: Api) -> None:
    assert look(api, api.submit(), query="?wait=60").status_code == 200
    assert api.get("/jobs/99?wait=60") == []


def test_of_a_job_that_has_ended_no_news_are_waited_for(api: Api) -> None:
    job = api.submit()
    api.run(job)
    api.finish(job, a_report())
    assert look(api, job, look(api, job).headers["ETag"], "?wait=60").status_code == 304


@pytest.mark.parametrize(
    ("known", "status"),
    [("stdout=3", 304), ("stdout=2", 200), ("stdout=4", 200), ("stderr=0", 304), ("stdout=3&stderr=1", 304)],
)
def test_output_that_is_not_known_is_news_as_well(known: str, status: int, api: Api) -> None:
    job = api.submit()
    api.run(job)
    api.write(job, "stdout", b"abc")
    assert look(api, job, look(api, job).headers["ETag"], f"?{known}").status_code == status


def test_who_waits_is_told_as_soon_as_something_happens(api: Api) -> None:
    job = api.submit()
    known = look(api, job).headers["ETag"]
    answers: list[TestResponse] = []
    waits = threading.Thread(target=lambda: answers.append(look(api, job, known, "?wait=60")))
    waits.start()
    api.run(job)
    waits.join(timeout=30)
    assert [answer.status_code for answer in answers] == [200]


def test_many_jobs_are_looked_at_at_once_wherever_they_are(api: Api) -> None:
    queued, left = api.submit(), api.submit()
    api.run(left)
    api.finish(left, a_report())
    found = looks([queued, left, 99], api.services)
    tags = {job: look(api, job).headers["ETag"].strip('"') for job in (queued, left)}
    assert found == {queued: Seen(tags[queued]), left: Seen(tags[left], is_final=True)}
    api.explain(an_explanation())
    assert looks([queued], api.services)[queued] != found[queued]


class Jobs:
    """What a watcher sees. looks: what it asked for."""

    def __init__(self, **versions: str) -> None:
        self.versions = {int(name.removeprefix("job")): version for name, version in versions.items()}
        self.pulse = 0
        self.looks: list[set[int]] = []
        self.unavailable = False
        self.ended: set[int] = set()

    def look(self, job_ids: Collection[int]) -> Mapping[int, Seen]:
        self.looks.append(set(job_ids))
        if self.unavailable:
            raise Unavailable("gone")
        return {job: Seen(self.versions[job], job in self.ended) for job in job_ids if job in self.versions}


def a_watcher(jobs: Jobs, most: int = 10) -> Watcher:
    """One that is told when to look."""
    watcher = Watcher(jobs.look, lambda: jobs.pulse, most)
    watcher.start = lambda: None  # type: ignore[method-assign]
    return watcher


def pass_time(watcher: Watcher, seconds: float) -> None:
    for _ in range(round(seconds / TICK_S)):
        watcher.tick()


class TestWatcher:
    def test_looks_once_for_all_and_tells_those_whose_job_has_changed(self) -> None:
        jobs = Jobs(job1="a", job2="b")
        watcher = a_watcher(jobs)
        with watcher.ticket(1, "a") as same, watcher.ticket(2, "a") as other, watcher.ticket(3, "a") as gone:
            jobs.pulse += 1
            pass_time(watcher, LEAST_S)
            assert same is not None
            assert other is not None
            assert gone is not None
            assert [ticket.changed.is_set() for ticket in (same, other, gone)] == [False, True, True]
        assert jobs.looks == [{1, 2, 3}]

    def test_lets_nobody_wait_for_a_job_that_has_ended(self) -> None:
        jobs = Jobs(job1="a")
        jobs.ended = {1}
        watcher = a_watcher(jobs)
        with watcher.ticket(1, "a") as ticket:
            pass_time(watcher, LEAST_S)
            assert ticket is not None
            assert ticket.changed.is_set()

    def test_looks_for_whoever_comes_although_nothing_has_happened(self) -> None:
        jobs = Jobs(job1="a", job2="b")
        watcher = a_watcher(jobs)
        with watcher.ticket(1, "a"):
            pass_time(watcher, LEAST_S)
            with watcher.ticket(2, "old") as ticket:
                pass_time(watcher, LEAST_S)
                assert ticket is not None
                assert ticket.changed.is_set()

    def test_does_not_look_while_nothing_happens_but_now_and_then(self) -> None:
        jobs = Jobs(job1="a")
        watcher = a_watcher(jobs)
        with watcher.ticket(1, "a"):
            pass_time(watcher, LEAST_S)
            looked = len(jobs.looks)
            pass_time(watcher, MOST_S - TICK_S)
            assert len(jobs.looks) == looked
            pass_time(watcher, TICK_S)
            assert len(jobs.looks) == looked + 1

    def test_does_not_look_too_often_however_much_happens(self) -> None:
        jobs = Jobs(job1="a")
        watcher = a_watcher(jobs)
        with watcher.ticket(1, "a"):
            for _ in range(round(10 * LEAST_S / TICK_S)):
                jobs.pulse += 1
                watcher.tick()
        assert len(jobs.looks) == 10

    def test_looks_again_when_it_could_not(self) -> None:
        jobs = Jobs(job1="b")
        jobs.unavailable, jobs.pulse = True, 1
        watcher = a_watcher(jobs)
        with watcher.ticket(1, "a") as ticket:
            pass_time(watcher, LEAST_S)
            assert ticket is not None
            assert not ticket.changed.is_set()
            jobs.unavailable = False
            pass_time(watcher, LEAST_S)
            assert ticket.changed.is_set()

    def test_lets_no_more_wait_than_it_may(self) -> None:
        watcher = a_watcher(Jobs(), most=1)
        with watcher.ticket(1, "a") as first, watcher.ticket(1, "a") as second:
            assert first is not None
            assert second is None
        with watcher.ticket(1, "a") as third:
            assert third is not None

    def test_is_there_only_while_somebody_waits(self) -> None:
        watcher = Watcher(Jobs(job1="a").look, lambda: 0, 1)
        before = set(threading.enumerate())
        with watcher.ticket(1, "a"):
            [mine] = [one for one in threading.enumerate() if one.name == "watcher" and one not in before]
        mine.join(timeout=30)
        assert not mine.is_alive()

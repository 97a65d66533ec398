"""Budgets as people meet them: what they are told, when a job is refused, and who may adjust what."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from builders import NOON
from builders_restapi import Api, an_api
from werkzeug.test import TestResponse

from prominence.core import classads
from prominence.core.errors import Forbidden
from prominence.core.jobid import JobId
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.states import HELD_FOR_BUDGET, JobStatus
from prominence.core.view import JobAd
from prominence.restapi.adapters.memory import MemoryIdentities
from prominence.restapi.budgets import books
from prominence.restapi.budgets.accounts import Budgets
from prominence.restapi.budgets.books import Adjustment
from prominence.restapi.budgets.room import GOOD_FOR_S, GRANTED_FOR_S, Room
from prominence.restapi.budgets.rules import UNIT_MS, Action, Budget, Standing
from prominence.restapi.identity import Identity, Scope
from prominence.restapi.paging import Page
from prominence.restapi.selection import Selection
from prominence.restapi.usage import Period

TODAY = NOON.date()
MONTH = Period.of_days(TODAY.replace(day=1), TODAY + timedelta(days=20))
TASK = {"image": "python:3.12", "runtime": "docker"}
PATH = "/vo.example.org/physics"
BUDGETS = (
    Budget("physics", 10 * UNIT_MS, MONTH, Action.REFUSE),
    Budget("art", UNIT_MS, MONTH, Action.WARN),
    Budget(PATH, UNIT_MS, MONTH, Action.HOLD),
    Budget("old", UNIT_MS, Period.of_days(date(2020, 1, 1), date(2020, 12, 31)), Action.REFUSE),
    Budget("new", UNIT_MS, Period.of_days(date(2099, 1, 1), date(2099, 12, 31)), Action.REFUSE),
)
USERS = {
    "alice": Identity("alice", ("physics", "art", "free", "old", "new", PATH)),
    "bob": Identity("bob", ("physics",)),
    "eve": Identity("eve", ("phys", "physics2", "Physics", "physics/", "../physics", "chemistry")),
    "nina": Identity("nina"),
    "mia": Identity("mia", manages=frozenset({"physics", ""})),
    "mia-at-home": Identity("mia", manages=frozenset({"physics"}), scopes=frozenset(Scope) - {Scope.OPERATE}),
    "olga": Identity("olga", operator=True),
    "olga-at-home": Identity("olga", operator=True, scopes=frozenset(Scope) - {Scope.OPERATE}),
}


class Seconds:
    """Of a clock that only goes forward."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def api(seconds: Seconds) -> Api:
    known = {f"token-of-{name}": who for name, who in USERS.items()}
    return an_api(identities=MemoryIdentities(known), budgets=Budgets(BUDGETS, room=Room(seconds)))


def submit(api: Api, minutes: int = 60, cpus: int = 1, group: str = "physics", **changes: Any) -> TestResponse:
    body = {
        "tasks": [TASK],
        "resources": {"cpus": cpus, "memory": 1, "disk": 10, "walltime": minutes},
        "group": group,
        **changes,
    }
    return api.call("POST", "/jobs", json=body)


def a_failed_workflow(api: Api, minutes: int) -> int:
    """Of one job, which has used nothing. It has ended long enough ago to be forgotten as a new one."""
    job = api.a_step("a", resources={"cpus": 1, "memory": 1, "disk": 10, "walltime": minutes}, outputFiles=["o"])
    workflow = api.submit_workflow(jobs=[job], group="physics")
    api.queue.leave(workflow, JobStatus.COMPLETED, **{classads.EXIT_CODE: 1, "DAG_NodesFailed": 1})
    api.clock.advance(GRANTED_FOR_S)
    return workflow


def end(api: Api, job: int, hours: float) -> None:
    """It has run for so long on one core."""
    now = int(api.clock.now().timestamp())
    wall_s = hours * 3600
    api.queue.leave(job, JobStatus.COMPLETED, **{classads.FINISHED_AT: now, classads.REMOTE_WALL_CLOCK: wall_s})


def adjust(api: Api, units: float, group: str = "physics", key: str = "", **changes: Any) -> TestResponse:
    body = {"units": units, "why": "they asked nicely", **changes}
    headers = {"Idempotency-Key": key} if key else {}
    return api.call("POST", f"/budgets/{quote(group, safe='')}/adjustments", json=body, headers=headers)


def physics(api: Api) -> dict[str, Any]:
    [found] = [one for one in api.get("/budgets") if one["group"] == "physics"]
    return dict(found)


class TestWhoIsTold:
    @pytest.mark.parametrize(
        ("who", "seen"),
        [
            ("alice", [PATH, "art", "old", "physics"]),
            ("bob", ["physics"]),
            ("eve", []),
            ("nina", []),
            ("mia", ["physics"]),
            ("mia-at-home", []),
            ("olga", [PATH, "art", "old", "physics"]),
            ("olga-at-home", []),
        ],
    )
    def test_members_see_those_of_their_groups_and_who_looks_after_others_theirs(
        self, api: Api, who: str, seen: list[str]
    ) -> None:
        assert [one["group"] for one in api.as_user(who).get("/budgets")] == seen

    @pytest.mark.parametrize(
        "group",
        ["physics", "physic", "PHYSICS", "physics2", "physics%2F", "%2E%2E%2Fphysics", "*", "physics%0A", "%0Aphysics"],
    )
    def test_another_groups_ledger_is_not_there(self, api: Api, group: str) -> None:
        assert adjust(api.as_user("olga"), 1).status_code == 201
        answer = api.as_user("eve").call("GET", f"/budgets/{group}/ledger")
        assert answer.status_code == 404, answer.text
        assert "they asked" not in answer.text

    @pytest.mark.parametrize("who", ["alice", "bob", "mia", "olga"])
    def test_the_ledger_tells_who_gave_how_much_when_and_why(self, api: Api, who: str) -> None:
        olga = api.as_user("olga")
        assert adjust(olga, 2.5).status_code == 201
        api.clock.advance(60)
        assert adjust(olga, -1, why="a mistake").status_code == 201
        assert api.as_user(who).get("/budgets/physics/ledger") == [
            {"units": 2.5, "time": int(NOON.timestamp()), "by": "olga", "why": "they asked nicely"},
            {"units": -1.0, "time": int(NOON.timestamp()) + 60, "by": "olga", "why": "a mistake"},
        ]

    def test_a_budget_tells_what_is_used_and_kept_and_left(self, api: Api) -> None:
        job = submit(api).json["id"]  # type: ignore[index]
        assert submit(api, minutes=30, cpus=4).status_code == 201
        end(api, job, hours=0.5)
        assert adjust(api.as_user("olga"), 5).status_code == 201
        assert physics(api) == {
            "group": "physics",
            "start": TODAY.replace(day=1).isoformat(),
            "end": (TODAY + timedelta(days=20)).isoformat(),
            "action": "refuse",
            "units": 15.0,
            "adjusted": 5.0,
            "used": 0.5,
            "reserved": 2.0,
            "left": 12.5,
            "isOver": False,
        }

    def test_what_was_used_before_its_time_and_after_it_does_not_count(self, api: Api) -> None:
        for moment in (MONTH.since - 1, MONTH.since, MONTH.until - 1, MONTH.until):
            job = submit(api).json["id"]  # type: ignore[index]
            finished = {classads.FINISHED_AT: moment, classads.REMOTE_WALL_CLOCK: 3600}
            api.queue.leave(job, JobStatus.COMPLETED, **finished)
        assert physics(api)["used"] == 2.0


class TestSubmission:
    def test_a_group_gets_as_many_jobs_as_its_budget_has_room_for(self, api: Api) -> None:
        taken = [submit(api).status_code for _ in range(12)]
        assert taken == [201] * 10 + [403] * 2

    def test_a_refusal_tells_the_figures(self, api: Api) -> None:
        submit(api, minutes=540)
        answer = submit(api, minutes=120)
        assert answer.json == {
            "error": "It could use 2 service units, and the budget of group physics has 1 left: of 10, 0 are used and "
            "9 kept for jobs in the queue. Ask for a shorter resources.walltime or for less, wait until others have "
            "ended, or ask the operator for more.",
            "reasonCode": "BudgetExceeded",
        }
        assert not api.as_user("bob").get("/jobs"), "nothing was queued for it"
        assert submit(api, minutes=60).status_code == 201

    def test_whose_walltime_is_not_said_counts_with_the_usual_one(self, api: Api) -> None:
        body = {"tasks": [TASK], "resources": {"cpus": 1, "memory": 1, "disk": 10}, "group": "physics"}
        answer = api.call("POST", "/jobs", json=body)
        assert answer.status_code == 403, answer.text

    @pytest.mark.parametrize("group", ["art", "free", "new"])
    def test_a_group_that_is_only_warned_or_has_no_budget_yet_is_not_limited(self, api: Api, group: str) -> None:
        assert submit(api, minutes=6000, group=group).status_code == 201

    def test_when_the_time_of_a_budget_is_over_nothing_is_left(self, api: Api) -> None:
        answer = submit(api, group="old")
        assert (answer.status_code, answer.json) == (
            403,
            {
                "error": "The time of the budget of group old is over; ask the operator for another.",
                "reasonCode": "BudgetExceeded",
            },
        )

    def test_all_members_of_an_array_count(self, api: Api) -> None:
        job = {"tasks": [TASK], "resources": {"walltime": 60}, "group": "physics"}
        assert api.call("POST", "/arrays", json={"count": 11, "job": job}).status_code == 403
        assert api.call("POST", "/arrays", json={"count": 10, "job": job}).status_code == 201

    def test_all_nodes_of_a_job_count(self, api: Api) -> None:
        task = {"image": "a", "runtime": "docker", "type": "openmpi", "procsPerNode": 1, "cmd": "a"}
        asked = {"cpus": 1, "memory": 1, "disk": 10, "walltime": 60}
        assert submit(api, tasks=[task], resources={**asked, "nodes": 11}).status_code == 403
        assert submit(api, tasks=[task], resources={**asked, "nodes": 10}).status_code == 201
        assert physics(api)["reserved"] == 10.0

    def test_a_workflow_counts_with_all_that_it_will_run(self, api: Api) -> None:
        step = {"name": "a", "tasks": [TASK], "resources": {"walltime": 60}}
        flow: dict[str, Any] = {
            "group": "physics",
            "jobs": [step, {**step, "name": "b"}],
            "dependencies": {"a": ["b"]},
            "factories": [{"type": "zip", "jobs": ["b"], "parameters": [{"name": "x", "values": list("abcdefg")}]}],
        }
        answer = api.call("POST", "/workflows", json=flow)
        assert answer.status_code == 201, answer.text
        assert physics(api)["reserved"] == 8.0
        assert api.call("POST", "/workflows", json=flow).status_code == 403
        [workflow] = api.get("/workflows")
        api.queue.change(workflow["id"], JobStatus.RUNNING, **{classads.DAG_DONE: 1, classads.DAG_QUEUED: 3})
        assert physics(api)["reserved"] == 4.0, "those in the queue count by themselves"

    def test_what_a_workflow_submits_in_the_moment_of_a_look_is_never_left_out(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        step = {"name": "a", "tasks": [TASK], "resources": {"walltime": 240}}
        flow = {"group": "physics", "jobs": [step, {**step, "name": "b"}], "dependencies": {"a": ["b"]}}
        assert api.call("POST", "/workflows", json=flow).status_code == 201
        [workflow] = api.get("/workflows")
        find = api.queue.find

        def and_then_one_is_submitted(selection: Selection, page: Page | None = None) -> list[JobAd]:
            found = find(selection, page)
            if selection.groups == ("physics",):
                api.queue.change(workflow["id"], JobStatus.RUNNING, **{classads.DAG_QUEUED: 1})
            return found

        monkeypatch.setattr(api.queue, "find", and_then_one_is_submitted)
        assert physics(api)["reserved"] == 8.0

    def test_a_longer_walltime_is_kept_too(self, api: Api) -> None:
        job = submit(api).json["id"]  # type: ignore[index]
        assert api.call("PATCH", f"/jobs/{job}", json={"resources": {"walltime": 6000}}).status_code == 403
        assert api.describe(job)["resources"]["walltime"] == 60
        assert api.call("PATCH", f"/jobs/{job}", json={"resources": {"walltime": 600}}).status_code == 200
        assert submit(api, minutes=1).status_code == 403
        assert api.call("PATCH", f"/jobs/{job}", json={"resources": {"walltime": 60}}).status_code == 200

    def test_a_repeated_request_counts_once(self, api: Api) -> None:
        for _ in range(3):
            answer = api.call(
                "POST",
                "/jobs",
                json={
                    "tasks": [TASK],
                    "resources": {"walltime": 600},
                    "group": "physics",
                },
                headers={"Idempotency-Key": "one"},
            )
            assert answer.status_code == 201

    def test_what_an_adjustment_gives_can_be_used(self, api: Api, seconds: Seconds) -> None:
        assert submit(api, minutes=600).status_code == 201
        assert submit(api).status_code == 403
        assert adjust(api.as_user("olga"), 1).status_code == 201
        seconds.now += GOOD_FOR_S
        api.clock.advance(GOOD_FOR_S)
        assert [submit(api).status_code for _ in range(2)] == [201, 403]

    def test_what_was_kept_for_a_job_that_was_refused_afterwards_is_free_again(self, api: Api) -> None:
        api.sandboxes.full = True
        for _ in range(5):
            assert submit(api, minutes=600).status_code == 507
        api.sandboxes.full = False
        assert submit(api, minutes=600, inputs=[{"filename": "a", "content": "!"}]).status_code == 400
        assert submit(api, minutes=600).status_code == 201
        assert submit(api, minutes=1).status_code == 403

    def test_a_workflow_that_is_run_again_counts_once(self, api: Api, seconds: Seconds) -> None:
        workflow = a_failed_workflow(api, minutes=240)
        assert api.call("PUT", f"/workflows/{workflow}").status_code == 200
        seconds.now += GOOD_FOR_S
        api.clock.advance(GOOD_FOR_S)
        assert submit(api, minutes=360).status_code == 201
        assert submit(api, minutes=1).status_code == 403

    def test_what_was_kept_for_one_that_could_not_be_run_again_is_free(self, api: Api) -> None:
        workflow = a_failed_workflow(api, minutes=240)
        api.sandboxes.full = True
        assert api.call("PUT", f"/workflows/{workflow}").status_code == 503
        api.sandboxes.full = False
        assert submit(api, minutes=600).status_code == 201

    def test_where_it_cannot_be_told_what_was_used_nothing_is_taken(self, api: Api) -> None:
        api.queue.unavailable = "The schedd is away."
        assert submit(api).status_code == 503


class TestAdjusting:
    @pytest.mark.parametrize("who", ["alice", "mia", "eve", "nina", "mia-at-home", "olga-at-home"])
    @pytest.mark.parametrize("group", ["physics", "nothing"])
    def test_operators_alone_may(self, api: Api, who: str, group: str) -> None:
        assert adjust(api.as_user(who), 1, group).status_code == 403
        assert api.get("/budgets/physics/ledger") == []

    def test_a_group_is_named_as_a_whole_whatever_is_in_its_name(self, api: Api) -> None:
        assert adjust(api.as_user("olga"), 1, PATH).status_code == 201
        assert len(api.get(f"/budgets/{PATH}/ledger")) == 1
        assert api.get("/budgets/physics/ledger") == []

    @pytest.mark.parametrize(
        ("group", "status", "told"),
        [
            ("nothing", 404, "There is no budget of group nothing."),
            ("old", 409, "The time of the budget of group old is over; declare another in the settings."),
            ("new", 409, "The first budget of group new has not begun."),
        ],
    )
    def test_there_must_be_a_budget(self, api: Api, group: str, status: int, told: str) -> None:
        answer = adjust(api.as_user("olga"), 1, group)
        assert (answer.status_code, answer.json) == (
            status,
            {"error": told, "reasonCode": "NotFound" if status == 404 else "Conflict"},
        )

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"units": "1"}, "units: must be a number"),
            ({"units": 1e10}, "units: must be at most"),
            ({"why": ""}, "why: must be one line that says something"),
            ({"why": " \u00a0 "}, "why: must be one line"),
            ({"why": "a\nb"}, "why: must be one line"),
            ({"why": "a" * 501}, "why: "),
            ({"who": "me"}, "who: "),
        ],
    )
    def test_what_cannot_be_is_refused(self, api: Api, changes: dict[str, Any], told: str) -> None:
        answer = adjust(api.as_user("olga"), **{"units": 1, **changes})
        assert answer.status_code == 400
        assert told in answer.text

    def test_a_repeated_request_adds_nothing_and_tells_the_same(self, api: Api) -> None:
        olga = api.as_user("olga")
        first = adjust(olga, 1, key="k")
        api.clock.advance(60)
        again = adjust(olga, 1, key="k")
        assert (first.status_code, again.status_code, first.json) == (201, 201, again.json)
        assert adjust(olga, 2, key="k").status_code == 409
        assert adjust(olga, 1, "art", key="k").status_code == 201, "another budget's books"
        assert adjust(olga, 1, key="not a key").status_code == 400
        assert physics(api)["adjusted"] == 1.0

    def test_entries_count_in_the_time_in_which_they_were_made(self, api: Api) -> None:
        for when, units in ((MONTH.since - 1, 1), (MONTH.since, 2), (MONTH.until - 1, 4), (MONTH.until, 8)):
            at = NOON + timedelta(seconds=when - NOON.timestamp())
            entry = Adjustment(units_ms=units * UNIT_MS, at=at, by="olga", why="to see")
            books.add("physics", str(when), entry, api.store)
        assert physics(api)["adjusted"] == 6.0


class TestHeldJobs:
    @pytest.fixture
    def job(self, api: Api) -> Iterator[int]:
        job = submit(api).json["id"]  # type: ignore[index]
        assert api.queue.hold(Selection(ids=(JobId(job),)), "for its budget", HELD_FOR_BUDGET) == 1
        yield job

    def test_its_user_is_told_why_and_what_to_do(self, api: Api, job: int) -> None:
        sentence = "The budget of its group physics leaves no room for it; it will not start."
        told = api.get(f"/jobs/{job}/explain")
        assert (told["reasonCode"], told["blame"]) == ("HeldForBudget", "user")
        assert told["start"] == {"basis": "not before its group's budget leaves room for it"}
        assert told["explanation"].startswith(sentence)
        assert "prominence budget" in told["advice"]
        [shown] = api.get("/jobs")
        assert (shown["status"], shown["statusReasonCode"]) == ("waiting", "HeldForBudget")
        assert shown["statusReason"].startswith(sentence)

    @pytest.mark.parametrize("who", ["alice", "olga", "mia"])
    def test_nobody_releases_it_by_hand(self, api: Api, job: int, who: str) -> None:
        answer = api.as_user(who).call("PUT", f"/jobs/{job}/release")
        assert (answer.status_code, answer.json) == (
            409,
            {
                "error": f"Job {job} goes on by itself, as soon as its group's budget leaves room for it.",
                "reasonCode": "Conflict",
            },
        )

    def test_it_can_be_deleted(self, api: Api, job: int) -> None:
        assert api.call("DELETE", f"/jobs/{job}").status_code == 200
        assert api.describe(job)["status"] == "deleted"

    def test_it_keeps_its_place(self, api: Api, job: int) -> None:
        assert physics(api)["reserved"] == 1.0


class TestRoom:
    """Of one process, and of several behind which the same store is."""

    @pytest.fixture
    def store(self) -> MemoryKeyValue:
        return MemoryKeyValue()

    def test_what_was_found_counts_for_a_while_with_what_was_taken_since(
        self, seconds: Seconds, store: MemoryKeyValue
    ) -> None:
        looks = []

        def look() -> tuple[Standing, list[str]]:
            looks.append(1)
            return Standing(BUDGETS[0]), []

        rooms = Room(seconds), Room(seconds)
        for number in range(5):
            rooms[number % 2].take(BUDGETS[0], UNIT_MS, str(number), look, store, NOON)
        assert len(looks) == 1
        rooms[0].take(BUDGETS[0], UNIT_MS, "6", look, store, NOON + timedelta(seconds=GOOD_FOR_S))
        assert len(looks) == 2

    def test_of_a_group_without_room_the_queue_is_not_counted_with_each_request(
        self, seconds: Seconds, store: MemoryKeyValue
    ) -> None:
        looks = []

        def look() -> tuple[Standing, list[str]]:
            looks.append(1)
            return replace(Standing(BUDGETS[0]), used_ms=9 * UNIT_MS), []

        room = Room(seconds)
        for number in range(50):
            with pytest.raises(Forbidden):
                room.take(BUDGETS[0], 2 * UNIT_MS, str(number), look, store, NOON)
        assert len(looks) <= 2
        room.take(BUDGETS[0], UNIT_MS, "small", look, store, NOON)

    def test_what_is_granted_counts_until_its_job_is_in_the_queue_or_never_will_be(
        self, seconds: Seconds, store: MemoryKeyValue
    ) -> None:
        queued: list[str] = []
        room = Room(seconds)

        def take(uid: str, units: int, after_s: float) -> None:
            found = Standing(BUDGETS[0], reserved_ms=len(queued) * 4 * UNIT_MS), queued
            room.take(BUDGETS[0], units * UNIT_MS, uid, lambda: found, store, NOON + timedelta(seconds=after_s))

        take("a", 4, 0)
        take("b", 4, 0)
        queued = ["a"]
        take("c", 2, GOOD_FOR_S)
        seconds.now += 10
        with pytest.raises(Forbidden):
            take("d", 1, GOOD_FOR_S)
        seconds.now += 10
        take("e", 4, GRANTED_FOR_S)

    def test_several_processes_grant_no_room_twice(self, seconds: Seconds, store: MemoryKeyValue) -> None:
        granted: list[str] = []

        def look() -> tuple[Standing, list[str]]:
            return Standing(BUDGETS[0]), []

        def many(room: Room, name: str) -> None:
            for number in range(10):
                with suppress(Forbidden):
                    room.take(BUDGETS[0], UNIT_MS, f"{name}.{number}", look, store, NOON)
                    granted.append(name)

        threads = [threading.Thread(target=many, args=(Room(seconds), str(name))) for name in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert len(granted) == 10, "the budget has ten service units"

    def test_who_grants_while_another_looks_is_counted(self, seconds: Seconds, store: MemoryKeyValue) -> None:
        first, second = Room(seconds), Room(seconds)
        looks: list[str] = []

        def look() -> tuple[Standing, list[str]]:
            looks.append("first")
            if len(looks) == 1:
                second.take(BUDGETS[0], 6 * UNIT_MS, "b", lambda: (Standing(BUDGETS[0]), []), store, NOON)
            return Standing(BUDGETS[0]), []

        with pytest.raises(Forbidden):
            first.take(BUDGETS[0], 6 * UNIT_MS, "a", look, store, NOON)

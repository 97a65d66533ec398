"""Jobs over HTTP: created, listed, described, deleted."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from typing import Any

import pytest
from builders import NOON, a_task, job_json, minutes
from builders_restapi import ALICE, BOB, Api, a_report, an_api, an_explanation
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.core import classads, document, plan, report
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.plan import ExecutionPlan
from prominence.core.reasons import Reason
from prominence.core.report import Outcome
from prominence.core.states import TOO_MANY_ATTEMPTS, HoldCode, JobStatus
from prominence.restapi.adapters.memory import MemoryIdentities
from prominence.restapi.adapters.memory_sandboxes import MemorySandboxes
from prominence.restapi.files import SPEC_FILE
from prominence.restapi.selection import Selection


def ids(jobs: list[dict[str, Any]]) -> list[int]:
    return [job["id"] for job in jobs]


@pytest.fixture
def api() -> Api:
    return an_api()


class TestCreate:
    def test_a_job_is_created_with_a_whole_number_as_id(self, api: Api) -> None:
        answer = api.call("POST", "/jobs", json=job_json())
        assert (answer.status_code, answer.json) == (201, {"id": 1})

    def test_its_files_are_there_before_it_is(self, api: Api) -> None:
        job = api.submit(name="fit")
        files = api.sandboxes.files[api.uid(job)]
        assert set(files) == {SPEC_FILE, plan.FILE_NAME}
        orders = document.loads(ExecutionPlan, files[plan.FILE_NAME].decode())
        assert (orders.job, orders.name) == (api.uid(job), "fit")

    def test_all_mistakes_are_named_at_once(self, api: Api) -> None:
        answer = api.call("POST", "/jobs", json={"tasks": [{"image": "A B"}], "resources": {"cpus": "x"}, "colour": 1})
        assert answer.status_code == 400
        assert answer.json is not None
        assert set(answer.json) == {"error", "reasonCode"}
        for path in ("tasks[0].image", "resources.cpus", "colour"):
            assert path in answer.json["error"]
        assert api.sandboxes.files == {}

    def test_what_the_translation_refuses_leaves_no_files(self, api: Api) -> None:
        answer = api.call("POST", "/jobs", json=job_json(labels={"a": "1", "A": "2"}))
        assert answer.status_code == 400
        assert api.sandboxes.files == {}

    def test_a_queue_that_is_away_leaves_no_job_and_no_files(self, api: Api) -> None:
        api.queue.unavailable = "The schedd is away."
        assert api.call("POST", "/jobs", json=job_json()).status_code == 503
        # Nobody could say whether it was queued: the files stay, since a job without them would be worse.
        assert len(api.sandboxes.files) == 1

    def test_an_answer_that_got_lost_does_not_make_a_job_without_files(self, api: Api) -> None:
        api.queue.loses_answers = True
        answer = api.call("POST", "/jobs", json=job_json())
        assert (answer.status_code, answer.json) == (201, {"id": 1})
        assert len(api.sandboxes.files) == 1

    def test_a_full_disk_refuses_new_jobs_with_a_sentence(self) -> None:
        sandboxes = MemorySandboxes()
        sandboxes.full = True
        api = an_api(sandboxes=sandboxes)
        answer = api.call("POST", "/jobs", json=job_json())
        assert answer.status_code == 507
        assert "room" in answer.text
        assert api.get("/jobs") == []


NOT_JSON = [
    b"",
    b"{",
    b"\xff\xfe",
    b"tasks=1",
    b'{"a": NaN}',
    b'{"a": -Infinity}',
    b'{"tasks": [], "tasks": []}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"9" * 5000,
]


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_is_not_json_is_refused(body: bytes, api: Api) -> None:
    answer = api.call("POST", "/jobs", data=body)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"].startswith("The body is ")


@pytest.mark.parametrize("body", ["null", "[]", "1", '"x"', "true", "[{}]", "{}"])
def test_json_that_is_no_job_is_refused(body: str, api: Api) -> None:
    assert api.call("POST", "/jobs", data=body).status_code == 400


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters())),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(st.characters()), inner, max_size=3)),
    max_leaves=8,
)
values = st.one_of(anything, st.sampled_from([1, 0.5, "busybox", 10**30, 1e300, "\ud800", "\0", "a\nb"]))
credentials = st.one_of(values, st.fixed_dictionaries({"username": values, "token": values}))
tasks = st.lists(
    st.fixed_dictionaries(
        {"image": values},
        optional={"cmd": values, "env": values, "workdir": values, "imagePullCredential": credentials},
    ),
    max_size=2,
)
almost_jobs = st.fixed_dictionaries(
    {},
    optional={
        "name": values,
        "labels": st.one_of(values, st.dictionaries(st.text(), values)),
        "tasks": st.one_of(values, tasks),
        "resources": st.one_of(
            values,
            st.fixed_dictionaries({}, optional={"cpus": values, "memory": values, "disk": values, "walltime": values}),
        ),
        "policies": values,
    },
)


one_api = functools.cache(an_api)
"""For all examples of a property: to make an application takes longer than to ask it."""


@settings(max_examples=60, deadline=None)
@given(st.one_of(anything, almost_jobs))
def test_any_json_makes_a_job_or_is_refused(body: Any) -> None:
    api = one_api()
    answer = api.call("POST", "/jobs", data=json.dumps(body))
    assert answer.status_code in (201, 400), answer.text
    assert answer.json is not None
    assert set(answer.json) == ({"id"} if answer.status_code == 201 else {"error", "reasonCode"})


@settings(max_examples=30, deadline=None)
@given(cmd=st.text(min_size=1), env=st.dictionaries(st.text(min_size=1), st.text(), max_size=3), workdir=st.text())
def test_what_a_user_writes_comes_back_as_it_was(cmd: str, env: dict[str, str], workdir: str) -> None:
    api = one_api()
    task = a_task(cmd=cmd, env=env, workdir=workdir)
    answer = api.call("POST", "/jobs", json=job_json(tasks=[task]))
    if answer.status_code == 201 and answer.json:
        [shown] = api.describe(answer.json["id"])["tasks"]
        assert (shown["cmd"], shown.get("env", {}), shown["workdir"]) == (cmd, env, workdir)


class TestList:
    def test_jobs_in_the_queue_are_listed_by_id(self, api: Api) -> None:
        first, second = api.submit(name="a"), api.submit()
        assert api.get("/jobs") == [
            {
                "id": first,
                "name": "a",
                "status": "idle",
                "statusReason": "The job is queued; the scaler has not looked at it yet.",
                "statusReasonCode": "Queued",
                "group": "physics",
                "tasks": [{"image": "python:3.12", "cmd": "python --version"}],
                "events": {"createTime": int(NOON.timestamp())},
            },
            {
                "id": second,
                "name": "",
                "status": "idle",
                "statusReason": "The job is queued; the scaler has not looked at it yet.",
                "statusReasonCode": "Queued",
                "group": "physics",
                "tasks": [{"image": "python:3.12", "cmd": "python --version"}],
                "events": {"createTime": int(NOON.timestamp())},
            },
        ]

    def test_finished_jobs_are_listed_when_asked_for(self, api: Api) -> None:
        done = [api.submit() for _ in range(3)]
        queued = api.submit()
        for job in done:
            api.run(job)
            api.finish(job, a_report())
        assert ids(api.get("/jobs")) == [queued]
        assert ids(api.get("/jobs?completed=true&num=2")) == done[1:]
        assert ids(api.get("/jobs?completed=true&num=1")) == done[2:]
        assert ids(api.get("/jobs?all")) == [*done, queued]
        assert ids(api.get(f"/jobs?id={done[0]},{queued},99")) == [done[0], queued]

    def test_jobs_are_listed_by_status(self, api: Api) -> None:
        idle, running, good, bad, late, held, deleted = (api.submit() for _ in range(7))
        for job in (running, good, bad, late):
            api.run(job)
        api.finish(good, a_report())
        api.finish(bad, a_report(Outcome.TASK_FAILED), exit_code=1)
        api.finish(late, a_report(Outcome.OUT_OF_TIME), exit_code=251)
        api.queue.change(held, JobStatus.HELD, HoldReasonCode=int(HoldCode.JOB_POLICY))
        assert api.call("DELETE", f"/jobs/{deleted}").status_code == 200
        assert ids(api.get("/jobs?status=idle")) == [idle]
        assert ids(api.get("/jobs?status=running")) == [running]
        assert ids(api.get("/jobs?status=completed")) == [good]
        assert ids(api.get("/jobs?status=failed")) == [bad, held]
        assert ids(api.get("/jobs?status=killed")) == [late]
        assert ids(api.get("/jobs?status=deleted")) == [deleted]
        assert ids(api.get("/jobs?status=deploying")) == []
        assert api.call("GET", "/jobs?status=asleep").status_code == 400

    def test_jobs_are_listed_by_name_and_by_labels_all_of_which_must_fit(self, api: Api) -> None:
        both = api.submit(name="a", labels={"app": "fit", "run": "1"})
        api.submit(name="b", labels={"app": "fit"})
        assert ids(api.get("/jobs?name=a")) == [both]
        assert ids(api.get("/jobs?constraint=app=fit&constraint=run=1")) == [both]
        assert len(api.get("/jobs?constraint=app=fit")) == 2
        assert api.get("/jobs?name=a%22%20||%20true%20||%20%22") == []

    def test_only_the_detail_holds_everything(self, api: Api) -> None:
        job = api.submit(labels={"app": "fit"}, tasks=[a_task(env={"A": "1"}, runtime="singularity")])
        [brief], [full] = api.get("/jobs"), api.get("/jobs?detail")
        assert full == api.describe(job)
        assert brief["tasks"] == [{"image": "python:3.12", "cmd": "python --version", "runtime": "singularity"}]
        assert full["tasks"] == [{**brief["tasks"][0], "env": {"A": "1"}}]
        assert full["resources"] == {"nodes": 1, "cpus": 1, "memory": 1, "disk": 10}
        assert full["execution"] == {"retries": 0}
        assert not {"resources", "execution"} & set(brief)

    def test_a_user_sees_their_own_jobs_only(self, api: Api) -> None:
        mine, other = api.submit(), api.as_user("bob").submit()
        assert ids(api.get("/jobs?all")) == [mine]
        assert ids(api.as_user("bob").get(f"/jobs?id={mine},{other}")) == [other]


class TestPages:
    @staticmethod
    def walk(api: Api, query: str) -> list[int]:
        """All pages, by the cursors that the API gives."""
        seen: list[int] = []
        answer = api.call("GET", f"/jobs?{query}")
        while True:
            assert answer.status_code == 200, answer.text
            seen += ids(answer.json or [])
            where = answer.headers.get("X-Prominence-Cursor")
            if where is None:
                return seen
            answer = api.call("GET", f"/jobs?{query}&cursor={where}")

    def test_follow_each_other_through_queue_and_history(self, api: Api) -> None:
        jobs = [api.submit(name=f"n{number % 3}") for number in range(9)]
        for job in jobs[1::2]:
            api.run(job)
            api.finish(job, a_report())
        assert self.walk(api, "all&limit=2") == jobs[::-1]
        assert self.walk(api, "all&limit=9") == jobs[::-1]
        assert self.walk(api, "limit=4") == jobs[::-2]
        assert self.walk(api, "completed=true&limit=3") == jobs[-2::-2]
        assert self.walk(api, "completed=true&sort=endTime&limit=1") == jobs[1::2]
        assert self.walk(api, "all&sort=name&limit=2") == [*jobs[0::3], *jobs[1::3], *jobs[2::3]]
        assert self.walk(api, "all&status=completed&limit=1") == jobs[-2::-2]
        assert self.walk(api, "all&status=completed,idle&limit=2&sort=id") == jobs

    def test_a_job_that_ends_between_two_pages_is_seen_once(self, api: Api) -> None:
        jobs = [api.submit() for _ in range(4)]
        first = api.call("GET", "/jobs?all&sort=id&limit=2")
        for job in jobs[:3]:
            api.run(job)
            api.finish(job, a_report())
        rest = api.get(f"/jobs?all&limit=9&cursor={first.headers['X-Prominence-Cursor']}")
        assert [*ids(first.json or []), *ids(rest)] == jobs

    def test_jobs_are_found_by_what_happened_to_them_and_when(self, api: Api) -> None:
        begin = int(NOON.timestamp())
        early, late, waits = api.submit(), api.submit(), api.submit()
        api.run(early)  # after a minute
        api.finish(early, a_report())
        api.run(late)  # after three
        assert ids(api.get(f"/jobs?all&startedAfter={begin + 60}&startedBefore={begin + 180}")) == [early]
        assert ids(api.get(f"/jobs?all&startedAfter={begin + 61}")) == [late]
        assert ids(api.get(f"/jobs?all&endedAfter={begin}")) == [early]
        assert ids(api.get(f"/jobs?all&createdBefore={begin}")) == []
        assert ids(api.get(f"/jobs?all&createdAfter={begin}&createdBefore={begin + 1}")) == [early, late, waits]

    def test_hold_what_was_asked_for_and_the_id(self, api: Api) -> None:
        job = api.submit(name="fit")
        assert api.get("/jobs?fields=status,name") == [{"id": job, "name": "fit", "status": "idle"}]
        assert set(api.get("/jobs?fields=resources")[0]) == {"id", "resources"}

    def test_garbage_is_refused(self, api: Api) -> None:
        assert api.call("GET", "/jobs?cursor=garbage").status_code == 400


class TestJobsOfOthers:
    """Those who look after others' jobs see how they go, and not what is in them."""

    @pytest.fixture
    def api(self) -> Api:
        known = {"token-of-alice": replace(ALICE, operator=True), "token-of-bob": BOB}
        return an_api(identities=MemoryIdentities(known))

    def test_an_operator_lists_and_describes_them(self, api: Api) -> None:
        task = a_task(cmd="secret", env={"A": "secret"})
        job = api.as_user("bob").submit(tasks=[task])
        assert ids(api.get("/jobs")) == []
        for found in (api.get("/jobs?everyone=true"), api.get("/jobs?user=bob&detail"), api.get(f"/jobs/{job}")):
            assert ids(found) == [job]
            assert found[0]["tasks"] == [{"image": "python:3.12"}]
            assert "secret" not in str(found)

    def test_nobody_else_does(self, api: Api) -> None:
        job = api.submit()
        assert api.as_user("bob").get(f"/jobs/{job}") == []
        assert api.as_user("bob").call("GET", "/jobs?everyone=true").status_code == 403


class TestDescribe:
    def test_the_life_of_a_job(self, api: Api) -> None:
        job = api.submit(name="fit")
        api.explain(an_explanation(Reason.WORKER_BOOTING, details={"worker": "w-1", "flavour": "small"}))
        deploying = api.describe(job)
        assert (deploying["status"], deploying["statusReasonCode"]) == ("deploying", "WorkerBooting")
        assert deploying["statusReason"] == "Worker w-1 (small) is starting for it."

        api.run(job)
        running = api.describe(job)
        assert running["status"] == "running"
        assert "statusReason" not in running
        assert running["execution"] == {"retries": 0, "worker": "w-1"}

        api.finish(job, a_report())
        done = api.describe(job)
        assert (done["status"], done["exitCode"]) == ("completed", 0)
        assert "statusReason" not in done
        begin = int(NOON.timestamp())
        assert done["events"] == {"createTime": begin, "startTime": begin + 60, "endTime": begin + 120}
        assert done["execution"]["tasks"][0]["exitCode"] == 0

    def test_a_task_that_fails_makes_the_job_failed_with_its_exit_code(self, api: Api) -> None:
        job = api.submit()
        api.run(job)
        told = a_report(Outcome.TASK_FAILED, reason=Reason.TASK_FAILED, details={"task": "1", "exit_code": "7"})
        api.finish(job, told, exit_code=7)
        seen = api.describe(job)
        assert (seen["status"], seen["exitCode"], seen["statusReasonCode"]) == ("failed", 7, "TaskFailed")
        assert "exit code 7" in seen["statusReason"]

    def test_a_job_that_lost_too_many_workers_says_so(self, api: Api) -> None:
        job = api.submit()
        api.queue.change(job, JobStatus.HELD, HoldReasonCode=3, HoldReasonSubCode=TOO_MANY_ATTEMPTS, NumJobStarts=6)
        assert api.describe(job)["statusReasonCode"] == "TooManyAttempts"

    def test_sizes_that_its_worker_made_up_do_not_hide_it(self, api: Api) -> None:
        job = api.submit()
        api.queue.change(job, JobStatus.IDLE, RequestMemory="x", RequestDisk=-5)
        assert api.describe(job)["status"] == "idle"

    def test_what_is_unknown_or_anothers_is_an_empty_list(self, api: Api) -> None:
        of_bob = api.as_user("bob").submit()
        assert api.get(f"/jobs/{of_bob}") == []
        assert api.get("/jobs/99") == []

    @pytest.mark.parametrize(
        "job", ["x", "0", "-1", "1.", "1.00", ".1", "0.1", "1.2.3", "1.-1", "99999999999", "%00", "1 or 1"]
    )
    def test_what_is_no_number_is_refused(self, job: str, api: Api) -> None:
        assert api.call("GET", f"/jobs/{job}").status_code == 400

    def test_jobs_that_are_alike_get_the_reasons_in_the_order_of_their_start(self, api: Api) -> None:
        first, second, third = (api.submit() for _ in range(3))
        api.explain(
            an_explanation(Reason.WORKER_REQUESTED, jobs=1), an_explanation(Reason.POOL_LIMIT, jobs=2, details={})
        )
        seen = {job: api.describe(job)["status"] for job in (third, second, first)}
        assert seen == {first: "deploying", second: "waiting", third: "waiting"}


class TestWithoutAnExplanation:
    def test_a_store_that_is_away_takes_no_list_away(self, api: Api) -> None:
        store = MemoryKeyValue()
        store.unavailable = "gone"
        lonely = an_api(store=store)
        lonely.submit()
        assert [job["statusReasonCode"] for job in lonely.get("/jobs")] == ["Queued"]

    def test_an_old_plan_says_nothing_any_more(self, api: Api) -> None:
        api.submit()
        api.explain(an_explanation(), made_at=NOON - minutes(6))
        assert [job["status"] for job in api.get("/jobs")] == ["idle"]

    def test_a_plan_that_cannot_be_read_is_none(self, api: Api) -> None:
        api.submit()
        api.store.put_if("/prominence/scaler/plan", b"\xff{", None)
        assert [job["status"] for job in api.get("/jobs")] == ["idle"]


REPORTS = [b"", b"\xff", b"{}", b"[" * 100_000, b"9" * 5000, b'{"outcome": "fun", "started_at": 1}', b'"x"']


@pytest.mark.parametrize("content", REPORTS, ids=range(len(REPORTS)))
def test_a_report_that_is_none_is_left_alone(content: bytes, api: Api) -> None:
    job = api.submit()
    api.run(job)
    api.write(job, report.FILE_NAME, content)
    api.finish(job, exit_code=3)
    assert api.describe(job)["statusReasonCode"] == "ExecutorFailed"


def test_files_that_must_not_be_read_take_no_list_away(api: Api) -> None:
    job = api.submit(name="fit")
    api.run(job)
    api.finish(job, a_report())
    api.sandboxes.unusable |= {SPEC_FILE, report.FILE_NAME}
    [listed] = api.get("/jobs?completed=true")
    brief = [{"image": "python:3.12", "cmd": "python --version"}]
    assert (listed["name"], listed["status"], listed["tasks"]) == ("fit", "completed", brief)
    assert api.describe(job)["resources"] == {"cpus": 1, "memory": 1, "disk": 10}


def test_of_a_job_whose_files_are_gone_nothing_long_is_known(api: Api) -> None:
    job = api.submit(tasks=[a_task(cmd="x" * 20_000)])
    assert api.get("/jobs")[0]["tasks"][0]["cmd"] == "x" * 20_000
    api.sandboxes.files.pop(api.uid(job))
    assert api.get("/jobs")[0]["tasks"] == [{"image": ""}]


class TestDelete:
    def test_an_idle_job_is_deleted(self, api: Api) -> None:
        job = api.submit()
        answer = api.call("DELETE", f"/jobs/{job}")
        assert (answer.status_code, answer.json) == (200, {})
        seen = api.describe(job)
        assert (seen["status"], seen["statusReasonCode"]) == ("deleted", "DeletedByUser")
        assert api.get("/jobs") == []

    def test_several_are_deleted_if_at_least_one_is_there(self, api: Api) -> None:
        first, second, third = (api.submit() for _ in range(3))
        assert api.call("DELETE", f"/jobs?id={first},{third},99").status_code == 200
        assert ids(api.get("/jobs")) == [second]
        assert api.call("DELETE", f"/jobs?id={first},99").status_code == 400

    def test_ids_may_also_be_given_one_by_one(self, api: Api) -> None:
        first, second = api.submit(), api.submit()
        assert api.call("DELETE", f"/jobs?id={first}&id={second}").status_code == 200
        assert api.get("/jobs") == []

    def test_what_is_not_there_or_not_ones_own_is_an_error_but_never_404(self, api: Api) -> None:
        of_bob = api.as_user("bob").submit()
        for path in (f"/jobs/{of_bob}", "/jobs/99", "/jobs?id=99", "/jobs", "/jobs?id=", "/jobs?id=x"):
            answer = api.call("DELETE", path)
            assert answer.status_code == 400, path
            assert answer.json is not None
            assert answer.json["error"]
        assert ids(api.as_user("bob").get("/jobs")) == [of_bob]


def test_a_job_whose_size_depends_on_the_worker_is_queued_and_told_as_it_was_asked_for(api: Api) -> None:
    job = api.submit(resources={"cpusRange": [2, 8], "memoryPerCpu": 2})
    told = api.describe(job)["resources"]
    assert (told["cpusRange"], told["memoryPerCpu"]) == ([2, 8], 2)
    [ad] = api.queue.find(Selection(ids=(job,)))
    assert (ad[classads.REQUEST_CPUS], ad[classads.REQUEST_MEMORY]) == (2, 4000)

"""Acts on jobs that are there, over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import a_job, a_task
from builders_restapi import ALICE, BOB, SITE, Api, a_report, an_api
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads, document, plan
from prominence.core.errors import Rejected
from prominence.core.job import JobSpec
from prominence.core.plan import ExecutionPlan
from prominence.core.policies import Checkpoint, Policies
from prominence.core.states import TOO_MANY_ATTEMPTS, HoldCode, JobStatus
from prominence.restapi import submission
from prominence.restapi.adapters.memory import MemoryIdentities
from prominence.restapi.changes import changed, edits
from prominence.restapi.files import SPEC_FILE
from prominence.restapi.identity import Account
from prominence.restapi.selection import Selection


@pytest.fixture
def api() -> Api:
    """Of alice, an operator, and bob, who is none."""
    known = {"token-of-alice": replace(ALICE, operator=True), "token-of-bob": BOB}
    return an_api(identities=MemoryIdentities(known))


def done(api: Api, method: str, path: str, **options: Any) -> None:
    answer = api.call(method, path, **options)
    assert (answer.status_code, answer.json) == (200, {})


def refused(api: Api, method: str, path: str, **options: Any) -> tuple[int, str]:
    answer = api.call(method, path, **options)
    assert answer.json is not None
    return answer.status_code, answer.json["error"]


def fail(api: Api, job: int) -> None:
    """HTCondor holds the job for good."""
    why = {"HoldReasonCode": int(HoldCode.JOB_POLICY), "HoldReasonSubCode": TOO_MANY_ATTEMPTS}
    api.queue.change(job, JobStatus.HELD, **why)


class TestHold:
    @pytest.mark.parametrize("running", [False, True])
    def test_a_job_on_hold_waits_until_it_is_released(self, running: bool, api: Api) -> None:
        job = api.submit()
        if running:
            api.run(job)
        done(api, "PUT", f"/jobs/{job}/hold")
        seen = api.describe(job)
        assert (seen["status"], seen["statusReasonCode"]) == ("waiting", "HeldByUser")
        assert "endTime" not in seen["events"]
        assert [one["id"] for one in api.get("/jobs?status=waiting")] == [job]
        done(api, "PUT", f"/jobs/{job}/release")
        assert api.describe(job)["status"] == "idle"

    def test_what_is_on_hold_cannot_be_held_again_and_what_is_not_cannot_be_released(self, api: Api) -> None:
        job = api.submit()
        assert refused(api, "PUT", f"/jobs/{job}/release") == (409, f"Job {job} is not on hold: it is idle.")
        done(api, "PUT", f"/jobs/{job}/hold")
        assert refused(api, "PUT", f"/jobs/{job}/hold")[0] == 409

    def test_a_job_that_has_failed_does_not_go_on(self, api: Api) -> None:
        job = api.submit()
        fail(api, job)
        status, sentence = refused(api, "PUT", f"/jobs/{job}/release")
        assert (status, "clone" in sentence) == (409, True)

    def test_what_an_operator_holds_its_user_cannot_release(self, api: Api) -> None:
        bob = api.as_user("bob")
        job = bob.submit()
        done(api, "PUT", f"/jobs/{job}/hold")
        assert bob.describe(job)["statusReasonCode"] == "HeldByOperator"
        assert refused(bob, "PUT", f"/jobs/{job}/release")[0] == 409
        done(api, "PUT", f"/jobs/{job}/release")
        assert bob.describe(job)["status"] == "idle"


class TestDelete:
    def test_an_operator_deletes_the_jobs_of_others(self, api: Api) -> None:
        bob = api.as_user("bob")
        job = bob.submit()
        done(api, "DELETE", f"/jobs/{job}")
        assert bob.describe(job)["statusReasonCode"] == "DeletedByOperator"

    def test_of_several_those_that_may_be_deleted_are(self, api: Api) -> None:
        bob = api.as_user("bob")
        mine, other = bob.submit(), api.submit()
        done(bob, "DELETE", f"/jobs?id={mine},{other},99")
        assert api.describe(mine)["status"] == "deleted"
        assert api.describe(other)["status"] == "idle"


class TestRemove:
    def test_a_job_that_stayed_in_the_queue_leaves_it_and_is_no_other_for_that(self, api: Api) -> None:
        job = api.submit(policies={"leaveInQueue": True})
        api.run(job)
        ended = {"ExitCode": 0, "ExitBySignal": False, "CompletionDate": 1780315300}
        api.queue.change(job, JobStatus.COMPLETED, **ended)
        assert [one["status"] for one in api.get("/jobs")] == ["completed"]
        done(api, "PUT", f"/jobs/{job}/remove")
        assert api.get("/jobs") == []
        assert api.describe(job)["status"] == "completed"
        assert refused(api, "PUT", f"/jobs/{job}/remove")[0] == 400

    def test_a_job_that_has_not_ended_is_not_removed(self, api: Api) -> None:
        job = api.submit()
        assert refused(api, "PUT", f"/jobs/{job}/remove")[0] == 409

    def test_a_job_that_has_failed_stays_so(self, api: Api) -> None:
        job = api.submit()
        fail(api, job)
        failed = {"LastJobStatus": 5, "LastHoldReasonCode": 3, "LastHoldReasonSubCode": TOO_MANY_ATTEMPTS}
        api.queue.change(job, JobStatus.HELD, **failed)
        done(api, "PUT", f"/jobs/{job}/remove")
        seen = api.describe(job)
        assert (seen["status"], seen["statusReasonCode"]) == ("failed", "TooManyAttempts")


class TestClone:
    def test_a_job_is_submitted_once_more(self, api: Api) -> None:
        job = api.submit(name="fit", labels={"a": "b"}, tasks=[a_task(env={"A": "1"})])
        api.run(job)
        api.finish(job, a_report())
        answer = api.call("PUT", f"/jobs/{job}/clone")
        assert (answer.status_code, answer.json) == (201, {"id": job + 1})
        old, new = api.describe(job), api.describe(job + 1)
        for part in ("name", "labels", "tasks", "resources", "group"):
            assert old[part] == new[part]

    def test_nobody_clones_what_they_may_not_read(self, api: Api) -> None:
        job = api.as_user("bob").submit()
        assert refused(api, "PUT", f"/jobs/{job}/clone") == (400, f"There is no job {job}.")

    def test_what_is_not_there_or_not_known_any_more_is_not_cloned(self, api: Api) -> None:
        job = api.submit()
        api.sandboxes.files.pop(api.uid(job))
        for number in (job, 99):
            assert refused(api, "PUT", f"/jobs/{number}/clone")[0] == 400


class TestEdit:
    CHANGE = {"labels": {"b": "2", "a": None}, "resources": {"walltime": 7}}

    @pytest.mark.parametrize("on_hold", [False, True])
    def test_labels_walltime_and_policies_of_a_job_that_waits_change(self, on_hold: bool, api: Api) -> None:
        job = api.submit(labels={"a": "1", "c": "3"}, tasks=[a_task(env={"A": "1"})])
        if on_hold:
            done(api, "PUT", f"/jobs/{job}/hold")
        done(api, "PATCH", f"/jobs/{job}", json=self.CHANGE)
        seen = api.describe(job)
        assert (seen["labels"], seen["resources"]["walltime"]) == ({"b": "2", "c": "3"}, 7)
        assert seen["tasks"][0]["env"] == {"A": "1"}
        orders = document.loads(ExecutionPlan, api.sandboxes.files[api.uid(job)][plan.FILE_NAME].decode())
        assert orders.walltime_s == 7 * 60
        assert [one["id"] for one in api.get("/jobs?constraint=b=2")] == [job]
        assert api.get("/jobs?constraint=a=1") == []
        [ad] = api.queue.find(Selection(ids=(job,)))
        assert ad[classads.WALLTIME] == 7 * 60

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ({}, ""),
            ([], ""),
            ({"name": "x"}, "name"),
            ({"tasks": []}, "tasks"),
            ({"resources": {"cpus": 2}}, "resources.cpus"),
            ({"resources": {"walltime": 0}}, "resources.walltime"),
            ({"labels": {"a b": "1"}}, "labels"),
            ({"labels": {"a": ""}}, "labels.a"),
            ({"labels": {"a": "1", "A": "2"}}, "labels.A"),
            ({"policies": {"colour": 1}}, "policies"),
        ],
    )
    def test_nothing_else_changes(self, body: Any, path: str, api: Api) -> None:
        job = api.submit()
        before = api.describe(job)
        status, sentence = refused(api, "PATCH", f"/jobs/{job}", json=body)
        assert (status, path in sentence) == (400, True)
        assert api.describe(job) == before

    def test_nor_does_a_job_that_runs_or_has_ended(self, api: Api) -> None:
        running, failed, ended = (api.submit() for _ in range(3))
        api.run(running)
        fail(api, failed)
        api.run(ended)
        api.finish(ended, a_report())
        for job, status in ((running, 409), (failed, 409), (ended, 404)):
            assert refused(api, "PATCH", f"/jobs/{job}", json=self.CHANGE)[0] == status

    def test_a_description_stays_one_that_can_be_read(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        job = api.submit()
        before = api.describe(job)
        monkeypatch.setattr(submission, "LARGEST_READ", len(api.sandboxes.files[api.uid(job)][SPEC_FILE]) + 5)
        assert refused(api, "PATCH", f"/jobs/{job}", json={"labels": {"a": "12345"}})[0] == 400
        assert api.describe(job) == before
        assert api.get("/jobs?constraint=a=12345") == []

    def test_a_change_that_comes_in_the_midst_of_another_is_refused_and_none_is_lost(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job, usual = api.submit(), api.queue.edit
        said: list[tuple[int, str]] = []

        def edit(*arguments: Any) -> int:
            said.append(refused(api, "PATCH", f"/jobs/{job}", json={"labels": {"second": "2"}}))
            return usual(*arguments)

        monkeypatch.setattr(api.queue, "edit", edit)
        done(api, "PATCH", f"/jobs/{job}", json={"labels": {"first": "1"}})
        assert said == [(409, "The job is being changed by another request: repeat yours.")]
        monkeypatch.undo()
        done(api, "PATCH", f"/jobs/{job}", json={"labels": {"second": "2"}})
        assert api.describe(job)["labels"] == {"first": "1", "second": "2"}

    def test_a_full_disk_changes_nothing(self, api: Api) -> None:
        job = api.submit()
        api.sandboxes.full = True
        assert refused(api, "PATCH", f"/jobs/{job}", json=self.CHANGE)[0] == 503
        assert "labels" not in api.describe(job)


texts = st.one_of(st.none(), st.text(max_size=5), st.sampled_from(["1", "x", "true || true", '"']))
bodies = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.one_of(texts, st.dictionaries(st.text(max_size=3), texts, max_size=3)),
        "resources": st.fixed_dictionaries({}, optional={"walltime": st.one_of(texts, st.integers()), "cpus": texts}),
        "policies": st.dictionaries(
            st.sampled_from(["priority", "leaveInQueue", "x"]), st.one_of(texts, st.booleans())
        ),
    },
)


@given(bodies)
def test_any_change_makes_a_job_or_is_refused(body: dict[str, Any]) -> None:
    old = a_job(labels={"x": "1"})
    try:
        new = changed(old, body)
        attributes = edits(old, new, "uid", Account("alice"), SITE)
    except Rejected as error:
        assert error.mistakes
    else:
        assert isinstance(new, JobSpec)
        assert new.tasks == old.tasks
        assert all("\n" not in expression for expression in attributes.values())


def test_what_did_not_change_is_not_touched() -> None:
    old = a_job()
    assert edits(old, old, "uid", Account("alice"), SITE) == {}
    assert set(edits(old, a_job(labels={"a": "1"}), "uid", Account("alice"), SITE)) == {
        "ProminenceUserMetadata_a",
        "ProminenceSummary",
    }


OTHER_POLICIES = {
    "maximumRetries": 2,
    "maximumTaskRetries": 2,
    "maximumTimeInQueue": 60,
    "priority": 3,
    "ignoreTaskFailures": True,
    "reportJobSuccessOnTaskFailure": True,
    "runSerialTasksOnAllNodes": True,
    "leaveInQueue": True,
    "preemptible": False,
    "placement": {"requirements": {"sites": ["one"]}, "preferences": {"regions": ["north", "south"]}},
}


def test_a_job_that_saves_checkpoints_may_save_others_but_not_begin_or_cease_to() -> None:
    saving = a_job(policies=Policies(checkpoint=Checkpoint(path="state")))
    other = changed(saving, {"policies": {"checkpoint": {"path": "other", "interval": 5}}})
    assert other.policies.checkpoint == Checkpoint(path="other", interval=5)
    assert edits(saving, other, "uid", Account("alice"), SITE) == {}
    for job, policy in ((saving, None), (a_job(), {"path": "state"})):
        with pytest.raises(Rejected, match="checkpoint"):
            changed(job, {"policies": {"checkpoint": policy}})


@pytest.mark.parametrize("policy", [name for name in Policies.model_fields if name != "checkpoint"])
def test_every_policy_can_be_changed_and_taken_back(policy: str, api: Api) -> None:
    job = api.submit()
    done(api, "PATCH", f"/jobs/{job}", json={"policies": {policy: OTHER_POLICIES[policy]}})
    assert api.describe(job)["policies"] == {policy: OTHER_POLICIES[policy]}
    done(api, "PATCH", f"/jobs/{job}", json={"policies": {policy: None}})
    assert "policies" not in api.describe(job)


def test_a_priority_reaches_htcondor(api: Api) -> None:
    job = api.submit()
    for body, expected in (({"policies": {"priority": 5}}, 5), ({"policies": {"priority": None}}, 0)):
        done(api, "PATCH", f"/jobs/{job}", json=body)
        assert api.queue.find(Selection(ids=(job,)))[0][classads.PRIORITY] == expected

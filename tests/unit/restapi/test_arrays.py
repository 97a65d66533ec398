"""Arrays: many equal jobs under one number, of which each is a job."""

from __future__ import annotations

import base64
import json
from functools import partial
from typing import Any

import pytest
from builders import NOON, a_task, job_json
from builders_restapi import SITE, Api, a_report, an_ad, an_api, an_explanation
from werkzeug.test import TestResponse

from prominence.core import classads, document, plan, report
from prominence.core.jobid import JobId
from prominence.core.plan import ExecutionPlan
from prominence.core.reasons import Reason
from prominence.core.report import Outcome
from prominence.core.states import JobStatus
from prominence.restapi.adapters.memory import MemoryIdentities, MemoryQueue
from prominence.restapi.identity import Identity
from prominence.restapi.translate.site import Site
from prominence.restapi.turns import Queued
from prominence.restapi.wiring import jobs_of


@pytest.fixture
def api() -> Api:
    return an_api()


def refused(answer: TestResponse) -> tuple[int, str]:
    assert answer.json is not None
    return answer.status_code, answer.json["error"]


def members(api: Api, array: int, query: str = "?all") -> list[tuple[str, str]]:
    return [(one["id"], one["status"]) for one in api.get(f"/arrays/{array}/jobs{query}")]


class TestCreate:
    def test_all_members_are_queued_at_once_with_a_directory_each(self, api: Api) -> None:
        array = api.submit_array(3, name="fit", labels={"app": "x"}, inputs=[{"filename": "a", "content": "YQ=="}])
        assert members(api, array, "") == [(f"{array}.{index}", "idle") for index in range(3)]
        uid = api.uid(array)
        assert sorted(api.sandboxes.files[uid]) == ["inputs.json", "plan.json", "spec.json"]
        assert [api.sandboxes.files[f"{uid}/{index}"] for index in range(3)] == [{}, {}, {}]
        planned = document.loads(ExecutionPlan, api.sandboxes.files[uid][plan.FILE_NAME].decode())
        assert (planned.job, planned.name) == (uid, "fit")

    def test_each_has_a_token_of_its_own_where_it_uses_objects(self, api: Api) -> None:
        array = api.submit_array(2, outputFiles=["out.txt"])
        uid = api.uid(array)
        tokens = [api.sandboxes.files[f"{uid}/{index}"][plan.TOKEN_FILE].decode() for index in range(2)]
        whose = [api.services.job_tokens.whose(token, "outputs:write") for token in tokens]
        assert whose == [f"{uid}/0", f"{uid}/1"]
        assert plan.TOKEN_FILE not in api.sandboxes.files[uid]

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ({"count": 0, "job": {}}, "count"),
            ({"count": 1.5, "job": {}}, "count"),
            ({"count": "3", "job": {}}, "count"),
            ({"count": 3}, "job"),
            ({"count": 3, "job": {"tasks": []}}, "job.tasks"),
            ({"count": 3, "job": 3}, "job"),
            ({"job": {}}, "count"),
            ({"count": 3, "job": {}, "jobs": []}, "jobs"),
            ([], ""),
        ],
    )
    def test_what_is_none_is_refused_with_every_mistake(self, body: object, path: str, api: Api) -> None:
        status, said = refused(api.call("POST", "/arrays", json=body))
        assert status == 400
        assert path in said
        assert api.sandboxes.files == {}

    def test_there_may_be_so_many_members_and_no_more(self) -> None:
        api = an_api(site=Site(executor=SITE.executor, max_array=3))
        body = {"count": 4, "job": {"tasks": [a_task()], "resources": {}}}
        assert refused(api.call("POST", "/arrays", json=body)) == (400, "count: this site takes at most 3 jobs at once")
        assert api.submit_array(3)

    def test_each_member_counts_as_a_job_in_the_queue(self) -> None:
        queue = MemoryQueue()
        api = an_api(queue=queue, queued=Queued(5, partial(jobs_of, queue, 1000), lambda: 0.0))
        assert [api.submit_array(3), api.submit()] == [1, 2]
        body = {"count": 2, "job": {"tasks": [a_task()], "resources": {}}}
        status, said = refused(api.call("POST", "/arrays", json=body))
        assert (status, said.partition(",")[0]) == (429, "You have 4 jobs in the queue")
        assert api.sandboxes.files.keys() == {api.uid(1), api.uid(2), *(f"{api.uid(1)}/{index}" for index in range(3))}

    def test_a_whole_number_may_have_a_point(self, api: Api) -> None:
        body = b'{"count": 2.0, "job": {"tasks": [{"image": "a"}], "resources": {}}}'
        assert api.call("POST", "/arrays", data=body).json == {"id": 1, "count": 2}

    def test_a_job_may_be_spelled_as_old_files_have_it(self, api: Api) -> None:
        assert api.submit_array(2, policies={"ignoreTaskTailures": True}, notifications=[])

    def test_a_request_that_is_repeated_makes_one_array(self, api: Api) -> None:
        body = {"count": 3, "job": {"tasks": [a_task()], "resources": {}}}
        first, second = (api.call("POST", "/arrays", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2))
        assert (first.status_code, first.json) == (second.status_code, second.json) == (201, {"id": 1, "count": 3})
        assert (
            refused(api.call("POST", "/arrays", json={**body, "count": 4}, headers={"Idempotency-Key": "k"}))[0] == 409
        )
        assert [one["id"] for one in api.get("/arrays")] == [1]

    def test_an_array_whose_answer_got_lost_is_found_by_its_first_member(self) -> None:
        queue = MemoryQueue()
        queue.loses_answers = True
        api = an_api(queue=queue)
        assert api.submit_array(2) == 1

    def test_without_the_queue_nothing_is_left_behind(self, api: Api) -> None:
        queue = MemoryQueue()
        queue.unavailable = "gone"
        api = an_api(queue=queue)
        body = {"count": 3, "job": {"tasks": [a_task()], "resources": {}}}
        assert api.call("POST", "/arrays", json=body).status_code == 503

    def test_nobody_is_told_by_email_of_thousands_of_jobs(self) -> None:
        api = an_api(addresses={"alice": "alice@example.org"})
        told = [{"event": "jobFinished", "type": "email"}]
        answer = api.call("POST", "/arrays", json={"count": 2, "job": job_json(notifications=told)})
        assert refused(answer)[0] == 400
        assert refused(answer)[1].startswith("job.notifications: ")

    def test_members_share_what_they_show_to_registries_and_a_clone_of_one_has_it_too(self, api: Api) -> None:
        credential = {"username": "robot", "token": "very secret"}
        array = api.submit_array(2, tasks=[{"image": "a.example.org/b", "imagePullCredential": credential}])
        kept = {name for name, files in api.sandboxes.files.items() for text in files.values() if b"secret" in text}
        assert kept == {api.uid(array)}
        assert "very secret" not in json.dumps([api.get(f"/jobs/{array}.1"), api.get(f"/arrays/{array}")])
        answer = api.call("PUT", f"/jobs/{array}.1/clone")
        assert answer.status_code == 201, answer.json
        [clone] = [uid for uid in api.sandboxes.files if not uid.startswith(api.uid(array))]
        assert b"very secret" in api.sandboxes.files[clone][plan.CREDENTIALS_FILE]

    def test_a_token_that_is_not_shown_is_no_token(self, api: Api) -> None:
        task = {"image": "a.example.org/b", "imagePullCredential": {"username": "robot", "token": "***"}}
        answer = api.call("POST", "/arrays", json={"count": 2, "job": job_json(tasks=[task])})
        assert refused(answer)[1].startswith("job.tasks[0].imagePullCredential.token: ")


class TestLook:
    def test_an_array_is_told_with_how_its_members_are(self, api: Api) -> None:
        array = api.submit_array(4, name="fit", labels={"app": "x"}, group="physics")
        told = {
            "id": array,
            "name": "fit",
            "count": 4,
            "group": "physics",
            "labels": {"app": "x"},
            "statuses": {"idle": 4},
            "events": {"createTime": int(NOON.timestamp())},
        }
        assert api.get(f"/arrays/{array}") == told
        api.run(JobId.member(array, 0))
        api.run(JobId.member(array, 1))
        api.finish(JobId.member(array, 1), a_report())
        api.call("DELETE", f"/jobs/{array}.3")
        statuses = {"idle": 1, "running": 1, "completed": 1, "deleted": 1}
        assert api.get(f"/arrays/{array}") == {**told, "statuses": statuses}
        for index in (0, 2):
            api.finish(JobId.member(array, index), a_report(Outcome.TASK_FAILED, exit_code=3), exit_code=3)
        assert api.get(f"/arrays/{array}") == {**told, "statuses": {"completed": 1, "failed": 2, "deleted": 1}}

    def test_arrays_are_listed_newest_first_and_jobs_are_not_among_them(self, api: Api) -> None:
        first = api.submit_array(2, name="one")
        api.submit()
        second = api.submit_array(1, name="two")
        api.as_user("bob").submit_array(1)
        for index in range(2):
            api.finish(JobId.member(first, index), a_report())
        assert [(one["id"], one["name"], one["statuses"]) for one in api.get("/arrays")] == [
            (second, "two", {"idle": 1}),
            (first, "one", {"completed": 2}),
        ]
        assert [one["id"] for one in api.get("/arrays?limit=1")] == [second]
        assert refused(api.call("GET", "/arrays?limit=0"))[0] == 400

    def test_members_are_listed_as_jobs_are(self, api: Api) -> None:
        array = api.submit_array(5)
        api.run(JobId.member(array, 1))
        api.finish(JobId.member(array, 4), a_report())
        assert [one for one, _ in members(api, array, "")] == [f"{array}.{index}" for index in range(4)]
        assert members(api, array, "?completed=true") == [(f"{array}.4", "completed")]
        assert members(api, array, "?status=running") == [(f"{array}.1", "running")]
        answer = api.call("GET", f"/arrays/{array}/jobs?all&limit=3&fields=status")
        assert answer.json == [
            {"id": f"{array}.{index}", "array": array, "status": "completed" if index == 4 else "idle"}
            for index in (4, 3, 2)
        ]
        cursor = answer.headers["X-Prominence-Cursor"]
        rest = api.call("GET", f"/arrays/{array}/jobs?all&cursor={cursor}")
        assert [one["id"] for one in rest.json or ()] == [f"{array}.1", f"{array}.0"]
        assert "X-Prominence-Cursor" not in rest.headers

    def test_a_list_of_jobs_has_no_members_however_it_is_asked_for(self, api: Api) -> None:
        array, job = api.submit_array(2, name="fit", labels={"app": "x"}), api.submit(name="fit", labels={"app": "x"})
        api.finish(JobId.member(array, 0), a_report())
        for query in (
            "",
            "?all",
            "?name=fit&all",
            "?constraint=app=x&all",
            f"?id={array},{job}",
            "?limit=9",
            "?status=idle",
        ):
            assert [one["id"] for one in api.get(f"/jobs{query}")] == [job], query
        assert api.get("/jobs?completed=true") == []
        assert refused(api.call("GET", f"/jobs?id={array}.0"))[0] == 400

    def test_an_array_is_no_job_and_a_job_no_array(self, api: Api) -> None:
        array, job = api.submit_array(2), api.submit()
        assert api.get(f"/jobs/{array}") == api.get(f"/jobs/{job}.0") == api.get(f"/jobs/{array}.2") == []
        assert refused(api.call("DELETE", f"/jobs/{array}"))[0] == 400
        for path in (f"/arrays/{job}", f"/arrays/{job}/jobs", "/arrays/99"):
            assert api.call("GET", path).status_code == 404
        for method, act in (("DELETE", ""), ("PUT", "/hold"), ("PUT", "/release")):
            assert api.call(method, f"/arrays/{job}{act}").status_code == 404

    @pytest.mark.parametrize("array", ["x", "0", "-1", "1.0", "99999999999"])
    def test_what_is_no_number_is_refused(self, array: str, api: Api) -> None:
        assert refused(api.call("GET", f"/arrays/{array}")) == (400, f"{array!r} is not the number of an array")

    def test_why_members_wait_is_told_in_the_order_in_which_they_will_start(self, api: Api) -> None:
        array, job = api.submit_array(2), api.submit()
        api.explain(an_explanation(jobs=1), an_explanation(Reason.NO_FLAVOUR_FITS, jobs=2))
        assert members(api, array) == [(f"{array}.0", "deploying"), (f"{array}.1", "waiting")]
        assert api.describe(job)["statusReasonCode"] == "NoFlavourFits"


class TestMember:
    def test_a_member_is_described_as_a_job_is(self, api: Api) -> None:
        array = api.submit_array(2, name="fit", inputs=[{"filename": "a", "content": "YQ=="}])
        one = JobId.member(array, 1)
        api.run(one)
        described = api.describe(one)
        assert (described["id"], described["array"], described["name"]) == (f"{array}.1", array, "fit")
        assert (described["status"], described["inputs"]) == ("running", [{"filename": "a"}])
        assert described["tasks"] == api.describe(JobId.member(array, 0))["tasks"] == [a_task()]
        api.write(one, "stdout", b"hello")
        assert api.call("GET", f"/jobs/{one}/stdout").text == "hello"
        assert api.call("GET", f"/jobs/{array}.0/stdout").text == ""
        api.finish(one, a_report(exit_code=0))
        ended = api.describe(one)
        assert (ended["status"], ended["inputs"], ended["tasks"]) == ("completed", [{"filename": "a"}], [a_task()])

    def test_an_act_is_on_that_member_alone(self, api: Api) -> None:
        array = api.submit_array(3)
        assert api.call("PUT", f"/jobs/{array}.1/hold").status_code == 200
        assert members(api, array) == [(f"{array}.0", "idle"), (f"{array}.1", "waiting"), (f"{array}.2", "idle")]
        assert api.call("PUT", f"/jobs/{array}.1/release").status_code == 200
        assert api.call("DELETE", f"/jobs/{array}.2").status_code == 200
        assert members(api, array, "") == [(f"{array}.0", "idle"), (f"{array}.1", "idle")]
        assert refused(api.call("DELETE", f"/jobs/{array}.2")) == (400, f"There is no job {array}.2 in the queue.")

    def test_a_clone_is_a_job_of_its_own(self, api: Api) -> None:
        content = base64.b64encode(b"text").decode()
        array = api.submit_array(2, name="fit", inputs=[{"filename": "a", "content": content}])
        answer = api.call("PUT", f"/jobs/{array}.1/clone")
        assert answer.status_code == 201
        clone = answer.json["id"] if answer.json else 0
        assert (api.describe(clone)["id"], api.describe(clone)["name"]) == (clone, "fit")
        assert json.loads(api.sandboxes.files[api.uid(clone)]["inputs.json"]) == [content]

    def test_what_all_members_share_cannot_be_changed_of_one(self, api: Api) -> None:
        array = api.submit_array(2)
        assert refused(api.call("PATCH", f"/jobs/{array}.1", json={"labels": {"a": "b"}})) == (
            409,
            f"Job {array}.1 cannot be changed: all members of array {array} share one description.",
        )

    def test_a_wait_for_news_is_woken_by_that_member(self, api: Api) -> None:
        array = api.submit_array(2)
        version = api.call("GET", f"/jobs/{array}.0").headers["ETag"]
        assert api.call("GET", f"/jobs/{array}.0", headers={"If-None-Match": version}).status_code == 304
        assert api.call("GET", f"/jobs/{array}.1").headers["ETag"] != version
        api.run(JobId.member(array, 0))
        answer = api.call("GET", f"/jobs/{array}.0?wait=20", headers={"If-None-Match": version})
        assert (answer.status_code, (answer.json or [{}])[0]["status"]) == (200, "running")

    def test_the_report_of_another_member_is_not_taken_for_its_own(self, api: Api) -> None:
        array = api.submit_array(2)
        api.write(JobId.member(array, 0), report.FILE_NAME, document.dumps(a_report(Outcome.TASK_FAILED)).encode())
        api.finish(JobId.member(array, 1), a_report())
        assert api.describe(JobId.member(array, 1))["status"] == "completed"


class TestObjects:
    def trade(self, api: Api, token: str, name: str) -> TestResponse:
        return api.client.post(
            "/prominence/v1/data/output", json={"name": name, "size": 3}, headers={"Authorization": f"Bearer {token}"}
        )

    def test_members_write_each_their_own_and_only_while_they_run(self, api: Api) -> None:
        array = api.submit_array(2, outputFiles=["out.txt"])
        first, second = (JobId.member(array, index) for index in range(2))
        tokens = [api.sandboxes.files[api.uid(one)][plan.TOKEN_FILE].decode() for one in (first, second)]
        api.run(first)
        answer = self.trade(api, tokens[0], "out.txt")
        assert answer.status_code == 201
        assert f"scratch/{api.uid(first)}/out.txt" in answer.json["url"]  # type: ignore[index]
        assert self.trade(api, tokens[1], "out.txt").status_code == 403
        assert self.trade(api, tokens[0], "other.txt").status_code == 403
        assert api.get("/quota")["user"]["outputs"] == 3
        api.run(second)
        assert self.trade(api, tokens[1], "out.txt").status_code == 201
        assert self.trade(api, tokens[0], "out.txt").status_code == 201
        assert api.get("/quota")["user"]["outputs"] == 6
        api.objects.put(answer.json["url"], b"abc")  # type: ignore[index]
        assert [one["size"] for one in api.describe(first)["outputFiles"]] == [3]
        assert api.describe(second)["outputFiles"] == [{"name": "out.txt", "url": ""}]


class TestActs:
    def test_an_array_is_deleted_as_a_whole(self, api: Api) -> None:
        array, other = api.submit_array(3), api.submit_array(1)
        assert (api.call("DELETE", f"/arrays/{array}").json, api.get(f"/arrays/{array}")["statuses"]) == (
            {},
            {"deleted": 3},
        )
        assert refused(api.call("DELETE", f"/arrays/{array}")) == (404, f"There is no array {array} in the queue.")
        assert api.get(f"/arrays/{other}")["statuses"] == {"idle": 1}

    def test_an_array_is_held_and_released_as_a_whole(self, api: Api) -> None:
        array = api.submit_array(3)
        assert refused(api.call("PUT", f"/arrays/{array}/release"))[0] == 409
        api.call("PUT", f"/jobs/{array}.0/hold")
        assert api.call("PUT", f"/arrays/{array}/hold").status_code == 200
        assert {one for _, one in members(api, array)} == {"waiting"}
        assert refused(api.call("PUT", f"/arrays/{array}/hold"))[0] == 409
        assert api.call("PUT", f"/arrays/{array}/release").status_code == 200
        assert {one for _, one in members(api, array)} == {"idle"}

    def test_what_an_operator_holds_its_owner_cannot_release(self) -> None:
        known = {"token-of-alice": Identity("alice"), "token-of-olga": Identity("olga", operator=True)}
        api = an_api(identities=MemoryIdentities(known))
        array, olga = api.submit_array(3), api.as_user("olga")
        api.call("PUT", f"/jobs/{array}.0/hold")
        assert olga.call("PUT", f"/arrays/{array}/hold").status_code == 200
        assert api.call("PUT", f"/arrays/{array}/release").status_code == 200
        assert [one for _, one in members(api, array)] == ["idle", "waiting", "waiting"]
        status, said = refused(api.call("PUT", f"/arrays/{array}/release"))
        assert (status, "operator" in said) == (409, True)
        assert olga.call("PUT", f"/arrays/{array}/release").status_code == 200
        assert {one for _, one in members(api, array)} == {"idle"}

    def test_a_member_that_htcondor_gave_up_stays_so_when_the_others_are_released(self, api: Api) -> None:
        array = api.submit_array(2)
        api.queue.change(JobId.member(array, 0), JobStatus.HELD, HoldReasonCode=3, HoldReasonSubCode=1)
        api.call("PUT", f"/jobs/{array}.1/hold")
        api.call("PUT", f"/arrays/{array}/release")
        assert [one for _, one in members(api, array)] == ["failed", "idle"]

    def test_operators_acts_are_told_as_such(self) -> None:
        known = {"token-of-alice": Identity("alice"), "token-of-olga": Identity("olga", operator=True)}
        api = an_api(identities=MemoryIdentities(known))
        array = api.submit_array(1, tasks=[a_task(cmd="echo secret")])
        olga = api.as_user("olga")
        assert olga.get(f"/arrays/{array}")["count"] == 1
        assert "secret" not in str(olga.get(f"/arrays/{array}/jobs"))
        assert olga.get("/arrays") == []
        olga.call("DELETE", f"/arrays/{array}")
        assert api.describe(JobId.member(array, 0))["statusReasonCode"] == "DeletedByOperator"


def test_a_members_ad_is_told_from_that_of_a_job() -> None:
    assert JobId.of(an_ad()).index is None
    assert JobId.of(an_ad(**{classads.ARRAY_INDEX: 0})).index == 0


def test_the_answers_of_lists_are_of_whole_numbers_for_jobs_and_texts_for_members(api: Api) -> None:
    api.submit()
    api.submit_array(1)
    told: list[Any] = [*api.get("/jobs"), *api.get("/arrays/2/jobs")]
    assert [one["id"] for one in told] == [1, "2.0"]

"""Workflows over HTTP, on memory services: what DAGMan would do is done by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from builders import job_json
from builders_restapi import TOKENS, Api, an_api

from prominence.core import classads, plan
from prominence.core.states import JobStatus
from prominence.core.verdict import CAME_TO_ITS_END
from prominence.restapi import ledger, legacy
from prominence.restapi.adapters.memory import MemoryIdentities, MemoryQueue
from prominence.restapi.identity import Identity
from prominence.restapi.retention.sweep import sweep
from prominence.restapi.selection import Selection
from prominence.restapi.translate.site import Site
from prominence.restapi.translate.submit import SubmitDescription
from prominence.restapi.turns import Queued
from prominence.restapi.wiring import jobs_of

REPEAT = {"type": "repeat", "jobs": ["a"], "number": 3}


@pytest.fixture
def api() -> Api:
    return an_api()


def zipped(*values: object) -> dict[str, Any]:
    return {"type": "zip", "jobs": ["a"], "parameters": [{"name": "x", "values": list(values)}]}


def ended(api: Api, workflow: int, exit_code: int = 0, **counts: int) -> None:
    """DAGMan ends."""
    facts: dict[str, Any] = {classads.EXIT_CODE: exit_code, classads.EXIT_BY_SIGNAL: False}
    facts[classads.FINISHED_AT] = int(api.clock.now().timestamp())
    api.queue.leave(workflow, JobStatus.COMPLETED, **facts, **counts)


def uid_of(api: Api) -> str:
    """Of the one workflow."""
    return next(iter(api.sandboxes.files))


def refused(api: Api, **fields: Any) -> str:
    answer = api.call("POST", "/workflows", json=fields)
    assert answer.status_code == 400, answer.text
    assert answer.json is not None
    return str(answer.json["error"])


class TestCreate:
    def test_all_files_are_there_before_it_is_queued_and_none_for_an_instance(self, api: Api) -> None:
        workflow = api.submit_workflow(jobs=[api.a_step("a"), api.a_step("b")], factories=[REPEAT])
        assert workflow == 1
        uid = uid_of(api)
        assert {where.removeprefix(uid): set(files) for where, files in api.sandboxes.files.items()} == {
            "": {"workflow.json", "workflow.dag"},
            "/0": {"job.sub", "plan.json", "spec.json"},
            "/1": {"job.sub", "plan.json", "spec.json"},
            **{f"/0.{index}": set() for index in range(3)},
            "/1.0": set(),
        }

    def test_a_job_of_several_nodes_is_as_many_processes(self, api: Api) -> None:
        api.submit_workflow(jobs=[job_json(name="a", nodes=3), api.a_step("b")])
        written = [api.sandboxes.files[f"{uid_of(api)}/{place}"]["job.sub"].decode() for place in (0, 1)]
        assert [text.splitlines()[-1] for text in written] == ["queue 3", "queue 1"]

    def test_every_mistake_is_told_at_once(self, api: Api) -> None:
        told = refused(
            api, jobs=[job_json(name="a"), job_json(name="a")], dependencies={"b": ["a"]}, factories=[REPEAT]
        )
        assert told == "jobs[1].name: a is the name of another job; dependencies.b: there is no job b"

    def test_more_jobs_than_the_site_takes_are_refused_early(self) -> None:
        api = an_api(site=Site(executor="/e", max_workflow=5))
        assert "make 6 jobs; at most 5" in refused(api, jobs=[job_json(name="a")], factories=[{**REPEAT, "number": 6}])
        assert not api.sandboxes.files

    def test_what_it_may_put_into_the_queue_counts_as_in_the_queue(self, api: Api) -> None:
        queue = api.queue
        api.submit_workflow(jobs=[api.a_step("a")], factories=[{**REPEAT, "number": 50}])
        counted = partial(jobs_of, queue, 4, "alice", 100)
        assert (counted(), jobs_of(queue, 4, "alice", 3), jobs_of(queue, 4, "bob", 100)) == (4, 3, 0)
        api.start_step(1)
        queue.change(1, JobStatus.RUNNING, DAG_NodesQueued=1)
        assert counted() == 4
        queue.change(1, JobStatus.RUNNING, DAG_NodesQueued=1, DAG_NodesDone=48, DAG_NodesFailed=1)
        assert counted() == 2
        queue.change(1, JobStatus.COMPLETED)
        assert counted() == 1

    def test_a_rerun_counts_for_what_is_left_of_it(self) -> None:
        queue = MemoryQueue()
        api = an_api(queue=queue, queued=Queued(8, partial(jobs_of, queue, 1000), lambda: 0.0))
        api = replace(api, queue=queue)
        workflow = api.submit_workflow(jobs=[api.a_step("a")], factories=[{**REPEAT, "number": 6}])
        ended(api, workflow, 1, DAG_NodesDone=2, DAG_NodesFailed=4)
        api.submit_workflow(jobs=[api.a_step("a")], factories=[{**REPEAT, "number": 5}])
        assert api.call("PUT", f"/workflows/{workflow}").status_code == 429

    def test_a_user_has_so_many_workflows_at_once_and_no_more(self) -> None:
        api = an_api(site=Site(executor="/e", max_workflows=2))
        body = {"jobs": [api.a_step("a")]}
        assert [api.submit_workflow(**body), api.submit_workflow(**body)] == [1, 2]
        answer = api.call("POST", "/workflows", json=body)
        assert answer.status_code == 429
        assert answer.json is not None
        assert answer.json["error"].startswith("You have 2 workflows in the queue, and may have no more")
        ended(api, 1, 1, DAG_NodesFailed=1)
        assert api.call("PUT", "/workflows/1").status_code == 200
        ended(api, 2, 1, DAG_NodesFailed=1)
        assert api.as_user("bob").call("POST", "/workflows", json=body).status_code == 201
        assert api.submit_workflow(**body) == 5
        assert api.call("PUT", "/workflows/2").status_code == 429

    def test_a_repeated_request_makes_one(self, api: Api) -> None:
        body, headers = {"jobs": [api.a_step("a")]}, {"Idempotency-Key": "k"}
        made = [api.call("POST", "/workflows", json=body, headers=headers).json for _ in range(2)]
        assert made == [{"id": 1}, {"id": 1}]
        ended(api, 1)
        api.store.delete_if(next(iter(api.store.keys("/prominence/idempotency/"))), None)
        assert api.call("POST", "/workflows", json=body, headers=headers).json == {"id": 2}

    def test_a_lost_answer_is_looked_up(self, api: Api) -> None:
        api.queue.loses_answers = True
        assert api.submit_workflow(jobs=[api.a_step("a")]) == 1

    def test_what_cannot_be_queued_leaves_no_files(self, api: Api) -> None:
        api.queue.unavailable = "Away."
        assert api.call("POST", "/workflows", json={"jobs": [api.a_step("a")]}).status_code == 503
        api.queue.unavailable = ""
        assert not [uid for uid in api.sandboxes.files if api.get("/workflows")]

    def test_each_instance_has_a_token_of_its_own_and_the_job_one_record(self, api: Api) -> None:
        api.submit_workflow(jobs=[api.a_step("a", outputFiles=["o-$x.txt", "p"])], factories=[zipped(1, 2)])
        uid = uid_of(api)
        tokens = [api.sandboxes.files[f"{uid}/0.{index}"][plan.TOKEN_FILE].decode() for index in range(2)]
        whose = [api.services.job_tokens.whose(token, "outputs:write") for token in tokens]
        assert whose == [f"{uid}/0.{index}" for index in range(2)]
        record = ledger.find(f"{uid}/0.1", api.store)
        assert record is not None
        assert (record.user, record.output_files) == ("alice", ("o-*.txt", "p"))

    def test_an_instance_puts_its_outputs_where_no_other_does(self, api: Api) -> None:
        workflow = api.submit_workflow(jobs=[api.a_step("a", outputFiles=["o-$x.txt"])], factories=[zipped(1, 2)])
        for index in range(2):
            job = api.start_step(workflow, 0, index)
            api.run(job)
            token = api.sandboxes.files[f"{uid_of(api)}/0.{index}"][plan.TOKEN_FILE].decode()
            for name, status in ((f"o-{index + 1}.txt", 200), ("other", 403)):
                answer = api.client.post(
                    "/prominence/v1/data/output", json={"name": name}, headers={"Authorization": f"Bearer {token}"}
                )
                assert answer.status_code in (status, status + 1), answer.text
                if status == 200:
                    api.objects.put(answer.json["url"], b"x")
            [kept] = api.describe(job)["outputFiles"]
            assert kept["name"] == f"o-{index + 1}.txt"
            assert f"scratch/{uid_of(api)}/0.{index}/" in kept["url"]

    def test_objects_that_instances_read_are_looked_for(self, api: Api) -> None:
        told = refused(api, jobs=[api.a_step("a", artifacts=[{"url": "in-$x"}])], factories=[zipped(1)])
        assert told == "jobs[0].artifacts[0].url: there is no object in-1; upload it first"

    def test_more_objects_than_are_kept_of_a_job_are_refused_before_anything_is_made(
        self, api: Api, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in (1, 2, 3):
            upload = api.call("POST", "/data/upload", json={"filename": f"in-{number}"})
            assert upload.json is not None
            api.objects.put(upload.json["url"], b"content")
        job = api.a_step("a", artifacts=[{"url": "in-$x"}])
        monkeypatch.setattr(ledger, "LARGEST_VALUE", 220)
        told = refused(api, jobs=[job], factories=[zipped(1, 2, 3)])
        assert told == "jobs[0]: its instances together name more objects than are kept of one job"
        assert not api.sandboxes.files
        api.submit_workflow(jobs=[job], factories=[zipped(1)])


class TestOldForms:
    def test_dependencies_as_lists_and_numbers_of_repetitions_are_translated(self, api: Api) -> None:
        workflow = api.submit_workflow(
            jobs=[api.a_step("a"), api.a_step("b")],
            dependencies=[{"parents": ["a"], "children": ["b"]}],
            factories=[{"type": "repeat", "jobs": ["a"], "num": 2}],
            maximumRetries=2,
            storage={},
        )
        [found] = api.get(f"/workflows/{workflow}")
        assert found["dependencies"] == {"a": ["b"]}
        assert found["factories"] == [{"type": "repeat", "jobs": ["a"], "number": 2}]
        assert found["policies"] == {"maximumRetries": 2}

    def test_a_short_list_that_stands_for_a_great_many_dependencies_is_refused(self, api: Api) -> None:
        hostile = {"parents": ["a"] * 600, "children": ["a"] * 10_000}
        told = refused(api, jobs=[api.a_step("a")], dependencies=[hostile])
        assert told == "dependencies: are more than 1000 jobs can have"

    def test_an_old_factory_is_refused_with_what_to_write_instead(self, api: Api) -> None:
        told = refused(api, jobs=[api.a_step("a")], factory={"type": "parametricSweep", "parameterSets": []})
        assert told.startswith('factory: is an old form; write "factories": a list')

    @pytest.mark.parametrize(
        ("path", "node", "meant"),
        [
            ("a", "0", "a"),
            ("0", "a", "a"),
            ("0/3", "a/b", "a/b/3"),
            ("a/3", "0", "a/3"),
            ("a/3", "b", "a/3"),
            ("7", "", "7"),
        ],
    )
    def test_what_the_published_client_asks_for_in_the_wrong_place_is_put_right(
        self, path: str, node: str, meant: str
    ) -> None:
        assert legacy.step(path, node) == meant

    def test_what_is_described_can_be_submitted_again(self, api: Api) -> None:
        first = api.submit_workflow(name="w", jobs=[api.a_step("a")], factories=[REPEAT])
        [described] = api.get(f"/workflows/{first}")
        again = {key: value for key, value in described.items() if key not in ("id", "status", "events")}
        assert api.submit_workflow(**again) == 2


class TestLooks:
    def test_a_workflow_is_described_with_what_its_user_wrote_and_how_far_it_is(self, api: Api) -> None:
        fields = {"name": "w", "labels": {"k": "v"}, "jobs": [api.a_step("a")], "factories": [REPEAT]}
        workflow = api.submit_workflow(**fields)
        api.queue.change(workflow, JobStatus.RUNNING, DAG_NodesDone=1, DAG_NodesFailed=0, DAG_NodesQueued=2)
        [found] = api.get(f"/workflows/{workflow}")
        assert (found["status"], found["jobs"], found["factories"]) == ("running", fields["jobs"], fields["factories"])
        assert found["progress"] == {"total": 3, "done": 1, "failed": 0, "queued": 2, "waiting": 0}
        [listed] = api.get("/workflows")
        assert listed.keys() == {"id", "name", "status", "group", "labels", "progress", "events"}

    @pytest.mark.parametrize(
        ("exit_code", "counts", "status", "reason"),
        [
            (0, {}, "completed", None),
            (1, {"DAG_NodesFailed": 2}, "failed", "JobsFailed"),
            (0, {"DAG_NodesFailed": 2}, "failed", "JobsFailed"),
            (1, {}, "failed", "WorkflowStopped"),
        ],
    )
    def test_how_it_ended_is_told(
        self, exit_code: int, counts: dict[str, int], status: str, reason: str | None, api: Api
    ) -> None:
        workflow = api.submit_workflow(jobs=[api.a_step("a")])
        ended(api, workflow, exit_code, **counts)
        [found] = api.get(f"/workflows/{workflow}")
        assert (found["status"], found.get("statusReasonCode")) == (status, reason)
        assert api.get("/workflows") == []
        assert [one["id"] for one in api.get("/workflows?completed=true")] == [workflow]

    @pytest.mark.parametrize(("failed", "status"), [(0, "completed"), (1, "failed")])
    def test_one_whose_dagman_was_ended_when_all_had_ended_was_not_deleted(
        self, failed: int, status: str, api: Api
    ) -> None:
        workflow = api.submit_workflow(jobs=[api.a_step("a")], **{"finally": api.a_step("z")})
        counts = {"DAG_NodesDone": 2 - failed, "DAG_NodesFailed": failed}
        api.queue.leave(workflow, JobStatus.REMOVED, **{classads.REMOVE_REASON: CAME_TO_ITS_END}, **counts)
        assert api.get(f"/workflows/{workflow}")[0]["status"] == status

    def test_never_more_are_told_to_be_done_than_there_are(self, api: Api) -> None:
        workflow = api.submit_workflow(jobs=[api.a_step("a")], factories=[REPEAT])
        ended(api, workflow, 1, DAG_NodesDone=4, DAG_NodesFailed=1)
        [told] = api.get(f"/workflows/{workflow}")
        assert told["progress"] == {"total": 3, "done": 2, "failed": 1, "queued": 0, "waiting": 0}

    def test_lists_are_filtered_and_come_in_pages_as_those_of_jobs(self, api: Api) -> None:
        for number in range(4):
            api.submit_workflow(name=f"n{number % 2}", labels={"k": str(number)}, jobs=[api.a_step("a")])
        ended(api, 4)
        ids = lambda query: [one["id"] for one in api.get(f"/workflows{query}")]  # noqa: E731
        assert ids("?name=n1") == [2]
        assert ids("?name=n1&all") == [2, 4]
        assert ids("?constraint=k=3&all") == [4]
        assert ids("?id=1,4") == [1, 4]
        assert ids("?status=idle") == [1, 2, 3]
        assert ids("?status=completed") == [4]
        answer = api.call("GET", "/workflows?all&sort=-id&limit=3")
        assert [one["id"] for one in answer.json or []] == [4, 3, 2]
        assert ids(f"?all&limit=3&cursor={answer.headers['X-Prominence-Cursor']}") == [1]

    def test_jobs_of_a_workflow_are_jobs_and_it_is_none(self, api: Api) -> None:
        workflow = api.submit_workflow(
            name="w", jobs=[api.a_step("a", tasks=[{"image": "i", "cmd": "echo $x"}])], factories=[zipped(0.5, "s")]
        )
        job = api.start_step(workflow, 0, 1)
        [listed] = api.get(f"/jobs?workflow=true&id={workflow}&num=-1")
        assert (listed["id"], listed["name"], listed["workflow"]) == (job, "w/a/1", workflow)
        assert (listed["parameters"], listed["tasks"][0]["cmd"]) == ({"x": "s"}, "echo s")
        assert api.describe(job)["tasks"] == [{"image": "i", "cmd": "echo s"}]
        assert api.describe(api.start_step(workflow, 0, 0))["parameters"] == {"x": 0.5}
        assert api.get(f"/jobs/{workflow}") == []
        assert api.get(f"/workflows/{job}") == []
        assert api.call("PATCH", f"/jobs/{job}", json={"labels": {}}).status_code == 409
        clone = api.call("PUT", f"/jobs/{job}/clone").json
        assert clone is not None
        assert api.queue.find(Selection(ids=(clone["id"],)))[0][classads.JOB_NAME] == "a"

    def test_output_is_read_by_the_name_of_the_job_and_the_number_of_the_instance(self, api: Api) -> None:
        jobs = [api.a_step("a"), api.a_step("a/1"), api.a_step("b/c")]
        workflow = api.submit_workflow(jobs=jobs, factories=[REPEAT])
        for place, index in ((0, 1), (0, 2), (1, 0), (2, 0)):
            api.write_of_step(api.start_step(workflow, place, index), "stdout", f"{place}.{index}".encode())
        read = lambda path: api.call("GET", f"/workflows/{workflow}/{path}/stdout")  # noqa: E731
        assert [read(path).text for path in ("a/2", "b/c", "b/c/0", "a/1")] == ["0.2", "2.0", "2.0", "1.0"]
        for path, sentence in (
            ("a", "Job a of workflow 1 has not been submitted yet."),
            ("x", "Workflow 1 has no job x."),
            ("a/3", "Job a of workflow 1 has 3 instances, counted from 0."),
        ):
            assert (read(path).status_code, read(path).json) == (400, {"error": sentence, "reasonCode": "NotFound"})
        assert api.as_user("bob").call("GET", f"/workflows/{workflow}/a/stdout").status_code == 403


class TestActs:
    def test_deleting_takes_its_jobs_along(self, api: Api) -> None:
        workflow, other = (api.submit_workflow(jobs=[api.a_step("a")]) for _ in range(2))
        job, others = api.start_step(workflow), api.start_step(other)
        assert api.call("DELETE", f"/workflows/{workflow}").status_code == 200
        assert api.get(f"/workflows/{workflow}")[0]["statusReasonCode"] == "DeletedByUser"
        assert (api.describe(job)["status"], api.describe(others)["status"]) == ("deleted", "idle")
        assert api.call("DELETE", f"/workflows?id={workflow},{other}").status_code == 200
        assert api.call("DELETE", f"/workflows/{workflow}").json == {
            "error": "There is no workflow 1 in the queue.",
            "reasonCode": "NotFound",
        }

    def test_only_what_has_ended_is_removed_or_run_again(self, api: Api) -> None:
        workflow = api.submit_workflow(jobs=[api.a_step("a")])
        assert api.call("PUT", f"/workflows/{workflow}").status_code == 409
        assert api.call("PUT", f"/workflows/{workflow}/remove").status_code == 409
        api.queue.change(workflow, JobStatus.COMPLETED, **{classads.EXIT_CODE: 0, classads.FINISHED_AT: 1})
        assert api.call("PUT", f"/workflows/{workflow}").status_code == 409
        assert api.call("PUT", f"/workflows/{workflow}/remove").status_code == 200
        assert api.get("/workflows") == []

    def test_a_rerun_has_a_new_number_the_old_files_and_new_tokens(self, api: Api) -> None:
        workflow = api.submit_workflow(jobs=[api.a_step("a", outputFiles=["o"])])
        place = f"{uid_of(api)}/0.0"
        ended(api, workflow, 1, DAG_NodesFailed=1)
        before = api.sandboxes.files[place][plan.TOKEN_FILE]
        ledger.close_record(f"{uid_of(api)}/0", api.store)
        api.clock.advance(5)
        answer = api.call("PUT", f"/workflows/{workflow}")
        assert (answer.status_code, answer.json) == (200, {"id": 2})
        assert api.sandboxes.files[place][plan.TOKEN_FILE] != before
        assert ledger.find(place, api.store) is not None
        assert api.call("PUT", f"/workflows/{workflow}").json == {
            "error": "Workflow 1 has been run again already, as workflow 2.",
            "reasonCode": "Conflict",
        }

    def test_a_rerun_needs_no_objects_that_only_what_is_done_has_read(self, api: Api) -> None:
        for name in ("in-1", "in-2"):
            api.objects.store(f"uploads/alice/{name}", b"x")
        step = api.a_step("a", artifacts=[{"url": "in-$x"}])
        workflow = api.submit_workflow(jobs=[step], factories=[zipped(1, 2)])
        place = f"{uid_of(api)}/0"
        for number, closes in ((workflow, False), (workflow + 1, True)):
            ended(api, number, 1, DAG_NodesDone=1, DAG_NodesFailed=1)
            api.objects.delete("uploads/alice/in-1")
            if closes:
                ledger.close_record(place, api.store)
            assert api.call("PUT", f"/workflows/{number}").json == {"id": number + 1}
            record = ledger.find(f"{place}.1", api.store)
            assert record is not None
            assert set(record.inputs) == {"in-1", "in-2"}

    def test_a_rerun_is_charged_to_no_group_that_its_user_has_left(self) -> None:
        alice = Identity("alice", ("physics", "chemistry"))
        people = {"token-of-alice": alice}
        api = an_api(identities=MemoryIdentities(people))
        workflow = api.submit_workflow(jobs=[api.a_step("a")], group="chemistry")
        ended(api, workflow, 1, DAG_NodesFailed=1)
        people["token-of-alice"] = replace(alice, groups=("physics",))
        answer = api.call("PUT", f"/workflows/{workflow}")
        assert answer.status_code == 400
        assert "you are not in this group" in answer.text
        assert not api.get("/workflows")

    def test_who_is_in_no_group_runs_again_and_clones_as_before(self, api: Api) -> None:
        bob = api.as_user("bob")
        workflow = bob.submit_workflow(jobs=[bob.a_step("a")])
        job = bob.start_step(workflow)
        assert bob.call("PUT", f"/jobs/{job}/clone").status_code == 201
        ended(api, job)
        ended(api, workflow, 1, DAG_NodesFailed=1)
        assert bob.call("PUT", f"/workflows/{workflow}").status_code == 200

    def test_what_is_still_ending_is_not_run_again_beside_itself(self, api: Api) -> None:
        workflow = api.submit_workflow(jobs=[api.a_step("a"), api.a_step("b")])
        removed, done = api.start_step(workflow, 0), api.start_step(workflow, 1)
        api.queue.change(removed, JobStatus.REMOVED)
        api.queue.change(done, JobStatus.COMPLETED)
        rerun = lambda: api.call("PUT", f"/workflows/{workflow}")  # noqa: E731
        ending = {"error": f"Workflow {workflow} is still ending; try again in a minute.", "reasonCode": "Conflict"}
        api.queue.change(workflow, JobStatus.REMOVED)
        assert (rerun().status_code, rerun().json) == (409, ending)
        api.queue.leave(workflow, JobStatus.REMOVED)
        assert (rerun().status_code, rerun().json) == (409, ending)
        api.queue.leave(removed, JobStatus.REMOVED)
        assert rerun().status_code == 200

    def test_of_two_who_run_it_again_at_once_one_does(self, api: Api) -> None:
        workflow = api.submit_workflow(jobs=[api.a_step("a")])
        ended(api, workflow, 1, DAG_NodesFailed=1)
        told: list[int] = []
        real = api.queue.submit

        def submit(description: SubmitDescription, count: int = 1) -> int:
            told.append(api.call("PUT", f"/workflows/{workflow}").status_code)
            return real(description, count)

        api.queue.submit = submit  # type: ignore[method-assign]
        assert api.call("PUT", f"/workflows/{workflow}").status_code == 200
        assert told == [409]

    def test_a_clone_has_what_is_kept_apart(self, api: Api) -> None:
        inputs = [{"filename": "f", "content": "aGVsbG8="}]
        credential = {"username": "u", "token": "s3cret"}
        tasks = [{"image": "registry.example.org/i", "imagePullCredential": credential}]
        workflow = api.submit_workflow(jobs=[api.a_step("a", inputs=inputs, tasks=tasks)], factories=[REPEAT])
        assert "s3cret" not in api.call("GET", f"/workflows/{workflow}").text
        assert api.call("PUT", f"/workflows/{workflow}/clone").json == {"id": 2}
        copies = [json.loads(files["inputs.json"]) for files in api.sandboxes.files.values() if "inputs.json" in files]
        assert copies == [["aGVsbG8="]] * 2
        assert sum(b"s3cret" in files.get(plan.CREDENTIALS_FILE, b"") for files in api.sandboxes.files.values()) == 2

    def test_instances_of_a_job_share_its_storage_each_with_a_directory(self, api: Api) -> None:
        webdav = {"url": "https://cloud.example.org/", "username": "u", "password": "s3cret"}
        storage = {"type": "webdav", "mountpoint": "/data", "directory": "run-$x", "webdav": webdav}
        workflow = api.submit_workflow(jobs=[api.a_step("a", storage=storage)], factories=[zipped(1, 2)])
        assert "s3cret" not in api.call("GET", f"/workflows/{workflow}").text
        job = api.start_step(workflow, 0, 1)
        assert api.describe(job)["storage"] == {
            **storage,
            "directory": "run-2",
            "webdav": {**webdav, "password": "***"},
        }
        assert api.call("PUT", f"/workflows/{workflow}/clone").json == {"id": job + 1}
        assert sum(b"s3cret" in files.get(plan.STORAGE_FILE, b"") for files in api.sandboxes.files.values()) == 2
        assert sum(b"s3cret" in text for files in api.sandboxes.files.values() for text in files.values()) == 2
        refused = api.call(
            "POST",
            "/workflows",
            json={
                "jobs": [api.a_step("b", storage={**storage, "directory": "$x/a"})],
                "factories": [{**zipped("..", "b"), "jobs": ["b"]}],
            },
        )
        assert "jobs[0].storage.directory: must be a path on the storage" in refused.text

    def test_the_storage_of_a_workflow_is_that_of_its_jobs(self, api: Api) -> None:
        webdav = {"url": "https://cloud.example.org/", "username": "u", "password": "s3cret"}
        storage = {"type": "webdav", "mountpoint": "/data", "webdav": webdav}
        shown = {**storage, "webdav": {**webdav, "password": "***"}}
        jobs = [api.a_step("a"), api.a_step("b", storage=None), api.a_step("c", storage={})]
        workflow = api.submit_workflow(jobs=jobs, storage=storage)
        [described] = api.get(f"/workflows/{workflow}")
        assert "storage" not in described
        assert [one.get("storage") for one in described["jobs"]] == [shown, None, shown]
        assert api.describe(api.start_step(workflow, 0, 0))["storage"] == shown
        assert api.call("PUT", f"/workflows/{workflow}/clone").status_code == 201
        assert sum(b"s3cret" in text for files in api.sandboxes.files.values() for text in files.values()) == 4
        told = refused(api, jobs=jobs, storage=shown)
        assert told.startswith("storage.webdav.password: *** stands for a token that is not shown")

    def test_a_clone_of_one_job_keeps_its_parameters_and_its_group(self, api: Api) -> None:
        step = api.a_step("a", tasks=[{"image": "i", "cmd": "echo $x", "env": {"A": "$x"}}])
        workflow = api.submit_workflow(jobs=[step, api.a_step("b")], factories=[zipped(1, 2)], group="chemistry")
        for place, index, env in ((0, 1, {"A": "2", "PROMINENCE_PARAMETER_x": "2"}), (1, 0, None)):
            job = api.start_step(workflow, place, index)
            clone = (api.call("PUT", f"/jobs/{job}/clone").json or {})["id"]
            assert api.queue.find(Selection(ids=(clone,)))[0][classads.GROUP] == "chemistry"
            assert api.describe(clone)["tasks"][0].get("env") == env

    @pytest.mark.parametrize("field", ["onFailure", "finally"])
    def test_what_runs_at_the_end_is_shown_cloned_and_had_by_its_name(self, api: Api, field: str) -> None:
        last = api.a_step("clean", inputs=[{"filename": "f", "content": "aGVsbG8="}], outputFiles=["o"])
        workflow = api.submit_workflow(jobs=[api.a_step("a")], **{field: last})
        told = api.get(f"/workflows/{workflow}")[0]
        assert (told[field]["name"], told[field]["inputs"]) == ("clean", [{"filename": "f"}])
        assert told["progress"]["total"] == 2
        assert plan.TOKEN_FILE in api.sandboxes.files[f"{uid_of(api)}/1.0"]
        assert ledger.find(f"{uid_of(api)}/1.0", api.store) is not None
        assert api.call("PUT", f"/workflows/{workflow}/clone").json == {"id": 2}
        copies = [json.loads(files["inputs.json"]) for files in api.sandboxes.files.values() if "inputs.json" in files]
        assert copies == [["aGVsbG8="]] * 2
        answer = api.call("GET", f"/workflows/{workflow}/clean/stdout")
        assert answer.json == {"error": "Job clean of workflow 1 has not been submitted yet.", "reasonCode": "NotFound"}

    def test_mistakes_in_what_runs_at_the_end_are_told_with_its_field(self, api: Api) -> None:
        wrong = api.a_step("clean", labels={"a": "1", "A": "1"})
        assert refused(api, jobs=[api.a_step("a")], **{"finally": wrong}).startswith("finally.labels.A: differs from a")
        wrong = api.a_step("clean", artifacts=[{"url": "none"}])
        assert "onFailure.artifacts[0].url: there is no object none" in refused(
            api, jobs=[api.a_step("a")], onFailure=wrong
        )

    def test_an_operator_sees_and_deletes_but_reads_and_runs_nothing(self) -> None:
        olga = Identity("olga", operator=True)
        api = an_api(identities=MemoryIdentities({**TOKENS, "token-of-olga": olga}))
        workflow = api.submit_workflow(jobs=[api.a_step("a", tasks=[{"image": "i", "cmd": "s3cret"}])])
        other = api.as_user("olga")
        assert other.get(f"/workflows/{workflow}")[0]["jobs"] == [{"name": "a", "tasks": [{"image": "i"}]}]
        for method, path in (("PUT", ""), ("PUT", "/clone"), ("GET", "/a/stdout")):
            assert other.call(method, f"/workflows/{workflow}{path}").status_code in (400, 403)
        assert other.call("DELETE", f"/workflows/{workflow}").status_code == 200
        assert api.get(f"/workflows/{workflow}")[0]["statusReasonCode"] == "DeletedByOperator"

    def test_what_is_no_longer_kept_cannot_be_run_again(self, api: Api) -> None:
        workflow = api.submit_workflow(jobs=[api.a_step("a")])
        ended(api, workflow, 1, DAG_NodesFailed=1)
        api.sandboxes.discard(uid_of(api))
        assert api.get(f"/workflows/{workflow}")[0]["jobs"] == []
        for path in ("", "/clone"):
            answer = api.call("PUT", f"/workflows/{workflow}{path}")
            assert answer.json == {
                "error": f"The description of workflow {workflow} is no longer kept.",
                "reasonCode": "NotFound",
            }


def test_its_files_are_kept_while_it_is_queued_and_go_with_all_its_jobs(api: Api) -> None:
    workflow = api.submit_workflow(jobs=[api.a_step("a", outputFiles=["o"])])
    api.clock.advance(400 * 86_400)
    sweep(api.services)
    assert api.sandboxes.files
    assert ledger.records(api.store)
    ended(api, workflow)
    sweep(api.services)
    assert not api.sandboxes.files
    assert not ledger.records(api.store)

"""Workflows on real parts: HTCondor's DAGMan runs them, through failures of jobs and of DAGMan itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
import requests
from real_parts import RealPool, until
from real_workflows import NOWHERE, finish, jobs_of, nodes_of, printed, step, submit, task, told, uid_of

WHY = "Task 1 ended with exit code 1. Look at the job's stdout and stderr."


def test_a_sweep_inside_a_dag_runs_in_order_and_a_rerun_runs_what_has_failed_and_nothing_else(
    pool: RealPool, tiny_image: str, tmp_path: Path
) -> None:
    gate = "sh -c 'echo $x is $PROMINENCE_PARAMETER_x; test $x != 0.1 || test -e /home/user/there'"
    hostile = 'a "b" \\ $(HOME) %22\nJOB evil evil.sub'
    workflow = submit(
        pool,
        step("first", tiny_image, "printf %s $PROMINENCE_WORKFLOW_ID"),
        step("fit/it", tiny_image, gate, outputFiles=["out-$x.txt"], tasks=[
            task(tiny_image, "sh -c 'echo $x > out-$x.txt'"), task(tiny_image, gate),
        ]),
        step("say", tiny_image, "printf %s $text"),
        step("last", tiny_image, "echo all done"),
        name="scan",
        labels={"app": "scan"},
        dependencies={"first": ["fit/it", "say"], "fit/it": ["last"], "say": ["last"]},
        factories=[
            {"type": "parameterSweep", "jobs": ["fit/it"],
             "parameters": [{"name": "x", "start": 0, "end": 0.2, "step": 0.1}]},
            {"type": "zip", "jobs": ["say"], "parameters": [{"name": "text", "values": [hostile]}]},
        ],
    )  # fmt: skip
    ended = finish(pool, workflow)
    assert (ended["status"], ended["statusReasonCode"], ended["labels"]) == ("failed", "JobsFailed", {"app": "scan"})
    assert ended["progress"] == {"total": 6, "done": 4, "failed": 1, "queued": 0, "waiting": 1}
    jobs = {one["name"]: one for one in jobs_of(pool, workflow)}
    assert {name: one["status"] for name, one in jobs.items()} == {
        "scan/first": "completed",
        "scan/fit/it/0": "completed",
        "scan/fit/it/1": "failed",
        "scan/fit/it/2": "completed",
        "scan/say/0": "completed",
    }
    assert jobs["scan/first"]["events"]["endTime"] <= jobs["scan/fit/it/0"]["events"]["createTime"]
    assert (jobs["scan/fit/it/2"]["parameters"], jobs["scan/fit/it/2"]["workflow"]) == ({"x": 0.2}, workflow)
    assert [printed(pool, workflow, f"fit/it/{index}") for index in (1, 2)] == ["0.1 is 0.1\n", "0.2 is 0.2\n"]
    assert printed(pool, workflow, "say/0") == hostile
    assert printed(pool, workflow, "first") == str(workflow)
    ids = {name: one["id"] for name, one in jobs.items()}
    assert nodes_of(pool, workflow) == [
        ("first", None, "completed", ids["scan/first"]),
        ("fit/it", 0, "completed", ids["scan/fit/it/0"]),
        ("fit/it", 1, "failed", ids["scan/fit/it/1"]),
        ("fit/it", 2, "completed", ids["scan/fit/it/2"]),
        ("say", 0, "completed", ids["scan/say/0"]),
        ("last", None, "waiting", None),
    ]
    [failure, *_] = pool.run("workflow", "failures", str(workflow)).stdout.splitlines()
    assert failure == f"{ids['scan/fit/it/1']} fit/it/1 (x=0.1): {jobs['scan/fit/it/1']['status']}: {WHY}"
    drawing = ElementTree.fromstring(pool.run("workflow", "graph", "--svg", str(workflow)).stdout)
    titles = [one.text for one in drawing.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[1:3] == ["fit/it: 2 completed, 1 failed", "say: 1 completed"]
    one = pool.describe(jobs["scan/fit/it/2"]["id"])
    [kept] = one["outputFiles"]
    assert (kept["name"], requests.get(kept["url"], timeout=30).text) == ("out-0.2.txt", "0.2\n")
    assert pool.request("PATCH", f"/jobs/{one['id']}", json={"labels": {}}).status_code in (404, 409)

    # What failed is put right where a user could: what the job asks for is there now.
    plan = f"{pool.state}/jobs/{uid_of(pool, workflow)}/1/plan.json"
    pool.inside("access-point", "sed", "-i", "s#test -e /home/user/there#true#", plan)
    again = pool.request("PUT", f"/workflows/{workflow}")
    assert again.status_code == 200, again.text
    rerun = again.json()["id"]
    assert pool.request("PUT", f"/workflows/{workflow}").status_code == 409
    ended = finish(pool, rerun)
    assert (ended["status"], ended["progress"]["done"]) == ("completed", 6)
    assert {one["name"]: one["status"] for one in jobs_of(pool, rerun)} == {
        "scan/fit/it/1": "completed",
        "scan/last": "completed",
    }
    assert printed(pool, rerun, "last") == "all done\n"
    again = nodes_of(pool, rerun)
    assert {status for _, _, status, _ in again} == {"completed"}
    assert [again[place][3] for place in (0, 1, 3)] == [
        ids[f"scan/{name}"] for name in ("first", "fit/it/0", "fit/it/2")
    ]
    assert all(again[place][3] > rerun for place in (2, 5))
    for said in ("Downloaded fit/it/1/out-0.1.txt", "3 of 3 files were there already."):
        done = pool.run("download", "workflow", str(rerun), cwd=tmp_path)
        assert said in done.stdout.splitlines(), done.stdout
    assert {str(one.relative_to(tmp_path)): one.read_text() for one in tmp_path.rglob("*.txt")} == {
        f"fit%2Fit/{index}/out-{x}.txt": f"{x}\n" for index, x in enumerate(["0", "0.1", "0.2"])
    }
    assert pool.request("PUT", f"/workflows/{rerun}").status_code == 409
    listed = pool.request("GET", "/workflows?all&constraint=app=scan&sort=-id&limit=1")
    assert [one["id"] for one in listed.json()] == [rerun]
    assert listed.headers["X-Prominence-Cursor"]


def test_a_workflow_that_is_deleted_takes_its_jobs_along_and_can_go_on_later(pool: RealPool, tiny_image: str) -> None:
    held = {**step("b", tiny_image, "true"), "resources": NOWHERE}
    workflow = submit(pool, step("a", tiny_image, "true"), held, name="gone", dependencies={"a": ["b"]},
                      policies={"maximumIdle": 1})  # fmt: skip
    until(lambda: [one["name"] for one in jobs_of(pool, workflow, "&status=idle,waiting")] == ["gone/b"], 120)
    assert pool.request("DELETE", f"/workflows/{workflow}").status_code == 200
    ended = finish(pool, workflow)
    assert (ended["status"], ended["statusReasonCode"]) == ("deleted", "DeletedByUser")
    until(lambda: {one["status"] for one in jobs_of(pool, workflow)} == {"completed", "deleted"}, 30)
    assert pool.request("DELETE", f"/workflows/{workflow}").status_code == 400
    # Refused as long as something of it is still ending.
    rerun = until(lambda: pool.request("PUT", f"/workflows/{workflow}").json().get("id"), 60)
    until(lambda: [one["name"] for one in jobs_of(pool, rerun)] == ["gone/b"], 60)
    assert pool.request("DELETE", f"/workflows?id={rerun}").status_code == 200
    assert finish(pool, rerun)["status"] == "deleted"


def test_outputs_are_passed_on_and_are_still_there_for_a_run_again(pool: RealPool, tiny_image: str) -> None:
    make = "sh -c 'mkdir -p deep res/empty; echo one > deep/o; echo two > res/f; echo not asked for > other'"
    read = "sh -c 'cat /data/res/f home/deep/o; ls home; ls -d /data/res/empty; echo $x > got-$x; test $x != 2'"
    workflow = submit(
        pool,
        step("make", tiny_image, make, outputFiles=["deep/*", "other"], outputDirs=["res"]),
        step("read", tiny_image, read, outputFiles=["got-$x"], artifacts=[
            {"from": "make", "select": "res", "directory": "in", "mountpoint": "in:/data"},
            {"from": "make", "select": "deep/?", "directory": "home"},
        ]),
        step("twice", tiny_image, "sh -c 'cat got-* > $x; cat got-* >> $x'", outputFiles=["$x"],
             artifacts=[{"from": "read", "select": "got-$x"}]),
        step("gather", tiny_image, "sh -c 'cd in; for f in */*; do echo $f $(cat $f); done'",
             artifacts=[{"from": "twice", "directory": "in"}]),
        name="pass",
        factories=[{"type": "zip", "jobs": ["read", "twice"], "parameters": [{"name": "x", "values": [1, 2, 3]}]}],
    )  # fmt: skip
    ended = finish(pool, workflow)
    jobs = {one["name"]: one for one in jobs_of(pool, workflow)}
    assert {name: one["status"] for name, one in jobs.items()} == {
        "pass/make": "completed",
        "pass/read/0": "completed",
        "pass/read/1": "failed",
        "pass/read/2": "completed",
        "pass/twice/0": "completed",
        "pass/twice/2": "completed",
    }, {name: one.get("statusReason") for name, one in jobs.items()}
    assert ended["progress"] == {"total": 8, "done": 5, "failed": 1, "queued": 0, "waiting": 2}
    assert printed(pool, workflow, "read/0") == "two\none\ndeep\n/data/res/empty\n"
    stages = pool.describe(jobs["pass/read/0"]["id"])["execution"]["stageIn"]
    assert [(one["name"], one["status"]) for one in stages] == [
        ("res of make", "success"),
        ("deep/? of make", "success"),
    ]

    plan = f"{pool.state}/jobs/{uid_of(pool, workflow)}/1/plan.json"
    pool.inside("access-point", "sed", "-i", "s#test $x != 2#true#", plan)
    again = pool.request("PUT", f"/workflows/{workflow}")
    assert again.status_code == 200, again.text
    rerun = again.json()["id"]
    assert finish(pool, rerun)["status"] == "completed"
    ran = sorted(one["name"] for one in jobs_of(pool, rerun))
    assert ran == ["pass/gather", "pass/read/1", "pass/twice/1"]
    assert printed(pool, rerun, "gather") == "0/1 1 1\n1/2 2 2\n2/3 3 3\n"


def test_what_runs_at_the_end_runs_when_it_should_and_changes_nothing_else(pool: RealPool, tiny_image: str) -> None:
    say = "sh -c 'echo $PROMINENCE_WORKFLOW_STATUS $PROMINENCE_WORKFLOW_FAILED'"
    bad, good = step("bad", tiny_image, "false"), step("good", tiny_image, "true")
    tell, clean = step("tell", tiny_image, say), step("clean", tiny_image, say)
    broken = step("bad", tiny_image, "sh -c 'echo broken > why; false'", outputFiles=["why"])
    never = step("never", tiny_image, "true", outputDirs=["results"])
    look = step("tell", tiny_image, f"{say[:-1]}; cat why; ls /results | wc -l'", artifacts=[
        {"from": "bad"}, {"from": "never", "mountpoint": "results:/results"},
    ])  # fmt: skip
    begun = {
        "failed, told": submit(pool, broken, good, never, name="w", dependencies={"bad": ["never"]}, onFailure=look),
        "well, not told": submit(pool, good, name="w", onFailure=tell),
        "failed, cleaned": submit(pool, bad, name="w", **{"finally": clean}),
        "well, cleaned": submit(pool, good, name="w", **{"finally": clean}),
        "not cleaned": submit(pool, good, name="w", **{"finally": step("clean", tiny_image, "false")}),
    }
    ended = {name: finish(pool, workflow) for name, workflow in begun.items()}
    ran = {name: {one["name"]: one["status"] for one in jobs_of(pool, number)} for name, number in begun.items()}
    assert ran == {
        "failed, told": {"w/bad": "failed", "w/good": "completed", "w/tell": "completed"},
        "well, not told": {"w/good": "completed"},
        "failed, cleaned": {"w/bad": "failed", "w/clean": "completed"},
        "well, cleaned": {"w/good": "completed", "w/clean": "completed"},
        "not cleaned": {"w/good": "completed", "w/clean": "failed"},
    }
    assert {name: (one["status"], *one["progress"].values()) for name, one in ended.items()} == {
        "failed, told": ("failed", 4, 2, 1, 0, 1),
        "well, not told": ("completed", 2, 2, 0, 0, 0),
        "failed, cleaned": ("failed", 2, 1, 1, 0, 0),
        "well, cleaned": ("completed", 2, 2, 0, 0, 0),
        "not cleaned": ("failed", 2, 1, 1, 0, 0),
    }
    assert printed(pool, begun["failed, told"], "tell") == "failed 1\nbroken\n0\n"
    assert printed(pool, begun["failed, cleaned"], "clean") == "failed 1\n"
    assert printed(pool, begun["well, cleaned"], "clean") == "completed 0\n"

    # What has failed is put right, and run again; the end comes again.
    for name, place, again_runs in (("failed, cleaned", 0, ["w/bad", "w/clean"]), ("not cleaned", 1, ["w/clean"])):
        files = f"{pool.state}/jobs/{uid_of(pool, begun[name])}"
        pool.inside("access-point", "sed", "-i", 's#"false"#"true"#', f"{files}/{place}/plan.json")
        again = pool.request("PUT", f"/workflows/{begun[name]}").json()["id"]
        assert finish(pool, again)["status"] == "completed"
        assert sorted(one["name"] for one in jobs_of(pool, again)) == again_runs
    assert printed(pool, begun["failed, cleaned"], "clean") == "completed 0\n"


def test_a_workflow_that_is_deleted_comes_to_no_end(pool: RealPool, tiny_image: str) -> None:
    held = {**step("b", tiny_image, "true"), "resources": NOWHERE}
    begun = [submit(pool, held, name="w", **{end: step("z", tiny_image, "true")}) for end in ("onFailure", "finally")]
    for workflow in begun:
        until(lambda: jobs_of(pool, workflow), 120)  # noqa: B023 - called at once
        assert pool.request("DELETE", f"/workflows/{workflow}").status_code == 200
    for workflow in begun:
        assert finish(pool, workflow)["status"] == "deleted"
        until(lambda: not pool.inside("access-point", "condor_q", "-allusers", str(workflow), "-af", "ClusterId"), 60)  # noqa: B023
        assert {one["name"]: one["status"] for one in jobs_of(pool, workflow)} == {"w/b": "deleted"}


@pytest.mark.parametrize(
    "kill",
    [["-f", "condor_scheduniv_exec"], ["condor_schedd"], ["-f", "gunicorn"]],
    ids=["DAGMan", "schedd", "API"],
)
def test_what_dies_in_the_middle_is_back_and_nothing_that_was_done_runs_twice(
    kill: list[str], pool: RealPool, tiny_image: str
) -> None:
    workflow = submit(
        pool,
        step("a", tiny_image, "true"),
        step("b", tiny_image, "sleep 4"),
        step("c", tiny_image, "true"),
        name="survivor",
        dependencies={"a": ["b"], "b": ["c"]},
    )
    until(lambda: [one for one in jobs_of(pool, workflow, "&status=running") if one["name"] == "survivor/b"], 120)
    pool.inside("access-point", "pkill", "-KILL", *kill)

    def has_ended() -> bool:
        try:
            answer = pool.request("GET", f"/workflows/{workflow}")
        except requests.ConnectionError:  # the API, or HTCondor, is not back yet
            return False
        return answer.status_code == 200 and answer.json()[0]["status"] == "completed"

    until(has_ended, 240, lambda: str(told(pool, workflow)))
    names = Counter(one["name"] for one in jobs_of(pool, workflow))
    assert names == {"survivor/a": 1, "survivor/b": 1, "survivor/c": 1}

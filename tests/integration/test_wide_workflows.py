"""A workflow of a thousand instances on real parts: what of it is run again.

All of it is as for any: a job of its own in HTCondor for each instance, submitted by DAGMan. They only come to no
worker: with HTCondor's noop_job the schedd itself ends them, with the exit code that they are told. It tells DAGMan so,
and leaves them in the queue until DAGMan has ended: of each of them alone nothing else can be asked.
"""

from __future__ import annotations

import json

import pytest
from real_parts import RealPool, until
from real_workflows import finish, jobs_of, step, submit, uid_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

WIDE, FAILING = 1000, [7, 407, 807]


def test_of_a_thousand_instances_a_run_again_submits_those_that_have_failed_and_no_others(
    pool: RealPool, tiny_image: str
) -> None:
    workflow = submit(
        pool,
        step("first", tiny_image, "sleep 5"),
        step("wide", tiny_image, "true"),
        name="w",
        dependencies={"first": ["wide"]},
        factories=[{"type": "repeat", "jobs": ["wide"], "number": WIDE}],
    )
    [first] = until(lambda: jobs_of(pool, workflow), 60)
    assert pool.request("PUT", f"/jobs/{first['id']}/hold").status_code == 200
    description = f"{pool.state}/jobs/{uid_of(pool, workflow)}/1/job.sub"
    ends = r"noop_job = true\nfails = ($(instance) % 400 == 7) ? 1 : 0\nnoop_job_exit_code = $INT(fails)"
    pool.inside("access-point", "sed", "-i", f"s#^queue#{ends}\\nqueue#", description)
    assert pool.request("PUT", f"/jobs/{first['id']}/release").status_code == 200
    ended = finish(pool, workflow)
    assert (ended["status"], ended["progress"]) == (
        "failed",
        {"total": WIDE + 1, "done": WIDE + 1 - len(FAILING), "failed": len(FAILING), "queued": 0, "waiting": 0},
    )
    assert submitted(pool, workflow) == ["n0_0", *sorted(f"n1_{index}" for index in range(WIDE))]

    pool.inside("access-point", "sed", "-i", "s#? 1 : 0#? 0 : 0#", description)
    again = until(lambda: pool.request("PUT", f"/workflows/{workflow}").json().get("id"), 60)
    ended = finish(pool, again)
    assert (ended["status"], ended["progress"]["done"]) == ("completed", WIDE + 1)
    assert submitted(pool, again) == sorted(f"n1_{index}" for index in FAILING)


def submitted(pool: RealPool, workflow: int) -> list[str]:
    """The nodes of all jobs that DAGMan has ever submitted in this run, as HTCondor's own records have them."""
    query = ("-constraint", f"DAGManJobId == {workflow}", "-json", "-attributes", "ClusterId,DAGNodeName")
    # In this order one that leaves the queue meanwhile is seen twice rather than not at all.
    found = {
        ad["ClusterId"]: ad["DAGNodeName"]
        for command in (("condor_q", "-allusers"), ("condor_history",))
        for ad in json.loads(pool.inside("access-point", *command, *query) or "[]")
    }
    return sorted(found.values())

"""Fields of a job's description that no other test shows on a pool, by what is seen of them inside of containers."""

from __future__ import annotations

from typing import Any

import pytest
from file_server import serving
from real_parts import RealPool, gateway, until

TOLD = (
    "PROMINENCE_CONTAINER_RUNTIME PROMINENCE_CPUS PROMINENCE_JOB_ID PROMINENCE_MEMORY PROMINENCE_NODES"
    " PROMINENCE_NODE_NUM PROMINENCE_TASK_NUM HOME TMP TEMP TMPDIR USER"
)
WHOLE = {"cpus": 8, "memory": 1, "disk": 1}
"""Of which no worker holds two."""


def test_what_a_task_is_given_is_what_it_sees(pool: RealPool, tiny_image: str) -> None:
    image = {"image": tiny_image, "runtime": "docker"}
    with serving({"/tool.sh": b"#!/bin/sh\necho fetched, and run\n"}, gateway(pool.engine)) as base:
        job = pool.submit(
            {
                **image,
                "cmd": "sh -c 'pwd; echo $NUMBER $RATIO; echo said twice'",
                "workdir": "deep/down",
                "env": {"NUMBER": 5, "RATIO": 0.25},
                "stdout": "said.txt",
            },
            {**image, "cmd": "sh -c 'cat said.txt; ./tool.sh; pwd'"},
            {**image, "cmd": "echo $PROMINENCE_JOB_ID ${PROMINENCE_JOB_ID}", "workdir": "of-$PROMINENCE_JOB_ID"},
            {**image, "cmd": f"sh -c 'for name in {TOLD}; do eval echo $name=\\$$name; done'", "workdir": "/tmp"},
            name="all fields/1.0",
            labels={"project": "fields", "run": "7"},
            artifacts=[{"url": f"{base}/tool.sh", "executable": True}],
        )
        described = pool.finish(job)
    assert described["status"] == "completed", (described, pool.output(job, "stderr"))
    said = "/home/user/deep/down\n5 0.25\nsaid twice\n"
    lines = pool.output(job)
    assert lines.startswith(f"{said}{said}fetched, and run\n/home/user\n{job} {job}\n"), lines
    told = dict(line.split("=", 1) for line in lines.splitlines()[-len(TOLD.split()) :])
    assert told == {
        **{"HOME": "/home/user", "USER": "user", "TMP": "/tmp", "TEMP": "/tmp", "TMPDIR": "/tmp"},
        **{"PROMINENCE_CONTAINER_RUNTIME": "docker", "PROMINENCE_CPUS": "1", "PROMINENCE_MEMORY": "0.2"},
        **{"PROMINENCE_JOB_ID": str(job), "PROMINENCE_NODES": "1", "PROMINENCE_NODE_NUM": "0"},
        "PROMINENCE_TASK_NUM": "3",
    }
    assert (described["name"], described["labels"]) == ("all fields/1.0", {"project": "fields", "run": "7"})
    [listed] = pool.request("GET", f"/jobs?completed=true&constraint=project=fields&id={job}").json()
    assert listed["id"] == job


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_of_jobs_that_wait_the_one_with_the_higher_priority_starts_first(pool: RealPool, tiny_image: str) -> None:
    def submit(cmd: str, **policies: Any) -> int:
        return pool.submit({"image": tiny_image, "cmd": cmd}, resources=WHOLE, policies=policies)

    fillers = [submit("sleep 600") for _ in range(2)]  # as many as the pool may have workers
    for filler in fillers:
        pool.wait_for(filler, "running", timeout_s=240)
    low, high = submit("sleep 600", priority=1), submit("sleep 600", priority=5)
    pool.request("DELETE", f"/jobs/{fillers[0]}")
    first = until(
        lambda: [job for job in (low, high) if pool.describe(job)["status"] == "running"],
        240,
        lambda: repr([pool.describe(job) for job in (low, high)]),
    )
    assert first == [high]
    for job in (fillers[1], low, high):
        pool.request("DELETE", f"/jobs/{job}")

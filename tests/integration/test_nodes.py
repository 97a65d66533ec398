"""Jobs of several nodes, on workers of the real pool: started together, by an MPI and by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from mpi_image import PATH_OF_MPICH, ensure_mpi_image
from real_parts import RealPool, new_pool, until
from real_workflows import finish, jobs_of, printed, step, submit

WHOLE = {"nodes": 2, "cpus": 8, "memory": 1, "disk": 1}
"""Of which no worker holds two."""
TRIES = (
    "for at in ap/9618 ap/8080 1.1.1.1/443; do "
    'timeout 2 bash -c "exec 3<> /dev/tcp/$at" 2> /dev/null && echo $at; done; echo tried'
)
"""What such a task may not reach: HTCondor, the API, the world."""
SMALL = {"nodes": 2, "cpus": 1, "memory": 0.5, "disk": 0.1}


@pytest.mark.timeout(900)  # the image is built once
def test_the_ranks_of_an_mpi_are_on_two_workers(pool: RealPool, engine: docker.DockerClient) -> None:
    image = ensure_mpi_image(engine)
    job = pool.submit(
        {"image": image, "cmd": "ranks-openmpi", "type": "openmpi", "runtime": "docker", "procsPerNode": 2},
        {
            **{"image": image, "cmd": "ranks-mpich", "type": "mpich", "procsPerNode": 1, "runtime": "docker"},
            "env": {"PATH": PATH_OF_MPICH},
        },
        {"image": image, "cmd": f"bash -c '{TRIES}'", "type": "openmpi", "runtime": "docker", "procsPerNode": 1},
        resources=WHOLE,
    )
    described = pool.finish(job, 300)
    assert described["status"] == "completed", (described, pool.output(job), pool.output(job, "stderr"))
    [second] = described["execution"]["nodes"]
    workers = [described["execution"]["worker"], second["worker"]]
    assert len(set(workers)) == 2
    assert "ProminenceBetweenNodes" in str(pool.history(job)["Requirements"])
    lines = pool.output(job).splitlines()
    assert sorted(lines[:4]) == [f"rank {rank} of 4 on {workers[rank // 2]} sum 6" for rank in range(4)]
    assert sorted(lines[4:6]) == [f"rank {rank} of 2 on {workers[rank]} sum 1" for rank in range(2)]
    assert lines[6:] == ["tried", "tried"]
    assert described["execution"]["provisionedResources"]["nodes"] == 2
    assert [task["exitCode"] for task in second["tasks"]] == [0, 0, 0]


def test_tasks_run_on_all_nodes_where_that_is_wished_and_each_writes_its_own_output(
    pool: RealPool, tiny_image: str, old_client: Path
) -> None:
    job = pool.submit(
        {"image": tiny_image, "cmd": "sh -c 'echo $PROMINENCE_NODE_NUM of $PROMINENCE_NODES; cat here'"},
        {"image": tiny_image, "cmd": "sh -c 'test $PROMINENCE_NODE_NUM = 0 || exit 5'"},
        resources=SMALL,
        policies={"runSerialTasksOnAllNodes": True},
        inputs=[{"filename": "here", "content": "c2hhcmVkCg=="}],
    )
    described = pool.finish(job)
    assert (described["status"], described["exitCode"]) == ("failed", 5), described
    assert [pool.output(job, f"stdout?node={number}") for number in (0, 1)] == ["0 of 2\nshared\n", "1 of 2\nshared\n"]
    words = ("stdout", "--node", "1", str(job))
    said = subprocess.run([old_client, *words], env=pool.environment(), capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "1 of 2\nshared" == pool.run(*words).stdout.strip()
    [second] = described["execution"]["nodes"]
    assert (second["outcome"], [task["exitCode"] for task in second["tasks"]]) == ("task failed", [0, 5])
    until(lambda: "NodeCount" not in pool.inside("access-point", "condor_q", "-allusers", str(job), "-l"), 60)


def test_a_range_of_cores_for_all_nodes_gives_as_many_nodes_as_have_the_least(pool: RealPool, tiny_image: str) -> None:
    seen = "sh -c 'echo $PROMINENCE_NODE_NUM of $PROMINENCE_NODES with $PROMINENCE_CPUS'"
    asked = {"totalCpusRange": [2, 3], "cpus": 1, "memory": 0.3, "disk": 0.1}
    policies = {"runSerialTasksOnAllNodes": True, "leaveInQueue": True}
    job = pool.submit({"image": tiny_image, "cmd": seen, "runtime": "docker"}, resources=asked, policies=policies)
    described = pool.finish(job)
    assert described["status"] == "completed", described
    assert [pool.output(job, f"stdout?node={number}") for number in (0, 1)] == ["0 of 2 with 1\n", "1 of 2 with 1\n"]
    # Of what stays in the queue nothing is left but the job, as it has ended.
    until(lambda: _in_queue(pool, job) == "0 4", 60)
    assert pool.describe(job)["status"] == "completed"
    assert pool.request("DELETE", f"/jobs/{job}").status_code == 200
    until(lambda: _in_queue(pool, job) == "", 60)


def test_a_node_that_is_done_before_the_first_one_takes_nobody_with_it(pool: RealPool, tiny_image: str) -> None:
    """HTCondor has a say: here, of processes that end in this order for sure."""
    job = pool.submit({"image": tiny_image, "cmd": "true"}, resources={**SMALL, "cpus": 1000})
    rule = pool.inside("access-point", "condor_q", "-allusers", f"{job}.0", "-af:r", "OtherJobRemoveRequirements")
    assert pool.request("DELETE", f"/jobs/{job}").status_code == 200
    alike = (
        "universe = local",
        "executable = /bin/sh",
        "arguments = \"-c 'sleep $CHOICE(Process,6,1,600)'\"",
        "My.ProminenceNode = $(Process)",
        f"My.OtherJobRemoveRequirements = {rule.strip().replace(f'ClusterId == {job} ', 'ClusterId == $(Cluster) ')}",
        "queue 3",
    )
    submit = ("sh", "-c", 'printf "%s\\n" "$@" > /tmp/alike.sub; condor_submit -terse /tmp/alike.sub', "sh", *alike)
    other = int(pool.inside("access-point", *submit, user="prominence").partition(".")[0])
    until(lambda: _in_queue(pool, other) == "", 60)
    ended = pool.inside("access-point", "condor_history", str(other), "-af", "ProcId", "JobStatus")
    assert sorted(ended.splitlines()) == ["0 4", "1 4", "2 3"]


def _in_queue(pool: RealPool, job: int) -> str:
    return pool.inside("access-point", "condor_q", "-allusers", str(job), "-af", "ProcId", "JobStatus").strip()


@pytest.fixture
def own_pool(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPool]:
    """One whose workers may be killed."""
    real = new_pool(tmp_path_factory.mktemp("state"), engine, "--idle-time", "30", "--max-workers", "3")
    try:
        real.up()
        yield real
    finally:
        real.down("--purge")


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_job_outlives_the_machine_of_any_of_its_nodes(own_pool: RealPool, tiny_image: str) -> None:
    for number in (1, 0):
        _outlives_the_machine_of(number, own_pool, tiny_image)


def _outlives_the_machine_of(number: int, own_pool: RealPool, tiny_image: str) -> None:
    waits = {
        "image": tiny_image,
        "cmd": "sh -c 'echo up; while [ ! -e go ]; do sleep 1; done; echo done'",
        "runtime": "docker",
    }
    job = own_pool.submit(waits, resources=WHOLE)
    until(lambda: own_pool.output(job) == "up\n", 180)  # all nodes have met
    told = own_pool.inside("access-point", "condor_q", "-allusers", f"{job}.{number}", "-af", "RemoteHost")
    name = told.strip().rpartition("@")[2].partition(".")[0]
    [worker] = [one for one in own_pool.containers("worker") if one.labels["prominence.worker"] == name]
    worker.reload()
    os.kill(worker.attrs["State"]["Pid"], signal.SIGKILL)
    until(lambda: len(own_pool.describe(job).get("attempts", ())) == 2, 300, lambda: str(own_pool.describe(job)))
    until(lambda: own_pool.run("exec", str(job), "touch", "go", check=False).returncode == 0, 180)
    described = own_pool.finish(job, 400)
    assert (described["status"], own_pool.output(job)) == ("completed", "up\ndone\n"), described
    assert len(described["attempts"]) == 2, described
    workers = {described["execution"]["worker"], *(one["worker"] for one in described["execution"]["nodes"])}
    assert len(workers) == 2
    assert name not in workers


def test_a_node_that_is_lost_makes_the_job_begin_anew_and_a_deleted_one_leaves_nothing(
    pool: RealPool, tiny_image: str
) -> None:
    waits = {"image": tiny_image, "cmd": "sh -c 'echo up; sleep 600'", "runtime": "docker"}
    job = pool.submit(waits, resources=WHOLE)
    until(lambda: pool.output(job) == "up\n", 120)  # all nodes have met
    pool.inside("access-point", "condor_vacate_job", "-fast", f"{job}.1")
    until(lambda: len(pool.describe(job).get("attempts", [])) > 1, 60, lambda: str(pool.describe(job)))
    pool.wait_for(job, "running", timeout_s=60)
    first = pool.describe(job)["attempts"][0]
    assert "node 1 of the job has begun anew" in first["reason"], first
    assert pool.request("DELETE", f"/jobs/{job}").status_code == 200
    until(lambda: _in_queue(pool, job) == "", 60)
    assert pool.describe(job)["status"] == "deleted"


def test_jobs_of_workflows_have_several_nodes_too(pool: RealPool, tiny_image: str) -> None:
    """One that ends well lets the next begin; one that has failed is run once more from its beginning, on all nodes."""
    tells = "sh -c 'echo $x: $PROMINENCE_NODE_NUM of $PROMINENCE_NODES; test $x != 3'"
    on_all = {"resources": SMALL, "policies": {"runSerialTasksOnAllNodes": True}}
    workflow = submit(
        pool,
        step("solve", tiny_image, tells, **on_all),
        step("say", tiny_image, "echo all done"),
        dependencies={"solve": ["say"]},
        factories=[{"type": "zip", "jobs": ["solve"], "parameters": [{"name": "x", "values": [1, 2]}]}],
    )
    ended = finish(pool, workflow)
    assert (ended["status"], ended["progress"]["done"]) == ("completed", 3), ended
    assert [printed(pool, workflow, f"solve/{index}") for index in (0, 1)] == ["1: 0 of 2\n", "2: 0 of 2\n"]
    jobs = {one["name"]: one for one in jobs_of(pool, workflow)}
    assert {name: one["status"] for name, one in jobs.items()} == dict.fromkeys(jobs, "completed")
    assert pool.output(jobs["solve/1"]["id"], "stdout?node=1") == "2: 1 of 2\n"
    assert pool.describe(jobs["solve/0"]["id"])["resources"]["nodes"] == 2

    workflow = submit(
        pool,
        step("solve", tiny_image, tells, **on_all),
        policies={"maximumReruns": 1},
        factories=[{"type": "zip", "jobs": ["solve"], "parameters": [{"name": "x", "values": [3]}]}],
    )
    ended = finish(pool, workflow)
    assert (ended["status"], ended["progress"]["failed"]) == ("failed", 1), ended
    tried = jobs_of(pool, workflow)
    assert [one["status"] for one in tried] == ["failed", "failed"], tried
    for one in tried:
        described = pool.describe(one["id"])
        [second] = described["execution"]["nodes"]
        assert (described["exitCode"], second["outcome"]) == (1, "task failed"), described
    assert printed(pool, workflow, "solve/0") == "3: 0 of 2\n"  # the second has printed it anew

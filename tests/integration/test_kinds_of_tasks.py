"""Sidecars and MPI, seen from inside real containers on the real pool."""

from __future__ import annotations

import docker
import pytest
from mpi_image import PATH_OF_MPICH, ensure_mpi_image
from real_parts import RealPool, until

SERVING = (
    "trap 'echo ended >> log; echo last words; exit 3' TERM; echo up; echo complaint >&2; touch up; sleep 600 & wait"
)


def test_a_sidecar_runs_beside_the_tasks_and_its_output_is_kept_apart(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit(
        {"image": tiny_image, "cmd": "sh -c 'until test -e up; do sleep 0.1; done; echo task'"},
        {"image": tiny_image, "cmd": f'sh -c "{SERVING}"', "type": "sidecar"},
        {"image": tiny_image, "cmd": "sh -c 'ls; sleep 5'"},
    )
    until(lambda: pool.output(job, "stdout?task=1") == "up\n", 120)
    described = pool.finish(job)
    assert described["status"] == "completed", described
    assert pool.output(job) == "task\nup\n"
    assert pool.output(job, "stdout?task=1") == "up\nlast words\n"
    assert pool.output(job, "stderr?task=1") == "complaint\n"
    assert [task["exitCode"] for task in described["execution"]["tasks"]] == [0, 0]
    assert [task["exitCode"] for task in described["execution"]["sidecars"]] == [3]


@pytest.mark.timeout(900)  # the image is built once
def test_each_mpi_starts_a_process_for_each_core(pool: RealPool, engine: docker.DockerClient) -> None:
    image = ensure_mpi_image(engine)
    job = pool.submit(
        {"image": image, "cmd": "ranks-openmpi", "type": "openmpi", "runtime": "docker"},
        {
            **{"image": image, "cmd": "ranks-mpich", "type": "mpich", "procsPerNode": 2, "runtime": "docker"},
            "env": {"PATH": PATH_OF_MPICH},
        },
        {"image": image, "cmd": "sh -c 'id -u; echo $PROMINENCE_NODES $PROMINENCE_NODE_NUM'", "runtime": "docker"},
        resources={"cpus": 3, "memory": 1, "disk": 1},
    )
    described = pool.finish(job, 240)
    assert described["status"] == "completed", (described, pool.output(job, "stderr"))
    lines = pool.output(job).splitlines()
    assert [line.rpartition(" on ")[0] for line in sorted(lines[:3])] == [f"rank {rank} of 3" for rank in range(3)]
    assert {line.rpartition(" sum ")[2] for line in lines[:3]} == {"3"}
    assert [line.rpartition(" on ")[0] for line in sorted(lines[3:5])] == ["rank 0 of 2", "rank 1 of 2"]
    assert int(lines[5]) >= 20001 and lines[6:] == ["1 0"]

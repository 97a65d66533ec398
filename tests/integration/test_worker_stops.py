"""A worker that is stopped in good order hands its jobs back; none of them fails, and each succeeds once."""

from __future__ import annotations

import json
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container
from real_executor import Registry, trust
from real_parts import RealPool, gateway, new_pool, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def roomy(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPool]:
    """A pool of these tests' own with two workers, which stay when they are idle."""
    real = new_pool(tmp_path_factory.mktemp("state"), engine, "--idle-time", "600", "--max-workers", "2")
    try:
        real.up()
        yield real
    finally:
        real.down("--purge")


@pytest.fixture
def registry(roomy: RealPool) -> Iterator[Registry]:
    registry = Registry(gateway(roomy.engine))
    yield registry
    registry.close()


@pytest.mark.parametrize(
    ("signal", "starts"),
    [
        ("SIGQUIT", 2),  # as `docker stop` does: no job is waited for
        ("SIGTERM", 1),  # jobs may end first, and the broker is there until they have
    ],
)
def test_its_jobs_succeed_once_whatever_ran_them(
    roomy: RealPool, registry: Registry, tiny_image: str, signal: str, starts: int
) -> None:
    first, in_the_way = _fill_a_worker(roomy, tiny_image)
    second, keepers = _fill_a_worker(roomy, tiny_image)
    for worker in (first, second):
        trust(worker, registry.host)
    _delete(roomy, in_the_way)
    jobs = [
        roomy.submit({"image": tiny_image, "cmd": "sh -c 'echo on; sleep 20; echo docker'", "runtime": "docker"}),
        roomy.submit(
            {
                "image": f"{registry.host}/tiny:1",
                "cmd": "sh -c 'echo on; sleep 20; echo apptainer'",
                "runtime": "singularity",
            }
        ),
    ]
    assert {_worker_of(roomy, job).name for job in jobs} == {first.name}
    until(lambda: _said(roomy, jobs) == ["on\n", "on\n"], 60, lambda: str(_said(roomy, jobs)))
    _delete(roomy, keepers)

    first.kill(signal=signal)

    described = [roomy.finish(job, timeout_s=180) for job in jobs]
    assert [one["status"] for one in described] == ["completed", "completed"], described
    assert _said(roomy, jobs) == ["on\ndocker\n", "on\napptainer\n"]
    ended = [json.loads(roomy.inside("access-point", "condor_history", "-json", str(job))) for job in jobs]
    assert [(ad["JobStatus"], ad["ExitCode"], ad["NumJobStarts"]) for [ad] in ended] == [(4, 0, starts)] * 2
    until(lambda: first.labels["prominence.worker"] not in _workers(roomy), 60)
    until(lambda: not roomy.containers("task"), 60)


def _worker_of(pool: RealPool, job: int) -> Container:
    """The worker on which the job runs."""
    name = pool.wait_for(job, "running")["execution"]["worker"]
    return next(c for c in pool.containers("worker") if c.labels["prominence.worker"] == name)


def _fill_a_worker(pool: RealPool, image: str) -> tuple[Container, list[int]]:
    """A worker without room, and the jobs that fill it: of one core each, as HTCondor gives their slots to others."""
    keepers = [pool.submit({"image": image, "cmd": "sleep 3600"}) for _ in range(2)]
    [worker] = {_worker_of(pool, keeper) for keeper in keepers}
    return worker, keepers


def _delete(pool: RealPool, jobs: list[int]) -> None:
    for job in jobs:
        pool.request("DELETE", f"/jobs/{job}")
    for job in jobs:
        pool.finish(job)


def _said(pool: RealPool, jobs: list[int]) -> list[str]:
    return [pool.output(job) for job in jobs]


def _workers(pool: RealPool) -> set[str]:
    return {c.labels["prominence.worker"] for c in pool.containers("worker")}

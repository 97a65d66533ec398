"""Whatever is killed in the middle of a batch, every job succeeds once and nothing is left over.

To add a row: name the victim in VICTIMS with the act that kills it.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
from real_parts import RealPool, new_pool, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

JOBS = 20


@pytest.fixture(scope="module")
def crowded(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPool]:
    """A pool of these tests' own, in which workers go soon after their last job."""
    real = new_pool(tmp_path_factory.mktemp("state"), engine, "--idle-time", "8", "--max-workers", "2")
    real.up()
    yield real
    real.down("--purge")


def _kill_inside(*pattern: str) -> Callable[[RealPool], None]:
    def act(pool: RealPool) -> None:
        pool.inside("access-point", "pkill", "-KILL", *pattern)

    return act


def _kill_container(role: str) -> Callable[[RealPool], None]:
    """Its first process, from outside as the kernel would: to Docker that is a crash, not a wish."""

    def act(pool: RealPool) -> None:
        container = next(c for c in pool.containers(role) if c.status == "running")
        os.kill(container.attrs["State"]["Pid"], signal.SIGKILL)

    return act


def _remove_worker(pool: RealPool) -> None:
    """Machine and all, as when a cloud takes it away."""
    next(c for c in pool.containers("worker") if c.status == "running").remove(force=True, v=True)


VICTIMS: dict[str, Callable[[RealPool], None]] = {
    "scaler": _kill_inside("-f", "prominence.scaler.main"),
    "restapi": _kill_inside("-f", "gunicorn"),
    "etcd": _kill_inside("-x", "etcd"),
    "schedd": _kill_inside("-x", "condor_schedd"),
    "imc": _kill_container("imc"),
    "condor_master": _kill_container("access-point"),
    "worker": _kill_container("worker"),
    "the worker's machine": _remove_worker,
}


@pytest.mark.parametrize("victim", list(VICTIMS))
def test_a_batch_outlives_its_death(crowded: RealPool, tiny_image: str, victim: str) -> None:
    until(lambda: not crowded.containers("worker"), 180)
    before = _containers(crowded)
    jobs = [
        crowded.submit({"image": tiny_image, "cmd": f"sh -c 'sleep 2; echo {number}'"}, name=f"kill {number}")
        for number in range(JOBS)
    ]
    until(lambda: _statuses(crowded, jobs) >= {"running", "completed"}, 120, lambda: str(_statuses(crowded, jobs)))

    VICTIMS[victim](crowded)

    until(lambda: _ended(crowded) >= set(jobs), 400, lambda: f"not ended: {sorted(set(jobs) - _ended(crowded))}")
    history = [ad for ad in _history(crowded) if ad["ClusterId"] in jobs]
    # A schedd that dies between writing a record and forgetting the job writes the same record once more.
    ends = {(ad["ClusterId"], ad["CompletionDate"]) for ad in history}
    assert sorted(job for job, _ in ends) == jobs, "each has ended once"
    assert {(ad["JobStatus"], ad["ExitCode"]) for ad in history} == {(4, 0)}
    expected = [f"{number}\n" for number in range(JOBS)]
    until(lambda: [crowded.output(job) for job in jobs] == expected, 60)
    until(lambda: _containers(crowded) == before, 180, lambda: str(_containers(crowded) - before))
    until(lambda: not list((crowded.state / "workers").iterdir()), 60)
    until(lambda: crowded.run("pool", "status", "--name", crowded.name, check=False).returncode == 0, 60)


def _statuses(pool: RealPool, jobs: list[int]) -> set[str]:
    listed = pool.request("GET", "/jobs", params={"all": "true"}).json()
    return {job["status"] for job in listed if job["id"] in jobs}


def _history(pool: RealPool) -> list[dict[str, Any]]:
    said = pool.inside(
        "access-point", "condor_history", "-json", "-attributes", "ClusterId,JobStatus,ExitCode,CompletionDate"
    )
    ads: list[dict[str, Any]] = json.loads(said)
    return ads


def _ended(pool: RealPool) -> set[int]:
    try:
        return {int(ad["ClusterId"]) for ad in _history(pool)}
    except (AssertionError, docker.errors.APIError):
        return set()  # the access point is on its way back


def _containers(pool: RealPool) -> set[str]:
    return {str(c.name) for role in ("access-point", "imc", "worker", "task") for c in pool.containers(role)}

"""A pool that is gone for good leaves no machine behind."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import docker
import pytest
import tomli_w
from real_parts import RealPool, new_pool, until

pytestmark = [pytest.mark.slow, pytest.mark.faults]

LOST_S = 6


@pytest.fixture
def short_of_patience(engine: docker.DockerClient, tmp_path: Path) -> Iterator[RealPool]:
    real = new_pool(tmp_path, engine, "--max-workers", "1")
    try:
        real.up()
        told = real.state / "config" / "imc.toml"
        document = tomllib.loads(told.read_text())
        document["pool"]["lost_after_s"] = LOST_S
        told.write_text(tomli_w.dumps(document))
        real.containers("imc")[0].restart()
        yield real
    finally:
        real.down("--purge")


def test_a_worker_ends_when_it_has_no_job_and_hears_nobody_and_not_before(
    short_of_patience: RealPool, tiny_image: str
) -> None:
    pool = short_of_patience
    job = pool.submit({"image": tiny_image, "cmd": f"sleep {3 * LOST_S}", "runtime": "docker"})
    pool.wait_for(job, "running")
    (worker,) = pool.containers("worker")
    pool.inside("access-point", "pkill", "-STOP", "condor_collecto")
    imc = pool.containers("imc")[0]
    imc.pause()  # so that nobody takes the worker away
    assert pool.finish(job)["status"] == "completed"
    ended = datetime.now().astimezone()

    def is_over() -> bool:
        worker.reload()
        return bool(worker.attrs["State"]["Status"] == "exited")

    until(is_over, 60)
    assert "this worker ends: no job and no answer of the collector" in worker.logs().decode()
    assert datetime.fromisoformat(worker.attrs["State"]["FinishedAt"]) > ended

    # The control plane comes back: it clears up behind the worker, and goes on.
    pool.inside("access-point", "pkill", "-CONT", "condor_collecto")
    imc.unpause()
    record = until(lambda: [one for one in pool.workers().values() if one.phase.is_over], 60)[0]
    assert not pool.containers("worker")
    assert "its machine is stopped" in record.reason
    assert pool.finish(pool.submit({"image": tiny_image, "cmd": "true"}))["status"] == "completed"

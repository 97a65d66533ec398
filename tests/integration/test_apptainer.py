"""Apptainer on a worker of the real pool, with an image from a registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from docker.models.containers import Container
from real_executor import Registry, trust
from real_parts import RealPool


@pytest.fixture
def worker(pool: RealPool, tiny_image: str) -> Iterator[Container]:
    """A worker that stays while the test lasts, since a job runs on it."""
    keeper = pool.submit({"image": tiny_image, "cmd": "sleep 600", "runtime": "docker"})
    pool.wait_for(keeper, "running")
    name = pool.describe(keeper)["execution"]["worker"]
    yield next(c for c in pool.containers("worker") if c.labels["prominence.worker"] == name)
    pool.request("DELETE", f"/jobs/{keeper}")
    pool.finish(keeper)


@pytest.fixture
def registry(pool: RealPool) -> Iterator[Registry]:
    """A registry on this machine, outside of the pool's own network, of which jobs reach nothing."""
    network = pool.engine.networks.get("bridge")
    registry = Registry(network.attrs["IPAM"]["Config"][0]["Gateway"])
    yield registry
    registry.close()


def test_an_image_is_pulled_and_runs_as_an_ordinary_user(pool: RealPool, worker: Container, registry: Registry) -> None:
    trust(worker, registry)
    job = pool.submit(
        {
            "image": f"{registry.host}/tiny:1",
            "runtime": "singularity",
            "cmd": "sh -c 'echo $PROMINENCE_CONTAINER_RUNTIME; id -u; pwd; ls /etc/condor /run/prominence || true'",
        }
    )
    described = pool.finish(job)
    assert described["status"] == "completed", described
    runtime, user, home = pool.output(job).splitlines()
    assert runtime == "apptainer"
    assert int(user) >= 1000
    assert home == "/home/user"
    assert described["execution"]["worker"] == worker.labels["prominence.worker"]
    assert "apptainer" in str(described["execution"]["runtimeVersion"]).lower()

"""Apptainer on a worker of the real pool, with an image from a registry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from docker.models.containers import Container
from real_executor import Proxy, Registry, trust
from real_parts import RealPool, until


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


@pytest.fixture
def proxy(pool: RealPool, registry: Registry) -> Iterator[Proxy]:
    """A proxy that the pool was told of, and that workers made before know nothing of: there are none."""
    proxy = Proxy(registry.host.partition(":")[0], registry)
    up = ("pool", "up", "--name", pool.name)
    pool.run(*up, env={**pool.environment(), "HTTP_PROXY": proxy.url})
    until(lambda: not pool.containers("worker"), 60)
    yield proxy
    pool.run(*up)
    proxy.close()


def test_an_image_is_pulled_and_runs_as_an_ordinary_user(pool: RealPool, worker: Container, registry: Registry) -> None:
    trust(worker, registry.host)
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


def test_behind_a_proxy_images_are_pulled_through_it_and_nobody_learns_its_password(
    pool: RealPool, proxy: Proxy, worker: Container
) -> None:
    trust(worker, proxy.HOST)
    job = pool.submit({"image": f"{proxy.HOST}/tiny:1", "runtime": "singularity", "cmd": "env"})
    described = pool.finish(job)
    assert described["status"] == "completed", described
    assert "proxy" not in pool.output(job).lower()
    told = [
        pool.inside("access-point", "condor_status", "-long"),
        pool.inside("access-point", "condor_history", "-long", str(job)),
        pool.inside("access-point", "sh", "-c", "cat $PROMINENCE_STATE/config/*"),
        worker.exec_run(["sh", "-c", "cat /var/log/condor/* /proc/1/environ"]).output.decode(errors="replace"),
        *[file.read_text(errors="replace") for file in (pool.state / "log").rglob("*") if file.is_file()],
        *[file.read_text(errors="replace") for file in (pool.state / "jobs").rglob("*") if file.is_file()],
    ]
    assert not [text for text in told if proxy.password in text]

"""Apptainer on a worker of the real pool, with an image from a registry."""

from __future__ import annotations

import stat
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from docker.models.containers import Container
from real_executor import Proxy, Registry, only_worker, trust
from real_parts import RealPool, gateway, until

from prominence.core.plan import CREDENTIALS_FILE


@pytest.fixture
def worker(pool: RealPool, tiny_image: str) -> Iterator[Container]:
    """The only one, while the test lasts."""
    with only_worker(pool, tiny_image) as worker:
        yield worker


@pytest.fixture
def registry(pool: RealPool) -> Iterator[Registry]:
    """One on this machine, outside of the pool's own network, of which jobs reach nothing; no worker has its image."""
    registry = Registry(gateway(pool.engine), mark=uuid.uuid4().hex)
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
    until(lambda: not pool.containers("worker"), 60)  # what was made meanwhile goes on asking the proxy
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


def test_jobs_of_a_worker_share_one_image_and_one_pull(pool: RealPool, worker: Container, registry: Registry) -> None:
    trust(worker, registry.host)
    registry.hold()
    task = {"image": f"{registry.host}/tiny:1", "runtime": "apptainer", "cmd": "sh -c 'id -u; sleep 2'"}
    jobs = [pool.submit(task) for _ in range(3)]
    until(registry.asked.is_set, 60)
    registry.release()
    described = [pool.finish(job) for job in jobs]
    assert [one["status"] for one in described] == ["completed"] * 3, described
    assert len({pool.output(job) for job in jobs}) > 1, "they did not run beside each other"
    fetched = [path for path in registry.requests if "/blobs/" in path]
    assert len(fetched) == len(set(fetched)) == 2
    told = {one["execution"]["tasks"][0]["imageSha256"] for one in described}
    assert told == {registry.digest.partition(":")[2]}


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


def test_an_image_of_a_private_registry_is_pulled_and_nobody_learns_the_token(
    pool: RealPool, worker: Container
) -> None:
    token = f"token-{uuid.uuid4().hex}"
    with closing(Registry(gateway(pool.engine), password=token)) as registry:
        trust(worker, registry.host)
        task = {"image": f"{registry.host}/tiny:1", "runtime": "apptainer", "cmd": "sh -c 'env; sleep 600'"}
        shown = {"username": Registry.USER, "token": "***"}
        refused = pool.finish(pool.submit({**task, "imagePullCredential": {**shown, "token": "wrong"}}))
        job = pool.submit({**task, "imagePullCredential": {**shown, "token": token}})
        until(lambda: "PROMINENCE_JOB_ID" in pool.output(job), 120, lambda: str(pool.describe(job)))
        answer = pool.request("POST", f"/jobs/{job}/commands", json={"command": ["env"]})
        pool.request("DELETE", f"/jobs/{job}")
        pool.finish(job)
        clone = pool.request("PUT", f"/jobs/{job}/clone").json()["id"]
        until(lambda: "PROMINENCE_JOB_ID" in pool.output(clone), 120, lambda: str(pool.describe(clone)))
        pool.request("DELETE", f"/jobs/{clone}")
        pool.finish(clone)
    assert (refused["status"], refused["statusReasonCode"]) == ("failed", "ImageRefused")
    assert "the registry refused it with this imagePullCredential" in refused["statusReason"]
    for one in (job, clone):
        assert pool.describe(one)["tasks"][0]["imagePullCredential"] == shown
    told = [
        *(answer.text, pool.output(job), pool.output(clone), str(pool.describe(job))),
        pool.inside("access-point", "condor_history", "-long", str(job)),
        worker.exec_run(["sh", "-c", "cat /var/log/condor/*"]).output.decode(errors="replace"),
    ]
    assert not [text for text in told if token in text]
    found = subprocess.run(["grep", "-rlF", token, pool.state], capture_output=True, text=True).stdout.split()
    kept = [Path(file) for file in found]
    assert [(file.parent.parent, file.name) for file in kept] == [(pool.state / "jobs", CREDENTIALS_FILE)] * 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in kept} == {0o600}

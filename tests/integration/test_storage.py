"""Storage of users' own on the real pool: read and written by a job, and its secret told to nobody."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from docker.models.containers import Container
from object_servers import RadosGateway
from real_executor import Registry, only_worker, trust
from real_parts import RealPool, gateway, until
from webdav_server import USER, WebDavServer, webdav

from prominence.core.plan import STORAGE_FILE


@pytest.fixture(scope="module")
def worker(pool: RealPool, tiny_image: str) -> Iterator[Container]:
    """The only one, while the tests last."""
    with only_worker(pool, tiny_image) as worker:
        yield worker


@pytest.fixture(scope="module")
def registry(pool: RealPool, worker: Container) -> Iterator[Registry]:
    registry = Registry(gateway(pool.engine))
    trust(worker, registry.host)
    yield registry
    registry.close()


@pytest.fixture(scope="module")
def server(pool: RealPool, worker: Container) -> Iterator[WebDavServer]:
    """On this machine, outside of the pool's own network, of which jobs reach nothing."""
    with webdav(pool.engine, worker.image.id, gateway(pool.engine)) as server:
        yield server


def of_webdav(url: str, password: str, **changes: str) -> dict[str, Any]:
    webdav = {"url": url, "username": USER, "password": password}
    return {"type": "webdav", "mountpoint": "/data", "webdav": webdav, **changes}


def test_a_job_reads_and_writes_a_webdav_server_and_nobody_learns_the_password(
    pool: RealPool, worker: Container, registry: Registry, server: WebDavServer
) -> None:
    server.put("in/words", "one two\n")
    # A wish for Docker, whose containers do not see what is mounted for a job.
    task = {"image": f"{registry.host}/tiny:1", "runtime": "docker"}
    script = "cat /data/in/words; mkdir /data/out; echo $PROMINENCE_CONTAINER_RUNTIME > /data/out/a; while [ ! -e go ]; do sleep 0.1; done"  # noqa: E501
    job = pool.submit({**task, "cmd": f"sh -c '{script}'"}, storage=of_webdav(server.url, server.password))
    until(lambda: "one two" in pool.output(job), 120, lambda: str(pool.describe(job)))
    asked = {"command": ["sh", "-c", "cat /data/in/words; env; echo there > /data/out/b; touch go"]}
    answer = pool.request("POST", f"/jobs/{job}/commands", json=asked)
    described = pool.finish(job)
    assert described["status"] == "completed", (described, pool.output(job, "stderr"))
    assert "one two" in answer.json()["output"], "commands see it, too"
    assert (server.get("out/a"), server.get("out/b")) == ("apptainer\n", "there\n")

    refused = pool.finish(pool.submit({**task, "cmd": "true"}, storage=of_webdav(server.url, "wr0ng-one")))
    assert (refused["status"], refused["statusReasonCode"]) == ("failed", "StorageMountFailed")
    assert "the server refuses it to this user with this password or key" in refused["statusReason"]
    assert refused["execution"].get("tasks", []) == []

    clone = pool.request("PUT", f"/jobs/{job}/clone").json()["id"]
    pool.request("DELETE", f"/jobs/{clone}")
    pool.finish(clone)
    assert described["storage"] == of_webdav(server.url, "***")
    _is_told_nowhere(pool, worker, [job, clone], server.password, answer.text)
    mounts = worker.exec_run(["cat", "/proc/mounts"]).output.decode()
    assert "rclone" not in mounts + worker.exec_run(["ps", "-eo", "args"]).output.decode()


def test_a_job_reads_and_writes_a_store_that_speaks_s3(pool: RealPool, worker: Container, registry: Registry) -> None:
    with RadosGateway(pool.engine).running(gateway(pool.engine)) as account:
        client = boto3.client(
            "s3",
            endpoint_url=account.endpoint,
            aws_access_key_id=account.access_key,
            aws_secret_access_key=account.secret_key,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )
        client.create_bucket(Bucket="my-data")
        client.put_object(Bucket="my-data", Key="runs/words", Body=b"one two\n")
        s3 = {"endpoint": account.endpoint, "bucket": "my-data", "prefix": "runs", "accessKey": account.access_key}
        storage = {"type": "s3", "mountpoint": "/mnt/s3", "s3": {**s3, "secretKey": account.secret_key}}
        task = {"image": f"{registry.host}/tiny:1", "cmd": "cp /mnt/s3/words /mnt/s3/copy"}
        job = pool.submit(task, storage=storage)
        described = pool.finish(job)
        assert described["status"] == "completed", (described, pool.output(job, "stderr"))
        assert client.get_object(Bucket="my-data", Key="runs/copy")["Body"].read() == b"one two\n"
    assert described["storage"]["s3"] == {**s3, "secretKey": "***"}
    _is_told_nowhere(pool, worker, [job], account.secret_key)
    assert "ProminenceStorage" in str(pool.history(job)["Requirements"])


def test_nothing_of_the_pool_is_mounted(pool: RealPool, registry: Registry) -> None:
    task = {"image": f"{registry.host}/tiny:1", "cmd": "ls /data"}
    urls = ("http://ap:8080/prominence/v1/", "http://169.254.169.254/latest/", "http://127.0.0.1:9618/")
    for job in [pool.submit(task, storage=of_webdav(url, "x")) for url in urls]:
        described = pool.finish(job)
        assert (described["status"], described["statusReasonCode"]) == ("failed", "StorageMountFailed"), described


def _is_told_nowhere(pool: RealPool, worker: Container, jobs: list[int], secret: str, *more: str) -> None:
    """But in the file of each job that holds it, which the service alone can read."""
    told = [
        *more,
        *(f"{pool.describe(job)}{pool.output(job)}{pool.output(job, 'stderr')}" for job in jobs),
        *(pool.inside("access-point", "condor_history", "-long", str(job)) for job in jobs),
        worker.exec_run(["sh", "-c", "cat /var/log/condor/*"]).output.decode(errors="replace"),
    ]
    assert not [text for text in told if secret in text]
    assert not worker.exec_run(["grep", "-rlsaF", secret, "/tmp", "/var/lib"]).output
    found = subprocess.run(["grep", "-rlaF", secret, pool.state], capture_output=True, text=True).stdout.split()
    kept = [Path(file) for file in found]
    assert [(file.parent.parent, file.name) for file in kept] == [(pool.state / "jobs", STORAGE_FILE)] * len(jobs)
    assert {stat.S_IMODE(file.stat().st_mode) for file in kept} == {0o600}

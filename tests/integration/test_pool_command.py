"""`prominence pool`: up, status, down, and what it says when it cannot."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import docker
import pytest
from real_parts import RealPool, new_pool, until

from prominence.restapi.backup.numbers import STEP


def _things(engine: docker.DockerClient) -> dict[str, set[str]]:
    """Everything of the engine's that `down` promises to leave as it was."""
    return {
        "containers": {str(c.name) for c in engine.containers.list(all=True, ignore_removed=True)},
        "networks": {str(n.name) for n in engine.networks.list()},
        "volumes": {str(v.name) for v in engine.volumes.list()},
    }


@pytest.fixture
def other(engine: docker.DockerClient, tmp_path: Path) -> Iterator[RealPool]:
    """A pool of one test's own."""
    real = new_pool(tmp_path, engine)
    yield real
    real.down("--purge")


def test_up_may_be_repeated_and_changes_nothing(pool: RealPool) -> None:
    before = {c.id for role in ("access-point", "imc") for c in pool.containers(role)}
    pool.up()
    assert {c.id for role in ("access-point", "imc") for c in pool.containers(role)} == before


def test_status_says_what_runs(pool: RealPool) -> None:
    said = pool.run("pool", "status", "--name", pool.name)
    assert "API: well" in said.stdout
    report = json.loads(pool.run("pool", "status", "--name", pool.name, "-o", "json").stdout)
    assert report["running"] is True
    assert report["complaints"] == []


def test_logs_of_every_service_can_be_read(pool: RealPool) -> None:
    said = pool.run("pool", "logs", "--name", pool.name).stdout
    for service in ("schedd", "collector", "negotiator", "restapi", "scaler", "imc"):
        assert f"==> {service}:" in said


@pytest.mark.parametrize("daemon", ["COLLECTOR", "NEGOTIATOR", "MASTER", "SCHEDD"])
def test_a_daemons_ad_is_renewed_before_it_expires(pool: RealPool, daemon: str) -> None:
    interval = "SCHEDD_INTERVAL" if daemon == "SCHEDD" else f"{daemon}_UPDATE_INTERVAL"
    lifetime = int(pool.inside("access-point", "condor_config_val", "CLASSAD_LIFETIME"))
    assert int(pool.inside("access-point", "condor_config_val", interval)) * 2 < lifetime


def test_the_collector_does_not_wait_for_itself(pool: RealPool) -> None:
    said = (pool.state / "log" / "condor" / "CollectorLog").read_text()
    assert "CollectorAd  : Inserting" in said
    assert "Unable to send UPDATE_COLLECTOR_AD" not in said


def test_only_the_api_is_published_and_on_loopback_only(pool: RealPool) -> None:
    published = {
        (binding["HostIp"], port)
        for role in ("access-point", "imc", "worker", "task")
        for container in pool.containers(role)
        for port, bindings in container.attrs["NetworkSettings"]["Ports"].items()
        for binding in bindings or ()
    }
    assert published == {("127.0.0.1", "8080/tcp")}


def test_secrets_are_not_in_environments_command_lines_or_images(pool: RealPool) -> None:
    files = [path for path in (pool.state / "secrets").rglob("*") if path.is_file()]
    secrets = [path.read_text().strip() for path in files if path.name != "proxies.json"]
    assert len(secrets) == 4
    for role in ("access-point", "imc", "worker"):
        for container in pool.containers(role):
            told = json.dumps(container.attrs) + json.dumps(container.image.attrs if container.image else {})
            told += json.dumps(container.top()["Processes"])
            assert not any(secret in told for secret in secrets)


def test_status_of_a_pool_that_is_not_there_says_how_to_start_it(other: RealPool) -> None:
    said = other.run("pool", "status", "--name", other.name, check=False)
    assert said.returncode == 1
    assert "prominence pool up" in said.stdout


def test_a_taken_port_is_refused_with_advice(other: RealPool) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = other.run("pool", "up", "--name", other.name, "--port", str(port), check=False)
    assert said.returncode != 0
    assert str(port) in said.stderr
    assert "--port" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_state_directory_of_another_layout_is_left_alone(other: RealPool) -> None:
    other.state.mkdir(parents=True)
    (other.state / "pool.json").write_text('{"layout": 0, "port": 8280}')
    said = other.run("pool", "up", "--name", other.name, check=False)
    assert said.returncode != 0
    assert "layout 0" in said.stderr
    assert [path.name for path in other.state.iterdir() if path.name != "lock"] == ["pool.json"]


def test_somebody_elses_pool_of_the_same_name_is_left_alone(pool: RealPool, tmp_path: Path) -> None:
    before = {c.id for role in ("access-point", "imc") for c in pool.containers(role)}
    elsewhere = {**pool.environment(), "XDG_STATE_HOME": str(tmp_path)}
    for command in ("up", "down", "status"):
        said = pool.run("pool", command, "--name", pool.name, check=False, env=elsewhere)
        assert said.returncode != 0
        assert str(pool.state) in said.stderr
        assert list(tmp_path.iterdir()) == []
    assert {c.id for role in ("access-point", "imc") for c in pool.containers(role)} == before


@pytest.mark.slow
def test_a_second_pool_lives_beside_the_first_and_survives_down(
    pool: RealPool, other: RealPool, tiny_image: str, engine: docker.DockerClient, tmp_path: Path
) -> None:
    before = _things(engine)
    other.up("--idle-time", "5", "--max-workers", "1")
    assert other.url != pool.url
    # HTCondor counts whole seconds, and what has used none is in no account.
    job = other.submit({"image": tiny_image, "cmd": "sh -c 'sleep 2; echo kept'"}, labels={"part": "ended"})
    assert other.finish(job)["status"] == "completed"
    assert pool.request("GET", f"/jobs/{job}", headers={"Authorization": f"Bearer {other.token}"}).status_code == 401

    used, token = _used(other), other.token
    waiting, backup = _left_waiting(other, tiny_image), tmp_path / "backup"
    told = other.run("pool", "backup", "--name", other.name, str(backup)).stdout
    assert backup.stat().st_mode & 0o777 == 0o600 and "usage.db" in told
    refused = other.run("pool", "restore", "--name", other.name, str(backup), check=False)
    assert refused.returncode != 0 and "pool down" in refused.stderr

    other.down()
    after = _things(engine)
    for kind, names in after.items():
        assert not [name for name in names if other.name in name], kind
        # The first pool's workers may have come and gone meanwhile, and what other tests have made.
        assert not [name for name in before[kind] - names if pool.name in name and "-w-" not in name], kind

    # Without all that it had kept, and with other keys, until these come back, too.
    other.down("--purge")
    other.up()
    other.down()
    told = other.run("pool", "restore", "--name", other.name, str(backup)).stdout
    assert "queue: " in told and f"The next job will be number {STEP}." in told
    other.up()
    other.token = token
    assert other.describe(job)["status"] == "completed"
    assert other.output(job) == "kept\n"
    assert other.finish(waiting, timeout_s=240)["status"] == "completed"
    assert other.output(waiting) == "came back\n"
    assert _used(other) == used
    listed = {one["id"]: one["status"] for one in other.request("GET", "/jobs", params={"completed": "true"}).json()}
    assert listed == {job: "completed", waiting: "completed"}
    assert other.submit({"image": tiny_image, "cmd": "true"}) == STEP, "what the lost pool gave later is nobody's again"


def _left_waiting(pool: RealPool, image: str) -> int:
    """A job that no worker takes before imc is started again."""
    pool.containers("imc")[0].stop()
    for worker in pool.containers("worker"):
        worker.remove(force=True, v=True)
    return pool.submit({"image": image, "cmd": "echo came back"})


def _used(pool: RealPool) -> dict[str, Any]:
    """By the job that has ended first, once it is booked."""
    days = {name: f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" for name, days in (("start", -1), ("end", 1))}

    def rows() -> list[dict[str, Any]]:
        answer = pool.request("GET", "/usage", params={"by": "label:part", "of": "me", **days})
        return [row for row in answer.json()["rows"] if row["of"] == ["ended"]]

    [row] = until(rows, 60)
    return dict(row)


@pytest.mark.slow
def test_a_restart_of_the_access_point_loses_no_queued_job(other: RealPool, tiny_image: str) -> None:
    other.up("--idle-time", "5", "--max-workers", "1")
    jobs = [other.submit({"image": tiny_image, "cmd": f"echo {number}"}) for number in range(3)]
    other.containers("access-point")[0].restart(timeout=20)
    other.up()
    for number, job in enumerate(jobs):
        assert other.finish(job, timeout_s=240)["status"] == "completed"
        assert other.output(job) == f"{number}\n"


def test_the_command_says_so_when_no_engine_answers(other: RealPool) -> None:
    environment = {**other.environment(), "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    for command in ("up", "down"):
        said = other.run("pool", command, "--name", other.name, check=False, env=environment)
        assert said.returncode != 0
        assert "No Docker engine answers" in said.stderr
        assert "Traceback" not in said.stderr


def test_make_says_what_it_covers() -> None:
    said = subprocess.run(["make", "help"], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    for target in ("demo", "down", "test", "test-slow", "check", "bench"):
        assert f"{target} " in said.stdout

"""The cheapest cloud is sold out: the same jobs run on the next, and whoever asks is told the story. EC2 is moto's."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
import tomli_w
from cloud_servers import served
from real_parts import RealPool, gateway, new_pool, run_inside, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SOLD_OUT = {"action": "RunInstances", "code": "InsufficientInstanceCapacity", "status": "400 Bad Request"}
PATIENCE_S = 180


@pytest.fixture
def amazon(engine: docker.DockerClient) -> Iterator[str]:
    with served("ec2_server.py", gateway(engine)) as url:
        yield url


@pytest.fixture
def own_pool(engine: docker.DockerClient, tmp_path: Path) -> Iterator[RealPool]:
    real = new_pool(tmp_path, engine, "--idle-time", "60", "--max-workers", "2")
    try:
        real.up()
        yield real
    finally:
        real.down("--purge")


def reconfigure(pool: RealPool, change: Callable[[dict[str, Any]], None]) -> None:
    """Other settings of imc's."""
    told = pool.state / "config" / "imc.toml"
    document = tomllib.loads(told.read_text())
    change(document)
    told.write_text(tomli_w.dumps(document))


def asked(pool: RealPool, *words: str) -> str:
    """What `prominence-imc` prints."""
    return pool.inside("imc", *command(pool, *words))


def asked_if_there(pool: RealPool, *words: str) -> str:
    """The same, or what it says when imc is not there yet."""
    return run_inside(pool.containers("imc")[0], command(pool, *words))[1]


def command(pool: RealPool, *words: str) -> list[str]:
    config = str(pool.state / "config" / "imc.toml")
    return ["/usr/bin/python3", "-m", "prominence.imc.main", "--config", config, *words]


def test_jobs_run_on_the_next_cloud_when_one_is_sold_out(own_pool: RealPool, amazon: str, tiny_image: str) -> None:
    requests.post(f"{amazon}/_faults", json=[{**SOLD_OUT, "times": 100_000}], timeout=10).raise_for_status()
    credentials = own_pool.state / "secrets" / "aws"
    credentials.write_text("[default]\naws_access_key_id = AK\naws_secret_access_key = hidden-word\n")
    credentials.chmod(0o600)

    def amazon_first(settings: dict[str, Any]) -> None:
        clouds = settings["clouds"]
        settings["joining"] = {"url": "https://nobody"}  # no machine of EC2's will ever ask
        clouds["amazon"] = {
            "type": "ec2",
            "region": "eu-west-1",
            "credentials_file": str(credentials),
            "image": {"id": "ami-12345678"},
            "flavours": ["m5.large"],
            "prices": [{"flavour": "m5.large", "per_hour": 0.01}],
            "endpoint": amazon,
            "boot_volume_gib": 20,
        }
        clouds["docker"] |= {"limit": 0, "tier": "public"}
        clouds["docker"]["flavours"] = [{**one, "price": 1.0} for one in clouds["docker"]["flavours"]]

    reconfigure(own_pool, amazon_first)
    own_pool.containers("imc")[0].restart()
    until(lambda: "amazon" in asked_if_there(own_pool, "clouds"), PATIENCE_S, lambda: log_of(own_pool))
    jobs = [own_pool.submit({"image": tiny_image, "cmd": "true"}) for _ in range(4)]

    def why(job: int) -> str:
        return own_pool.run("why", str(job)).stdout

    said = "amazon/m5.large: InsufficientInstanceCapacity"
    until(lambda: said in " ".join(why(jobs[0]).split()), PATIENCE_S, lambda: why(jobs[0]) + log_of(own_pool))
    assert said in asked(own_pool, "workers")
    assert "InsufficientInstanceCapacity" in asked(own_pool, "clouds")
    reconfigure(own_pool, lambda settings: settings["clouds"]["docker"].update(limit=2))
    own_pool.containers("imc")[0].kill(signal="HUP")
    for job in jobs:
        ended = own_pool.finish(job, timeout_s=2 * PATIENCE_S)
        assert (ended["status"], ended["execution"]["site"]) == ("completed", "docker"), log_of(own_pool)
    told = asked(own_pool, "workers")
    assert said in told and "docker" in told
    assert "hidden-word" not in told + asked(own_pool, "clouds", "--json") + log_of(own_pool)


def log_of(pool: RealPool) -> str:
    return (pool.state / "log" / "imc" / "imc.log").read_text()[-6000:]

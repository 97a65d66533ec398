"""A batch of many small jobs, a few large ones and one that fits nowhere: the machines of the plan and no others."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from real_parts import RealPool, new_pool, until

from prominence.core.machines import WorkerPhase

SMALL = {"name": "small", "cpus": 2, "memory_mib": 2000, "price": 0.1}
LARGE = {"name": "large", "cpus": 8, "memory_mib": 8000, "price": 0.4}
MOST = 4
TINY = {"cpus": 1, "memory": 0.1, "disk": 0.1}


@pytest.fixture
def limited(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPool]:
    """A pool of two flavours and four workers at most."""
    real = new_pool(tmp_path_factory.mktemp("limited"), engine, "--idle-time", "15", "--max-workers", str(MOST))
    try:
        real.up()
        real.offer(SMALL, LARGE)
        yield real
    finally:
        real.down("--purge")


def plans(pool: RealPool) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (pool.state / "log" / "scaler" / "plans.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_mixed_batch_gets_the_machines_of_the_plan_and_leaves_none_behind(limited: RealPool, tiny_image: str) -> None:
    task = {"image": tiny_image, "cmd": "sleep 2", "runtime": "docker"}
    never = limited.submit(task, resources={**TINY, "cpus": 16})
    large = [limited.submit({**task, "cmd": "sleep 20"}, resources={**TINY, "cpus": 8}) for _ in range(3)]
    small = [limited.submit(task, resources=TINY) for _ in range(40)]

    def beyond() -> list[dict[str, Any]]:
        return [told for job in small if (told := why(limited, job)).get("reasonCode") == "PoolLimitReached"]

    assert until(beyond, 60)[0]["details"] == {"limit": str(MOST), "used": str(MOST)}
    ended = [limited.finish(job, timeout_s=300)["status"] for job in (*large, *small)]
    assert ended == ["completed"] * 43
    told = why(limited, never)
    assert (told["reasonCode"], told["blame"]) == ("NoFlavourFits", "user")
    assert "16 cores" in told["explanation"]

    created = [action for plan in plans(limited) for action in plan["actions"] if action["act"] == "create"]
    assert {action["worker"]: action["flavour"] for action in created} == {
        name: record.flavour.name for name, record in limited.workers().items() if record.flavour
    }
    assert len(created) == len({action["worker"] for action in created})
    assert all(action["reason"] for plan in plans(limited) for action in plan["actions"])
    assert Counter(action["flavour"] for action in created)["large"] >= 3
    until(lambda: {one.phase for one in limited.workers().values()} == {WorkerPhase.DELETED}, 120)
    assert limited.containers("worker") == limited.containers("task") == []
    assert why(limited, never)["reasonCode"] == "NoFlavourFits"


def why(pool: RealPool, job: int) -> dict[str, Any]:
    found: dict[str, Any] = pool.request("GET", f"/jobs/{job}/explain").json()
    return found

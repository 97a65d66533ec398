"""The fence: there while jobs may speak to the outside, and nothing is well without it then."""

from __future__ import annotations

from typing import Any

import pytest
from builders_pool import FakeEngine

from prominence.cli.pool.containers import ensure_networks
from prominence.cli.pool.fence import ensure_fence, fence_complaint
from prominence.cli.pool.layout import POOL_LABEL, ROLE_LABEL, Pool, PoolSettings

OPEN, CLOSED = PoolSettings(port=8280, task_network="outbound"), PoolSettings(port=8280)


@pytest.fixture
def pool() -> Pool:
    return Pool.named("demo", {"XDG_STATE_HOME": "/srv/state"})


@pytest.fixture
def engine(pool: Pool) -> Any:
    engine = FakeEngine()
    ensure_networks(engine, pool)  # type: ignore[arg-type]
    return engine


def test_it_keeps_jobs_from_the_pools_other_networks(engine: Any, pool: Pool) -> None:
    ensure_fence(engine, pool, "prominence-worker:1", OPEN)
    [fence] = engine.containers.all
    bridge = f"br-{engine.networks.get(pool.task_network).id[:12]}"
    assert fence.attrs["Args"] == [bridge, "10.0.0.0/24", "10.0.1.0/24"]
    assert fence.attrs["HostConfig"]["network_mode"] == "host"
    assert (fence.attrs["HostConfig"]["cap_drop"], fence.attrs["HostConfig"]["cap_add"]) == (["ALL"], ["NET_ADMIN"])
    assert fence_complaint(engine, pool, OPEN) == ""


def test_there_is_none_where_jobs_reach_no_network(engine: Any, pool: Pool) -> None:
    ensure_fence(engine, pool, "prominence-worker:1", CLOSED)
    assert engine.containers.all == []
    assert fence_complaint(engine, pool, CLOSED) == ""


def test_it_goes_when_jobs_reach_no_network_any_more(engine: Any, pool: Pool) -> None:
    ensure_fence(engine, pool, "prominence-worker:1", OPEN)
    ensure_fence(engine, pool, "prominence-worker:1", CLOSED)
    assert engine.containers.all == []


def test_it_stays_while_there_are_workers_that_still_let_jobs_out(engine: Any, pool: Pool) -> None:
    ensure_fence(engine, pool, "prominence-worker:1", OPEN)
    worker = engine.containers.create("any", name="w", labels={POOL_LABEL: pool.name, ROLE_LABEL: "worker"})
    ensure_fence(engine, pool, "prominence-worker:1", CLOSED)
    assert len(engine.containers.all) == 2
    worker.remove(force=True, v=True)
    ensure_fence(engine, pool, "prominence-worker:1", CLOSED)
    assert engine.containers.all == []


@pytest.mark.parametrize(("image", "kept"), [("prominence-worker:1", True), ("prominence-worker:2", False)])
def test_one_that_does_the_same_is_left_alone(engine: Any, pool: Pool, image: str, kept: bool) -> None:
    ensure_fence(engine, pool, "prominence-worker:1", OPEN)
    before = engine.containers.all[0].id
    ensure_fence(engine, pool, image, OPEN)
    assert (engine.containers.all[0].id == before) is kept


def test_one_whose_networks_were_made_anew_is_replaced(engine: Any, pool: Pool) -> None:
    ensure_fence(engine, pool, "prominence-worker:1", OPEN)
    before = engine.containers.all[0].id
    engine.networks.all.clear()
    ensure_networks(engine, pool)
    ensure_fence(engine, pool, "prominence-worker:1", OPEN)
    assert engine.containers.all[0].id != before


def test_nothing_is_well_without_it(engine: Any, pool: Pool) -> None:
    assert fence_complaint(engine, pool, OPEN) == "the fence has no container"
    ensure_fence(engine, pool, "prominence-worker:1", OPEN)
    engine.containers.all[0].exit_code_of_commands = 1
    assert fence_complaint(engine, pool, OPEN) == "the fence does not stand"
    engine.containers.all[0].status = "restarting"
    assert fence_complaint(engine, pool, OPEN) == "the fence's container is restarting"

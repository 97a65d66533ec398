"""The pool's containers and networks, on an engine that is a few dictionaries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders_pool import FakeEngine

from prominence.cli.pool.containers import ensure_imc, ensure_networks, remove_everything, remove_state
from prominence.cli.pool.layout import POOL_LABEL, ROLE_LABEL, Pool


@pytest.fixture
def engine() -> Any:
    return FakeEngine()


@pytest.fixture
def pool() -> Pool:
    return Pool.named("demo", {"XDG_STATE_HOME": "/srv/state"})


def up(engine: Any, pool: Pool, image: str = "prominence-imc:1", configuration: str = "c") -> str:
    ensure_networks(engine, pool)
    ensure_imc(engine, pool, image, configuration, "/var/run/docker.sock")
    [imc] = engine.containers.all
    assert imc.status == "running"
    assert set(imc.attrs["NetworkSettings"]["Networks"]) == {pool.network, pool.control_network}
    return str(imc.id)


def test_what_runs_already_is_left_alone(engine: Any, pool: Pool) -> None:
    assert up(engine, pool) == up(engine, pool)


@pytest.mark.parametrize("news", [{"image": "prominence-imc:2"}, {"configuration": "d"}])
def test_a_container_that_was_told_something_else_is_replaced(engine: Any, pool: Pool, news: dict[str, str]) -> None:
    assert up(engine, pool) != up(engine, pool, **news)


def test_what_an_interrupted_up_left_half_made_is_replaced(engine: Any, pool: Pool) -> None:
    half_made = up(engine, pool)
    [imc] = engine.containers.all
    imc.status = "created"
    del imc.attrs["NetworkSettings"]["Networks"][pool.control_network]
    assert up(engine, pool) != half_made


def test_a_container_whose_networks_were_pruned_is_replaced(engine: Any, pool: Pool) -> None:
    before = up(engine, pool)
    engine.containers.all[0].status = "exited"
    engine.networks.all.clear()
    assert up(engine, pool) != before


def test_workers_go_before_their_tasks_so_that_no_job_takes_the_end_for_its_own(engine: Any, pool: Pool) -> None:
    for role in ("access-point", "task", "worker", "imc"):
        engine.containers.create("any", name=role, labels={POOL_LABEL: pool.name, ROLE_LABEL: role, **_state(pool)})
    remove_everything(engine, pool, lambda _: None)
    assert engine.removed == ["imc", "worker", "task", "access-point"]
    assert engine.networks.all == []


def test_what_jobs_have_brought_as_images_goes_with_their_workers(engine: Any, pool: Pool) -> None:
    ours, role = f"{POOL_LABEL}={pool.name}", f"{ROLE_LABEL}=image"
    engine.api.labels_of_images = {"ours": [ours, role], "another's": [f"{POOL_LABEL}=x", role], "recipe": [ours]}
    engine.containers.create("any", name="w", labels={POOL_LABEL: pool.name, ROLE_LABEL: "worker"})
    remove_everything(engine, pool, lambda _: None)
    assert engine.removed == ["w", "ours"]


def test_so_do_the_private_images_of_jobs(engine: Any, pool: Pool) -> None:
    ours, anothers = (f"localhost/prominence-private/s-0:{name}.w-1" for name in (pool.name, f"{pool.name}-2"))
    engine.api.names_of_images = [ours, anothers]
    remove_everything(engine, pool, lambda _: None)
    assert engine.removed == [ours]


def test_a_removal_that_is_under_way_is_waited_for(engine: Any, pool: Pool) -> None:
    worker = engine.containers.create("any", name="w", labels={POOL_LABEL: pool.name, ROLE_LABEL: "worker"})
    worker.is_being_removed = True
    remove_everything(engine, pool, lambda _: None)
    assert engine.removed == ["w"]


def test_the_state_goes_even_when_no_image_is_left_to_delete_it_with(engine: Any, tmp_path: Path) -> None:
    pool = Pool.named("demo", {"XDG_STATE_HOME": str(tmp_path)})
    (pool.state / "jobs").mkdir(parents=True)
    remove_state(engine, pool, None)
    assert not pool.state.exists()


def _state(pool: Pool) -> dict[str, str]:
    return {"prominence.state": str(pool.state)}


def test_it_is_told_whether_there_was_anything_to_remove(engine: Any, pool: Pool) -> None:
    up(engine, pool)
    said: list[str] = []
    assert remove_everything(engine, pool, said.append)
    assert said
    assert not remove_everything(engine, pool, said.append)

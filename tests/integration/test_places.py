"""Jobs that say where they must run and where they had rather run, and what holds those that wait, on real parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import docker
import pytest
from real_parts import RealPool, new_pool, until

MARS = {"placement": {"requirements": {"sites": ["mars"]}}}
HERE = {"placement": {"requirements": {"sites": ["docker"]}}}
SMALL = {"memory": 0.2, "disk": 0.1}


def test_a_job_for_an_unknown_site_waits_with_its_reason_until_it_is_sent_elsewhere(
    pool: RealPool, tiny_image: str
) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "true"}, policies=MARS)
    described = pool.wait_for(job, "waiting")
    assert described["statusReasonCode"] == "NoSuchPlace"
    assert "there is no cloud named mars" in described["statusReason"]
    # One that differs from it in nothing else runs meanwhile.
    other = pool.finish(pool.submit({"image": tiny_image, "cmd": "true"}, policies=HERE))
    assert (other["status"], other["execution"]["site"]) == ("completed", "docker")
    assert pool.describe(job)["status"] == "waiting"
    pool.run("edit", str(job), "--site", "venus", "--site", "docker", "--prefer-site", "venus")
    described = pool.finish(job)
    assert (described["status"], described["execution"]["site"]) == ("completed", "docker")
    assert described["policies"] == {
        "placement": {"requirements": {"sites": ["venus", "docker"]}, "preferences": {"sites": ["venus"]}}
    }


def test_an_administrator_sees_the_cloud_its_workers_and_where_one_more_could_go(
    pool: RealPool, tiny_image: str
) -> None:
    def asked(*words: str) -> str:
        config = str(pool.state / "config" / "imc.toml")
        return pool.inside("imc", "/usr/bin/python3", "-m", "prominence.imc.main", "--config", config, *words)

    done = pool.finish(pool.submit({"image": tiny_image, "cmd": "true"}, policies=HERE))
    [cloud] = json.loads(asked("clouds", "--json"))
    assert (cloud["name"], cloud["tier"], cloud["error"], cloud["orphans"]) == ("docker", "private", "", [])
    assert done["execution"]["worker"] in asked("workers")
    answer = json.loads(asked("offers", "--cpus", "99", "--json"))
    assert answer["is_hopeless"] and {one["cloud"] for one in answer["refusals"]} == {"docker"}


def test_why_tells_what_holds_each_job_and_status_tells_of_all(pool: RealPool, tiny_image: str) -> None:
    def why(job: int) -> dict[str, Any]:
        found: dict[str, Any] = pool.request("GET", f"/jobs/{job}/explain").json()
        return found

    def printed(job: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(pool.run("why", str(job), "-o", "json").stdout)
        return found

    def reason_of(job: int, *words: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def is_told() -> bool:
            found.append(why(job))
            return found[-1].get("reasonCode") in words

        until(is_told, 90, lambda: f"job {job}: {found}")
        return found[-1]

    # A worker that is still there from before could take the job at once, and nothing would have to be told.
    until(lambda: not pool.containers("worker"), 120, lambda: str(pool.workers()))
    most = max(flavour["size"]["cpus"] for flavour in _flavours(pool))
    # Two workers may exist, and each of these jobs needs one of the largest for itself.
    sleeper = partial(pool.submit, {"image": tiny_image, "cmd": "sleep 300"}, resources={**SMALL, "cpus": most})
    jobs = [sleeper()]
    try:
        coming = reason_of(jobs[0], "WorkerRequested", "WorkerBooting")
        assert (coming["status"], coming["position"]["place"]) == ("deploying", 1)
        assert coming["details"]["worker"] in pool.workers()
        jobs += [sleeper(), sleeper()]
        never = pool.submit({"image": tiny_image, "cmd": "true"}, resources={**SMALL, "cpus": most + 1})
        jobs.append(never)
        beyond = reason_of(jobs[2], "PoolLimitReached")
        assert beyond["explanation"] == "The pool has 2 of 2 workers that it may have; the job waits for room."
        assert set(beyond["start"]) == {"basis"}, "how long the others run nobody knows"
        told = reason_of(never, "NoFlavourFits")
        # What a flavour has is told more exactly as soon as a machine of it has been seen.
        until(lambda: printed(never)["explanation"] == why(never)["explanation"], 60, lambda: str(printed(never)))
        assert told["blame"] == "user"
        assert f"the job asks for {most + 1} cores" in told["explanation"]
        for job in jobs[:2]:
            pool.wait_for(job, "running")
        running = why(jobs[0])
        assert running["explanation"].startswith("It runs on worker ") and "reasonCode" not in running
        # Now it is known how long a worker takes, by everybody who asks.
        known = until(lambda: [f["start"] for f in _flavours(pool) if f.get("start", {}).get("seen", 0) >= 2], 60)
        assert all(0 < start["least"] <= start["most"] for start in known)
        told_of_all = ("of them yours", "2 registered; 2 may exist", "PoolLimitReached", "NoFlavourFits")
        until(lambda: all(text in pool.run("status").stdout for text in told_of_all), 60)
    finally:
        pool.run("delete", *map(str, jobs))
    assert why(never)["reasonCode"] == "DeletedByUser"


def _flavours(pool: RealPool) -> list[dict[str, Any]]:
    """What the cloud offers, as soon as the scaler has seen it."""
    clouds = until(lambda: pool.request("GET", "/pool").json().get("clouds"), 30)
    found: list[dict[str, Any]] = clouds[0]["flavours"]
    return found


FLAVOURS = [
    {"name": region, "region": region, "price": price, "cpus": 2, "memory_mib": 2000}
    for region, price in (("west", 0.1), ("east", 9.0))
]


@pytest.fixture(scope="module")
def regions(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPool]:
    """A pool whose cloud has two regions; machines in the east are dear."""
    real = new_pool(tmp_path_factory.mktemp("regions"), engine, "--idle-time", "60", "--max-workers", "2")
    try:
        real.up()
        real.offer(*FLAVOURS)
        yield real
    finally:
        real.down("--purge")


def _region(pool: RealPool, described: dict[str, Any]) -> str:
    flavour = pool.workers()[described["execution"]["worker"]].flavour
    assert flavour is not None
    return flavour.region


@pytest.mark.slow
def test_jobs_run_in_the_region_that_they_require_or_prefer(regions: RealPool, tiny_image: str) -> None:
    task = {"image": tiny_image, "cmd": "true"}

    def placed(**placement: Any) -> tuple[str, str]:
        described = regions.finish(regions.submit(task, policies={"placement": placement}))
        return described["status"], _region(regions, described)

    # Of an empty pool the dear machine is made for whoever had rather have it ...
    assert placed(preferences={"regions": ["east"]}) == ("completed", "east")
    # ... which is of no use to a job that must run elsewhere.
    assert placed(requirements={"regions": ["west"]}) == ("completed", "west")
    # Now there is room in both.
    until(lambda: len(regions.containers("worker")) == 2, 10)
    for first, second in (("east", "west"), ("west", "east")):
        assert placed(preferences={"regions": [first, second]}) == ("completed", first)
        assert placed(requirements={"regions": [second]}) == ("completed", second)
    assert len(regions.workers()) == 2

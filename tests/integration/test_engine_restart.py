"""The Docker engine goes away in the middle of a batch and comes back: each job succeeds once, nothing is left over."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import docker
import pytest
from real_engine import OwnEngine, own_engine
from real_parts import RealPool, new_pool, until

from prominence.cli.commands.pool import CA_VARIABLES
from prominence.cli.pool.recipes import ensure_images

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

JOBS = 14


@pytest.fixture(scope="module")
def own(engine: docker.DockerClient, tiny_image: str) -> Iterator[OwnEngine]:
    """An engine of these tests' own, with the pool's images."""
    images = ensure_images(engine, lambda line: None, None)
    with own_engine() as own:
        own.copy(["debian:trixie-slim", tiny_image, *images.values()])
        yield own


@pytest.fixture
def elsewhere(own: OwnEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealPool]:
    """A pool on that engine, and this thread on its network."""
    monkeypatch.setenv("DOCKER_HOST", own.url)
    for name in CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    client = docker.DockerClient(base_url=own.url)
    pool = new_pool(own.directory, client, "--idle-time", "8", "--max-workers", "2")
    with own.entered():
        try:
            pool.up()
            yield pool
        finally:
            pool.down("--purge")
            client.close()


@pytest.mark.parametrize(
    ("end", "options"),
    [
        pytest.param(signal.SIGTERM, [], id="stopped in good order"),
        pytest.param(signal.SIGKILL, [], id="killed"),
        # Containers outlive such an engine, and find out that the socket they were given is nobody's any more.
        pytest.param(signal.SIGTERM, ["--live-restore"], id="stopped while its containers live on"),
    ],
)
def test_a_batch_outlives_a_restart(
    own: OwnEngine, elsewhere: RealPool, tiny_image: str, end: signal.Signals, options: list[str]
) -> None:
    if options:
        own.stop(signal.SIGTERM)
        own.start(*options)
        until(lambda: _is_well(elsewhere), 120)
    before = _containers(elsewhere)
    jobs = [elsewhere.submit({"image": tiny_image, "cmd": f"sh -c 'sleep 3; echo {number}'"}) for number in range(JOBS)]
    until(lambda: _statuses(elsewhere, jobs) >= {"running", "completed"}, 120, lambda: str(_statuses(elsewhere, jobs)))

    own.stop(end)
    own.start(*options)

    until(lambda: _ended(elsewhere) >= set(jobs), 400, lambda: f"not ended: {sorted(set(jobs) - _ended(elsewhere))}")
    history = [ad for ad in _history(elsewhere) if ad["ClusterId"] in jobs]
    # A schedd that dies between writing a record and forgetting the job writes the same record once more.
    ends = {(ad["ClusterId"], ad["CompletionDate"]) for ad in history}
    assert sorted(job for job, _ in ends) == jobs, "each has ended once"
    assert {(ad["JobStatus"], ad["ExitCode"]) for ad in history} == {(4, 0)}
    until(lambda: _is_well(elsewhere), 60)
    assert [elsewhere.output(job) for job in jobs] == [f"{number}\n" for number in range(JOBS)]
    until(lambda: _containers(elsewhere) == before, 180, lambda: str(_containers(elsewhere) - before))
    until(lambda: not os.listdir(elsewhere.state / "workers"), 60)


def _is_well(pool: RealPool) -> bool:
    return pool.run("pool", "status", "--name", pool.name, check=False).returncode == 0


def _statuses(pool: RealPool, jobs: list[int]) -> set[str]:
    listed = pool.request("GET", "/jobs", params={"all": "true"}).json()
    return {job["status"] for job in listed if job["id"] in jobs}


def _history(pool: RealPool) -> list[dict[str, int]]:
    names = "ClusterId,JobStatus,ExitCode,CompletionDate"
    ads: list[dict[str, int]] = json.loads(pool.inside("access-point", "condor_history", "-json", "-attributes", names))
    return ads


def _ended(pool: RealPool) -> set[int]:
    try:
        return {ad["ClusterId"] for ad in _history(pool)}
    except (AssertionError, docker.errors.APIError):
        return set()  # the access point is on its way back


def _containers(pool: RealPool) -> set[str]:
    return {str(c.name) for role in ("access-point", "imc", "worker", "task") for c in pool.containers(role)}

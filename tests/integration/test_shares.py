"""Groups whose queues are long get the parts of a real pool that they were given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import docker
import pytest
from real_parts import RealPool, new_pool, until

SHARES = {"physics": 0.75, "/vo/bio-med": 0.25}


@pytest.fixture(scope="module")
def shared(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPool]:
    """A pool of its own, of one worker with four cores."""
    options = [f"--share={group}={quota}" for group, quota in SHARES.items()]
    real = new_pool(tmp_path_factory.mktemp("state"), engine, "--max-workers", "1", "--idle-time", "300", *options)
    try:
        real.up()
        real.offer({"name": "four", "cpus": 4, "memory_mib": 4000, "disk_mib": 20480, "price": 0.1})
        yield real
    finally:
        real.down("--purge")


def running(pool: RealPool, arrays: dict[str, int]) -> dict[str, int]:
    """How many jobs of each group run."""
    found = {
        group: pool.in_group(group).request("GET", f"/arrays/{array}/jobs").json() for group, array in arrays.items()
    }
    return {group: Counter(one["status"] for one in jobs)["running"] for group, jobs in found.items()}


@pytest.mark.slow
def test_two_groups_with_long_queues_get_what_is_theirs(shared: RealPool, tiny_image: str) -> None:
    imc = shared.containers("imc")[0]
    imc.stop()  # no worker comes before both have queued
    task = {"image": tiny_image, "cmd": "sleep 100000"}
    arrays = {group: shared.in_group(group).submit_array(6, task) for group in SHARES}
    imc.start()
    until(
        lambda: running(shared, arrays) == {"physics": 3, "/vo/bio-med": 1}, 120, lambda: str(running(shared, arrays))
    )
    told = shared.run("doctor", check=False).stdout
    assert "physics 0.75 (3 of 3 cores)" in told and "/vo/bio-med 0.25 (1 of 1 cores)" in told

    # What one leaves, the other may have.
    shared.in_group("physics").request("DELETE", f"/arrays/{arrays['physics']}")
    until(lambda: running(shared, {"/vo/bio-med": arrays["/vo/bio-med"]}) == {"/vo/bio-med": 4}, 120)
    shared.in_group("/vo/bio-med").request("DELETE", f"/arrays/{arrays['/vo/bio-med']}")

"""How long a job is on its way, on a pool of this benchmark's own.

`journey.warm`: from the submission to the container's first byte of output, on a worker that is there. The baseline is
what no service could do without: HTCondor running the same command bare (`condor_submit` inside the same pool) and
Docker starting one container (`docker run`), one after the other.

`journey.cold.*`: from the submission to an empty pool; there is nothing to compare it with.
"""

from __future__ import annotations

import getpass
import sys
import tempfile
import time
from pathlib import Path

import docker

from benchmarks.harness import Row, figure, in_pairs

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from real_parts import RealPool, ensure_tiny_image, new_pool, until

SUBMIT_FILE = """\
universe = vanilla
executable = /bin/echo
transfer_executable = false
arguments = first
output = {output}
stream_output = true
should_transfer_files = YES
request_cpus = 1
request_memory = 200
request_disk = 100000
accounting_group_user = {user}
requirements = regexp("@workers$", TARGET.AuthenticatedIdentity)
queue
"""
RUNS = 9


def rows() -> list[Row]:
    """Bring a pool up, measure, take it down."""
    engine = docker.from_env()
    image = ensure_tiny_image(engine)
    with tempfile.TemporaryDirectory(prefix="prominence-bench-") as home:
        pool = new_pool(Path(home), engine, "--idle-time", "600")
        try:
            pool.up()
            return [*_cold(pool, image), _warm(pool, image)]
        finally:
            pool.down("--purge")


def _warm(pool: RealPool, image: str) -> Row:
    folder = pool.state / "jobs" / "bench"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    number = iter(range(1000))

    def bare() -> None:
        output = folder / f"out.{next(number)}"
        (folder / "submit").write_text(SUBMIT_FILE.format(output=output, user=getpass.getuser()))
        pool.inside("access-point", "condor_submit", "-terse", str(folder / "submit"), user="prominence")
        until(lambda: output.exists() and output.stat().st_size, 60)
        pool.engine.containers.run(image, ["echo", "first"], remove=True, network_mode="none")

    def ours() -> None:
        job = pool.submit({"image": image, "cmd": "echo first", "runtime": "docker"})
        until(lambda: pool.output(job), 60)

    return in_pairs("journey.warm", bare, ours, runs=RUNS, goal=1.15, pause=(0.5, 3.0))


def _cold(pool: RealPool, image: str) -> list[Row]:
    start = time.monotonic()
    job = pool.submit({"image": image, "cmd": "echo first"})
    until(lambda: pool.describe(job)["status"] == "deploying", 60)
    ordered = time.monotonic() - start
    until(lambda: pool.output(job), 120)
    return [
        figure("journey.cold.worker-ordered", [ordered]),
        figure("journey.cold.first-output", [time.monotonic() - start]),
    ]

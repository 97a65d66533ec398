"""How long a job is on its way, from its submission to the first byte of its container's output.

journey.warm.*: on a worker that is there. The baseline is the same pool's HTCondor, which is given the same container
as a bare runtime command (`condor_submit` of a vanilla job). Both outputs are watched on the access point's disk.

journey.order: with no worker, until imc has a record of one; the rows below it tell the rest of the way.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.harness import Goal, Row, Seconds, figure, in_pairs, measured_in_pairs
from benchmarks.inside import Inside
from benchmarks.pools import DOCKER, SOCKET, RealPool, WarmWorker, pool, tiny_image, until, warm_worker
from prominence.core import document, report
from prominence.core.keyvalue.etcd import EtcdKeyValue
from prominence.core.machines import WorkerPhase
from prominence.imc.records import WORKERS

PAIRS = 17
ORDERS = 5
# Longer than a job takes to be gone from the worker, and then any time of the negotiator's cycle.
PAUSE = (0.8, 2.8)
# Any time of the scaler's round.
ORDER_PAUSE = (0.0, 1.0)
LOOK_EVERY_S = 0.005
PATIENCE_S = 60

SUBMIT_FILE = """\
universe = vanilla
executable = {program}
transfer_executable = false
arguments = {arguments}
environment = "{environment}"
initialdir = {folder}
output = stdout
error = stderr
stream_output = true
stream_error = true
should_transfer_files = YES
when_to_transfer_output = ON_EXIT
transfer_output_files = ""
request_cpus = 1
request_memory = 200
request_disk = 100000
requirements = regexp("@workers$", TARGET.AuthenticatedIdentity)
accounting_group_user = {user}
queue
"""


def warm_docker() -> list[Row]:
    """Docker, whose engine has the image. Ours goes through the broker, the bare command has the engine to itself."""
    image = tiny_image()
    with warm_worker() as worker:
        return _warm(
            worker,
            "docker",
            {"image": image, "cmd": "echo first", "runtime": "docker"},
            _Bare(DOCKER, f"run --rm --network none {image} echo first", f"DOCKER_HOST=unix://{SOCKET}"),
        )


def warm_apptainer() -> list[Row]:
    """Apptainer, which fetches the image from a registry for each job."""
    with warm_worker() as worker:
        image = f"{worker.registry}/tiny:1"
        directories = " ".join(f"{name}=$$(CondorScratchDir)" for name in ("HOME", "APPTAINER_TMPDIR"))
        return _warm(
            worker,
            "apptainer",
            {"image": image, "cmd": "echo first", "runtime": "singularity"},
            _Bare("/usr/bin/apptainer", f"exec docker://{image} echo first", directories),
        )


@dataclass(frozen=True)
class _Bare:
    """A runtime's own command on the worker."""

    program: str
    arguments: str
    environment: str


def _warm(worker: WarmWorker, runtime: str, task: dict[str, str], bare: _Bare) -> list[Row]:
    answered: list[float] = []
    jobs = worker.pool.state / "jobs"

    def ours() -> float:
        before = set(jobs.iterdir())
        began = time.monotonic()
        job = worker.pool.submit(task)
        (folder,) = set(jobs.iterdir()) - before
        first = _first_byte(folder / "stdout") - began
        _when(lambda: worker.pool.output(job))
        answered.append(time.monotonic() - began)
        return first

    with Inside(worker.pool.containers("access-point")[0], "prominence") as access_point:
        pairs = measured_in_pairs(_vanilla(worker, access_point, bare), ours, PAIRS, PAUSE)
    name = f"journey.warm.{runtime}"
    return [in_pairs(name, pairs, Goal(ratio=1.15)), figure(f"{name}.in-the-answer", answered[1:])]


def _vanilla(worker: WarmWorker, access_point: Inside, bare: _Bare) -> Seconds:
    """The bare command as a vanilla job of the same user."""
    jobs = worker.pool.state / "jobs"
    user = worker.pool.history(worker.first)["AcctGroupUser"]
    numbers = itertools.count()

    def submit() -> float:
        folder = jobs / f"bare-{next(numbers)}"
        folder.mkdir()
        folder.chmod(0o777)
        (folder / "submit").write_text(SUBMIT_FILE.format(folder=folder, user=user, **asdict(bare)))
        done = access_point.run("condor_submit", "-terse", str(folder / "submit"))
        return _first_byte(folder / "stdout") - done.began

    return submit


def _first_byte(file: Path) -> float:
    """When the file has something in it."""
    return _when(lambda: _has_bytes(file))


def _has_bytes(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def _when(look: Callable[[], object]) -> float:
    """The moment of the first look that finds something."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not look():
        assert time.monotonic() < give_up_at, f"nothing came within {PATIENCE_S} s"
        time.sleep(LOOK_EVERY_S)
    return time.monotonic()


PARTS = ("launched", "registered", "started", "first-byte")
"""What follows on an order: the machine runs, its startd has joined, the executor has begun, there is output."""


def order() -> list[Row]:
    """Jobs one by one, each submitted when the worker of the one before is gone."""
    with pool("--idle-time", "1", "--max-workers", "1") as one:
        job = {"image": tiny_image(), "cmd": "echo first", "runtime": "docker"}
        ways = [_way(one, job) for _ in range(ORDERS)]
    goals = {"journey.order": Goal(figure=2.0)}
    names = ("journey.order", *(f"journey.order.{part}" for part in PARTS))
    return [
        figure(name, samples, goals.get(name)) for name, samples in zip(names, zip(*ways, strict=True), strict=True)
    ]


def _way(one: RealPool, task: dict[str, str]) -> tuple[float, ...]:
    """Seconds from the submission to the order, and to each of PARTS."""
    store = _store(one)
    until(lambda: not _workers(store), PATIENCE_S)
    time.sleep(random.uniform(*ORDER_PAUSE))
    jobs = one.state / "jobs"
    before = set(jobs.iterdir())
    began = time.time()
    job = one.submit(task)
    (folder,) = set(jobs.iterdir()) - before
    seen: dict[str, float] = {}

    def look() -> bool:
        for phase in _workers(store):
            seen.setdefault(phase, time.time())
        return _has_bytes(folder / "stdout")

    _when(look)
    first = time.time()
    one.finish(job)
    started = document.loads(report.ExecutionReport, (folder / report.FILE_NAME).read_text()).started_at
    # A job matched at once may be over before imc, which looks now and then, has noted that the worker joined.
    registered = seen.get(WorkerPhase.REGISTERED, first)
    moments = (min(seen.values()), seen.get(WorkerPhase.LAUNCHED, registered), registered, started, first)
    return tuple(moment - began for moment in moments)


def _store(one: RealPool) -> EtcdKeyValue:
    """The pool's own etcd, as imc reaches it."""
    networks = one.containers("access-point")[0].attrs["NetworkSettings"]["Networks"]
    return EtcdKeyValue([f"{networks[f'prominence-{one.name}-control']['IPAddress']}:2379"])


def _workers(store: EtcdKeyValue) -> list[WorkerPhase]:
    """The phases of the workers that imc has a record of and has not done with."""
    phases = [WorkerPhase(json.loads(entry.value)["phase"]) for entry in store.list(WORKERS)]
    return [phase for phase in phases if not phase.is_over]


MEASUREMENTS = {
    "journey.warm.docker": warm_docker,
    "journey.warm.apptainer": warm_apptainer,
    "journey.order": order,
}

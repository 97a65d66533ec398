"""Whatever is killed in the middle of a batch, every job succeeds once and nothing is left over.

To add a row: name the victim in VICTIMS with the act that kills it, and with what its death may cost.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import docker
import pytest
from docker.errors import APIError
from docker.models.containers import Container
from real_executor import HeldRegistry
from real_parts import RealPool, new_pool, until

from prominence.core.machines import WorkerPhase
from prominence.core.published import SNAPSHOT_KEY, unpacked
from prominence.core.snapshot import PoolSnapshot

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(1200)]

JOBS = 20
QUICK, LONG = "sh -c 'sleep 0.5; echo {}'", "sh -c 'sleep 15; echo {}'"
RECORDED = "ClusterId,JobStatus,ExitCode,CompletionDate,NumJobStarts,LastRemoteHost"


@dataclass(frozen=True)
class Victim:
    """kill: does it. starts: how often a job may have to start because of it; 1: it interrupts no job.

    may_repeat: a schedd that dies between writing a job's record and forgetting the job writes the same record again.
    """

    kill: Callable[[RealPool], None]
    starts: int = 1
    may_repeat: bool = False


def _kill_inside(*pattern: str) -> Callable[[RealPool], None]:
    def kill(pool: RealPool) -> None:
        pool.inside("access-point", "pkill", "-KILL", *pattern)

    return kill


def _kill_container(container: Container) -> None:
    """Its first process, from outside as the kernel would: to Docker that is a crash, not a wish."""
    container.reload()
    os.kill(container.attrs["State"]["Pid"], signal.SIGKILL)


def _worker(pool: RealPool, *phases: WorkerPhase) -> Container:
    names = {record.name for record in pool.workers().values() if record.phase in phases}
    return next(c for c in pool.containers("worker") if c.labels["prominence.worker"] in names)


def _stop_and_start(pool: RealPool) -> None:
    access_point = pool.containers("access-point")[0]
    access_point.stop(timeout=20)
    access_point.start()


LOOKS_IN_VAIN = 20


def _imc_away(pool: RealPool) -> None:
    """For many of the scaler's rounds, and beyond the leases of both."""
    imc = pool.containers("imc")[0]
    imc.stop(timeout=20)
    in_vain: set[datetime] = set()

    def looks() -> int:
        with pool.store() as store:
            entry = store.get(SNAPSHOT_KEY)
        snapshot = unpacked(PoolSnapshot, entry.value) if entry else None
        if snapshot and snapshot.workers is None:
            in_vain.add(snapshot.taken_at)
        return len(in_vain)

    until(lambda: looks() >= LOOKS_IN_VAIN, 180)
    imc.start()


VICTIMS = {
    "scaler": Victim(_kill_inside("-f", "prominence.scaler.main")),
    "restapi": Victim(_kill_inside("-f", "gunicorn")),
    "etcd": Victim(_kill_inside("-x", "etcd")),
    "imc": Victim(lambda pool: _kill_container(pool.containers("imc")[0])),
    "imc, which is away for long": Victim(_imc_away),
    "collector": Victim(_kill_inside("-x", "condor_collecto")),
    "schedd": Victim(_kill_inside("-x", "condor_schedd"), starts=2, may_repeat=True),
    "condor_master": Victim(
        lambda pool: _kill_container(pool.containers("access-point")[0]), starts=2, may_repeat=True
    ),
    "the access point, restarted": Victim(
        lambda pool: pool.containers("access-point")[0].restart(timeout=20), starts=2
    ),
    "the access point, stopped and started": Victim(_stop_and_start, starts=2),
    "a worker at work": Victim(lambda pool: _kill_container(_worker(pool, WorkerPhase.REGISTERED)), starts=2),
    "a worker that boots": Victim(lambda pool: _kill_container(_worker(pool, WorkerPhase.LAUNCHED))),
    "a worker's machine": Victim(
        lambda pool: _worker(pool, WorkerPhase.REGISTERED).remove(force=True, v=True), starts=2
    ),
}


@pytest.fixture(scope="module")
def crowded(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPool]:
    """A pool of these tests' own, in which workers go soon after their last job."""
    real = new_pool(tmp_path_factory.mktemp("state"), engine, "--idle-time", "3", "--max-workers", "2")
    try:
        real.up()
        yield real
    finally:
        real.down("--purge")


@pytest.mark.parametrize("victim", list(VICTIMS))
def test_a_batch_outlives_its_death(
    crowded: RealPool, tiny_image: str, held_registry: HeldRegistry, victim: str
) -> None:
    until(lambda: not crowded.containers("worker"), 180)  # of the row before, should that have failed
    before = _containers(crowded)
    batch = Batch(crowded, tiny_image, held_registry)
    with held_boot(crowded) as hold:
        batch.bring_into_all_phases(hold)
        VICTIMS[victim].kill(crowded)
    held_registry.release()

    until(lambda: batch.ended() == set(batch.jobs), 300, lambda: f"missing: {set(batch.jobs) - batch.ended()}")
    batch.check_records(VICTIMS[victim])
    until(lambda: crowded.run("pool", "status", "--name", crowded.name, check=False).returncode == 0, 60)
    until(lambda: not batch.wrong_outputs(), 60, lambda: str(batch.wrong_outputs()))
    until(lambda: _containers(crowded) == before, 180, lambda: str(_containers(crowded) ^ before))
    until(lambda: not list((crowded.state / "workers").iterdir()), 60)


@contextmanager
def held_boot(pool: RealPool) -> Iterator[Callable[[], object]]:
    """Gives what lets the pool's next worker stop as soon as it has started, until this ends."""
    labels = [f"prominence.pool={pool.name}", "prominence.role=worker"]
    held: list[Container] = []

    def hold() -> None:
        for event in events:
            with suppress(APIError):  # it is gone already
                container = pool.engine.containers.get(event["id"])
                container.pause()
                held.append(container)
                return

    events = pool.engine.events(decode=True, filters={"type": "container", "event": "start", "label": labels})
    thread = threading.Thread(target=hold)
    try:
        yield thread.start
    finally:
        events.close()
        if thread.is_alive():
            thread.join()
        for container in held:
            with suppress(APIError):  # it was killed meanwhile
                container.unpause()


@dataclass
class Batch:
    """JOBS jobs, of which the n-th prints n."""

    pool: RealPool
    image: str
    registry: HeldRegistry

    def __post_init__(self) -> None:
        self.jobs: list[int] = []

    def bring_into_all_phases(self, hold_the_next_worker: Callable[[], object]) -> None:
        """Return while one is being staged, one runs, some have ended, the rest is idle and a second worker boots."""
        self._submit(QUICK, image=f"{self.registry.host}/tiny:1", cpus=6)  # so that the first worker has 8
        assert self.registry.asked.wait(60)
        self._submit(LONG)
        self._submit(QUICK)
        running, quick = self.jobs[1:]
        until(
            lambda: self._are(running, "running") and self._are(quick, "completed"), 60, lambda: str(self._statuses())
        )
        hold_the_next_worker()
        while len(self.jobs) < JOBS:
            self._submit(QUICK)
        until(self._is_everywhere, 60, lambda: f"{self._statuses()}, {self.pool.workers()}")

    def ended(self) -> set[int]:
        """Jobs that HTCondor's history knows."""
        try:
            return {int(ad["ClusterId"]) for ad in self._history()}
        except (AssertionError, OSError):  # Docker's errors are of requests', and these are OSErrors
            return set()  # the access point is on its way back

    def wrong_outputs(self) -> dict[int, str]:
        """What jobs have printed that is not what they should have."""
        printed = {job: self.pool.output(job) for job in self.jobs}
        return {job: text for number, (job, text) in enumerate(printed.items()) if text != f"{number}\n"}

    def check_records(self, victim: Victim) -> None:
        """Each job has ended once, and well."""
        records = self._history()
        once = {json.dumps(record, sort_keys=True) for record in records}
        assert len(once) == JOBS, "each has one record, however often it was written"
        assert len(records) == JOBS or victim.may_repeat
        assert {(record["JobStatus"], record["ExitCode"]) for record in records} == {(4, 0)}
        assert max(record["NumJobStarts"] for record in records) <= victim.starts

    def _submit(self, command: str, image: str = "", cpus: int = 1) -> None:
        number = len(self.jobs)
        task = {"image": image or self.image, "cmd": command.format(number), "runtime": "docker"}
        resources = {"cpus": cpus, "memory": 0.2, "disk": 0.1}
        self.jobs.append(self.pool.submit(task, name=f"job {number}", resources=resources))

    def _is_everywhere(self) -> bool:
        phases = sorted(record.phase for record in self.pool.workers().values() if not record.phase.is_over)
        if phases != [WorkerPhase.LAUNCHED, WorkerPhase.REGISTERED]:
            return False
        staged, running, *_ = self.jobs
        statuses = self._statuses()
        return (
            statuses[staged] == statuses[running] == "running"
            and {"completed", "running"} < set(statuses.values())
            and bool(self.pool.containers("task"))
        )

    def _are(self, job: int, status: str) -> bool:
        return self._statuses()[job] == status

    def _statuses(self) -> dict[int, str]:
        listed = self.pool.request("GET", "/jobs", params={"all": "true"}).json()
        return {job["id"]: job["status"] for job in listed if job["id"] in self.jobs}

    def _history(self) -> list[dict[str, Any]]:
        # It says nothing at all before the first job has ended, and on stderr what it thinks of the schedd.
        said = self.pool.inside("access-point", "sh", "-c", f"condor_history -json -attributes {RECORDED} 2>/dev/null")
        ads: list[dict[str, Any]] = json.loads(said or "[]")
        return [ad for ad in ads if ad["ClusterId"] in self.jobs]


def _containers(pool: RealPool) -> set[str]:
    return {str(c.name) for role in ("access-point", "imc", "worker", "task") for c in pool.containers(role)}

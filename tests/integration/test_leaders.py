"""Several scalers and imcs at once: one of each leads, and whoever was replaced without knowing it changes nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from docker.types import EndpointConfig
from pydantic import SecretStr
from real_parts import RealPool, new_pool, until

from prominence.core.errors import Conflict, Unavailable
from prominence.core.keyvalue.port import Entry
from prominence.core.machines import Size, WorkerRequest
from prominence.core.published import SNAPSHOT_KEY, unpacked
from prominence.core.scaling import LEADER_KEY
from prominence.core.snapshot import PoolSnapshot
from prominence.imc import records
from prominence.scaler.adapters.imc import ImcProvisioner

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(900)]

JOBS = 4
LONGER_THAN_A_ROUND = timedelta(seconds=8)
A_WHOLE_WORKER = {"cpus": 8, "memory": 0.2, "disk": 0.1}
"""So that each job needs a worker to itself, whoever sees how many of them when."""


@pytest.fixture
def shared(engine: docker.DockerClient, tmp_path: Path) -> Iterator[RealPool]:
    """A pool of the test's own, which could make twice the workers that are needed."""
    real = new_pool(tmp_path, engine, "--idle-time", "3", "--max-workers", str(2 * JOBS))
    try:
        real.up()
        yield real
    finally:
        real.down("--purge")


def test_a_leader_that_was_paused_beyond_its_lease_changes_nothing(shared: RealPool, tiny_image: str) -> None:
    old_pid, old_fence = until(lambda: _leading(shared), 60)
    log = shared.state / "log" / "scaler" / "scaler.log"
    with _births(shared) as born, _second_scaler(shared):
        # Paused after it has seen the jobs and before imc has told it of any worker: it means to order all of them.
        shared.containers("imc")[0].pause()
        jobs = _submit(shared, tiny_image)
        until(lambda: _sees_jobs_and_no_imc(shared), 60)
        _signal(shared, "STOP", old_pid)
        shared.containers("imc")[0].unpause()

        _, new_fence = until(lambda: _leading_beyond(shared, old_fence), 60)
        ordered = until(lambda: len(workers := shared.workers()) == JOBS and workers, 60)
        told = len(log.read_text())
        _signal(shared, "CONT", old_pid)
        until(lambda: "another scaler leads" in log.read_text()[told:], 60, log.read_text)
        assert "was written by somebody else during this round" in log.read_text()[told:]

        # imc believes nobody who has been replaced, not even one who goes ahead.
        request = WorkerRequest(size=Size(cpus=1, memory_mib=1, disk_mib=1), reason="a test", fence=old_fence)
        with pytest.raises(Conflict, match="somebody else leads now"):
            _imc(shared).request("w-stale", request)

        for job in jobs:
            described = shared.finish(job)
            assert described["status"] == "completed", described
    assert shared.workers().keys() == ordered.keys() == set(born)
    assert len(born) == JOBS
    assert {record.request.fence for record in shared.workers().values()} == {new_fence}


STEPS: dict[str, Callable[[RealPool], AbstractContextManager[None]]] = {
    "asks the queue": lambda pool: _stopped(pool, "condor_schedd"),
    "asks the collector": lambda pool: _stopped(pool, "condor_collecto"),
    "speaks to imc": lambda pool: _paused(pool.containers("imc")[0]),
    "orders machines": lambda pool: nullcontext(),
}
"""Of a round, with what lets it last."""


def test_a_leader_that_is_killed_in_any_step_is_followed_and_nothing_is_ordered_twice(
    shared: RealPool, tiny_image: str
) -> None:
    for step in STEPS:
        born = _kill_the_leader(shared, step, tiny_image)
        assert len(born) == len(set(born)), (step, born)
        # While nobody leads, one machine may do the work of two.
        assert 1 <= len(born) <= JOBS, (step, born)


def _kill_the_leader(pool: RealPool, step: str, image: str) -> list[str]:
    """When it is in this step of a round; the workers that were made for a batch of which all jobs have succeeded."""
    until(lambda: not pool.containers("worker"), 180)
    old_pid, old_fence = until(lambda: _leading(pool), 90)
    with _births(pool) as born, _second_scaler(pool) as second_pid:
        assert old_pid != second_pid
        # While queue or collector are stopped no job can be submitted.
        jobs = _submit(pool, image) if step.startswith("asks") else []
        with STEPS[step](pool):
            jobs = jobs or _submit(pool, image)
            until(lambda: _is_in(pool, step), 90)
            _signal(pool, "KILL", old_pid)
        until(lambda: _leading_beyond(pool, old_fence), 90)
        for job in jobs:
            described = pool.finish(job, timeout_s=300)
            assert described["status"] == "completed", (step, described)
    return born


@contextmanager
def _stopped(pool: RealPool, daemon: str) -> Iterator[None]:
    pool.inside("access-point", "pkill", "-STOP", "-x", daemon)
    try:
        yield
    finally:
        pool.inside("access-point", "pkill", "-CONT", "-x", daemon)


@contextmanager
def _paused(container: Container) -> Iterator[None]:
    container.pause()
    try:
        yield
    finally:
        container.unpause()


def _is_in(pool: RealPool, step: str) -> bool:
    """Whether the leader is in the midst of it."""
    if step == "orders machines":
        return _has_workers(pool)
    snapshot = _snapshot(pool)
    return snapshot is not None and datetime.now(UTC) - snapshot.taken_at > LONGER_THAN_A_ROUND


def test_two_scalers_and_two_imcs_order_what_one_of_each_does(shared: RealPool, tiny_image: str) -> None:
    alone = _orders_for_a_batch(shared, tiny_image)
    assert sum(alone.values()) == JOBS

    old_pid, old_fence = until(lambda: _leading(shared), 60)
    # The second scaler leads and speaks to the second imc, while the first imc leads the reconcilers.
    with _second_imc(shared) as url, _second_scaler(shared, PROMINENCE_SCALER_IMC__URL=url) as second_pid:
        _signal(shared, "STOP", old_pid)
        leader, _ = until(lambda: _leading_beyond(shared, old_fence), 60)
        _signal(shared, "CONT", old_pid)
        assert leader == second_pid
        assert _leading_imc(shared).startswith("imc:")
        assert _orders_for_a_batch(shared, tiny_image) == alone


def _orders_for_a_batch(pool: RealPool, image: str) -> Counter[str]:
    """How many workers of each flavour were made for a batch, from no worker to no worker."""
    with _births(pool) as born:
        for job in _submit(pool, image):
            described = pool.finish(job)
            assert described["status"] == "completed", described
        until(lambda: not pool.containers("worker"), 120)
    assert len(born) == len(set(born)), born
    made = [record for name, record in pool.workers().items() if name in born]
    assert len(made) == len(born)
    assert all(record.attempts == 1 for record in made)
    return Counter(record.flavour.name for record in made if record.flavour)


def _submit(pool: RealPool, image: str) -> list[int]:
    task = {"image": image, "cmd": "sleep 10", "runtime": "docker"}
    return [pool.submit(task, resources=A_WHOLE_WORKER) for _ in range(JOBS)]


@contextmanager
def _births(pool: RealPool) -> Iterator[list[str]]:
    """Workers' containers as the engine makes them, by worker."""
    labels = [f"prominence.pool={pool.name}", "prominence.role=worker"]
    events = pool.engine.events(decode=True, filters={"type": "container", "event": "create", "label": labels})
    born: list[str] = []

    def listen() -> None:
        for event in events:
            born.append(event["Actor"]["Attributes"]["prominence.worker"])

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield born
    finally:
        events.close()
        listener.join()


@contextmanager
def _second_scaler(pool: RealPool, **settings: str) -> Iterator[str]:
    """Another scaler of the same settings, with logs of its own, as long as the block lasts; its process id."""
    folder = pool.state / "log" / "scaler"
    pid = folder / "second.pid"
    logs = {
        "PROMINENCE_SCALER_LOG_FILE": str(folder / "second.log"),
        "PROMINENCE_SCALER_PLANS_FILE": str(folder / "second.jsonl"),
    }
    pool.containers("access-point")[0].exec_run(
        ["sh", "-c", f"echo $$ > {pid}; exec /opt/prominence/bin/run-scaler"],
        user="prominence",
        environment={**logs, **settings},
        detach=True,
    )
    try:
        yield until(lambda: pid.exists() and pid.read_text().strip(), 30)
    finally:
        _signal(pool, "KILL", pid.read_text().strip())


@contextmanager
def _second_imc(pool: RealPool) -> Iterator[str]:
    """Another imc beside the first, made as the first is, as long as the block lasts; the address of its API."""
    first, name = pool.containers("imc")[0], "imc-second"
    log = pool.state / "log" / "imc" / "second.log"
    networks = (f"prominence-{pool.name}", f"prominence-{pool.name}-control")
    aliases = {network: EndpointConfig(pool.engine.api.api_version, aliases=[name]) for network in networks}
    second = pool.engine.containers.create(
        first.image.id,
        name=f"prominence-{pool.name}-{name}",
        hostname=name,
        labels=first.labels,
        environment=[
            *first.attrs["Config"]["Env"],
            f"PROMINENCE_IMC_HOST={name}",
            f"PROMINENCE_IMC_LOG_FILE={log}",
        ],
        volumes=first.attrs["HostConfig"]["Binds"],
        network=networks[0],
        networking_config={networks[0]: aliases[networks[0]]},
    )
    try:
        pool.engine.networks.get(networks[1]).connect(second, aliases=[name])
        second.start()
        until(lambda: log.exists() and '"started"' in log.read_text(), 60, lambda: second.logs().decode())
        yield f"http://{name}:9700"
    finally:
        second.remove(force=True, v=True)


def _signal(pool: RealPool, name: str, pid: str) -> None:
    pool.inside("access-point", "kill", f"-{name}", pid)


def _leading(pool: RealPool) -> tuple[str, int] | None:
    """The leading scaler's process id and fence."""
    entry = _read(pool, LEADER_KEY)
    return (entry.value.decode().partition(":")[2], entry.revision) if entry else None


def _has_workers(pool: RealPool) -> bool:
    try:
        return any(not record.phase.is_over for record in pool.workers().values())
    except Unavailable:
        return False


def _read(pool: RealPool, key: str) -> Entry | None:
    """What the store has there. One that does not answer in time is asked again by whoever waits for it."""
    try:
        with pool.store() as store:
            return store.get(key)
    except Unavailable:
        return None


def _leading_beyond(pool: RealPool, fence: int) -> tuple[str, int] | None:
    """The same, once somebody leads who came later."""
    leader = _leading(pool)
    return leader if leader and leader[1] > fence else None


def _leading_imc(pool: RealPool) -> str:
    entry = _read(pool, records.LEADER)
    return entry.value.decode() if entry else ""


def _sees_jobs_and_no_imc(pool: RealPool) -> bool:
    """What the scaler published last."""
    snapshot = _snapshot(pool)
    return bool(snapshot and snapshot.workers is None and sum(one.jobs for one in snapshot.demand or ()) == JOBS)


def _snapshot(pool: RealPool) -> PoolSnapshot | None:
    entry = _read(pool, SNAPSHOT_KEY)
    return unpacked(PoolSnapshot, entry.value) if entry else None


def _imc(pool: RealPool) -> ImcProvisioner:
    """As a scaler speaks to it."""
    networks = pool.containers("imc")[0].attrs["NetworkSettings"]["Networks"]
    token = (pool.state / "secrets" / "imc.token").read_text().strip()
    return ImcProvisioner(f"http://{networks[f'prominence-{pool.name}-control']['IPAddress']}:9700", SecretStr(token))

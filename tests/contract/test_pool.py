"""The promise of imc's Pool port, held by each adapter: in memory, and on the HTCondor of a personal pool."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import docker
import pytest
from builders_imc import CONTRACT_POOL, a_bootstrap
from pydantic import SecretStr
from real_parts import RealPool, until

from prominence.core.errors import NotFound, Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.imc import outsiders, userdata
from prominence.imc.adapters.docker import DockerCloud
from prominence.imc.adapters.htcondor import HTCondorPool, Run, run_here
from prominence.imc.adapters.memory import MemoryPool
from prominence.imc.condor_text import Outsider
from prominence.imc.declared import DockerSettings, FlavourSettings
from prominence.imc.ports import ExecutePoint, Pool
from prominence.imc.records import Records
from prominence.imc.settings import PoolSettings

FREE = ExecutePoint(claimed_slots=0, draining=False)


@dataclass
class Subject:
    """A pool, and how machines come and go.

    start: a machine of this name starts with this token. stop: it dies without a word. patience_s: how long news
    of a machine take to come.
    """

    pool: Pool
    silent_pool: Pool
    start: Callable[[str, SecretStr], object]
    stop: Callable[[str], object]
    patience_s: float

    def joined(self, name: str) -> None:
        """A machine of this name has joined with a token of its own."""
        self.start(name, self.pool.mint(name))
        self.wait_for(name, FREE)

    def wait_for(self, name: str, point: ExecutePoint) -> None:
        until(
            lambda: self.pool.execute_points().get(name) == point,
            30 * self.patience_s,
            lambda: f"{name} is {self.pool.execute_points().get(name)}",
        )

    def never_joins(self, name: str) -> bool:
        """Not within several times what it would take."""
        deadline = time.monotonic() + 8 * self.patience_s
        while time.monotonic() < deadline:
            if name in self.pool.execute_points():
                return False
            time.sleep(self.patience_s / 4)
        return name not in self.pool.execute_points()


def memory_subject() -> Subject:
    pool, silent = MemoryPool(), MemoryPool()
    for verb in ("execute_points", "drain", "undrain", "invalidate", "mint", "revoke"):
        silent.faults.next(verb, Unavailable("down"))
    return Subject(
        pool,
        silent,
        start=lambda name, token: pool.join(name, token.get_secret_value()),
        stop=lambda name: None,
        patience_s=0.001,
    )


@dataclass
class Machines:
    """Workers of the personal pool's own image on its network, under a mark that its imc does not look for."""

    cloud: DockerCloud
    started: list[str] = field(default_factory=list)

    def start(self, name: str, token: SecretStr) -> None:
        self.started.append(name)
        layout, flavour = self.cloud.layout(name), self.cloud.flavours()[0]
        bootstrap = a_bootstrap(name=name, token=token, flavour=flavour, execute_dir=layout.execute_dir)
        self.cloud.create(name, flavour, userdata.files(bootstrap, layout))

    def stop(self, name: str) -> None:
        self.cloud.delete(name)


def inside(container: str) -> Run:
    """HTCondor's tools where imc runs them."""

    def run(command: Sequence[str], environment: Mapping[str, str], stdin: str) -> str:
        variables = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
        return run_here(["docker", "exec", "-i", *variables, container, *command], {}, stdin)

    return run


def machines_of(real: RealPool, engine: docker.DockerClient, state: Path) -> Machines:
    image = next(image.tags[0] for image in engine.images.list(name="prominence-worker") if image.tags)
    settings = DockerSettings(
        type="docker",
        image=image,
        network=f"prominence-{real.name}",
        state_dir=state,
        flavours=(FlavourSettings(name="small", cpus=1, memory_mib=500),),
        docker_tasks=False,
    )
    return Machines(DockerCloud("docker", settings, CONTRACT_POOL))


@pytest.fixture
def on_htcondor(pool: RealPool, engine: docker.DockerClient, tmp_path: Path) -> Iterator[Subject]:
    settings = PoolSettings(
        collector="ap",
        keys_dir=Path("/run/prominence/keys"),
        revocations_file=pool.state / "condor" / "revoked.conf",
        token_lifetime_s=600,
    )
    run = inside(pool.containers("imc")[0].name)
    silent = settings.model_copy(update={"collector": "ap:9", "signing_key": "NONE"})
    machines = machines_of(pool, engine, tmp_path)
    real = HTCondorPool(settings, run)
    yield Subject(real, HTCondorPool(silent, run), machines.start, machines.stop, patience_s=1)
    for name in machines.started:
        machines.stop(name)
        real.invalidate(name)
    machines.cloud.close()


@pytest.fixture(params=["memory", "htcondor"])
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param == "memory":
        return memory_subject()
    found: Subject = request.getfixturevalue("on_htcondor")
    return found


class TestPool:
    def test_a_worker_joins_with_its_token_drains_and_comes_back(self, subject: Subject) -> None:
        subject.joined("c-1")
        subject.pool.drain("c-1", 'idle for 10 min\nand "more" of $(IT)')
        subject.wait_for("c-1", ExecutePoint(0, True))
        subject.pool.drain("c-1", "again")
        subject.pool.undrain("c-1")
        subject.wait_for("c-1", FREE)
        subject.pool.undrain("c-1")

    def test_a_worker_that_died_is_gone_once_it_is_invalidated(self, subject: Subject) -> None:
        subject.joined("c-1")
        subject.joined("c-2")
        subject.stop("c-1")
        assert "c-1" in subject.pool.execute_points()
        subject.pool.invalidate("c-1")
        until(lambda: "c-1" not in subject.pool.execute_points(), 10 * subject.patience_s)
        assert subject.pool.execute_points()["c-2"] == FREE
        subject.pool.invalidate("c-1")

    def test_a_token_lets_no_other_worker_in(self, subject: Subject) -> None:
        subject.start("c-2", subject.pool.mint("c-1"))
        assert subject.never_joins("c-2")

    def test_a_revoked_token_lets_nobody_in_and_a_later_one_does(self, subject: Subject) -> None:
        old = subject.pool.mint("c-1")
        subject.pool.revoke("c-1", datetime.now(UTC))
        subject.start("c-1", old)
        assert subject.never_joins("c-1")
        subject.stop("c-1")
        subject.joined("c-1")

    def test_who_is_shut_out_is_heard_no_more_until_it_is_let_in(self, subject: Subject) -> None:
        subject.joined("c-1")
        for _ in range(2):
            subject.pool.keep_out([Outsider("c-1", 1)])
        assert list(subject.pool.outsiders()) == [Outsider("c-1", 1)]
        assert subject.never_joins("c-1")
        others = [Outsider("c-1", 2, readmitted=True), Outsider("c-2", 2, readmitted=True)]
        subject.pool.keep_out(others)
        assert list(subject.pool.outsiders()) == others
        subject.pool.keep_out([])
        subject.stop("c-1")
        subject.joined("c-1")

    def test_who_is_shut_out_at_another_imc_is_heard_no_more_here(self, subject: Subject) -> None:
        store, elsewhere, now = MemoryKeyValue(), MemoryPool(), datetime.now(UTC)
        here = outsiders.shared(Records(store), subject.pool)
        subject.joined("c-1")
        outsiders.shut_out(Records(store), elsewhere, "c-1", now)
        here.share()
        assert subject.never_joins("c-1")
        outsiders.let_in(Records(store), elsewhere, "c-1", now)
        here.share()
        assert outsiders.names(subject.pool.outsiders()) == []
        subject.pool.keep_out([])

    def test_revoking_twice_is_fine_and_leaves_others(self, subject: Subject) -> None:
        token = subject.pool.mint("c-2")
        for _ in range(2):
            subject.pool.revoke("c-1", datetime.now(UTC))
        subject.start("c-2", token)
        subject.wait_for("c-2", FREE)

    @pytest.mark.parametrize("verb", ["drain", "undrain"])
    def test_a_worker_that_is_not_there_is_not_found(self, subject: Subject, verb: str) -> None:
        arguments = ("c-9", "idle") if verb == "drain" else ("c-9",)
        with pytest.raises(NotFound):
            getattr(subject.pool, verb)(*arguments)

    @pytest.mark.parametrize("verb", ["execute_points", "drain", "undrain", "invalidate", "mint", "revoke"])
    def test_a_silent_pool_is_unavailable_and_not_empty(self, subject: Subject, verb: str) -> None:
        arguments = {"execute_points": (), "drain": ("c-1", "idle"), "revoke": ("c-9", datetime.now(UTC))}
        with pytest.raises(Unavailable):
            getattr(subject.silent_pool, verb)(*arguments.get(verb, ("c-1",)))

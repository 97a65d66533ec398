"""The promise of the scaler's PoolSource, kept by the pretend pool and by HTCondor's own daemons.

The daemons run in a container of the image that the fixture `condor_image` names.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import docker
import htcondor2
import pytest
from builders import a_request, a_size
from builders_scaler import LARGE, a_pretend_pool

from prominence.cli.pool.recipes import present_images
from prominence.core.errors import Unavailable
from prominence.core.machines import Size, Wish
from prominence.core.snapshot import Demand, ExecutePoint
from prominence.scaler.adapters.htcondor import HTCondorPool
from prominence.scaler.ports import PoolSource

WITHIN_S = 60
SLEEP_S = 600
MACHINE_SIZE = LARGE.size


class World(Protocol):
    """A pool that the tests can change, and what the source sees of it. It has one machine at most."""

    source: PoolSource
    machine: str

    def submit(self, size: Size, user: str, group: str = "", jobs: int = 1) -> None: ...
    def submit_what_is_no_demand(self) -> None: ...
    def start_machine(self) -> None: ...
    def drain(self) -> None: ...
    def restart_collector(self) -> None: ...
    def age_collector(self) -> None: ...
    def now(self) -> datetime: ...
    def pass_time(self) -> None: ...
    def stop(self) -> None: ...


class PretendWorld:
    machine = "w-1"

    def __init__(self) -> None:
        self._pool = a_pretend_pool(LARGE)
        self.source: PoolSource = self._pool

    def submit(self, size: Size, user: str, group: str = "", jobs: int = 1) -> None:
        self._pool.submit(size, user, jobs, group, runs_for=timedelta(seconds=SLEEP_S))

    def submit_what_is_no_demand(self) -> None:
        """The pretend pool has no such jobs."""

    def start_machine(self) -> None:
        self._pool.request(self.machine, a_request(cloud="docker", flavour="large"))
        self._pool.boot_time = timedelta(0)

    def drain(self) -> None:
        self._pool.request(self.machine, a_request(cloud="docker", flavour="large", wish=Wish.DRAINED))

    def restart_collector(self) -> None:
        self._pool.restart_collector()

    def age_collector(self) -> None:
        self._pool.advance(timedelta(hours=1))

    def now(self) -> datetime:
        return self._pool.now

    def pass_time(self) -> None:
        self._pool.advance(timedelta(seconds=1))

    def stop(self) -> None:
        self._pool.unavailable.update(demand="stopped", execute_points="stopped", collector_started_at="stopped")


CONFIGURATION = f"""
include : /etc/condor/condor_config
LOCAL_CONFIG_DIR = /condor/config.d
LOG = /condor
SPOOL = /condor
EXECUTE = /execute
LOCK = /condor
RUN = /condor
DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD
CONDOR_HOST = $(FULL_HOSTNAME)
USE_SHARED_PORT = True
ENABLE_KERNEL_TUNING = False
TRUST_DOMAIN = contract
UID_DOMAIN = contract
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = FS, IDTOKENS
ALLOW_READ = *@contract
ALLOW_WRITE = *@contract
ALLOW_DAEMON = *@contract
ALLOW_ADMINISTRATOR = root@contract, condor@contract
ALLOW_NEGOTIATOR = *@contract
SEC_PASSWORD_DIRECTORY = /condor
SEC_TOKEN_POOL_SIGNING_KEY_FILE = /condor/POOL
NEGOTIATOR_INTERVAL = 2
NEGOTIATOR_MIN_INTERVAL = 1
NEGOTIATOR_CYCLE_DELAY = 1
SCHEDD_INTERVAL = 2
UPDATE_INTERVAL = 5
MASTER_BACKOFF_CONSTANT = 1
MASTER_UPDATE_INTERVAL = 5
NUM_CPUS = {MACHINE_SIZE.cpus}
MEMORY = {MACHINE_SIZE.memory_mib}
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
NUM_SLOTS_TYPE_1 = 1
MODIFY_REQUEST_EXPR_REQUESTMEMORY = RequestMemory
MODIFY_REQUEST_EXPR_REQUESTDISK = RequestDisk
MAXJOBRETIREMENTTIME = 86400
"""

START = """
mkdir -p /condor/config.d /execute && chown condor: /condor /execute && cd /condor
printf '%s' "$CONFIGURATION" > contract.conf
head -c 64 /dev/urandom > POOL && chmod 600 POOL
exec condor_master -f
"""


class CondorWorld:
    """Each test has daemons of its own, that have never heard of a machine."""

    def __init__(self, engine: docker.DockerClient, image: str, folder: Path) -> None:
        environment = {"CONDOR_CONFIG": "/condor/contract.conf", "CONFIGURATION": CONFIGURATION}
        self._container = engine.containers.run(
            image,
            ["sh", "-c", START],
            environment=environment,
            hostname="condor-contract",
            labels={"prominence.test": "pool-source"},
            init=True,
            detach=True,
        )
        self._folder = folder
        self.machine = "condor-contract"

    def wait_until_ready(self) -> None:
        eventually(lambda: "Scheduler" in self._try("condor_status", "-any", "-af", "MyType"))
        self._container.reload()
        address = self._container.attrs["NetworkSettings"]["IPAddress"]
        token = self._folder / "token"
        token.write_text(self._inside("condor_token_create", "-identity", "tester@contract"))
        token.chmod(0o600)
        self.source: PoolSource = HTCondorPool(address, self.machine)
        # The bindings remember sessions by address; one with an earlier container is given up after a failure.
        eventually(lambda: answers(self.source.demand) and answers(self.source.collector_started_at))

    def submit(self, size: Size, user: str, group: str = "", jobs: int = 1) -> None:
        self._submit(size, f"accounting_group_user = {user}", f"accounting_group = {group}" if group else "", jobs=jobs)

    def submit_what_is_no_demand(self) -> None:
        self._submit(a_size(), "hold = true")
        self._submit(a_size(MACHINE_SIZE.cpus + 1), "universe = scheduler")

    def start_machine(self) -> None:
        self._inside("sh", "-c", "echo 'DAEMON_LIST = $(DAEMON_LIST) STARTD' > /condor/config.d/startd.conf")
        self._inside("condor_reconfig", "-daemon", "master")

    def drain(self) -> None:
        self._inside("condor_drain", "-graceful", f"slot1@{self.machine}")

    def restart_collector(self) -> None:
        self._inside("condor_restart", "-daemon", "collector")

    def age_collector(self) -> None:
        """Its own ad expires long before it is renewed where CLASSAD_LIFETIME is short, as in personal pools."""
        eventually(lambda: self._try("condor_status", "-master", "-af", "COLLECTOR_StartTime"))
        query = 'MyType = "Query"\nTargetType = "Collector"\nRequirements = true\n'
        command = 'printf "%s" "$0" | condor_advertise -tcp INVALIDATE_COLLECTOR_ADS -'
        self._inside("sh", "-c", command, query)
        eventually(lambda: not self._try("condor_status", "-collector", "-af", "Name"))

    def now(self) -> datetime:
        return datetime.now(UTC)

    def pass_time(self) -> None:
        time.sleep(0.2)

    def stop(self) -> None:
        # The machine stays: it refuses connections at once, where one that is gone would be waited for.
        self._inside("pkill", "-STOP", "condor_master")
        self._inside("pkill", "-KILL", "-f", "^condor_(shared_port|collector|schedd)")

    def remove(self) -> None:
        self._container.remove(force=True, v=True)

    def _submit(self, size: Size, *lines: str, jobs: int = 1) -> None:
        text = "\n".join(
            (
                f"executable = /bin/sleep\narguments = {SLEEP_S}\ntransfer_executable = false",
                f"request_cpus = {size.cpus}\nrequest_memory = {size.memory_mib}",
                f"request_disk = {size.disk_mib * 1024}",
                *lines,
                f"queue {jobs}",
            )
        )
        self._inside("sh", "-c", 'printf "%s" "$0" | condor_submit -terse -', text, user="nobody", workdir="/tmp")

    def _try(self, *command: str, **options: Any) -> str:
        return str(self._container.exec_run(list(command), **options).output.decode())

    def _inside(self, *command: str, **options: Any) -> str:
        result = self._container.exec_run(list(command), **options)
        assert result.exit_code == 0, (command, result.output.decode())
        return str(result.output.decode())


@pytest.fixture(scope="session")
def condor_image(request: pytest.FixtureRequest) -> str:
    """An image with HTCondor's daemons: the one named in the environment, or what personal pools are made from."""
    if image := os.environ.get("PROMINENCE_TEST_CONDOR_IMAGE"):
        return image
    request.getfixturevalue("pool")
    images = present_images(request.getfixturevalue("engine"))
    return next(tag for tag in images if tag.startswith("prominence-base:"))


@pytest.fixture
def condor_world(
    engine: docker.DockerClient, condor_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CondorWorld]:
    for name, value in (
        ("SEC_TOKEN_DIRECTORY", str(tmp_path)),
        ("SEC_CLIENT_AUTHENTICATION_METHODS", "IDTOKENS"),
        ("TRUST_DOMAIN", "contract"),
    ):
        monkeypatch.setitem(htcondor2.param, name, value)
    world = CondorWorld(engine, condor_image, tmp_path)
    try:
        world.wait_until_ready()
        yield world
    finally:
        world.remove()


@pytest.fixture(params=["memory", "htcondor"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = PretendWorld() if request.param == "memory" else request.getfixturevalue("condor_world")
    return found


@pytest.fixture
def pool_source(world: World) -> PoolSource:
    return world.source


def eventually(look: Callable[[], object]) -> None:
    """Waits until `look` gives something true."""
    deadline = time.monotonic() + WITHIN_S
    while not look():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.2)


def answers(read: Callable[[], object]) -> bool:
    """Whether it is available now."""
    try:
        read()
    except Unavailable:
        return False
    return True


def see(world: World, look: Callable[[PoolSource], bool]) -> None:
    """Lets time pass until `look` is true of the source."""
    deadline = time.monotonic() + WITHIN_S
    while not look(world.source):
        assert time.monotonic() < deadline, (world.source.demand(), world.source.execute_points())
        world.pass_time()


def the_point(source: PoolSource) -> ExecutePoint | None:
    points = source.execute_points()
    assert len(points) <= 1
    return points[0] if points else None


def by_user(demand: Demand) -> tuple[str, str, int]:
    return demand.group, demand.user, demand.jobs


class TestPoolSource:
    def test_jobs_are_demand_before_any_machine_was_seen(self, world: World, pool_source: PoolSource) -> None:
        assert list(pool_source.demand()) == []
        assert list(pool_source.execute_points()) == []
        world.submit(a_size(1, 1000, 100), "alice", jobs=3)
        world.submit(a_size(1, 1000, 100), "alice", group="physics")
        world.submit(a_size(1, 1000, 100), "bob")
        world.submit(a_size(8, 500, 2048), "bob", jobs=2)
        world.submit_what_is_no_demand()
        demand = sorted(pool_source.demand(), key=lambda one: (by_user(one), one.size.cpus))
        assert [by_user(one) for one in demand] == [
            ("", "alice", 3),
            ("", "bob", 1),
            ("", "bob", 2),
            ("physics", "alice", 1),
        ]
        assert [one.size for one in demand] == [
            a_size(1, 1000, 100),
            a_size(1, 1000, 100),
            a_size(8, 500, 2048),
            a_size(1, 1000, 100),
        ]

    def test_a_job_that_runs_takes_room_and_is_no_demand(self, world: World) -> None:
        world.start_machine()
        see(world, lambda source: the_point(source) is not None)
        idle = the_point(world.source)
        assert idle is not None
        assert idle.name == world.machine
        assert (idle.total.cpus, idle.total.memory_mib) == (MACHINE_SIZE.cpus, MACHINE_SIZE.memory_mib)
        assert idle.free == idle.total
        assert (idle.claimed_slots, idle.draining, idle.idle_since) == (0, False, None)
        assert abs(world.now() - idle.last_heard_at) < timedelta(seconds=WITHIN_S)
        world.submit(a_size(3, 2000, 64), "alice", jobs=2)
        see(world, lambda source: not source.demand() and the_claims(source) == 2 and runs_something(source))
        busy = the_point(world.source)
        assert busy is not None
        assert (busy.free.cpus, busy.free.memory_mib) == (MACHINE_SIZE.cpus - 6, MACHINE_SIZE.memory_mib - 4000)
        assert busy.total == idle.total

    def test_a_draining_machine_keeps_its_job_and_takes_no_other(self, world: World) -> None:
        world.start_machine()
        world.submit(a_size(1, 1000, 64), "alice")
        see(world, lambda source: not source.demand() and runs_something(source))
        world.drain()
        see(world, is_draining)
        world.submit(a_size(1, 1000, 64), "bob")
        for _ in range(20):
            world.pass_time()
        assert [one.user for one in world.source.demand()] == ["bob"]
        assert the_claims(world.source) == 1

    def test_the_collectors_start_is_known_and_moves_when_it_restarts(self, world: World) -> None:
        first = world.source.collector_started_at()
        assert first < world.now()
        for _ in range(20):
            world.pass_time()
        assert abs(world.source.collector_started_at() - first) <= timedelta(seconds=30)
        before = world.now() - timedelta(seconds=1)  # it counts in whole seconds
        world.restart_collector()
        eventually(lambda: answers(world.source.collector_started_at) and world.source.collector_started_at() > before)

    def test_the_collectors_start_is_known_when_it_has_run_for_long(self, world: World) -> None:
        world.age_collector()
        assert world.now() - timedelta(days=2) < world.source.collector_started_at() < world.now()

    def test_a_source_that_does_not_answer_is_unavailable(self, world: World, pool_source: PoolSource) -> None:
        world.stop()
        for read in (pool_source.demand, pool_source.execute_points, pool_source.collector_started_at):
            with pytest.raises(Unavailable):
                read()


def the_claims(source: PoolSource) -> int:
    point = the_point(source)
    return point.claimed_slots if point else 0


def runs_something(source: PoolSource) -> bool:
    """A claimed slot counts as free until a job runs in it."""
    point = the_point(source)
    return point is not None and point.free.cpus < point.total.cpus


def is_draining(source: PoolSource) -> bool:
    point = the_point(source)
    return point is not None and point.draining

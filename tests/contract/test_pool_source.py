"""The promise of the scaler's PoolSource, kept by the pretend pool and by HTCondor's own daemons.

The daemons run in a container of the image that the fixture `condor_image` names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

import docker
import pytest
from builders import a_request, a_size
from builders_scaler import LARGE, a_pretend_pool
from real_condor import MACHINE, SLEEP_S, WITHIN_S, CondorDaemons, eventually, trusting

from prominence.cli.worker import text as worker_text
from prominence.core import classads
from prominence.core.errors import Unavailable
from prominence.core.machines import Size, Wish
from prominence.core.placement import Area, Place, Placement
from prominence.core.snapshot import Demand, ExecutePoint
from prominence.imc import condor_text
from prominence.restapi.translate import places
from prominence.scaler.adapters.classads import evaluate
from prominence.scaler.adapters.htcondor import HTCondorPool
from prominence.scaler.matching import Matcher
from prominence.scaler.ports import PoolSource

MACHINE_SIZE = LARGE.size
PLACE = Place("docker", "north")
ANYWHERE = Placement()
HOUR_S = 3600
MOUNTS = "webdav s3"


def mounting(kind: str) -> str:
    """What a job with such storage requires."""
    return f'stringListMember("{kind}", TARGET.{classads.STORAGE}) =?= true'


@dataclass(frozen=True)
class Batch:
    """Jobs that are alike. require: of a machine, besides room and place."""

    size: Size
    user: str
    group: str = ""
    jobs: int = 1
    placement: Placement = ANYWHERE
    require: str = ""
    walltime_s: int | None = None


class World(Protocol):
    """A pool that the tests can change, and what the source sees of it. It has one machine at most."""

    source: PoolSource
    machine: str

    def submit(self, batch: Batch) -> None: ...
    def submit_what_is_no_demand(self) -> None: ...
    def start_machine(self, *, lifetime_s: int | None = None) -> None: ...
    def drain(self) -> None: ...
    def restart_collector(self) -> None: ...
    def age_collector(self) -> None: ...
    def now(self) -> datetime: ...
    def pass_time(self) -> None: ...
    def stop(self) -> None: ...


class PretendWorld:
    machine = "w-1"

    def __init__(self) -> None:
        self._pool = a_pretend_pool(
            LARGE.model_copy(update={"region": PLACE.region}),
            advertised={LARGE.name: (("ProminenceStorage", f'"{MOUNTS}"'), ("Start", "true"))},
            meets=lambda job, machine: not job or evaluate(dict(job)["Requirements"], job, machine),
        )
        self.source: PoolSource = self._pool

    def submit(self, batch: Batch) -> None:
        ad = (("Requirements", batch.require),) if batch.require else ()
        runs_for = timedelta(seconds=SLEEP_S)
        self._pool.submit(
            batch.size,
            batch.user,
            batch.jobs,
            batch.group,
            batch.placement,
            runs_for=runs_for,
            ad=ad,
            walltime_s=batch.walltime_s,
        )

    def submit_what_is_no_demand(self) -> None:
        """The pretend pool has no such jobs."""

    def start_machine(self, *, lifetime_s: int | None = None) -> None:
        [cloud] = self._pool.offered
        flavours = tuple(one.model_copy(update={"lifetime_s": lifetime_s}) for one in cloud.flavours)
        self._pool.offered = (cloud.model_copy(update={"flavours": flavours}),)
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
        self._pool.unavailable.update(
            demand="stopped", execute_points="stopped", ads="stopped", collector_started_at="stopped"
        )


class CondorWorld(CondorDaemons):
    """Each test has daemons of its own, that have never heard of a machine."""

    machine = MACHINE

    def __init__(self, engine: docker.DockerClient, image: str, folder: Path) -> None:
        super().__init__(engine, image, MACHINE_SIZE, "contract", "pool-source")
        self._folder = folder

    def wait_until_ready(self) -> None:
        self.source: PoolSource = HTCondorPool(self.join(self._folder), self.machine)
        # The bindings remember sessions by address; one with an earlier container is given up after a failure.
        eventually(lambda: answers(self.source.demand) and answers(self.source.collector_started_at))

    def submit(self, batch: Batch) -> None:
        """As the API says where a job must run, and for how long."""
        group = f"accounting_group = {batch.group}" if batch.group else ""
        commands = {
            "requirements": " && ".join([*places.requirements(), *([batch.require] if batch.require else [])]),
            **places.attributes(batch.placement),
            **({f"My.{classads.WALLTIME}": batch.walltime_s} if batch.walltime_s else {}),
        }
        told = (f"{name} = {value}" for name, value in commands.items())
        self.submit_sleep(batch.size, f"accounting_group_user = {batch.user}", group, *told, jobs=batch.jobs)

    def start_machine(self, *lines: str, lifetime_s: int | None = None) -> None:
        told = {classads.CLOUD: PLACE.cloud, classads.REGION: PLACE.region, classads.STORAGE: MOUNTS}
        where = condor_text.attributes(told)
        end = lifetime_s and int(self.now().timestamp()) + lifetime_s
        ends = worker_text.until(end).splitlines() if end else []
        super().start_machine(*where.splitlines(), *ends, *lines)

    def submit_what_is_no_demand(self) -> None:
        self.submit_sleep(a_size(), "hold = true")
        self.submit_sleep(a_size(MACHINE_SIZE.cpus + 1), "universe = scheduler")

    def restart_collector(self) -> None:
        self.inside("condor_restart", "-daemon", "collector")

    def age_collector(self) -> None:
        """Its own ad expires long before it is renewed where CLASSAD_LIFETIME is short, as in personal pools."""
        eventually(lambda: self.attempt("condor_status", "-master", "-af", "COLLECTOR_StartTime"))
        query = 'MyType = "Query"\nTargetType = "Collector"\nRequirements = true\n'
        command = 'printf "%s" "$0" | condor_advertise -tcp INVALIDATE_COLLECTOR_ADS -'
        self.inside("sh", "-c", command, query)
        eventually(lambda: not self.attempt("condor_status", "-collector", "-af", "Name"))

    def now(self) -> datetime:
        return datetime.now(UTC)

    def pass_time(self) -> None:
        time.sleep(0.2)


@pytest.fixture
def condor_world(engine: docker.DockerClient, condor_image: str, tmp_path: Path) -> Iterator[CondorWorld]:
    world = CondorWorld(engine, condor_image, tmp_path)
    try:
        with trusting("contract", tmp_path):
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


def answers(read: Callable[[], object]) -> bool:
    """Whether it is available now."""
    try:
        read()
    except Unavailable:
        return False
    return True


def see(world: World, look: Callable[[PoolSource], bool]) -> None:
    """Lets time pass until `look` is true of the source; a daemon that does not answer once is asked again."""
    deadline = time.monotonic() + WITHIN_S
    while not _is_so(world.source, look):
        assert time.monotonic() < deadline, (world.source.demand(), world.source.execute_points())
        world.pass_time()


def _is_so(source: PoolSource, look: Callable[[PoolSource], bool]) -> bool:
    try:
        return look(source)
    except Unavailable:
        return False


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
        world.submit(Batch(a_size(1, 1000, 100), "alice", jobs=3))
        world.submit(Batch(a_size(1, 1000, 100), "alice", group="physics"))
        world.submit(Batch(a_size(1, 1000, 100), "bob"))
        world.submit(Batch(a_size(8, 500, 2048), "bob", jobs=2))
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

    def test_jobs_that_say_where_are_demand_of_their_own(self, world: World, pool_source: PoolSource) -> None:
        elsewhere = Placement(requirements=Area(sites=("mars", "docker"), regions=("south",)))
        had_rather = Placement(preferences=Area(sites=("mars",), regions=("north", "south")))
        for placement, jobs in ((elsewhere, 3), (ANYWHERE, 1), (had_rather, 2)):
            world.submit(Batch(a_size(1, 1000, 64), "alice", jobs=jobs, placement=placement))
        seen = {demand.placement: demand.jobs for demand in pool_source.demand()}
        assert seen == {elsewhere: 3, ANYWHERE: 1, had_rather: 2}

    def test_a_machine_is_where_it_says_and_takes_the_jobs_that_may_run_there(self, world: World) -> None:
        elsewhere = Placement(requirements=Area(sites=("mars",)))
        there = Placement(requirements=Area(sites=("mars", PLACE.cloud), regions=(PLACE.region,)))
        world.start_machine()
        see(world, lambda source: the_point(source) is not None)
        point = the_point(world.source)
        assert point is not None
        assert point.place == PLACE
        # In this order: they differ in nothing but where they must run, and the first is never matched.
        world.submit(Batch(a_size(1, 1000, 64), "alice", placement=elsewhere))
        world.submit(Batch(a_size(1, 1000, 64), "alice", placement=there))
        see(world, runs_something)
        see(world, lambda source: [one.placement for one in source.demand()] == [elsewhere])
        assert the_claims(world.source) == 1

    def test_what_a_job_requires_and_a_machine_has_tells_whether_it_runs_there(self, world: World) -> None:
        world.submit(Batch(a_size(1, 1000, 64), "alice", require=mounting("s3"), walltime_s=60))
        world.submit(Batch(a_size(1, 1000, 64), "bob", require=mounting("onedata"), walltime_s=60))
        world.submit(Batch(a_size(1, 1000, 64), "carol", require=mounting("s3"), walltime_s=2 * HOUR_S))
        matcher = Matcher(evaluate)
        demand = sorted(world.source.demand(walltimes=True), key=by_user)
        assert [one.walltime_s for one in demand] == [60, 60, 2 * HOUR_S]
        world.start_machine(lifetime_s=HOUR_S)
        see(world, lambda source: the_point(source) is not None)
        points = world.source.execute_points()
        assert points[0].ends_at and timedelta(0) < points[0].ends_at - world.now() <= timedelta(seconds=HOUR_S)
        ads = world.source.ads(matcher.attributes(demand))
        matched = matcher.match(demand, points, ads, (), (), world.now())
        assert {one.user: one.placement.takes(matched.points[0].place) for one in matched.demand} == {
            "alice": True,
            "bob": False,
            "carol": False,
        }
        see(world, runs_something)
        see(world, lambda source: sorted(one.user for one in source.demand()) == ["bob", "carol"])
        assert the_claims(world.source) == 1
        assert world.source.ads(matcher.attributes(demand)) == ads, "as if nothing ran there"
        world.drain()
        see(world, is_draining)
        assert classads.START in dict(ads[world.machine])
        assert classads.START not in dict(world.source.ads(())[world.machine])

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
        world.submit(Batch(a_size(3, 2000, 64), "alice", group="physics"))
        world.submit(Batch(a_size(3, 2000, 64), "bob"))
        see(world, lambda source: dict(source.group_cpus()) == {})
        see(world, lambda source: not source.demand() and the_claims(source) == 2 and runs_something(source))
        see(world, lambda source: dict(source.group_cpus()) == {"physics": 3})
        busy = the_point(world.source)
        assert busy is not None
        assert (busy.free.cpus, busy.free.memory_mib) == (MACHINE_SIZE.cpus - 6, MACHINE_SIZE.memory_mib - 4000)
        assert busy.total == idle.total

    def test_a_draining_machine_keeps_its_job_and_takes_no_other(self, world: World) -> None:
        world.start_machine()
        world.submit(Batch(a_size(1, 1000, 64), "alice"))
        see(world, lambda source: not source.demand() and runs_something(source))
        world.drain()
        see(world, is_draining)
        world.submit(Batch(a_size(1, 1000, 64), "bob"))
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
        for read in (
            pool_source.demand,
            pool_source.execute_points,
            partial(pool_source.ads, ()),
            pool_source.collector_started_at,
        ):
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

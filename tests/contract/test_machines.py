"""The promise of the API's Machines, kept in memory and by HTCondor's own daemons.

The daemons run in a container of the image that the fixture `condor_image` names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import docker
import pytest
from builders import a_size
from builders_restapi import a_slot
from real_condor import MACHINE, CondorDaemons, eventually, trusting

from prominence.core import classads
from prominence.core.errors import Unavailable
from prominence.core.machines import Size
from prominence.restapi.adapters.htcondor import HTCondorMachines
from prominence.restapi.adapters.memory import MemoryMachines
from prominence.restapi.identity import Identity
from prominence.restapi.ports import Machines
from prominence.restapi.resources import Slot, existing

SIZE = a_size(8, 16_000)
FOR_PHYSICS = f'TARGET.{classads.GROUP} =?= "physics"'


class World(Protocol):
    """A pool of at most one machine, and what is seen of it."""

    machines: Machines

    def start_machine(self, start: str = "true") -> None: ...
    def run_a_job(self, size: Size) -> None: ...
    def drain(self) -> None: ...
    def stop(self) -> None: ...


class PretendWorld:
    def __init__(self) -> None:
        self._memory = MemoryMachines()
        self.machines: Machines = self._memory

    def start_machine(self, start: str = "true") -> None:
        self._memory.present = [a_slot(machine=MACHINE, site="here", capacity=SIZE, free=SIZE, start=start)]

    def run_a_job(self, size: Size) -> None:
        self._memory.present = [replace(slot, free=slot.free - size) for slot in self._memory.present]

    def drain(self) -> None:
        nothing = Size(cpus=0, memory_mib=0, disk_mib=0)
        self._memory.present = [replace(slot, free=nothing) for slot in self._memory.present]

    def stop(self) -> None:
        self._memory.unavailable = "stopped"


class CondorWorld:
    def __init__(self, daemons: CondorDaemons, folder: Path) -> None:
        self._daemons = daemons
        self.machines: Machines = HTCondorMachines(daemons.join(folder))
        eventually(lambda: answers(self.machines))

    def start_machine(self, start: str = "true") -> None:
        site = f'{classads.CLOUD} = "here"'
        self._daemons.start_machine(site, f"STARTD_ATTRS = {classads.CLOUD}", f"START = {start}")

    def run_a_job(self, size: Size) -> None:
        self._daemons.submit_sleep(size, f'My.{classads.GROUP} = "physics"')

    def drain(self) -> None:
        self._daemons.drain()

    def stop(self) -> None:
        self._daemons.stop()

    def states(self) -> str:
        """Of all slots that the collector knows."""
        return self._daemons.attempt("condor_status", "-af", "State")


@pytest.fixture
def domain() -> str:
    return classads.WORKER_DOMAIN


@pytest.fixture
def condor_world(engine: docker.DockerClient, condor_image: str, domain: str, tmp_path: Path) -> Iterator[CondorWorld]:
    daemons = CondorDaemons(engine, condor_image, SIZE, domain, "machines")
    try:
        with trusting(domain, tmp_path):
            yield CondorWorld(daemons, tmp_path)
    finally:
        daemons.remove()


@pytest.fixture(params=["memory", "htcondor"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = PretendWorld() if request.param == "memory" else request.getfixturevalue("condor_world")
    return found


def answers(machines: Machines) -> bool:
    try:
        machines.slots()
    except Unavailable:
        return False
    return True


def see(world: World, look: Callable[[Slot], bool] = lambda _: True) -> Slot:
    """The one slot, once this is true of it."""
    eventually(lambda: any(look(slot) for slot in world.machines.slots()))
    [slot] = world.machines.slots()
    return slot


class TestMachines:
    def test_a_machine_is_seen_from_when_it_is_there_and_a_job_takes_of_it(self, world: World) -> None:
        assert world.machines.slots() == []
        world.start_machine(FOR_PHYSICS)
        idle = see(world)
        assert (idle.machine, idle.site) == (MACHINE, "here")
        assert (idle.capacity.cpus, idle.capacity.memory_mib) == (SIZE.cpus, SIZE.memory_mib)
        assert idle.free == idle.capacity
        assert existing([idle], Identity("alice", ("physics",)))
        assert not existing([idle], Identity("eve", ("chemistry",)))
        world.run_a_job(a_size(3, 2000, 64))
        busy = see(world, lambda slot: slot.free.cpus == SIZE.cpus - 3)
        assert busy.free.memory_mib == SIZE.memory_mib - 2000
        assert busy.capacity.cpus == SIZE.cpus

    def test_nothing_is_free_on_a_machine_that_takes_no_more_jobs(self, world: World) -> None:
        world.start_machine()
        see(world)
        world.drain()
        drained = see(world, lambda slot: slot.free.cpus == 0)
        assert (drained.free.memory_mib, drained.free.disk_mib, drained.capacity.cpus) == (0, 0, SIZE.cpus)
        assert existing([drained], Identity("eve"))

    def test_a_pool_that_does_not_answer_is_unavailable(self, world: World) -> None:
        world.stop()
        with pytest.raises(Unavailable):
            world.machines.slots()


@pytest.mark.parametrize("domain", ["elsewhere"])
def test_a_machine_that_is_not_the_pools_own_is_not_seen(condor_world: CondorWorld) -> None:
    condor_world.start_machine()
    condor_world.run_a_job(a_size(1, 1000, 64))
    eventually(lambda: "Claimed" in condor_world.states())
    assert condor_world.machines.slots() == []

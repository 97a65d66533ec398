"""The machines of the pretended world: ordered, refused, booted, joined, drained and gone, as clouds and imc do it."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from random import Random
from typing import Protocol

from prominence.core.machines import CloudStatus, Size, Wish, WorkerPhase, WorkerRequest
from prominence.core.scaling import Act, Action
from prominence.core.snapshot import SeenStart
from prominence.scaler.catalogue import Kind, kind_of
from prominence.scaler.simulate.agenda import Agenda
from prominence.scaler.simulate.load import Load
from prominence.scaler.simulate.machine import Machine, Run, moment
from prominence.scaler.starts import KEPT

CREATE_S, DELETE_S = 2.0, 5.0
"""What a cloud takes to make a machine, and to end one; the latter is paid."""

JOIN_TIMEOUT_S = 600.0
"""A machine that has not joined by then is given up, as imc does."""

REMEMBERED_S = 3600.0
"""How long imc tells of workers that failed."""


class Jobs(Protocol):
    """What runs on the machines."""

    def have_room(self, machine: Machine) -> None:
        """There is more of it than before."""

    def are_lost(self, run: Run) -> None:
        """The machine goes: the job begins anew, elsewhere."""


class Fleet:
    """dedicated: a machine is made for one job, and offers no more than what was asked for.

    version: another one whenever there is something new of the machines.
    """

    def __init__(self, load: Load, agenda: Agenda, chance: Random, jobs: Jobs, dedicated: bool = False) -> None:
        self.machines: dict[str, Machine] = {}
        self.gone: list[Machine] = []
        self.version = 0
        self.clouds = tuple(
            CloudStatus(name=cloud.name, flavours=cloud.flavours, limit=cloud.limit) for cloud in load.clouds
        )
        self._agenda = agenda
        self._chance = chance
        self._jobs = jobs
        self._dedicated = dedicated
        self._starts_seen: dict[Kind, deque[SeenStart]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._clouds = {cloud.name: cloud for cloud in load.clouds}
        self._flavours = {kind_of(flavour): flavour for flavour in reversed(load.flavours)}

    @property
    def starts_seen(self) -> tuple[SeenStart, ...]:
        """The latest of each flavour."""
        return tuple(start for starts in self._starts_seen.values() for start in starts)

    def forget(self) -> None:
        """Of those that failed long ago nothing is told any more."""
        for machine in [m for m in self.machines.values() if m.phase is WorkerPhase.FAILED]:
            if self._agenda.now_s - machine.since_s > REMEMBERED_S:
                self.gone.append(self.machines.pop(machine.name))

    def carry_out(self, action: Action) -> None:
        """As imc does, which refuses what cannot be."""
        self.version += 1
        if action.act is Act.CREATE:
            self._create(action)
            return
        machine = self.machines[action.worker]
        if machine.phase.is_over or machine.request.wish is Wish.ABSENT:
            return
        if action.act is Act.DELETE:
            self._delete(machine, action.reason)
        elif action.act is Act.DRAIN:
            machine.wish(Wish.DRAINED, action.reason)
            if machine.has_joined:
                machine.enter(
                    WorkerPhase.DRAINING if machine.runs else WorkerPhase.DRAINED, self._agenda.now_s, action.reason
                )
        else:
            machine.wish(Wish.PRESENT, action.reason)
            if machine.has_joined:
                machine.enter(WorkerPhase.REGISTERED, self._agenda.now_s, action.reason)
                self._jobs.have_room(machine)

    def _create(self, action: Action) -> None:
        flavour = self._flavours[action.cloud, action.flavour]
        cloud = self._clouds[flavour.cloud]
        request = WorkerRequest(
            size=action.size, cloud=action.cloud, flavour=action.flavour, reason=action.reason, fence=0
        )
        offers = _at_least_a_core(action.size) if self._dedicated else flavour.size
        there = sum(1 for one in self.machines.values() if one.cloud is cloud and not one.phase.is_over)
        machine = Machine(
            action.worker, cloud, flavour, request, self._agenda.now_s, offers, since_s=self._agenda.now_s
        )
        self.machines[machine.name] = machine
        if there >= cloud.limit:
            machine.enter(WorkerPhase.FAILED, self._agenda.now_s, "the quota is used up")
        else:
            self._agenda.at(self._agenda.now_s + CREATE_S, lambda: self._launch(machine))

    def _launch(self, machine: Machine) -> None:
        if machine.phase.is_over:
            return
        cloud = machine.cloud
        self.version += 1
        if self._chance.random() < cloud.refused:
            machine.enter(WorkerPhase.FAILED, self._agenda.now_s, "out of capacity")
            return
        machine.launched_s = self._agenda.now_s
        machine.enter(WorkerPhase.LAUNCHED, self._agenda.now_s)
        boot_s = self._chance.lognormvariate(math.log(cloud.boot_s), cloud.spread)
        if self._chance.random() < cloud.lost or boot_s > JOIN_TIMEOUT_S:
            self._agenda.at(self._agenda.now_s + JOIN_TIMEOUT_S, lambda: self._give_up(machine))
        else:
            self._agenda.at(self._agenda.now_s + boot_s, lambda: self._join(machine))

    def _give_up(self, machine: Machine) -> None:
        if not machine.phase.is_over and machine.request.wish is not Wish.ABSENT:
            machine.gone_s = self._agenda.now_s
            self.version += 1
            machine.enter(WorkerPhase.FAILED, self._agenda.now_s, "it did not join the pool")

    def _join(self, machine: Machine) -> None:
        if machine.phase.is_over or machine.request.wish is Wish.ABSENT:
            return
        machine.idle_since_s = self._agenda.now_s
        self.version += 1
        kind = kind_of(machine.flavour)
        self._starts_seen[kind].append(
            SeenStart(
                worker=machine.name,
                cloud=kind[0],
                flavour=kind[1],
                seconds=self._agenda.now_s - machine.requested_s,
                joined_at=moment(self._agenda.now_s),
            )
        )
        drains = machine.request.wish is Wish.DRAINED
        machine.enter(WorkerPhase.DRAINED if drains else WorkerPhase.REGISTERED, self._agenda.now_s)
        self._jobs.have_room(machine)

    def _delete(self, machine: Machine, reason: str) -> None:
        machine.wish(Wish.ABSENT, reason)
        for run in list(machine.runs):
            self._jobs.are_lost(run)
        self._agenda.at(self._agenda.now_s + DELETE_S, lambda: self._remove(machine))

    def _remove(self, machine: Machine) -> None:
        if machine.launched_s is not None:
            machine.gone_s = self._agenda.now_s
        self.version += 1
        machine.enter(WorkerPhase.DELETED, self._agenda.now_s, machine.request.reason)
        self.gone.append(self.machines.pop(machine.name))


def _at_least_a_core(size: Size) -> Size:
    return size.model_copy(update={"cpus": max(1, size.cpus)})

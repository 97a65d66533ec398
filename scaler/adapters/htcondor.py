"""PoolSource on HTCondor's bindings, of the access point's own HTCondor or of PyPI.

The startds of the pool carve what a job asks for, without rounding it up: their MODIFY_REQUEST_EXPR_* say so. Where
they do round, a worker may hold one job less than planned, and the next round orders another for it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import htcondor2

from prominence.core import classads, units
from prominence.core.errors import Unavailable
from prominence.core.machines import Size
from prominence.core.snapshot import Demand, ExecutePoint

_IDLE = 1
_VANILLA = 5

# Of a grouped query the constraint sees these attributes and no others.
_GROUPED_BY = [
    classads.JOB_STATUS,
    classads.JOB_UNIVERSE,
    classads.REQUEST_CPUS,
    classads.REQUEST_MEMORY,
    classads.REQUEST_DISK,
    classads.REQUEST_GPUS,
    classads.ACCOUNTING_GROUP,
    classads.ACCOUNTING_USER,
]
_IDLE_JOBS = f"{classads.JOB_STATUS} == {_IDLE} && {classads.JOB_UNIVERSE} == {_VANILLA}"

_OF_SLOTS = [
    classads.MACHINE,
    classads.SLOT_TYPE,
    classads.STATE,
    classads.ACTIVITY,
    classads.CPUS,
    classads.MEMORY,
    classads.DISK,
    classads.GPUS,
    classads.TOTAL_GPUS,
    classads.TOTAL_CPUS,
    classads.TOTAL_MEMORY,
    classads.TOTAL_DISK,
    classads.DRAINING,
    classads.DYNAMIC_SLOTS,
    classads.LAST_HEARD_FROM,
]
_TOTALS = (classads.TOTAL_CPUS, classads.TOTAL_MEMORY, classads.TOTAL_DISK, classads.TOTAL_GPUS)
_OFFERS = (classads.CPUS, classads.MEMORY, classads.DISK, classads.GPUS)
_OF_COLLECTOR = f'MyType == "Collector" || {classads.COLLECTOR_START_TIME} =!= undefined'
_START_TIMES = [classads.STATS_LIFETIME, classads.STATS_UPDATED_AT, classads.COLLECTOR_START_TIME]
_UNCLAIMED = ("Owner", "Unclaimed", "Drained", "Backfill")

# Older bindings raise what Python has, newer ones their own.
_FAILURES = (getattr(htcondor2, "HTCondorException", RuntimeError), RuntimeError, OSError)


class HTCondorPool:
    """collector: host[:port], schedd: its name; "" for those that HTCondor's own configuration names."""

    def __init__(self, collector: str = "", schedd: str = "") -> None:
        self._collector_name = collector
        self._schedd_name = schedd

    def demand(self) -> list[Demand]:
        """By a grouped query, which knows jobs before any negotiator or machine has seen them."""
        with _translated("the queue"):
            rows = self._schedd().query(constraint=_IDLE_JOBS, projection=_GROUPED_BY, opts=htcondor2.QueryOpt.GroupBy)
        jobs: Counter[tuple[Size, str, str]] = Counter()
        for row in rows:
            user, group = str(row.get(classads.ACCOUNTING_USER, "")), str(row.get(classads.ACCOUNTING_GROUP, ""))
            jobs[_requested(row), user, group] += int(row[classads.JOB_COUNT])
        return [Demand(size=size, user=user, group=group, jobs=n) for (size, user, group), n in jobs.items()]

    def execute_points(self) -> list[ExecutePoint]:
        """A machine's slots taken together. The collector lets nobody advertise a machine that is not his own."""
        with _translated("the collector"):
            ads = self._collector().query(htcondor2.AdType.Startd, projection=_OF_SLOTS)
        slots = defaultdict(list)
        for ad in ads:
            slots[str(ad.get(classads.MACHINE, ""))].append(ad)
        return [_execute_point(machine, slots[machine]) for machine in sorted(slots)]

    def collector_started_at(self) -> datetime:
        """From its own ad, which it loses when it has not renewed it for long, or from the ad of its master."""
        with _translated("the collector"):
            ads = self._collector().query(htcondor2.AdType.Any, constraint=_OF_COLLECTOR, projection=_START_TIMES)
        starts = [start for ad in ads if (start := _start(ad))]
        if not starts:
            raise Unavailable("nobody says since when the collector runs")
        return _moment(max(starts))

    def _collector(self) -> Any:
        return htcondor2.Collector(self._collector_name or None)

    def _schedd(self) -> Any:
        if not self._schedd_name:
            return htcondor2.Schedd()
        location = self._collector().locate(htcondor2.DaemonType.Schedd, self._schedd_name)
        if location is None:
            raise Unavailable(f"the collector knows no schedd {self._schedd_name}")
        return htcondor2.Schedd(location)


def _requested(row: Any) -> Size:
    return Size(
        cpus=max(1, _number(row, classads.REQUEST_CPUS)),
        memory_mib=_number(row, classads.REQUEST_MEMORY),
        disk_mib=units.mib_needed(_number(row, classads.REQUEST_DISK)),
        gpus=_number(row, classads.REQUEST_GPUS),
    )


def _execute_point(machine: str, slots: Iterable[Any]) -> ExecutePoint:
    slots = list(slots)
    whole = [slot for slot in slots if slot.get(classads.SLOT_TYPE) != "Dynamic"]
    total = _sum(_size(slot, *_TOTALS) for slot in whole)
    claimed = sum(_is_claimed(slot) for slot in slots)
    # A dynamic slot is announced a little later than the partitionable slot that it was carved from. Meanwhile the job
    # that it is for may still be listed as idle: not to count its room as free would order a machine for it.
    carved = sum(_number(slot, classads.DYNAMIC_SLOTS) for slot in whole)
    all_are_announced = carved <= len(slots) - len(whole)
    return ExecutePoint(
        name=machine,
        total=total,
        free=_room(slots, free=True) if all_are_announced else total - _room(slots, free=False),
        claimed_slots=max(claimed, carved),
        draining=any(slot.get(classads.DRAINING) is True for slot in slots),
        last_heard_at=_moment(max(_number(slot, classads.LAST_HEARD_FROM) for slot in slots)),
    )


def _is_claimed(slot: Any) -> bool:
    return slot.get(classads.SLOT_TYPE) != "Partitionable" and slot.get(classads.STATE) not in _UNCLAIMED


def _room(slots: Iterable[Any], free: bool) -> Size:
    """What the slots offer of which this holds."""
    offers = (_size(slot, *_OFFERS) for slot in slots if _is_free(slot) == free)
    return _sum(offers)


def _is_free(slot: Any) -> bool:
    """What a partitionable slot has left, and slots in which nothing runs, claimed or not."""
    kind, activity = slot.get(classads.SLOT_TYPE), slot.get(classads.ACTIVITY)
    return kind == "Partitionable" or bool(activity == "Idle")


def _size(slot: Any, cpus: str, memory: str, disk: str, gpus: str) -> Size:
    return Size(
        cpus=_number(slot, cpus),
        memory_mib=_number(slot, memory),
        disk_mib=units.mib_available(_number(slot, disk)),
        gpus=_number(slot, gpus),
    )


def _start(ad: Any) -> int:
    """0 when the ad does not say."""
    if classads.STATS_LIFETIME in ad:
        return _number(ad, classads.STATS_UPDATED_AT) - _number(ad, classads.STATS_LIFETIME)
    return _number(ad, classads.COLLECTOR_START_TIME)


def _number(ad: Any, attribute: str) -> int:
    """The attribute's value. What is no number counts as none: one strange ad must not hide all the others.

    A job's request may be an expression. One that cannot be evaluated without a machine counts as the least, too.
    """
    value = ad.eval(attribute) if attribute in ad else 0
    # Not isinstance: ClassAd's "undefined" and "error" are kinds of int to Python.
    return max(0, int(value)) if type(value) in (int, float) and math.isfinite(value) else 0


def _sum(sizes: Iterable[Size]) -> Size:
    return sum(sizes, start=Size(cpus=0, memory_mib=0, disk_mib=0))


def _moment(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


@contextmanager
def _translated(part: str) -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        raise Unavailable(f"{part} does not answer: {error}") from error

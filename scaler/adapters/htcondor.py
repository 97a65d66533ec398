"""PoolSource on HTCondor's bindings, of the access point's own HTCondor or of PyPI.

The startds of the pool carve what a job asks for, without rounding it up: their MODIFY_REQUEST_EXPR_* say so. Where
they do round, a worker may hold one job less than planned, and the next round orders another for it.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import htcondor2

from prominence.core import classads, units
from prominence.core.errors import Unavailable
from prominence.core.machines import Size
from prominence.core.placement import of_texts
from prominence.core.snapshot import Ad, Demand, ExecutePoint
from prominence.core.states import JobStatus

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
    classads.NODE_COUNT,
    *classads.PLACEMENT,
    # And so, since the schedd follows them, all attributes of jobs that these mention.
    classads.REQUIREMENTS,
    classads.REQUIRE_GPUS,
    classads.REQUIRES,
]
_RUNNING_GROUPED_BY = [
    classads.JOB_STATUS,
    classads.JOB_UNIVERSE,
    classads.REQUEST_CPUS,
    classads.ACCOUNTING_GROUP,
]
_RUNNING_JOBS = f"{classads.JOB_STATUS} == {JobStatus.RUNNING:d} && {classads.JOB_UNIVERSE} == {_VANILLA}"
_IDLE_JOBS = f"{classads.JOB_STATUS} == {JobStatus.IDLE:d} && {classads.JOB_UNIVERSE} == {_VANILLA}"

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
    classads.CLOUD,
    classads.REGION,
    classads.ENDS_AT,
]
_OF_WHOLE_SLOTS = [
    classads.MACHINE,
    classads.START,
    classads.DRAINING,
    classads.LEAVING,
    classads.TOTAL_CPUS,
    classads.TOTAL_MEMORY,
    classads.TOTAL_DISK,
    classads.TOTAL_GPUS,
]
_AVAILABLE_GPUS = "availablegpus"
_GPU = re.compile(r"GPUs_\w+$")
"""Each of them is an ad of its own."""
_OF_ROWS = frozenset({"Id", "JobIds", classads.JOB_COUNT, classads.WALLTIME, *_GROUPED_BY}) - {
    classads.REQUEST_CPUS,
    classads.REQUEST_MEMORY,
    classads.REQUEST_DISK,
    classads.REQUEST_GPUS,
    classads.REQUIREMENTS,
    classads.REQUIRE_GPUS,
    classads.REQUIRES,
}
_NOT_A_USERS = f'regexp("@{classads.OWNER_DOMAIN}$", {classads.AUTHENTICATED_IDENTITY}) =!= true'
_TOTALS = (classads.TOTAL_CPUS, classads.TOTAL_MEMORY, classads.TOTAL_DISK, classads.TOTAL_GPUS)
_OFFERS = (classads.CPUS, classads.MEMORY, classads.DISK, classads.GPUS)
_OF_COLLECTOR = f'MyType == "Collector" || {classads.COLLECTOR_START_TIME} =!= undefined'
_START_TIMES = [classads.STATS_LIFETIME, classads.STATS_UPDATED_AT, classads.COLLECTOR_START_TIME]
_NO_MOMENT = 1 << 36
"""Some thousand years: what is later is no moment to Python."""
_UNCLAIMED = ("Owner", "Unclaimed", "Drained", "Backfill")

# Older bindings raise what Python has, newer ones their own.
_FAILURES = (getattr(htcondor2, "HTCondorException", RuntimeError), RuntimeError, OSError)


class HTCondorPool:
    """collector: host[:port], schedd: its name; "" for those that HTCondor's own configuration names."""

    def __init__(self, collector: str = "", schedd: str = "") -> None:
        self._collector_name = collector
        self._schedd_name = schedd

    def demand(self, walltimes: bool = False) -> list[Demand]:
        """By a grouped query, which knows jobs before any negotiator or machine has seen them."""
        jobs: Counter[Demand] = Counter()
        for row in self._grouped(_IDLE_JOBS, [*_GROUPED_BY, classads.WALLTIME] if walltimes else _GROUPED_BY):
            jobs[_one_of(row)] += int(row[classads.JOB_COUNT])
        return [one.model_copy(update={"jobs": count}) for one, count in jobs.items()]

    def group_cpus(self) -> dict[str, int]:
        cpus: Counter[str] = Counter()
        for row in self._grouped(_RUNNING_JOBS, _RUNNING_GROUPED_BY):
            jobs, each = int(row[classads.JOB_COUNT]), max(1, _number(row, classads.REQUEST_CPUS))
            cpus[_text(row, classads.ACCOUNTING_GROUP)] += jobs * each
        del cpus[""]
        return dict(cpus)

    def execute_points(self) -> list[ExecutePoint]:
        """A machine's slots taken together. The collector lets nobody advertise a machine that is not his own.

        Machines of users are left out: they are no room for anybody else's jobs.
        """
        with _translated("the collector"):
            ads = self._collector().query(htcondor2.AdType.Startd, constraint=_NOT_A_USERS, projection=_OF_SLOTS)
        slots = defaultdict(list)
        for ad in ads:
            slots[str(ad.get(classads.MACHINE, ""))].append(ad)
        return [_execute_point(machine, slots[machine]) for machine in sorted(slots)]

    def ads(self, attributes: Collection[str]) -> dict[str, Ad]:
        wanted = {name.lower() for name in attributes}
        # GPUs are told of in attributes whose names nobody knows before.
        projection = [] if _AVAILABLE_GPUS in wanted else [*_OF_WHOLE_SLOTS, *sorted(wanted)]
        constraint = f'{_NOT_A_USERS} && {classads.SLOT_TYPE} =!= "Dynamic"'
        with _translated("the collector"):
            ads = self._collector().query(htcondor2.AdType.Startd, constraint=constraint, projection=projection)
        return {str(ad.get(classads.MACHINE, "")): _whole_ad(ad, wanted) for ad in ads}

    def collector_started_at(self) -> datetime:
        """From its own ad, which it loses when it has not renewed it for long, or from the ad of its master."""
        with _translated("the collector"):
            ads = self._collector().query(htcondor2.AdType.Any, constraint=_OF_COLLECTOR, projection=_START_TIMES)
        starts = [start for ad in ads if (start := _start(ad))]
        if not starts:
            raise Unavailable("nobody says since when the collector runs")
        return _moment(max(starts))

    def _grouped(self, constraint: str, attributes: list[str]) -> Any:
        with _translated("the queue"):
            grouped = htcondor2.QueryOpt.GroupBy
            return self._schedd().query(constraint=constraint, projection=attributes, opts=grouped)

    def _collector(self) -> Any:
        return htcondor2.Collector(self._collector_name or None)

    def _schedd(self) -> Any:
        if not self._schedd_name:
            return htcondor2.Schedd()
        location = self._collector().locate(htcondor2.DaemonType.Schedd, self._schedd_name)
        if location is None:
            raise Unavailable(f"the collector knows no schedd {self._schedd_name}")
        return htcondor2.Schedd(location)


def _one_of(row: Any) -> Demand:
    """One of the jobs of a row."""
    return Demand(
        size=_requested(row),
        user=str(row.get(classads.ACCOUNTING_USER, "")),
        group=str(row.get(classads.ACCOUNTING_GROUP, "")),
        placement=of_texts(_text(row, name) for name in classads.PLACEMENT),
        jobs=1,
        nodes=max(1, _number(row, classads.NODE_COUNT)),
        ad=_ad_of(row),
        walltime_s=_number(row, classads.WALLTIME) or None,
    )


def _ad_of(row: Any) -> Ad:
    """Of what the job requires, if it requires anything."""
    if classads.REQUIREMENTS not in row:
        return ()
    return tuple(sorted((name, str(row.lookup(name))) for name in row if name not in _OF_ROWS))


def _whole_ad(slot: Any, wanted: Collection[str]) -> Ad:
    """What is wanted of it, with all that the slot had before any of it was taken."""
    of_whole = {offer.lower(): total for offer, total in zip(_OFFERS, _TOTALS, strict=True) if total in slot}
    texts = {name: str(slot.lookup(of_whole.get(name, name))) for name in wanted if of_whole.get(name, name) in slot}
    if slot.get(classads.DRAINING) is not True and classads.START in slot:
        texts[classads.START] = str(slot.lookup(classads.START))
    if slot.get(classads.LEAVING) is True:
        texts[classads.LEAVING] = "true"
    if _AVAILABLE_GPUS in wanted:
        gpus = [str(slot.lookup(name)) for name in sorted(slot.keys()) if _GPU.match(name)]
        texts[_AVAILABLE_GPUS] = f"{{ {', '.join(gpus)} }}"
    return tuple(sorted(texts.items()))


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
        cloud=_text(slots[0], classads.CLOUD),
        region=_text(slots[0], classads.REGION),
        total=total,
        free=_room(slots, free=True) if all_are_announced else total - _room(slots, free=False),
        claimed_slots=max(claimed, carved),
        draining=any(slot.get(classads.DRAINING) is True for slot in slots),
        last_heard_at=_moment(max(_number(slot, classads.LAST_HEARD_FROM) for slot in slots)),
        ends_at=_end(slots),
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


def _end(slots: Iterable[Any]) -> datetime | None:
    """When the machine's time is over; None when it tells no such moment."""
    ends = [end for slot in slots if 0 < (end := _number(slot, classads.ENDS_AT)) < _NO_MOMENT]
    return _moment(min(ends)) if ends else None


def _number(ad: Any, attribute: str) -> int:
    """The attribute's value. What is no number counts as none: one strange ad must not hide all the others.

    A job's request may be an expression. One that cannot be evaluated without a machine counts as the least, too.
    """
    value = ad.eval(attribute) if attribute in ad else 0
    # Not isinstance: ClassAd's "undefined" and "error" are kinds of int to Python.
    return max(0, int(value)) if type(value) in (int, float) and math.isfinite(value) else 0


def _text(ad: Any, attribute: str) -> str:
    """The attribute's value; "" for what is no text."""
    value = ad.eval(attribute) if attribute in ad else ""
    return value if isinstance(value, str) else ""


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

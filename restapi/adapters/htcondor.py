"""JobQueue and Machines on HTCondor's bindings, on the access point itself: the operating system tells who we are."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import htcondor2

from prominence.core import classads, logs, units
from prominence.core.errors import ProminenceError, Unavailable
from prominence.core.machines import Size
from prominence.core.view import ATTRIBUTES, JobAd
from prominence.restapi.health.ports import Daemon
from prominence.restapi.paging import Page
from prominence.restapi.resources import Slot
from prominence.restapi.selection import Selection
from prominence.restapi.shares.rules import Quota
from prominence.restapi.translate.ads import plain
from prominence.restapi.translate.constraint import acted_on, constraint
from prominence.restapi.translate.submit import SubmitDescription

log = logs.get(__name__)

RETRY_AFTER_S = 5

# Older bindings raise what Python has, newer ones their own.
_FAILURES = (getattr(htcondor2, "HTCondorException", RuntimeError), RuntimeError, OSError, ValueError)

_REFUSED = "Failed to create job ad"

_CAPACITY = (classads.TOTAL_CPUS, classads.TOTAL_MEMORY, classads.TOTAL_DISK, classads.TOTAL_GPUS)
_LEFT = (classads.CPUS, classads.MEMORY, classads.DISK, classads.GPUS)
_OF_SLOTS = (
    *(classads.MACHINE, classads.CLOUD, classads.SLOT_TYPE, classads.STATE, classads.DRAINING, classads.START),
    *_CAPACITY,
    *_LEFT,
)
_TAKEN = ("Claimed", "Matched", "Preempting")

# What a job has been given is missing in what is left of the slot that it was carved from. Jobs of ours run on the
# pool's own workers only: see `translate.submit`.
_OURS = (
    f'{classads.SLOT_TYPE} =!= "Dynamic"'
    f' && regexp("^[^@]+@{classads.WORKER_DOMAIN}$", {classads.AUTHENTICATED_IDENTITY})'
)


class HTCondorQueue:
    """The schedd that this machine's HTCondor configuration names. It is looked up for every call: its address
    changes when it restarts. events: HTCondor's log of them, which grows with each."""

    def __init__(self, events: Path | None = None) -> None:
        self._events = events

    def submit(self, description: SubmitDescription, count: int = 1) -> int:
        with _translated("submit a job"):
            result = self._schedd().submit(htcondor2.Submit(dict(description.commands)), count=count)
        return int(result.cluster())

    def find(self, selection: Selection, page: Page | None = None) -> list[JobAd]:
        with _translated("list the queue"):
            ads = self._schedd().query(constraint=constraint(selection), projection=list(ATTRIBUTES))
        if page is not None:
            # An ad is a string of text to the library: those that are not shown are not read any further.
            order = page.order
            ads = page.of(ads, lambda ad: order.place(plain(ad, order.attributes)))
        return [plain(ad) for ad in ads]

    def one(self, selection: Selection) -> JobAd | None:
        with _translated("look for a job"):
            ads = self._schedd().query(constraint(selection), list(ATTRIBUTES), limit=1)
        return plain(ads[0]) if ads else None

    def count(self, selection: Selection, most: int) -> int:
        with _translated("count jobs"):
            return len(self._schedd().query(constraint(selection), [classads.CLUSTER_ID], limit=most))

    def pulse(self) -> object:
        try:
            found = os.stat(self._events) if self._events is not None else None
        except OSError:
            return None
        return (found.st_ino, found.st_size) if found is not None else None

    def remove(self, selection: Selection, reason: str) -> int:
        why = (_literal(reason), 0)  # the reason is heeded as one of a pair only
        with _translated("remove a job"):
            done = self._schedd().act(htcondor2.JobAction.Remove, acted_on(selection), why)
        return int(done["TotalSuccess"])

    def hold(self, selection: Selection, reason: str, subcode: int) -> int:
        why = (_literal(reason), subcode)
        with _translated("hold a job"):
            done = self._schedd().act(htcondor2.JobAction.Hold, acted_on(selection), why)
        return int(done["TotalSuccess"])

    def release(self, selection: Selection) -> int:
        with _translated("release a job"):
            done = self._schedd().act(htcondor2.JobAction.Release, acted_on(selection))
        return int(done["TotalSuccess"])

    def edit(self, selection: Selection, attributes: Mapping[str, str]) -> int:
        edited = 0
        with _translated("edit a job"):
            schedd = self._schedd()
            meant = acted_on(selection)
            if not schedd.query(constraint=meant, projection=[classads.CLUSTER_ID], limit=1):
                return 0  # to edit nothing is an error like any other to the library
            for name, expression in attributes.items():
                # Dirty: the shadow of a job that runs is told, as it goes by what it knows.
                edited = int(schedd.edit(meant, name, expression, htcondor2.TransactionFlag.SetDirty))
        return edited

    def silent(self) -> tuple[str, ...]:
        return tuple(self._silent())

    def _silent(self) -> Iterator[str]:
        try:
            _probe(self._schedd())
        except _FAILURES as error:
            log.warning("the schedd does not answer", error=str(error))
            yield "HTCONDOR_SCHEDD"
        try:
            if not htcondor2.Collector().query(htcondor2.AdType.Collector, projection=["Name"]):
                yield "HTCONDOR_COLLECTOR"
        except _FAILURES as error:
            log.warning("the collector does not answer", error=str(error))
            yield "HTCONDOR_COLLECTOR"

    def _schedd(self) -> Any:
        return htcondor2.Schedd()


class HTCondorDaemons:
    """Those that this machine's HTCondor configuration names. Each is asked something that it alone can answer."""

    def version(self, daemon: Daemon) -> str:
        try:
            return _ASKED[daemon]()
        except _FAILURES as error:
            raise Unavailable(" ".join(str(error).split())) from error

    def shares(self) -> Mapping[str, Quota]:
        try:
            return dict(_of_negotiator())
        except _FAILURES as error:
            raise Unavailable(" ".join(str(error).split())) from error


def _of_negotiator() -> Iterator[tuple[str, Quota]]:
    for ad in htcondor2.Negotiator().getPriorities():
        name = str(ad.get("Name", ""))
        # The group of those who are in none is HTCondor's own.
        if ad.get("IsAccountingGroup") and "<" not in name:
            amounts = (float(ad.get(key, 0)) for key in ("EffectiveQuota", "WeightedResourcesUsed"))
            yield name, Quota(float(ad.get("ConfigQuota", 0)), ad.get("SurplusPolicy") != "no", *amounts)


def _ask_schedd() -> str:
    _probe(htcondor2.Schedd())
    try:
        ads = _registered(htcondor2.AdType.Schedd)
    except _FAILURES:  # the collector's trouble, not the schedd's
        return ""
    return _version(ads[0]) if ads else ""


def _ask_collector() -> str:
    ads = _registered(htcondor2.AdType.Collector)
    if not ads:
        raise RuntimeError("it does not know of itself")
    return _version(ads[0])


def _ask_negotiator() -> str:
    ads = _registered(htcondor2.AdType.Negotiator)
    if not ads:
        raise RuntimeError("the collector does not know where it is")
    htcondor2.Negotiator().getPriorities()
    return _version(ads[0])


def _registered(kind: Any) -> Any:
    """The ads of those of this kind that the collector knows."""
    return htcondor2.Collector().query(kind, projection=[_VERSION])


def _version(ad: Any) -> str:
    """As in "HTCondor 23.9.6"."""
    words = _text(ad, _VERSION).split()
    return f"HTCondor {words[1]}" if len(words) > 1 else ""


_VERSION = "CondorVersion"
_ASKED = {
    Daemon.SCHEDD: _ask_schedd,
    Daemon.COLLECTOR: _ask_collector,
    Daemon.NEGOTIATOR: _ask_negotiator,
}


class HTCondorMachines:
    """The collector that this machine's HTCondor configuration names, or the one at host[:port]."""

    def __init__(self, collector: str = "") -> None:
        self._collector = collector

    def slots(self) -> list[Slot]:
        with _translated("list the workers", "The pool of workers does not answer at the moment."):
            collector = htcondor2.Collector(self._collector or None)
            ads = collector.query(htcondor2.AdType.Startd, constraint=_OURS, projection=list(_OF_SLOTS))
        return [_slot(ad) for ad in ads]


def _slot(ad: Any) -> Slot:
    kind, is_taken = _text(ad, classads.SLOT_TYPE), _text(ad, classads.STATE) in _TAKEN
    capacity = _size(ad, _CAPACITY)
    is_closed = ad.eval(classads.DRAINING) is True if classads.DRAINING in ad else False
    nothing_is_free = is_closed or (is_taken and kind != "Partitionable")
    free = capacity - capacity if nothing_is_free else _size(ad, _LEFT)
    start = str(ad.lookup(classads.START)) if classads.START in ad else "true"
    return Slot(_text(ad, classads.MACHINE), _text(ad, classads.CLOUD), capacity, free, start)


def _size(ad: Any, names: tuple[str, str, str, str]) -> Size:
    cpus, memory, disk, gpus = (_number(ad, name) for name in names)
    return Size(cpus=cpus, memory_mib=memory, disk_mib=units.mib_available(disk), gpus=gpus)


def _number(ad: Any, name: str) -> int:
    """What is no number counts as none: one strange ad must not hide all the others."""
    value = ad.eval(name) if name in ad else 0
    return max(0, int(value)) if type(value) in (int, float) and math.isfinite(value) else 0


def _text(ad: Any, name: str) -> str:
    value = ad.eval(name) if name in ad else ""
    return value if isinstance(value, str) else ""


def _literal(reason: str) -> str:
    """The library puts it between quotation marks as it is: reasons are ours, never a user's."""
    if classads.portable(reason) != reason:
        raise ValueError(f"{reason!r} cannot be a reason")
    return reason


def _probe(schedd: Any) -> None:
    schedd.query(constraint="false", projection=[classads.CLUSTER_ID], limit=1)


@contextmanager
def _translated(what: str, silence: str = "The queue of jobs does not answer at the moment.") -> Iterator[None]:
    try:
        yield
    except _FAILURES as error:
        said = " ".join(str(error).split())
        if said.startswith(_REFUSED):
            raise ProminenceError(f"HTCondor does not understand the job: {said}") from error
        log.warning("HTCondor did not do what it was asked", asked_to=what, error=said)
        raise Unavailable(silence, RETRY_AFTER_S) from error

"""UsageStore of the jobs that have left a queue in memory, for unit tests: same promises."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from prominence.core.errors import Unavailable
from prominence.restapi.adapters.memory import MemoryQueue
from prominence.restapi.archive.records import labels
from prominence.restapi.booking import Machine, booked, run_of_epoch, run_of_job
from prominence.restapi.finished import finished
from prominence.restapi.translate.ads import plain
from prominence.restapi.usage import DEFAULT_TARIFF, By, Period, Sum, Tariff, UsageRecord, Whose, priced, total

Name = TypeVar("Name")


class MemoryUsage:
    """It is away when its queue is. epochs: HTCondor's records of attempts. machines: what workers are, by name."""

    def __init__(self, queue: MemoryQueue, tariff: Tariff = DEFAULT_TARIFF) -> None:
        self._queue, self._tariff = queue, tariff
        self.epochs: list[Any] = []
        self.machines: dict[str, Machine] = {}

    def by_user(self, period: Period, user: str, groups: Collection[str] | None) -> dict[str, Sum]:
        return self._sums(
            period,
            lambda one: groups is None or one.run.user == user or (one.run.group != "" and one.run.group in groups),
            lambda one: one.run.user,
        )

    def by_group(self, period: Period, groups: Collection[str] | None) -> dict[str, Sum]:
        return self._sums(
            period,
            lambda one: one.run.group != "" and (groups is None or one.run.group in groups),
            lambda one: one.run.group,
        )

    def grouped(self, by: Sequence[By], period: Period, whose: Whose) -> dict[tuple[str, ...], Sum]:
        return self._sums(period, whose.includes, lambda one: tuple(each.of(one) for each in by))

    def _sums(
        self, period: Period, counts: Callable[[UsageRecord], bool], name: Callable[[UsageRecord], Name]
    ) -> dict[Name, Sum]:
        found: defaultdict[Name, list[UsageRecord]] = defaultdict(list)
        for one in self._records():
            if period.since <= one.run.ended < period.until and counts(one):
                found[name(one)].append(one)
        sums = {key: total(records) for key, records in found.items()}
        return {key: one for key, one in sums.items() if one.core_ms > 0}

    def _records(self) -> list[UsageRecord]:
        if self._queue.unavailable:
            raise Unavailable(self._queue.unavailable)
        of_jobs = [run_of_job(ad, labels(ad), finished(plain(ad), {}, None, None).view) for ad in self._queue.left]
        runs = [run for run in (*(run_of_epoch(ad, labels(ad)) for ad in self.epochs), *of_jobs) if run is not None]
        return [
            priced(run, used, self.machines.get(run.worker), self._tariff)
            for attempts in booked((), runs).values()
            for run, used in attempts
        ]

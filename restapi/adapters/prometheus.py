"""Figures that Prometheus reads. No figure names a user, a job or a worker.

The API runs in several processes. Each writes what it counts to files in a directory (PROMETHEUS_MULTIPROC_DIR, which
the library itself looks for), and one process of its own adds them up and answers Prometheus.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from prominence.core import logs
from prominence.core.errors import Unavailable
from prominence.core.health import Finding
from prominence.core.prometheus import Figures
from prominence.restapi.copying import Backlog
from prominence.restapi.drift import Drift
from prominence.restapi.meter import Meter
from prominence.restapi.recent import Recent
from prominence.restapi.usage import Sum

log = logs.get(__name__)

_REQUEST_BUCKETS_S = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
_NAME = "prominence_restapi_request_seconds"

MOST_GROUPS = 100
"""With figures of their own; the others are told together."""

OTHERS = "(others)"

_ALL = ""
"""All that was found out is remembered as one: Prometheus may ask as often as it likes."""


class RequestMeter(Meter):
    """One in each process of the API."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._request_s = Histogram(
            _NAME,
            "How long requests take until their answer begins, by the operation and the kind of answer.",
            ["method", "address", "status"],
            buckets=_REQUEST_BUCKETS_S,
            registry=registry,
        )

    def answered(self, method: str, address: str, status: int, seconds: float) -> None:
        # What is no operation of ours has whatever method and address somebody thought of.
        labels = (method, address) if address else ("", "")
        self._request_s.labels(*labels, f"{status // 100}xx").observe(seconds)


class ServiceFigures(Figures):
    """Of all processes together. directory: where they write what they count."""

    def __init__(self, directory: Path | None, *told: Callable[[Figures], Collector]) -> None:
        super().__init__("restapi")
        if directory is not None:
            MultiProcessCollector(self.registry, str(directory))  # type: ignore[no-untyped-call]
        for one in told:
            self.registry.register(one(self))


class Conditions(Collector):
    """How the parts of the service are, found out anew when that is older than good_for_s."""

    def __init__(self, names: Figures, find: Callable[[], Sequence[Finding]], good_for_s: float) -> None:
        self._names, self._find = names, find
        self._found: Recent[Sequence[Finding]] = Recent(good_for_s, 1, time.monotonic)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            self._names.name("part_condition"),
            "1 for how a part of the service is: ok, warning, unknown or broken.",
            labels=["part", "condition"],
        )
        for one in self._found.find(_ALL, self._find):
            family.add_metric([one.part, one.condition.value], 1)
        yield family


class GroupUsage(Collector):
    """What groups have used by the accounts, from the first one on."""

    def __init__(self, names: Figures, sums: Callable[[], Mapping[str, Sum]], good_for_s: float) -> None:
        self._names, self._sums = names, sums
        self._found: Recent[Mapping[str, Sum]] = Recent(good_for_s, 1, time.monotonic)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        try:
            sums = largest(self._found.find(_ALL, self._sums), MOST_GROUPS)
        except Unavailable as error:
            log.warning("the accounts cannot be read", error=str(error))
            return
        for name, text, figures in (
            ("used_jobs", "Jobs that have ended.", {group: one.jobs for group, one in sums.items()}),
            ("used_core_seconds", "Cores times time.", {group: one.core_ms / 1e3 for group, one in sums.items()}),
            ("used_cpu_seconds", "What these have worked.", {group: one.cpu_ms / 1e3 for group, one in sums.items()}),
            ("used_unit_hours", "Service units.", {group: one.units_ms / 3.6e6 for group, one in sums.items()}),
            ("used_cost", "In the site's currency.", {group: one.cost / 1e6 for group, one in sums.items()}),
        ):
            yield self._names.gauge(name, text, "group", figures)


class LedgerDrift(Collector):
    """Whether the accounts say what HTCondor's history says."""

    def __init__(self, names: Figures, find: Callable[[], Drift], good_for_s: float) -> None:
        self._names, self._find = names, find
        self._found: Recent[Drift] = Recent(good_for_s, 1, time.monotonic)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        try:
            found = self._found.find(_ALL, self._find)
        except Unavailable as error:
            log.warning("the accounts cannot be counted again", error=str(error))
            return
        for name, text, value in (
            ("ledger_recounted_jobs", "Jobs at the end of HTCondor's history that were counted again.", found.counted),
            ("ledger_drift_jobs", "Of these, those of which the accounts say something else.", found.differing),
            ("ledger_drift_core_seconds", "By how much these differ together.", found.core_ms / 1e3),
        ):
            yield GaugeMetricFamily(self._names.name(name), text, value)


class Unsent(Collector):
    """What another store has yet to be told of the accounts."""

    def __init__(self, names: Figures, backlog: Callable[[], Backlog]) -> None:
        self._names, self._backlog = names, backlog

    def collect(self) -> Iterable[GaugeMetricFamily]:
        try:
            found = self._backlog()
        except Unavailable as error:
            log.warning("the accounts cannot be read", error=str(error))
            return
        told = {"waiting": found.waiting, "refused": found.refused}
        yield self._names.gauge("unsent_attempts", "Attempts that the store of usage has not got.", "why", told)


def largest(sums: Mapping[str, Sum], most: int) -> dict[str, Sum]:
    """Those groups that have used most, and the rest of them as one."""
    ordered = sorted(sums, key=lambda group: (-sums[group].core_ms, group))
    kept = {group: sums[group] for group in ordered[:most]}
    if rest := [sums[group] for group in ordered[most:]]:
        kept[OTHERS] = sum(rest, Sum())
    return kept

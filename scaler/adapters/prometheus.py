"""Meter that Prometheus reads: the text format over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from prominence.core.errors import ProminenceError
from prominence.core.machines import Size
from prominence.core.prometheus import JOIN_BUCKETS_S, RoundFigures
from prominence.core.scaling import Action
from prominence.scaler.figures import Figures, Joins, ages_s, figures, parts_seen
from prominence.scaler.ports import RoundReport

_DECIDE_BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)
_ROUND_BUCKETS = (0.03, 0.1, 0.3, 1, 3, 10, 30)


class Metrics(RoundFigures):
    """clock: as the rounds have it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__("scaler", _ROUND_BUCKETS)
        self._clock = clock
        self._joins = Joins()
        self._seen: dict[str, datetime] = {}
        self._decide_s = Histogram(
            self.name("decide_seconds"), "How long deciding takes.", buckets=_DECIDE_BUCKETS, registry=self.registry
        )
        self._actions = Counter(
            self.name("actions"),
            "What imc was asked for, why, and whether it agreed.",
            ["act", "reason", "end"],
            registry=self.registry,
        )
        self._join_s = Histogram(
            self.name("join_seconds"),
            "From the order, made in the round that saw the demand, until the worker has joined the pool.",
            ["cloud"],
            buckets=JOIN_BUCKETS_S,
            registry=self.registry,
        )
        self._pool = _Pool(self, lambda: ages_s(self._seen, self._clock()))
        self.registry.register(self._pool)

    def leads(self, it_does: bool) -> None:
        super().leads(it_does)
        if not it_does:
            self._joins.forget()
            self._seen.clear()
            self._pool.figures = None

    def decided(self, report: RoundReport) -> None:
        self._decide_s.observe(report.decide_s)
        for part in parts_seen(report.snapshot):
            self._seen[part] = report.snapshot.taken_at
        if report.snapshot.workers is not None:
            for cloud, seconds in self._joins.news(report.snapshot.workers):
                self._join_s.labels(cloud).observe(seconds)
        self._pool.figures = figures(report.snapshot, report.plan)

    def acted(self, action: Action, error: ProminenceError | None) -> None:
        end = type(error).__name__ if error else "agreed"
        self._actions.labels(action.act.value, action.cause.value, end).inc()


class _Pool(Collector):
    """What holds now. A figure that is not known is not there."""

    def __init__(self, names: RoundFigures, ages: Callable[[], Mapping[str, float]]) -> None:
        self.figures: Figures | None = None
        self._names = names
        self._ages = ages

    def collect(self) -> Iterable[GaugeMetricFamily]:
        what = "How old what is known of a part of the pool is."
        yield self._names.gauge("snapshot_age_seconds", what, "part", self._ages())
        if self.figures is not None:
            yield from _families(self.figures, self._names)


def _families(now: Figures, names: RoundFigures) -> Iterator[GaugeMetricFamily]:
    if now.jobs is not None:
        yield names.gauge("waiting_jobs", "Jobs that wait, by why they wait.", "reason", now.jobs)
    for name, text, size in (
        ("demand", "What waiting jobs ask for, all together; memory and disk in MiB.", now.wanted),
        ("room_free", "What workers that do not drain have left; memory and disk in MiB.", now.free),
        ("room_total", "What all workers have; memory and disk in MiB.", now.total),
    ):
        if size is not None:
            yield names.gauge(name, text, "resource", _resources(size))
    if now.workers is not None:
        workers = GaugeMetricFamily(
            names.name("workers"), "Workers that imc has a record of.", labels=["cloud", "phase"]
        )
        for (cloud, phase), count in now.workers.items():
            workers.add_metric([cloud, phase], count)
        yield workers
    if now.points is not None:
        points = GaugeMetricFamily(
            names.name("execute_points"),
            "Machines in the pool: dynamic ones are imc's, static ones are there without it.",
            labels=["kind", "draining"],
        )
        for (is_recorded, drains), count in now.points.items():
            points.add_metric(["dynamic" if is_recorded else "static", "yes" if drains else "no"], count)
        yield points


def _resources(size: Size) -> dict[str, float]:
    return {"cpus": size.cpus, "memory": size.memory_mib, "disk": size.disk_mib, "gpus": size.gpus}

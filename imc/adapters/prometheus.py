"""Meter that Prometheus reads: the text format over HTTP. No figure names a worker, a user or a job."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from prominence.core.machines import CloudStatus, Worker
from prominence.core.prometheus import JOIN_BUCKETS_S, RoundFigures
from prominence.imc.meter import Meter

_ROUND_BUCKETS = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)


class Metrics(RoundFigures, Meter):
    """Figures of clouds and workers are told by the imc that leads, and by it alone."""

    def __init__(self) -> None:
        super().__init__("imc", _ROUND_BUCKETS)
        self._acts = Counter(
            self.name("acts"),
            "Steps that reach clouds or pool, by how they ended.",
            ["act", "end"],
            registry=self.registry,
        )
        self._join_s = Histogram(
            self.name("join_seconds"),
            "From a machine that is there to a worker that has joined the pool.",
            ["cloud"],
            buckets=JOIN_BUCKETS_S,
            registry=self.registry,
        )
        self._wasted = Counter(
            self.name("wasted"), "Machines that were given up before they joined.", ["cloud"], registry=self.registry
        )
        self._reloads = Counter(
            self.name("reloads"),
            "Settings that were read anew: in force, or refused.",
            ["end"],
            registry=self.registry,
        )
        self._valid = Gauge(
            self.name("configuration_valid"), "0: the settings as they are now are refused.", registry=self.registry
        )
        self._valid.set(1)
        self._now = _Now(self)
        self.registry.register(self._now)

    def leads(self, it_does: bool) -> None:
        super().leads(it_does)
        if not it_does:
            self._now.clouds, self._now.workers = (), {}

    def seen(self, clouds: Sequence[CloudStatus], workers: Iterable[Worker]) -> None:
        tally = Tally((one.flavour.cloud if one.flavour else "", one.phase.value) for one in workers)
        self._now.clouds, self._now.workers = tuple(clouds), tally

    def acted(self, act: str, error: BaseException | None) -> None:
        self._acts.labels(act, type(error).__name__ if error else "done").inc()

    def joined(self, cloud: str, seconds: float) -> None:
        self._join_s.labels(cloud).observe(seconds)

    def wasted(self, cloud: str) -> None:
        self._wasted.labels(cloud).inc()

    def configured(self, is_valid: bool) -> None:
        self._valid.set(is_valid)
        self._reloads.labels("in_force" if is_valid else "refused").inc()


class _Now(Collector):
    """What holds now."""

    def __init__(self, names: RoundFigures) -> None:
        self._names = names
        self.clouds: tuple[CloudStatus, ...] = ()
        self.workers: dict[tuple[str, str], int] = {}

    def collect(self) -> Iterable[GaugeMetricFamily]:
        clouds, workers = self.clouds, self.workers
        by_phase = GaugeMetricFamily(
            self._names.name("workers"), "Workers that there is a record of.", labels=["cloud", "phase"]
        )
        for (cloud, phase), count in workers.items():
            by_phase.add_metric([cloud, phase], count)
        yield by_phase
        for name, text, figures in (
            ("cloud_up", "1: nothing is wrong with the cloud.", [not one.error for one in clouds]),
            ("cloud_workers", "Workers and machines there.", [one.occupied for one in clouds]),
            ("cloud_workers_max", "Workers there may be.", [one.most for one in clouds]),
            ("cloud_cpus", "CPUs of the workers there.", [one.cpus for one in clouds]),
            ("cloud_flavours", "Flavours it offers.", [len(one.flavours) for one in clouds]),
            ("cloud_flavours_left_alone", "Of these not to be had now.", [len(one.troubles) for one in clouds]),
            ("cloud_orphans", "Machines there with our mark and no record.", [len(one.orphans) for one in clouds]),
        ):
            named = {cloud.name: figure for cloud, figure in zip(clouds, figures, strict=True)}
            yield self._names.gauge(name, text, "cloud", named)

"""What the figures of all parts have in common, as Prometheus reads them: the text format over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server
from prometheus_client.core import GaugeMetricFamily

from prominence.core import logs

log = logs.get(__name__)

JOIN_BUCKETS_S = (2, 5, 10, 20, 30, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600)
"""Of the time that machines take to join a pool."""


class Address(Protocol):
    """Where somebody may read. port None: nobody may."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int | None: ...


class Figures:
    """Those of one part. All their names begin with prominence_ and its name."""

    def __init__(self, part: str) -> None:
        self._part = part
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

    def name(self, name: str) -> str:
        """In full."""
        return f"prominence_{self._part}_{name}"

    def gauge(self, name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
        """For what is collected when somebody asks: a figure for each value of a label."""
        family = GaugeMetricFamily(self.name(name), text, labels=[label])
        for value, figure in values.items():
            family.add_metric([value], figure)
        return family

    def serve(self, address: Address) -> int | None:
        """Answer whoever asks, in threads of its own; the port. None: nobody can or shall; the part goes on."""
        if address.port is None:
            return None
        try:
            server, _ = start_http_server(address.port, address.host, self.registry)
        except OSError as error:  # of two on one machine; their work is more important than figures
            log.warning("nobody can read figures", address=f"{address.host}:{address.port}", error=str(error))
            return None
        return int(server.server_port)


class RoundFigures(Figures):
    """Of a part that works in rounds, while it leads. buckets_s: of the time that a round takes."""

    def __init__(self, part: str, buckets_s: Sequence[float]) -> None:
        super().__init__(part)
        self._leader = Gauge(self.name("leader"), f"1: this {part} leads. 0: another does.", registry=self.registry)
        self._rounds = Counter(self.name("rounds"), "Rounds, by how they ended.", ["end"], registry=self.registry)
        self._round_s = Histogram(
            self.name("round_seconds"), "How long rounds take.", buckets=buckets_s, registry=self.registry
        )

    @contextmanager
    def round(self) -> Iterator[None]:
        """Around each round."""
        began, end = time.perf_counter(), "failed"
        try:
            yield
            end = "ended"
        finally:
            self._rounds.labels(end).inc()
            self._round_s.observe(time.perf_counter() - began)

    def leads(self, it_does: bool) -> None:
        """Whether this one leads."""
        self._leader.set(it_does)

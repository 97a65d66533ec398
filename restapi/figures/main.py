"""The process that tells Prometheus: settings -> adapters -> a server.

prominence-restapi-metrics, or python3 -m prominence.restapi.figures.main

One on each access point, beside the API and with its settings.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from prominence.core import logs
from prominence.core.errors import Rejected
from prominence.restapi import beats, rounds
from prominence.restapi.adapters.prometheus import Conditions, GroupUsage, LedgerDrift, ServiceFigures, Unsent
from prominence.restapi.adapters.recount import HistoryRecount
from prominence.restapi.health import checks
from prominence.restapi.ports import UsageStore
from prominence.restapi.usage import By, Key, Period, Sum, Whose
from prominence.restapi.wiring import services_of

log = logs.get(__name__)

COMPONENT = "metrics"
CONDITIONS_GOOD_FOR_S = 30.0
USAGE_GOOD_FOR_S = 60.0
BEAT_S = 30.0
"""It has no rounds of its own, and tells so often that it is there."""

WRITTEN_TO = "PROMETHEUS_MULTIPROC_DIR"
"""Where the API's processes write what they count: the library's own name for it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    options = rounds.parser(COMPONENT, "Tells Prometheus how the API does.").parse_args(arguments)
    try:
        settings = rounds.settled(COMPONENT, options)
        services = services_of(settings)
    except Rejected as error:
        return rounds.refused(COMPONENT, error)
    recount = HistoryRecount(settings.archive.usage_file, settings.archive.history_file)
    written_to = os.environ.get(WRITTEN_TO)
    figures = ServiceFigures(
        Path(written_to) if written_to else None,
        partial(Conditions, find=partial(checks.findings, services), good_for_s=CONDITIONS_GOOD_FOR_S),
        partial(LedgerDrift, find=recount.drift, good_for_s=USAGE_GOOD_FOR_S),
        partial(GroupUsage, sums=partial(_of_groups, services.usage), good_for_s=USAGE_GOOD_FOR_S),
    )
    if services.vitals.copied is not None:
        figures.registry.register(Unsent(figures, services.vitals.copied.backlog))
    stop = rounds.until_told()
    figures.serve(settings.metrics)
    log.info("started", host=settings.metrics.host, port=settings.metrics.port)
    rounds.go_round(lambda: BEAT_S, stop, BEAT_S, beats.of(COMPONENT, services))
    return 0


def _of_groups(usage: UsageStore) -> Mapping[str, Sum]:
    until_now = Period(0, int(time.time()) + 1)
    return {group: one for (group,), one in usage.grouped([By(Key.GROUP)], until_now, Whose(groups=None)).items()}


if __name__ == "__main__":
    sys.exit(main())

"""Workers coming and going, as Docker's own events tell it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import docker

from prominence.cli.pool.containers import WORKER, containers
from prominence.cli.pool.layout import POOL_LABEL, ROLE_LABEL, WORKER_LABEL, Pool

WORDS = {"start": "appeared", "destroy": "was removed"}


def worker_events(engine: docker.DockerClient, pool: Pool, since: datetime, until_empty: bool) -> Iterator[str]:
    """One line per worker that appeared or was removed since then; ends when none is left, if that is wished."""
    filters = {"type": "container", "label": [f"{POOL_LABEL}={pool.name}", f"{ROLE_LABEL}={WORKER}"]}
    for event in engine.events(since=int(since.timestamp()), decode=True, filters={**filters, "event": list(WORDS)}):
        action = event["Action"]
        name = event["Actor"]["Attributes"].get(WORKER_LABEL, event["Actor"]["ID"][:12])
        at = datetime.fromtimestamp(event["time"], UTC)
        yield f"{at:%H:%M:%S} worker {name} {WORDS[action]}"
        if until_empty and action == "destroy" and not containers(engine, pool, WORKER):
            return

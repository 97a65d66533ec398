"""DAGMan dies while a workflow comes to its end: what runs there runs once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from real_parts import RealPool, until
from real_workflows import finish, jobs_of, step, submit

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(1200)]


def test_what_runs_at_the_end_runs_once_whenever_dagman_dies(pool: RealPool, tiny_image: str) -> None:
    last = step("last", tiny_image, "sleep 4")
    good, bad = step("a", tiny_image, "true"), step("a", tiny_image, "false")
    while_it_runs = {
        "completed": submit(pool, good, name="w", **{"finally": last}),
        "failed": submit(pool, bad, name="w", onFailure=last),
    }
    not_seen = submit(pool, good, name="w", **{"finally": last})
    for workflow in while_it_runs.values():
        until(lambda: last_of(pool, workflow, "running"), 120)  # noqa: B023 - called at once
        signal(pool, "KILL", workflow)
    # Of this one DAGMan does not see the end before it dies.
    until(lambda: last_of(pool, not_seen, "running"), 120)
    signal(pool, "STOP", not_seen)
    until(lambda: last_of(pool, not_seen, "completed"), 60)
    signal(pool, "KILL", not_seen)

    for status, workflow in [*while_it_runs.items(), ("completed", not_seen)]:
        assert finish(pool, workflow)["status"] == status
        assert Counter(one["name"] for one in jobs_of(pool, workflow)) == {"w/a": 1, "w/last": 1}


def last_of(pool: RealPool, workflow: int, status: str) -> list[dict[str, Any]]:
    return [one for one in jobs_of(pool, workflow) if (one["name"], one["status"]) == ("w/last", status)]


def signal(pool: RealPool, name: str, workflow: int) -> None:
    pool.inside("access-point", "pkill", f"-{name}", "-f", f"condor_scheduniv_exec.{workflow}.0")

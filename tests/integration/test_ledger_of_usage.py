"""What a batch has used, attempt by attempt, beside a recount of HTCondor's own records, on real parts."""

from __future__ import annotations

import csv
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from real_parts import RealPool, until
from recount import SCHEDULER, recount

pytestmark = pytest.mark.slow


def told(pool: RealPool, by: str, of: str = "groups") -> dict[str, dict[str, Any]]:
    days = {name: f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" for name, days in (("start", -1), ("end", 1))}
    answer = pool.request("GET", "/usage", params={"by": by, "of": of, **days})
    assert answer.status_code == 200, answer.text
    return {row["of"][0]: row for row in answer.json()["rows"]}


def test_a_batch_is_booked_as_htcondors_own_records_have_it(pool: RealPool, tiny_image: str) -> None:
    group = f"ledger-{time.time_ns()}"
    member = pool.in_group(group)
    task = {"image": tiny_image, "runtime": "docker"}
    lost = member.submit({**task, "cmd": "sleep 20"}, labels={"part": "lost"})
    name = str(member.wait_for(lost, "running")["execution"]["worker"])
    (worker,) = (one for one in pool.containers("worker") if one.labels["prominence.worker"] == name)
    worker.kill()
    good = [member.submit({**task, "cmd": f"sleep {seconds}"}, resources={"cpus": cpus, "memory": 0.2, "disk": 0.1})
            for seconds, cpus in ((1, 1), (2, 2))]  # fmt: skip
    bad = member.submit({**task, "cmd": "sh -c 'sleep 1; exit 3'"})
    gone = member.submit({**task, "cmd": "sh -c 'sleep 2; echo up; sleep 600'"})
    flow = {
        "jobs": [
            {"name": name, "tasks": [{**task, "cmd": "sleep 1"}], "resources": {"cpus": 1, "memory": 0.2, "disk": 0.1}}
            for name in ("a", "b")
        ],
        "dependencies": {"a": ["b"]},
    }
    answer = member.request("POST", "/workflows", json={"name": "flow", **flow})
    assert answer.status_code == 201, answer.text
    workflow = answer.json()["id"]
    until(lambda: member.output(gone) == "up\n", 300)  # HTCondor counts whole seconds: it has used some
    assert member.request("DELETE", f"/jobs/{gone}").status_code == 200
    ended = [member.finish(job, timeout_s=300)["status"] for job in (lost, *good, bad, gone)]
    assert ended == ["completed", "completed", "completed", "failed", "deleted"]

    def of_the_batch() -> list[dict[str, Any]]:
        ads = [ad for ad in pool.all_history() if ad.get("ProminenceGroup") == group and ad["JobUniverse"] != SCHEDULER]
        return ads if len({ad["ClusterId"] for ad in ads}) == 7 else []  # a record may be there twice

    def in_full(row: dict[str, Any] | None) -> dict[str, Any] | None:
        return row if row is not None and row["jobs"] == 7 else None

    counted = recount(until(of_the_batch, 300), "ProminenceGroup")[group]
    assert counted.jobs == 7
    booked = until(lambda: in_full(told(member, "group").get(group)), 90, lambda: str(told(pool, "workflow", "me")))
    assert booked["coreHours"] == pytest.approx(counted.wall, abs=1e-9)
    assert booked["cpuHours"] == pytest.approx(counted.cpu, abs=1e-9)

    assert booked["attempts"] >= 8, "the job whose worker was killed was run again"
    by_outcome = told(member, "outcome")
    assert {outcome: row["jobs"] for outcome, row in by_outcome.items()} == {
        "completed": 5, "failed": 1, "deleted": 1, "again": 0,
    }  # fmt: skip
    assert told(member, "blame")["provider"]["attempts"] >= 1
    own = {by: told(pool, by, "me") for by in ("workflow", "label:part")}
    assert own["workflow"][str(workflow)]["jobs"] == 2
    assert own["label:part"]["lost"]["attempts"] >= 2
    # Every attempt was on a machine of the pool's one cloud, and so its cost is known.
    assert set(told(member, "cloud")) == {"docker"}
    assert sum(row["coreHours"] for row in by_outcome.values()) == pytest.approx(counted.wall, abs=1e-9)
    price = sum(row["cost"] for row in told(member, "flavour").values())
    assert 0 < price == pytest.approx(booked["cost"])
    shown = pool.in_group(group).run("usage", "--by", "group,outcome", "--group", "-o", "csv").stdout
    assert [row["outcome"] for row in csv.DictReader(shown.splitlines())] == sorted(by_outcome)
    assert "█" in member.run("usage", "--by", "group", "--group").stdout

"""A group that has used up its budget is stopped, and goes on once it is given more, on real parts."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import docker
import pytest
import requests
import tomli_w
from mail_server import MailServer
from real_parts import RealPool, gateway, new_pool, until
from recount import recount

pytestmark = pytest.mark.slow

GROUP = "/physics/budget"
BOSS = "boss@example.org"
TODAY = datetime.now(UTC).date()
UNITS_OF_A_CORE = 600
"""In an hour, so that a core uses one up in six seconds."""

ACCOUNTING = {
    "core": UNITS_OF_A_CORE,
    "memory_gib": 0,
    "expected_s": 1,
    "budgets_interval_s": 1,
    "budgets": [
        {
            "group": GROUP,
            "units": 1,
            "start": TODAY - timedelta(days=1),
            "end": TODAY + timedelta(days=2),
            "action": "hold",
            "alert": [BOSS],
        }
    ],
}


@pytest.fixture
def mail(engine: docker.DockerClient) -> Iterator[MailServer]:
    server = MailServer(host=gateway(engine))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def pool(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory, mail: MailServer) -> Iterator[RealPool]:
    """With a group that may use one service unit, and an operator."""
    options = [
        "--idle-time",
        "60",
        "--max-workers",
        "1",
        "--mail-server",
        f"{mail.host}:{mail.port}",
        "--mail-to",
        BOSS,
    ]
    real = new_pool(tmp_path_factory.mktemp("state"), engine, *options)
    try:
        real.up()
        told = real.state / "config" / "restapi.toml"
        document = tomllib.loads(told.read_text())
        document["roles"]["operators"] = [real.request("GET", "/whoami").json()["user"]]
        told.write_text(tomli_w.dumps({**document, "accounting": ACCOUNTING}))
        real.containers("access-point")[0].restart()
        until(lambda: answers(real), 120)
        yield real
    finally:
        real.down("--purge")


def answers(pool: RealPool) -> bool:
    try:
        return pool.request("GET", "/health").status_code == 204
    except requests.RequestException:
        return False


def budget(pool: RealPool) -> dict[str, Any]:
    [found] = json.loads(pool.run("budget", "-o", "json").stdout)
    return dict(found)


def reason(pool: RealPool, job: int) -> str:
    return str(pool.describe(job).get("statusReasonCode"))


def subjects(mail: MailServer) -> list[str]:
    return [str(one.message["Subject"]) for one in mail.delivered]


def used(pool: RealPool) -> float:
    """By the accounts."""
    days = {"start": f"{TODAY - timedelta(days=1)}", "end": f"{TODAY + timedelta(days=2)}"}
    rows = pool.request("GET", "/usage", params={"by": "group", "of": "groups", **days}).json()["rows"]
    return float(sum(row["serviceUnits"] for row in rows if row["of"] == [GROUP]))


def test_a_group_is_stopped_by_its_budget_and_goes_on_with_an_adjustment(
    pool: RealPool, mail: MailServer, tiny_image: str
) -> None:
    member = pool.in_group(GROUP)
    task = {"image": tiny_image, "runtime": "docker"}
    nowhere = {"placement": {"requirements": {"sites": ["nowhere"]}}}
    long = member.submit({**task, "cmd": "sleep 10"})
    waiting = member.submit({**task, "cmd": "true"}, policies=nowhere)
    assert budget(member)["reserved"] == pytest.approx(2 * UNITS_OF_A_CORE / 3600)
    assert member.finish(long, timeout_s=300)["status"] == "completed"

    until(
        lambda: reason(member, waiting) == "HeldForBudget", 60, lambda: f"{budget(member)} {member.describe(waiting)}"
    )
    [ad] = json.loads(pool.inside("access-point", "condor_q", "-json", str(waiting)))
    assert (ad["JobStatus"], ad["HoldReasonCode"], ad["HoldReasonSubCode"]) == (5, 1, 2003)
    told = member.run("why", str(waiting)).stdout
    assert f"The budget of its group {GROUP} leaves no room for it" in told
    job = {"tasks": [{**task, "cmd": "true"}], "resources": {"cpus": 1, "memory": 0.2, "disk": 0.1}}
    refused = member.request("POST", "/jobs", json=job)
    assert (refused.status_code, "has 0 left" in refused.text) == (403, True), refused.text
    until(lambda: pool.request("GET", "/pool").json()["waiting"]["jobs"] == 0, 90, lambda: "it is still a demand")

    held = budget(member)
    assert held["used"] == used(member)
    counted = recount(pool.all_history(), "ProminenceGroup")[GROUP]
    assert held["used"] == pytest.approx(counted.wall * UNITS_OF_A_CORE, abs=1e-6)
    until(lambda: f"Budget of group {GROUP}: 100 % used" in subjects(mail), 60, lambda: str(subjects(mail)))

    member.run("budget", "adjust", GROUP, "100", "--why", "the conference")
    until(lambda: reason(member, waiting) != "HeldForBudget", 60, lambda: str(budget(member)))
    again = until(lambda: (answer := member.request("POST", "/jobs", json=job)).status_code == 201 and answer, 60)
    assert member.finish(again.json()["id"], timeout_s=300)["status"] == "completed"

    # Whoever enforces it may be killed at any time.
    pool.inside("access-point", "pkill", "-KILL", "-f", "prominence.restapi.budgets.main")
    member.run("budget", "adjust", GROUP, "-100", "--why", "the conference was put off")
    until(lambda: reason(member, waiting) == "HeldForBudget", 120, lambda: str(budget(member)))
    ledger = json.loads(member.run("budget", "ledger", GROUP, "-o", "json").stdout)
    assert [(one["units"], one["why"]) for one in ledger] == [
        (100, "the conference"),
        (-100, "the conference was put off"),
    ]
    assert abs(ledger[0]["time"] - time.time()) < 3600
    other = pool.in_group("/physics")
    assert json.loads(other.run("budget", "-o", "json").stdout) == budget_of_all(pool)


def budget_of_all(pool: RealPool) -> list[Any]:
    """An operator sees it whatever their own groups are."""
    return list(pool.request("GET", "/budgets").json())

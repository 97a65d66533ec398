"""Steps 1 to 12 on real parts, believed only where Docker's events and HTCondor's records say so."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from real_parts import RealPool, until


def _events_of_workers(pool: RealPool, since: float) -> list[tuple[str, str]]:
    """(action, worker) as the engine itself recorded it, oldest first."""
    labels = [f"prominence.pool={pool.name}", "prominence.role=worker"]
    stream = pool.engine.events(
        since=int(since), until=int(time.time()) + 1, decode=True, filters={"type": "container", "label": labels}
    )
    return [(event["Action"], event["Actor"]["Attributes"]["prominence.worker"]) for event in stream]


def _workers_in_the_collector(pool: RealPool) -> set[str]:
    return set(pool.inside("access-point", "condor_status", "-autoformat", "Machine").split())


def test_a_job_finds_no_worker_gets_one_runs_there_and_the_worker_goes(pool: RealPool, tiny_image: str) -> None:
    until(lambda: not pool.containers("worker"), 120, lambda: "workers of earlier tests do not go")
    started = time.time()

    done = pool.run(
        "create", "--wait", "--follow", "--name", "journey", "--env", "PLANET=Earth world",
        "--disk", "1", "--memory", "0.2", tiny_image, "sh -c 'echo hello $PLANET; id -u; pwd'",
    )  # fmt: skip
    said = done.stdout.splitlines()
    assert said[-3] == "hello Earth world", done.stdout
    assert int(said[-2]) >= 1000, "the task runs as an ordinary user"
    assert said[-1] == "/home/user"

    listed = pool.request("GET", "/jobs", params={"completed": "true", "num": "1"}).json()
    assert (listed[0]["name"], listed[0]["status"]) == ("journey", "completed")
    job = listed[0]["id"]

    # HTCondor's own record names the worker whose appearance Docker's own events hold.
    ad = pool.history(job)
    worker = ad["LastRemoteHost"].partition("@")[2]
    assert ("start", worker) in _events_of_workers(pool, started)
    assert ad["NumJobStarts"] == 1
    assert ad["ExitCode"] == 0
    described = pool.describe(job)
    assert described["execution"]["tasks"][0]["exitCode"] == 0
    assert described["events"]["createTime"] <= described["events"]["startTime"] <= described["events"]["endTime"]

    until(lambda: not pool.containers("worker"), 120, lambda: f"{worker} is idle and does not go")
    assert ("destroy", worker) in _events_of_workers(pool, started)
    assert pool.containers("task") == []
    until(lambda: worker not in _workers_in_the_collector(pool), 30, lambda: f"the collector still lists {worker}")
    until(lambda: not _left_of(pool, worker), 30, lambda: f"left over: {_left_of(pool, worker)}")


def _left_of(pool: RealPool, worker: str) -> list[Path]:
    return list((pool.state / "workers").glob(worker))


def test_the_workers_token_dies_with_it(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "true"})
    pool.finish(job)
    worker = pool.history(job)["LastRemoteHost"].partition("@")[2]
    until(lambda: worker not in {c.labels["prominence.worker"] for c in pool.containers("worker")}, 120)
    revoked = pool.state / "condor" / "revoked.conf"
    until(lambda: f"{worker}@workers" in revoked.read_text(), 30, lambda: revoked.read_text())


def test_every_step_left_its_reason_behind(pool: RealPool, tiny_image: str) -> None:
    """The reasons that a waiting user was shown are those of the scaler's own record."""
    until(lambda: not pool.containers("worker"), 120)
    job = pool.submit({"image": tiny_image, "cmd": "true"})
    seen: dict[str, Any] = {}

    def has_ended() -> bool:
        described = pool.describe(job)
        seen.setdefault(described["status"], described.get("statusReason", ""))
        return bool(described["status"] == "completed")

    until(has_ended, 120, lambda: str(seen))
    assert "deploying" in seen, seen
    assert "orker w-" in seen["deploying"], seen


def test_the_order_of_a_worker_is_found_again_in_the_logs_of_who_made_it(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "true"})
    pool.finish(job)
    worker = pool.history(job)["LastRemoteHost"].partition("@")[2]
    logs = {name: (pool.state / "log" / name / f"{name}.log").read_text().splitlines() for name in ("scaler", "imc")}
    lines = {name: [json.loads(line) for line in text] for name, text in logs.items()}
    steps = {
        line["act"]: line.get("request") for line in lines["imc"] if line.get("worker") == worker and "act" in line
    }
    assert steps["create"] and steps["create"] in {line.get("request") for line in lines["scaler"]}

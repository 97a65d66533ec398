"""Workflows on a pool of a test run: submit them, wait for their end, and ask what has become of their jobs."""

from __future__ import annotations

from typing import Any

from real_parts import RealPool, until

SMALL = {"cpus": 1, "memory": 0.2, "disk": 0.1}
NOWHERE = {**SMALL, "cpus": 4096}
"""What no worker has."""


def step(name: str, image: str, cmd: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "tasks": [task(image, cmd)], "resources": SMALL, **changes}


def task(image: str, cmd: str) -> dict[str, Any]:
    return {"image": image, "cmd": cmd, "runtime": "docker"}


def submit(pool: RealPool, *jobs: dict[str, Any], **fields: Any) -> int:
    answer = pool.request("POST", "/workflows", json={"jobs": list(jobs), **fields})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def told(pool: RealPool, workflow: int) -> dict[str, Any]:
    answer = pool.request("GET", f"/workflows/{workflow}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()[0]
    return found


def finish(pool: RealPool, workflow: int, timeout_s: float = 240) -> dict[str, Any]:
    def has_ended() -> dict[str, Any] | None:
        found = told(pool, workflow)
        return found if found["status"] not in ("idle", "running") else None

    found: dict[str, Any] = until(has_ended, timeout_s, lambda: f"{told(pool, workflow)} {jobs_of(pool, workflow)}")
    return found


def jobs_of(pool: RealPool, workflow: int, query: str = "&all") -> list[dict[str, Any]]:
    answer = pool.request("GET", f"/jobs?workflow={workflow}{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def nodes_of(pool: RealPool, workflow: int) -> list[tuple[str, int | None, str, int | None]]:
    answer = pool.request("GET", f"/workflows/{workflow}/nodes")
    assert answer.status_code == 200, answer.text
    return [(one["job"], one.get("instance"), one["status"], one.get("id")) for one in answer.json()]


def printed(pool: RealPool, workflow: int, name: str, stream: str = "stdout") -> str:
    answer = pool.request("GET", f"/workflows/{workflow}/{name}/{stream}")
    assert answer.status_code == 200, answer.text
    return answer.content.decode()


def uid_of(pool: RealPool, workflow: int) -> str:
    return pool.inside(
        "access-point", "sh", "-c",
        f"condor_q -allusers {workflow} -af ProminenceJobUniqueIdentifier; "
        f"condor_history {workflow} -limit 1 -af ProminenceJobUniqueIdentifier",
    ).split()[0]  # fmt: skip

"""A worker that a user has started with a token from `POST /token`: it runs that user's jobs and nobody else's."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
from real_machines import CPUS, Machines
from real_parts import RealPool, until

LARGE = {"cpus": CPUS, "memory": 0.2, "disk": 0.1}
"""What no worker of the pool's own can have."""


def test_it_runs_its_users_jobs_and_nobody_elses(pool: RealPool, machines: Machines, tiny_image: str) -> None:
    made = token_for_workers(pool)
    machines.start("own-1", f"laptop.{made['owner']}", made["token"])
    until(lambda: f"laptop.{made['owner']}" in machines_in(pool), 60)
    bob = as_user(pool, "bob")
    tasks = {"image": tiny_image, "cmd": "true"}
    others, small, own = bob.submit(tasks, resources=LARGE), bob.submit(tasks), pool.submit(tasks, resources=LARGE)
    assert pool.finish(own)["status"] == "completed"
    assert pool.history(own)["LastRemoteHost"].endswith(f"@laptop.{made['owner']}")
    # Its room is nobody else's: for a job of another user's a worker of the pool's is made.
    assert bob.finish(small)["status"] == "completed"
    assert "laptop" not in pool.history(small)["LastRemoteHost"]
    assert bob.describe(others)["status"] in ("idle", "waiting")
    assert bob.request("DELETE", f"/jobs/{others}").status_code == 200
    assert not [one for one in pool.request("GET", "/resources").json()["existing"] if one["capacity"]["cpus"] == 48]


def test_without_a_container_a_job_runs_where_that_is_allowed_and_nowhere_else(
    pool: RealPool, machines: Machines, tmp_path: Path
) -> None:
    script = "cat in > out; pwd; echo $HOME; python3 --version; exec sleep 1"
    task = {"image": "scratch", "runtime": "process", "cmd": f"sh -c '{script}'", "env": {"A": "b"}}
    files = {"inputs": [{"filename": "in", "content": base64.b64encode(b"42\n").decode()}], "outputFiles": ["out"]}
    job = pool.submit(task, **files)
    small = pool.submit({"image": "scratch", "runtime": "process", "cmd": "no-such-program"})
    made = token_for_workers(pool)
    machines.start("own-8", f"bare.{made['owner']}", made["token"], "process")
    ended, other = pool.finish(job), pool.finish(small)
    assert (ended["status"], other["status"], other["statusReasonCode"]) == ("completed", "failed", "CommandNotFound")
    assert ended["execution"]["runtimeVersion"].keys() >= {"process"}
    assert pool.history(job)["LastRemoteHost"].endswith(f"@bare.{made['owner']}")
    home, told, version = pool.output(job).splitlines()
    assert home == told != "/home/user"
    assert version.startswith("Python 3")
    pool.run("download", str(job), cwd=tmp_path)
    assert (tmp_path / "out").read_text() == "42\n"


def test_its_token_is_good_for_names_of_its_owners_until_it_is_revoked(pool: RealPool, machines: Machines) -> None:
    made, bobs = token_for_workers(pool), token_for_workers(as_user(pool, "bob"))
    assert made["expires"] > datetime.now(UTC).timestamp() + 86_400
    claims = jwt.decode(made["token"], options={"verify_signature": False})
    assert claims["scope"].split() == ["condor:/ADVERTISE_STARTD", "condor:/ADVERTISE_MASTER"]
    machines.start("own-2", f"pc.{made['owner']}", made["token"])
    machines.start("own-3", f"pc.{bobs['owner']}", made["token"])
    machines.start("own-4", made["owner"], made["token"])
    until(lambda: f"pc.{made['owner']}" in machines_in(pool), 60)
    assert not {f"pc.{bobs['owner']}", made["owner"]} & machines_in(pool)
    assert pool.request("DELETE", "/token").status_code == 200
    machines.start("own-5", f"late.{made['owner']}", made["token"])
    machines.start("own-6", f"late.{bobs['owner']}", bobs["token"])
    until(lambda: f"late.{bobs['owner']}" in machines_in(pool), 60)
    assert not {f"late.{made['owner']}", f"pc.{bobs['owner']}", made["owner"]} & machines_in(pool)
    again = token_for_workers(pool)
    machines.start("own-7", f"again.{made['owner']}", again["token"])
    until(lambda: f"again.{made['owner']}" in machines_in(pool), 60)


def token_for_workers(pool: RealPool) -> dict[str, Any]:
    """A new one, of the pool's user. It is not of the second in which another was revoked."""

    def ask() -> dict[str, Any] | None:
        answer = pool.request("POST", "/token")
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        issued_at = jwt.decode(made["token"], options={"verify_signature": False})["iat"]
        seen.append(issued_at)
        return made if issued_at > seen[0] else None

    seen: list[int] = []
    return dict(until(ask, 10))


def machines_in(pool: RealPool) -> set[str]:
    """That the collector knows."""
    return set(pool.inside("access-point", "condor_status", "-af", "Machine").split())


def as_user(pool: RealPool, user: str) -> RealPool:
    """The same pool with a token of another user."""
    claims = jwt.decode(pool.token, options={"verify_signature": False})
    secret = (pool.state / "secrets/api.key").read_text()
    return replace(pool, token=jwt.encode({**claims, "sub": user}, secret, algorithm="HS256"))

"""`prominence worker start` on a machine of a user's, as an ordinary account, on a real pool."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import jwt
import pytest
from real_laptop import STATE, Laptop
from real_parts import RealPool, until

LARGE = {"cpus": 40, "memory": 0.2, "disk": 0.1}
"""What no worker of the pool's own can have."""


@pytest.fixture(scope="module")
def laptop(pool: RealPool, engine: docker.DockerClient) -> Iterator[Laptop]:
    found = Laptop(pool, engine)
    yield found
    found.close()


@pytest.fixture(scope="module")
def task(pool: RealPool, tiny_image: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """In a container of Apptainer's: no registry is near."""
    file = tmp_path_factory.mktemp("image") / "laptop.tar"
    with open(file, "wb") as opened:
        for piece in pool.engine.images.get(tiny_image).save(named=True):
            opened.write(piece)
    pool.run("upload", str(file))
    return {"image": "laptop.tar", "runtime": "apptainer"}


def test_a_worker_in_the_background_runs_its_users_jobs_alone_and_leaves_nothing(
    pool: RealPool, laptop: Laptop, task: dict[str, Any]
) -> None:
    laptop.prominence("worker start --name laptop --cpus 40 --memory 1 --detach")
    bobs = as_user(pool, "bob").submit({"image": "scratch", "cmd": "true"}, resources=LARGE)
    job = pool.submit({**task, "cmd": "sh -c 'cat /proc/self/status; id -u'"}, resources=LARGE)
    ended = pool.finish(job)
    assert ended["status"] == "completed", (ended, laptop.logs())
    host = pool.history(job)["LastRemoteHost"].partition("@")[2]
    assert host.startswith("laptop.")
    assert pool.output(job).splitlines()[-1] == laptop.sh("id -u")[1].strip()
    [listed] = json.loads(laptop.prominence("worker list -o json"))
    assert (listed["name"], listed["status"], listed["cpus"]) == ("laptop", "running", 40)
    assert laptop.sh(f"stat -c %a {STATE}/laptop {STATE}/laptop/etc/condor/tokens.d/pool")[1].split() == ["700", "600"]
    running = pool.submit({**task, "cmd": "sleep 600"}, resources=LARGE)
    pool.wait_for(running, "running")
    assert as_user(pool, "bob").describe(bobs)["status"] in ("idle", "waiting")
    laptop.prominence("worker stop")
    laptop.wait_until_gone()
    # The collector has been told, and the job waits for another machine.
    until(lambda: host not in pool.inside("access-point", "condor_status", "-any", "-af", "Machine").split(), 60)
    pool.wait_for(running, "idle", "waiting", "deploying")
    for whose, number in ((pool, running), (as_user(pool, "bob"), bobs)):
        assert whose.request("DELETE", f"/jobs/{number}").status_code == 200


def test_one_that_was_killed_leaves_no_process_and_another_takes_its_name(pool: RealPool, laptop: Laptop) -> None:
    start = "worker start --name again --runtime process --cpus 40 --memory 1 --detach"
    laptop.prominence(start)
    laptop.sh("pkill --signal KILL --full 'worker start --name again'")
    until(lambda: not laptop.processes(), 60, lambda: str(laptop.processes()))
    laptop.prominence(start)
    job = pool.submit({"image": "scratch", "runtime": "process", "cmd": "sh -c 'whoami; pwd'"}, resources=LARGE)
    assert pool.finish(job)["status"] == "completed", laptop.logs()
    assert pool.output(job).splitlines()[0] == "alice"
    laptop.prominence("worker stop again")
    laptop.wait_until_gone()
    assert laptop.sh("ls -d /tmp/prominence-*")[0] != 0  # of what it was doing when it was killed


def test_in_a_batch_job_it_ends_when_there_is_nothing_to_do_and_takes_no_job_that_would_not_end_in_time(
    pool: RealPool, laptop: Laptop, task: dict[str, Any]
) -> None:
    slurm = {
        "SLURM_JOB_ID": "77",
        "SLURM_CPUS_ON_NODE": "40",
        "SLURM_MEM_PER_NODE": "1000",
        "SLURM_JOB_END_TIME": str(int(time.time()) + 4000),
        "TMPDIR": "/tmp",
    }
    long = pool.submit({**task, "cmd": "true"}, resources={**LARGE, "walltime": 120})
    short = pool.submit({**task, "cmd": "true"}, resources={**LARGE, "walltime": 10})
    made = json.loads(pool.run("token", "worker", "-o", "json").stdout)
    laptop.sh("umask 077; cat > ~/token << END\n" + made["token"] + "\nEND")
    words = "worker start --token-file /home/alice/token --collector ap --idle-time 30 2>&1"
    said = laptop.prominence(words, PROMINENCE_TOKEN="none", **slurm)
    assert "40 cores, 0.744 GB, until " in said and "no job for " in said, said
    assert pool.describe(short)["status"] == "completed"
    assert "-77." in pool.history(short)["LastRemoteHost"]
    assert pool.describe(long)["status"] in ("idle", "waiting")
    assert pool.request("DELETE", f"/jobs/{long}").status_code == 200
    laptop.wait_until_gone()
    assert laptop.sh("ls -d /tmp/prominence-*")[0] != 0


def test_mistakes_are_sentences(laptop: Laptop, tmp_path: Path) -> None:
    token = 'printf \'a.%s.c\' $(printf \'{"sub":"x-0a@users","iss":"prominence"}\' | base64 -w 0) > ~/false'
    laptop.sh(token)
    for words, sentence in (
        ("--condor /tmp", "not all of HTCondor"),
        ("--token-file /home/alice/false --collector ap --memory 1", "The pool does not let this worker in: "),
    ):
        code, said = laptop.sh(f"prominence worker start {words}")
        assert (code, said.count("\n")) == (125, 1) and sentence in said, said
    assert not laptop.left()


def as_user(pool: RealPool, user: str) -> RealPool:
    """The same pool with a token of another user."""
    claims = jwt.decode(pool.token, options={"verify_signature": False})
    secret = (pool.state / "secrets/api.key").read_text()
    return replace(pool, token=jwt.encode({**claims, "sub": user}, secret, algorithm="HS256"))

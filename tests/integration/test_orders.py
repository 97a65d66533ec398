"""Commands that are run in jobs while these run, on real parts: HTCondor's own connection carries them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from real_executor import Registry, trust
from real_parts import RealPool, until

WORDS = ["a b", "x,y", "$HOME", "`id`", "--", "ä"]


@pytest.fixture(scope="module")
def registry(pool: RealPool, tiny_image: str) -> Iterator[Registry]:
    """A registry that a worker trusts; the worker stays while these tests last, since a job runs on it."""
    keeper = pool.submit({"image": tiny_image, "cmd": "sleep 600", "runtime": "docker"})
    pool.wait_for(keeper, "running")
    name = pool.describe(keeper)["execution"]["worker"]
    (worker,) = (one for one in pool.containers("worker") if one.labels["prominence.worker"] == name)
    registry = Registry(pool.engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"])
    trust(worker, registry.host)
    yield registry
    registry.close()
    pool.request("DELETE", f"/jobs/{keeper}")


@pytest.fixture(scope="module", params=["docker", "singularity"])
def job(request: pytest.FixtureRequest, pool: RealPool, tiny_image: str, registry: Registry) -> Iterator[int]:
    """A job that runs until nobody needs it any more."""
    image = tiny_image if request.param == "docker" else f"{registry.host}/tiny:1"
    task = {"image": image, "runtime": request.param, "cmd": "sh -c 'touch here; sleep 600'", "env": {"COLOUR": "red"}}
    job = pool.submit(task)
    pool.wait_for(job, "running")
    until(lambda: ask(pool, job, "ls").status_code == 200, 120, lambda: ask(pool, job, "ls").text)
    yield job
    pool.request("DELETE", f"/jobs/{job}")


def ask(pool: RealPool, job: int, *command: str) -> requests.Response:
    return pool.request("POST", f"/jobs/{job}/commands", json={"command": list(command)})


def test_a_command_gets_its_words_as_they_are_and_has_the_tasks_surroundings(pool: RealPool, job: int) -> None:
    printed = ask(pool, job, "printf", "<%s>", *WORDS).json()
    assert printed == {"exitCode": 0, "output": "".join(f"<{word}>" for word in WORDS)}
    script = "ls; pwd; echo $COLOUR $PROMINENCE_JOB_ID; grep -E '^(CapEff|NoNewPrivs)' /proc/self/status"
    script += "; echo no >&2; exit 3"
    printed = ask(pool, job, "sh", "-c", script).json()
    assert printed["exitCode"] == 3
    assert printed["output"].splitlines() == [
        *("here", "/home/user", f"red {job}", "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "no"),
    ]


def test_it_is_nobody_and_sees_nothing_that_the_task_does_not(pool: RealPool, job: int) -> None:
    def seen(name: str) -> str:
        return str(ask(pool, job, "readlink", f"/proc/self/ns/{name}").json()["output"])

    def of_the_task(name: str) -> str:
        script = f"for one in /proc/[0-9]*; do grep -qx sleep $one/comm && readlink $one/ns/{name}; done"
        return str(ask(pool, job, "sh", "-c", script).json()["output"])

    for name in ("mnt", "pid", "net", "ipc", "user"):
        assert seen(name) == of_the_task(name)
    assert ask(pool, job, "id", "-u").json()["output"].strip() != "0"
    assert ask(pool, job, "sh", "-c", "ls /run/prominence /opt/prominence /home/user/../..").json()["exitCode"] != 0


def test_a_program_that_is_not_there_is_told(pool: RealPool, job: int) -> None:
    answer = ask(pool, job, "nonexistent")
    assert answer.status_code == 409 or answer.json()["exitCode"] in (126, 127)


def test_the_job_goes_on(pool: RealPool, job: int) -> None:
    ask(pool, job, "sh", "-c", "sleep 100 & kill -9 $$")
    assert pool.describe(job)["status"] == "running"
    assert ask(pool, job, "sh", "-c", "cat /proc/[0-9]*/comm | grep -x sleep").json()["exitCode"] == 0


def test_the_command_prints_it_and_ends_as_it_ended(pool: RealPool, job: int) -> None:
    done = pool.run("exec", str(job), "sh", "-c", "echo 'a  b'; exit 4", check=False)
    assert (done.returncode, done.stdout) == (4, "a  b\n"), done.stderr
    assert pool.run("exec", str(job), "printf '<%s>' 'a  b' c").stdout == "<a  b><c>"


def test_the_published_client_runs_one_too(pool: RealPool, job: int, old_client: Path) -> None:
    done = subprocess.run(
        [old_client, "exec", str(job), "echo a b"], capture_output=True, text=True, env=pool.environment(), timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "a b"), done.stderr


def test_a_job_that_has_ended_cannot_be_asked(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "true", "runtime": "docker"})
    pool.finish(job)
    answer = ask(pool, job, "ls")
    assert (answer.status_code, json.loads(answer.text)["error"]) == (
        409,
        f"Job {job} is not running: it is completed.",
    )

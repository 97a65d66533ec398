"""What is asked of jobs while they run, on real parts: HTCondor's own connection carries it."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from real_executor import Registry, trusted_registry
from real_parts import RealPool, until

WORDS = ["a b", "x,y", "$HOME", "`id`", "--", "ä"]


@pytest.fixture(scope="module")
def registry(pool: RealPool, tiny_image: str) -> Iterator[Registry]:
    with trusted_registry(pool, tiny_image) as registry:
        yield registry


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
    lines = printed["output"].splitlines()
    lines.remove("no")  # Docker keeps no order between the two streams
    assert lines == ["here", "/home/user", f"red {job}", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"]


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


def contents(archive: Path) -> dict[str, bytes | str | None]:
    """What there is by name: a file's bytes, where a link leads to, None for a directory."""
    with tarfile.open(archive) as opened:
        return {
            entry.name: entry.linkname if entry.issym() else opened.extractfile(entry).read() if entry.isreg() else None  # type: ignore[union-attr]
            for entry in opened
        }


def test_a_snapshot_is_a_copy_of_what_the_task_has_written(pool: RealPool, job: int, tmp_path: Path) -> None:
    script = "mkdir -p made/deep; echo one > made/deep/file; ln -s /etc/passwd made/link; mkfifo made/pipe"
    assert ask(pool, job, "sh", "-c", script).json()["exitCode"] == 0
    done = pool.run("snapshot", str(job), "made", "--file", str(tmp_path / "made.tgz"))
    assert contents(tmp_path / "made.tgz") == {
        "made": None,
        "made/deep": None,
        "made/deep/file": b"one\n",
        "made/link": "/etc/passwd",
    }, done.stderr
    ask(pool, job, "sh", "-c", "echo two > made/deep/file")
    pool.run("snapshot", str(job), "/home/user/made/deep/file", "--file", str(tmp_path / "file.tgz"))
    assert contents(tmp_path / "file.tgz") == {"file": b"two\n"}


def test_a_snapshot_of_what_is_not_in_the_home_is_refused(pool: RealPool, job: int) -> None:
    assert ask(pool, job, "sh", "-c", "ln -sfn / way-out; ln -sf /etc/passwd users").json()["exitCode"] == 0
    for path in ("nothing", "/etc/passwd", "../..", "way-out", "way-out/etc", "users", "made/../../../etc/passwd"):
        answer = pool.request("PUT", f"/jobs/{job}/snapshot", params={"path": path})
        assert answer.status_code == 409, (path, answer.text)
        assert "no such file or directory in the home of job" in answer.json()["error"], path


def test_the_published_client_takes_one_too(pool: RealPool, job: int, old_client: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [old_client, "snapshot", str(job), "here"],
        capture_output=True,
        text=True,
        env=pool.environment(),
        timeout=60,
        cwd=tmp_path,
    )
    assert contents(tmp_path / "snapshot.tgz") == {"here": b""}, done.stdout + done.stderr


def test_the_walltime_of_a_running_job_changes(pool: RealPool, registry: Registry, tiny_image: str) -> None:
    def submitted(seconds: int, minutes: int) -> int:
        task = {"image": tiny_image, "runtime": "docker", "cmd": f"sleep {seconds}"}
        return pool.submit(task, resources={"cpus": 1, "memory": 1, "disk": 1, "walltime": minutes})

    def change(job: int, minutes: int) -> None:
        pool.wait_for(job, "running")
        pool.run("edit", str(job), "--walltime", str(minutes))
        assert pool.describe(job)["resources"]["walltime"] == minutes

    longer, shorter = submitted(75, 1), submitted(600, 60)
    change(longer, 10)
    change(shorter, 1)
    answer = pool.request("PATCH", f"/jobs/{shorter}", json={"labels": {"a": "b"}})
    assert answer.status_code == 409 and "Only its walltime can change." in answer.json()["error"]
    assert pool.finish(longer)["status"] == "completed"
    assert pool.describe(longer)["execution"]["tasks"][0]["wallTimeUsage"] > 74
    ended = pool.finish(shorter)
    assert (ended["status"], ended["statusReasonCode"]) == ("killed", "WalltimeExceeded")
    assert " s of 60 s." in ended["statusReason"]


def test_a_job_that_has_ended_cannot_be_asked(pool: RealPool, tiny_image: str) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "true", "runtime": "docker"})
    pool.finish(job)
    answer = ask(pool, job, "ls")
    assert (answer.status_code, json.loads(answer.text)["error"]) == (
        409,
        f"Job {job} is not running: it is completed.",
    )

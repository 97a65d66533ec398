"""What the published client prints, column by column."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from oidc_provider import RealProvider
from real_executor import trusted_registry
from real_parts import RealPool, until
from recount import Counted, recount

LIST = ("ID", "NAME", "CREATED", "STATUS", "ELAPSED", "IMAGE", "CMD")
COMMAND = "sh -c 'wc -l words.txt > count.txt; mkdir kept; cp words.txt kept; echo $COLOUR; cat greeting'"


class OldClient:
    """The command in a directory, as a user of the pool."""

    def __init__(self, program: Path, pool: RealPool, here: Path) -> None:
        self.program, self.pool, self.here = program, pool, here

    def run(self, *words: str) -> str:
        done = subprocess.run(
            [self.program, *words],
            capture_output=True,
            text=True,
            env=self.pool.environment(),
            cwd=self.here,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), (words, done.stdout, done.stderr)
        return done.stdout

    def listed(self, job: int, *options: str) -> dict[str, str]:
        """A job's row, by column."""
        head, *rows = self.run("list", *options).splitlines()
        starts = [re.search(rf"\b{name}\b", head).start() for name in LIST]  # type: ignore[union-attr]
        [row] = [row for row in rows if row.split()[0] == str(job)]
        ends = [*starts[1:], None]
        return {name: row[start:end].strip() for name, start, end in zip(LIST, starts, ends, strict=True)}

    def usage(self, *options: str) -> dict[str, dict[str, str]]:
        """What is printed of each user or group."""
        found: dict[str, dict[str, str]] = {}
        sums: dict[str, str] = {}
        for line in self.run("usage", *options).splitlines():
            if line.startswith(" "):
                label, figure = re.split(r"\s{2,}", line.strip())
                sums[label] = figure
            else:
                found[line] = sums = {}
        return found


@pytest.fixture
def client(old_client: Path, pool: RealPool, tmp_path: Path) -> OldClient:
    return OldClient(old_client, pool, tmp_path)


@pytest.fixture
def image(pool: RealPool, tiny_image: str) -> Iterator[str]:
    """One that no worker has yet."""
    with trusted_registry(pool, tiny_image) as registry:
        yield f"{registry.host}/tiny:1"


@pytest.fixture
def job(client: OldClient, image: str) -> Iterator[int]:
    """One with all that it can be given, when it has ended."""
    (client.here / "words.txt").write_text("one\ntwo\n")
    (client.here / "greeting").write_text("good day\n")
    assert client.run("upload", "--name", "words.txt", "--filename", "words.txt").strip().endswith("Success")
    said = client.run(
        *("create", "--name", "all", "--cpus", "1", "--memory", "1", "--disk", "1", "--walltime", "10"),
        *("--label", "kind=columns", "--env", "COLOUR=red", "--artifact", "words.txt", "--input", "greeting"),
        *("--output", "count.txt", "--outputdir", "kept", "--priority", "3", "--retries", "1", "--task-retries", "2"),
        *("--max-time-in-queue", "60", "--leave-in-queue", "--runtime", "singularity", image, COMMAND),
    )
    found = re.fullmatch(r"Job created with id (\d+)\n", said)
    assert found is not None, said
    number = int(found[1])
    assert client.pool.finish(number)["status"] == "completed"
    yield number
    client.pool.request("DELETE", f"/jobs/{number}")
    client.run("rm", "words.txt")


def when_all_have_left(pool: RealPool, jobs: set[int]) -> list[dict[str, Any]]:
    """HTCondor's history, once all of these are in it."""
    history = pool.all_history()
    return history if jobs <= {ad["ClusterId"] for ad in history} else []


def figures(counted: Counted) -> dict[str, str]:
    """As the client prints them: whole numbers."""
    return {
        "Number of jobs": str(counted.jobs),
        "CPU time (CPU hours)": str(int(counted.cpu)),
        "Wall time (CPU hours)": str(int(counted.wall)),
    }


def moment(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()


def test_list_has_every_column(client: OldClient, job: int, image: str) -> None:
    for options in ((), ("--all",), ("--name", "all"), ("--constraint", "kind=columns")):
        row = client.listed(job, *options)
        assert row["ID"] == str(job)
        assert row["NAME"] == "all"
        assert abs(moment(row["CREATED"]) - time.time()) < 600
        assert row["STATUS"] == "completed"
        assert re.fullmatch(r"0\+00:0\d:\d\d", row["ELAPSED"])
        assert row["IMAGE"] == image
        assert row["CMD"] == COMMAND


def test_describe_has_every_field(client: OldClient, job: int, image: str) -> None:
    told = json.loads(client.run("describe", str(job)))
    assert told["id"] == job
    assert told["name"] == "all"
    assert told["status"] == "completed"
    assert told["resources"] == {"nodes": 1, "cpus": 1, "memory": 1, "disk": 1, "walltime": 10}
    assert told["labels"] == {"kind": "columns"}
    assert told["artifacts"] == [{"url": "words.txt"}]
    assert [(one["name"], one["size"]) for one in told["outputFiles"]] == [("count.txt", 12)]
    assert [one["name"] for one in told["outputDirs"]] == ["kept"]
    assert told["tasks"] == [{"image": image, "runtime": "singularity", "cmd": COMMAND, "env": {"COLOUR": "red"}}]
    assert told["policies"] == {
        **{"maximumRetries": 1, "maximumTaskRetries": 2, "maximumTimeInQueue": 60},
        **{"leaveInQueue": True, "priority": 3},
    }
    created, started, ended = (moment(told["events"][name]) for name in ("createTime", "startTime", "endTime"))
    assert time.time() - 600 < created <= started <= ended <= time.time()
    _check_execution(told["execution"])


def _check_execution(told: dict[str, Any]) -> None:
    assert told["site"]
    assert told["cpu"]["model"]
    assert told["provisionedResources"]["cpus"] >= 1
    assert told["runtimeVersion"]
    assert told["maxMemoryUsageKB"] > 0
    assert told["stageInTime"] >= 0
    assert told["stageOutTime"] >= 0
    assert told["retries"] == 0
    [task] = told["tasks"]
    assert task["exitCode"] == 0
    assert task["retries"] == 0
    assert task["imagePullTime"] >= 0
    assert task["wallTimeUsage"] > 0
    assert task["cpuTimeUsage"] >= 0
    assert task["maxResidentSetSizeKB"] > 0


def test_describe_names_the_image_of_a_task_that_ran_in_docker(client: OldClient, tiny_image: str) -> None:
    job = client.pool.submit({"image": tiny_image, "cmd": "true", "runtime": "docker"})
    client.pool.finish(job)
    [task] = json.loads(client.run("describe", str(job)))["execution"]["tasks"]
    assert re.fullmatch(r"[0-9a-f]{64}", task["imageSha256"])


def test_describe_for_another_submission_is_a_job(client: OldClient, job: int) -> None:
    told = json.loads(client.run("describe", "--input", str(job)))
    assert told.pop("inputs") == [{"filename": "greeting"}]  # what is in them is told to nobody
    (client.here / "again.json").write_text(json.dumps(told))
    again = re.fullmatch(r"Job created with id (\d+)\n", client.run("run", "again.json"))
    assert again is not None
    client.run("delete", again[1])


def test_what_it_printed_and_kept_is_there(client: OldClient, job: int) -> None:
    assert client.run("stdout", str(job)) == "red\ngood day\n\n"
    assert client.run("stderr", str(job)).strip() == ""
    client.run("download", str(job))
    assert (client.here / "count.txt").read_text() == "2 words.txt\n"
    assert (client.here / "kept.tgz").stat().st_size > 0


def test_ls_has_name_size_and_time(client: OldClient) -> None:
    (client.here / "numbers").write_bytes(b"1" * 1234)
    client.run("upload", "--name", "columns", "--filename", "numbers")
    assert "columns" in client.run("ls").splitlines()
    [row] = [line for line in client.run("ls", "-l").splitlines() if line.startswith("columns ")]
    name, size, *written = row.split()
    assert (name, size) == ("columns", "1234")
    assert abs(parsedate_to_datetime(" ".join(written)).timestamp() - time.time()) < 600
    client.run("rm", "columns")
    assert "columns" not in client.run("ls").splitlines()


def test_usage_has_every_figure_as_htcondor_has_kept_account_of_it(
    client: OldClient, image: str, tiny_image: str
) -> None:
    group = f"usage-{time.time_ns()}"
    client.pool = member = client.pool.in_group(group)
    docker = {"image": tiny_image, "runtime": "docker"}
    gone = member.submit({**docker, "cmd": "sleep 600"})
    busy = "sh -c 'i=0; while [ $i -lt 6000000 ]; do i=$((i+1)); done'"
    done = member.submit(
        {"image": image, "runtime": "singularity", "cmd": busy}, resources={"cpus": 2, "memory": 0.5, "disk": 1}
    )
    failed = member.submit({**docker, "cmd": "sh -c 'sleep 1; false'"}, policies={"maximumRetries": 1})
    member.wait_for(gone, "running")
    # What counts to six millions needs its time where others work, too.
    assert [member.finish(job, timeout_s=600)["status"] for job in (done, failed)] == ["completed", "failed"]
    client.run("delete", str(gone))
    history = until(lambda: when_all_have_left(member, {gone, done, failed}), 60)
    of_group = recount(history, "ProminenceGroup")[group]
    [user] = {ad["ProminenceIdentity"] for ad in history if ad["ClusterId"] in {gone, done, failed}}
    of_user = recount(history)[user]  # other tests' jobs among them
    days = [f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" for days in (-1, 1)]
    assert client.usage(*days, "--group") == {group: figures(of_group)}
    assert client.usage(*days) == {user: figures(of_user)}
    assert client.usage("2026-05-01", "2026-05-02") == {}

    told = json.loads(member.run("usage", *days, "--group", "-o", "json").stdout)["usage"]["groups"][group]
    assert (of_group.jobs, told["numberOfJobs"]) == (3, 3)
    assert told["wallTime"] == pytest.approx(of_group.wall)
    assert told["cpuTime"] == pytest.approx(of_group.cpu)
    assert of_group.wall > 0
    assert of_group.cpu > 0


def test_usage_of_all_is_refused_with_a_sentence(client: OldClient) -> None:
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    refused = subprocess.run(
        [client.program, "usage", day, day, "--all"],
        capture_output=True,
        text=True,
        env=client.pool.environment(),
        timeout=60,
        check=False,
    )
    assert (refused.returncode, refused.stdout) == (
        1,
        "Error: Only operators and managers of a group may see what others have used.\n",
    )


def test_a_login_at_a_real_identity_provider_is_kept(old_client: Path, tmp_path: Path) -> None:
    provider = RealProvider("opaque")
    provider.start()
    env = {**os.environ, "HOME": str(tmp_path), "PROMINENCE_URL": "http://127.0.0.1:9", "PYTHONUNBUFFERED": "1"}
    env["PROMINENCE_OIDC_URL"] = provider.issuer
    try:
        registered = subprocess.run([old_client, "register"], capture_output=True, text=True, env=env, timeout=60)
        assert registered.stdout == "Client registration successful\n", registered.stderr
        with subprocess.Popen([old_client, "login"], stdout=subprocess.PIPE, text=True, env=env) as login:
            assert login.stdout is not None
            assert select.select([login.stdout], [], [], 60)[0]
            told = re.search(r"open the page (\S+) and enter the code (\S+) when requested", login.stdout.readline())
            assert told is not None
            provider.approve(told[1], told[2], "alice")
            assert login.stdout.read() == "Successfully retrieved token\n"
        assert login.returncode == 0
        assert json.loads((tmp_path / ".prominence/token").read_text())["access_token"]
    finally:
        provider.kill()

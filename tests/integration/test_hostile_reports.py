"""What comes back from a worker whose job got out of its container: a report that is not what it should be.

Each row swaps the report of a job that runs, as the job's own account on the worker, and kills the executor so that it
cannot put it right. Whatever it is: the job ends at once and as failed, the API says why, nobody's secret arrives on
the access point, and nothing large.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from real_parts import RealPool, until

SUCCESS = {"outcome": "success", "started_at": 0, "exit_code": 0, "tasks": [], "host": "elsewhere"}
SLOW = [pytest.mark.slow]
REPORTS = [
    pytest.param("ln -s /etc/shadow report.json", id="a link to a file of root's"),
    pytest.param("truncate --size 3G report.json", id="a file of holes"),
    pytest.param(f"echo '{json.dumps(SUCCESS)}' > report.json", id="a success that was none"),
    pytest.param("true", id="nothing", marks=SLOW),
    pytest.param("ln -s /etc/condor/tokens.d/pool report.json", id="a link to the worker's token", marks=SLOW),
    pytest.param("ln -s /etc/passwd report.json", id="a link to a file that everybody may read", marks=SLOW),
    pytest.param("ln -s /dev/zero report.json", id="a link to a device without end", marks=SLOW),
    pytest.param("ln -s report.json report.json", id="a link to itself", marks=SLOW),
    pytest.param("mkdir report.json; touch report.json/file", id="a directory", marks=SLOW),
    pytest.param(
        "mkdir report.json; ln -s /etc/shadow report.json/a; ln -s / report.json/b; ln -s ../../env report.json/c",
        id="a directory of links",
        marks=SLOW,
    ),
    pytest.param("echo { > report.json", id="no JSON", marks=SLOW),
    pytest.param("python3 -c 'print(200000 * chr(91))' > report.json", id="JSON without end", marks=SLOW),
    pytest.param("echo '[1, null]' > report.json", id="JSON of another kind", marks=SLOW),
    pytest.param(
        'echo \'{"outcome": 1, "started_at": NaN, "exit_code": 1e999}\' > report.json', id="no numbers", marks=SLOW
    ),
]
SECRETS = (b"root:*:", b"root:!:", b"root::", b"eyJ")
"""What a shadow file and a token begin with."""
_EXECUTOR = "pid=$(pgrep --uid $(id -u) --full executor[.]pyz)"  # brackets, so that the script does not find itself


@pytest.mark.parametrize("swap", REPORTS)
def test_whatever_the_report_is_the_job_ends_as_failed(pool: RealPool, tiny_image: str, swap: str) -> None:
    job = _a_job_whose_report_is(pool, tiny_image, swap)
    described = pool.finish(job, timeout_s=60)
    assert described["status"] == "failed", described
    assert described["statusReason"]
    assert pool.output(job) == ""
    for file in (pool.state / "jobs").glob("*/report.json/*"):
        _check_what_arrived(file)
    for file in (pool.state / "jobs").glob("*/report.json"):
        _check_what_arrived(file)


@pytest.mark.slow
def test_a_pipe_that_nobody_writes_to_holds_up_its_own_job_only_and_that_can_be_deleted(
    pool: RealPool, tiny_image: str
) -> None:
    """HTCondor waits for what comes out of it, for as long as the job may run."""
    job = _a_job_whose_report_is(pool, tiny_image, "mkfifo report.json")
    another = pool.submit({"image": tiny_image, "cmd": "true", "runtime": "docker"})
    assert pool.finish(another)["status"] == "completed"
    assert pool.request("DELETE", f"/jobs/{job}").status_code == 200
    assert pool.finish(job)["status"] == "deleted"


def _check_what_arrived(file: Path) -> None:
    found = file.lstat()
    assert stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode), file
    assert found.st_size < 20 * 10**6, file
    if stat.S_ISREG(found.st_mode):
        assert not any(secret in file.read_bytes() for secret in SECRETS), file


def _a_job_whose_report_is(pool: RealPool, image: str, swap: str) -> int:
    job = pool.submit({"image": image, "cmd": "sleep 600", "runtime": "docker"})
    pool.wait_for(job, "running")
    script = (
        f"test -s report.json && {_EXECUTOR} && kill -STOP $pid && rm -f report.json && {{ {swap}; kill -KILL $pid; }}"
    )
    until(lambda: _in_its_sandbox(pool, job, script) == 0, 30)
    return job


def _in_its_sandbox(pool: RealPool, job: int, script: str) -> int:
    """The exit code of a script that the job's own account runs in the job's sandbox on the worker."""
    name = pool.describe(job)["execution"]["worker"]
    (worker,) = [one for one in pool.containers("worker") if one.labels["prominence.worker"] == name]
    sandboxes = f"{pool.state}/workers/{name}/execute/dir_*"
    find = f"ad=$(grep -lx 'ClusterId = {job}' {sandboxes}/.job.ad) && stat -c '%U %n' $(dirname $ad)"
    found = worker.exec_run(["sh", "-c", find])
    if found.exit_code != 0:
        return int(found.exit_code)
    owner, _, sandbox = found.output.decode().strip().partition(" ")
    return int(worker.exec_run(["sh", "-c", script], user=owner, workdir=sandbox).exit_code)

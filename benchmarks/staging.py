"""What a job's files cost: one file of 1 GB from and to the service's own object store, against curl of the same.

staging.in, staging.out: the executor's own steps, from the start of a Python that does nothing else to its end, on a
worker, as a job's account. In the baseline curl has the signed address already, and for what it sends the checksum too;
ours asks for the address with the job's token, and reads the file for its checksum, which nobody else would do for it.
Both fetch into, and send from, the same directory; the store checks what arrives in either case.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.harness import Goal, Row, in_pairs, measured_in_pairs
from benchmarks.inside import Inside
from benchmarks.pools import ACCOUNT, WarmWorker, put, tiny_image, until, warm_worker

PAIRS = 5
SIZE = 1_000_000_000
GOAL = Goal(ratio=1.1)
_NAME = "bench.bin"
_PLACE = "/opt/bench-curl"

_OURS = """
import sys
from pathlib import Path
sys.path.insert(0, "executor.pyz")
from prominence.core import document
from prominence.core.plan import ExecutionPlan
from prominence.executor.ports import Stop
from prominence.executor.sandbox import make_workspace
from prominence.executor.staging import Staging
here = Path.cwd()
plan = document.loads(ExecutionPlan, (here / "plan.json").read_text())
staging = Staging(plan, make_workspace(here), here)
failure = getattr(staging, sys.argv[1])(Stop(), lambda done: None)
sys.exit(f"{failure}" if failure else 0)
"""
_ASK = """
import json, sys, urllib.request
api, path, wanted = sys.argv[1:]
headers = {"Authorization": "Bearer " + open("job.token").read(), "Content-Type": "application/json"}
print(urllib.request.urlopen(urllib.request.Request(f"{api}/data/{path}", wanted.encode(), headers)).read().decode())
"""
_COPY = """
set -eu
job="$(ls -d "$1"/dir_[0-9]*)"
mkdir "$1/dir_bench" "$1/dir_bench/home"
cp "$job/executor.pyz" "$job/plan.json" "$job/job.token" "$1/dir_bench"
chown -R "$2:$2" "$1/dir_bench"
chmod 0700 "$1/dir_bench/home"
"""


def staging_in() -> list[Row]:
    """A file of the user's, into the job's home."""
    with _job() as job:
        url = job.ask("input", name=_NAME)
        pairs = measured_in_pairs(lambda: job.curl("-o", f"home/{_NAME}", url), lambda: job.ours("stage_in"), PAIRS)
        return [in_pairs("staging.in", pairs, GOAL)]


def staging_out() -> list[Row]:
    """A file of the job's, kept."""
    with _job() as job:
        job.ours("stage_in")  # the file that is sent
        digest = job.inside.run("sha256sum", f"home/{_NAME}", cwd=job.path, env=_ENV).output.split()[0]
        url = job.ask("output", name=_NAME, size=SIZE, sha256=digest)
        pairs = measured_in_pairs(lambda: job.curl("-T", f"home/{_NAME}", url), lambda: job.ours("stage_out"), PAIRS)
        return [in_pairs("staging.out", pairs, GOAL)]


_ENV = {"PATH": "/usr/bin:/bin"}


@dataclass(frozen=True)
class _Job:
    """A copy of a running job's directory on its worker, and another account's process there."""

    path: str
    api: str
    inside: Inside

    def curl(self, *words: str) -> float:
        """Seconds of curl with its own libraries, which a worker does not have."""
        program = [f"{_PLACE}/loader", "--library-path", _PLACE, f"{_PLACE}/curl", "-sSf"]
        return self.inside.run(*program, *words, cwd=self.path, env=_ENV).took

    def ours(self, step: str) -> float:
        """Seconds of the executor's step."""
        return self.inside.run("/usr/bin/python3", "-I", "-S", "-c", _OURS, step, cwd=self.path, env=_ENV).took

    def ask(self, path: str, **wanted: object) -> str:
        """A signed address."""
        command = ["/usr/bin/python3", "-c", _ASK, self.api, path, json.dumps(wanted)]
        return str(json.loads(self.inside.run(*command, cwd=self.path, env=_ENV).output)["url"])


@contextmanager
def _job() -> Iterator[_Job]:
    with warm_worker() as worker:
        _upload(worker)
        _bring_curl(worker)
        task = {"image": tiny_image(), "cmd": "sh -c 'echo here; sleep 3600'", "runtime": "docker"}
        resources = {"cpus": 1, "memory": 0.2, "disk": 10}
        job = worker.pool.submit(task, artifacts=[{"url": _NAME}], outputFiles=[_NAME], resources=resources)
        until(lambda: worker.pool.output(job) == "here\n", 300)
        place = f"{worker.pool.state}/workers/{worker.container.labels['prominence.worker']}/execute"
        with Inside(worker.container, "root") as root:
            root.run("sh", "-c", _COPY, "copy", place, ACCOUNT)
            plan = json.loads(root.run("cat", f"{place}/dir_bench/plan.json").output)
        with Inside(worker.container, ACCOUNT) as inside:
            yield _Job(f"{place}/dir_bench", plan["api"], inside)
        worker.pool.request("DELETE", f"/jobs/{job}")
        worker.pool.finish(job)


def _upload(worker: WarmWorker) -> None:
    content = os.urandom(SIZE)
    asked = {"filename": _NAME, "size": SIZE, "checksum": hashlib.sha256(content).hexdigest()}
    answer = worker.pool.request("POST", "/data/upload", json=asked)
    assert answer.status_code == 201, answer.text
    assert requests.put(answer.json()["url"], data=content, timeout=600).status_code == 201


def _bring_curl(worker: WarmWorker) -> None:
    """This machine's, with what it is linked with: the worker's system is another."""
    program = shutil.which("curl")
    assert program, "the curl command is needed"
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    files = {Path(path).name: path for path in re.findall(r"(/\S+)", linked)}
    loader = next(path for name, path in files.items() if name.startswith("ld-"))
    for name, path in {**files, "curl": program, "loader": loader}.items():
        put(worker.container, f"{_PLACE.lstrip('/')}/{name}", Path(path).read_bytes(), 0o755)


MEASUREMENTS = {"staging.in": staging_in, "staging.out": staging_out}

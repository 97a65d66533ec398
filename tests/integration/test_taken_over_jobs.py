"""What a job whose worker has been taken over can reach on the access point: its own files, and its own wishes.

Root on the worker speaks as the job's executor does, over the connection that HTCondor holds for the job.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from docker.models.containers import Container
from real_parts import RealPool

CHIRP = """
import json, socket, sys

host, port, cookie = open(".chirp.config").read().split()[:3]
file = socket.create_connection((host, int(port))).makefile("rwb")


def ask(line, data=b""):
    file.write(line.encode() + b"\\n" + data)
    file.flush()
    return int(file.readline())


def opened(path, how):
    number = ask(f"open {path} {how} 384")
    if number >= 0:
        file.readline()  # what there is to know of the file
        ask(f"close {number}")
    return number >= 0


def listed(path):
    size = ask(f"getdir {path}")
    if size >= 0:
        file.read(size)
    return size >= 0


acts = {
    "read": lambda path: opened(path, "r"),
    "write": lambda path: opened(path, "wct"),
    "remove": lambda path: ask(f"unlink {path}") >= 0,
    "move": lambda path: ask(f"rename plan.json {path}") >= 0,
    "link": lambda path: ask(f"link {path} taken") >= 0 and opened("taken", "r"),
    "symlink": lambda path: ask(f"symlink {path} linked") >= 0 and opened("linked", "r"),
    "list": listed,
    "set": lambda change: ask(f"set_job_attr {change}") >= 0,
}
assert ask(f"cookie {cookie}") == 0
print(json.dumps([acts[act](what) for act, what in json.loads(sys.argv[1])]))
"""


@dataclass
class TakenOver:
    """A running job, and the container of its worker. neighbours: another job's directory; own: its own."""

    job: int
    worker: Container
    own: str
    neighbours: str

    def does(self, *acts: tuple[str, str]) -> list[bool]:
        """Which of these the access point lets it do."""
        done = self.worker.exec_run(["python3", "/root/chirp.py", json.dumps(acts)], workdir=self._sandbox())
        assert done.exit_code == 0, done.output
        return list(json.loads(done.output))

    def _sandbox(self) -> str:
        """Where the worker keeps the job's files: it has one job."""
        done = self.worker.exec_run(["sh", "-c", "ls -d $(condor_config_val EXECUTE)/dir_*"])
        [found] = done.output.decode().split()
        return found


@pytest.fixture(scope="module")
def taken_over(pool: RealPool, tiny_image: str) -> Iterator[TakenOver]:
    whole = {"cpus": 8, "memory": 0.2, "disk": 0.1}
    jobs = [pool.submit({"image": tiny_image, "cmd": "sleep 600"}, resources=whole) for _ in range(2)]
    try:
        seen = [pool.wait_for(job, "running") for job in jobs]
        worker = next(c for c in pool.containers("worker") if c.name.endswith(seen[0]["execution"]["worker"]))
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            member = tarfile.TarInfo("chirp.py")
            member.size = len(CHIRP.encode())
            tar.addfile(member, io.BytesIO(CHIRP.encode()))
        worker.put_archive("/root", archive.getvalue())
        own, neighbours = (_directory(pool, job) for job in jobs)
        yield TakenOver(jobs[0], worker, own, neighbours)
    finally:
        pool.request("DELETE", f"/jobs?id={','.join(map(str, jobs))}")


def test_it_reads_and_writes_its_own_files(taken_over: TakenOver) -> None:
    own = taken_over.own
    assert taken_over.does(("read", f"{own}/plan.json"), ("write", f"{own}/mine"), ("list", own)) == [True] * 3


def test_it_gets_nothing_of_another_job(taken_over: TakenOver) -> None:
    there = f"{taken_over.neighbours}/plan.json"
    deeds = [
        *((act, there) for act in ("read", "write", "remove", "move", "symlink")),
        ("read", f"{taken_over.own}/../{taken_over.neighbours.rpartition('/')[2]}/plan.json"),
        ("read", "/etc/passwd"),
        ("list", taken_over.own.rpartition("/")[0]),
        ("write", f"{taken_over.own.rpartition('/')[0]}/another"),
    ]
    assert dict(zip(deeds, taken_over.does(*deeds), strict=True)) == dict.fromkeys(deeds, False)


def test_who_knows_the_name_of_another_jobs_directory_gets_its_files(taken_over: TakenOver) -> None:
    """HTCondor asks nothing when it makes a link. If this is refused, docs/security.md has a limit too many."""
    assert taken_over.does(("link", f"{taken_over.neighbours}/plan.json")) == [True]


def test_what_says_whose_it_is_and_where_its_files_are_stays(pool: RealPool, taken_over: TakenOver) -> None:
    names = [
        *("LimitDirectoryAccess", "Iwd", "Cmd", "Out", "TransferInput", "AccountingGroup", "AcctGroup"),
        *("AcctGroupUser", "ProminenceIdentity", "ProminenceGroup", "ProminenceJobUniqueIdentifier", "Owner"),
    ]
    before = _ad(pool, taken_over.job, names)
    deeds = [("set", f'{name} "{taken_over.neighbours}"') for name in names]
    assert dict(zip(names, taken_over.does(*deeds), strict=True)) == dict.fromkeys(names, False)
    assert _ad(pool, taken_over.job, names) == before
    assert taken_over.does(("set", "SomethingElse 1")) == [True], "by which the refusals above are no accident"


def _directory(pool: RealPool, job: int) -> str:
    return pool.inside("access-point", "condor_q", str(job), "-allusers", "-af", "Iwd").strip()


def _ad(pool: RealPool, job: int, names: list[str]) -> str:
    return pool.inside("access-point", "condor_q", str(job), "-allusers", "-af:r", *names)

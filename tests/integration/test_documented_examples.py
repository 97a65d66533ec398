"""The documentation's examples, each run as it is written, on real parts.

Names that cannot be had here are others (images, ids of jobs, a group); nothing else about a line is changed.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from real_parts import RealPool, until

ROOT = Path(__file__).parents[2]
IMAGE = f"prominence-test/python-{uuid.uuid4().hex[:8]}:1"
"""Of this run alone: another one on the same engine removes its own."""

IMAGES = ("python:3.12", "debian:trixie-slim", "pytorch/pytorch")
"""Those of registries that nobody has are left as they are: their jobs are taken, and get no further."""
HOW_TO = "docs/howto.md"
GROUP = "physics"
REFUSED = {
    "if you may": "Only operators and managers",
    "budget ledger": "There is no budget of group physics",
    "budget adjust": "Only operators may adjust budgets",
}
"""What a user is told who is no operator, of a pool without budgets."""

LONG = ["--disk", "1", "--memory", "0.2", IMAGE, "sh -c 'mkdir -p results; echo 1 > results/a; sleep 600'"]


@pytest.fixture(scope="module")
def user(pool: RealPool) -> RealPool:
    """The pool with a token of a member of the group that the examples name."""
    return pool.in_group(GROUP)


@pytest.fixture(scope="module")
def image(pool: RealPool) -> Iterator[str]:
    """Something with a shell and a Python: our own access point's, under another name."""
    base = pool.containers("access-point")[0].image.tags[0]
    recipe = f'FROM {base}\nRUN ln -s python3 /usr/bin/python\nUSER nobody\nENTRYPOINT []\nCMD ["true"]\n'
    pool.engine.images.build(fileobj=io.BytesIO(recipe.encode()), tag=IMAGE, rm=True, forcerm=True)
    yield IMAGE
    pool.engine.images.remove(IMAGE, force=True)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The files that examples name."""
    (tmp_path / "run.sh").write_text("#!/bin/sh\nwc -l words > count.txt; mkdir -p results; cp words results\n")
    (tmp_path / "run.sh").chmod(0o755)
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis/main.py").write_text("print('main')\n")
    for name in ("words.tgz", "data.tgz", "tool.tar.gz"):
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            archive.addfile(tarfile.TarInfo("words"))
    webdav = {"url": "https://cloud.example.org/", "username": "alice", "password": "secret"}
    storage = {"type": "webdav", "mountpoint": "/data", "webdav": webdav}
    (tmp_path / "nextcloud.json").write_text(json.dumps(storage))
    job = {"tasks": [{"image": IMAGE, "cmd": "true"}], "resources": {"cpus": 1, "memory": 1, "disk": 1}}
    for name in ("job.json", "job.yaml"):
        (tmp_path / name).write_text(json.dumps(job))
    return tmp_path


@dataclass
class Jobs:
    """What there is for the examples to act on, made when it is needed."""

    pool: RealPool
    made: list[int] = field(default_factory=list)

    def create(self, *options: str) -> int:
        words = self.pool.run("create", *options).stdout.split()
        job = int(next(word for word in words if word.isdigit()))
        self.made.append(job)
        return job

    def waiting(self) -> int:
        return self.create("--cpus", "512", *LONG)

    def on_hold(self) -> int:
        job = self.waiting()
        self.pool.run("hold", str(job))
        return job

    def running(self) -> int:
        job = self.create(*LONG)
        self.pool.wait_for(job, "running")
        # Its command may not have made its directory yet when its container runs.
        until(lambda: self.pool.run("exec", str(job), "ls results", check=False).returncode == 0, 60)
        return job

    def ended(self, *options: str) -> int:
        job = self.create(*options, "--disk", "1", "--output", "count.txt", IMAGE, "sh -c 'echo 1 | tee count.txt'")
        told = self.pool.finish(job)
        assert told["status"] == "completed", (told, self.pool.output(job, "stderr"))
        return job

    def stayed(self) -> int:
        return self.ended("--leave-in-queue")


ACTED_ON: dict[str, Callable[[Jobs], int]] = {
    **dict.fromkeys(("describe", "hold", "edit", "clone", "delete"), Jobs.waiting),
    **dict.fromkeys(("stdout", "stderr", "download"), Jobs.ended),
    "release": Jobs.on_hold,
    "exec": Jobs.running,
    "snapshot": Jobs.running,
    "remove": Jobs.stayed,
}
"""By the command, the kind of job that 12 and 13 are."""


def sections(page: str, *headings: str) -> str:
    """The shell blocks below these headings, with a line for each command."""
    text = (ROOT / page).read_text()
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    blocks = [block for heading in headings for block in re.findall(r"^```sh\n(.*?)^```", found[heading], re.M | re.S)]
    return "".join(blocks).replace("\\\n", "")


def commands(page: str, *headings: str) -> list[str]:
    """Those of ours, as they are written."""
    return [line for line in sections(page, *headings).splitlines() if line.startswith("prominence ")]


def run(line: str, pool: RealPool, here: Path) -> subprocess.CompletedProcess[str]:
    """A line, by a shell, as somebody would type it."""
    for name in IMAGES:
        line = line.replace(name, IMAGE)
    env = {**pool.environment(), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    return subprocess.run(
        ["bash", "-ec", line], capture_output=True, text=True, env=env, cwd=here, timeout=300, check=False
    )


@pytest.mark.parametrize("line", commands("docs/cli.md", "Jobs"))
def test_a_command_for_jobs_works(line: str, user: RealPool, image: str, here: Path) -> None:
    jobs = Jobs(user)
    verb = line.split()[1]
    if verb in ("create", "run"):
        for name in ("words.tgz", "tool.tar.gz"):
            user.run("upload", name, cwd=here)
    for number in re.findall(r"\b1[23]\b(?!/)", line.partition("#")[0]) if verb in ACTED_ON else ():
        line = line.replace(f" {number}", f" {_the_job_for(line, jobs)}", 1)
    try:
        done = run(line, user, here)
        refusal = next((sentence for words, sentence in REFUSED.items() if words in line), None)
        if refusal is not None:
            assert (done.returncode, refusal in done.stderr) == (125, True), done.stderr
            return
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), (line, done.stdout, done.stderr)
        if verb in ("create", "run", "clone") and "--dry-run" not in line:
            jobs.made += [int(word) for word in re.findall(r"\d+", done.stdout)[:1]]
            assert jobs.made or "--wait" in line, done.stdout
    finally:
        for job in jobs.made:
            user.request("DELETE", f"/jobs/{job}")
        if verb == "webhook":
            for webhook in user.request("GET", "/webhooks").json():
                user.request("DELETE", f"/webhooks/{webhook['id']}")


def _the_job_for(line: str, jobs: Jobs) -> int:
    verb = line.split()[1]
    return Jobs.running(jobs) if verb == "edit" and "--walltime" in line else ACTED_ON[verb](jobs)


def test_the_commands_for_arrays_work_one_after_the_other(user: RealPool, image: str, here: Path) -> None:
    made: list[str] = []
    try:
        for line in commands("docs/cli.md", "Arrays"):
            said = re.sub(r"\b17\b", made[0] if made else "17", line.partition("#")[0])
            done = run(said, user, here)
            assert done.returncode == 0, (line, done.stdout, done.stderr)
            made += re.findall(r"Array created with id (\d+)", done.stdout)
        assert len(made) == 2
    finally:
        for array in made:
            user.request("DELETE", f"/arrays/{array}")


def test_the_commands_for_data_work_one_after_the_other(user: RealPool, image: str, here: Path) -> None:
    jobs = Jobs(user)
    job = jobs.ended()
    for line in commands("docs/cli.md", "Data"):
        done = run(re.sub(r"\b12\b", str(job), line.partition("#")[0]), user, here)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    assert (here / "count.txt").read_text() == "1\n"


def test_the_commands_for_keys_and_values_work_one_after_the_other(user: RealPool, here: Path) -> None:
    lines = commands("docs/cli.md", "Keys and values")
    said = {line: run(line, user, here) for line in lines}
    assert {line: done.stderr for line, done in said.items() if done.returncode} == {}
    assert next(done.stdout for line, done in said.items() if " get " in line).strip() == "0.93"
    user.run("kv", "delete", "lock")


def test_the_first_jobs_of_a_newcomer_work(user: RealPool, image: str, here: Path) -> None:
    (here / "part.py").write_text("import os; print(os.environ['PROMINENCE_ARRAY_INDEX'])\n")
    (here / "fit.py").write_text("import os; open('best.json', 'w').write('{}'); os.mkdir('plots')\n")
    arrays: list[str] = []
    try:
        for line in commands("docs/start.md", "One job", "Files", "Many jobs"):
            done = run(re.sub(r"(?<= )1[23]\b", str(_newest(user)), line), user, here)
            assert done.returncode == 0, (line, done.stdout, done.stderr)
            if "print(6 * 7)" in line:
                assert done.stdout.splitlines()[-1] == "42"
            arrays += re.findall(r"Array created with id (\d+)", done.stdout)
        assert (here / "best.json").read_text() == "{}"
        assert len(arrays) == 1
    finally:
        for array in arrays:
            user.request("DELETE", f"/arrays/{array}")


def _newest(user: RealPool) -> int:
    """The last of the user's jobs, or 0."""
    jobs = json.loads(user.run("list", "--all", "-o", "json").stdout)
    return max((int(job["id"]) for job in jobs), default=0)


def how_tos() -> dict[str, str]:
    """By its heading, what somebody types who does as the page says."""
    headings = re.findall(r"^## (.*)$", (ROOT / HOW_TO).read_text(), re.M)
    return {heading: found for heading in headings if (found := sections(HOW_TO, heading))}


def steps(script: str) -> list[str]:
    """Its commands, each with the lines that it is given."""
    return re.findall(r"^(?:.*<<'END'\n(?:.*\n)*?END|.+)$", script, re.M)


@pytest.mark.parametrize("heading", how_tos())
def test_a_how_to_works_as_it_is_written(heading: str, user: RealPool, image: str, here: Path) -> None:
    before, number = _all_of(user), {"12": "/jobs", "17": "/workflows"}
    try:
        for step in steps(how_tos()[heading]):
            for word, of in number.items():
                step = re.sub(rf"(?<= ){word}\b", str(max(_all_of(user)[of], default=0)), step)
            if step.startswith(("prominence exec", "prominence stdout")):
                _wait_for_results(step.split()[2], user)
            done = run(step, user, here)
            assert done.returncode == 0, (step, done.stdout, done.stderr)
    finally:
        for of in number.values():
            for made in _all_of(user)[of] - before[of]:
                user.request("DELETE", f"{of}/{made}")


def _all_of(user: RealPool) -> dict[str, set[int]]:
    """The numbers of the user's jobs and workflows."""
    return {of: {one["id"] for one in user.request("GET", f"{of}?all&num=-1").json()} for of in ("/jobs", "/workflows")}


def _wait_for_results(job: str, user: RealPool) -> None:
    """Until a job that makes a directory of that name has done so."""
    until(lambda: user.run("exec", job, "ls results", check=False).returncode == 0, 120)


@pytest.mark.parametrize("page", ["README.md", "docs/jobs.md", "docs/data.md"])
def test_a_job_that_is_shown_can_be_submitted(page: str, user: RealPool, image: str, here: Path) -> None:
    shown = [
        text for text in re.findall(r"^```json\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S) if "tasks" in text
    ]
    assert shown
    user.run("upload", "words.tgz", cwd=here)
    for text in shown:
        document = json.loads(text)
        (here / "shown.json").write_text(text)
        done = run("prominence run shown.json -o json", user, here)
        assert done.returncode == 0, (page, done.stderr)
        job = json.loads(done.stdout)["id"]
        told = user.describe(job)
        assert told["resources"].items() >= document["resources"].items()
        user.request("DELETE", f"/jobs/{job}")


def test_an_upload_by_curl_works_as_it_is_shown(user: RealPool, here: Path) -> None:
    [script] = [block for block in _blocks("docs/data.md") if "curl" in block]
    done = run(script, user, here)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert '"data.tgz"' in done.stdout
    assert "data.tgz" not in [one["name"] for one in user.request("GET", "/data").json()]


def test_waiting_for_news_by_curl_works_as_it_is_shown(user: RealPool, image: str, here: Path) -> None:
    jobs = Jobs(user)
    job = jobs.ended()
    [script] = [block for block in _blocks("docs/api.md") if "If-None-Match" in block]
    version = user.request("GET", f"/jobs/{job}").headers["ETag"]
    started = time.monotonic()
    done = run(script.replace("/jobs/1?", f"/jobs/{job}?").replace('"VERSION"', version), user, here)
    assert done.stdout.startswith("HTTP/1.1 200"), done.stdout  # at once: it has written less than is said there
    assert time.monotonic() - started < 25


def _blocks(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)

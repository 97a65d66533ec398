"""The Python client and the options of `create` on real parts, and the workers that they run on."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from real_parts import RealPool, until

from prominence.cli.client import Client

PAGE = Path(__file__).parents[2] / "docs/python.md"


def test_the_example_of_the_page_works(
    pool: RealPool, tiny_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (("PROMINENCE_URL", pool.url), ("PROMINENCE_TOKEN", pool.token)):
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(compile(example.replace("debian:trixie-slim", tiny_image), str(PAGE), "exec"), {})
    said = capsys.readouterr()
    assert re.match(r"\d+ completed 0 2 words\.txt\n", said.out), said
    assert (tmp_path / "results/count.txt").read_text() == "2 words.txt\n"
    with Client(pool.url, pool.token) as client:
        assert client.kv.get("words/count") == "2 words.txt\n"
        client.kv.delete("words/count")


def test_a_job_is_created_with_files_and_a_directory(pool: RealPool, tiny_image: str, tmp_path: Path) -> None:
    (tmp_path / "analysis/data").mkdir(parents=True)
    (tmp_path / "analysis/main.sh").write_text('#!/bin/sh\ncat data/* words.txt > all.txt; echo "$A"\n')
    (tmp_path / "analysis/main.sh").chmod(0o755)
    (tmp_path / "analysis/data/a").write_text("a\n")
    (tmp_path / "words.txt").write_text("b\n")
    files = ["--directory", "analysis", "--input", "words.txt", "--output", "all.txt", "--outputdir", "data"]
    words = ["--env", "A=b=c", "--label", "kind=options", "--retries", "1", "--leave-in-queue", "--memory", "0.2"]
    done = pool.run(
        "create", "--wait", "-o", "json", "--disk", "1", *files, *words, tiny_image, "./main.sh", cwd=tmp_path
    )
    job = json.loads(done.stdout)
    assert (job["status"], pool.output(job["id"])) == ("completed", "b=c\n")
    pool.run("download", "--dir", str(job["id"]), cwd=tmp_path)
    assert (tmp_path / str(job["id"]) / "all.txt").read_text() == "a\nb\n"
    assert (tmp_path / str(job["id"]) / "data.tgz").exists()
    assert [one["id"] for one in json.loads(pool.run("list", "--constraint", "kind=options", "-o", "json").stdout)]
    pool.run("remove", str(job["id"]))


def test_the_worker_that_a_job_runs_on_is_told_with_what_is_free(
    pool: RealPool, old_client: Path, tiny_image: str
) -> None:
    job = pool.submit({"image": tiny_image, "cmd": "sleep 100"})
    pool.wait_for(job, "running")

    def now() -> list[dict[str, dict[str, float]]]:
        found: list[dict[str, dict[str, float]]] = pool.request("GET", "/resources").json()["existing"]
        return found

    def with_a_core_taken() -> list[dict[str, dict[str, float]]]:
        """The worker of this job alone: the core of a job that has just ended is given back a little later."""
        return [one for one in now() if one["capacity"]["cpus"] - one["free"]["cpus"] == 1]

    [worker] = until(with_a_core_taken, 60)
    assert 0.15 < worker["capacity"]["memory"] - worker["free"]["memory"] < 0.3
    assert worker["capacity"]["disk"] > 0
    told = json.loads(pool.run("resources", "-o", "json").stdout)["existing"]
    assert worker["site"] in [one["site"] for one in told]
    assert str(worker["site"]) in pool.run("resources").stdout

    def has_a_line_of_its_own() -> bool:
        """Other jobs come and go meanwhile, and with them what is free."""
        printed = subprocess.run(
            [old_client, "resources"], capture_output=True, text=True, env=pool.environment(), timeout=120, check=False
        )
        assert (printed.returncode, printed.stderr) == (0, "")
        lines = [line.split() for line in printed.stdout.splitlines()]
        numbers = ([one[part][what] for part in ("capacity", "free") for what in ("cpus", "memory")] for one in now())
        return any([*map(str, found), worker["site"]] in lines for found in numbers)

    until(has_a_line_of_its_own, 60)
    pool.run("delete", str(job))
    ended = pool.finish(job)
    assert ended["execution"]["site"] == worker["site"]

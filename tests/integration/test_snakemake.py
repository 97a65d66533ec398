"""The example in docs/examples/snakemake: Snakemake, as it is published, runs a Snakefile by our API on real parts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from real_parts import RealPool, snakemake

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/snakemake"

FAILING = """
rule all:
    output: "out/a.txt"
    log: "logs/a.log"
    resources: mem_mb=200, disk_mb=100
    shell: "echo begun > {log}; echo what went wrong >&2; exit 3"
"""


@pytest.fixture
def here(tmp_path: Path, tiny_image: str) -> Path:
    """A copy of the example, with an image that can be had here."""
    shutil.copytree(EXAMPLE, tmp_path / "example")
    file = tmp_path / "example/Snakefile"
    file.write_text(file.read_text().replace("debian:trixie-slim", tiny_image))
    return tmp_path / "example"


def run(pool: RealPool, here: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **pool.environment(),
        "PYTHONPATH": f".{os.pathsep}{ROOT / '.importroot'}",
        "XDG_CACHE_HOME": str(here),
    }
    command = [str(snakemake()), "--executor", "prominence", "--jobs", "4", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=here, timeout=240, check=False)


def test_a_snakefile_runs_and_what_has_been_made_is_where_snakemake_looks_for_it(pool: RealPool, here: Path) -> None:
    done = run(pool, here)
    assert done.returncode == 0, done.stderr
    assert (here / "results/total.txt").read_text() == "5\n"
    assert (here / "logs/first.log").read_text() == ""
    for rule, count in (("count", 2), ("total", 1)):
        jobs = pool.request("GET", f"/jobs?all&detail&name=snakemake/{rule}").json()
        assert [(one["status"], one["resources"]["memory"]) for one in jobs] == [("completed", 0.2)] * count
    assert not [one for one in pool.request("GET", "/data").json() if one["name"].startswith("snakemake-")]
    again = run(pool, here)
    assert (again.returncode, "Nothing to be done" in again.stderr) == (0, True), again.stderr


def test_a_rule_that_fails_is_told_with_its_reason_and_its_stderr(pool: RealPool, here: Path, tiny_image: str) -> None:
    (here / "Snakefile").write_text(FAILING)
    done = run(pool, here, "--prominence-image", tiny_image)
    assert done.returncode == 1, done.stderr
    assert "Task 0 ended with exit code 3." in done.stderr
    assert "what went wrong" in done.stderr
    assert (here / "logs/a.log").read_text() == "begun\n"
    assert not (here / "out/a.txt").exists()


def test_a_rule_that_cannot_run_elsewhere_is_refused_with_what_to_do(pool: RealPool, here: Path) -> None:
    (here / "Snakefile").write_text('rule all:\n    output: "a"\n    run: open("a", "w")\n')
    done = run(pool, here)
    assert (done.returncode, "make it a localrule" in done.stderr) == (1, True), done.stderr

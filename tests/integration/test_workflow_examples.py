"""The documentation's workflows, each run as it is written, with our command and with the published client.

Their image cannot be had here, and is another; nothing else about them is changed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from real_parts import RealPool, until

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

PRINTED: dict[str, dict[str, str]] = {
    "group": {"north": "north\n", "south": "south\n", "east": "east\n"},
    "diamond": {"left": "left\n", "right": "right\n", "collect": "all done\n"},
    "sweep": {
        "fit/0": "mass 0 seed 1\n",
        "fit/1": "mass 0 seed 2\n",
        "fit/2": "mass 0.1 seed 1\n",
        "fit/3": "mass 0.1 seed 2\n",
    },
    "zip": {"fit/0": "Bologna is at 54 m\n", "fit/1": "Abingdon is at 60 m\n"},
    "repeat": {},
    "sweep-in-a-dag": {"fit/0": "x is 0\n", "fit/2": "x is 0.2\n", "plot": "plotted\n"},
    "scatter-and-gather": {"total": "110\n310\n510\n"},
    "on-failure": {"tell": "failed jobs: 1\n"},
    "finally": {"clean-up": "it has completed\n"},
}
"""By example what some of its jobs print."""

FAILED = ["on-failure"]


@pytest.fixture
def files(tiny_image: str, tmp_path: Path) -> dict[str, Path]:
    """All examples, by name, with an image that is there."""
    found = {}
    for example in EXAMPLES.glob("*.json"):
        document = json.loads(example.read_text().replace("debian:trixie-slim", tiny_image))
        ends = [document[field] for field in ("onFailure", "finally") if field in document]
        for job in [*document.get("jobs", ()), *ends]:
            job["tasks"] = [{**task, "runtime": "docker"} for task in job["tasks"]]
        if "jobs" in document:
            found[example.stem] = tmp_path / example.name
            found[example.stem].write_text(json.dumps(document))
    return found


def start(command: Path, pool: RealPool, files: dict[str, Path]) -> dict[str, int]:
    """Submit all at once; their numbers, by name."""
    made = {}
    for name, file in files.items():
        done = subprocess.run(
            [command, "run", file],
            capture_output=True,
            text=True,
            env=pool.environment(),
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (name, done.stdout, done.stderr)
        found = re.search(r"\d+", done.stdout)
        assert found is not None, (name, done.stdout)
        made[name] = int(found.group())
    return made


def told(pool: RealPool, workflow: int) -> dict[str, Any]:
    [found] = pool.request("GET", f"/workflows/{workflow}").json()
    return dict(found)


def queue(pool: RealPool) -> list[str]:
    """What HTCondor has to say of all that has not ended, for whoever has to find out what is stuck."""
    words = ["ClusterId", "JobUniverse", "DAGNodeName", "JobStatus", "NumJobStarts", "HoldReason", "LastRejMatchReason"]
    return pool.inside("access-point", "condor_q", "-allusers", "-af:l", *words).splitlines()


def check(pool: RealPool, made: dict[str, int]) -> None:
    """They end as they should, and print what they should."""

    def running() -> dict[str, Any]:
        found = {name: told(pool, workflow) for name, workflow in made.items()}
        return {name: one for name, one in found.items() if one["status"] in ("idle", "running")}

    until(lambda: not running(), 300, lambda: f"{running()}; the queue: {queue(pool)}")
    assert {name: told(pool, workflow)["status"] for name, workflow in made.items()} == {
        name: "failed" if name in FAILED else "completed" for name in made
    }
    for name, workflow in made.items():
        printed = {
            job: pool.request("GET", f"/workflows/{workflow}/{job}/stdout").content.decode() for job in PRINTED[name]
        }
        assert printed == PRINTED[name], name


@pytest.mark.timeout(900)
def test_every_example_runs_with_our_command_and_with_the_published_client(
    pool: RealPool, old_client: Path, files: dict[str, Path]
) -> None:
    assert set(files) == set(PRINTED)
    waited = {"diamond": files.pop("diamond")}
    ours = start(Path(sys.executable).with_name("prominence"), pool, files)
    theirs = start(old_client, pool, files | waited)
    done = pool.run("run", str(waited["diamond"]), "--wait", "-o", "json")
    ours |= {"diamond": int(json.loads(done.stdout)["id"])}
    check(pool, ours)
    check(pool, theirs)

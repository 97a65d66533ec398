"""The published client, unchanged, with workflows."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from real_parts import RealPool, until


def run(old_client: Path, pool: RealPool, *arguments: str, cwd: Path | None = None) -> str:
    environment = pool.environment()
    done = subprocess.run(
        [old_client, *arguments], capture_output=True, text=True, env=environment, timeout=120, check=False, cwd=cwd
    )
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr + done.stdout, (arguments, done.stdout, done.stderr)
    return done.stdout


def number(said: str) -> int:
    found = re.search(r"\d+", said)
    assert found is not None, said
    return int(found.group())


def row(old_client: Path, pool: RealPool, workflow: int, *options: str) -> str:
    lines = run(old_client, pool, "list", "workflows", *options).splitlines()
    return next((line for line in lines if line.split()[:1] == [str(workflow)]), "")


def test_it_runs_lists_describes_reads_reruns_clones_and_deletes_a_workflow(
    pool: RealPool, old_client: Path, tiny_image: str, tmp_path: Path
) -> None:
    resources = {"cpus": 1, "memory": 1, "disk": 1}
    script = "sh -c 'echo out of $x; echo problem $x >&2; echo $x > kept-$x.txt; test $x != 2'"
    document = {
        "name": "from afar",
        "jobs": [
            {"name": "many", "tasks": [{"image": tiny_image, "cmd": script, "runtime": "singularity"}],
             "resources": resources, "outputFiles": ["kept-$x.txt"]},
            {"name": "one", "tasks": [{"image": tiny_image, "cmd": "echo one", "runtime": "singularity"}],
             "resources": resources},
            {"name": "twice", "tasks": [{"image": tiny_image, "cmd": "true", "runtime": "singularity"}],
             "resources": resources},
        ],
        "factories": [
            {"name": "f", "type": "parameterSweep", "jobs": ["many"],
             "parameters": [{"name": "x", "start": 1, "end": 2, "step": 1}]},
            {"name": "g", "type": "repeat", "jobs": ["twice"], "num": 2},
        ],
    }  # fmt: skip
    (tmp_path / "workflow.json").write_text(json.dumps(document))
    workflow = number(run(old_client, pool, "run", str(tmp_path / "workflow.json")))
    assert "from afar" in row(old_client, pool, workflow)
    until(lambda: "failed" in row(old_client, pool, workflow, "--completed", "--last", "50"), 240,
          lambda: run(old_client, pool, "list", "workflows", "--all"))  # fmt: skip
    listed = row(old_client, pool, workflow, "--completed", "--last", "50")
    assert re.search(r"\b4/5\b", listed) or re.search(r"\b5\b", listed), listed

    described = run(old_client, pool, "describe", "workflow", str(workflow))
    for expected in ("from afar", "failed", "many", "parameterSweep"):
        assert expected in described
    names = run(old_client, pool, "list", "jobs", str(workflow), "--all")
    for expected in ("from afar/many/0", "from afar/many/1", "from afar/one", "from afar/twice/1"):
        assert expected in names
    assert run(old_client, pool, "stdout", str(workflow), "many", "1").strip() == "out of 2"
    assert run(old_client, pool, "stdout", str(workflow), "one").strip() == "one"
    assert run(old_client, pool, "stderr", str(workflow), "many", "0").strip() == "problem 1"
    run(old_client, pool, "download", "workflow", str(workflow), cwd=tmp_path)
    assert (tmp_path / "kept-1.txt").read_text() == "1\n"

    rerun = number(run(old_client, pool, "rerun", str(workflow)))
    assert rerun != workflow
    until(lambda: "failed" in row(old_client, pool, rerun, "--completed", "--last", "50"), 240)
    clone = number(run(old_client, pool, "clone", "workflow", str(workflow)))
    run(old_client, pool, "delete", "workflow", str(clone))
    until(lambda: "deleted" in row(old_client, pool, clone, "--completed", "--last", "50"), 120)


def test_it_takes_a_workflow_out_of_the_queue_that_has_stayed_there(
    pool: RealPool, old_client: Path, tiny_image: str, tmp_path: Path
) -> None:
    task = {"image": tiny_image, "cmd": "true", "runtime": "singularity"}
    job = {"name": "a", "tasks": [task], "resources": {"cpus": 1, "memory": 1, "disk": 1}}
    document = {"name": "stays", "jobs": [job], "policies": {"leaveInQueue": True}}
    (tmp_path / "workflow.json").write_text(json.dumps(document))
    workflow = number(run(old_client, pool, "run", str(tmp_path / "workflow.json")))
    until(lambda: "completed" in row(old_client, pool, workflow), 240)
    run(old_client, pool, "remove", "workflow", str(workflow))
    until(lambda: not row(old_client, pool, workflow), 30)
    assert "completed" in row(old_client, pool, workflow, "--completed", "--last", "50")

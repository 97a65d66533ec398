"""HTCondor's own DAGMan reads what we write for any workflow and runs exactly its nodes, each after what it waits for.

The nodes do nothing (DAGMan's NOOP), so that thousands take seconds and no worker.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import uuid
from collections import Counter
from dataclasses import dataclass
from functools import partial
from random import Random

import pytest
from builders_workflows import Drawn, Edge, drawn
from real_parts import RealPool, until

from prominence.core.validation import parse
from prominence.core.workflow import WorkflowSpec
from prominence.core.workflow_view import progress
from prominence.restapi.identity import Account
from prominence.restapi.translate import dag
from prominence.restapi.translate.site import Site

SITE = Site(executor="/opt/prominence/executor.pyz")
USER = Account("dagman-tester", "")

SAMPLES = {"wide": (5, 2000, 12), "crossed": (3, 2000, 60), "deep": (5, 100, 100)}
"""The seed, the most nodes and the most jobs."""


def files_of(wanted: Drawn, uid: str, directory: str) -> dict[str, str]:
    """What we give to DAGMan, with nodes that do nothing, and with its accounts of what it reads and does."""
    spec = parse(WorkflowSpec, wanted.document)
    text = re.sub(r"^(JOB .*)$", r"\1 NOOP", dag.dag(spec), flags=re.MULTILINE)
    description = dag.describe_workflow(spec, uid, USER, directory, SITE, "")
    return {
        dag.DAG_FILE: f"{text}NODE_STATUS_FILE nodes.status 1\nDOT workflow.dot\n",
        "dagman.sub": f"{description.text()}queue\n",
        **{
            f"{place}/{dag.SUBMIT_FILE}": f"{dag.describe_job(spec, place, uid, USER, directory, SITE).text()}queue\n"
            for place in range(len(spec.jobs))
        },
    }


def put(pool: RealPool, directory: str, files: dict[str, str]) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    pool.inside("access-point", "mkdir", "--parents", directory)
    pool.containers("access-point")[0].put_archive(directory, archive.getvalue())
    pool.inside("access-point", "chown", "--recursive", "prominence:", directory)


def read(pool: RealPool, file: str) -> str:
    return pool.inside("access-point", "cat", file)


def has_ended(pool: RealPool, directory: str) -> bool:
    said = pool.inside("access-point", "sh", "-c", f"cat {directory}/{dag.LOG_FILE} 2>/dev/null || true")
    return "EXITING WITH STATUS" in said


def edges_drawn(dot: str) -> Counter[Edge]:
    """Those that DAGMan has in memory."""
    return Counter(re.findall(r'^\s*"?([^" ]+)"? -> "?([^" ;]+)"?;', dot, re.MULTILINE))


def order_of(log: str) -> tuple[dict[str, int], dict[str, int]]:
    """By node, when it was begun and when it was done: places in DAGMan's log."""
    begun: dict[str, int] = {}
    done: dict[str, int] = {}
    names: dict[str, str] = {}
    for place, event in enumerate(log.split("\n...\n")):
        kind, _, job = event.partition(" ")
        job_id = job.partition(")")[0]
        if kind == "000":
            names[job_id] = event.partition("DAG Node: ")[2].split()[0]
            begun[names[job_id]] = place
        elif kind == "005":
            done[names[job_id]] = place
    return begun, done


@dataclass(frozen=True)
class Run:
    """One that has ended: what was wanted, where DAGMan has worked, and as which job."""

    wanted: Drawn
    directory: str
    job: str


@pytest.fixture(scope="module")
def runs(pool: RealPool) -> dict[str, Run]:
    """Of each of the samples, all at once."""
    found = {name: submitted(pool, *sample) for name, sample in SAMPLES.items()}
    for run in found.values():
        until(partial(has_ended, pool, run.directory), 240, partial(read, pool, f"{run.directory}/{dag.LOG_FILE}"))
    return found


def submitted(pool: RealPool, seed: int, most_nodes: int, most_jobs: int) -> Run:
    wanted, directory = drawn(Random(seed), most_nodes, most_jobs), f"/var/tmp/dagman-{uuid.uuid4()}"
    put(pool, directory, files_of(wanted, str(uuid.uuid4()), directory))
    submit = f"cd {directory} && condor_submit -terse dagman.sub"
    said = pool.inside("access-point", "sh", "-c", submit, user="prominence")
    return Run(wanted, directory, said.split(".")[0])


@pytest.mark.parametrize("name", SAMPLES)
def test_dagman_runs_the_nodes_that_are_wanted_and_no_others_each_after_those_it_waits_for(
    name: str, pool: RealPool, runs: dict[str, Run]
) -> None:
    wanted, directory = runs[name].wanted, runs[name].directory
    nodes = Counter(wanted.nodes())
    assert "EXITING WITH STATUS 0" in read(pool, f"{directory}/{dag.LOG_FILE}")
    status = read(pool, f"{directory}/nodes.status")
    done = Counter(re.findall(r'Node = "([^"]+)";\s*NodeStatus = 5;', status))
    assert done == nodes
    assert edges_drawn(read(pool, f"{directory}/workflow.dot")) == wanted.edges()
    begun, ended = order_of(read(pool, f"{directory}/workflow.dag.nodes.log"))
    assert set(ended) == set(nodes)
    assert all(ended[parent] < begun[child] for parent, child in wanted.edges())
    ad = until(lambda: json.loads(pool.inside("access-point", "condor_history", "-json", runs[name].job) or "[]"), 30)[
        0
    ]
    assert progress(ad) == {"total": len(nodes), "done": len(nodes), "failed": 0, "queued": 0, "waiting": 0}

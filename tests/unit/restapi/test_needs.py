"""What a job asks of a slot, evaluated as HTCondor does it: alone, and against slots of any size."""

from __future__ import annotations

from typing import Any

import classad2
import htcondor2  # noqa: F401  # which gives ClassAds the functions that are HTCondor's own
import pytest
from builders import a_job, a_task
from builders_restapi import SITE, uids
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Rejected
from prominence.restapi.identity import Account
from prominence.restapi.translate.site import Site
from prominence.restapi.translate.submit import describe

UID = next(uids())
SMALL = st.integers(1, 16)


def commands(site: Site = SITE, **resources: Any) -> dict[str, str]:
    job = a_job(resources=resources)
    return dict(describe(job, UID, Account("alice"), "/sandbox", site).commands)


def asked(slot: dict[str, Any] | None = None, **resources: Any) -> tuple[int, int, bool]:
    """The cores and the MiB that are asked for, and whether the slot will do."""
    said = commands(**resources)
    job = classad2.ClassAd()
    for name, command in (("RequestCpus", "request_cpus"), ("RequestMemory", "request_memory")):
        job[name] = classad2.ExprTree(said[command])
    # What the submit language adds by itself.
    job["Requirements"] = classad2.ExprTree(f"({said['requirements']}) && TARGET.Memory >= RequestMemory")
    if slot is None:
        return int(job.eval("RequestCpus")), int(job.eval("RequestMemory")), False
    machine = classad2.ClassAd({"AuthenticatedIdentity": "w-1@workers", "SlotType": "Partitionable", **slot})
    matched = [expression.simplify(job, machine) for expression in (job.lookup(name) for name in _ASKED)]
    cpus, mib, fits = (literal.eval() for literal in matched)
    return int(cpus), int(mib), fits is True


_ASKED = ("RequestCpus", "RequestMemory", "Requirements")


def test_a_job_that_waits_asks_for_the_fewest_cores() -> None:
    assert asked(cpusRange=[2, 8], memoryPerCpu=1.5)[:2] == (2, 3000)
    assert asked(cpusOptions=[4, 8], memory=3)[:2] == (4, 3000)


@given(SMALL, SMALL, SMALL, st.integers(1, 16_000), st.sampled_from(["Partitionable", "Dynamic", "Static"]))
def test_a_range_takes_what_a_slot_has_and_no_slot_outside_of_it(
    a: int, b: int, cpus: int, mib: int, kind: str
) -> None:
    least, most = sorted((a, b))
    slot = {"Cpus": cpus, "Memory": mib, "SlotType": kind}
    got, memory, fits = asked(slot, cpusRange=[least, most], memoryPerCpu=1)
    possible = [n for n in range(least, most + 1) if n <= cpus and 1000 * n <= mib]
    whole = kind == "Partitionable" or cpus <= most
    assert fits == (bool(possible) and whole)
    if fits:
        assert (got, memory) == (possible[-1], 1000 * possible[-1])


@given(SMALL, SMALL, SMALL, st.integers(1, 16_000), st.sampled_from(["Partitionable", "Dynamic", "Static"]))
def test_of_two_options_the_larger_is_taken_where_there_is_room(a: int, b: int, cpus: int, mib: int, kind: str) -> None:
    small, large = sorted((a, b))
    slot = {"Cpus": cpus, "Memory": mib, "SlotType": kind}
    got, memory, fits = asked(slot, cpusOptions=[small, large], memoryPerCpu=1)
    possible = [n for n in (small, large) if n <= cpus and 1000 * n <= mib]
    whole = kind == "Partitionable" or cpus in (small, large)
    assert fits == (bool(possible) and whole)
    if fits:
        assert (got, memory) == (possible[-1], 1000 * possible[-1])


def test_of_workers_that_have_more_cores_those_are_preferred_and_other_jobs_prefer_none() -> None:
    assert commands(cpusRange=[1, 2])["rank"] == commands(cpusOptions=[1, 2])["rank"] == "RequestCpus"
    assert "rank" not in commands(cpus=2)


def test_memory_for_each_core_is_multiplied_where_their_number_is_known() -> None:
    assert commands(cpus=3, memoryPerCpu=0.5)["request_memory"] == "1500"


def test_what_a_job_leaves_out_is_as_the_site_has_it() -> None:
    site = Site("/executor", default_cpus=2, default_memory=0.5, default_disk=1)
    said = commands(site)
    assert [said[f"request_{what}"] for what in ("cpus", "memory", "disk")] == ["2", "500", "1048576"]


def test_all_that_is_beyond_the_site_is_told_at_once() -> None:
    site = Site("/executor", max_cpus=4, max_memory=8, max_disk=100, max_walltime=60)
    with pytest.raises(Rejected) as caught:
        commands(site, cpusRange=[1, 5], memoryPerCpu=2, disk=101, walltime=61)
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        "resources.cpusRange: this site gives a job at most 4 cores",
        "resources.memoryPerCpu: this site gives a job at most 8 GB",
        "resources.disk: this site gives a job at most 100 GB",
        "resources.walltime: this site gives a job at most 60 minutes",
    ]
    commands(site, cpusRange=[1, 4], memoryPerCpu=2, disk=100, walltime=60)


def test_gpus_are_htcondors_with_what_each_has_at_least() -> None:
    said = commands(gpus={"count": 2, "minimumMemory": 7.5, "capability": 8.6})
    found = (said["request_gpus"], said["gpus_minimum_memory"], said["gpus_minimum_capability"])
    assert found == ("2", "7500", "8.6")
    assert commands(gpus={"count": 1}).keys() - commands().keys() == {"request_gpus"}


def suits(runtimes: str | None, *images: str, **resources: Any) -> bool:
    """Whether a worker that tells of these runtimes gets a job with tasks of these images; scratch: without any."""
    bare = {"runtime": "process", "cmd": "true"}
    tasks = [a_task(image=image, **(bare if image == "scratch" else {})) for image in images]
    job = a_job(tasks=tasks, resources=resources)
    asking = classad2.ClassAd()
    asking["Requirements"] = classad2.ExprTree(
        describe(job, UID, Account("alice"), "/sandbox", SITE).commands["requirements"]
    )
    slot = {"AuthenticatedIdentity": "w-1@workers", **({} if runtimes is None else {"ProminenceRuntimes": runtimes})}
    return asking.lookup("Requirements").simplify(asking, classad2.ClassAd(slot)).eval() is True


@pytest.mark.parametrize(
    ("images", "runtimes", "gets_it"),
    [
        (["tool.sif"], "apptainer docker", True),
        (["tool.sif"], "docker podman", False),
        (["tool.sif"], None, True),
        (["busybox", "tool.sif"], "docker", False),
        (["tool.tar"], "docker", True),
        (["tool.tar"], "podman", False),
        (["tool.tar", "tool.sif"], "docker", False),
        (["busybox"], "", True),
        (["busybox"], "process", False),
        (["scratch"], "process", True),
        (["scratch"], "apptainer process", True),
        (["scratch"], "apptainer docker", False),
        (["scratch"], None, False),
        (["scratch", "busybox"], "process", False),
    ],
)
def test_a_worker_gets_a_job_only_if_it_can_run_all_its_images(
    images: list[str], runtimes: str | None, gets_it: bool
) -> None:
    assert suits(runtimes, *images) is gets_it


def test_a_job_with_gpus_needs_what_shows_them() -> None:
    assert suits("docker apptainer", "busybox", gpus={"count": 1})
    assert not suits("docker", "busybox", gpus={"count": 1})

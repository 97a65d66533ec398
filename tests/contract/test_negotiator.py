"""Which machine a job goes to, by our configuration of HTCondor's own negotiator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import builders_negotiator
import docker
import pytest
from builders import a_size
from real_condor import CondorDaemons, eventually, trusting

from prominence.core import classads

SMALL = a_size(1, 500, 64)
WITH_GPUS, WITHOUT = "slot1", "slot2"
SLOTS = (
    "MACHINE_RESOURCE_GPUs = CUDA0, CUDA1",
    "SLOT_TYPE_1 = cpus=2, memory=25%, disk=50%, GPUs=2",
    "SLOT_TYPE_2 = cpus=6, memory=75%, disk=50%, GPUs=0",
    "SLOT_TYPE_2_PARTITIONABLE = True",
    "NUM_SLOTS_TYPE_2 = 1",
)
"""Two machines in one: the one with GPUs is the smaller, and so the fuller."""


@pytest.fixture
def daemons(engine: docker.DockerClient, condor_image: str, tmp_path: Path) -> Iterator[CondorDaemons]:
    found = CondorDaemons(engine, condor_image, a_size(8, 16_000), classads.WORKER_DOMAIN, "negotiator")
    try:
        with trusting(classads.WORKER_DOMAIN, tmp_path):
            found.join(tmp_path)
            yield found
    finally:
        found.remove()


def test_jobs_leave_gpus_to_those_who_want_them_unless_they_prefer_otherwise(daemons: CondorDaemons) -> None:
    daemons.start_machine(*SLOTS, *builders_negotiator.lines())
    daemons.inside("condor_reconfig", "-all")
    eventually(lambda: len(daemons.attempt("condor_status", "-af", "Name").split()) == len((WITH_GPUS, WITHOUT)))

    def runs_on(*lines: str) -> str:
        daemons.submit_sleep(SMALL, *lines)
        eventually(lambda: daemons.attempt("condor_q", "-all", "-af", "JobStatus").split()[-1:] == ["2"])
        slot = daemons.inside("condor_q", "-all", "-af", "RemoteHost").split()[-1]
        return slot.partition("_")[0]

    assert runs_on() == WITHOUT
    assert runs_on("request_GPUs = 1") == WITH_GPUS
    assert runs_on(f'rank = regexp("^{WITH_GPUS}", TARGET.Name)') == WITH_GPUS

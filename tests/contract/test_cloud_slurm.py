"""Slurm as a cloud, on a real cluster of one node: what it is told and tells, beyond the promise of all clouds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloud_servers import FILES
from real_parts import until
from slurm_cluster import USER, Cluster, OnSlurm

from prominence.core.errors import CredentialsRefused, NoSuchFlavour, ProminenceError
from prominence.imc import userdata
from prominence.imc.declared_slurm import PartitionSettings
from prominence.imc.ports import File, NodeState

SECRET = "the-only-secret"
TOLD = (*FILES, File(userdata.INVITATION, 0o600, SECRET), File(userdata.CONFIG, 0o644, "A = '$(x)' `y`\n"))


@pytest.fixture
def here(slurm: Cluster) -> Iterator[OnSlurm]:
    found = OnSlurm(slurm)
    yield found
    found.clear()


def test_nobody_on_the_cluster_sees_what_a_worker_is_told(here: OnSlurm) -> None:
    here.cloud.create("w-1", here.cloud.flavours()[0], TOLD)
    [(number, _)] = here.jobs("w-1")
    for user in ("root", "nobody"):
        said = here.cluster.sh(f"scontrol show job --details {number}; squeue --format=%all", user)[1]
        assert here.pool in said and SECRET not in said and "worker pilot" not in said
    script = f"scontrol write batch_script {number} -"
    assert "worker pilot" in here.cluster.sh(script, USER)[1]
    assert "worker pilot" not in here.cluster.sh(script, "nobody")[1]
    shown = here.cluster.sh(f"scontrol show job {number}")[1]
    assert "MinMemoryNode=756M" in shown and "CPUs/Task=2" in shown and "Requeue=0" in shown


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"partition": "none"}, NoSuchFlavour),
        ({"cpus": 500}, NoSuchFlavour),
        ({"memory_mib": 9_000_000}, NoSuchFlavour),
        ({"gpus": 1}, NoSuchFlavour),
        ({"constraint": "none"}, NoSuchFlavour),
    ],
)
def test_what_the_cluster_has_not_is_no_flavour_of_it(
    slurm: Cluster, changes: dict[str, Any], error: type[ProminenceError]
) -> None:
    told = {"name": "small", "partition": "main", "cpus": 1, "memory_mib": 200, **changes}
    here = OnSlurm(slurm, flavours=(PartitionSettings(**told),))
    with pytest.raises(error):
        here.cloud.create("w-1", here.cloud.flavours()[0], FILES)
    assert here.cloud.nodes() == []


def test_what_would_wait_for_ever_has_ended(slurm: Cluster) -> None:
    here = OnSlurm(slurm, flavours=(PartitionSettings(name="small", partition="brief", cpus=1, memory_mib=200),))
    here.cloud.create("w-1", here.cloud.flavours()[0], FILES)
    node = until(lambda: [one for one in here.cloud.nodes() if one.state is NodeState.STOPPED], 60)[0]
    assert node.detail == "pending, PartitionTimeLimit"
    here.cloud.delete("w-1")
    assert here.cloud.nodes() == []


def test_a_stranger_is_refused(slurm: Cluster) -> None:
    here = OnSlurm(slurm, login=f"root@{slurm.address}")
    with pytest.raises(CredentialsRefused, match="Permission denied"):
        here.cloud.nodes()


def test_a_host_with_another_key_is_not_spoken_to(slurm: Cluster) -> None:
    other = slurm.folder / "other_hosts"
    other.write_text(f"{slurm.address} {(slurm.folder / 'key.pub').read_text()}")
    here = OnSlurm(slurm, known_hosts_file=other)
    with pytest.raises(CredentialsRefused, match="Host key verification failed"):
        here.cloud.nodes()


def test_of_several_of_one_name_the_first_stays(here: OnSlurm) -> None:
    here.cloud.create("w-1", here.cloud.flavours()[0], FILES)
    first = here.jobs("w-1")[0][0]
    command = here.cluster.sh(
        f"printf '#!/bin/sh\\nsleep 3600\\n' | sbatch --output=/dev/null --job-name=prominence.{here.pool}.w-1", "pilot"
    )
    assert command[0] == 0
    assert [node.copies for node in here.cloud.nodes()] == [2]
    here.cloud.thin_out("w-1")
    assert [node.copies for node in here.cloud.nodes()] == [1]
    until(lambda: [state for number, state in here.jobs("w-1") if number != first] == ["CANCELLED"], 60)

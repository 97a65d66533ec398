"""A worker that imc submits to a Slurm cluster, from its batch script to a job that it runs, on a real pool."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import docker
import pytest
from builders import a_request
from builders_imc import JOINING, a_record
from real_laptop import COMMAND, ROOT
from real_machines import inside
from real_parts import RealPool, gateway, until
from slurm_cluster import CPUS, USER, Cluster

from prominence.cli.pool.site import ensure_site
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import Tier
from prominence.imc.acts import Acts
from prominence.imc.adapters.htcondor import HTCondorPool
from prominence.imc.adapters.slurm import Run, SlurmCloud, run_here
from prominence.imc.admissions import Admissions
from prominence.imc.declared_slurm import PartitionSettings
from prominence.imc.invitations import Invitations
from prominence.imc.ports import NodeState
from prominence.imc.records import Records
from prominence.imc.serving import serve_door
from prominence.imc.settings import JoiningSettings, PoolSettings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

NAME = "pilot-1"
TOLD_OF = ("condor_status", "-constraint")
LARGE = {"cpus": CPUS, "memory": 0.2, "disk": 0.1}
"""What no worker of the pool's own can have."""


@dataclass
class World:
    """An imc of the test's own, beside the pool's, whose one cloud is the cluster."""

    pool: RealPool
    cluster: Cluster
    cloud: SlurmCloud
    condor: HTCondorPool
    acts: Acts

    def story(self) -> str:
        """For a failure."""
        said = self.cluster.sh("tail -n 30 /tmp/said /tmp/prominence-*/log/StartLog; ps axf")[1]
        return f"{self.cluster.logs()}\n{said}"


@pytest.fixture(scope="module")
def world(pool: RealPool, engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder, network = tmp_path_factory.mktemp("imc"), f"prominence-{pool.name}"
    _, packages = ensure_site(("cli",))
    volumes = {str(ROOT): {"bind": "/src", "mode": "ro"}, str(packages): {"bind": "/packages", "mode": "ro"}}
    cluster = Cluster(engine, folder / "slurm", network, COMMAND, volumes)
    key = folder / "POOL"
    key.write_bytes(b"k" * 64)
    settings = PoolSettings(
        collector="ap",
        keys_dir=Path("/run/prominence/keys"),
        revocations_file=pool.state / "condor" / "revoked.conf",
    )
    condor = HTCondorPool(settings, inside(pool.containers("imc")[0].name))
    records, host = Records(MemoryKeyValue()), gateway(engine, network)
    admissions = Admissions(records, condor, settings.token_lifetime_s, _now)
    door = serve_door(JoiningSettings(url=f"http://{host}", host=host, port=0), admissions, ended=lambda: None)
    try:
        cluster.wait_until_ready()
        logs_in, run = _from(pool.containers("imc")[0].name, cluster)
        flavour = PartitionSettings(name="node", partition="main", cpus=CPUS, memory_mib=1000, walltime=100)
        declared = cluster.settings(flavours=(flavour,), output="/tmp/said", tier=Tier.PARTNER, **logs_in)
        cloud = SlurmCloud("cluster", declared, pool.name, run)
        invitations = Invitations(key, f"http://{host}:{door.port}", "", 600)
        joining = replace(JOINING, invitations=invitations, runtimes_allowed=("process",))
        acts = Acts(records, {cloud.name: cloud}, condor, joining, _now)
        records.add(a_record(name=NAME, request=a_request(), requested_at=_now(), phase_since=_now(), attempts=1))
        records.update(NAME, lambda record: record.model_copy(update={"flavour": cloud.flavours()[0]}))
        yield World(pool, cluster, cloud, condor, acts)
    finally:
        cluster.close()
        condor.invalidate(NAME)
        door.close()


def _from(container: str, cluster: Cluster) -> tuple[dict[str, Path], Run]:
    """Where imc's own container has what it needs to log in to the cluster, and how it does."""
    told = {"key_file": Path("/root/cluster.key"), "known_hosts_file": Path("/root/cluster.hosts")}
    for place, name in zip(told.values(), ("key", "known_hosts"), strict=True):
        keep = ["docker", "exec", "-i", container, "sh", "-c", f"umask 077; cat > {place}"]
        subprocess.run(keep, input=(cluster.folder / name).read_text(), text=True, check=True)

    def run(command: Sequence[str], stdin: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        return run_here(["docker", "exec", "-i", container, *command], stdin, timeout_s)

    return told, run


def test_it_joins_runs_a_job_and_goes_when_it_is_deleted(world: World) -> None:
    pool, cloud = world.pool, world.cloud
    world.acts.launch(NAME, cloud.flavours()[0], ())
    until(lambda: NAME in world.condor.execute_points(), 180, world.story)
    task = {"image": "scratch", "runtime": "process", "cmd": "sh -c 'whoami; pwd'"}
    long = pool.submit(task, resources={**LARGE, "walltime": 200})
    job = pool.submit(task, resources={**LARGE, "walltime": 10})
    ended = pool.finish(job)
    assert ended["status"] == "completed", (ended, world.story())
    assert pool.output(job).splitlines()[0] == USER
    ad = pool.history(job)
    assert ad["LastRemoteHost"].endswith(f"@{NAME}") and ad["MachineAttrProminenceCloud0"] == "cluster"
    # It tells what Slurm does of its end, before which that job would not have ended.
    ends_at = pool.inside("access-point", *TOLD_OF, f'Machine == "{NAME}"', "-af", "ProminenceEndsAt").split()
    slurms = world.cluster.sh("date --date=$(squeue --noheader --states=running --format=%e) +%s")[1].split()
    assert ends_at and {*ends_at} == {*slurms}, world.story()
    assert cloud.flavours()[0].lifetime_s == 100 * 60
    assert pool.describe(long)["status"] in ("idle", "waiting")
    assert pool.request("DELETE", f"/jobs/{long}").status_code == 200
    [node] = cloud.nodes()
    assert (node.name, node.state) == (NAME, NodeState.RUNNING)
    # Its secret is good no more, and the token that it got is for its account alone.
    _, told = world.cluster.sh("cat /tmp/prominence-*/etc/prominence/invitation.json", USER)
    assert "secret" not in json.loads(told)
    assert world.cluster.sh("cat /tmp/prominence-*/etc/condor/tokens.d/pool", "nobody")[0] != 0
    cloud.delete(NAME)
    assert cloud.nodes() == []
    until(lambda: NAME not in world.condor.execute_points(), 120, world.story)
    until(lambda: not world.cluster.sh(f"pgrep -u {USER} -f condor")[1], 60, world.story)
    assert world.cluster.sh("ls -d /tmp/prominence-*")[0] != 0, world.story()


def _now() -> datetime:
    return datetime.now(UTC)


def test_the_batch_script_of_the_documentation_is_a_worker_of_its_users(world: World) -> None:
    pool, cluster = world.pool, world.cluster
    made = json.loads(pool.run("token", "worker", "-o", "json").stdout)
    keep = f"umask 077; echo {made['token']} > ~/prominence-worker.token"
    submit = "sbatch --parsable --output=/tmp/said-own /src/docs/examples/worker.slurm"
    code, number = cluster.sh(f"export HOME=/home/{USER}; {keep}; PROMINENCE_COLLECTOR=ap {submit}", USER)
    assert code == 0, number
    name = f"node-{number.strip()}.{made['owner']}"

    def story() -> str:
        return f"{cluster.logs()}\n{cluster.sh('cat /tmp/said-own; ps axf')[1]}"

    def shown(*attributes: str) -> list[str]:
        asked = ("condor_status", "-constraint", f'Machine == "{name}"', "-af", *attributes)
        return pool.inside("access-point", *asked).split()

    until(lambda: shown("TotalSlotCpus", "TotalSlotMemory"), 180, story)
    assert shown("TotalSlotCpus", "TotalSlotMemory") == ["4", str(8 * 1024 - 256)]
    cluster.sh(f"scancel {number}", USER)
    until(lambda: not shown("Machine"), 120, story)
    until(lambda: not cluster.sh(f"find /home/{USER}/.local/state/prominence/workers -mindepth 1")[1], 60, story)

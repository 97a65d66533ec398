"""A small Slurm cluster in one container: controller, a node, and a door for SSH, by which our cloud speaks to it."""

from __future__ import annotations

import io
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from real_parts import run_inside, until

from prominence.cli.pool.base_image import ensure_base_image
from prominence.imc.adapters.slurm import SlurmCloud
from prominence.imc.declared_slurm import PartitionSettings, SlurmSettings

IMAGE = "prominence-test/slurm:1"
USER = "pilot"
CPUS = 40
NOBODYS_PORT = 9

RECIPE = f"""
FROM debian:trixie-slim
RUN apt-get update \\
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \\
        ca-certificates condor munge openssh-server procps python3 slurm-client slurmctld slurmd \\
    && rm --recursive --force /var/lib/apt/lists/* /etc/condor/config.d/* \\
    && useradd --create-home {USER}
"""

SETTINGS = """
ClusterName=test
SlurmctldHost=node(127.0.0.1)
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldLogFile=/var/log/slurmctld.log
SlurmdLogFile=/var/log/slurmd.log
ReturnToService=2
MpiDefault=none
MinJobAge=300
KillWait=10
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0
SlurmdParameters=config_overrides
NodeName=node NodeAddr=127.0.0.1 CPUs=64 RealMemory=64000 State=UNKNOWN
PartitionName=main Nodes=node Default=YES MaxTime=1440 State=UP
PartitionName=closed Nodes=node MaxTime=60 State=UP AllowGroups=nobody
PartitionName=brief Nodes=node MaxTime=1 State=UP
"""

START = f"""
set -eu
printf '%s' "$SETTINGS" > /etc/slurm/slurm.conf
echo CgroupPlugin=disabled > /etc/slurm/cgroup.conf
install -d -o munge -g munge -m 0755 /run/munge
[ -s /etc/munge/munge.key ] || mungekey
chown munge /etc/munge/munge.key
install -d /var/spool/slurmctld /var/spool/slurmd /run/sshd
install -d -m 0700 -o {USER} -g {USER} /home/{USER}/.ssh
printf '%s\\n' "$PUBLIC_KEY" > /home/{USER}/.ssh/authorized_keys
printf '%s' "$PROGRAM" > /usr/local/bin/prominence
chmod 0755 /usr/local/bin/prominence
su --shell /bin/sh munge --command /usr/sbin/munged
slurmctld
slurmd
exec /usr/sbin/sshd -D -e
"""

WAITS = "#!/bin/sh\nexec sleep 3600\n"
"""A worker's program that does nothing else."""


class Cluster:
    """folder: for keys. network: of Docker's; None: its usual one. program: what the nodes have as our command."""

    def __init__(
        self,
        engine: docker.DockerClient,
        folder: Path,
        network: str | None = None,
        program: str = WAITS,
        volumes: Mapping[str, Any] | None = None,
    ) -> None:
        ensure_base_image(engine, lambda _: None)
        engine.images.build(fileobj=io.BytesIO(RECIPE.encode()), tag=IMAGE, rm=True, forcerm=True)
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
        self.container: Container = engine.containers.run(
            IMAGE,
            ["sh", "-c", START],
            detach=True,
            init=True,
            hostname="node",
            # Slurm's daemon asks for a user's environment in a process namespace of its own.
            cap_add=["SYS_ADMIN"],
            security_opt=["seccomp=unconfined"],
            environment={
                "SETTINGS": SETTINGS,
                "PUBLIC_KEY": (folder / "key.pub").read_text().strip(),
                "PROGRAM": program,
            },
            volumes=dict(volumes or {}),
            **({"network": network} if network else {}),
        )

    def wait_until_ready(self) -> None:
        """Until its node takes jobs."""
        until(lambda: "idle" in self.sh("sinfo --noheader --format=%T")[1], 120, self.logs)
        self.container.reload()
        networks = self.container.attrs["NetworkSettings"]["Networks"]
        self.address = next(one["IPAddress"] for one in networks.values())
        _, key = self.sh("cat /etc/ssh/ssh_host_ed25519_key.pub")
        (self.folder / "known_hosts").write_text(f"{self.address} {key}")

    def sh(self, script: str, user: str = "root") -> tuple[int, str]:
        """Exit code and output."""
        return run_inside(self.container, ["sh", "-c", script], user)

    def logs(self) -> str:
        """For a failure."""
        return self.sh("tail --lines 20 /var/log/slurmctld.log /var/log/slurmd.log; squeue --states=all")[1]

    def settings(self, **changes: Any) -> SlurmSettings:
        """With which our cloud speaks to it."""
        told = {
            "type": "slurm",
            "login": f"{USER}@{self.address}",
            "key_file": self.folder / "key",
            "known_hosts_file": self.folder / "known_hosts",
            "program": "/usr/local/bin/prominence",
            "poll_s": 0,
            "flavours": (PartitionSettings(name="small", partition="main", cpus=2, memory_mib=500),),
        }
        return SlurmSettings(**{**told, **changes})

    def close(self) -> None:
        """It is gone."""
        self.container.remove(force=True, v=True)


class OnSlurm:
    """A pool's cloud on the cluster, and the cluster to see and change what is there."""

    def __init__(self, cluster: Cluster, **changes: Any) -> None:
        self.cluster = cluster
        self.pool = f"contract-{uuid.uuid4().hex[:8]}"
        self.declared = cluster.settings(**changes)
        self.cloud = SlurmCloud("cluster", self.declared, self.pool)

    def jobs(self, name: str) -> list[tuple[str, str]]:
        """Numbers and states of a worker's batch jobs."""
        command = f"squeue --noheader --states=all --name=prominence.{self.pool}.{name} --format='%i %T'"
        return [(line.split()[0], line.split()[1]) for line in self.cluster.sh(command)[1].splitlines()]

    def stop(self, name: str) -> None:
        """What runs there ends by itself."""
        [(number, _)] = self.jobs(name)
        until(lambda: self.jobs(name) == [(number, "RUNNING")], 120, self.cluster.logs)
        kill = f"scancel --batch --signal=KILL {number}"
        until(lambda: self.cluster.sh(kill) and self._is(name, "FAILED", "COMPLETED"), 120, self.cluster.logs)

    def vanish(self, name: str) -> None:
        """Somebody on the cluster cancels it."""
        self.cluster.sh(f"scancel --name=prominence.{self.pool}.{name}")
        until(lambda: self._is(name, "CANCELLED"), 120, self.cluster.logs)

    def break_down(self) -> None:
        """From now on nobody answers."""
        self.cloud._declared = self.declared.model_copy(update={"port": NOBODYS_PORT})

    def clear(self) -> None:
        """None of its jobs runs."""
        self.cluster.sh(
            f"squeue --noheader --format='%i %j' | grep {self.pool} | cut -d ' ' -f 1 | xargs --no-run-if-empty scancel"
        )

    def _is(self, name: str, *states: str) -> bool:
        return all(state in states for _, state in self.jobs(name))

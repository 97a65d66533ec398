"""What a container of a job may be: everything that isolates it is decided here (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from prominence.executor.broker.engine import Host
from prominence.executor.broker.requests import Run
from prominence.executor.broker.settings import Settings

MIB = 1024 * 1024
SESSION_LABEL = "prominence.session"
IMAGE_LABEL = "prominence.image"
"""Of a session's images: a number."""
_CPU_SHARES = 1024  # Docker's weight of one core
_MOST_SHARES = 262_144  # the kernel's limit
_LEAST_SHARES = 2  # the same


@dataclass(frozen=True)
class Peer:
    """Who is at the other end of a connection, as the kernel says."""

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """A session's directories, as the worker and the engine's host both see them."""

    home: str
    tmp: str
    mounts: Tuple[str, ...] = ()


def labels(settings: Settings, role: str = "task") -> Dict[str, str]:
    """Those of all containers of this worker's jobs; with the role "image" of the images of their files."""
    return {"prominence.pool": settings.pool, "prominence.worker": settings.worker, "prominence.role": role}


def may_have_a_session(peer: Peer, settings: Settings) -> bool:
    """Slot users only; nobody of root's user or group."""
    return settings.uid_min <= peer.uid <= settings.uid_max and peer.gid != 0


def most(host: Host, slot: Optional[Host], settings: Settings) -> Host:
    """What a container may have at most: its slot's part, else the worker's.

    A flavour may have more cores than its host: those count as weight.
    """
    slot = slot or Host(settings.cpus or host.cpus, settings.memory_mib or host.memory_mib)
    return Host(cpus=slot.cpus, memory_mib=min(slot.memory_mib, host.memory_mib))


def container(
    run: Run, peer: Peer, place: Place, session: str, host: Host, limit: Host, settings: Settings, among: int = 1
) -> Dict[str, Any]:
    """The container that `run` asks for within `limit`, in the engine's words. among: how many the session may have."""
    return {
        "Image": run.image,
        **({"Entrypoint": list(run.command), "Cmd": []} if run.command else {}),
        "Env": [f"{name}={value}" for name, value in run.env.items()],
        "WorkingDir": run.workdir,
        # By its group the packet filter lets it to other workers, and nowhere else that the job may not go.
        "User": f"{peer.uid}:{settings.nodes_gid if run.between_nodes else peer.gid}",
        "Labels": {**labels(settings), SESSION_LABEL: session},
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": _host_config(run, place, host, limit, settings, among),
    }


def _host_config(run: Run, place: Place, host: Host, limit: Host, settings: Settings, among: int) -> Dict[str, Any]:
    memory = min(run.memory_mib, limit.memory_mib) * MIB
    cpus = min(run.cpus, limit.cpus)
    return {
        "Mounts": [
            _bind(place.home, "/home/user"),
            _bind(place.tmp, "/tmp"),
            # Only directories of the session's, which their user cannot replace.
            *(_bind(source, target) for source, target in zip(place.mounts, run.targets)),
        ],
        "NetworkMode": settings.worker_network if run.between_nodes else settings.task_network,
        "Memory": memory,
        "MemorySwap": memory,
        # The engine refuses more cores than its host has.
        "NanoCpus": min(cpus, host.cpus) * 10**9,
        # What the engine limits by container, those of a session have a part of each. A part of the memory would be too
        # little for one of them: what they use of it together is looked at.
        "CpuShares": max(_LEAST_SHARES, min(cpus * _CPU_SHARES, _MOST_SHARES) // among),
        "PidsLimit": max(1, settings.pids // among),
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "IpcMode": "private",
        "Init": True,
        "LogConfig": {"Type": "none"},
        "RestartPolicy": {"Name": "no"},
        **({"CgroupParent": settings.cgroup_parent} if settings.cgroup_parent else {}),
    }


def _bind(source: str, target: str) -> Dict[str, Any]:
    return {"Type": "bind", "Source": source, "Target": target, "BindOptions": {"Propagation": "rprivate"}}

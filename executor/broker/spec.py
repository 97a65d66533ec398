"""What a container of a job may be: everything that isolates it is decided here (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from prominence.executor.broker.engine import Host, plain
from prominence.executor.broker.requests import Run
from prominence.executor.broker.settings import Settings

MIB = 1024 * 1024
SESSION_LABEL = "prominence.session"
_CPU_SHARES = 1024  # Docker's weight of one core
_MOST_SHARES = 262_144  # the kernel's limit


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


def labels(settings: Settings) -> Dict[str, str]:
    """Those of all containers of this worker's jobs."""
    return {"prominence.pool": settings.pool, "prominence.worker": settings.worker, "prominence.role": "task"}


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
    run: Run, peer: Peer, place: Place, session: str, host: Host, limit: Host, settings: Settings
) -> Dict[str, Any]:
    """The container that `run` asks for within `limit`, in the engine's words."""
    return {
        "Image": plain(run.image),
        **({"Entrypoint": list(run.command), "Cmd": []} if run.command else {}),
        "Env": [f"{name}={value}" for name, value in run.env.items()],
        "WorkingDir": run.workdir,
        "User": f"{peer.uid}:{peer.gid}",
        "Labels": {**labels(settings), SESSION_LABEL: session},
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": _host_config(run, place, host, limit, settings),
    }


def _host_config(run: Run, place: Place, host: Host, limit: Host, settings: Settings) -> Dict[str, Any]:
    memory = min(run.memory_mib, limit.memory_mib) * MIB
    cpus = min(run.cpus, limit.cpus)
    return {
        "Mounts": [
            _bind(place.home, "/home/user"),
            _bind(place.tmp, "/tmp"),
            # Only directories of the session's, which their user cannot replace.
            *(_bind(source, target) for source, target in zip(place.mounts, run.targets)),
        ],
        "NetworkMode": settings.task_network,
        "Memory": memory,
        "MemorySwap": memory,
        # The engine refuses more cores than its host has.
        "NanoCpus": min(cpus, host.cpus) * 10**9,
        "CpuShares": min(cpus * _CPU_SHARES, _MOST_SHARES),
        "PidsLimit": settings.pids,
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

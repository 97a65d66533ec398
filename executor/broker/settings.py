"""The broker's settings: a JSON file, and environment variables over it. Standard library only.

`/etc/prominence/broker.json`, or the file that PROMINENCE_BROKER_CONFIG names; the key `pool` is overridden by
PROMINENCE_BROKER_POOL.
"""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Dict, Mapping

from prominence.executor.broker.protocol import SOCKET

FILE = "/etc/prominence/broker.json"
_PREFIX = "PROMINENCE_BROKER_"
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

_SHARED = re.compile(r"host|container:[A-Za-z0-9][A-Za-z0-9_.-]*")


class BadSettings(ValueError):
    """Something is wrong with the settings; the text says what and where."""


@dataclass(frozen=True)
class Settings:
    """pool, worker: on the labels of its containers, by which they are found again.

    docker_socket: the engine's; "" where this worker's jobs may not use Docker.
    tasks_dir: where sessions' directories are made; the engine must see it under the same path.
    execute_dir: HTCondor's EXECUTE: a session is for a sandbox in it, and has its slot's cores and memory. "": the
        broker does not know slots, and takes jobs at their word up to cpus and memory_mib.
    task_network: none, or the name of a Docker network. worker_network: of the containers that speak with a job's other
        nodes: container:NAME, the worker's, or host, where the worker is no container; "": there are none of this kind.
    nodes_gid: their group, by which the worker's packet filter knows them.
    uid_min, uid_max: who may have a session. sessions_per_uid: and how many connections at once.
    cpus, memory_mib: what one container may have at most; 0: as much as the engine has.
    images_dir: where images are kept for Apptainer's jobs; "": nowhere, each job fetches its own.
    images_mib: what those that are not in use may take, and the same of those that Docker has pulled for jobs.
    builder_uid, builders: the first of so many accounts that make the files; as the next one after them nothing runs.
    cgroup_parent: given to the engine as it is; "": the engine's default.
    sweep_every_s: how soon what a session has left behind is looked for. log_file: "" for stderr.
    """

    pool: str
    worker: str = field(default_factory=socket.gethostname)
    docker_socket: str = ""
    tasks_dir: str = "/var/lib/prominence/tasks"
    execute_dir: str = ""
    task_network: str = "none"
    worker_network: str = ""
    nodes_gid: int = 20300
    listen: str = SOCKET
    uid_min: int = 1000
    uid_max: int = 65533
    sessions_per_uid: int = 24
    cpus: int = 0
    memory_mib: int = 0
    pids: int = 4096
    images_dir: str = ""
    images_mib: int = 20 * 1024
    builder_uid: int = 20257
    builders: int = 4
    cgroup_parent: str = ""
    sweep_every_s: int = 30
    log_file: str = ""

    def __post_init__(self) -> None:
        if self.task_network in ("host", "default", "bridge") or not _NETWORK.fullmatch(self.task_network):
            # A container on the host's network reaches all that the host reaches, this machine's services included.
            raise BadSettings(f"task_network: {self.task_network!r} is neither none nor the name of a network of ours")
        if self.worker_network and not _SHARED.fullmatch(self.worker_network):
            raise BadSettings(f"worker_network: {self.worker_network!r} is neither host nor container:NAME")
        if self.nodes_gid < 1:
            raise BadSettings("nodes_gid: the group of tasks cannot be root's")
        if self.images_dir and not self.images_dir.startswith("/"):
            raise BadSettings("images_dir: not an absolute path")
        if self.builder_uid < 1 or self.builders < 1:
            raise BadSettings("builder_uid, builders: images are made by an account, and not by root")
        if self.uid_min < 1:
            raise BadSettings("uid_min: root may not have a session")
        for name in ("tasks_dir", "listen"):
            if not getattr(self, name).startswith("/"):
                raise BadSettings(f"{name}: not an absolute path")


def load(environment: Mapping[str, str]) -> Settings:
    """The settings in force. Raises BadSettings."""
    values = _from_file(Path(environment.get(f"{_PREFIX}CONFIG", FILE)))
    kinds = {one.name: one.type for one in fields(Settings)}
    for name in kinds:
        if f"{_PREFIX}{name.upper()}" in environment:
            values[name] = environment[f"{_PREFIX}{name.upper()}"]
    unknown = set(values) - set(kinds)
    if unknown:
        raise BadSettings(f"there is no setting {', '.join(sorted(unknown))}")
    if "pool" not in values:
        raise BadSettings("pool: missing")
    return Settings(**{name: _typed(name, kinds[name], value) for name, value in values.items()})


def _from_file(file: Path) -> Dict[str, Any]:
    try:
        data = json.loads(file.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadSettings(f"{file}: {error}") from error
    if not isinstance(data, dict):
        raise BadSettings(f"{file}: not an object")
    return data


def _typed(name: str, kind: Any, value: Any) -> Any:
    if kind == "int":
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise BadSettings(f"{name}: a whole number is needed") from error
    if not isinstance(value, str):
        raise BadSettings(f"{name}: text is needed")
    return value

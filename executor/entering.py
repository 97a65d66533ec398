"""Commands that run another where a process of the job's is: in its namespaces, as its user, with no more rights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List

from prominence.executor.ports import NotRunning

_NAMESPACES = {"user": "--user", "mnt": "--mount", "pid": "--pid", "ipc": "--ipc", "net": "--net"}


def the_mounts(pid: int, network: bool = False) -> List[str]:
    """Where the process sees its mounts. network: with its network, too."""
    own = ["--user", "--mount", *(["--net"] if network else [])]
    return ["nsenter", "--preserve-credentials", f"--target={pid}", *own, "--"]


def the_container(pid: int) -> List[str]:
    """All that the container of the process has of its own. Raises NotRunning."""
    try:
        # One that is ours as well cannot be entered, for it is another's.
        inner = [
            name
            for name in _NAMESPACES
            if os.readlink(f"/proc/{pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}")
        ]
    except OSError as error:
        raise NotRunning("the task has ended") from error
    return [
        *("setpriv", "--no-new-privs"),
        *("nsenter", "--preserve-credentials", f"--target={pid}", "--root", "--wd"),
        *(_NAMESPACES[name] for name in inner),
        "--",
    ]


def environment_of(pid: int) -> Dict[str, str]:
    """The process's. Raises NotRunning."""
    try:
        content = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError as error:
        raise NotRunning("the task has ended") from error
    pairs = (entry.partition("=") for entry in os.fsdecode(content).split("\0") if "=" in entry)
    return {name: value for name, _, value in pairs}

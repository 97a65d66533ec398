"""The processes of this machine as a table, and who in it belongs to whom.

A process group is no prison: a program leaves it with one call. What it cannot leave is its ancestry, as long as
orphans come to us (see `process`), so trees are found by parents.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Dict, Iterable, List


@dataclass(frozen=True)
class Process:
    """A line of the table. nested: it lives in a pid namespace below ours; init: it is the first one there."""

    pid: int
    parent: int
    zombie: bool = False
    nested: bool = False
    init: bool = False


def table() -> Dict[int, Process]:
    """All processes that can be seen. One that ends meanwhile is left out."""
    found: Dict[int, Process] = {}
    depth = _depth(_status("self"))
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            process = parse(_status(entry), depth)
        except (OSError, KeyError, ValueError):
            continue
        found[process.pid] = process
    return found


def parse(status: str, our_depth: int = 1) -> Process:
    """A process from the text of /proc/PID/status. our_depth: of our own pid namespace."""
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    pids = fields.get("NSpid", fields["Pid"]).split()
    nested = len(pids) > our_depth
    return Process(
        pid=int(fields["Pid"]),
        parent=int(fields["PPid"]),
        zombie=fields["State"].strip().startswith("Z"),
        nested=nested,
        init=nested and pids[-1] == "1",
    )


def descendants(processes: Dict[int, Process], of: int, but_not: Iterable[int] = ()) -> List[Process]:
    """Everybody below `of`, parents before children; `but_not` and who is below them are left out."""
    children: Dict[int, List[Process]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process)
    spared = set(but_not)
    found: List[Process] = []
    waiting = [of]
    for parent in waiting:
        for child in children.get(parent, []):
            if child.pid not in spared:
                found.append(child)
                waiting.append(child.pid)
    return found


def programs(tree: Iterable[Process]) -> List[Process]:
    """Those of a tree that are the user's.

    A runtime with a pid namespace has helpers outside of it, and an init inside: a signal to those would tear the
    container down under the programs that are to be warned. Without a namespace they cannot be told apart.
    """
    alive = [process for process in tree if not process.zombie]
    inside = [process for process in alive if process.nested]
    return [process for process in inside if not process.init] if inside else alive


def memory_kib(tree: Iterable[Process], enough_kib: int) -> int:
    """Resident memory of a tree in KiB; exact only where it is above `enough_kib`.

    Memory that processes share is first counted for each of them, which is cheap and never too little; only when
    that is above `enough_kib` the kernel is asked for each one's fair part.
    """
    pids = [process.pid for process in tree]
    at_most = sum(_rss_kib(pid) for pid in pids)
    return at_most if at_most <= enough_kib else sum(_pss_kib(pid) for pid in pids)


def cpu_s(pid: int) -> float:
    """Seconds that a process and those of its children that have ended had a processor; 0 for one that is gone."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()  # a program may call itself what it likes
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return 0.0


def _rss_kib(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    except (OSError, IndexError):
        return 0


def _pss_kib(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("Pss:")), 0)
    except OSError:
        return 0


def _status(pid: str) -> str:
    with open(f"/proc/{pid}/status", errors="replace") as file:
        return file.read()


def _depth(status: str) -> int:
    return next((len(line.split()) - 1 for line in status.splitlines() if line.startswith("NSpid:")), 1)

"""What a container of docker's or podman's uses, by the cgroup that the engine has made for it on this machine.

Its figures go with it, a moment after the container's first process has ended: so that end is waited for, too. Where
the engine's cgroups cannot be seen, as from within another container, nothing is known.
"""

from __future__ import annotations

import os
import select
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Dict, Iterator, NamedTuple, Optional

from prominence.executor.usage import Meter, Usage, parse

ROOT = Path("/sys/fs/cgroup")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _GROWTH = 0.02, 1.0, 1.2
"""Between two looks for a container that is being started."""
_TICK_S, _LAST_LOOK_S = 0.2, 1.0
_MONITOR = "conmon"
"""In the name of the cgroup that podman keeps for itself beside the container's."""


class Place(NamedTuple):
    """Where the kernel tells of a container's processor time, and where of its memory. Of version 2 they are one."""

    cpu: Path
    memory: Path

    def figures(self) -> Optional[Usage]:
        """As they are now; None: it is gone."""
        try:
            if (self.memory / "memory.current").exists():
                return parse(_of_version_2(self.memory))
            return parse(_of_version_1(self))
        except (OSError, ValueError):
            return None

    def first_process(self) -> Optional[int]:
        """The one that the container lives as long as; None: it has none, or it is not to be seen."""
        with suppress(OSError, ValueError):
            for group in (self.cpu, *(one for one in self.cpu.iterdir() if one.is_dir())):
                for pid in (group / "cgroup.procs").read_text().split():
                    if _numbers(int(pid))[-1:] == ["1"]:
                        return int(pid)
        return None


def place(container: str, root: Path = ROOT) -> Optional[Place]:
    """Where the container with this id is; None: nowhere."""
    if (root / "cgroup.controllers").exists():
        found = _find(container, root)
        return None if found is None else Place(found, found)
    cpu, memory = _find(container, root / "cpuacct"), _find(container, root / "memory")
    return None if cpu is None or memory is None else Place(cpu, memory)


def _find(container: str, root: Path) -> Optional[Path]:
    for directory, names, _ in os.walk(root):
        for name in names:
            if container in name and _MONITOR not in name:
                return Path(directory) / name
    return None


def _of_version_1(place: Place) -> Dict[str, Any]:
    memory = {
        "max_usage": int((place.memory / "memory.max_usage_in_bytes").read_text()),
        "stats": _table(place.memory / "memory.stat"),
    }
    return {
        "cpu_stats": {"cpu_usage": {"total_usage": int((place.cpu / "cpuacct.usage").read_text())}},
        "memory_stats": memory,
    }


def _of_version_2(directory: Path) -> Dict[str, Any]:
    peak = directory / "memory.peak"  # not of every kernel
    memory: Dict[str, Any] = {"stats": _table(directory / "memory.stat")}
    if peak.exists():
        memory["max_usage"] = int(peak.read_text())
    cpu_us = _table(directory / "cpu.stat").get("usage_usec", 0)
    return {"cpu_stats": {"cpu_usage": {"total_usage": cpu_us * 1000}}, "memory_stats": memory}


def _table(file: Path) -> Dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in file.read_text().splitlines())}


def _numbers(pid: int) -> list[str]:
    """A process's numbers, here and in each pid namespace that it is in."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return line.split()[1:]
    return []


class Followed:
    """A container from its start to its end."""

    def __init__(self, container: str, root: Path = ROOT) -> None:
        self._container = container
        self._root = root
        self._place: Optional[Place] = None
        self._meter = Meter(lambda: None if self._place is None else self._place.figures())
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def now(self) -> Optional[Usage]:
        """What it uses; None: nobody knows."""
        return self._meter.now()

    def end(self) -> Optional[Usage]:
        """Look no more: what was seen last. It has ended, or was never started."""
        self._over.set()
        self._thread.join(_LAST_LOOK_S)
        self._meter.stop()
        return self._meter.last

    def _follow(self) -> None:
        process = self._started()
        if process is None:
            return
        try:
            descriptor = os.pidfd_open(process)
        except OSError:
            return
        try:
            self._meter.now()  # of a task that is over at once, better than nothing
            self._meter.start()
            while not (select.select([descriptor], [], [], _TICK_S)[0] or self._over.is_set()):
                pass
            self._meter.now()
        finally:
            os.close(descriptor)

    def _started(self) -> Optional[int]:
        pause_s = _FIRST_PAUSE_S
        while not self._over.wait(pause_s):
            pause_s = min(pause_s * _GROWTH, _LONGEST_PAUSE_S)
            self._place = self._place or place(self._container, self._root)
            process = None if self._place is None else self._place.first_process()
            if process is not None:
                return process
        return None


@contextmanager
def followed(container: str) -> Iterator[Followed]:
    """Meanwhile it runs."""
    one = Followed(container)
    try:
        yield one
    finally:
        one.end()

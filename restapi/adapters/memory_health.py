"""What the parts answer that are asked how they are, for unit tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prominence.core.errors import Unavailable
from prominence.restapi.copying import Backlog
from prominence.restapi.health.ports import Daemon, Vitals
from prominence.restapi.health.rules import Room
from prominence.restapi.shares.rules import Quota


@dataclass
class MemoryDaemons:
    """silent: those that do not answer, and why."""

    silent: dict[Daemon, str] = field(default_factory=dict)
    known: dict[str, Quota] = field(default_factory=dict)

    def version(self, daemon: Daemon) -> str:
        if daemon in self.silent:
            raise Unavailable(self.silent[daemon])
        return "HTCondor 23.9.6"

    def shares(self) -> Mapping[str, Quota]:
        if Daemon.NEGOTIATOR in self.silent:
            raise Unavailable(self.silent[Daemon.NEGOTIATOR])
        return self.known


@dataclass
class MemoryBook:
    """current: None where it cannot be told."""

    current: bool | None = True

    def catch_up(self) -> bool:
        if self.current is None:
            raise Unavailable("The archive of finished jobs does not answer at the moment.")
        return self.current


@dataclass
class MemoryDisks:
    """The same for every directory."""

    found: Room = field(default_factory=lambda: Room(50_000, 100_000, writable=True))

    def room(self, directory: Path) -> Room:
        return self.found


@dataclass
class MemoryCopied:
    """waiting: None where the accounts' file does not tell. silent: why it does not answer."""

    waiting: Backlog | None = field(default_factory=Backlog)
    silent: str = ""

    def answers(self) -> None:
        if self.silent:
            raise Unavailable(self.silent)

    def backlog(self) -> Backlog:
        if self.waiting is None:
            raise Unavailable("The archive of finished jobs does not answer at the moment.")
        return self.waiting


def memory_vitals() -> Vitals:
    """All is well."""
    books = {"archive": MemoryBook(), "accounting": MemoryBook()}
    return Vitals(MemoryDaemons(), books, MemoryDisks(), {"jobs": Path("/jobs")}, kept_mib=1024)

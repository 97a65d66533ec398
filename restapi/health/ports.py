"""What is asked of the parts, to see how they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from prominence.restapi.copying import Backlog
from prominence.restapi.health.rules import Room
from prominence.restapi.shares.rules import Quota, Share


class Daemon(StrEnum):
    """HTCondor's, of the access point."""

    SCHEDD = "schedd"
    COLLECTOR = "collector"
    NEGOTIATOR = "negotiator"


class Daemons(Protocol):
    """HTCondor's daemons."""

    def version(self, daemon: Daemon) -> str:
        """What itself answers when it is asked something; its version, "" where that is not known.

        Raises Unavailable.
        """

    def shares(self) -> Mapping[str, Quota]:
        """Those of groups that the negotiator holds to, by the names that HTCondor has for them. Raises Unavailable."""


class Book(Protocol):
    """What is made of HTCondor's history."""

    def catch_up(self) -> bool:
        """Whether all is booked that the history tells, or is so shortly. Raises Unavailable."""


class Copied(Protocol):
    """Another store, to which the accounts are brought."""

    def answers(self) -> None:
        """Whether it does. Raises Unavailable."""

    def backlog(self) -> Backlog:
        """What it has yet to be told. Raises Unavailable where the accounts' file does not tell."""


class Disks(Protocol):
    """Of this machine."""

    def room(self, directory: Path) -> Room:
        """On the disk where the directory is, or will be. Raises Unavailable."""


@dataclass(frozen=True)
class Vitals:
    """books: by what they are called. directories: what is on a disk, by what it is called.

    shares: of groups, as they are declared. kept_mib: MiB that must be free for new jobs. for_all: every user may ask,
    not operators alone. processes: those beside the API, and whether each must be there.
    copied: where usage is looked up, if that is not in the accounts' file.
    """

    daemons: Daemons
    books: Mapping[str, Book]
    disks: Disks
    directories: Mapping[str, Path]
    kept_mib: int = 0
    shares: tuple[Share, ...] = ()
    processes: Mapping[str, bool] = field(default_factory=dict)
    for_all: bool = False
    copied: Copied | None = None

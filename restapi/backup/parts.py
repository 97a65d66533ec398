"""What is in a backup, and where it is on this machine: by the API's settings and the directory of the state."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from prominence.restapi.settings import RestApiSettings


class Kind(enum.Enum):
    """How a part is copied."""

    DATABASE = "database"
    LOGS = "logs"
    """A directory of files that only grow, all of one moment."""
    STORE = "store"
    TREE = "tree"
    FILE = "file"


@dataclass(frozen=True)
class Part:
    """place: a file or a directory of this machine; nothing of the shared store, which is elsewhere."""

    name: str
    kind: Kind
    place: Path


OBJECTS = "objects"
QUEUE, EVENTS, EPOCHS = "queue", "events", "epochs"
STORE = "store"


def parts(settings: RestApiSettings, state: Path) -> tuple[Part, ...]:
    """In the order in which they are copied. state: of the whole control plane. The spool is where the history is.

    The accounts come first: what is missing in them is booked again from HTCondor's files, and not the other way round.
    The queue comes before jobs' directories and the records of jobs, which are there before their job is, and longer.
    """
    archive = settings.archive
    found = [
        Part("jobs.db", Kind.DATABASE, archive.file),
        Part("usage.db", Kind.DATABASE, archive.usage_file),
        Part(QUEUE, Kind.LOGS, archive.history_file.parent),
        Part(EVENTS, Kind.LOGS, archive.events_file.parent),
        Part(EPOCHS, Kind.LOGS, archive.epochs_file.parent),
        Part(STORE, Kind.STORE, Path()),
        Part("jobs", Kind.TREE, settings.sandboxes_dir),
        Part("keys", Kind.TREE, keys_of(state)),
        *(Part(name, Kind.FILE, refused_in(state) / name) for name in ("revoked.conf", "denied.conf")),
    ]
    if settings.data.store == "local":
        found.append(Part(OBJECTS, Kind.TREE, settings.data.directory))
    return tuple(found)


def keys_of(state: Path) -> Path:
    """A personal pool keeps them in its state; a site in the directory of its settings, which then come along."""
    own = state / "secrets"
    return own if own.is_dir() else (state / "config").resolve()


def refused_in(state: Path) -> Path:
    """Where imc tells the collector of tokens that are good no more."""
    return state / ("imc" if (state / "imc").is_dir() else "condor")

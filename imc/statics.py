"""Static workers: machines of the site's own that have joined the pool, and of which imc has no record.

They are never made or removed, only drained when somebody asks for it. That is HTCondor's own drain, told to the
machine once: it lasts until it is taken back, or until HTCondor starts anew there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from prominence.core.errors import Conflict, NotFound, Rejected
from prominence.imc import outsiders
from prominence.imc.ports import Pool
from prominence.imc.records import Records

_NAME = "[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?"


@dataclass(frozen=True)
class StaticWorker:
    """draining: it takes no new jobs. claimed_slots: those that still run one."""

    name: str
    claimed_slots: int
    draining: bool

    def sentence(self) -> str:
        """For people."""
        state = "takes no new jobs" if self.draining else "takes jobs"
        return f"{self.name}: {state}, {self.claimed_slots} running"


def all_of_them(records: Records, pool: Pool) -> list[StaticWorker]:
    """By name. Raises Unavailable when the pool or the records cannot be read."""
    stock = records.all()
    own = {record.name for record in stock.records} | stock.unreadable
    points = pool.execute_points()
    return [
        StaticWorker(name, point.claimed_slots, point.draining)
        for name, point in sorted(points.items())
        if name not in own
    ]


def drain(records: Records, pool: Pool, name: str, reason: str) -> None:
    """Let it take no new jobs and finish those it has. Raises NotFound, Conflict or Unavailable."""
    _must_be_one(records, pool, name)
    pool.drain(name, reason)


def undrain(records: Records, pool: Pool, name: str) -> None:
    """Let it take jobs again. Raises NotFound, Conflict or Unavailable."""
    _must_be_one(records, pool, name)
    pool.undrain(name)


def revoke(records: Records, pool: Pool, name: str, now: datetime) -> None:
    """Let nobody in by its name any more, at no collector of the pool. It need not be in the pool now.

    Raises Rejected, Conflict or Unavailable.
    """
    if not re.fullmatch(_NAME, name):
        raise Rejected.because("is no name of a worker: letters from a to z, digits, dots and dashes", ascii(name))
    _must_not_be_ours(records, name)
    outsiders.shut_out(records, pool, name, now)


def readmit(records: Records, pool: Pool, name: str, now: datetime) -> None:
    """Let it in again, with the token that it has. Raises NotFound or Unavailable."""
    outsiders.let_in(records, pool, name, now)


def revoked(records: Records, pool: Pool) -> list[str]:
    """Who is not let in. Raises Unavailable."""
    return outsiders.names(outsiders.shared(records, pool).all())


def _must_be_one(records: Records, pool: Pool, name: str) -> None:
    _must_not_be_ours(records, name)
    if name not in pool.execute_points():
        raise NotFound(f"There is no static worker {name} in the pool.")


def _must_not_be_ours(records: Records, name: str) -> None:
    stock = records.all()
    if name in stock.unreadable or any(record.name == name for record in stock.records):
        raise Conflict(f"Worker {name} is imc's own: the scaler drains it, and removes it, when no job needs it.")

"""Static workers: machines of the site's own that have joined the pool, and of which imc has no record.

They are never made or removed, only drained when somebody asks for it. That is HTCondor's own drain, told to the
machine once: it lasts until it is taken back, or until HTCondor starts anew there.
"""

from __future__ import annotations

from dataclasses import dataclass

from prominence.core.errors import Conflict, NotFound
from prominence.imc.ports import Pool
from prominence.imc.records import Records


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


def _must_be_one(records: Records, pool: Pool, name: str) -> None:
    stock = records.all()
    if name in stock.unreadable or any(record.name == name for record in stock.records):
        raise Conflict(f"Worker {name} is imc's own: the scaler drains it, and removes it, when no job needs it.")
    if name not in pool.execute_points():
        raise NotFound(f"There is no static worker {name} in the pool.")

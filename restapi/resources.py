"""What workers there are for a caller's jobs: how large they are, and what of them is free. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import Any

from prominence.core import classads, units
from prominence.core.machines import Size
from prominence.restapi.identity import Account, Identity, operates

_OF_AN_ACCOUNT = (
    classads.ACCOUNTING_GROUP,
    classads.ACCOUNTING_USER,
    classads.ACCOUNTING_NAME,
    classads.GROUP,
    classads.IDENTITY,
)
_NAMES_AN_ACCOUNT = re.compile(rf"\b(?:{'|'.join(_OF_AN_ACCOUNT)})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Slot:
    """Room on a worker: one that is shared out among jobs, or that one job gets as a whole.

    site: where the worker is, as jobs that have run there say it; "" where nobody has told. start: the ClassAd
    expression that tells which jobs the worker takes.
    """

    machine: str
    site: str
    capacity: Size
    free: Size
    start: str = "true"


@dataclass(frozen=True)
class Amount:
    """Memory and disk in GB."""

    cpus: int
    memory: float
    disk: float
    gpus: int


@dataclass(frozen=True)
class Worker:
    """One that there is; `free` of its `capacity` is nobody's at the moment."""

    capacity: Amount
    free: Amount
    site: str


def existing(slots: Iterable[Slot], caller: Identity) -> list[dict[str, Any]]:
    """The workers that may take a job of the caller's, those with most free cores first; all, for an operator."""
    workers: dict[str, list[Slot]] = {}
    for slot in slots:
        if operates(caller) or _takes(slot, caller):
            workers.setdefault(slot.machine, []).append(slot)
    found = [(_sum(slot.free for slot in one), _sum(slot.capacity for slot in one), one[0]) for one in workers.values()]
    found.sort(key=lambda one: (-one[0].cpus, -one[0].memory_mib, one[2].site, one[2].machine))
    return [asdict(Worker(amount(capacity), amount(free), first.site)) for free, capacity, first in found]


def amount(size: Size) -> Amount:
    """As it is told, in GB."""
    disk = units.disk_gb(units.kib(size.disk_mib))
    return Amount(size.cpus, units.memory_gb(size.memory_mib), disk, size.gpus)


def _takes(slot: Slot, caller: Identity) -> bool:
    """Whether a job of the caller's may start there, whichever of their groups it is charged to.

    What else a worker asks for (the time of day, say) changes, and says nothing of who may use it.
    """
    if not _NAMES_AN_ACCOUNT.search(slot.start):
        return True
    accounts = [Account(caller.user, group) for group in caller.groups or ("",)]
    return any(classads.may_hold(slot.start, _of_a_job(account)) for account in accounts)


def _of_a_job(account: Account) -> Mapping[str, str]:
    """What a job of this account has that tells whose it is."""
    user, group = classads.accounting_name(account.user), classads.accounting_name(account.group)
    return {
        classads.ACCOUNTING_GROUP: group,
        classads.ACCOUNTING_USER: user,
        classads.ACCOUNTING_NAME: f"{group}.{user}" if group else user,
        classads.GROUP: classads.portable(account.group),
        classads.IDENTITY: classads.portable(account.user),
    }


def _sum(sizes: Iterable[Size]) -> Size:
    return reduce(add, sizes)

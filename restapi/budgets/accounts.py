"""How it is with the budgets of groups: what is declared, what was adjusted, what was used, what the queue may use."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prominence.core import classads
from prominence.core.errors import ProminenceError, Unavailable
from prominence.core.job import JobSpec
from prominence.core.workflow_view import is_workflow
from prominence.restapi.budgets import books
from prominence.restapi.budgets.room import Room
from prominence.restapi.budgets.rules import (
    Action,
    Budget,
    Reckoning,
    Reservation,
    Standing,
    in_force,
    reservations,
    reserved_ms,
)
from prominence.restapi.members import whole
from prominence.restapi.selection import EVERY_KIND, NOT_DONE, Selection
from prominence.restapi.translate.needs import needs
from prominence.restapi.translate.site import Site
from prominence.restapi.usage import By, Key, Whose

if TYPE_CHECKING:
    from prominence.restapi.services import Services


@dataclass(frozen=True)
class Budgets:
    """All that are declared."""

    declared: tuple[Budget, ...] = ()
    reckoning: Reckoning = Reckoning()
    room: Room = field(default_factory=lambda: Room(time.monotonic))

    def of(self, group: str, now: float) -> Budget | None:
        """The one that is in force."""
        return in_force(self.declared, group, now)

    @property
    def groups(self) -> frozenset[str]:
        """Those for which there is any, whether it has begun or not."""
        return frozenset(one.group for one in self.declared)

    def needed_ms(self, spec: JobSpec, site: Site) -> int:
        """What a job may use."""
        asked = needs(spec.resources, site)
        gpus = asked.gpus.count if asked.gpus is not None else 0
        of_a_node = self.reckoning.units_ms(asked.cpus, asked.memory_mib, gpus, site.walltime_s(spec))
        return of_a_node * spec.resources.number_of_nodes


def look(budget: Budget, services: Services) -> tuple[Standing, list[Reservation]]:
    """How it is with a budget that has begun, and the group's jobs. Raises Unavailable.

    The queue is looked at first: a job that ends meanwhile may count twice, but never not at all.
    """
    standing, jobs, _ = _seen(budget, services)
    return standing, jobs


def _seen(budget: Budget, services: Services) -> tuple[Standing, list[Reservation], frozenset[str]]:
    """The same with the uids of what is in the queue."""
    group, period = budget.group, budget.period
    # In one look: of two, a job that its workflow submits in between would be neither here nor there.
    ads = services.queue.find(Selection(groups=(group,), statuses=NOT_DONE, kinds=EVERY_KIND))
    workflows = [ad for ad in ads if is_workflow(ad)]
    jobs = reservations((ad for ad in ads if not is_workflow(ad)), services.budgets.reckoning)
    # The accounts are on this machine: budgets hold, and jobs are taken, whether another store answers or not.
    used = (services.accounts or services.usage).grouped([By(Key.GROUP)], period, Whose(groups=frozenset({group})))
    standing = Standing(
        budget,
        adjusted_ms=books.adjusted_ms(group, period, services.store),
        used_ms=sum(one.units_ms for one in used.values()),
        reserved_ms=reserved_ms(jobs, workflows),
        is_over=services.clock().timestamp() >= period.until,
    )
    uids = frozenset(whole(str(ad[classads.JOB_UID])) for ad in ads)
    return standing, jobs, uids


def standings(groups: Iterable[str], services: Services) -> list[Standing]:
    """Of those of these groups whose budgets have begun, in order. Raises Unavailable."""
    now = services.clock().timestamp()
    found = (services.budgets.of(group, now) for group in sorted(groups))
    return [look(budget, services)[0] for budget in found if budget is not None]


@contextmanager
def taken(group: str, needed_ms: int, uid: str, services: Services, unless: type[ProminenceError]) -> Iterator[None]:
    """Keep what the new job with this uid may use, and give it back if there is no such job at the end. As `take`.

    unless: the error that says that there may be one.
    """
    take(group, needed_ms, uid, services)
    try:
        yield
    except ProminenceError as error:
        budget = services.budgets.of(group, services.clock().timestamp()) if group else None
        if budget is not None and not isinstance(error, unless):
            with suppress(Unavailable):
                services.budgets.room.give_back(budget, uid, services.store)
        raise


def take(group: str, needed_ms: int, uid: str, services: Services) -> None:
    """Keep what the new job with this uid may use. Raises BudgetExceeded when there is no room for it; Unavailable."""
    now = services.clock()
    budget = services.budgets.of(group, now.timestamp()) if group else None
    if budget is not None and budget.action is not Action.WARN:

        def seen() -> tuple[Standing, frozenset[str]]:
            standing, _, uids = _seen(budget, services)
            return standing, uids

        services.budgets.room.take(budget, needed_ms, uid, seen, services.store, now)

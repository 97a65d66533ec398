"""What people do with budgets: look at those of their groups, and adjust them, as operators."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from prominence.core import logs
from prominence.core.errors import Conflict, Forbidden, NotFound
from prominence.core.validation import Spelling, Strict, parse
from prominence.restapi import audit
from prominence.restapi.budgets import books
from prominence.restapi.budgets.accounts import standings
from prominence.restapi.budgets.books import Adjustment
from prominence.restapi.budgets.rules import UNIT_MS, Budget, Standing, in_ms
from prominence.restapi.identity import Identity, operates, oversees
from prominence.restapi.services import Services

log = logs.get(__name__)

_MOST_UNITS = 1e9
_LONGEST_WHY = 500

Why = Annotated[
    str,
    StringConstraints(max_length=_LONGEST_WHY),
    Spelling(r"[^\x00-\x1f\x7f]*[!-~\xa1-\uffff][^\x00-\x1f\x7f]*", "must be one line that says something"),
]


class AdjustmentRequest(Strict):
    """An adjustment as it is asked for."""

    units: Annotated[float, Field(ge=-_MOST_UNITS, le=_MOST_UNITS, allow_inf_nan=False)] = Field(
        description="Service units more; below 0: less."
    )
    why: Why = Field(description="Why, for the group and for whoever looks into the ledger later.")


def listed(caller: Identity, services: Services) -> list[dict[str, Any]]:
    """The budgets in force that the caller may see: those of their groups and of those whom they look after.

    Raises Unavailable.
    """
    groups = services.budgets.groups & _visible(caller, services)
    others = sorted(groups.difference(caller.groups))
    if others:
        audit.record("see budgets", caller, groups=others)
    return [_shown(one) for one in standings(groups, services)]


def ledger(group: str, caller: Identity, services: Services) -> list[dict[str, Any]]:
    """All adjustments of a group's budgets, the oldest first. Raises NotFound, also for a group of others'."""
    if group not in services.budgets.groups & _visible(caller, services):
        raise _none(group)
    if group not in caller.groups:
        audit.record("see ledger", caller, group=group)
    return [_entry(one) for one in books.adjustments(group, services.store)]


def adjust(group: str, body: Any, key: str | None, caller: Identity, services: Services) -> dict[str, Any]:
    """Give a group more, or less, of the budget that is in force; the entry in the ledger.

    key: of the request; when it is repeated nothing is added. Raises Forbidden, NotFound, Rejected, Conflict.
    """
    if not operates(caller):
        raise Forbidden("Only operators may adjust budgets.")
    wanted = parse(AdjustmentRequest, body)
    now = services.clock()
    if group not in services.budgets.groups:
        raise _none(group)
    budget = _on(services.budgets.of(group, now.timestamp()), group, now)
    before = books.adjusted_ms(group, budget.period, services.store)
    entry = Adjustment(units_ms=in_ms(wanted.units), at=now, by=caller.user, why=wanted.why)
    there = books.add(group, key or services.new_uid(), entry, services.store)
    if there is entry:
        shown = {"before": before / UNIT_MS, "after": (before + entry.units_ms) / UNIT_MS}
        audit.record("adjust budget", caller, group=group, units=wanted.units, why=wanted.why, **shown)
    return _entry(there)


def _visible(caller: Identity, services: Services) -> frozenset[str]:
    """Groups by their whole names."""
    others = oversees(caller)
    return services.budgets.groups if others is None else others.union(caller.groups) - {""}


def _on(budget: Budget | None, group: str, now: datetime) -> Budget:
    """The budget that is in force. Raises Conflict where there is none."""
    if budget is None:
        raise Conflict(f"The first budget of group {group} has not begun.")
    if now.timestamp() >= budget.period.until:
        raise Conflict(f"The time of the budget of group {group} is over; declare another in the settings.")
    return budget


def _none(group: str) -> NotFound:
    return NotFound(f"There is no budget of group {group}.")


def _shown(standing: Standing) -> dict[str, Any]:
    period = standing.budget.period
    figures = {
        "units": standing.limit_ms,
        "adjusted": standing.adjusted_ms,
        "used": standing.used_ms,
        "reserved": standing.reserved_ms,
        "left": standing.left_ms,
    }
    return {
        "group": standing.budget.group,
        "start": _day(period.since),
        "end": _day(period.until - 1),
        "action": standing.budget.action.value,
        **{name: units_ms / UNIT_MS for name, units_ms in figures.items()},
        "isOver": standing.is_over,
    }


def _entry(one: Adjustment) -> dict[str, Any]:
    return {"units": one.units_ms / UNIT_MS, "time": int(one.at.timestamp()), "by": one.by, "why": one.why}


def _day(epoch: int) -> str:
    return datetime.fromtimestamp(epoch, UTC).date().isoformat()

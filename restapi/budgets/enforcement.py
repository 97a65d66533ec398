"""Hold and release jobs as the budgets of their groups have it, and tell whoever is to be told.

Each round goes by what is booked and queued then: whatever broke off before is done by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

from prominence.core import classads, logs
from prominence.core.errors import Unavailable
from prominence.core.jobid import JobId
from prominence.core.keyvalue.port import ABSENT, Put
from prominence.core.states import HELD_FOR_BUDGET, JobStatus
from prominence.core.validation import Document
from prominence.restapi.budgets.accounts import look
from prominence.restapi.budgets.rules import UNIT_MS, Decision, Standing, decide, reservations, shown
from prominence.restapi.identity import Account
from prominence.restapi.mail import outbox
from prominence.restapi.mail.letters import Notice
from prominence.restapi.selection import ANY_KIND, Selection
from prominence.restapi.services import Services
from prominence.restapi.webhooks import records, rules
from prominence.restapi.webhooks.delivery import to_all
from prominence.restapi.webhooks.records import Event
from prominence.restapi.webhooks.shelves import CALLS, Call

log = logs.get(__name__)

_ALERTS = "/prominence/budgets/alerts"
_AT_ONCE = 500
_HELD = Selection(statuses=(JobStatus.HELD,), held=(HELD_FOR_BUDGET,), kinds=ANY_KIND)


class _Told(Document):
    """Up to how many per cent of a budget somebody was told."""

    reached: int


def enforce(services: Services) -> None:
    """One round. Raises Unavailable where nothing could be looked at; a group's own trouble keeps back no other."""
    ads = services.queue.find(_HELD)
    groups = {str(ad.get(classads.GROUP, "")) for ad in ads} | services.budgets.groups
    for group in sorted(groups):
        try:
            _enforce(group, services)
        except Unavailable as error:
            log.warning("a budget cannot be looked at now", group=group, why=str(error))


def _enforce(group: str, services: Services) -> None:
    budget = services.budgets.of(group, services.clock().timestamp())
    if budget is None:
        ads = services.queue.find(_of_group(group))
        _carry_out(Decision(release=tuple(one.job for one in reservations(ads, services.budgets.reckoning))), services)
        return
    standing, jobs = look(budget, services)
    decision = decide(standing, jobs)
    _carry_out(decision, services)
    if decision != Decision():
        figures = {"hold": len(decision.hold), "release": len(decision.release), "used": standing.used_ms}
        log.info("budget enforced", group=group, limit=standing.limit_ms, **figures)
    if not standing.is_over:
        _alert(standing, services)


def _of_group(group: str) -> Selection:
    return Selection(groups=(group,), statuses=_HELD.statuses, held=_HELD.held, kinds=_HELD.kinds)


def _carry_out(decision: Decision, services: Services) -> None:
    """What has started meanwhile goes on, and what somebody else holds stays held."""
    for jobs in _some(decision.hold):
        idle = Selection(ids=jobs, statuses=(JobStatus.IDLE,))
        services.queue.hold(idle, "the budget of its group leaves no room for it", HELD_FOR_BUDGET)
    for jobs in _some(decision.release):
        services.queue.release(Selection(ids=jobs, statuses=_HELD.statuses, held=_HELD.held))


def _some(jobs: Sequence[JobId]) -> Iterator[tuple[JobId, ...]]:
    """HTCondor reads a constraint for every job that it has."""
    return (tuple(jobs[first : first + _AT_ONCE]) for first in range(0, len(jobs), _AT_ONCE))


def _alert(standing: Standing, services: Services) -> None:
    """Once for each of what is reached, and once for several that are reached together."""
    budget, reached = standing.budget, standing.reached
    place = f"{_ALERTS}/{quote(budget.group, safe='')}/{budget.period.since}"
    entry = services.store.get(place)
    if reached <= (_Told.model_validate_json(entry.value).reached if entry is not None else 0):
        return
    told = Put(place, _Told(reached=reached).model_dump_json().encode())
    log.warning("budget nearly used up", group=budget.group, percent=reached)
    services.store.change(
        [told, *_letters(standing, services), *_calls(standing, services)], {place: entry.revision if entry else ABSENT}
    )


def _letters(standing: Standing, services: Services) -> Iterable[Put]:
    budget = standing.budget
    subject = f"Budget of group {budget.group}: {standing.reached} % used"
    text = (
        f"Of the {shown(standing.limit_ms)} service units of group {budget.group} {shown(standing.used_ms)} are used.\n"
        f"{shown(standing.reserved_ms)} are kept for its jobs in the queue.\n\n"
        "How it is with it now:  prominence budget\n"
    )
    for number, address in enumerate(budget.addresses):
        key = f"budgets/{quote(budget.group, safe='')}/{budget.period.since}/{standing.reached}/{number}"
        yield outbox.NOTICES.to_be_put(
            key, Notice(address=address, made_at=services.clock(), subject=subject, text=text)
        )


def _calls(standing: Standing, services: Services) -> Iterable[Put]:
    """The same to the webhooks of the group."""
    if services.webhooks is None:
        return []
    budget, now, event = standing.budget, services.clock(), Event.BUDGET_ALERT
    figures = {
        "group": budget.group,
        "percent": standing.reached,
        "units": standing.limit_ms / UNIT_MS,
        "used": standing.used_ms / UNIT_MS,
        "reserved": standing.reserved_ms / UNIT_MS,
    }
    message = rules.message_id(budget.group, str(budget.period.since), str(standing.reached), event)
    call = Call(message=message, event=event, made_at=now, body=rules.body(event, now, figures))
    concerned = records.concerned(event, Account("", budget.group), services.store)
    return [CALLS.to_be_put(key, one) for key, one in to_all(concerned, call).items()]

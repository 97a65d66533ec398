"""The attempts of a job, told by HTCondor's events one after the other. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from prominence.core.reasons import explain
from prominence.core.report import ExecutionReport, Outcome
from prominence.restapi.archive.records import Event
from prominence.restapi.finished import Attempt

MOST = 1000
"""Attempts that are kept of a job, the first and the last: a worker that breaks every job must not fill the disk."""

LOST = "lost"
INTERRUPTED = "interrupted"
HELD = "held"
REMOVED = "removed"
ENDED = "ended"

TAKEN = "The cloud took its worker's machine away."

_LONGEST = 500
_SEEN_WITHIN_S = 60
"""How long after a machine has heard of it imc has seen so at the latest."""
_BY_US = re.compile(r" \(by user [^()]*\)$")


def follow(attempts: Sequence[Attempt], event: Event, report: ExecutionReport | None) -> tuple[Attempt, ...]:
    """The attempts with what the event says. report: of the attempt that it ends, where there is one."""
    change = _CHANGES.get(event.kind)
    return tuple(attempts) if change is None else change(tuple(attempts), event, report)


def with_clouds_word(attempts: Sequence[Attempt], taken: Mapping[str, int]) -> tuple[Attempt, ...]:
    """The attempts, of which those say so that ended because a cloud took their worker away.

    taken: since when, by worker. HTCondor knows no more than that a machine did not want the job any longer.
    """
    return tuple(replace(one, reason=TAKEN) if _was_taken(one, taken) else one for one in attempts)


def _was_taken(one: Attempt, taken: Mapping[str, int]) -> bool:
    if one.outcome not in (INTERRUPTED, LOST) or one.worker not in taken or one.ended is None:
        return False
    return one.ended >= taken[one.worker] - _SEEN_WITHIN_S


def ends_by_itself(event: Event) -> bool:
    """Whether the executor has ended, so that there is a report of this attempt."""
    return event.kind == "JobTerminatedEvent" or event.facts.get("TerminatedAndRequeued") is True


Change = Callable[[tuple[Attempt, ...], Event, ExecutionReport | None], tuple[Attempt, ...]]


def _started(attempts: tuple[Attempt, ...], event: Event, report: ExecutionReport | None) -> tuple[Attempt, ...]:
    before = _closed(attempts, event, LOST, "")
    number = before[-1].number + 1 if before else 1
    worker = str(event.facts.get("SlotName", "")).rpartition("@")[2]
    return (*before[: MOST - 1], Attempt(number, worker, started=int(event.at)))


def _terminated(attempts: tuple[Attempt, ...], event: Event, report: ExecutionReport | None) -> tuple[Attempt, ...]:
    """By itself: the report says how."""
    code = event.facts.get("ReturnValue")
    outcome, reason = _told(report, code)
    changed = _closed(attempts, event, outcome, reason)
    if not changed or changed == attempts or not isinstance(code, int):
        return changed
    return (*changed[:-1], replace(changed[-1], exit_code=code))


def _told(report: ExecutionReport | None, code: object) -> tuple[str, str]:
    if report is None or report.outcome is Outcome.UNFINISHED:
        return ENDED, "" if code == 0 else "It did not tell why."
    return report.outcome.value, explain(report.reason, **report.details) if report.reason else ""


def _evicted(attempts: tuple[Attempt, ...], event: Event, report: ExecutionReport | None) -> tuple[Attempt, ...]:
    if ends_by_itself(event):
        return _terminated(attempts, event, report)
    return _closed(attempts, event, INTERRUPTED, event.facts.get("Reason"))


def _broken(attempts: tuple[Attempt, ...], event: Event, report: ExecutionReport | None) -> tuple[Attempt, ...]:
    return _closed(attempts, event, LOST, event.facts.get("Reason") or event.facts.get("Message"))


def _held(attempts: tuple[Attempt, ...], event: Event, report: ExecutionReport | None) -> tuple[Attempt, ...]:
    return _ended_by(attempts, event, HELD, event.facts.get("HoldReason"))


def _removed(attempts: tuple[Attempt, ...], event: Event, report: ExecutionReport | None) -> tuple[Attempt, ...]:
    return _ended_by(attempts, event, REMOVED, event.facts.get("Reason"))


_CHANGES: dict[str, Change] = {
    "ExecuteEvent": _started,
    "JobTerminatedEvent": _terminated,
    "JobEvictedEvent": _evicted,
    "JobReconnectFailedEvent": _broken,
    "ShadowExceptionEvent": _broken,
    "JobHeldEvent": _held,
    "JobAbortedEvent": _removed,
}
"""By HTCondor's word for the event; others say nothing of attempts."""


def _ended_by(attempts: tuple[Attempt, ...], event: Event, outcome: str, reason: object) -> tuple[Attempt, ...]:
    """HTCondor first tells that the job was interrupted, and then why."""
    if attempts and attempts[-1].outcome == INTERRUPTED and not attempts[-1].reason:
        return (*attempts[:-1], replace(attempts[-1], outcome=outcome, reason=_plain(reason)))
    return _closed(attempts, event, outcome, reason)


def _closed(attempts: tuple[Attempt, ...], event: Event, outcome: str, reason: object) -> tuple[Attempt, ...]:
    """The last attempt has ended, if it has not before."""
    if not attempts or attempts[-1].ended is not None:
        return attempts
    last = replace(attempts[-1], ended=int(event.at), outcome=outcome, reason=_plain(reason))
    return (*attempts[:-1], last)


def _plain(reason: object) -> str:
    """In one line, and without the account that HTCondor names: it is always ours."""
    return _BY_US.sub("", " ".join(reason.split()))[:_LONGEST] if isinstance(reason, str) else ""

"""Why a job is where it is: which gate holds it, how many come before it, and when it may start.

Of a job that waits for a worker the scaler's last plan tells; of all others HTCondor and the job's own report do.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from prominence.core import classads, units
from prominence.core.errors import NotFound
from prominence.core.jobid import JobId
from prominence.core.reasons import MEANINGS, Reason, explain
from prominence.core.scaling import Explanation, ScalingPlan, Start
from prominence.core.states import JobStatus, Status
from prominence.core.verdict import verdict
from prominence.core.view import moment
from prominence.restapi import audit, plans, query, waiting
from prominence.restapi.identity import Act, Identity, Role, may
from prominence.restapi.presentation import Job
from prominence.restapi.selection import ANY_KIND, Selection
from prominence.restapi.services import Services
from prominence.restapi.waiting import Standing

_OF_HOLDS = {
    Reason.HELD_BY_USER: "not before the job is released",
    Reason.HELD_BY_OPERATOR: "not before the job is released",
    Reason.HELD_FOR_BUDGET: "not before its group's budget leaves room for it",
}
_NEVER = frozenset({Reason.NO_FLAVOUR_FITS, Reason.NO_FLAVOUR_LASTS, Reason.NO_SUCH_PLACE})

_MATCHED_WITHIN = timedelta(minutes=2)
"""A job for which there has been room for longer waits for something that the scaler does not know of."""

PART_NAMES = {"demand": "queue", "execute_points": "collector", "workers": "workers", "clouds": "clouds"}
"""What users call the parts that the scaler looks at."""


def why(job_id: JobId, caller: Identity, services: Services) -> dict[str, Any]:
    """The answer. Raises NotFound for a job that is not there, or that the caller may not see."""
    job = query.find(job_id, services)
    if job is None or (role := may(caller, Act.SEE, job.owner)) is None:
        raise NotFound(f"There is no job {job_id}.")
    if role is not Role.OWNER:
        audit.record("explain job", caller, job=job.job_id.shown, user=job.owner.user, role=role)
    if job.ad[classads.JOB_STATUS] == JobStatus.IDLE:
        return _waiting(job, services)
    return _of_others(job, services.clock())


def _waiting(job: Job, services: Services) -> dict[str, Any]:
    latest, now = plans.latest(services), services.clock()
    if latest.plan is None:
        details = {"detail": latest.trouble}
        told = {**_reason(Reason.SCALER_SILENT, explain(Reason.SCALER_SILENT, **details)), "details": details}
        start = {"basis": "the scaler does not tell what it intends"}
        return {**_head(job, job.view.status), **told, "start": start, "asOf": _epoch(now)}
    alike = Selection(user=job.owner.user, statuses=(JobStatus.IDLE,), kinds=ANY_KIND)
    standing = waiting.standings(services.queue.find(alike), latest.plan).get(job.job_id)
    return _standing(job, standing, latest.plan, now)


def _standing(job: Job, standing: Standing | None, plan: ScalingPlan, now: datetime) -> dict[str, Any]:
    explanation = standing.explanation if standing is not None else None
    found = verdict(job.ad, None, explanation)
    reason = found.reason or Reason.QUEUED
    told = {
        **_head(job, found.status),
        **_reason(reason, found.sentence or explain(reason)),
        "details": dict(explanation.details) if explanation is not None else {},
        "position": _position(standing, plan) if standing is not None else {},
        "start": _start(explanation, job, now),
        "unseen": unseen(plan),
        "asOf": _epoch(plan.made_at),
    }
    return {name: value for name, value in told.items() if value not in ({}, [])}


def _position(standing: Standing, plan: ScalingPlan) -> dict[str, int]:
    return {"place": standing.place, "of": standing.of, "waiting": waiting.jobs(plan.explanations)}


def unseen(plan: ScalingPlan) -> list[dict[str, Any]]:
    """The parts that the scaler could not see when it made the plan, and when it last could."""
    parts = plan.inputs.parts if plan.inputs is not None else {}
    return [
        {"part": PART_NAMES[name], **({"readAt": _epoch(part.read_at)} if part.read_at is not None else {})}
        for name, part in parts.items()
        if part.trouble and name in PART_NAMES
    ]


def _start(explanation: Explanation | None, job: Job, now: datetime) -> dict[str, Any]:
    if explanation is None:
        return {"basis": "the scaler has not looked at the job yet"}
    if explanation.reason in _NEVER:
        return {"basis": "not before the job or the pool is changed"}
    if explanation.reason is Reason.MATCHING and (waited := _matched_for(explanation, job, now)) > _MATCHED_WITHIN:
        so_long = units.plainly(round(waited.total_seconds()))
        return {"basis": f"HTCondor has not matched it for {so_long}: others are served first, or no worker takes it"}
    if explanation.start is None:
        return {"basis": "nothing is known that it could be reckoned from"}
    return start_shown(explanation.start, now)


def _matched_for(explanation: Explanation, job: Job, now: datetime) -> timedelta:
    """For how long there has been room for this job, at least."""
    idle_since = moment(job.ad, classads.ENTERED_STATUS_AT) or _epoch(now)
    return now - max(explanation.since or now, datetime.fromtimestamp(idle_since, UTC))


def start_shown(start: Start, now: datetime) -> dict[str, Any]:
    """As the API writes it. What should have come to pass already is late, and nobody knows by how much."""
    since, present = _epoch(start.since or now), _epoch(now)
    latest = None if start.latest_s is None else since + round(start.latest_s)
    if latest is not None and latest < present:
        return {"basis": f"it takes longer than usual; {start.basis}"}
    earliest = None if start.soonest_s is None else max(present, since + round(start.soonest_s))
    known = {"earliest": earliest, "latest": latest}
    return {**{name: moment for name, moment in known.items() if moment is not None}, "basis": start.basis}


def _of_others(job: Job, now: datetime) -> dict[str, Any]:
    """A job that runs, is on hold, or has ended."""
    reason, sentence = job.view.reason, job.view.sentence
    told = _reason(reason, sentence) if reason and sentence else {"explanation": _healthy(job)}
    on_hold = {"start": {"basis": _OF_HOLDS[reason]}} if reason in _OF_HOLDS else {}
    return {**_head(job, job.view.status), **told, **on_hold, "asOf": _epoch(now)}


def _healthy(job: Job) -> str:
    events, execution = job.view.events, job.view.execution
    worker, site = (execution.get(name) for name in ("worker", "site"))
    where = (f" on worker {worker}" if worker else "") + (f" of {site}" if site else "")
    if job.view.status is Status.RUNNING:
        return f"It runs{where}{_at(' since', events.get('startTime'))}."
    return f"It has completed{where}{_at(' at', events.get('endTime'))}."


def _at(word: str, epoch: int | None) -> str:
    return f"{word} {datetime.fromtimestamp(epoch, UTC):%Y-%m-%d %H:%M:%S} UTC" if epoch else ""


def _head(job: Job, status: Status) -> dict[str, Any]:
    return {"id": job.job_id.shown, "status": status.value}


def _reason(reason: Reason, sentence: str) -> dict[str, Any]:
    """sentence: with the advice behind it, as `explain` has it."""
    meaning = MEANINGS[reason]
    advice = {"advice": meaning.advice} if meaning.advice else {}
    told = {"explanation": sentence.removesuffix(meaning.advice).rstrip(), "reasonCode": reason.value}
    return {**told, "blame": meaning.blame.value, **advice}


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())

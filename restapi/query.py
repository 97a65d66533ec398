"""What users ask of their jobs: lists, and one job with all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from prominence.core import classads, document, logs, report
from prominence.core.errors import Rejected, Unavailable
from prominence.core.job import JobSpec
from prominence.core.published import read_plan
from prominence.core.report import ExecutionReport
from prominence.core.scaling import Explanation, ScalingPlan
from prominence.core.states import JobStatus
from prominence.core.view import JobAd, view
from prominence.restapi import waiting
from prominence.restapi.identity import Identity
from prominence.restapi.listing import Listing
from prominence.restapi.ports import Unusable
from prominence.restapi.presentation import Job, present
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services
from prominence.restapi.submission import SPEC_FILE

log = logs.get(__name__)

PLAN_IS_GOOD_FOR = timedelta(minutes=5)
"""An older plan says nothing any more: the scaler has stopped."""

_OVER = (JobStatus.COMPLETED, JobStatus.REMOVED, JobStatus.HELD)
"""The executor has ended; a report of an earlier attempt does not outlive the next one's start."""


def list_jobs(listing: Listing, caller: Identity, services: Services) -> list[dict[str, Any]]:
    """The jobs that are asked for, by id."""
    queued = services.queue.find(listing.selection) if listing.queue else []
    # Asked in this order, a job that leaves the queue meanwhile is seen twice rather than not at all.
    left = services.queue.history(listing.selection, listing.history) if listing.history else []
    ads = {int(ad[classads.CLUSTER_ID]): ad for ad in (*queued, *left)}
    jobs = look_at([ads[job_id] for job_id in sorted(ads)], caller, services)
    return [present(job, listing.detail) for job in jobs if listing.shown is None or job.view.status in listing.shown]


def describe(job_id: int, caller: Identity, services: Services) -> list[dict[str, Any]]:
    """The job with all that is known of it, alone in a list; an empty list when the caller has no such job."""
    only = Selection(user=caller.user, ids=(job_id,))
    return list_jobs(Listing(only, queue=True, history=1, detail=True), caller, services)


def look_at(ads: Sequence[JobAd], caller: Identity, services: Services) -> list[Job]:
    """The jobs of these ads, all of them the caller's, with what their files and the scaler say."""
    explanations = _explanations([ad for ad in ads if ad[classads.JOB_STATUS] == JobStatus.IDLE], caller, services)
    return [_job(ad, explanations.get(int(ad[classads.CLUSTER_ID])), services) for ad in ads]


def uid_of(ad: JobAd) -> str:
    """By which the job's files are found."""
    return str(ad[classads.JOB_UID])


def _job(ad: JobAd, explanation: Explanation | None, services: Services) -> Job:
    told = _report(uid_of(ad), services) if ad[classads.JOB_STATUS] in _OVER else None
    return Job(ad, _spec(uid_of(ad), services), view(ad, told, explanation))


def _spec(uid: str, services: Services) -> JobSpec | None:
    try:
        content = services.sandboxes.read(uid, SPEC_FILE)
        return None if content is None else JobSpec.model_validate_json(content)
    except (Unusable, ValidationError) as error:
        log.warning("a job's description cannot be read", uid=uid, error=str(error))
        return None


def _report(uid: str, services: Services) -> ExecutionReport | None:
    """From the worker, who may send us anything by this name."""
    try:
        content = services.sandboxes.read(uid, report.FILE_NAME)
        return None if content is None else document.loads(ExecutionReport, content.decode())
    except (Unusable, ValueError, RecursionError) as error:  # not UTF-8, not JSON, not a report, nested without end
        log.warning("a job's report cannot be read", uid=uid, error=str(error))
        return None


def _explanations(idle: Sequence[JobAd], caller: Identity, services: Services) -> dict[int, Explanation]:
    plan = _plan(services) if idle else None
    if plan is None:
        return {}
    if waiting.need_all(idle, plan):
        idle = services.queue.find(Selection(user=caller.user, statuses=(JobStatus.IDLE,)))
    return waiting.explained(idle, plan)


def _plan(services: Services) -> ScalingPlan | None:
    """The scaler's latest, if it can be had: jobs without explanations are better than none."""
    try:
        plan = read_plan(services.store)
    except (Unavailable, Rejected) as error:
        log.warning("the scaler's plan cannot be read", error=str(error))
        return None
    if plan is None or services.clock() - plan.made_at > PLAN_IS_GOOD_FOR:
        return None
    return plan

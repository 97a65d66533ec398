"""What users ask of their jobs: lists, and one job with all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from prominence.core import classads, logs
from prominence.core.errors import Rejected, Unavailable
from prominence.core.job import JobSpec
from prominence.core.published import read_plan
from prominence.core.scaling import Explanation, ScalingPlan
from prominence.core.states import JobStatus
from prominence.core.view import JobAd, view
from prominence.restapi import audit, summary, waiting
from prominence.restapi.files import report_of, spec_of
from prominence.restapi.finished import Finished
from prominence.restapi.identity import Act, Identity, Role, may
from prominence.restapi.kept import with_outputs
from prominence.restapi.listing import Listing
from prominence.restapi.paging import Key, Order, Page, cursor
from prominence.restapi.presentation import Job, present
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services
from prominence.restapi.summary import Summary

log = logs.get(__name__)

PLAN_IS_GOOD_FOR = timedelta(minutes=5)
"""An older plan says nothing any more: the scaler has stopped."""

_OVER = frozenset({JobStatus.COMPLETED, JobStatus.REMOVED})
"""The executor has ended; a report of an earlier attempt does not outlive the next one's start."""


@dataclass(frozen=True)
class Listed:
    """Jobs as the API writes them, and the cursor of what comes behind them; None when nothing does."""

    jobs: list[dict[str, Any]]
    cursor: str | None = None


def list_jobs(listing: Listing, caller: Identity, services: Services) -> Listed:
    """The jobs that are asked for, in the order that is asked for."""
    if listing.selection.user != caller.user:
        audit.record("list jobs", caller, user=listing.selection.user, groups=listing.selection.groups)
    page, wider = listing.page, listing.page.with_one_more()
    # What a job is shown as is not always known to HTCondor: then all are looked at until there are enough.
    asked = wider if listing.shown is None else page.unlimited()
    queued = services.queue.find(listing.selection, asked) if listing.queue else []
    jobs = look_at(queued, services, listing.detail)
    # Asked in this order, a job that leaves the queue meanwhile is seen twice rather than not at all.
    left = [of_finished(one, services, listing.detail) for one in _left(listing, wider, services)]
    known = {job.job_id: job for job in (*jobs, *left) if listing.shown is None or job.view.status in listing.shown}
    found = wider.of(known.values(), lambda job: page.order.place(job.ad))
    shown = found if page.limit is None else found[: page.limit]
    behind = cursor(page.order, page.order.place(shown[-1].ad)) if len(found) > len(shown) else None
    shown = [with_outputs(job, services) for job in shown] if listing.detail else shown
    return Listed([_shown(job, listing, caller) for job in shown], behind)


def tell(job: Job | None, caller: Identity, services: Services) -> list[dict[str, Any]]:
    """The job with all that is known of it, alone in a list; an empty list when the caller may not see such a job."""
    if job is None or (role := may(caller, Act.SEE, job.owner)) is None:
        return []
    if role is not Role.OWNER:
        audit.record("describe job", caller, job=job.job_id, user=job.owner.user, role=role)
    job = with_outputs(job, services)
    full = replace(job, attempts=services.archive.attempts(job.job_id), discreet=role is not Role.OWNER)
    return [present(full, detail=True)]


def find(job_id: int, services: Services, detail: bool = False) -> Job | None:
    """Anybody's job, in the queue or not; None when there is none."""
    only = Selection(ids=(job_id,))
    queued = services.queue.find(only)
    if queued:
        return look_at(queued, services, detail)[0]
    left = services.archive.find(only, None, Page(limit=1), detail)
    return of_finished(left[0], services, detail) if left else None


def look_at(ads: Sequence[JobAd], services: Services, detail: bool = False) -> list[Job]:
    """Jobs in the queue, with what their files and the scaler say. Without `detail` files are read only in need."""
    explanations = _explanations([ad for ad in ads if ad[classads.JOB_STATUS] == JobStatus.IDLE], services)
    return [_queued(ad, explanations.get(int(ad[classads.CLUSTER_ID])), services, detail) for ad in ads]


def _left(listing: Listing, wider: Page, services: Services) -> list[Finished]:
    """Of old lists the newest that have ended, however many are asked for."""
    if listing.finished == 0:
        return []
    page = wider if listing.finished is None else Page(Order(Key.ENDED, descending=True), listing.finished)
    return services.archive.find(listing.selection, listing.shown, page, listing.detail)


def _queued(ad: JobAd, explanation: Explanation | None, services: Services, detail: bool) -> Job:
    uid = str(ad[classads.JOB_UID])
    over = _OVER | {JobStatus.HELD} if detail else _OVER
    told = report_of(uid, services.sandboxes) if ad[classads.JOB_STATUS] in over else None
    spec = spec_of(uid, services.sandboxes) if detail or classads.SUMMARY not in ad else None
    return Job(ad, view(ad, told, explanation), _summary(ad, spec), spec)


def of_finished(job: Finished, services: Services, detail: bool = False) -> Job:
    """A job that has left the queue."""
    spec = job.spec
    if spec is None and (detail or classads.SUMMARY not in job.ad):
        spec = spec_of(str(job.ad[classads.JOB_UID]), services.sandboxes)
    return Job(job.ad, job.view, _summary(job.ad, spec), spec)


def _summary(ad: JobAd, spec: JobSpec | None) -> Summary:
    text = ad.get(classads.SUMMARY)
    return (summary.read(text) if isinstance(text, str) else None) or (summary.summary(spec) if spec else Summary())


def _shown(job: Job, listing: Listing, caller: Identity) -> dict[str, Any]:
    others = may(caller, Act.READ, job.owner) is None
    return present(replace(job, discreet=others), listing.detail, listing.fields)


def explanations(services: Services) -> tuple[Explanation, ...]:
    """Why jobs wait, as the scaler says."""
    plan = _plan(services)
    return plan.explanations if plan is not None else ()


def _explanations(idle: Sequence[JobAd], services: Services) -> dict[int, Explanation]:
    plan = _plan(services) if idle else None
    if plan is None:
        return {}
    if waiting.need_all(idle, plan):
        users = {str(ad[classads.IDENTITY]) for ad in idle}
        idle = services.queue.find(Selection(user=users.pop() if len(users) == 1 else None, statuses=(JobStatus.IDLE,)))
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

"""What users ask of their jobs: lists, and one job with all that is known of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prominence.core import classads, nodes
from prominence.core.instances import instance
from prominence.core.job import JobSpec
from prominence.core.jobid import JobId
from prominence.core.scaling import Explanation
from prominence.core.states import JobStatus
from prominence.core.verdict import has_others
from prominence.core.view import JobAd, view
from prominence.restapi import audit, plans, summary, waiting
from prominence.restapi.files import report_of, spec_of
from prominence.restapi.finished import Finished
from prominence.restapi.identity import Act, Identity, Role, may
from prominence.restapi.kept import with_outputs
from prominence.restapi.listing import Listing
from prominence.restapi.members import shared
from prominence.restapi.paging import Key, Order, Page, cursor
from prominence.restapi.presentation import Job, parameters, present
from prominence.restapi.selection import ANY_KIND, Selection
from prominence.restapi.services import Services
from prominence.restapi.summary import Summary

_OVER = frozenset({JobStatus.COMPLETED, JobStatus.REMOVED})
"""The executor has ended; a report of an earlier attempt does not outlive the next one's start."""


Specs = Callable[[JobAd], JobSpec | None]
"""A job's description by its ad, where it can be read."""


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
    specs = specs_of(services)
    left = [of_finished(one, specs, listing.detail) for one in _left(listing, wider, services)]
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
        audit.record("describe job", caller, job=job.job_id.shown, user=job.owner.user, role=role)
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
    return of_finished(left[0], specs_of(services), detail) if left else None


def find_by_uid(uid: str, services: Services) -> Job | None:
    """The newest job of this uid, in the queue or not: a workflow's jobs may have been submitted again."""
    only = Selection(uid=uid)
    queued = services.queue.find(only)
    if queued:
        return look_at([max(queued, key=JobId.of)], services)[0]
    left = services.archive.find(only, None, Page(Order(Key.ID, descending=True), limit=1))
    return of_finished(left[0], specs_of(services)) if left else None


def specs_of(services: Services) -> Specs:
    """The descriptions of many jobs. What many have in common is read once, however many of them are looked at."""
    known: dict[str, JobSpec | None] = {}

    def spec(ad: JobAd) -> JobSpec | None:
        uid, values = str(ad[classads.JOB_UID]), parameters(ad)
        place = shared(uid)
        if place not in known:
            known[place] = spec_of(uid, services.sandboxes)
        found = known[place]
        return found if found is None or not values else instance(found, values)

    return spec


def look_at(ads: Sequence[JobAd], services: Services, detail: bool = False) -> list[Job]:
    """Jobs in the queue, with what their files and the scaler say. Without `detail` files are read only in need."""
    others = _others(ads, services)
    ads = [nodes.as_one(ad, others[JobId.of(ad)]) if JobId.of(ad) in others else ad for ad in ads]
    explanations = _explanations([ad for ad in ads if ad[classads.JOB_STATUS] == JobStatus.IDLE], services)
    specs = specs_of(services)
    return [_queued(ad, explanations.get(JobId.of(ad)), services, specs, detail) for ad in ads]


def _others(ads: Sequence[JobAd], services: Services) -> Mapping[JobId, list[JobAd]]:
    """Of jobs of several nodes those that are not the first."""
    jobs = tuple(JobId.of(ad) for ad in ads if has_others(ad))
    found: dict[JobId, list[JobAd]] = {job: [] for job in jobs}
    for ad in services.queue.find(Selection(ids=jobs, with_nodes=True)) if jobs else ():
        if ad.get(classads.NODE):
            found[JobId(JobId.of(ad).cluster)].append(ad)
    return found


def _left(listing: Listing, wider: Page, services: Services) -> list[Finished]:
    """Of old lists the newest that have ended, however many are asked for."""
    if listing.finished == 0:
        return []
    page = wider if listing.finished is None else Page(Order(Key.ENDED, descending=True), listing.finished)
    return services.archive.find(listing.selection, listing.shown, page, listing.detail)


def _queued(ad: JobAd, explanation: Explanation | None, services: Services, specs: Specs, detail: bool) -> Job:
    uid = str(ad[classads.JOB_UID])
    over = _OVER | {JobStatus.HELD} if detail else _OVER
    told = report_of(uid, services.sandboxes) if ad[classads.JOB_STATUS] in over else None
    spec = specs(ad) if detail or classads.SUMMARY not in ad else None
    return Job(ad, view(ad, told, explanation), _summary(ad, spec), spec)


def of_finished(job: Finished, specs: Specs, detail: bool = False) -> Job:
    """A job that has left the queue."""
    spec = job.spec
    if spec is None and (detail or classads.SUMMARY not in job.ad):
        spec = specs(job.ad)
    return Job(job.ad, job.view, _summary(job.ad, spec), spec)


def _summary(ad: JobAd, spec: JobSpec | None) -> Summary:
    text = ad.get(classads.SUMMARY)
    found = summary.read(text) if isinstance(text, str) else None
    if found is not None:
        return summary.with_values(found, parameters(ad))
    return summary.summary(spec) if spec else Summary()


def _shown(job: Job, listing: Listing, caller: Identity) -> dict[str, Any]:
    others = may(caller, Act.READ, job.owner) is None
    return present(replace(job, discreet=others), listing.detail, listing.fields)


def _explanations(idle: Sequence[JobAd], services: Services) -> dict[int, Explanation]:
    plan = plans.latest(services).plan if idle else None
    if plan is None:
        return {}
    if waiting.need_all(idle, plan):
        users = {str(ad[classads.IDENTITY]) for ad in idle}
        user = users.pop() if len(users) == 1 else None
        idle = services.queue.find(Selection(user=user, statuses=(JobStatus.IDLE,), kinds=ANY_KIND))
    return waiting.explained(idle, plan)

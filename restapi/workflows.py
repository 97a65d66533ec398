"""Workflows: what users ask of them and do to them as a whole.

What is asked of a single job of one is asked as of any job, by its own number, or by its name in the workflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from prominence.core import classads, logs
from prominence.core.errors import Conflict, Forbidden, NotFound, Unavailable
from prominence.core.keyvalue.port import ABSENT
from prominence.core.states import ENDED, JobStatus, Status
from prominence.core.verdict import DELETED_BY_OPERATOR, DELETED_BY_USER
from prominence.core.view import JobAd
from prominence.core.workflow import JobOfMany, WorkflowSpec
from prominence.core.workflow_view import progress, workflow_view
from prominence.restapi import audit, legacy, members, query, workflow_submission
from prominence.restapi.files import whole, workflow_of
from prominence.restapi.identity import Act, Identity, Role, may
from prominence.restapi.listing import Listing
from prominence.restapi.output import Output, read_output
from prominence.restapi.paging import Key, Order, Page, cursor
from prominence.restapi.parameters.workflows import StepOutputParameters
from prominence.restapi.presentation import owner_of, present_workflow
from prominence.restapi.query import Listed
from prominence.restapi.selection import NOT_DONE, Kind, Selection
from prominence.restapi.services import Services

log = logs.get(__name__)

_WORKFLOWS = (Kind.WORKFLOW,)
_RERUNS = "/prominence/reruns"
_RERUN_S = 300
"""Longer than to submit one takes; after a crash nobody can meanwhile."""


@dataclass(frozen=True)
class Found:
    """A workflow, in the queue or not, and as what the caller looks at it."""

    ad: JobAd
    role: Role
    is_queued: bool

    @property
    def uid(self) -> str:
        """By which its files are found."""
        return str(self.ad[classads.JOB_UID])

    @property
    def status(self) -> Status:
        """Its status word."""
        return workflow_view(self.ad).status


def list_workflows(listing: Listing, caller: Identity, services: Services) -> Listed:
    """The workflows that are asked for, in the order that is asked for."""
    if listing.selection.user != caller.user:
        audit.record("list workflows", caller, user=listing.selection.user, groups=listing.selection.groups)
    page, wider = listing.page, listing.page.with_one_more()
    asked = wider if listing.shown is None else page.unlimited()
    known = {int(ad[classads.CLUSTER_ID]): ad for ad in _queued_of(listing, asked, services)}
    # Asked in this order, one that leaves the queue meanwhile is seen twice rather than not at all.
    known |= {int(ad[classads.CLUSTER_ID]): ad for ad in _left(listing, wider, services)}
    fitting = [ad for ad in known.values() if listing.shown is None or workflow_view(ad).status in listing.shown]
    found = wider.of(fitting, page.order.place)
    shown = found if page.limit is None else found[: page.limit]
    behind = cursor(page.order, page.order.place(shown[-1])) if len(found) > len(shown) else None
    return Listed([_shown(ad, listing.detail, caller, services) for ad in shown], behind)


def describe(workflow: int, caller: Identity, services: Services) -> list[dict[str, Any]]:
    """All that is known of it, alone in a list; an empty list when the caller may not see such a workflow."""
    try:
        found = find(workflow, Act.SEE, "describe workflow", caller, services)
    except NotFound:
        return []
    return [_shown(found.ad, True, caller, services)]


def delete(workflows: Sequence[int], caller: Identity, services: Services) -> None:
    """End these workflows and all their jobs, and take them out of the queue. Raises NotFound when none is there."""
    removed = 0
    for workflow in workflows:
        found = _queued(workflow, Act.REMOVE, "delete workflow", caller, services)
        if found is None:
            continue
        reason = DELETED_BY_USER if found.role is Role.OWNER else DELETED_BY_OPERATOR
        # It first, so that it submits no more; HTCondor removes its jobs with it. Of those it knows, this tells why.
        removed += services.queue.remove(Selection(ids=(workflow,), kinds=_WORKFLOWS), reason)
        services.queue.remove(Selection(workflow=workflow), reason)
    log.info("workflows deleted", workflows=list(workflows), removed=removed, user=caller.user)
    if not removed:
        names = ", ".join(map(str, workflows))
        one = len(workflows) == 1
        raise NotFound(f"There is no workflow {names} in the queue." if one else f"None of {names} is queued.")


def dismiss(workflow: int, caller: Identity, services: Services) -> None:
    """Take a workflow that has ended out of the queue. Raises NotFound; Conflict where it has not ended."""
    found = _queued(workflow, Act.REMOVE, "remove workflow", caller, services)
    if found is None:
        raise NotFound(f"There is no workflow {workflow} in the queue.")
    if found.status not in ENDED:
        raise Conflict(f"Workflow {workflow} has not ended ({found.status}); delete it to end it.")
    services.queue.remove(Selection(ids=(workflow,), kinds=_WORKFLOWS), DELETED_BY_USER)


def rerun(workflow: int, caller: Identity, services: Services) -> int:
    """Run again what of it is not done; the number of the new run. Raises NotFound; Conflict."""
    found = find(workflow, Act.READ, "rerun workflow", caller, services)
    if found.status not in ENDED:
        raise Conflict(f"Workflow {workflow} has not ended ({found.status}).")
    if found.status is Status.COMPLETED:
        raise Conflict(f"All jobs of workflow {workflow} are done; clone it to run all of them once more.")
    with _alone(workflow, services):
        later = [one for one in runs(found.uid, services) if one > workflow]
        if later:
            raise Conflict(f"Workflow {workflow} has been run again already, as workflow {max(later)}.")
        if _is_ending(workflow, found, services):
            raise Conflict(f"Workflow {workflow} is still ending; try again in a minute.")
        spec = spec_of(workflow, found, services)
        counts = progress(found.ad)
        left = counts["total"] - counts["done"]
        return workflow_submission.submit_again(spec, found.uid, workflow, left, owner_of(found.ad), caller, services)


def clone(workflow: int, caller: Identity, services: Services) -> int:
    """Submit a workflow once more, all of it; the new one's id. Raises NotFound; Rejected."""
    found = find(workflow, Act.READ, "clone workflow", caller, services)
    spec = spec_of(workflow, found, services)

    def as_it_was(place: int, job: JobOfMany) -> JobOfMany:
        return whole(job, members.node_uid(found.uid, place, 0), services.sandboxes)

    written = spec.with_jobs(as_it_was).as_written()
    return workflow_submission.submit(workflow_submission.read(written, services), caller, services)


def output(
    workflow: int, step: str, name: str, asked: StepOutputParameters, caller: Identity, services: Services
) -> Output:
    """What a job of the workflow has written to this stream. step: the job's name, and behind it perhaps a / and the
    number of an instance. Raises NotFound; Forbidden for another user's workflow.
    """
    found = _owned(workflow, caller, services)
    spec = spec_of(workflow, found, services)
    place, index = _instance(workflow, legacy.step(step, asked.node), spec)
    uid = members.node_uid(found.uid, place, index)
    job = query.find_by_uid(uid, services)
    if job is None:
        raise NotFound(f"Job {legacy.step(step, asked.node)} of workflow {workflow} has not been submitted yet.")
    return read_output(job, name, asked, services)


def find(workflow: int, act: Act, word: str, caller: Identity, services: Services) -> Found:
    """A workflow, wherever it is, to which the caller may do this. Raises NotFound."""
    ad, is_queued = _look(workflow, services)
    role = None if ad is None else may(caller, act, owner_of(ad))
    if ad is None or role is None:
        raise NotFound(f"There is no workflow {workflow}.")
    if role is not Role.OWNER:
        audit.record(word, caller, workflow=workflow, user=owner_of(ad).user, role=role)
    return Found(ad, role, is_queued)


def spec_of(workflow: int, found: Found, services: Services) -> WorkflowSpec:
    """As its user described it. Raises NotFound."""
    spec = workflow_of(found.uid, services.sandboxes)
    if spec is None:
        raise NotFound(f"The description of workflow {workflow} is no longer kept.")
    return spec


def runs(uid: str, services: Services) -> list[int]:
    """The numbers of all runs of a workflow."""
    same = Selection(uid=uid, kinds=_WORKFLOWS)
    left = (one.ad for one in services.archive.find(same, None, Page()))
    return [int(ad[classads.CLUSTER_ID]) for ad in (*services.queue.find(same), *left)]


def _instance(workflow: int, step: str, spec: WorkflowSpec) -> tuple[int, int]:
    """The numbers of the job and of the instance. Names may hold / and digits, too: a whole name comes first."""
    counts = spec.counts()
    place = spec.place_of(step)
    if place is not None:
        return place, 0
    name, _, number = step.rpartition("/")
    place = spec.place_of(name)
    if place is None or not (number.isascii() and number.isdecimal()):
        raise NotFound(f"Workflow {workflow} has no job {step}.")
    if int(number) >= counts[place]:
        raise NotFound(f"Job {name} of workflow {workflow} has {counts[place]} instances, counted from 0.")
    return place, int(number)


@contextmanager
def _alone(workflow: int, services: Services) -> Iterator[None]:
    """Nobody else runs it again meanwhile: two runs would work in the same directories. Raises Conflict."""
    lease = services.store.lease(_RERUN_S)
    try:
        services.store.put_if(f"{_RERUNS}/{workflow}", b"", ABSENT, lease)
    except Conflict as error:
        raise Conflict(f"Workflow {workflow} is being run again already.") from error
    try:
        yield
    finally:
        with suppress(Unavailable):
            lease.revoke()


def _is_ending(workflow: int, found: Found, services: Services) -> bool:
    """Whether something of it may still run, that was told to end or that its DAGMan has left behind."""
    if found.is_queued and found.ad[classads.JOB_STATUS] == JobStatus.REMOVED:
        return True
    return services.queue.count(Selection(workflow=workflow, statuses=NOT_DONE), 1) > 0


def _owned(workflow: int, caller: Identity, services: Services) -> Found:
    """A workflow that the caller may read. Raises NotFound; Forbidden, as of a job's output."""
    ad, is_queued = _look(workflow, services)
    if ad is None:
        raise NotFound(f"There is no workflow {workflow}.")
    role = may(caller, Act.READ, owner_of(ad))
    if role is None:
        raise Forbidden(f"Workflow {workflow} is not yours.")
    return Found(ad, role, is_queued)


def _queued(workflow: int, act: Act, word: str, caller: Identity, services: Services) -> Found | None:
    """The same of one in the queue; None where there is none."""
    try:
        found = find(workflow, act, word, caller, services)
    except NotFound:
        return None
    return found if found.is_queued else None


def _look(workflow: int, services: Services) -> tuple[JobAd | None, bool]:
    """Anybody's, and whether it is in the queue."""
    only = Selection(ids=(workflow,), kinds=_WORKFLOWS)
    queued = services.queue.one(only)
    if queued is not None:
        return queued, True
    left = services.archive.find(only, None, Page(limit=1))
    return (left[0].ad if left else None), False


def _queued_of(listing: Listing, page: Page, services: Services) -> list[JobAd]:
    return services.queue.find(listing.selection, page) if listing.queue else []


def _left(listing: Listing, wider: Page, services: Services) -> list[JobAd]:
    """Of old lists the newest that have ended, however many are asked for."""
    if listing.finished == 0:
        return []
    page = wider if listing.finished is None else Page(Order(Key.ENDED, descending=True), listing.finished)
    return [one.ad for one in services.archive.find(listing.selection, listing.shown, page)]


def _shown(ad: JobAd, detail: bool, caller: Identity, services: Services) -> dict[str, Any]:
    spec = workflow_of(str(ad[classads.JOB_UID]), services.sandboxes) if detail else None
    return present_workflow(ad, spec, detail, discreet=may(caller, Act.READ, owner_of(ad)) is None)

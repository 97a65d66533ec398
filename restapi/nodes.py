"""The nodes of a workflow, one for each instance of its jobs: how each is, whether it has been submitted yet or not.

Which there are is known from the workflow itself; how they are from one look at the queue, and one at what has left it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from prominence.core import classads
from prominence.core.errors import NotFound, Rejected
from prominence.core.jobid import JobId
from prominence.core.reasons import Reason, explain
from prominence.core.states import ENDED, Status
from prominence.core.view import JobAd
from prominence.core.workflow import WorkflowSpec
from prominence.restapi import members, query, workflows
from prominence.restapi.finished import LastJob
from prominence.restapi.identity import Act, Identity, Role
from prominence.restapi.paging import Order, Page, cursor, read_cursor
from prominence.restapi.parameters.workflows import NodesParameters
from prominence.restapi.presentation import Job, numbers
from prominence.restapi.selection import Selection
from prominence.restapi.services import Services
from prominence.restapi.waits import Wait, Waits, clause

_ORDER = Order()
"""Of the document: its jobs, and of each its instances."""


@dataclass(frozen=True)
class Node:
    """place: among all nodes of the workflow, counted from 1. job and instance: their numbers, counted from 0.

    job_id: None as long as it has not been submitted.
    """

    place: int
    job: int
    instance: int
    uid: str
    status: Status
    job_id: int | None = None


def list_nodes(workflow: int, asked: NodesParameters, caller: Identity, services: Services) -> query.Listed:
    """Those that are asked for, in the order of the document. Raises NotFound; Rejected."""
    found = workflows.find(workflow, Act.SEE, "list nodes", caller, services)
    spec = workflows.spec_of(workflow, found, services)
    only = _only(workflow, asked.job, spec)
    queued = _queued(workflow, services)
    # Asked in this order, a job that leaves the queue meanwhile is seen twice rather than not at all.
    earlier = [run for run in workflows.runs(found.uid, services) if run <= workflow]
    left = last_of(workflow, services.archive.last_jobs(earlier))
    now = {uid: (int(job.job_id), job.view.status) for uid, job in queued.items()}
    fitting = (
        node
        for node in nodes(spec, found.uid, {**left, **now}, _after(asked.cursor))
        if (only is None or node.job == only) and (asked.status is None or node.status in asked.status)
    )
    page = list(islice(fitting, asked.limit + 1))
    shown = page[: asked.limit]
    jobs = {**_finished(shown, queued, services), **{int(job.job_id): job for job in queued.values()}}
    discreet = found.role is not Role.OWNER
    statuses = {members.numbers_of(uid): status for uid, (_, status) in {**left, **now}.items()}
    waits = None if found.status in ENDED else Waits(spec, statuses)
    told = [_shown(node, spec, jobs, waits, discreet) for node in shown]
    behind = cursor(_ORDER, (shown[-1].place, shown[-1].place)) if len(page) > len(shown) else None
    return query.Listed(told, behind)


def nodes(spec: WorkflowSpec, uid: str, jobs: Mapping[str, tuple[int, Status]], after: int = 0) -> Iterator[Node]:
    """All that come behind this place. jobs: of those that have been submitted the number and the status, by uid."""
    place = 0
    for job, count in enumerate(spec.counts()):
        for instance in range(max(0, after - place), count):
            own = members.node_uid(uid, job, instance)
            job_id, status = jobs.get(own, (None, Status.WAITING))
            if job_id is None and job >= len(spec.jobs):
                continue  # at the end there may be no reason to run it
            yield Node(place + instance + 1, job, instance, own, status, job_id)
        place += count


def last_of(workflow: int, left: Iterable[LastJob]) -> dict[str, tuple[int, Status]]:
    """What of a workflow's instances is known from what has left the queue, by uid: of this run, and of the runs
    before it what they have done, since that is not run again."""
    found: dict[str, tuple[int, Status]] = {}
    for one in sorted(left, key=lambda one: one.workflow):
        if one.workflow == workflow or one.status is Status.COMPLETED:
            found[one.uid] = (one.job_id, one.status)
    return found


def _only(workflow: int, name: str | None, spec: WorkflowSpec) -> int | None:
    """The number of the job whose nodes are asked for."""
    if name is None:
        return None
    place = spec.place_of(name)
    if place is None:
        raise NotFound(f"Workflow {workflow} has no job {name}.")
    return place


def _after(text: str | None) -> int:
    if text is None:
        return 0
    order, (place, same) = read_cursor(text)
    if order != _ORDER or place != same:
        raise Rejected.because("is of another list; leave it out to begin anew", "cursor")
    return same


def _queued(workflow: int, services: Services) -> dict[str, Job]:
    """The newest job in the queue of each, by uid: one that has failed may be there beside the one in its place."""
    ads: dict[str, JobAd] = {}
    for ad in sorted(services.queue.find(Selection(workflow=workflow)), key=JobId.of):
        ads[str(ad[classads.JOB_UID])] = ad
    return {job.uid: job for job in query.look_at(list(ads.values()), services)}


def _finished(shown: Iterable[Node], queued: Mapping[str, Job], services: Services) -> dict[int, Job]:
    """Of these nodes' jobs those that have left the queue, by their numbers."""
    ids = tuple(node.job_id for node in shown if node.job_id is not None and node.uid not in queued)
    specs = query.specs_of(services)
    left = services.archive.find(Selection(ids=ids), None, Page()) if ids else []
    return {int(one.job_id): query.of_finished(one, specs) for one in left}


def _shown(
    node: Node, spec: WorkflowSpec, jobs: Mapping[int, Job], waits: Waits | None, discreet: bool
) -> dict[str, Any]:
    """waits: None where the workflow has ended, so that nothing waits any more."""
    name = spec.every[node.job].name
    factory = spec.factory_of(name)
    values = factory.values(node.instance) if factory is not None and not discreet else {}
    job = jobs.get(node.job_id) if node.job_id is not None else None
    waits_for = waits.of(node.job, node.instance) if job is None and waits is not None else []
    reason, sentence = (job.view.reason, job.view.sentence) if job is not None else _unsubmitted(waits, waits_for)
    known = {
        "instance": None if factory is None else node.instance,
        "id": node.job_id,
        "statusReason": sentence,
        "statusReasonCode": None if reason is None else reason.value,
        "waitsFor": [one.shown() for one in waits_for] or None,
        "exitCode": None if job is None else job.view.exit_code,
        "parameters": numbers(values) or None,
        "events": None if job is None else job.view.events,
    }
    told = {key: value for key, value in known.items() if value is not None}
    return {"job": name, "status": (node.status if job is None else job.view.status).value, **told}


def _unsubmitted(waits: Waits | None, waits_for: list[Wait]) -> tuple[Reason, str]:
    if waits is None:
        return Reason.NOT_RUN, explain(Reason.NOT_RUN)
    return Reason.WAITS_FOR_JOBS, explain(Reason.WAITS_FOR_JOBS, detail=clause(waits_for))

"""Submit a workflow: all its files first, then the DAGMan that runs it; and run again what of it has failed.

In the workflow's directory is what DAGMan reads, in a directory for each of its jobs what the instances share, and in
one for each instance what it leaves behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

from prominence.core import classads, instances, logs, passing, plan, tracing, workflow_problems
from prominence.core.errors import ProminenceError, QueueFull, Rejected, Unavailable
from prominence.core.job import JobSpec
from prominence.core.states import Status
from prominence.core.validation import MOST_MISTAKES, parse
from prominence.core.workflow import JobOfMany, WorkflowSpec
from prominence.restapi import grants, ledger, legacy, members, query, summary
from prominence.restapi.budgets.accounts import taken
from prominence.restapi.files import SPEC_FILE, WORKFLOW_FILE, kept_apart, plan_text
from prominence.restapi.identity import Account, Identity, charged
from prominence.restapi.ledger import JobRecord
from prominence.restapi.ports import LARGEST_READ
from prominence.restapi.selection import NOT_DONE, Kind, Selection
from prominence.restapi.services import Services
from prominence.restapi.submission import Claim, PerhapsQueued, hidden_in, refuse_hidden, refuse_hidden_places, written
from prominence.restapi.telling import Asking, Told, whom
from prominence.restapi.translate import dag
from prominence.restapi.translate.passing import planned, sources
from prominence.restapi.translate.plan import uses_objects
from prominence.restapi.translate.submit import SubmitDescription

log = logs.get(__name__)


def read(body: Any, services: Services) -> WorkflowSpec:
    """The workflow that a request's body describes. Raises Rejected with every mistake in it."""
    said = parse(WorkflowSpec, legacy.workflow(body))
    refuse_hidden_places(hidden_in(said.storage))
    spec = said.spread()
    found = chain(workflow_problems.problems(spec, services.site.max_workflow), passing.problems(spec))
    mistakes = list(islice(found, MOST_MISTAKES))
    mistakes = mistakes or list(islice(instances.problems(spec), MOST_MISTAKES))
    if mistakes:
        raise Rejected(mistakes)
    for place, job in enumerate(spec.every):
        refuse_hidden(job, f"{spec.path_of(place)}.")
    return spec


def submit(spec: WorkflowSpec, caller: Identity, services: Services, claim: Claim | None = None) -> int:
    """Submit it, all of it or nothing; its id. Raises Rejected; QueueFull; Forbidden."""
    account = charged(caller, spec.group, services.site.default_group)
    dag.check(spec, services.site)
    nodes = sum(spec.counts())
    _take(account.user, nodes, services)
    claim = claim or Claim(services.new_uid())
    uid = claim.uid
    with taken(account.group, _expected_ms(spec, services), uid, services, unless=PerhapsQueued):
        workflow_id = _queued(spec, claim, account, caller, services)
    log.info("workflow submitted", workflow=workflow_id, uid=uid, user=account.user, jobs=nodes)
    return workflow_id


def _queued(spec: WorkflowSpec, claim: Claim, account: Account, caller: Identity, services: Services) -> int:
    """Its id, once all is there that it needs."""
    uid = claim.uid
    told = whom(_asked(spec), caller, account, services)
    records = {place: _record(spec, place, account, caller, services) for place in _with_objects(spec)}
    sandbox = services.sandboxes.make(uid, _files(spec), dict(_within(spec, uid, account, services)))
    try:
        for place, record in records.items():
            ledger.open_record(members.uid_of(uid, place), record, services.store)
        _note(spec, uid, told, 0, services)
        claim.check()
        return _queue(_description(spec, uid, account, sandbox, services), uid, services)
    except PerhapsQueued:
        raise
    except ProminenceError:
        services.sandboxes.discard(uid)
        raise


def submit_again(
    spec: WorkflowSpec, uid: str, before: int, left: int, account: Account, caller: Identity, services: Services
) -> int:
    """Submit what of this workflow is not done, `left` jobs: DAGMan goes by the file that it has left. The id of the
    new run. before: the one before. Raises Rejected; QueueFull; Forbidden.
    """
    if account.group:
        charged(caller, account.group, services.site.default_group)
    told = whom(_asked(spec), caller, account, services)
    _take(account.user, left, services)
    needed_ms = -(-_expected_ms(spec, services) * left // sum(spec.counts()))
    with taken(account.group, needed_ms, uid, services, unless=PerhapsQueued):
        workflow_id = _queued_again(spec, uid, before, told, account, caller, services)
    log.info("workflow submitted again", workflow=workflow_id, uid=uid, user=account.user)
    return workflow_id


def _queued_again(
    spec: WorkflowSpec, uid: str, before: int, told: Told, account: Account, caller: Identity, services: Services
) -> int:
    """Its new id, once all is there again that it needs."""
    for place in _with_objects(spec):
        one = members.uid_of(uid, place)
        if ledger.find(one, services.store) is None:
            # Which of its instances are done is not known here, and what those needed may be gone.
            record = _record(spec, place, account, caller, services, must_be_there=False)
            ledger.open_record(one, record, services.store)
        for index in range(spec.counts()[place]):
            whose = members.node_uid(uid, place, index)
            services.sandboxes.replace(whose, plan.TOKEN_FILE, services.job_tokens.mint(whose, account.user))
    _note(spec, uid, told, before, services)
    description = _description(spec, uid, account, services.sandboxes.directory(uid), services)
    try:
        return services.queue.submit(description)
    except Unavailable as error:
        raise PerhapsQueued(str(error), error.retry_after_s) from error


def _expected_ms(spec: WorkflowSpec, services: Services) -> int:
    """What all its jobs may use, in service units times milliseconds."""
    return sum(
        services.budgets.needed_ms(dag.treated(spec, place), services.site) * count
        for place, count in enumerate(spec.counts())
    )


def _asked(spec: WorkflowSpec) -> Asking:
    """All that its user wants to be told of."""
    return [*spec.notifications, *(one for job in spec.every for one in job.notifications)]


def _note(spec: WorkflowSpec, uid: str, told: Told, before: int, services: Services) -> None:
    """To be told at the end of all of it, and at that of each of its jobs that says so and is not done yet."""
    told.note(uid, spec.notifications, before)
    for place, job in enumerate(spec.every):
        if not job.notifications:
            continue
        own = members.node_uid(uid, place, 0)
        last = query.find_by_uid(own, services) if before else None
        if last is None or last.view.status is not Status.COMPLETED:
            after = 0 if last is None else int(last.job_id)
            told.note(own, job.notifications, after)


def _take(user: str, nodes: int, services: Services) -> None:
    """A workflow more of this user, of so many jobs. Raises QueueFull."""
    most = services.site.max_workflows
    if services.queue.count(Selection(user=user, kinds=(Kind.WORKFLOW,), statuses=NOT_DONE), most) >= most:
        raise QueueFull(
            f"You have {most} workflows in the queue, and may have no more; wait for one to end, or delete one."
        )
    services.queued.take(user, max(1, min(nodes, services.site.max_idle)))


def instances_of(spec: WorkflowSpec, job: JobSpec) -> Iterator[JobSpec]:
    """All instances of a job."""
    factory = spec.factory_of(job.name)
    if factory is None:
        yield job
        return
    for index in range(factory.count):
        yield instances.instance(job, factory.values(index))


def _with_objects(spec: WorkflowSpec) -> Iterator[int]:
    """The numbers of the jobs that use objects in some instance."""
    for place, job in enumerate(spec.every):
        if any(map(uses_objects, _differing(spec, job))):
            yield place


def _record(
    spec: WorkflowSpec, place: int, account: Account, caller: Identity, services: Services, must_be_there: bool = True
) -> JobRecord:
    """What instances of the job of this number may do with objects. Raises Rejected, Forbidden."""
    job = spec.every[place]
    found = list(_differing(spec, job))
    path = f"{spec.path_of(place)}."
    record = grants.record_of_instances(job, found, path, account.user, caller, services, must_be_there)
    record = record.model_copy(update={"passed": sources(spec, job)})
    if ledger.is_too_large(record):
        raise Rejected.because("its instances together name more objects than are kept of one job", path.rstrip("."))
    return record


def _differing(spec: WorkflowSpec, job: JobSpec) -> Iterator[JobSpec]:
    """Its instances, as far as they use different objects."""
    return instances_of(spec, job) if grants.names_many(job) else iter([job])


def _description(spec: WorkflowSpec, uid: str, account: Account, sandbox: str, services: Services) -> SubmitDescription:
    short = summary.write(summary.Summary(spec.labels, ())) or ""
    expected_ms = _expected_ms(spec, services)
    described = dag.describe_workflow(spec, uid, account, sandbox, services.site, short, expected_ms)
    return described.of_request(tracing.current())


def _files(spec: WorkflowSpec) -> dict[str, str]:
    """The workflow's own files, by name. Raises Rejected."""
    without = spec.with_jobs(lambda _, job: _without_contents(job))
    text = without.model_dump_json(exclude_unset=True)
    if len(text.encode()) > LARGEST_READ:
        raise Rejected.because(f"The workflow is too large: at most {LARGEST_READ} bytes of its description are kept.")
    return {WORKFLOW_FILE: text, dag.DAG_FILE: dag.dag(spec)}


def _within(
    spec: WorkflowSpec, uid: str, account: Account, services: Services
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The files of its jobs and of their instances, by directory. Raises Rejected."""
    sandbox = services.sandboxes.directory(uid)
    for place in range(len(spec.every)):
        job = dag.treated(spec, place)
        description = dag.describe_job(spec, place, uid, account, sandbox, services.site).of_request(tracing.current())
        shared = members.uid_of(uid, place)
        yield (
            str(place),
            {
                dag.SUBMIT_FILE: f"{description.text()}queue {job.resources.number_of_nodes}\n",
                plan.FILE_NAME: plan_text(job, shared, services.site, planned(spec, job)),
                SPEC_FILE: written(job),
                **kept_apart(job),
            },
        )
        has_token = uses_objects(job)
        for index in range(spec.counts()[place]):
            whose = members.node_uid(uid, place, index)
            token = {plan.TOKEN_FILE: services.job_tokens.mint(whose, account.user)} if has_token else {}
            yield members.node_place(place, index), token


def _without_contents(job: JobOfMany) -> JobOfMany:
    if not job.inputs:
        return job
    return job.model_copy(update={"inputs": tuple(one.model_copy(update={"content": ""}) for one in job.inputs)})


def _queue(description: SubmitDescription, uid: str, services: Services) -> int:
    """Queue it; if the answer got lost, look whether it was."""
    try:
        return services.queue.submit(description)
    except Unavailable as error:
        try:
            found = services.queue.find(Selection(uid=uid, kinds=(Kind.WORKFLOW,)))
        except Unavailable as again:
            log.warning("nobody knows whether a workflow was queued", uid=uid)
            raise PerhapsQueued(str(error), error.retry_after_s) from again
        if not found:
            raise
        return int(found[0][classads.CLUSTER_ID])

"""The parameters of a list of jobs, read once: which jobs, from where, how many, what of each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from prominence.core.errors import Forbidden, Rejected
from prominence.core.states import ENDED, JobStatus, Status
from prominence.restapi import legacy, presentation
from prominence.restapi.identity import Identity, looks_after_others
from prominence.restapi.paging import Key, Order, Page, Place, read_cursor, read_order
from prominence.restapi.parameters.jobs import ListParameters
from prominence.restapi.parameters.lists import FilterParameters, MembersParameters, PageParameters
from prominence.restapi.parameters.words.numbers import MOST
from prominence.restapi.parameters.workflows import ListWorkflowsParameters
from prominence.restapi.selection import Event, Kind, Selection, Span

USUAL = 20
"""How many finished jobs are listed when nobody says."""

USUAL_PAGE = 100
"""How many jobs a page has when nobody says."""

_QUEUED_AS: dict[Status, tuple[JobStatus, ...]] = {
    Status.IDLE: (JobStatus.IDLE,),
    Status.DEPLOYING: (JobStatus.IDLE,),
    Status.WAITING: (JobStatus.IDLE, JobStatus.HELD),
    Status.RUNNING: (JobStatus.RUNNING, JobStatus.TRANSFERRING_OUTPUT, JobStatus.SUSPENDED),
    Status.COMPLETED: (JobStatus.COMPLETED, JobStatus.REMOVED),
    Status.FAILED: (JobStatus.HELD, JobStatus.COMPLETED, JobStatus.REMOVED),
    Status.KILLED: (JobStatus.HELD, JobStatus.COMPLETED, JobStatus.REMOVED),
    Status.DELETED: (JobStatus.REMOVED,),
}
"""The states of HTCondor in which a job may be shown by this word."""

_EVERY_IDLE = frozenset({Status.IDLE, Status.DEPLOYING, Status.WAITING})


@dataclass(frozen=True)
class Listing:
    """selection: which jobs. queue: whether those in the queue; finished: how many of those that left it, None for
    as many as there is room for on the page.

    shown: the status words that are wanted, None for any. page: of all that is found together. fields: what of each
    job, None for all; detail: everything that is known of it.
    """

    selection: Selection
    queue: bool = True
    finished: int | None = 0
    shown: frozenset[Status] | None = None
    page: Page = field(default_factory=Page)
    detail: bool = False
    fields: frozenset[str] | None = None


def read(parameters: Mapping[str, list[str]], caller: Identity) -> Listing:
    """What is asked for. Raises Rejected with every mistake, Forbidden; what is unknown is ignored."""
    said = ListParameters.read(parameters)
    return _listing(said, _selection(said, caller), is_named=_which(said)[0] is not None)


def read_workflows(parameters: Mapping[str, list[str]], caller: Identity) -> Listing:
    """The same of workflows."""
    said = ListWorkflowsParameters.read(parameters)
    selection = replace(_filtered(said, caller), ids=said.id, kinds=(Kind.WORKFLOW,))
    return _listing(said, selection, is_named=said.id is not None)


def read_members(parameters: Mapping[str, list[str]], array: int, user: str) -> Listing:
    """The same of the members of this user's array."""
    said = MembersParameters.read(parameters)
    return _listing(said, Selection(user=user, array=array, statuses=_states(said)), is_named=False)


def _listing(said: PageParameters, selection: Selection, is_named: bool) -> Listing:
    page = _page(said)
    queue, finished = _where(said, is_named, page)
    fields = said.fields if isinstance(said, MembersParameters) else None
    return Listing(
        selection=selection,
        queue=queue,
        finished=finished,
        shown=_shown(said.status),
        page=page,
        detail=said.detail or bool(fields and fields & presentation.DETAILS),
        fields=fields,
    )


def _states(said: PageParameters) -> tuple[JobStatus, ...] | None:
    return tuple(sorted({state for word in said.status for state in _QUEUED_AS[word]})) if said.status else None


def _selection(said: ListParameters, caller: Identity) -> Selection:
    ids, workflow = _which(said)
    return replace(_filtered(said, caller), ids=ids, workflow=workflow)


def _filtered(said: FilterParameters, caller: Identity) -> Selection:
    user, groups = _whose(said, caller)
    return Selection(
        user=user,
        groups=groups,
        statuses=_states(said),
        name=said.name,
        labels=said.constraint,
        spans=tuple(_spans(said)),
    )


def _which(said: ListParameters) -> tuple[tuple[int, ...] | None, int | None]:
    """The ids of jobs, and the id of a workflow."""
    if said.workflow == legacy.OF_A_WORKFLOW:
        return (None, said.id[0]) if said.id else ((), None)
    return said.id, said.workflow if isinstance(said.workflow, int) else None


def _whose(said: FilterParameters, caller: Identity) -> tuple[str | None, tuple[str, ...] | None]:
    """The user and the groups whose jobs are meant: one's own, if nothing else was asked for and is allowed."""
    groups = (said.group,) if said.group is not None else None
    if not said.everyone and said.user in (None, caller.user):
        return caller.user, groups
    if not looks_after_others(caller):
        raise Forbidden("Only operators and managers of a group may list the jobs of others.")
    user = None if said.everyone else said.user
    if caller.operator:
        return user, groups
    return user, tuple(sorted(caller.manages.intersection(groups) if groups else caller.manages))


def _spans(said: FilterParameters) -> list[Span]:
    spans = (
        Span(Event.CREATED, said.created_after, said.created_before),
        Span(Event.STARTED, said.started_after, said.started_before),
        Span(Event.ENDED, said.ended_after, said.ended_before),
    )
    return [span for span in spans if (span.since, span.until) != (None, None)]


def _page(said: PageParameters) -> Page:
    """Old clients know nothing of pages: without any of their parameters all that is found is one, by id."""
    after: Place | None = None
    if said.cursor is not None:
        order, after = read_cursor(said.cursor)
        if said.sort is not None and read_order(said.sort) != order:
            raise Rejected.because("is of a list in another order; leave it out to begin anew", "cursor")
    elif said.sort is not None:
        order = read_order(said.sort)
    else:
        order = Order(Key.ENDED if said.completed else Key.ID, descending=True)
    if not said.is_paged:
        return Page()
    if order.key is Key.ENDED and not said.completed:
        raise Rejected.because("endTime orders completed jobs only: add completed=true", "sort")
    return Page(order, said.limit or USUAL_PAGE, after)


def _where(said: PageParameters, is_named: bool, page: Page) -> tuple[bool, int | None]:
    """From the queue or not, and how many of those that have left it. is_named: jobs are asked for by their ids."""
    if said.completed:
        return False, _finished(said, page)
    if said.all or is_named or ENDED.intersection(said.status or ()):
        return True, None if page.limit is not None else MOST
    return True, 0


def _finished(said: PageParameters, page: Page) -> int | None:
    if page.limit is not None:
        return None
    return USUAL if said.num is None else said.num


def _shown(words: tuple[Status, ...] | None) -> frozenset[Status] | None:
    """Old clients ask for HTCondor's idle jobs by "idle"; they do not know how to ask for one kind of those."""
    if words is None:
        return None
    return _EVERY_IDLE if words == (Status.IDLE,) else frozenset(words)

"""Selection -> ClassAd constraint: which jobs are meant, in the words of HTCondor's queries. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from prominence.core import classads
from prominence.core.jobid import JobId
from prominence.core.states import HoldCode, JobStatus
from prominence.restapi.selection import Event, Kind, Selection, Span

# As `core.view` tells the events of a job: what it says and what can be looked for must be the same.
_HAS_STARTED = f"{classads.JOB_STATUS} =!= {JobStatus.IDLE:d}"
_HAS_ENDED = (
    f"({classads.one_of(classads.JOB_STATUS, (JobStatus.REMOVED, JobStatus.COMPLETED))}"
    f" || {classads.JOB_STATUS} == {JobStatus.HELD:d}"
    f" && {classads.HOLD_REASON_CODE} =!= {HoldCode.BY_HAND:d})"
)
_ENDED_AT = (
    f"ifThenElse({classads.FINISHED_AT} =!= undefined && {classads.FINISHED_AT} > 0,"
    f" {classads.FINISHED_AT}, {classads.ENTERED_STATUS_AT})"
)
_MOMENTS = {
    Event.CREATED: ("true", classads.SUBMITTED_AT),
    Event.STARTED: (_HAS_STARTED, classads.STARTED_AT),
    Event.ENDED: (_HAS_ENDED, _ENDED_AT),
}
"""What must be so for the event to have happened, and when it did."""


def constraint(selection: Selection) -> str:
    """True for the jobs that are selected, and for no others. Raises Rejected for a label that cannot be.

    The schedd evaluates it for every job that it has: what leaves fewest jobs comes first.
    """
    return " && ".join(f"({term})" for term in _terms(selection))


def acted_on(selection: Selection) -> str:
    """The same for what is done to the whole of jobs: with all nodes of those that have several."""
    return constraint(replace(selection, with_nodes=True))


def _terms(selection: Selection) -> Iterator[str]:
    # ClassAd's == does not tell Alice from alice; =?= does, and an attribute that is not there equals no text.
    if selection.ids is not None:
        yield _called(selection.ids, selection.with_nodes) if not selection.of_workflows else _workflows(selection.ids)
    if selection.array is not None:
        yield f"{classads.CLUSTER_ID} == {selection.array:d}"
    if selection.uid is not None:
        yield _is(classads.JOB_UID, selection.uid)
    if selection.user is not None:
        yield _is(classads.IDENTITY, selection.user)
    if selection.groups is not None:
        yield classads.any_of(_is(classads.GROUP, group) for group in selection.groups)
    if selection.statuses is not None:
        yield classads.one_of(classads.JOB_STATUS, selection.statuses)
    if selection.name is not None:
        yield _is(classads.JOB_NAME, selection.name)
    if selection.workflow is not None:
        yield f"{classads.DAGMAN_ID} =?= {selection.workflow:d}"
    if selection.held is not None:
        subcodes = classads.one_of(classads.HOLD_REASON_SUBCODE, selection.held)
        yield f"{classads.HOLD_REASON_CODE} =?= {HoldCode.BY_HAND:d} && {subcodes}"
    for key, value in selection.labels:
        yield _is(classads.label(key), value)
    for span in selection.spans:
        yield _within(span)
    yield from _kinds(selection)


def _called(ids: Iterable[int], with_nodes: bool) -> str:
    """Jobs by their own numbers, members by that of their array and their place in it."""
    jobs: list[int] = []
    members: defaultdict[int, list[int]] = defaultdict(list)
    for one in map(JobId, ids):
        if one.index is None:
            jobs.append(one.cluster)
        else:
            members[one.cluster].append(one.index)
    of_job = f"({_one_of((Kind.JOB, Kind.NODE))})" if with_nodes else _is(classads.JOB_TYPE, Kind.JOB)
    terms = [f"{classads.one_of(classads.CLUSTER_ID, jobs)} && {of_job}"] if jobs else []
    for array, places in members.items():
        of_array = f"{classads.CLUSTER_ID} == {array:d} && {classads.one_of(classads.PROC_ID, places)}"
        terms.append(f"{of_array} && {_is(classads.JOB_TYPE, Kind.MEMBER)}")
    return classads.any_of(f"({term})" for term in terms)


def _workflows(ids: Iterable[int]) -> str:
    return classads.one_of(classads.CLUSTER_ID, tuple(ids))


def _kinds(selection: Selection) -> Iterator[str]:
    if selection.array is not None:
        yield _is(classads.JOB_TYPE, Kind.MEMBER)
    elif selection.of_workflows:
        yield _is(classads.JOB_TYPE, Kind.WORKFLOW)
    elif selection.ids is None and selection.uid is None:
        yield _one_of(selection.kinds)
    elif selection.ids is None and not selection.with_nodes:
        yield f"{classads.JOB_TYPE} =!= {classads.text_literal(Kind.NODE)}"


def _one_of(kinds: Iterable[Kind]) -> str:
    return classads.any_of(_is(classads.JOB_TYPE, kind) for kind in kinds)


def _within(span: Span) -> str:
    happened, moment = _MOMENTS[span.event]
    terms = [happened, f"{moment} > 0"]  # HTCondor has 0 for "never"
    terms += [f"{moment} >= {span.since:d}"] if span.since is not None else []
    terms += [f"{moment} < {span.until:d}"] if span.until is not None else []
    return " && ".join(f"({term})" for term in terms)


def _is(attribute: str, text: str) -> str:
    return f"{attribute} =?= {classads.text_literal(text)}"

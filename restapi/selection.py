"""Which jobs are meant. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from prominence.core.states import JobStatus


class Kind(StrEnum):
    """What a job is, in the words of its ProminenceType: of its own (as those of workflows are), another node of a
    job that has several, a member of an array, or the one that runs a workflow."""

    JOB = "job"
    NODE = "node"
    MEMBER = "member"
    WORKFLOW = "workflow"


ANY_KIND = (Kind.JOB, Kind.NODE, Kind.MEMBER)
"""Of those that run on workers."""

NOT_DONE = tuple(status for status in JobStatus if status != JobStatus.COMPLETED)
"""Of what may still run: a job that was deleted does for a moment, and one that is done may stay in the queue."""

EVERY_KIND = (*ANY_KIND, Kind.WORKFLOW)


class Event(StrEnum):
    """What happens to a job, by the API's names."""

    CREATED = "createTime"
    STARTED = "startTime"
    ENDED = "endTime"


@dataclass(frozen=True)
class Span:
    """Jobs to which the event happened at or after `since` and before `until`; None: whenever. Unix epochs."""

    event: Event
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True)
class Selection:
    """Jobs that fit all of it; what is None or empty does not matter.

    user: who submitted them. groups: one of which is charged. labels: names and values, all of which a job must have.
    workflow: the id of the one that they are part of. held: by whom they are on hold, as states.HELD_BY_...

    array: members of this one. kinds: where nothing says which jobs they are, neither array, ids nor uid. Workflows are
    selected by this alone: then ids are theirs, and a uid that of one. with_nodes: where ids say which jobs, with all
    nodes of those that have several.
    """

    user: str | None = None
    groups: tuple[str, ...] | None = None
    array: int | None = None
    ids: tuple[int, ...] | None = None
    uid: str | None = None
    statuses: tuple[JobStatus, ...] | None = None
    name: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    spans: tuple[Span, ...] = ()
    workflow: int | None = None
    held: tuple[int, ...] | None = None
    kinds: tuple[Kind, ...] = (Kind.JOB,)
    with_nodes: bool = False

    @property
    def of_workflows(self) -> bool:
        """Whether workflows are meant, and nothing else."""
        return self.kinds == (Kind.WORKFLOW,)

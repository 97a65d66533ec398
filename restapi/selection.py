"""Which jobs are meant. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from prominence.core.states import JobStatus


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
    workflow: the id of the one that they are part of.
    """

    user: str | None = None
    groups: tuple[str, ...] | None = None
    ids: tuple[int, ...] | None = None
    uid: str | None = None
    statuses: tuple[JobStatus, ...] | None = None
    name: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    spans: tuple[Span, ...] = ()
    workflow: int | None = None

"""Which jobs are meant. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from prominence.core.states import JobStatus


@dataclass(frozen=True)
class Selection:
    """Jobs that fit all of it; what is None or empty does not matter.

    user: who submitted them. labels: names and values, all of which a job must have.
    """

    user: str | None = None
    ids: tuple[int, ...] | None = None
    uid: str | None = None
    statuses: tuple[JobStatus, ...] | None = None
    name: str | None = None
    labels: tuple[tuple[str, str], ...] = ()

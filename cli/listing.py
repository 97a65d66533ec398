"""Which jobs a list is asked for, as the API's parameters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Wanted:
    """Jobs in the queue; with `completed` the newest `num` that have ended; with `everything` both.

    status: one or several with commas between them. constraints: labels that a job must have, all of them. Moments are
    dates, ISO 8601, or seconds since 1970. sort: "id", "createTime", "name", or "endTime" of completed jobs; "-" before
    it turns it round. limit: how many at once; see `Client.iterate` for all of them, page by page.

    array: the members of this one; of them only status, completed, everything, num and what goes with pages are asked.
    """

    completed: bool = False
    everything: bool = False
    status: str | None = None
    name: str | None = None
    constraints: Iterable[tuple[str, str]] = ()
    num: int | None = None
    workflow: int | None = None
    group: str | None = None
    user: str | None = None
    everyone: bool = False
    created_after: str | None = None
    created_before: str | None = None
    started_after: str | None = None
    started_before: str | None = None
    ended_after: str | None = None
    ended_before: str | None = None
    sort: str | None = None
    limit: int | None = None
    cursor: str | None = None
    array: int | None = None

    def __post_init__(self) -> None:
        # Every page asks for them, and an iterator has them only once.
        object.__setattr__(self, "constraints", tuple(self.constraints))

    def parameters(self) -> list[tuple[str, str]]:
        """Behind the ? of the address."""
        said = [("constraint", f"{key}={value}") for key, value in self.constraints]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("constraints", "array") or value is None or value is False:
                continue
            said.append((_PARAMETERS.get(field.name, _camel(field.name)), "true" if value is True else str(value)))
        return said


QUEUED = Wanted()
"""Those in the queue."""

_PARAMETERS = {"everything": "all"}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)

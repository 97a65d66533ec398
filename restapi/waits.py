"""What an instance of a workflow's job waits for: other jobs of the workflow, and how many of these are done. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from prominence.core.passing import passings
from prominence.core.states import ENDED, Status
from prominence.core.workflow import WorkflowSpec

ITS_TURN = "its turn, since only so many jobs of a workflow are queued at once"
_MOST_TOLD = 10


@dataclass(frozen=True)
class Wait:
    """A job that others wait for. done, failed: of these instances how many are, and will not be."""

    job: str
    of: int
    done: int
    failed: int = 0

    def clause(self) -> str:
        """As in "fetch (3 of 10 done, 1 failed)"."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.job} ({self.done} of {self.of} done{failed})"

    def shown(self) -> dict[str, Any]:
        """As the API writes it."""
        return asdict(self)


class Waits:
    """Of one workflow. statuses: of the instances that have been submitted, by the numbers of job and instance."""

    def __init__(self, spec: WorkflowSpec, statuses: Mapping[tuple[int, int], Status]) -> None:
        self._spec, self._counts, self._statuses = spec, spec.counts(), statuses
        self._ended: dict[int, list[Status]] = defaultdict(list)
        for (job, _), status in statuses.items():
            if status in ENDED:
                self._ended[job].append(status)

    def of(self, job: int, instance: int) -> list[Wait]:
        """Jobs that are not done and that this instance cannot start before."""
        waits = (self._wait(giver, instance if in_pairs else None) for giver, in_pairs in self._givers(job).items())
        return [one for one in waits if one.done < one.of]

    def _givers(self, place: int) -> dict[int, bool]:
        """Whom the job waits for, and whether each instance waits for the one of its own number alone."""
        job = self._spec.every[place]
        passed = {way.giver: way.in_pairs for way in passings(self._spec, job)}
        return {**passed, **dict.fromkeys(self._said(job.name), False)}

    def _said(self, name: str) -> Iterator[int]:
        for giver, others in self._spec.dependencies.items():
            place = self._spec.place_of(giver)
            if name in others and place is not None:
                yield place

    def _wait(self, giver: int, instance: int | None) -> Wait:
        name = self._spec.jobs[giver].name
        if instance is None:
            ended, of = self._ended[giver], self._counts[giver]
        else:
            status = self._statuses.get((giver, instance))
            ended, of = [status] if status in ENDED and status is not None else [], 1
        done = ended.count(Status.COMPLETED)
        return Wait(name, of, done, len(ended) - done)


def clause(waits: list[Wait]) -> str:
    """For people."""
    more = ["others"] if len(waits) > _MOST_TOLD else []
    names = [one.clause() for one in waits[:_MOST_TOLD]] + more
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) or ITS_TURN

"""A load: which jobs come when, and what clouds there are for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prominence.core.machines import Flavour, Size

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


@dataclass(frozen=True)
class Job:
    """size: of each of its nodes, which run together. submitted_s: since the load began."""

    number: int
    submitted_s: float
    runtime_s: float
    size: Size
    user: str
    group: str = ""
    nodes: int = 1


@dataclass(frozen=True)
class Cloud:
    """limit: machines at once. boot_s, spread: median and sigma of the lognormal time from machine to worker.

    refused, lost: probability that a machine is not made at all, and that one is made and never joins.
    """

    name: str
    flavours: tuple[Flavour, ...]
    limit: int
    boot_s: float = 90
    spread: float = 0.25
    refused: float = 0.0
    lost: float = 0.0


@dataclass(frozen=True)
class Load:
    """standard: names of the flavours to which an operator of a rule with few kinds of machines would keep, best first.

    notes: what was left out or made up when it was read.
    """

    name: str
    jobs: tuple[Job, ...]
    clouds: tuple[Cloud, ...]
    standard: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def flavours(self) -> tuple[Flavour, ...]:
        """All there are."""
        return tuple(flavour for cloud in self.clouds for flavour in cloud.flavours)


def of_jobs(name: str, jobs: Sequence[Job], notes: Iterable[str], offer: Load) -> Load:
    """Such jobs on the clouds of another load; those that fit on none of its machines are left out."""
    flavours = offer.flavours
    fitting = [job for job in jobs if any(job.size.fits(flavour.size) for flavour in flavours)]
    left_out = len(jobs) - len(fitting)
    more = (f"{left_out} jobs fit on no machine and are left out",) if left_out else ()
    return Load(name, numbered(fitting), offer.clouds, offer.standard, (*notes, *more))


def numbered(jobs: Iterable[Job]) -> tuple[Job, ...]:
    """In the order in which they are submitted, with new numbers from 1."""
    ordered = sorted(jobs, key=lambda job: (job.submitted_s, job.number))
    return tuple(
        Job(number, job.submitted_s, job.runtime_s, job.size, job.user, job.group, job.nodes)
        for number, job in enumerate(ordered, start=1)
    )

"""How much each attempt of a job has used, by the accounts that HTCondor's schedd keeps. Pure.

A job's account (its wall time, its cores times that, its CPU time) grows with each attempt. HTCondor's record of an
attempt (JOB_EPOCH_HISTORY) tells what the account was when the attempt began, and its record of a job that has left the
queue (HISTORY) what it was at the end. So an attempt has used what the account has grown by until the next one began,
and all attempts of a job together exactly what its account says. An attempt whose end nobody has told yet has what its
shadow has measured.

Wall time is what the schedd has measured. The cores are those that the worker's slot had, as far as the job asked for
so many: so no worker can say that a job was larger. CPU time is what HTCondor has seen of it on the workers.

Records come in any order, and any of them twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import classad2

from prominence.core import classads
from prominence.core.jobid import JobId
from prominence.core.machines import Size
from prominence.core.reasons import MEANINGS, Blame
from prominence.core.view import JobAd, JobView, ended_at
from prominence.restapi.translate.ads import plain

ATTRIBUTES = (
    classads.CLUSTER_ID,
    classads.ARRAY_INDEX,
    classads.NODE,
    classads.IDENTITY,
    classads.GROUP,
    classads.DAGMAN_ID,
    classads.SUBMITTED_AT,
    classads.JOB_STATUS,
    classads.FINISHED_AT,
    classads.ENTERED_STATUS_AT,
    classads.REQUEST_CPUS,
    classads.REQUEST_MEMORY,
    classads.REQUEST_GPUS,
    classads.CPUS_PROVISIONED,
    classads.REMOTE_HOST,
    classads.LAST_REMOTE_HOST,
    classads.REMOTE_WALL_CLOCK,
    classads.SLOT_TIME,
    classads.USER_CPU,
    classads.SYSTEM_CPU,
    classads.RUN_USER_CPU,
    classads.RUN_SYSTEM_CPU,
    classads.RUNS,
    classads.RUN_STARTED_AT,
    classads.RUN_ENDED_AT,
    classads.ENDING,
)
"""What must be known of an attempt, or of a finished job, to book it."""

AGAIN = "again"
"""The outcome of an attempt after which the job went back to the queue."""

_MOST_S = 10**10
"""More than a thousand cores in ten years: whatever is said, sums stay within 64 bits."""

_MOST_MIB, _MOST_GPUS, _MOST_RUNS = 2**40, 2**20, 2**31
_EVER = 253_402_300_799  # the end of the year 9999

_SMALLEST, _LARGEST = ({classads.CPUS: cpus, classads.MEMORY: cpus * 10**6} for cpus in (1, 10**6))
"""Slots, for jobs that leave the number of their cores open."""


@dataclass(frozen=True)
class Used:
    """In milliseconds. core_ms: wall time times cores."""

    wall_ms: int = 0
    core_ms: int = 0
    cpu_ms: int = 0

    def __add__(self, other: Used) -> Used:
        return Used(self.wall_ms + other.wall_ms, self.core_ms + other.core_ms, self.cpu_ms + other.cpu_ms)

    def __sub__(self, other: Used) -> Used:
        return Used(self.wall_ms - other.wall_ms, self.core_ms - other.core_ms, self.cpu_ms - other.cpu_ms)

    def within(self, least: Used, most: Used | None) -> Used:
        """As much as this, but of nothing less than `least` and more than `most`."""
        raised = (max(mine, low) for mine, low in zip(self.figures, least.figures, strict=True))
        if most is None:
            return Used(*raised)
        return Used(*(min(mine, high) for mine, high in zip(raised, most.figures, strict=True)))

    @property
    def figures(self) -> tuple[int, int, int]:
        """All of it."""
        return self.wall_ms, self.core_ms, self.cpu_ms


@dataclass(frozen=True)
class Run:
    """One attempt of a job. number: HTCondor counts from 1. started and ended: Unix epochs; started 0: not known.

    worker: its name. is_part: of another node of a job, which does not count as one. queued: when the job was
    submitted, 0: not known. status: HTCondor's JobStatus with which the job left the queue, 0: it has not. before and
    after: the job's account when the attempt began, and when the job left the queue with it; None where no record
    tells. measured: what the attempt has used by its own account.
    """

    job: JobId
    number: int
    user: str = ""
    group: str = ""
    workflow: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    is_part: bool = False
    worker: str = ""
    started: int = 0
    ended: int = 0
    memory_mib: int = 0
    gpus: int = 0
    outcome: str = AGAIN
    blame: str = Blame.NOBODY.value
    measured: Used = Used()
    before: Used | None = None
    after: Used | None = None
    queued: int = 0
    status: int = 0

    @property
    def has_left(self) -> bool:
        """Whether the job has left the queue with it."""
        return self.after is not None


@dataclass(frozen=True)
class Machine:
    """What a worker was. price: of an hour, in the site's currency."""

    worker: str
    cloud: str
    region: str
    flavour: str
    price: float
    size: Size

    def cost_of(self, run: Run, used: Used) -> int:
        """What an attempt's share of it has cost, in millionths: that of which it held the largest part counts."""
        parts = (
            (used.core_ms, self.size.cpus),
            (run.memory_mib * used.wall_ms, self.size.memory_mib),
            (run.gpus * used.wall_ms, self.size.gpus),
        )
        share_ms = max((held / there for held, there in parts if there), default=0.0)
        return round(self.price * min(share_ms, used.wall_ms) / 3.6)


def run_of_epoch(ad: Any, labels: Mapping[str, str]) -> Run | None:
    """An attempt, by the record that its shadow has left; None for what is no such record."""
    known = plain(ad, ATTRIBUTES)
    if classads.RUN_ENDED_AT not in known:
        return None
    found = _run(known, labels)
    started, ended = (_moment(known, name) for name in (classads.RUN_STARTED_AT, classads.RUN_ENDED_AT))
    wall_ms = 1000 * min(max(ended - started, 0), _MOST_S)
    least, most = between = _range_of_cores(ad)
    cores = min(max(_count(known, classads.CPUS_PROVISIONED, most), least), most)
    cpu_s = _seconds(known, classads.RUN_USER_CPU) + _seconds(known, classads.RUN_SYSTEM_CPU)
    return replace(
        found,
        started=started,
        ended=ended,
        blame=Blame.PLATFORM.value if classads.ENDING in ad else Blame.PROVIDER.value,
        measured=Used(wall_ms, min(wall_ms * cores, 1000 * _MOST_S), round(1000 * min(cpu_s, _MOST_S))),
        before=_account(known, between),
    )


def run_of_job(ad: Any, labels: Mapping[str, str], view: JobView) -> Run | None:
    """The last attempt of a job that has left the queue, by the job's own record; None for one that has never run."""
    known = plain(ad, ATTRIBUTES)
    account = _account(known, _range_of_cores(ad))
    if account.wall_ms <= 0:
        return None
    blame = MEANINGS[view.reason].blame if view.reason is not None else Blame.NOBODY
    return replace(
        _run(known, labels),
        ended=min(max(ended_at(known) or 0, 0), _EVER),
        outcome=view.status.value,
        blame=blame.value,
        after=account,
        status=_count(known, classads.JOB_STATUS, _MOST_RUNS),
    )


def booked(known: Iterable[Run], new: Iterable[Run]) -> dict[JobId, list[tuple[Run, Used]]]:
    """All attempts of the jobs of which there is something new, with what each has used. known: of those jobs."""
    runs: dict[JobId, dict[int, Run]] = {}
    for one in known:
        runs.setdefault(one.job, {})[one.number] = one
    changed = set()
    for one in new:
        of_job = runs.setdefault(one.job, {})
        of_job[one.number] = _merged(of_job[one.number], one) if one.number in of_job else one
        changed.add(one.job)
    return {job: _settled(list(runs[job].values())) for job in changed}


def newest(runs: Iterable[Run], known: Iterable[Run]) -> list[Run]:
    """Of each job the last of these that tells of it, where nothing later is known."""
    found = {one.job: one for one in sorted(runs, key=_told_at)}
    for one in known:
        if one.job in found and _told_at(one) > _told_at(found[one.job]):
            del found[one.job]
    return list(found.values())


def _told_at(run: Run) -> tuple[int, bool]:
    return run.number, run.has_left


def _merged(known: Run, new: Run) -> Run:
    """Of one attempt. The shadow knows when it began and where, the job's own record how it ended.

    A job that was removed while it waited ended later than its attempt.
    """
    at_start, at_end = (new, known) if new.before is not None else (known, new)
    if at_end.after is None or at_start.before is None:
        return new
    return replace(
        at_end,
        worker=at_start.worker or at_end.worker,
        started=at_start.started,
        ended=min(filter(None, (at_start.ended, at_end.ended)), default=0),
        measured=at_start.measured,
        before=at_start.before,
    )


def _settled(runs: Sequence[Run]) -> list[tuple[Run, Used]]:
    """What each attempt of one job has used. What was used before the first that is known of counts as that one's."""
    if len(runs) == 1:  # as most jobs have
        return [(runs[0], runs[0].after or runs[0].measured)]
    ordered = sorted(runs, key=lambda run: run.number)
    end = next((run.after for run in reversed(ordered) if run.after is not None), None)
    edges = [Used()]
    for run, behind in pairwise(ordered):
        guess = edges[-1] + run.measured
        edges.append((behind.before or guess).within(edges[-1], end))
    edges.append(end if end is not None else edges[-1] + ordered[-1].measured)
    return [(run, until - since) for run, (since, until) in zip(ordered, pairwise(edges), strict=True)]


def _run(known: JobAd, labels: Mapping[str, str]) -> Run:
    workflow = known.get(classads.DAGMAN_ID)
    host = known.get(classads.REMOTE_HOST) or known.get(classads.LAST_REMOTE_HOST)
    return Run(
        job=JobId.of(known),
        number=max(1, _count(known, classads.RUNS, _MOST_RUNS)),
        user=str(known.get(classads.IDENTITY, "")),
        group=str(known.get(classads.GROUP, "")),
        workflow=workflow if type(workflow) is int and 0 < workflow < _MOST_RUNS else None,
        labels=labels,
        is_part=bool(known.get(classads.NODE)),
        worker=host.rpartition("@")[2] if isinstance(host, str) else "",
        memory_mib=_count(known, classads.REQUEST_MEMORY, _MOST_MIB),
        gpus=_count(known, classads.REQUEST_GPUS, _MOST_GPUS),
        queued=_moment(known, classads.SUBMITTED_AT),
    )


def _account(known: JobAd, cores: tuple[int, int]) -> Used:
    wall_s = _seconds(known, classads.REMOTE_WALL_CLOCK)
    least, most = cores
    core_s = min(max(_seconds(known, classads.SLOT_TIME), wall_s * least), wall_s * most, _MOST_S)
    cpu_s = min(_seconds(known, classads.USER_CPU) + _seconds(known, classads.SYSTEM_CPU), _MOST_S)
    return Used(round(1000 * wall_s), round(1000 * core_s), round(1000 * cpu_s))


def _seconds(ad: JobAd, name: str) -> float:
    value = ad.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return min(max(float(value), 0.0), _MOST_S)


def _count(ad: JobAd, name: str, most: int) -> int:
    value = ad.get(name)
    return min(max(value, 0), most) if type(value) is int else 0


def _moment(ad: JobAd, name: str) -> int:
    return _count(ad, name, _EVER)


def _range_of_cores(ad: Any) -> tuple[int, int]:
    return _cores(ad, _SMALLEST), _cores(ad, _LARGEST)


def _cores(ad: Any, slot: dict[str, int]) -> int:
    """What the job would get of such a slot; 1 where it does not say."""
    asked = ad.lookup(classads.REQUEST_CPUS) if classads.REQUEST_CPUS in ad else None
    if asked is None:
        return 1
    scope = classad2.ClassAd({"TARGET": classad2.ClassAd(slot)})
    scope[classads.REQUEST_CPUS] = asked
    cores = scope.eval(classads.REQUEST_CPUS)
    return max(cores, 1) if type(cores) is int else 1

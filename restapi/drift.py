"""Whether the accounts say what HTCondor's history says: counted again by other code than books it. Pure.

What is booked is what the schedd has measured, however it got there: each job's wall time, times its cores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from prominence.core import classads
from prominence.core.jobid import JobId

_FIGURE = re.compile(r"-?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?")
_SCHEDULER = 7
"""HTCondor's number for the universe of what runs workflows, which uses nothing of a worker."""
_UNIVERSE = "JobUniverse"
_NAMES = (
    *(classads.CLUSTER_ID, classads.ARRAY_INDEX, classads.NODE, classads.JOB_UID, classads.REQUEST_CPUS),
    *(classads.REMOTE_WALL_CLOCK, classads.SLOT_TIME, _UNIVERSE),
)
_WANTED = {name.lower(): name for name in _NAMES}
_TOLERANCE_MS = 1


@dataclass(frozen=True)
class Drift:
    """Of the jobs that were counted again, those of which the accounts say something else, and by how much together."""

    counted: int
    differing: int
    core_ms: int


def recount(text: str) -> dict[int, int]:
    """Cores times milliseconds, by the numbers that the accounts have for jobs. text: of whole records of a history."""
    found: dict[int, int] = {}
    facts: dict[str, str] = {}
    for line in text.split("\n"):  # other ends of lines may stand in texts
        if line.startswith("*** "):
            found.update(_counted(facts))
            facts = {}
            continue
        name, _, value = line.partition(" = ")
        if name.lower() in _WANTED:
            facts[_WANTED[name.lower()]] = value.strip()
    return found


def compare(recounted: Mapping[int, int], booked: Mapping[int, int]) -> Drift:
    """What is booked of these jobs; what is not counts as nothing."""
    off = [abs(core_ms - booked.get(job, 0)) for job, core_ms in recounted.items()]
    wrong = [one for one in off if one > _TOLERANCE_MS]
    return Drift(len(recounted), len(wrong), sum(wrong))


def _counted(facts: Mapping[str, str]) -> dict[int, int]:
    """Of one record; nothing for what is no job of ours, or has never run."""
    wall_s = _figure(facts, classads.REMOTE_WALL_CLOCK)
    if classads.JOB_UID not in facts or wall_s <= 0 or _figure(facts, _UNIVERSE) == _SCHEDULER:
        return {}
    numbers = {
        name: int(_figure(facts, name))
        for name in (classads.CLUSTER_ID, classads.ARRAY_INDEX, classads.NODE)
        if name in facts
    }
    if classads.CLUSTER_ID not in numbers:
        return {}
    cores = facts.get(classads.REQUEST_CPUS, "1")
    core_s = wall_s * int(cores) if cores.isascii() and cores.isdigit() else _figure(facts, classads.SLOT_TIME)
    job = int(JobId.of(numbers))
    return {-job if numbers.get(classads.NODE) else job: round(1000 * core_s)}


def _figure(facts: Mapping[str, str], name: str) -> float:
    text = facts.get(name, "")
    return float(text) if _FIGURE.fullmatch(text) else 0.0

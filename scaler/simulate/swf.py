"""Workloads in the Standard Workload Format, as the Parallel Workloads Archive keeps them.

Eighteen numbers a line, -1 for what is not known; what begins with a semicolon is a comment. Every wrong line is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prominence.core.errors import Mistake, Rejected
from prominence.core.machines import Size
from prominence.scaler.simulate.load import Job, numbered
from prominence.scaler.simulate.offers import GIB

FIELDS = 18
MOST_CORES = 32
"""Of one node: what needs more processors runs on several."""

KIB_PER_CORE = 2 * GIB * 1024
"""Where a line does not tell."""

_SUBMIT, _RUN, _PROCESSORS, _MEMORY, _WANTED_PROCESSORS, _WANTED_MEMORY, _USER, _GROUP = 1, 3, 4, 6, 7, 9, 11, 12
_MOST_TOLD = 100


@dataclass(frozen=True)
class Read:
    """notes: what was left out or made up."""

    jobs: tuple[Job, ...]
    notes: tuple[str, ...]


def read(file: Path) -> Read:
    """The jobs of a file. Raises Rejected with every mistake and the number of its line."""
    try:
        text = file.read_text("utf-8", errors="replace")
    except OSError as error:
        raise Rejected.because(f"cannot be read: {error.strerror}", str(file)) from error
    return parse(text.splitlines(), str(file))


def parse(lines: Iterable[str], name: str) -> Read:
    """The same from lines; name: of where they come from."""
    mistakes: list[Mistake] = []
    jobs: list[Job] = []
    without_run = without_memory = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith(";"):
            continue
        try:
            fields = _fields(line)
        except ValueError as error:
            mistakes.append(Mistake(f"{name}:{number}", str(error)))
            continue
        processors = _known(fields, _PROCESSORS, _WANTED_PROCESSORS)
        if processors <= 0 or fields[_RUN] <= 0:
            without_run += 1
            continue
        memory = _known(fields, _WANTED_MEMORY, _MEMORY)
        without_memory += memory <= 0
        jobs.append(_job(number, fields, math.ceil(processors), memory if memory > 0 else KIB_PER_CORE))
    if mistakes:
        more = len(mistakes) - _MOST_TOLD
        raise Rejected(mistakes[:_MOST_TOLD] + ([Mistake(name, f"{more} more lines are wrong")] if more > 0 else []))
    if not jobs:
        raise Rejected.because("has no job that ran", name)
    notes = [f"{without_run} jobs never ran or have no processors and are left out"] if without_run else []
    if without_memory:
        notes.append(
            f"{without_memory} jobs do not say their memory; they get {KIB_PER_CORE // GIB // 1024} GiB a core"
        )
    begin_s = min(job.submitted_s for job in jobs)
    moved = [Job(j.number, j.submitted_s - begin_s, j.runtime_s, j.size, j.user, j.group, j.nodes) for j in jobs]
    return Read(numbered(moved), tuple(notes))


def _fields(line: str) -> list[float]:
    words = line.split()
    if len(words) != FIELDS:
        raise ValueError(f"has {len(words)} fields instead of {FIELDS}")
    wrong = [position for position, word in enumerate(words, start=1) if not _is_number(word)]
    if wrong:
        raise ValueError(f"field {', '.join(map(str, wrong))}: not a number")
    fields = [float(word) for word in words]
    if fields[_SUBMIT] < 0:
        raise ValueError(f"field {_SUBMIT + 1}: the submit time is below 0")
    return fields


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def _known(fields: list[float], *positions: int) -> float:
    """The first that is above 0."""
    return next((fields[position] for position in positions if fields[position] > 0), -1)


def _job(number: int, fields: list[float], processors: int, kib_per_core: float) -> Job:
    nodes = math.ceil(processors / MOST_CORES)
    cores = math.ceil(processors / nodes)
    size = Size(cpus=cores, memory_mib=max(1, math.ceil(cores * kib_per_core / 1024)), disk_mib=GIB)
    user, group = (str(round(fields[position])) if fields[position] >= 0 else "" for position in (_USER, _GROUP))
    return Job(number, fields[_SUBMIT], fields[_RUN], size, f"user{user}", f"group{group}" if group else "", nodes)

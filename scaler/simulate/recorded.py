"""Load as the scaler itself has seen it: a file of snapshots or of its history of plans, as JSON lines.

Jobs are recognised by their kind: where more of a kind wait than in the look before, so many have come. A kind of which
fewer wait has had some started. What waits is all that such a file tells, so jobs that started between two looks are
missing, and how long jobs run must be said.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from prominence.core.errors import Mistake, Rejected
from prominence.core.machines import Size
from prominence.core.scaling import ScalingPlan
from prominence.core.snapshot import PoolSnapshot
from prominence.core.validation import parse as parse_document
from prominence.scaler.simulate.load import Job, numbered
from prominence.scaler.simulate.swf import Read


@dataclass(frozen=True)
class _Look:
    """What waited at one moment, by kind: jobs of each."""

    at: datetime
    waiting: Counter[tuple[Size, str, str, int]]


def read(file: Path, runtime_s: float) -> Read:
    """The jobs of a file. Raises Rejected with every mistake and the number of its line."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except OSError as error:
        raise Rejected.because(f"cannot be read: {error.strerror}", str(file)) from error
    except ValueError as error:
        raise Rejected.because("is not text in UTF-8", str(file)) from error
    return parse(lines, str(file), runtime_s)


def parse(lines: Iterable[str], name: str, runtime_s: float) -> Read:
    """The same from lines; name: of where they come from."""
    looks: list[_Look] = []
    mistakes: list[Mistake] = []
    unknown = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            look = _look(json.loads(line))
        except json.JSONDecodeError as error:
            mistakes.append(Mistake(f"{name}:{number}", f"is not JSON: {error.msg}"))
        except Rejected as error:
            mistakes += [Mistake(f"{name}:{number}", str(one)) for one in error.mistakes]
        else:
            looks += [look] if look else []
            unknown += look is None
    if mistakes:
        raise Rejected(mistakes[:100])
    looks.sort(key=lambda look: look.at)
    jobs = numbered(_arrivals(looks, runtime_s))
    if not jobs:
        raise Rejected.because("tells of no job", name)
    notes = [f"every job is taken to run {runtime_s:g} s"]
    if unknown:
        notes.append(f"{unknown} looks did not know the queue and are left out")
    return Read(jobs, tuple(notes))


def _look(document: Any) -> _Look | None:
    """None where the queue was unknown."""
    if isinstance(document, dict) and "made_at" in document:
        plan = parse_document(ScalingPlan, document)
        if not plan.explanations and any("unknown" in note for note in plan.notes):
            return None  # no word of any job does not mean then that none waits
        waiting: Counter[tuple[Size, str, str, int]] = Counter()
        for one in plan.explanations:
            waiting[one.size, one.user, one.group, 1] += one.jobs
        return _Look(plan.made_at, waiting)
    snapshot = parse_document(PoolSnapshot, document)
    if snapshot.demand is None:
        return None
    waiting = Counter()
    for demand in snapshot.demand:
        waiting[demand.size, demand.user, demand.group, demand.nodes] += max(1, demand.jobs // demand.nodes)
    return _Look(snapshot.taken_at, waiting)


def _arrivals(looks: list[_Look], runtime_s: float) -> Iterator[Job]:
    before: Counter[tuple[Size, str, str, int]] = Counter()
    for look in looks:
        for (size, user, group, nodes), count in look.waiting.items():
            since_s = (look.at - looks[0].at).total_seconds()
            for _ in range(count - before[size, user, group, nodes]):
                yield Job(0, since_s, runtime_s, size, user, group, nodes)
        before = look.waiting

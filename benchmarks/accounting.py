"""What it costs to keep account of what jobs have used, and to ask.

accounting.booking: 100,000 attempts written, and the same rows by a plain executemany into the same table.
accounting.by_group: the sums of groups over a million attempts. accounting.following: processor time to follow
HTCondor's files for a second in which ten jobs end.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import classad2

from benchmarks.harness import Goal, Row, figure, in_pairs, measured_in_pairs
from prominence.core import classads
from prominence.core.jobid import JobId
from prominence.core.logfile import Position
from prominence.core.machines import Size
from prominence.restapi.adapters.archive import ArchiveWriter
from prominence.restapi.adapters.memory_sandboxes import MemorySandboxes
from prominence.restapi.adapters.usage import SqliteUsage, UsageWriter
from prominence.restapi.archive.follower import Follower
from prominence.restapi.booking import Machine, Run, Used
from prominence.restapi.usage import Period

RUNS = 5
BOOKED, AT_ONCE, KEPT = 100_000, 1000, 1_000_000
FOLLOWED, A_SECOND = 2000, 10
GROUPS, USERS, WORKERS = 20, 200, 500
EVER = Period(0, 2**40)


def booking() -> list[Row]:
    """Into an empty store each time."""
    pairs = measured_in_pairs(_plainly, _booked, RUNS)
    return [in_pairs("accounting.booking", pairs, Goal(ratio=2.0))]


def by_group() -> list[Row]:
    """As an operator asks for it."""
    with _store() as (file, writer):
        for first in range(0, KEPT, AT_ONCE * 10):
            writer.book_usage(runs(first, AT_ONCE * 10), "history", Position())
        usage = SqliteUsage(file, file.with_name("history"))
        samples = []
        for _ in range(RUNS):
            start = time.perf_counter()
            assert sum(one.jobs for one in usage.by_group(EVER, None).values()) == KEPT
            samples.append(time.perf_counter() - start)
    return [figure("accounting.by_group", samples, Goal(figure=0.2))]


def following() -> list[Row]:
    """History and attempts, with as many jobs in each piece as end in the time between two looks: one."""
    return [figure("accounting.following", [_followed() for _ in range(RUNS)], Goal(figure=0.02))]


def _booked() -> float:
    booked = runs(0, BOOKED)
    with _store() as (_, writer):
        start = time.perf_counter()
        for first in range(0, BOOKED, AT_ONCE):
            writer.book_usage(booked[first : first + AT_ONCE], "history", Position())
        return time.perf_counter() - start


def _plainly() -> float:
    with _store() as (file, writer):
        writer.book_usage(runs(0, BOOKED), "history", Position())
        with closing(sqlite3.connect(file)) as connection:
            rows = list(connection.execute("SELECT * FROM attempts"))
    with _store() as (file, _), closing(sqlite3.connect(file)) as connection:
        start = time.perf_counter()
        for first in range(0, BOOKED, AT_ONCE):
            with connection:
                places = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO attempts VALUES ({places})", rows[first : first + AT_ONCE])
        return time.perf_counter() - start


def _followed() -> float:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        history, epochs = place / "history", place / "runs"
        with closing(UsageWriter(place / "usage.db")) as usage:
            book = ArchiveWriter(place / "jobs.db")
            follower = Follower(history, place / "events", epochs, MemorySandboxes(), book, usage)
            spent = 0.0
            for job in range(1, FOLLOWED + 1):
                _append(epochs, _record(job, {classads.RUN_ENDED_AT: 200}))
                _append(history, _record(job, {classads.FINISHED_AT: 200}))
                start = time.process_time()
                while follower.step():
                    pass
                spent += time.process_time() - start
    return spent / FOLLOWED * A_SECOND


def _append(log: Path, text: str) -> None:
    with open(log, "a") as file:
        file.write(text)


def _record(job: int, more: dict[str, int]) -> str:
    ad = {
        classads.CLUSTER_ID: job,
        classads.PROC_ID: 0,
        classads.JOB_STATUS: 4,
        classads.JOB_TYPE: "job",
        classads.IDENTITY: f"user{job % USERS}",
        classads.GROUP: f"group{job % GROUPS}",
        classads.REQUEST_CPUS: 1,
        classads.REQUEST_MEMORY: 1024,
        classads.REMOTE_WALL_CLOCK: 100.0,
        classads.SLOT_TIME: 100.0,
        classads.RUNS: 1,
        classads.RUN_STARTED_AT: 100,
        classads.LAST_REMOTE_HOST: "slot1_1@w-1",
        **{f"Other{number}": "x" * 20 for number in range(120)},  # an ad of HTCondor's has as many
        **more,
    }
    lines = (f"{name} = {classad2.quote(value) if isinstance(value, str) else value}\n" for name, value in ad.items())
    return f"{''.join(lines)}*** Offset = 0 ClusterId = {job} ProcId = 0\n"


def runs(first: int, count: int) -> list[Run]:
    """Attempts of so many jobs."""
    return [
        Run(
            job=JobId(number + 1),
            number=1,
            user=f"user{number % USERS}",
            group=f"group{number % GROUPS}",
            worker=f"w-{number % WORKERS}",
            started=number,
            ended=number + 100,
            memory_mib=2048,
            outcome="completed",
            measured=Used(100_000, 200_000, 150_000),
            before=Used(),
            after=Used(100_500, 201_000, 150_500),
        )
        for number in range(first, first + count)
    ]


@contextmanager
def _store() -> Iterator[tuple[Path, UsageWriter]]:
    size = Size(cpus=8, memory_mib=16_000, disk_mib=100_000)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "usage.db"
        with closing(UsageWriter(file)) as writer:
            writer.book_machines(Machine(f"w-{n}", "cloud", "west", "m.8", 0.4, size) for n in range(WORKERS))
            yield file, writer


MEASUREMENTS = {
    "accounting.booking": booking,
    "accounting.by_group": by_group,
    "accounting.following": following,
}

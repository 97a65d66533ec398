"""UsageStore in a file of SQLite, beside the archive of finished jobs: one process writes it, any number read.

It is a file of its own because it is never made anew: HTCondor forgets jobs, and what they have used must stay. The
queries for the sums of users and groups read nothing but a part of an index.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from prominence.core.jobid import JobId
from prominence.core.logfile import Position
from prominence.core.machines import Size
from prominence.restapi.adapters import outbox, sqlite
from prominence.restapi.adapters.usage_rows import OF_RUN, machine_of_row, run_of_row
from prominence.restapi.booking import Machine, Run, Used, booked, newest
from prominence.restapi.usage import DEFAULT_TARIFF, By, Key, Period, Sum, Tariff, UsageRecord, Whose, priced

LAYOUT = 2

# A row for each attempt. jobs: 1 for the last one of a job. facts: what HTCondor's records told, of which what has been
# used is reckoned anew when another record comes.
_TABLES = f"""
CREATE TABLE attempts (
    job INTEGER NOT NULL, number INTEGER NOT NULL, user TEXT NOT NULL, grp TEXT NOT NULL, workflow INTEGER,
    worker TEXT NOT NULL, cloud TEXT NOT NULL, region TEXT NOT NULL, flavour TEXT NOT NULL,
    started INTEGER NOT NULL, ended INTEGER NOT NULL, outcome TEXT NOT NULL, blame TEXT NOT NULL,
    jobs INTEGER NOT NULL, part INTEGER NOT NULL, memory_mib INTEGER NOT NULL, gpus INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL, core_ms INTEGER NOT NULL, cpu_ms INTEGER NOT NULL,
    units_ms INTEGER NOT NULL, cost INTEGER NOT NULL, facts TEXT NOT NULL,
    queued INTEGER NOT NULL DEFAULT 0, status INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE INDEX of_user ON attempts (user, ended, jobs, core_ms, cpu_ms);
CREATE INDEX of_group ON attempts (grp, user, ended, jobs, core_ms, cpu_ms);
CREATE INDEX somewhere ON attempts (worker) WHERE cloud = '';
CREATE TABLE labels (job INTEGER NOT NULL, label TEXT NOT NULL COLLATE NOCASE, value TEXT NOT NULL,
    PRIMARY KEY (job, label)
) WITHOUT ROWID;
CREATE TABLE machines (
    worker TEXT PRIMARY KEY, cloud TEXT NOT NULL, region TEXT NOT NULL, flavour TEXT NOT NULL, price REAL NOT NULL,
    cpus INTEGER NOT NULL, memory_mib INTEGER NOT NULL, disk_mib INTEGER NOT NULL, gpus INTEGER NOT NULL
) WITHOUT ROWID;
{sqlite.POSITIONS}
"""

# Before attempts were kept there was a row for each job.
_MAKE_ROOM = """
DROP INDEX of_user;
DROP INDEX of_group
"""
_TAKE_OVER = """
INSERT INTO attempts SELECT job, 1, user, grp, NULL, '', '', '', '', 0, ended, '', 'nobody', job > 0, job < 0, 0, 0,
    core_ms, core_ms, cpu_ms, core_ms, 0, json_array(json_array(0, 0, 0), NULL, json_array(core_ms, core_ms, cpu_ms)),
    0, 0 FROM usage;
DROP TABLE usage
"""
_SINCE_1 = """
ALTER TABLE attempts ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN status INTEGER NOT NULL DEFAULT 0
"""

_FROM = "FROM attempts WHERE ended >= :since AND ended < :until"
_SUMS = f"SUM(jobs), SUM(core_ms), SUM(cpu_ms) {_FROM}"
_ALL_SUMS = f"SUM(jobs), SUM(core_ms), SUM(cpu_ms), COUNT(*), SUM(wall_ms), SUM(units_ms), SUM(cost) {_FROM}"
_AMONG = "grp IN (SELECT value FROM json_each(:groups))"
_USED = "HAVING SUM(core_ms) > 0"
_OF_EVERYBODY = f"SELECT user, {_SUMS} GROUP BY user {_USED}"
_OF_ONE = f"SELECT user, {_SUMS} AND user = :user GROUP BY user {_USED}"
_OF_OTHERS = f"SELECT user, {_SUMS} AND {_AMONG} AND user != :user"
_OF_ALL_GROUPS = f"SELECT grp, {_SUMS} AND grp > '' GROUP BY grp {_USED}"
_OF_GROUPS = f"SELECT grp, {_SUMS} AND {_AMONG} GROUP BY grp {_USED}"

_COLUMNS = {
    **{key: f"attempts.{key.value}" for key in Key if key is not Key.LABEL},
    Key.GROUP: "grp",
    Key.WORKFLOW: "coalesce(CAST(workflow AS TEXT), '')",
    Key.DAY: "strftime('%Y-%m-%d', ended, 'unixepoch')",
    Key.MONTH: "strftime('%Y-%m', ended, 'unixepoch')",
}
_OF_LABEL = "coalesce((SELECT value FROM labels WHERE labels.job = attempts.job AND label = :label{}), '')"


class SqliteUsage:
    """UsageStore, for those who read. history: HTCondor's file, to see whether all of it has been booked."""

    def __init__(self, file: Path, history: Path) -> None:
        self._kept = sqlite.FollowingFile(file, history)

    def by_user(self, period: Period, user: str, groups: Collection[str] | None) -> dict[str, Sum]:
        if groups is None:
            return self._sums(_OF_EVERYBODY, period)
        text = f"{_OF_ONE} UNION ALL {_OF_OTHERS} GROUP BY user {_USED}"
        return self._sums(text, period, user=user, groups=_listed(groups))

    def by_group(self, period: Period, groups: Collection[str] | None) -> dict[str, Sum]:
        if groups is None:
            return self._sums(_OF_ALL_GROUPS, period)
        return self._sums(_OF_GROUPS, period, groups=_listed(groups))

    def grouped(self, by: Sequence[By], period: Period, whose: Whose) -> dict[tuple[str, ...], Sum]:
        given = {f"label{at}": one.label for at, one in enumerate(by)}
        names = [_OF_LABEL.format(at) if one.key is Key.LABEL else _COLUMNS[one.key] for at, one in enumerate(by)] or [
            "''"
        ]
        theirs = ""
        if whose.groups is not None:
            theirs = f"AND ({_AMONG} OR user = :user AND user != '')"
            given |= {"user": whose.user, "groups": _listed(whose.groups)}
        places = ", ".join(str(at + 1) for at in range(len(names)))
        found = self._rows(f"SELECT {', '.join(names)}, {_ALL_SUMS} {theirs} GROUP BY {places} {_USED}", period, given)
        return {row[: len(by)]: Sum(*row[len(names) :]) for row in found}

    def _sums(self, text: str, period: Period, **given: str) -> dict[str, Sum]:
        return {name: Sum(*figures) for name, *figures in self._rows(text, period, given)}

    def _rows(self, text: str, period: Period, given: dict[str, str]) -> list[tuple[Any, ...]]:
        self._kept.catch_up()
        with self._kept.reading() as connection:
            return list(connection.execute(text, {"since": period.since, "until": period.until, **given}))


class UsageWriter:
    """The one who writes. tariff: of what is booked from now on. copied_to: the other store that is to have all of it,
    by a name that changes when another one is meant; "" for none.
    """

    def __init__(self, file: Path, tariff: Tariff = DEFAULT_TARIFF, copied_to: str = "") -> None:
        self._connection = sqlite.to_write(file)
        self._tariff = tariff
        [layout] = self._connection.execute("PRAGMA user_version").fetchone()
        if layout != LAYOUT:
            self._lay_out(layout)
        self._is_copied = copied_to != ""
        with sqlite.together(self._connection):
            outbox.set_up(self._connection, copied_to)

    def close(self) -> None:
        """Done."""
        self._connection.close()

    def position(self, log_name: str) -> Position:
        """How far this log has been followed."""
        return sqlite.position(self._connection, log_name)

    def book_usage(self, runs: Sequence[Run], log_name: str, position: Position) -> None:
        """These attempts, and that the log has been followed up to here. What was told before is told better."""
        with sqlite.together(self._connection):
            known = self._known({_key(one.job, one.is_part) for one in runs})
            self._write(known, runs)
            self._label(newest(runs, [one.run for one in known]))
            sqlite.move(self._connection, log_name, position)

    def book_machines(self, machines: Iterable[Machine]) -> None:
        """What these workers are. What their jobs have cost is reckoned, too, where that could not be."""
        with sqlite.together(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO machines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(one.worker, one.cloud, one.region, one.flavour, one.price, *_figures(one.size)) for one in machines],
            )
            text = "SELECT DISTINCT job FROM attempts JOIN machines USING (worker) WHERE attempts.cloud = ''"
            jobs = {job for (job,) in self._connection.execute(text)}
            known = self._known(jobs)
            self._write(known, [one.run for one in known])

    def _lay_out(self, layout: int) -> None:
        with sqlite.together(self._connection):
            is_old = self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'usage'").fetchone()
            anew = (_MAKE_ROOM, _TABLES, _TAKE_OVER) if is_old else (_TABLES,)
            for text in (_SINCE_1,) if layout == 1 else anew:
                for statement in text.split(";\n"):
                    self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {LAYOUT}")

    def _known(self, jobs: Collection[int]) -> list[UsageRecord]:
        """What is booked of these jobs, without the machines."""
        text = f"SELECT wall_ms, core_ms, cpu_ms, units_ms, {OF_RUN} FROM attempts"
        text += " WHERE job IN (SELECT value FROM json_each(?))"
        found = self._connection.execute(text, (json.dumps(list(jobs)),))
        return [UsageRecord(run_of_row(*row[4:]), Used(*row[:3]), units_ms=row[3]) for row in found]

    def _write(self, known: Sequence[UsageRecord], runs: Sequence[Run]) -> None:
        """All attempts of the jobs of which these are. known: what is booked of those."""
        of_jobs = booked([one.run for one in known], runs)
        attempts = [one for of_job in of_jobs.values() for one in of_job]
        before = {(one.run.job, one.run.number): one for one in known}
        machines = self._machines({run.worker for run, _ in attempts})
        records = (
            priced(run, used, machines.get(run.worker), self._tariff, before.get((run.job, run.number)))
            for run, used in attempts
        )
        self._connection.executemany(
            f"INSERT OR REPLACE INTO attempts VALUES ({', '.join('?' * 25)})", map(_row, records)
        )
        if self._is_copied:
            outbox.put(self._connection, [(_key(run.job, run.is_part), run.number) for run, _ in attempts])

    def _label(self, runs: Sequence[Run]) -> None:
        """As these say, and not as was said before: a label may have been taken away."""
        keys = [(_key(one.job, one.is_part),) for one in runs]
        self._connection.executemany("DELETE FROM labels WHERE job = ?", keys)
        self._connection.executemany(
            "INSERT OR REPLACE INTO labels VALUES (?, ?, ?)",
            [(_key(one.job, one.is_part), *label) for one in runs for label in one.labels.items()],
        )

    def _machines(self, workers: Collection[str]) -> dict[str, Machine]:
        text = "SELECT * FROM machines WHERE worker IN (SELECT value FROM json_each(?))"
        return {row[0]: machine_of_row(*row) for row in self._connection.execute(text, (json.dumps(list(workers)),))}


def _row(record: UsageRecord) -> tuple[Any, ...]:
    run, used, machine = record.run, record.used, record.machine
    return (
        *(_key(run.job, run.is_part), run.number, run.user, run.group, run.workflow, run.worker),
        *(("", "", "") if machine is None else (machine.cloud, machine.region, machine.flavour)),
        *(run.started, run.ended, run.outcome, run.blame, record.jobs, run.is_part, run.memory_mib, run.gpus),
        *(*used.figures, record.units_ms, record.cost, _facts(run), run.queued, run.status),
    )


def _facts(run: Run) -> str:
    """As JSON; json.dumps takes as long as all the rest of a row."""
    told = ("null" if used is None else list(used.figures) for used in (run.measured, run.before, run.after))
    return "[{},{},{}]".format(*told)


def _figures(size: Size) -> tuple[int, ...]:
    return size.cpus, size.memory_mib, size.disk_mib, size.gpus


def _key(job: JobId, is_part: bool) -> int:
    """What is part of a job has a number below 0: it is no job of its own."""
    return -int(job) if is_part else int(job)


def _listed(groups: Collection[str]) -> str:
    """A list of any length is one value. No group is charged where there is none."""
    return json.dumps([group for group in groups if group])

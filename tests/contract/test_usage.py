"""What every UsageStore promises: in memory, in a file of SQLite, and in a search server to which that is brought."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import classad2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from search_server import Disguise
from searched_usage import InElasticsearch

from prominence.core import classads
from prominence.core.errors import Unavailable
from prominence.core.logfile import Position
from prominence.core.machines import Size
from prominence.restapi.adapters.memory import MemoryQueue
from prominence.restapi.adapters.memory_usage import MemoryUsage
from prominence.restapi.adapters.usage import SqliteUsage, UsageWriter
from prominence.restapi.archive.records import labels
from prominence.restapi.booking import Machine, run_of_epoch, run_of_job
from prominence.restapi.finished import finished
from prominence.restapi.ports import UsageStore
from prominence.restapi.translate.ads import plain
from prominence.restapi.usage import DEFAULT_TARIFF, By, Key, Period, Sum, Tariff, Whose

EVER = Period(0, 10**12)
HOSTILE = ['eve" || true', "eve' OR 1=1 --", "%41", "ünïcödé ☃", "a\nb", '["physics"]']


class Kept(Protocol):
    """A store, and how things come into it."""

    usage: UsageStore

    def job(self, ad: Any) -> None:
        """A job has left the queue."""

    def attempt(self, ad: Any) -> None:
        """An attempt has ended."""

    def machine(self, machine: Machine) -> None:
        """It is known what a worker is."""

    def break_down(self) -> None:
        """It cannot be read any more."""


class InMemory:
    def __init__(self) -> None:
        self.queue = MemoryQueue()
        self.memory = MemoryUsage(self.queue)
        self.usage: UsageStore = self.memory

    def job(self, ad: Any) -> None:
        self.queue.left.append(ad)

    def attempt(self, ad: Any) -> None:
        self.memory.epochs.append(ad)

    def machine(self, machine: Machine) -> None:
        self.memory.machines[machine.worker] = machine

    def break_down(self) -> None:
        self.queue.unavailable = "It is away."


class InSqlite:
    def __init__(self, directory: Path, tariff: Tariff = DEFAULT_TARIFF) -> None:
        self.file = directory / "usage.db"
        self.writer = UsageWriter(self.file, tariff)
        self.usage: UsageStore = SqliteUsage(self.file, directory / "history")

    def job(self, ad: Any) -> None:
        run = run_of_job(ad, labels(ad), finished(plain(ad), {}, None, None).view)
        self.writer.book_usage([] if run is None else [run], "history", Position())

    def attempt(self, ad: Any) -> None:
        run = run_of_epoch(ad, labels(ad))
        self.writer.book_usage([] if run is None else [run], "runs", Position())

    def machine(self, machine: Machine) -> None:
        self.writer.book_machines([machine])

    def break_down(self) -> None:
        self.writer.close()
        self.file.write_bytes(b"nothing that SQLite knows" * 100)


@pytest.fixture
def searched(tmp_path: Path, search: Disguise) -> Iterator[InElasticsearch]:
    kept = InElasticsearch(tmp_path, search.url)
    yield kept
    kept.close()


@pytest.fixture(params=["memory", "sqlite", "elasticsearch"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "elasticsearch":
        found: InElasticsearch = request.getfixturevalue("searched")
        return found
    return InMemory() if request.param == "memory" else InSqlite(tmp_path)


def used(job: int, user: str = "alice", group: str = "", ended: int = 100, wall_s: int = 1, cpu_s: float = 0) -> Any:
    """The ad of a job of one core that has ended."""
    return classad2.ClassAd(
        {
            classads.CLUSTER_ID: job,
            classads.IDENTITY: classads.portable(user),
            classads.GROUP: classads.portable(group),
            classads.FINISHED_AT: ended,
            classads.REQUEST_CPUS: 1,
            classads.REMOTE_WALL_CLOCK: wall_s,
            classads.SLOT_TIME: wall_s,
            classads.USER_CPU: cpu_s,
        }
    )


def attempt(number: int, worker: str, before_s: int = 0, ended: int = 100, wall_s: int = 1, **more: Any) -> Any:
    """HTCondor's record of an attempt of job 1, of one core, which began with so much on the job's account."""
    return classad2.ClassAd(
        {
            classads.CLUSTER_ID: 1,
            classads.JOB_STATUS: 2,
            classads.IDENTITY: "alice",
            classads.GROUP: "physics",
            classads.REQUEST_CPUS: 1,
            classads.REQUEST_MEMORY: 1024,
            classads.CPUS_PROVISIONED: 1,
            classads.REMOTE_HOST: f"slot1_1@{worker}",
            classads.REMOTE_WALL_CLOCK: before_s,
            classads.SLOT_TIME: before_s,
            classads.RUNS: number,
            classads.RUN_STARTED_AT: ended - wall_s,
            classads.RUN_ENDED_AT: ended,
            **more,
        }
    )


def last(wall_s: int, number: int, worker: str, ended: int = 100) -> Any:
    """The record of the same job when it has left the queue."""
    ad = used(1, "alice", "physics", ended, wall_s)
    for name, value in (
        (classads.JOB_STATUS, 4),
        (classads.EXIT_CODE, 0),
        (classads.RUNS, number),
        (classads.REQUEST_MEMORY, 1024),
        (classads.LAST_REMOTE_HOST, f"slot1_1@{worker}"),
        (classads.DAGMAN_ID, 77),
        (f"{classads.LABEL_PREFIX}App", "fit"),
    ):
        ad[name] = value
    return ad


def short(sums: Mapping[str, Sum]) -> dict[str, Sum]:
    """With the figures that there have been from the beginning."""
    return {name: Sum(one.jobs, one.core_ms, one.cpu_ms) for name, one in sums.items()}


def a_machine(worker: str, cloud: str, price: float) -> Machine:
    return Machine(worker, cloud, "west", "m.4", price, Size(cpus=4, memory_mib=8192, disk_mib=10**4))


class TestTheAttemptsOfAJob:
    def test_each_has_what_the_account_has_grown_by_and_all_of_them_together_what_it_says(self, kept: Kept) -> None:
        kept.attempt(attempt(1, "w-1", 0, ended=100, wall_s=9))
        kept.attempt(attempt(2, "w-2", 10, ended=200, wall_s=29))
        kept.job(last(42, 2, "w-2", ended=201))
        found = kept.usage.grouped([By(Key.OUTCOME), By(Key.BLAME)], EVER, Whose("alice"))
        assert {names: (one.jobs, one.attempts, one.wall_ms) for names, one in found.items()} == {
            ("again", "provider"): (0, 1, 10_000),
            ("completed", "nobody"): (1, 1, 32_000),
        }
        assert short(kept.usage.by_user(Period(0, 200), "alice", ())) == {"alice": Sum(0, 10_000)}

    def test_one_that_has_ended_counts_before_its_job_has_left(self, kept: Kept) -> None:
        kept.attempt(attempt(1, "w-1", wall_s=9))
        assert short(kept.usage.by_group(EVER, ("physics",))) == {"physics": Sum(0, 9000)}

    @given(st.permutations(range(5)), st.data())
    def test_records_may_come_in_any_order_and_twice(self, order: list[int], data: st.DataObject) -> None:
        every = [
            attempt(1, "w-1", 0, ended=100, wall_s=11),
            attempt(3, "w-2", 20, ended=300, wall_s=5),  # of the second nothing is known
            attempt(4, "w-2", 25, ended=400, wall_s=5),
            last(31, 4, "w-2", ended=400),
        ]
        with tempfile.TemporaryDirectory() as directory:
            kept = InSqlite(Path(directory))
            machine = a_machine("w-2", "there", 3.6)
            for at in [*order, *data.draw(st.lists(st.integers(0, 4), max_size=3))]:
                if at == len(every):
                    kept.machine(machine)
                else:
                    (kept.job if at == len(every) - 1 else kept.attempt)(every[at])
            found = kept.usage.grouped([By(Key.CLOUD), By(Key.DAY)], EVER, Whose(groups=None))
            kept.writer.close()
        figures = {cloud: (one.jobs, one.attempts, one.wall_ms, one.cost) for (cloud, _), one in found.items()}
        # A quarter of a machine of 0.001 a second.
        assert figures == {"": (0, 1, 20_000, 0), "there": (1, 2, 11_000, 2750)}

    def test_usage_is_told_apart_by_whatever_is_asked_for(self, kept: Kept) -> None:
        kept.machine(a_machine("w-1", "there", 3.6))
        kept.attempt(attempt(1, "w-1", ended=2**31, wall_s=36))
        kept.job(last(36, 1, "w-1", ended=2**31))
        kept.job(used(2, "bob", "physics", wall_s=5))
        expected = {
            "user": "alice", "group": "physics", "cloud": "there", "region": "west", "flavour": "m.4",
            "outcome": "completed", "blame": "nobody", "workflow": "77", "day": "2038-01-19", "month": "2038-01",
        }  # fmt: skip
        for key, name in expected.items():
            found = kept.usage.grouped([By(Key(key)), By(Key.LABEL, "app")], EVER, Whose("alice"))
            sums = Sum(1, 36_000, 0, 1, 36_000, 36_000, 9000)
            assert found == {(name, "fit"): sums}, key
        assert set(kept.usage.grouped([By(Key.USER)], EVER, Whose(groups=None))) == {("alice",), ("bob",)}
        assert set(kept.usage.grouped([By(Key.USER)], EVER, Whose("bob"))) == {("bob",)}
        assert kept.usage.grouped([By(Key.USER)], EVER, Whose(groups=frozenset({"art", ""}))) == {}
        assert set(kept.usage.grouped([By(Key.WORKFLOW)], EVER, Whose("bob"))) == {("",)}

    def test_a_label_that_was_taken_away_is_gone_and_nothing_told_late_brings_it_back(self, kept: Kept) -> None:
        first = attempt(1, "w-1", 0, ended=100, wall_s=10, **{f"{classads.LABEL_PREFIX}Old": "yes"})
        kept.attempt(first)
        ended = last(30, 2, "w-2", ended=200)
        kept.job(ended)
        kept.attempt(attempt(2, "w-2", 10, ended=200, wall_s=20, **{f"{classads.LABEL_PREFIX}App": "fit"}))
        late = Period(150, 10**12)
        for _ in range(2):
            by = [By(Key.LABEL, "old"), By(Key.LABEL, "app")]
            assert set(kept.usage.grouped(by, late, Whose("alice"))) == {("", "fit")}
            kept.attempt(first)


class TestUsageStore:
    def test_a_users_own_use_is_summed_whatever_it_is_charged_to(self, kept: Kept) -> None:
        kept.job(used(1, wall_s=10, cpu_s=1.5))
        kept.job(used(2, group="physics", wall_s=20, cpu_s=0.25))
        kept.job(used(3, "bob", "physics", wall_s=40))
        assert short(kept.usage.by_user(EVER, "alice", ())) == {"alice": Sum(2, 30_000, 1_750)}
        assert short(kept.usage.by_user(EVER, "nobody", ())) == {}

    def test_of_others_counts_what_is_charged_to_the_groups_that_are_named(self, kept: Kept) -> None:
        kept.job(used(1, "alice", "art"))
        kept.job(used(2, "bob", "physics", wall_s=2))
        kept.job(used(3, "bob", "art"))
        kept.job(used(4, "bob"))
        kept.job(used(5, "carol", "music", wall_s=4))
        kept.job(used(6, "dave", "physics2"))
        found = short(kept.usage.by_user(EVER, "alice", ("physics", "music", "")))
        assert found == {"alice": Sum(1, 1000), "bob": Sum(1, 2000), "carol": Sum(1, 4000)}

    def test_all_that_everybody_has_used(self, kept: Kept) -> None:
        for job, user in enumerate(["alice", "bob", "bob", ""], start=1):
            kept.job(used(job, user))
        assert short(kept.usage.by_user(EVER, "alice", None)) == {
            "alice": Sum(1, 1000),
            "bob": Sum(2, 2000),
            "": Sum(1, 1000),
        }

    def test_groups_are_summed_over_their_users(self, kept: Kept) -> None:
        kept.job(used(1, "alice", "physics"))
        kept.job(used(2, "bob", "physics"))
        kept.job(used(3, "bob", "art"))
        kept.job(used(4, "bob"))
        assert short(kept.usage.by_group(EVER, ("physics", "music", ""))) == {"physics": Sum(2, 2000)}
        assert short(kept.usage.by_group(EVER, None)) == {"physics": Sum(2, 2000), "art": Sum(1, 1000)}
        assert short(kept.usage.by_group(EVER, ())) == {}

    def test_a_job_counts_when_it_ended_within_the_time(self, kept: Kept) -> None:
        for job, ended in enumerate([99, 100, 199, 200], start=1):
            kept.job(used(job, "alice", "physics", ended))
        period = Period(100, 200)
        assert kept.usage.by_user(period, "alice", ())["alice"].jobs == 2
        assert kept.usage.by_user(period, "bob", ("physics",))["alice"].jobs == 2
        assert kept.usage.by_user(period, "bob", None)["alice"].jobs == 2
        assert kept.usage.by_group(period, ("physics",))["physics"].jobs == 2
        assert kept.usage.by_group(period, None)["physics"].jobs == 2
        assert short(kept.usage.by_user(Period(300, 400), "alice", None)) == {}

    def test_a_job_that_is_told_twice_counts_once(self, kept: Kept) -> None:
        kept.job(used(1, wall_s=10))
        kept.job(used(1, wall_s=20))
        assert short(kept.usage.by_user(EVER, "alice", ())) == {"alice": Sum(1, 20_000)}

    def test_another_node_of_a_job_counts_with_what_it_has_used_and_as_no_job(self, kept: Kept) -> None:
        kept.job(used(1, "alice", "physics", wall_s=10))
        for again in (10, 20):
            node = used(1, "alice", "physics", wall_s=again)
            node[classads.NODE], node[classads.NODE_COUNT] = 1, 2
            kept.job(node)
        assert short(kept.usage.by_user(EVER, "alice", None)) == {"alice": Sum(1, 30_000)}
        assert short(kept.usage.by_group(EVER, None)) == {"physics": Sum(1, 30_000)}

    def test_a_job_that_has_never_run_does_not_count(self, kept: Kept) -> None:
        kept.job(used(1, wall_s=0))
        assert short(kept.usage.by_user(EVER, "alice", None)) == {}

    @pytest.mark.parametrize("name", HOSTILE)
    def test_names_are_names_whatever_is_in_them(self, kept: Kept, name: str) -> None:
        kept.job(used(1, name, name))
        kept.job(used(2, "alice", "physics"))
        assert short(kept.usage.by_user(EVER, name, ())) == {name: Sum(1, 1000)}
        assert short(kept.usage.by_group(EVER, (name,))) == {name: Sum(1, 1000)}

    def test_one_that_cannot_be_read_says_so(self, kept: Kept) -> None:
        kept.job(used(1))
        kept.break_down()
        with pytest.raises(Unavailable):
            kept.usage.by_user(EVER, "alice", ())


def test_what_was_kept_of_jobs_before_attempts_were_counts_on(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "usage.db")
    connection.executescript(
        """
        CREATE TABLE usage (
            job INTEGER PRIMARY KEY, user TEXT NOT NULL, grp TEXT NOT NULL, ended INTEGER NOT NULL,
            core_ms INTEGER NOT NULL, cpu_ms INTEGER NOT NULL
        );
        CREATE INDEX of_user ON usage (user, ended, core_ms, cpu_ms);
        CREATE INDEX of_group ON usage (grp, user, ended, core_ms, cpu_ms);
        CREATE TABLE positions (log TEXT PRIMARY KEY, position TEXT NOT NULL);
        INSERT INTO positions VALUES ('history', '{"inode": 7, "offset": 8, "mark": "x"}');
        INSERT INTO usage VALUES (1, 'alice', 'physics', 100, 3000, 20), (-17, 'alice', 'physics', 100, 1000, 10);
        """
    )
    connection.close()
    kept = InSqlite(tmp_path)
    assert kept.writer.position("history") == Position(7, 8, "x")
    kept.job(used(2, "alice", "physics", wall_s=5))
    kept.machine(a_machine("w-1", "there", 1))
    kept.writer.close()
    UsageWriter(tmp_path / "usage.db").close()
    assert short(kept.usage.by_user(EVER, "alice", ())) == {"alice": Sum(2, 9000, 30)}


def test_what_was_kept_before_there_was_another_store_counts_on(tmp_path: Path) -> None:
    before = InSqlite(tmp_path)
    before.job(used(1, "alice", "physics", wall_s=3))
    before.writer.close()
    connection = sqlite3.connect(tmp_path / "usage.db")
    connection.executescript(
        """
        ALTER TABLE attempts DROP COLUMN queued;
        ALTER TABLE attempts DROP COLUMN status;
        PRAGMA user_version = 1;
        """
    )
    connection.close()
    kept = InSqlite(tmp_path)
    assert short(kept.usage.by_user(EVER, "alice", ())) == {"alice": Sum(1, 3000)}
    kept.job(used(1, "alice", "physics", wall_s=3))
    kept.job(used(2, "alice", "physics", wall_s=5))
    assert short(kept.usage.by_user(EVER, "alice", ())) == {"alice": Sum(2, 8000)}


@pytest.mark.parametrize("groups", [(), ("physics",), None])
def test_the_file_is_read_by_an_index_that_has_all_that_is_asked(
    tmp_path: Path, groups: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    UsageWriter(tmp_path / "usage.db").close()
    usage = SqliteUsage(tmp_path / "usage.db", tmp_path / "history")
    plans: list[str] = []
    connect = sqlite3.connect

    def explaining(*arguments: Any, **options: Any) -> sqlite3.Connection:
        class Explaining(sqlite3.Connection):
            def execute(self, text: str, *values: Any) -> sqlite3.Cursor:
                plans.extend(row[3] for row in super().execute(f"EXPLAIN QUERY PLAN {text}", *values))
                return super().execute(text, *values)

        return connect(*arguments, **options, factory=Explaining)

    monkeypatch.setattr(sqlite3, "connect", explaining)
    usage.by_user(EVER, "alice", groups)
    usage.by_group(EVER, groups)
    on_usage = [plan for plan in plans if " attempts" in plan]
    assert on_usage
    assert all("USING COVERING INDEX" in plan for plan in on_usage), plans
    assert groups is None or all(plan.startswith("SEARCH") for plan in on_usage), plans


def test_what_was_booked_is_worth_what_it_was_then(tmp_path: Path) -> None:
    before = InSqlite(tmp_path)
    before.attempt(attempt(1, "w-1", 0, ended=100, wall_s=9))
    before.writer.close()
    kept = InSqlite(tmp_path, Tariff(core=3))
    for _ in range(2):
        kept.attempt(attempt(2, "w-2", 10, ended=200, wall_s=29))
        kept.machine(a_machine("w-1", "there", 1))
        kept.job(last(42, 2, "w-2", ended=200))
    kept.writer.close()
    found = kept.usage.grouped([By(Key.OUTCOME)], EVER, Whose("alice"))
    assert {names: (one.wall_ms, one.units_ms) for names, one in found.items()} == {
        ("again",): (10_000, 10_000),
        ("completed",): (32_000, 96_000),
    }

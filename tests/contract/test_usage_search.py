"""How the accounts come to a search server whatever happens to it, and what is asked of it there."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from etcd_servers import EtcdMember
from real_parts import until
from search_server import Disguise
from searched_usage import InElasticsearch

from prominence.core import classads
from prominence.core.errors import Unavailable
from prominence.core.health import Condition
from prominence.core.jobid import JobId
from prominence.core.logfile import Position
from prominence.core.machines import Size
from prominence.core.settings import load
from prominence.restapi import usage_index
from prominence.restapi.adapters.archive import ArchiveWriter
from prominence.restapi.adapters.elasticsearch import ElasticsearchCopy, connect
from prominence.restapi.adapters.memory_sandboxes import MemorySandboxes
from prominence.restapi.adapters.outbox import Outbox
from prominence.restapi.adapters.usage import UsageWriter
from prominence.restapi.archive.follower import Follower
from prominence.restapi.booking import Machine, Run, Used
from prominence.restapi.copying import Backlog, Copier, Entry, copy_on
from prominence.restapi.health import rules
from prominence.restapi.services import Services
from prominence.restapi.settings import RestApiSettings
from prominence.restapi.usage import By, Key, Period, Sum, UsageRecord, Whose
from prominence.restapi.wiring import services_of

EVER = Period(0, 10**12)
ALL = Whose(groups=None)
MONITORING = Path(__file__).parents[2] / "monitoring"


@pytest.fixture
def searched(tmp_path: Path, search: Disguise) -> Iterator[InElasticsearch]:
    kept = InElasticsearch(tmp_path, search.url)
    yield kept
    kept.close()


def runs(count: int, first: int = 1, chance: random.Random | None = None) -> list[Run]:
    """Attempts of jobs, most of them the last of theirs."""
    chance = chance or random.Random(first)
    names = ["alice", "bob", "", "eve' OR 1=1 --", "ünïcödé ☃", "a=b", "*"]
    return [
        Run(
            job=JobId(number) if chance.random() < 0.8 else JobId.member(number, chance.randrange(5)),
            number=chance.randint(1, 3),
            user=chance.choice(names),
            group=chance.choice(names),
            workflow=chance.choice([None, 17]),
            labels={name: chance.choice(["", "fit", "a=b"]) for name in chance.sample(["App", "Run", "Run1"], 2)},
            worker=f"w-{chance.randrange(4)}",
            started=chance.randrange(10**6, 10**9),
            ended=chance.randrange(10**9, 2 * 10**9),
            memory_mib=chance.randrange(10**5),
            outcome=chance.choice(["completed", "failed"]),
            measured=Used(*(chance.randrange(10**9) for _ in range(3))),
            before=Used(),
            after=Used(*(chance.randrange(10**12) for _ in range(3))) if chance.random() < 0.9 else None,
            queued=10**6,
            status=4,
        )
        for number in range(first, first + count)
    ]


def book(kept: InElasticsearch, *booked: Run) -> None:
    kept.writer.book_usage(booked, "history", Position())


def machine(number: int) -> Machine:
    size = Size(cpus=8, memory_mib=16_000, disk_mib=10**5)
    return Machine(f"w-{number}", f"cloud{number % 2}", "west", "m.8", 0.37 * number, size)


def in_both(kept: InElasticsearch, *by: By, period: Period = EVER, whose: Whose = ALL) -> dict[tuple[str, ...], Sum]:
    """What both stores say, which is the same to the last thousandth."""
    found = kept.in_sqlite.grouped(by, period, whose)
    assert kept.usage.grouped(by, period, whose) == found
    return dict(found)


def a_record(job: int) -> str:
    """In HTCondor's history: a job of carol's has ended."""
    ad = {
        classads.CLUSTER_ID: job,
        classads.JOB_TYPE: '"job"',
        classads.JOB_STATUS: 4,
        classads.IDENTITY: '"carol"',
        classads.FINISHED_AT: 1_700_000_000 + job,
        classads.REMOTE_WALL_CLOCK: 10.5,
        classads.RUNS: 1,
    }
    lines = "".join(f"{name} = {value}\n" for name, value in ad.items())
    return f"{lines}*** Offset = 0 ClusterId = {job} ProcId = 0\n"


def test_both_stores_say_the_same_to_the_last_thousandth(
    searched: InElasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page after page, whatever is in a name, with labels that some attempts have and others have not."""
    monkeypatch.setattr(usage_index, "PAGE", 50)
    monkeypatch.setattr(usage_index, "JOBS_OF_AN_INDEX", 150)
    searched.writer.book_machines([machine(number) for number in range(3)])
    book(searched, *runs(400))
    searched.copier = Copier(searched.outbox, ElasticsearchCopy(searched.client, searched.prefix), at_once=150)
    searched.bring()
    for key in Key:
        if key is not Key.LABEL:
            assert len(in_both(searched, By(key))) > 0
    assert sum(in_both(searched, By(Key.USER), By(Key.GROUP), By(Key.MONTH)).values(), Sum()).attempts > 350
    assert len(in_both(searched, By(Key.LABEL, "RUN"), By(Key.CLOUD))) == 3 * 3, "no label is like an empty one"
    in_both(searched, By(Key.MONTH), By(Key.LABEL, "app"), By(Key.LABEL, "run1"))
    in_both(searched, By(Key.LABEL, "nobodys"))
    in_both(searched, By(Key.DAY), period=Period(1_200_000_000, 1_200_864_000))
    in_both(searched, By(Key.USER), whose=Whose("alice", frozenset({"bob", "*", ""})))
    in_both(searched, whose=Whose("bob"))


def test_a_job_that_ends_again_and_a_worker_that_becomes_known_change_what_is_there(searched: InElasticsearch) -> None:
    [run] = runs(1)
    run = replace(run, number=1, worker="w-1", before=None, after=Used(10_000, 10_000, 5_000))
    book(searched, run)
    searched.bring()
    assert in_both(searched, By(Key.CLOUD))[("",)].wall_ms == 10_000
    book(searched, replace(run, ended=run.ended + 86_400 * 40, after=Used(20_000, 20_000, 5_000)))
    searched.writer.book_machines([machine(1)])
    searched.bring()
    [found] = in_both(searched, By(Key.CLOUD)).values()
    assert (found.jobs, found.attempts, found.wall_ms) == (1, 1, 20_000)
    assert found.cost > 0


def test_what_comes_late_behind_something_newer_is_passed_over(searched: InElasticsearch) -> None:
    [run] = [replace(one, after=Used(1000, 1000, 0)) for one in runs(1)]
    store = ElasticsearchCopy(searched.client, searched.prefix)
    store.prepare()
    newer, older = (Entry(n, UsageRecord(run, Used(1000 * n, 1000 * n, 0))) for n in (2, 1))
    for entry in (newer, older, newer):
        assert list(store.take([entry]).sent) == [entry.number]
    [found] = searched.usage.grouped([By(Key.USER)], EVER, ALL).values()
    assert (found.attempts, found.wall_ms) == (1, 2000)


def test_an_answer_that_is_lost_makes_nothing_double(searched: InElasticsearch, search: Disguise) -> None:
    book(searched, *runs(20))
    search.lost = 3
    for _ in range(3):
        with pytest.raises(Unavailable):
            searched.bring()
    searched.bring()
    in_both(searched, By(Key.USER))


def test_a_server_that_is_too_busy_is_asked_again(searched: InElasticsearch, search: Disguise) -> None:
    book(searched, *runs(3))
    for status in (429, 503, 500, 401):
        search.refused = [status]
        with pytest.raises(Unavailable):
            searched.bring()
    searched.bring()
    in_both(searched, By(Key.USER))


def test_an_attempt_that_is_refused_is_told_of_and_holds_nobody_up(searched: InElasticsearch) -> None:
    too_long = replace(runs(1)[0], labels={"app": "x" * 40_000})
    book(searched, too_long, *runs(5, first=2))
    searched.bring()
    backlog = searched.reading("http://127.0.0.1:1").backlog()
    assert (backlog.waiting, backlog.refused) == (0, 1)
    found = rules.of_copied(backlog, "", datetime.now(UTC))
    assert (found.condition, "refuses 1 attempts" in found.sentence) == (Condition.WARNING, True)
    assert sum(one.attempts for one in searched.usage.grouped([By(Key.USER)], EVER, ALL).values()) == 5
    book(searched, replace(too_long, labels={"app": "short"}))
    searched.bring()
    in_both(searched, By(Key.USER))


def test_a_store_that_has_lost_everything_gets_everything_again(searched: InElasticsearch) -> None:
    book(searched, *runs(10))
    searched.bring()
    searched.client.indices.delete(index=f"{searched.prefix}-usage-*")
    again = Copier(searched.outbox, ElasticsearchCopy(searched.client, searched.prefix))
    while again.step():
        pass
    in_both(searched, By(Key.USER))


def test_accounts_that_were_there_before_the_store_are_brought_too_and_again_to_another(
    tmp_path: Path, searched: InElasticsearch
) -> None:
    searched.writer.close()
    before = UsageWriter(searched.file)
    before.book_usage(runs(10), "history", Position())
    before.close()
    for name in ("one", "one", "two"):
        searched.writer = UsageWriter(searched.file, copied_to=name)
    assert searched.reading("http://127.0.0.1:1").backlog().waiting == 10
    searched.bring()
    in_both(searched, By(Key.USER))


def test_indices_age_by_a_policy_where_the_server_has_such_and_the_operators_stays(
    searched: InElasticsearch, search: Disguise
) -> None:
    path = f"/_ilm/policy/{searched.prefix}-usage"
    search.policies = {}
    try:
        book(searched, *runs(1))
        searched.bring()
        assert search.policies == {path: {"policy": usage_index.POLICY}}
        search.policies[path] = "the operator's"
        Copier(searched.outbox, ElasticsearchCopy(searched.client, searched.prefix)).step()
        assert search.policies[path] == "the operator's"
    finally:
        search.policies = None


class TestAnOutage:
    def test_nothing_is_lost_or_doubled_and_nobody_waits(
        self, tmp_path: Path, searched: InElasticsearch, search: Disguise
    ) -> None:
        """The server is killed, HTCondor's history goes on and is followed to its end, and the server comes back."""
        book(searched, *runs(5))
        stop = threading.Event()
        copying = threading.Thread(target=copy_on, args=(lambda: self._copier(searched, search), stop))
        copying.start()
        history = tmp_path / "history"
        follower = Follower(
            history,
            tmp_path / "events",
            tmp_path / "runs",
            MemorySandboxes(),
            ArchiveWriter(tmp_path / "jobs.db"),
            searched.writer,
        )
        try:
            until(lambda: self._backlog(searched).waiting == 0, 60)
            search.server.kill()
            for first in (1000, 1010):
                with open(history, "a") as file:
                    file.write("".join(a_record(job) for job in range(first, first + 10)))
                while follower.step():
                    pass
                assert searched.writer.position("history").offset == history.stat().st_size, (
                    "it was followed to its end"
                )
            with pytest.raises(Unavailable):
                searched.usage.by_user(EVER, "carol", ())
            assert searched.in_sqlite.by_user(EVER, "carol", ())["carol"].jobs == 20, "budgets see it meanwhile"
            self._finding(searched, Condition.BROKEN, "20 attempts wait for it")
            search.server.start()
            until(lambda: self._backlog(searched).waiting == 0, 120)
        finally:
            stop.set()
            copying.join()
        self._finding(searched, Condition.OK, "It has all that is booked.")
        assert in_both(searched, By(Key.USER))[("carol",)].jobs == 20

    @staticmethod
    def _copier(searched: InElasticsearch, search: Disguise) -> Copier:
        return Copier(Outbox(searched.file), ElasticsearchCopy(connect([search.url]), searched.prefix), at_once=3)

    @staticmethod
    def _backlog(searched: InElasticsearch) -> Backlog:
        return searched.reading("http://127.0.0.1:1").backlog()

    def _finding(self, searched: InElasticsearch, condition: Condition, said: str) -> None:
        trouble, store = "", searched.usage
        assert hasattr(store, "answers")
        try:
            store.answers()
        except Unavailable as error:
            trouble = str(error)
        found = rules.of_copied(self._backlog(searched), trouble, datetime.now(UTC))
        assert found.condition is condition
        assert said in found.sentence


def test_the_processes_as_they_are_set_up_bring_and_find_what_the_history_tells(
    tmp_path: Path, search: Disguise, etcd: EtcdMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive as a process of its own, and the API's services by the same settings."""
    for name in ("api.key", "history", "events", "runs"):
        (tmp_path / name).write_text("a key for tests that is long enough" if name == "api.key" else "")
    (tmp_path / "restapi.toml").write_text(
        f"""
token_key_file = "{tmp_path}/api.key"
sandboxes_dir = "{tmp_path}"
etcd_endpoints = ["{etcd.endpoint}"]
archive = {{ file = "{tmp_path}/jobs.db", history_file = "{tmp_path}/history", events_file = "{tmp_path}/events",
             epochs_file = "{tmp_path}/runs" }}
accounting = {{ store = "elasticsearch", elasticsearch = {{ urls = ["{search.url}"], index = "process" }} }}
""".replace(",\n            ", ",")
    )
    monkeypatch.setenv("PROMINENCE_RESTAPI_CONFIG", str(tmp_path / "restapi.toml"))
    services = services_of(load(RestApiSettings, "restapi"))
    assert services.vitals.copied is not None
    with open(tmp_path / "log", "wb") as log:
        archive = subprocess.Popen([sys.executable, "-m", "prominence.restapi.archive.main"], stdout=log, stderr=log)
    try:
        (tmp_path / "history").write_text("".join(a_record(job) for job in range(1, 4)))
        until(lambda: (tmp_path / "usage.db").exists() and _all_is_there(services, 3), 60, (tmp_path / "log").read_text)
    finally:
        archive.kill()
        archive.wait()
    assert services.usage.by_user(EVER, "carol", ())["carol"].core_ms == 3 * 10_500
    found = rules.of_copied(services.vitals.copied.backlog(), "", datetime.now(UTC))
    assert found.condition is Condition.OK


def _all_is_there(services: Services, jobs: int) -> bool:
    try:
        found = services.usage.by_user(EVER, "carol", ())
    except Unavailable:  # the archive has yet to see to its file, and to the index
        return False
    return "carol" in found and found["carol"].jobs == jobs


class TestKibanasPanels:
    """What each panel asks, asked as Kibana does it."""

    def test_every_panel_of_every_dashboard_has_rows(self, searched: InElasticsearch) -> None:
        searched.writer.book_machines([machine(number) for number in range(4)])
        book(searched, *(replace(run, number=1) for run in runs(60)))
        searched.bring()
        lines = (MONITORING / "kibana.ndjson").read_text().splitlines()
        panels = [one for one in map(json.loads, lines) if one["type"] == "visualization"]
        assert len(panels) > 15
        empty = [one["attributes"]["title"] for one in panels if not self._has_rows(searched, one["attributes"])]
        assert empty == []

    def _has_rows(self, searched: InElasticsearch, panel: dict[str, Any]) -> bool:
        state = json.loads(panel["visState"])
        metrics = [one for one in state["aggs"] if one["schema"] == "metric"]
        asked = self._metrics(metrics)
        for one in reversed([one for one in state["aggs"] if one not in metrics]):
            asked = {**self._metrics(metrics), "deeper": {**self._bucket(one, metrics[0]), "aggs": asked}}
        only = json.loads(panel["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]
        field, _, value = only.partition(": ")
        answer = searched.client.search(
            index=f"{searched.prefix}-usage-*",
            query={"match": {field: value}} if only else {"match_all": {}},
            aggs=asked["deeper"] and {"deeper": asked["deeper"]},
            size=0,
        )
        rows = list(self._leaves(answer["aggregations"]))
        wanted = [one["id"] for one in metrics if one["type"] != "count"]
        return bool(rows) and all(any(self._is_known(row[name]) for row in rows) for name in wanted)

    @staticmethod
    def _metrics(metrics: list[dict[str, Any]]) -> dict[str, Any]:
        """A count comes by itself."""
        told = {one["id"]: dict(one["params"]) for one in metrics if one["type"] != "count"}
        for params in told.values():
            del params["customLabel"]
        return {one["id"]: {one["type"]: told[one["id"]]} for one in metrics if one["id"] in told}

    @staticmethod
    def _bucket(one: dict[str, Any], first: dict[str, Any]) -> dict[str, Any]:
        params = one["params"]
        if one["type"] == "terms":
            order = {"_count" if first["type"] == "count" else params["orderBy"]: params["order"]}
            return {"terms": {"field": params["field"], "size": params["size"], "order": order}}
        step = {"fixed_interval": "30d"} if params["interval"] == "auto" else {"interval": params["interval"]}
        return {one["type"]: {"field": params["field"], "min_doc_count": params["min_doc_count"], **step}}

    def _leaves(self, found: Any) -> Iterator[Any]:
        for bucket in found["deeper"]["buckets"]:
            yield from self._leaves(bucket) if "deeper" in bucket else [bucket]

    @staticmethod
    def _is_known(figure: dict[str, Any]) -> bool:
        return all(value is not None for value in figure.get("values", {"": figure.get("value")}).values())

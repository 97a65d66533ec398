"""One round of the process: who acts, what is published when, and what a failure leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from builders import a_size
from builders_scaler import POLICY, a_pretend_pool

from prominence.core import tracing
from prominence.core.errors import Conflict, Unavailable
from prominence.core.keyvalue.election import Election
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.machines import WorkerRequest
from prominence.core.published import SNAPSHOT_KEY, read_plan, unpacked
from prominence.core.reasons import Reason
from prominence.core.scaling import LEADER_KEY, Act, ScalingPlan
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler.adapters.memory import PretendPool, ToldMeter
from prominence.scaler.board import Board
from prominence.scaler.history import PlanHistory
from prominence.scaler.policy import Policy
from prominence.scaler.round import Rounds, World

TTL_S = 15


class Shop:
    """A store on a clock of its own, a pool, and scalers that share both."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.store = MemoryKeyValue(clock=lambda: self.seconds)
        self.pool = a_pretend_pool()
        self.meter = ToldMeter()
        self.stopping = False

    def scaler(
        self, me: str, file: Path | None = None, pool: PretendPool | None = None, policy: Policy = POLICY
    ) -> Rounds:
        pool = pool or self.pool
        return Rounds(
            World(pool, pool, clock=lambda: self.pool.now, meter=self.meter),
            policy,
            Election(self.store, LEADER_KEY, me, TTL_S),
            Board(self.store),
            PlanHistory(file) if file else None,
            is_stopping=lambda: self.stopping,
        )

    def plan(self) -> ScalingPlan:
        plan = read_plan(self.store)
        assert plan is not None
        return plan

    def snapshot(self) -> PoolSnapshot:
        entry = self.store.get(SNAPSHOT_KEY)
        assert entry is not None
        return unpacked(PoolSnapshot, entry.value)

    def after_asking(self, happens: Callable[[], None]) -> PretendPool:
        """The same pool, in which something happens after the clouds were asked for: the end of the look."""
        shop = self

        class Eventful(PretendPool):
            def clouds(self) -> list[object]:  # type: ignore[override]
                found = list(shop.pool.clouds())
                happens()
                return found

        return Eventful(offered=shop.pool.offered, now=shop.pool.now, jobs=shop.pool.jobs, records=shop.pool.records)


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_a_waiting_job_becomes_a_published_plan_and_a_worker(shop: Shop) -> None:
    shop.pool.submit(a_size(), "alice")
    plan = shop.scaler("one").run()
    assert plan == shop.plan()
    assert [demand.user for demand in shop.snapshot().demand or ()] == ["alice"]
    (action,) = shop.plan().actions
    (worker,) = shop.pool.records.values()
    assert worker.name == action.worker
    leader = shop.store.get(LEADER_KEY)
    assert leader is not None and worker.request.fence == leader.revision


def test_names_of_workers_are_never_used_twice(shop: Shop) -> None:
    scaler = shop.scaler("one")
    for _ in range(3):
        shop.pool.submit(a_size(4, 4000), "alice", jobs=2)
        scaler.run()
    assert len(shop.pool.records) == 6
    shop.pool.submit(a_size(4, 4000), "alice")
    shop.pool.records.clear()  # even when nobody remembers them
    seen = {action.worker for action in shop.plan().actions}
    scaler.run()
    assert not seen & set(shop.pool.records)


def test_a_job_waits_no_longer_to_save_money_when_another_scaler_leads(shop: Shop) -> None:
    policy = POLICY.model_copy(update={"patience_s": 60})
    shop.pool.submit(a_size(), "alice")
    first = shop.scaler("one", policy=policy)
    first.run()
    assert [one.reason for one in shop.plan().explanations] == [Reason.PATIENCE]
    shop.pool.advance(timedelta(seconds=40))
    first.run()
    assert shop.pool.records == {}
    shop.seconds += TTL_S + 1
    shop.pool.advance(timedelta(seconds=30))
    shop.scaler("two", policy=policy).run()
    assert len(shop.pool.records) == 1


def test_the_plan_is_published_before_anything_is_done(shop: Shop) -> None:
    shop.pool.submit(a_size(), "alice")
    shop.pool.unavailable["request"] = "imc fell over"
    shop.scaler("one").run()
    assert [action.act for action in shop.plan().actions] == [Act.CREATE]
    assert shop.pool.records == {}


def test_a_second_scaler_does_nothing_while_the_first_leads(shop: Shop) -> None:
    first, second = shop.scaler("one"), shop.scaler("two")
    first.run()
    shop.pool.submit(a_size(), "alice")
    assert second.run() is None
    assert shop.pool.records == {}


def test_another_scaler_takes_over_within_a_lease_and_knows_who_is_idle(shop: Shop) -> None:
    first, second = shop.scaler("one"), shop.scaler("two")
    shop.pool.submit(a_size(), "alice", runs_for=timedelta(seconds=1))
    first.run()
    for _ in range(3):
        shop.pool.advance(timedelta(seconds=30))
        first.run()
    before = shop.snapshot().execute_points
    assert before and before[0].idle_since
    shop.seconds += TTL_S + 1
    shop.pool.advance(timedelta(seconds=30))
    assert second.run() is not None
    after = shop.snapshot().execute_points
    assert after and after[0].idle_since == before[0].idle_since


def test_whoever_leads_knows_since_when_jobs_wait_so_by_the_last_leader(shop: Shop) -> None:
    full = POLICY.model_copy(update={"max_workers": 0})
    first, second = shop.scaler("one", policy=full), shop.scaler("two", policy=full)

    def since(scaler: Rounds) -> list[datetime | None]:
        """Half a minute later, by this one."""
        shop.seconds += TTL_S + 1
        shop.pool.advance(timedelta(seconds=30))
        plan = scaler.run()
        return [one.since for one in plan.explanations] if plan else []

    shop.pool.submit(a_size(), "alice")
    began = shop.pool.now + timedelta(seconds=30)
    assert since(first) == since(second) == [began]
    gone = shop.pool.jobs.copy()
    shop.pool.jobs.clear()
    assert since(second) == []
    shop.pool.jobs.extend(gone)
    assert since(first) == [shop.pool.now], "they have not waited all the time since it led last"


def test_a_leader_that_lost_its_lease_while_it_looked_does_nothing(shop: Shop) -> None:
    shop.pool.submit(a_size(), "alice")
    shop.scaler("one", pool=shop.after_asking(lambda: setattr(shop, "seconds", TTL_S + 1))).run()
    assert shop.pool.records == {}


def test_a_leader_that_was_replaced_while_it_looked_neither_publishes_nor_acts(shop: Shop) -> None:
    second = shop.scaler("two")

    def replaced() -> None:
        shop.seconds += TTL_S + 1
        second.run()

    shop.pool.submit(a_size(), "alice")
    with pytest.raises(Conflict):
        shop.scaler("one", pool=shop.after_asking(replaced)).run()
    (worker,) = shop.pool.records.values()
    assert [action.worker for action in shop.plan().actions] == [worker.name], "the second one's, and only that"


def test_a_store_that_does_not_answer_ends_the_round_before_anything_is_done(shop: Shop) -> None:
    scaler = shop.scaler("one")
    shop.pool.submit(a_size(), "alice")
    shop.store.unavailable = "etcd is away"
    with pytest.raises(Unavailable):
        scaler.run()
    assert shop.pool.records == {}
    shop.store.unavailable = ""
    assert scaler.run() is not None
    assert len(shop.pool.records) == 1


def test_a_store_that_falls_silent_while_it_is_written_ends_the_round(shop: Shop) -> None:
    shop.pool.submit(a_size(), "alice")
    silent = shop.scaler("one", pool=shop.after_asking(lambda: setattr(shop.store, "unavailable", "etcd is away")))
    with pytest.raises(Unavailable):
        silent.run()
    assert shop.pool.records == {}


def test_a_scaler_that_is_told_to_stop_leaves_the_rest_to_the_next(shop: Shop) -> None:
    shop.pool.submit(a_size(), "alice")
    shop.stopping = True
    shop.scaler("one").run()
    assert shop.pool.records == {}


def test_a_round_in_which_the_collector_is_silent_does_not_forget_who_is_idle(shop: Shop) -> None:
    scaler = shop.scaler("one")
    shop.pool.submit(a_size(), "alice", runs_for=timedelta(seconds=1))
    for _ in range(4):
        scaler.run()
        shop.pool.advance(timedelta(seconds=30))
    scaler.run()
    before = shop.snapshot().execute_points
    shop.pool.unavailable["execute_points"] = "the collector is away"
    scaler.run()
    assert shop.snapshot().execute_points is None
    shop.pool.unavailable.clear()
    shop.pool.advance(timedelta(seconds=30))
    scaler.run()
    after = shop.snapshot().execute_points
    assert before and after and before[0].idle_since and after[0].idle_since == before[0].idle_since


def test_plans_are_kept_with_the_fence_of_their_leader(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "plans.jsonl"
    scaler = shop.scaler("one", file)
    shop.pool.submit(a_size(), "alice")
    for _ in range(5):
        scaler.run()
    first, second = [json.loads(line) for line in file.read_text().splitlines()]
    leader = shop.store.get(LEADER_KEY)
    assert leader and first["fence"] == leader.revision
    assert [action["act"] for action in first["actions"]] == ["create"]
    assert second["actions"] == [], "the same again is no news"


def test_a_full_disk_does_not_keep_the_scaler_from_its_work(shop: Shop, tmp_path: Path) -> None:
    shop.pool.submit(a_size(), "alice")
    shop.scaler("one", tmp_path / "no such folder" / "plans.jsonl").run()
    assert len(shop.pool.records) == 1


def test_a_snapshot_of_another_version_is_no_memory_and_no_obstacle(shop: Shop) -> None:
    shop.store.put_if(SNAPSHOT_KEY, b'{"taken_at": "a while ago"}', None)
    assert shop.scaler("one").run() is not None
    assert shop.snapshot().workers == ()


def test_every_request_carries_the_fence_of_the_leader(shop: Shop) -> None:
    fences: list[int] = []
    request = shop.pool.request

    def noted(name: str, wanted: WorkerRequest) -> None:
        fences.append(wanted.fence)
        request(name, wanted)

    shop.pool.request = noted  # type: ignore[method-assign]
    shop.pool.submit(a_size(4, 4000), "alice", jobs=2)
    shop.scaler("one").run()
    shop.seconds += TTL_S + 1
    shop.pool.submit(a_size(4, 4000), "alice", jobs=1)
    shop.scaler("two").run()
    assert len(fences) == 3 and fences[0] == fences[1] < fences[2]


def test_all_that_one_round_asks_for_has_its_id_and_each_round_another(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, ask = [], shop.pool.request

    def request(name: str, request: WorkerRequest) -> None:
        ids.append(tracing.current())
        ask(name, request)

    monkeypatch.setattr(shop.pool, "request", request)
    scaler, plans = shop.scaler("one"), []
    for _ in range(2):
        shop.pool.submit(a_size(4, 4000), "alice", jobs=2)
        plans.append(scaler.run())
    told = [plan.request for plan in plans if plan is not None]
    assert ids == [told[0]] * 2 + [told[1]] * 2
    assert len({*told, ""}) == 3
    assert tracing.current() == ""

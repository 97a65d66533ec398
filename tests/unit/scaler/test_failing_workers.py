"""Workers that fail what they are given: noticed by HTCondor's events, drained and replaced, and never used again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from builders import NOON, a_demand, a_snapshot, minutes
from builders_scaler import a_known_worker, a_point, a_pretend_pool, acts, plan_for
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.machines import Wish, WorkerPhase
from prominence.core.scaling import Act
from prominence.scaler.adapters.events import EventLog
from prominence.scaler.before import Before
from prominence.scaler.observe import observe
from prominence.scaler.policy import Policy
from prominence.scaler.trials import Trials

CREATE, DRAIN, DELETE = Act.CREATE, Act.DRAIN, Act.DELETE

Event = dict[str, Any]


def an_event(kind: str, job: int = 7, **more: Any) -> Event:
    return {"MyType": kind, "Cluster": job, "Proc": 0, **more}


def starts(job: int, worker: str = "w-1") -> Event:
    return an_event("ExecuteEvent", job, SlotName=f"slot1_2@{worker}")


def handed_back(job: int) -> Event:
    return an_event("JobEvictedEvent", job, TerminatedAndRequeued=True, TerminatedNormally=False)


def ended(job: int) -> Event:
    return an_event("JobTerminatedEvent", job, ReturnValue=1)


def failures(*events: Event) -> dict[str, int]:
    trials = Trials()
    for event in events:
        trials.see(event)
    return dict(trials.failures())


BY_THE_WORKER = [
    an_event("JobEvictedEvent", TerminatedAndRequeued=True, TerminatedNormally=False),
    an_event("JobHeldEvent", HoldReasonCode=6),
]
NOT_BY_THE_WORKER = [
    an_event("JobEvictedEvent", TerminatedAndRequeued=False),
    an_event("JobHeldEvent", HoldReasonCode=1),
    an_event("JobHeldEvent", HoldReasonCode=34),
    an_event("JobHeldEvent", HoldReasonCode=12),
    an_event("JobHeldEvent", HoldReasonCode=13),
    an_event("ShadowExceptionEvent"),
    an_event("JobAbortedEvent"),
    an_event("JobReconnectFailedEvent"),
]


@pytest.mark.parametrize("end", BY_THE_WORKER)
def test_jobs_that_a_worker_fails_are_counted(end: Event) -> None:
    events = [event for job in (7, 8) for event in (starts(job), {**end, "Cluster": job})]
    assert failures(*events) == {"w-1": 2}


@pytest.mark.parametrize("end", NOT_BY_THE_WORKER)
def test_what_people_and_policies_do_says_nothing_of_the_worker(end: Event) -> None:
    assert failures(starts(8), handed_back(8), starts(7), end) == {"w-1": 1}


def test_a_job_that_its_user_wants_tried_again_has_ended_by_itself() -> None:
    again = an_event("JobEvictedEvent", 8, TerminatedAndRequeued=True, TerminatedNormally=True, ReturnValue=3)
    assert failures(starts(7), handed_back(7), starts(8), again) == {"w-1": 0}


def test_one_job_counts_once_however_often_it_comes_back() -> None:
    assert failures(*[starts(7), handed_back(7)] * 5) == {"w-1": 1}


def test_a_job_that_ends_by_itself_clears_its_worker_even_if_it_failed() -> None:
    assert failures(starts(7), handed_back(7), starts(8), ended(8)) == {"w-1": 0}
    assert failures(starts(7), handed_back(7), starts(8, "w-2"), ended(8)) == {"w-1": 1, "w-2": 0}


_ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=3)
_JOBS = st.integers(1, 4)
_EVENTS = st.one_of(
    st.builds(starts, _JOBS, st.sampled_from(["w-1", "w-2"])),
    st.builds(handed_back, _JOBS),
    st.builds(ended, _JOBS),
    st.builds(lambda event, job: {**event, "Cluster": job}, st.sampled_from(BY_THE_WORKER + NOT_BY_THE_WORKER), _JOBS),
    st.dictionaries(st.sampled_from(["MyType", "Cluster", "Proc", "SlotName", "HoldReasonCode"]), _ANY),
)


@given(events=st.lists(_EVENTS, max_size=40))
def test_whatever_comes_no_more_jobs_have_failed_than_have_started(events: list[Event]) -> None:
    found = failures(*events)
    started = [str(event["SlotName"]).rpartition("@")[2] for event in events if event.get("MyType") == "ExecuteEvent"
               and "SlotName" in event]  # fmt: skip
    assert all(0 <= count <= started.count(worker) for worker, count in found.items())


@given(text=st.binary(max_size=200))
def test_a_broken_log_is_read_on_from_the_next_event(tmp_path_factory: pytest.TempPathFactory, text: bytes) -> None:
    file = tmp_path_factory.mktemp("events") / "jobs"
    log = EventLog(file)
    whole = "".join(json.dumps(event, indent=2) + "\n" for event in (starts(7), handed_back(7)))
    file.write_bytes(text.replace(b"\n}\n", b"") + b"\n}\n" + whole.encode())
    log.heard()
    assert log.failures() == {"w-1": 1}


FAILING = {"workers": (a_known_worker(),), "demand": (a_demand(jobs=1),)}


def test_a_worker_that_has_failed_three_jobs_is_drained_and_replaced_though_it_is_claimed() -> None:
    plan = plan_for(**FAILING, execute_points=(a_point(busy_cpus=1, failed_jobs=3),))
    assert acts(plan) == [(CREATE, "new-1"), (DRAIN, "w-1")]
    assert plan.actions[1].reason == "it has failed 3 jobs in a row"


@pytest.mark.parametrize(("policy", "failed"), [(Policy(), 2), (Policy(failed_jobs_max=0), 99)])
def test_fewer_may_be_chance_and_a_policy_may_allow_all(policy: Policy, failed: int) -> None:
    assert acts(plan_for(policy, **FAILING, execute_points=(a_point(failed_jobs=failed),))) == []


def test_an_idle_one_is_drained_once_whatever_else_would_have_it_go() -> None:
    point = a_point(failed_jobs=3, idle_since=NOON)
    later = NOON + minutes(30)
    plan = plan_for(now=later, workers=(a_known_worker(),), demand=(), execute_points=(point,))
    assert acts(plan) == [(DRAIN, "w-1")]


def test_it_is_not_called_back_and_goes_when_it_runs_nothing() -> None:
    worker = a_known_worker(phase=WorkerPhase.DRAINED, wish=Wish.DRAINED)
    point = a_point(failed_jobs=3, draining=True)
    plan = plan_for(workers=(worker,), demand=(a_demand(jobs=1),), execute_points=(point,))
    assert acts(plan) == [(CREATE, "new-1"), (DELETE, "w-1")]


def test_a_machine_of_somebodys_own_is_left_alone() -> None:
    point = a_point("own", failed_jobs=9)
    assert acts(plan_for(demand=(a_demand(jobs=1),), workers=(), execute_points=(point,))) == []


def test_what_has_been_noticed_is_known_to_the_next_leader_until_it_hears_otherwise() -> None:
    pool = a_pretend_pool()
    pool.request("w-1", a_known_worker().request.model_copy(update={"fence": 1}))
    pool.advance(timedelta(0))
    pool.advance(pool.boot_time)
    before = a_snapshot(execute_points=(a_point("w-1", failed_jobs=2),))

    def failed(told: dict[str, int]) -> int:
        points = observe(pool, pool, Before(before, pool.now, minutes(2), told)).execute_points
        assert points is not None
        return points[0].failed_jobs

    assert failed({}) == 2
    assert failed({"w-1": 0}) == 0
    assert failed({"w-1": 3, "w-2": 1}) == 3

"""Arithmetic of room, and the documents of scaler and imc."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from builders import NOON, a_cloud, a_demand, a_flavour, a_request, a_size, a_snapshot, a_worker, an_execute_point
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from prominence.core.bootstrap import WorkerBootstrap
from prominence.core.errors import Rejected
from prominence.core.machines import Size, Worker, WorkerPhase
from prominence.core.reasons import Reason
from prominence.core.scaling import Act, Action, Explanation, ScalingPlan
from prominence.core.validation import parse

AMOUNT = st.integers(0, 2**31 - 1)
SIZES = st.builds(Size, cpus=AMOUNT, memory_mib=AMOUNT, disk_mib=AMOUNT)

BOOTSTRAP = WorkerBootstrap(
    name="worker-1",
    pool="demo",
    collector="ap",
    trust_domain="prominence",
    token=SecretStr("very secret"),
    flavour=a_flavour(),
    execute_dir="/execute",
)
PLAN = ScalingPlan(
    made_at=NOON,
    actions=(Action(act=Act.CREATE, worker="worker-1", reason="2 jobs are waiting", size=a_size()),),
    explanations=(Explanation(size=a_size(), user="alice", jobs=2, reason=Reason.QUEUED),),
    notes=("the collector has just started",),
)


@given(SIZES, SIZES)
def test_a_part_fits_the_whole(part: Size, rest: Size) -> None:
    assert part.fits(part + rest)


@given(SIZES, SIZES)
def test_what_was_added_can_be_taken_away(one: Size, other: Size) -> None:
    assert (one + other) - other == one


@given(SIZES, SIZES)
def test_what_is_left_is_never_less_than_nothing(have: Size, taken: Size) -> None:
    left = have - taken
    assert a_size(0, 0, 0).fits(left)
    assert left.fits(have)
    if taken.fits(have):
        assert left + taken == have


@given(SIZES, SIZES)
def test_only_equal_sizes_fit_each_other(one: Size, other: Size) -> None:
    assert one.fits(one)
    assert (one.fits(other) and other.fits(one)) == (one == other)


@pytest.mark.parametrize("size", [a_size(cpus=3), a_size(memory_mib=2001), a_size(disk_mib=3001)])
def test_too_much_of_one_thing_does_not_fit(size: Size) -> None:
    assert not size.fits(a_size(cpus=2, memory_mib=2000, disk_mib=3000))


def test_a_worker_enters_a_phase_with_time_and_reason_and_stays_what_it_was() -> None:
    worker = a_worker()
    later = worker.in_phase(WorkerPhase.FAILED, NOON + timedelta(minutes=15), "it never joined")
    assert (later.phase, later.reason) == (WorkerPhase.FAILED, "it never joined")
    assert later.phase_since - worker.phase_since == timedelta(minutes=15)
    assert later.model_copy(update={"phase": worker.phase, "phase_since": NOON, "reason": ""}) == worker


def test_only_deleted_and_failed_workers_are_over() -> None:
    assert {phase for phase in WorkerPhase if phase.is_over} == {WorkerPhase.DELETED, WorkerPhase.FAILED}


@pytest.mark.parametrize("name", ["", "a", "Worker", "1a", "a-", "a_b", "a.b", "../a", "a" * 64, "a\n"])
def test_what_cannot_be_a_host_name_is_no_name_of_a_worker(name: str) -> None:
    with pytest.raises(Rejected, match="name: must match"):
        parse(Worker, {**a_worker().model_dump(), "name": name})


@pytest.mark.parametrize("name", ["ab", "worker-1", "a" * 63])
def test_host_names_are_names_of_workers(name: str) -> None:
    assert a_worker(name=name).name == name


@pytest.mark.parametrize(
    "document",
    [
        a_size(),
        a_flavour(price=0.25),
        a_cloud(error="quota", retry_at=NOON),
        a_request(),
        a_worker(flavour=a_flavour(), phase=WorkerPhase.LAUNCHED),
        a_demand(group="physics"),
        an_execute_point(idle_since=None),
        a_snapshot(demand=(a_demand(),), execute_points=(an_execute_point(),), workers=(a_worker(),)),
        a_snapshot(demand=None, unknown={"demand": "the queue did not answer"}),
        PLAN,
    ],
    ids=lambda document: type(document).__name__,
)
def test_documents_arrive_as_they_were_sent(document: BaseModel) -> None:
    data = json.loads(document.model_dump_json())
    assert parse(type(document), data) == document
    assert parse(type(document), {**data, "from_a_newer_version": 1}) == document


def test_nothing_is_not_unknown() -> None:
    unseen = parse(type(a_snapshot()), json.loads(a_snapshot(workers=None).model_dump_json()))
    assert unseen.workers is None
    assert a_snapshot().workers == ()


def test_a_worker_token_is_not_shown() -> None:
    assert "very secret" not in repr(BOOTSTRAP) + str(BOOTSTRAP) + BOOTSTRAP.model_dump_json()


def test_an_explanation_has_a_sentence() -> None:
    assert PLAN.explanations[0].sentence() == "The job is queued; the scaler has not looked at it yet."

"""Why a job is where it is: whatever its state, its owner gets a sentence, and nobody else's name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from builders import NOON, a_size, minutes
from builders_restapi import Api, a_report, an_api, an_explanation
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.errors import Unavailable
from prominence.core.keyvalue.memory import MemoryKeyValue
from prominence.core.published import PLAN_KEY, packed_plan
from prominence.core.reasons import MEANINGS, Reason
from prominence.core.report import Outcome
from prominence.core.scaling import Inputs, Part, ScalingPlan, Start
from prominence.core.states import JobStatus
from prominence.restapi.explaining import start_shown

AT_NOON = int(NOON.timestamp())
OF_WAITING = (
    Reason.QUEUED,
    Reason.MATCHING,
    Reason.WORKER_REQUESTED,
    Reason.WORKER_BOOTING,
    Reason.PATIENCE,
    Reason.POOL_UNKNOWN,
    Reason.POOL_LIMIT,
    Reason.CLOUD_LIMIT,
    Reason.BACK_OFF,
    Reason.NO_CAPACITY,
    Reason.NO_FLAVOUR_FITS,
    Reason.NO_SUCH_PLACE,
)


@pytest.fixture
def api() -> Api:
    return an_api()


def why(api: Api, job: int | str) -> dict[str, Any]:
    found = api.get(f"/jobs/{job}/explain")
    assert isinstance(found, dict)
    return found


def test_a_job_that_waits_is_told_which_gate_holds_it_its_place_and_its_start(api: Api) -> None:
    first, second = api.submit(), api.submit()
    booting = Start(basis="small took 5 s to 9 s to start, 3 times", soonest_s=5, latest_s=29, since=NOON)
    api.explain(
        an_explanation(Reason.WORKER_BOOTING, details={"worker": "w-1", "flavour": "small"}, start=booting),
        an_explanation(Reason.POOL_LIMIT, details={"limit": "1", "used": "1"}),
        an_explanation(Reason.NO_FLAVOUR_FITS, user="bob", group="", jobs=7, details={"detail": "it is too large"}),
    )
    assert why(api, first) == {
        "id": first,
        "status": "deploying",
        "explanation": "Worker w-1 (small) is starting for it.",
        "reasonCode": "WorkerBooting",
        "blame": "nobody",
        "details": {"worker": "w-1", "flavour": "small"},
        "position": {"place": 1, "of": 2, "waiting": 9},
        "start": {"earliest": AT_NOON + 5, "latest": AT_NOON + 29, "basis": "small took 5 s to 9 s to start, 3 times"},
        "asOf": AT_NOON,
    }
    held_up = why(api, second)
    assert (held_up["reasonCode"], held_up["blame"], held_up["position"]["place"]) == (
        "PoolLimitReached",
        "platform",
        2,
    )
    assert held_up["explanation"] == "The pool has 1 of 1 workers that it may have; the job waits for room."


def test_the_advice_is_told_apart_from_the_sentence(api: Api) -> None:
    job = api.submit()
    api.explain(an_explanation(Reason.NO_FLAVOUR_FITS, details={"detail": "the nearest is small"}))
    told = why(api, job)
    assert told["explanation"] == "No worker of this pool can ever run it: the nearest is small."
    assert told["advice"] == "Ask for less, or ask the operator for a flavour that has it."
    assert told["start"] == {"basis": "not before the job or the pool is changed"}


def test_a_job_that_the_scaler_has_not_seen_yet_is_told_so(api: Api) -> None:
    api.explain()
    told = why(api, api.submit())
    assert (told["status"], told["reasonCode"], told["position"]) == (
        "idle",
        "Queued",
        {"place": 1, "of": 1, "waiting": 0},
    )


def test_a_silent_scaler_is_told_and_since_when(api: Api) -> None:
    job = api.submit()
    assert why(api, job)["explanation"] == "Nothing is known of what the scaler intends: it has not made a plan yet."
    api.explain(an_explanation(), made_at=NOON - minutes(7))
    told = why(api, job)
    assert (told["reasonCode"], told["blame"]) == ("ScalerSilent", "platform")
    assert told["explanation"].endswith("it made its last plan 7 min ago.")
    assert set(told["start"]) == {"basis"}


def test_a_plan_that_cannot_be_read_is_told(api: Api) -> None:
    class Away(MemoryKeyValue):
        def get(self, key: str) -> Any:
            if key == PLAN_KEY:
                raise Unavailable("etcd does not answer")
            return super().get(key)

    away = an_api(store=Away())
    assert "cannot be read at the moment" in why(away, away.submit())["explanation"]
    api.store.put_if(PLAN_KEY, b"of another version", None)
    assert "another version" in why(api, api.submit())["explanation"]


def test_a_job_that_runs_is_told_where_and_since_when(api: Api) -> None:
    job = api.submit()
    api.run(job)
    assert why(api, job) == {
        "id": job,
        "status": "running",
        "explanation": "It runs on worker w-1 since 2026-06-01 12:01:00 UTC.",
        "asOf": AT_NOON + 60,
    }


def test_a_job_that_has_completed_or_failed_is_told_so(api: Api) -> None:
    good, bad = api.submit(), api.submit()
    api.run(good)
    api.finish(good, a_report())
    assert why(api, good)["explanation"] == "It has completed on worker w-1 at 2026-06-01 12:02:00 UTC."
    api.run(bad)
    api.finish(bad, a_report(Outcome.OUT_OF_TIME, details={"used": "61 min", "limit": "60 min"}))
    told = why(api, bad)
    assert (told["status"], told["reasonCode"], told["blame"]) == ("killed", "WalltimeExceeded", "user")
    assert told["advice"] == "Ask for a longer resources.walltime."


def test_a_job_on_hold_and_one_that_was_deleted_are_told_so(api: Api) -> None:
    job = api.submit()
    assert api.call("PUT", f"/jobs/{job}/hold").status_code == 200
    told = why(api, job)
    assert (told["reasonCode"], told["start"]) == ("HeldByUser", {"basis": "not before the job is released"})
    assert api.call("DELETE", f"/jobs/{job}").status_code == 200
    assert why(api, job)["reasonCode"] == "DeletedByUser"


def test_a_member_of_an_array_has_a_place_among_the_others(api: Api) -> None:
    array = api.submit_array(3)
    api.explain(an_explanation(Reason.POOL_LIMIT, jobs=3, details={"limit": "0", "used": "0"}))
    told = why(api, f"{array}.1")
    assert (told["id"], told["position"]) == (f"{array}.1", {"place": 2, "of": 3, "waiting": 3})


def test_nobody_is_told_of_anybody_elses_job(api: Api) -> None:
    job = api.submit()
    assert [api.as_user("bob").call("GET", f"/jobs/{one}/explain").status_code for one in (job, 99)] == [404, 404]
    assert api.call("GET", "/jobs/x/explain").status_code == 400


def test_a_job_of_a_higher_priority_comes_first(api: Api) -> None:
    jobs = [api.submit() for _ in range(3)]
    api.queue.change(jobs[2], JobStatus.IDLE, **{classads.PRIORITY: 5})
    api.explain(an_explanation(Reason.WORKER_BOOTING), an_explanation(Reason.POOL_LIMIT, jobs=2))
    assert [why(api, job)["position"]["place"] for job in jobs] == [2, 3, 1]
    assert why(api, jobs[2])["reasonCode"] == "WorkerBooting"


def test_a_job_that_is_not_matched_for_long_is_told_that_there_has_been_room(api: Api) -> None:
    job = api.submit()
    soon = Start(basis="HTCondor matches jobs every few seconds", soonest_s=0, latest_s=20)
    api.clock.advance(100)
    api.explain(an_explanation(Reason.MATCHING, start=soon, since=NOON))
    assert why(api, job)["start"] == {"earliest": AT_NOON + 100, "latest": AT_NOON + 120, "basis": soon.basis}
    api.clock.advance(30)
    assert why(api, job)["start"] == {
        "basis": "HTCondor has not matched it for 2 min: others are served first, or no worker takes it"
    }
    assert set(why(api, api.submit())["start"]) == {"earliest", "latest", "basis"}, "one that has just come has time"


def test_what_the_scaler_could_not_see_is_told_with_when_it_last_could(api: Api) -> None:
    job = api.submit()
    parts = {
        "demand": Part(read_at=NOON),
        "execute_points": Part(read_at=NOON - minutes(3), trouble="10.0.0.1 is away"),
        "clouds": Part(trouble="imc is away"),
    }
    explanation = an_explanation(Reason.POOL_UNKNOWN, details={"detail": "clouds unknown"})
    inputs = Inputs(snapshot="a", policy="b", max_workers=9, parts=parts)
    plan = ScalingPlan(made_at=NOON, explanations=(explanation,), inputs=inputs)
    api.store.put_if(PLAN_KEY, packed_plan(plan), None)
    told = why(api, job)
    assert told["reasonCode"] == "PoolUnknown"
    assert told["unseen"] == [{"part": "collector", "readAt": AT_NOON - 180}, {"part": "clouds"}]


seconds = st.none() | st.integers(0, 4000)


@given(soonest=seconds, longer=seconds, since=st.none() | st.integers(0, 9000), text=st.text(max_size=20))
def test_a_start_lies_in_the_future_or_is_unknown(
    soonest: int | None, longer: int | None, since: int | None, text: str
) -> None:
    latest = None if longer is None else (soonest or 0) + longer
    began = None if since is None else NOON - timedelta(seconds=since)
    told = start_shown(Start(basis=text, soonest_s=soonest, latest_s=latest, since=began), NOON)
    assert text in told["basis"]
    assert told.get("earliest", AT_NOON) >= AT_NOON
    assert told.get("latest", AT_NOON) >= AT_NOON
    if {"earliest", "latest"} <= told.keys():
        assert told["earliest"] <= told["latest"]


@given(
    reasons=st.lists(
        st.tuples(st.sampled_from(OF_WAITING), st.integers(1, 3)), max_size=4, unique_by=lambda one: one[0]
    ),
    others=st.integers(0, 20),
    jobs=st.integers(1, 6),
)
def test_every_job_that_waits_has_one_explanation_and_no_name_of_others(
    reasons: list[tuple[Reason, int]], others: int, jobs: int
) -> None:
    api = an_api()
    ids = [api.submit() for _ in range(jobs)]
    mine = [an_explanation(reason, jobs=count) for reason, count in reasons]
    theirs = [an_explanation(user="m4llory", group="s3cret", size=a_size(2), jobs=others)] if others else []
    api.explain(*mine, *theirs)
    told = [why(api, job) for job in ids]
    assert sorted(one["position"]["place"] for one in told) == list(range(1, jobs + 1))
    for one in told:
        assert one["explanation"] and MEANINGS[Reason(one["reasonCode"])].blame.value == one["blame"]
        assert one["position"]["waiting"] == sum(count for _, count in reasons) + others
        assert "m4llory" not in str(one) and "s3cret" not in str(one)
    expected = [reason.value for reason, count in reasons for _ in range(count)]
    expected += [expected[-1] if expected else "Queued"] * jobs
    assert [one["reasonCode"] for one in told] == expected[:jobs]

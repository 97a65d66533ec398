"""What is left of a budget, and which jobs it leaves room for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.errors import Rejected
from prominence.core.jobid import JobId
from prominence.core.states import HELD_BY_USER, HELD_FOR_BUDGET, TOO_MANY_ATTEMPTS, HoldCode, JobStatus
from prominence.core.validation import parse
from prominence.core.view import JobAd
from prominence.restapi.accounting_settings import AccountingSettings, BudgetSettings
from prominence.restapi.budgets.rules import (
    ALERTS,
    UNIT_MS,
    Action,
    Budget,
    Decision,
    Reckoning,
    Reservation,
    Standing,
    State,
    decide,
    in_force,
    reservations,
    reserved_ms,
)
from prominence.restapi.settings import RestApiSettings
from prominence.restapi.usage import DEFAULT_TARIFF, Period

MAY = Period.of_days(date(2026, 5, 1), date(2026, 5, 31))
BUDGET = Budget("physics", UNIT_MS, MAY, Action.HOLD)

figures = st.integers(0, 10 * UNIT_MS)
jobs = st.lists(
    st.builds(
        Reservation,
        job=st.builds(JobId, st.integers(1, 50)) | st.builds(JobId.member, st.integers(51, 60), st.integers(0, 5)),
        state=st.sampled_from(State),
        units_ms=st.integers(0, UNIT_MS),
    ),
    unique_by=lambda one: one.job,
    max_size=20,
)
standings = st.builds(Standing, st.builds(replace, st.just(BUDGET), units_ms=figures), used_ms=figures)


def after(found: list[Reservation], decision: Decision) -> list[Reservation]:
    """The same jobs once it was done."""
    states = {**dict.fromkeys(decision.hold, State.HELD_FOR_BUDGET), **dict.fromkeys(decision.release, State.IDLE)}
    return [replace(one, state=states.get(one.job, one.state)) for one in found]


def age(job: JobId) -> tuple[int, int]:
    return job.cluster, job.index or 0


class TestDecide:
    @given(standings, jobs)
    def test_no_job_is_touched_but_those_that_wait_for_their_turn(
        self, standing: Standing, found: list[Reservation]
    ) -> None:
        states = {one.job: one.state for one in found}
        decision = decide(standing, found)
        assert all(states[job] is State.IDLE for job in decision.hold)
        assert all(states[job] is State.HELD_FOR_BUDGET for job in decision.release)

    @given(standings, jobs)
    def test_what_may_start_and_what_runs_fit_together(self, standing: Standing, found: list[Reservation]) -> None:
        then = after(found, decide(standing, found))
        running = sum(one.units_ms for one in then if one.state is State.RUNNING)
        may_start = [one for one in then if one.state is State.IDLE]
        if may_start:
            assert running + sum(one.units_ms for one in may_start) <= standing.room_ms

    @given(standings, jobs)
    def test_the_oldest_come_first_and_as_many_as_fit(self, standing: Standing, found: list[Reservation]) -> None:
        then = after(found, decide(standing, found))
        kept = [age(one.job) for one in then if one.state is State.IDLE]
        held = sorted((one for one in then if one.state is State.HELD_FOR_BUDGET), key=lambda one: age(one.job))
        if held:
            assert all(one < age(held[0].job) for one in kept)
            taken = sum(one.units_ms for one in then if one.state in (State.RUNNING, State.IDLE))
            assert taken + held[0].units_ms > standing.room_ms

    @given(standings, jobs, st.randoms(use_true_random=False))
    def test_it_is_the_same_however_often_and_in_whatever_order_it_is_asked(
        self, standing: Standing, found: list[Reservation], chance: Any
    ) -> None:
        decision = decide(standing, found)
        assert decide(standing, after(found, decision)) == Decision()
        shuffled = list(found)
        chance.shuffle(shuffled)
        assert decide(standing, shuffled) == decision

    @given(standings, jobs, figures)
    def test_more_room_never_holds_a_job(self, standing: Standing, found: list[Reservation], more: int) -> None:
        then = after(found, decide(standing, found))
        assert decide(replace(standing, adjusted_ms=more), then).hold == ()

    @given(standings, jobs, st.sampled_from([Action.WARN, Action.REFUSE]))
    def test_by_another_action_nothing_is_held_and_all_is_released(
        self, standing: Standing, found: list[Reservation], action: Action
    ) -> None:
        decision = decide(replace(standing, budget=replace(standing.budget, action=action)), found)
        assert decision.hold == ()
        assert set(decision.release) == {one.job for one in found if one.state is State.HELD_FOR_BUDGET}


class TestStanding:
    def test_of_ten_thousand_jobs_against_one_unit_one_is_taken(self) -> None:
        reckoning, standing = Reckoning(), Standing(BUDGET)
        needed = reckoning.units_ms(cpus=1, memory_mib=1000, gpus=0, walltime_s=3600)
        taken = 0
        for _ in range(10_000):
            if standing.takes(needed):
                taken += 1
                standing = replace(standing, reserved_ms=standing.reserved_ms + needed)
        assert taken == 1

    @pytest.mark.parametrize(("action", "taken"), [(Action.WARN, True), (Action.REFUSE, False), (Action.HOLD, False)])
    def test_what_has_no_room_is_refused_but_where_the_budget_only_warns(self, action: Action, taken: bool) -> None:
        assert Standing(replace(BUDGET, action=action), used_ms=UNIT_MS).takes(1) is taken

    @pytest.mark.parametrize(
        ("used", "reached"),
        [(0, 0), (0.499999, 0), (0.5, 50), (0.799999, 50), (0.8, 80), (0.9, 90), (0.999999, 90), (1, 100), (7, 100)],
    )
    def test_what_of_it_has_been_reached(self, used: float, reached: int) -> None:
        assert Standing(BUDGET, used_ms=round(used * UNIT_MS)).reached == reached

    @given(standings)
    def test_what_has_been_reached_has_been_used(self, standing: Standing) -> None:
        share = Fraction(100 * standing.used_ms, standing.limit_ms) if standing.limit_ms else Fraction(100)
        assert standing.reached == max((one for one in ALERTS if one <= share), default=0)

    def test_an_adjustment_gives_room_and_takes_it_but_never_below_nothing(self) -> None:
        assert Standing(BUDGET, adjusted_ms=UNIT_MS, used_ms=UNIT_MS).left_ms == UNIT_MS
        assert Standing(BUDGET, adjusted_ms=-5 * UNIT_MS).limit_ms == 0

    def test_when_its_time_is_over_nothing_is_left(self) -> None:
        assert Standing(BUDGET, is_over=True).left_ms == 0
        assert Standing(BUDGET, is_over=True, used_ms=2 * UNIT_MS).left_ms == -UNIT_MS

    def test_the_last_that_has_begun_is_in_force(self) -> None:
        june = replace(BUDGET, period=Period.of_days(date(2026, 6, 1), date(2026, 6, 30)))
        other = replace(BUDGET, group="physics2")
        both = (june, other, BUDGET)
        assert in_force(both, "physics", MAY.since - 1) is None
        assert in_force(both, "physics", MAY.since) == BUDGET
        assert in_force(both, "physics", MAY.until - 1) == BUDGET
        assert in_force(both, "physics", june.period.since) == june
        assert in_force(both, "physics", june.period.until) == june, "it is over, and nothing has followed"
        assert in_force(both, "PHYSICS", MAY.since) is None
        assert in_force(both, "phys", MAY.since) is None


def an_ad(cluster: int, status: int = JobStatus.IDLE, **changes: Any) -> JobAd:
    return {
        classads.CLUSTER_ID: cluster,
        classads.JOB_STATUS: int(status),
        classads.REQUEST_CPUS: 2,
        classads.REQUEST_MEMORY: 1000,
        classads.WALLTIME: 3600,
        **changes,
    }


def held(code: int, subcode: int) -> dict[str, int]:
    return {classads.HOLD_REASON_CODE: code, classads.HOLD_REASON_SUBCODE: subcode}


class TestReservations:
    @pytest.mark.parametrize(
        ("ad", "state"),
        [
            (an_ad(1), State.IDLE),
            (an_ad(1, JobStatus.RUNNING), State.RUNNING),
            (an_ad(1, JobStatus.SUSPENDED), State.RUNNING),
            (an_ad(1, JobStatus.TRANSFERRING_OUTPUT), State.RUNNING),
            (an_ad(1, JobStatus.HELD, **held(HoldCode.BY_HAND, HELD_BY_USER)), State.HELD),
            (an_ad(1, JobStatus.HELD, **held(HoldCode.BY_HAND, HELD_FOR_BUDGET)), State.HELD_FOR_BUDGET),
        ],
    )
    def test_a_job_that_may_still_run_has_what_it_asks_for_reserved(self, ad: JobAd, state: State) -> None:
        assert reservations([ad], Reckoning()) == [Reservation(JobId(1), state, 2 * UNIT_MS)]

    @pytest.mark.parametrize(
        "ad",
        [
            an_ad(1, JobStatus.COMPLETED),
            an_ad(1, JobStatus.REMOVED),
            an_ad(1, JobStatus.HELD, **held(HoldCode.JOB_POLICY, TOO_MANY_ATTEMPTS)),
        ],
    )
    def test_a_job_that_has_ended_has_nothing(self, ad: JobAd) -> None:
        assert reservations([ad], Reckoning()) == []

    def test_a_running_job_counts_with_the_cores_that_it_was_given(self) -> None:
        [found] = reservations([an_ad(1, JobStatus.RUNNING, **{classads.CPUS_PROVISIONED: 8})], Reckoning())
        assert found.units_ms == 8 * UNIT_MS

    def test_no_longer_than_is_expected(self) -> None:
        assert reserved_ms(reservations([an_ad(1)], Reckoning(expected_s=60))) == 2 * 60_000
        assert reserved_ms(reservations([an_ad(1)], Reckoning(expected_s=7200))) == 2 * UNIT_MS

    def test_the_nodes_of_a_job_are_told_together_and_run_when_one_does(self) -> None:
        nodes = [
            an_ad(1, JobStatus.IDLE, **{classads.NODE: 1}),
            an_ad(1, JobStatus.RUNNING, **{classads.NODE: 0}),
            an_ad(2, **{classads.ARRAY_INDEX: 4}),
        ]
        assert reservations(nodes, Reckoning()) == [
            Reservation(JobId(1), State.RUNNING, 4 * UNIT_MS),
            Reservation(JobId.member(2, 4), State.IDLE, 2 * UNIT_MS),
        ]

    def test_what_workflows_have_yet_to_submit_counts(self) -> None:
        flow = {classads.NODES: 10, classads.EXPECTED: 10 * UNIT_MS, classads.DAG_DONE: 3, classads.DAG_QUEUED: 2}
        assert reserved_ms([], [flow, {classads.NODES: 4}]) == 5 * UNIT_MS


MONTH = {"group": "physics", "units": 100, "start": date(2026, 5, 1), "end": date(2026, 5, 31)}


class TestSettings:
    def test_a_budget_is_from_the_first_day_to_the_end_of_the_last(self) -> None:
        budget = BudgetSettings(**MONTH).budget()  # type: ignore[arg-type]
        assert (budget.units_ms, budget.action) == (100 * UNIT_MS, Action.WARN)
        assert budget.period.until - budget.period.since == 31 * 86_400

    @given(st.integers(0, 10**9), st.integers(0, 99_999))
    def test_units_are_exact_to_five_decimals(self, whole: int, decimals: int) -> None:
        text = f"{whole}.{decimals:05}" if whole < 10**9 else "1000000000"
        settings = BudgetSettings(**{**MONTH, "units": text})  # type: ignore[arg-type]
        assert settings.budget().units_ms == Fraction(text) * UNIT_MS

    def test_every_mistake_is_told_at_once(self) -> None:
        wrong = [
            {**MONTH, "end": date(2026, 4, 30)},
            {**MONTH, "units": -1, "group": ""},
            {**MONTH, "action": "kill", "alert": ["nobody"]},
        ]
        with pytest.raises(Rejected) as refusal:
            parse(AccountingSettings, {"budgets": wrong})
        paths = [mistake.path for mistake in refusal.value.mistakes]
        assert paths == [
            "budgets[0]", "budgets[1].group", "budgets[1].units", "budgets[2].action", "budgets[2].alert[0]",
        ]  # fmt: skip

    def test_a_group_has_one_at_a_time(self) -> None:
        later = {**MONTH, "start": date(2026, 5, 31), "end": date(2026, 6, 30)}
        with pytest.raises(Rejected, match="overlap: those of physics from 2026-05-01 and 2026-05-31"):
            parse(AccountingSettings, {"budgets": [later, MONTH]})
        parse(AccountingSettings, {"budgets": [{**later, "group": "art"}, MONTH]})

    def test_whoever_is_to_be_told_needs_a_mail_server(self) -> None:
        with pytest.raises(Rejected, match="there is no mail server"):
            parse(RestApiSettings, {"accounting": {"budgets": [{**MONTH, "alert": ["boss@example.org"]}]}})

    def test_the_prices_of_accounting_count(self) -> None:
        reckoning = AccountingSettings(core=3, expected_s=60).in_all().reckoning
        assert reckoning == Reckoning(replace(DEFAULT_TARIFF, core=3.0), 60)

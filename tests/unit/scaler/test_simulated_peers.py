"""Each rule of others does in the simulator what it is known for, so that ours is compared with the real thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from builders import NOON, a_demand, a_size, minutes
from builders_simulate import GIB, a_kind, a_load, a_seen_machine, a_sight, a_simulated_job, run_of

from prominence.core.machines import Size, Worker, WorkerPhase
from prominence.core.scaling import Act, ScalingPlan
from prominence.core.snapshot import Demand, ExecutePoint
from prominence.scaler.simulate.bound import least_cost
from prominence.scaler.simulate.peers.ceiling import Ceiling
from prominence.scaler.simulate.peers.consolidation import Consolidating
from prominence.scaler.simulate.peers.feedback import Feedback
from prominence.scaler.simulate.peers.first_fit import FirstFit, pack
from prominence.scaler.simulate.peers.per_job import PerJob
from prominence.scaler.simulate.peers.shortfall import Shortfall

KIND = a_kind(16, 64)
SMALL = a_kind(4, 16, 0.3)
LOAD = a_load([], KIND)


def created(plan: ScalingPlan) -> list[str]:
    """The flavours of new machines."""
    return [action.flavour for action in plan.actions if action.act is Act.CREATE]


def gone(plan: ScalingPlan) -> list[str]:
    """Machines that are given up."""
    return [action.worker for action in plan.actions if action.act is not Act.CREATE]


class TestPerJob:
    """PROMINENCE: an infrastructure per job, asked for every 60 s, 60 on their way and 200 in all."""

    def test_no_more_than_60_are_on_their_way(self) -> None:
        load = a_load([], SMALL, KIND, limit=1000)
        assert created(PerJob(load).plan(a_sight(load, [a_demand(jobs=300)]))) == ["kind-4"] * 60

    def test_no_more_than_200_jobs_have_one(self) -> None:
        jobs = [a_simulated_job(n, runtime_s=5000) for n in range(1, 301)]
        outcome = run_of(a_load(jobs, SMALL, limit=1000), "per-job")
        assert (outcome.most_machines, outcome.machines) == (200, 300)

    def test_a_lone_job_waits_for_the_poll_and_the_boot(self) -> None:
        waits = [run_of(a_load([a_simulated_job()], SMALL), "per-job", seed).mean_wait_s for seed in range(20)]
        assert min(waits) < 100 < max(waits) < 60 + 3 * 60


class TestCeiling:
    """Google's autoscaler: the sum of the cores over a machine's cores, rounded up; memory and GPUs unused."""

    def test_cores_are_divided_and_rounded_up(self) -> None:
        assert created(Ceiling(LOAD).plan(a_sight(LOAD, [a_demand(jobs=33)]))) == ["kind-16"] * 3

    def test_idle_and_booting_machines_are_subtracted(self) -> None:
        seen = [a_seen_machine("w-1", KIND, KIND.size), a_seen_machine("w-2", KIND)]
        assert created(Ceiling(LOAD).plan(a_sight(LOAD, [a_demand(jobs=33)], seen))) == ["kind-16"]

    def test_memory_is_not_reckoned_with(self) -> None:
        jobs = a_demand(size=a_size(1, 32 * GIB), jobs=16)  # which takes eight machines
        assert created(Ceiling(LOAD).plan(a_sight(LOAD, [jobs]))) == ["kind-16"]

    def test_what_is_too_many_goes_at_once_and_what_boots_first(self) -> None:
        seen = [a_seen_machine("w-1", KIND, KIND.size), a_seen_machine("w-2", KIND)]
        assert gone(Ceiling(LOAD).plan(a_sight(LOAD, [a_demand(jobs=1)], seen))) == ["w-2"]

    def test_it_orders_fewer_than_the_work_needs_where_memory_counts(self) -> None:
        """On the cores of a public GPU trace it was 6 % below the bound."""
        demand, sizes = _mix(Random(1), with_gpus=False)
        kind = a_kind(32, 128)
        load = a_load([], kind, limit=10_000)
        ordered = len(created(Ceiling(load).plan(a_sight(load, demand))))
        assert 0.85 < ordered / least_cost(sizes, (kind,)) < 0.98


class TestFeedback:
    """COBalD and TARDIS: a core a second up or down, by what is used and never by what waits."""

    def test_machines_are_made_though_nobody_wants_any(self) -> None:
        rule = Feedback(LOAD)
        plans = [rule.plan(a_sight(LOAD)) for _ in range(3)]
        assert [len(created(plan)) for plan in plans] == [0, 0, 2]  # 30 cores after 30 s

    def test_the_demand_rises_by_a_core_a_second_where_machines_are_used(self) -> None:
        rule = Feedback(LOAD)
        busy = [a_seen_machine("w-1", KIND, a_size(0, 0, 0))]
        for _ in range(10):
            rule.plan(a_sight(LOAD, [], busy))
        assert rule.demand == {"kind-16": 100.0}

    def test_the_least_used_are_drained_where_they_are_not(self) -> None:
        rule = Feedback(LOAD)
        seen = [a_seen_machine("w-1", KIND, a_size(4, 16 * GIB)), a_seen_machine("w-2", KIND, KIND.size)]
        rule.demand["kind-16"] = 46.0
        plans = [rule.plan(a_sight(LOAD, [], [*seen, a_seen_machine("w-3", KIND, KIND.size)])) for _ in range(3)]
        assert [gone(plan) for plan in plans] == [[], [], ["w-2", "w-3"]]

    def test_a_machine_that_fails_is_replaced_at_the_next_step_without_end(self) -> None:
        """The black hole of its users' reports."""
        rule = Feedback(LOAD)
        worker, _ = a_seen_machine("w-1", KIND)
        failed = [(worker.model_copy(update={"phase": WorkerPhase.FAILED}), None)]
        made = [len(created(rule.plan(a_sight(LOAD, [], failed)))) for _ in range(30)]
        assert made[2::3] == [round(30 * n / 16 + 0.49) for n in range(1, 11)]


class TestShortfall:
    """glideinWMS: a third of what is missing, half of it for each curb, once a minute."""

    def test_a_third_is_asked_for_at_once(self) -> None:
        assert len(created(Shortfall(LOAD).plan(a_sight(LOAD, [a_demand(jobs=300 * 16)])))) == 100

    def test_what_is_on_its_way_is_part_of_the_third(self) -> None:
        seen = [a_seen_machine(f"w-{n}", KIND) for n in range(90)]
        assert len(created(Shortfall(LOAD).plan(a_sight(LOAD, [a_demand(jobs=300 * 16)], seen)))) == 10

    def test_a_curb_halves_it(self) -> None:
        half_free = [a_seen_machine("w-1", KIND, a_size(8, 32 * GIB))]
        wanted = len(created(Shortfall(LOAD).plan(a_sight(LOAD, [a_demand(jobs=300 * 16 + 8)], half_free))))
        assert wanted == 50

    def test_cores_without_memory_for_the_jobs_count_as_free(self) -> None:
        """12,000 jobs of much memory waited while 2,400 ran."""
        waiting = [a_demand(size=a_size(1, 12 * GIB), jobs=12_000)]
        seen = [a_seen_machine(f"w-{n}", KIND, a_size(11, 4 * GIB)) for n in range(200)]
        assert created(Shortfall(LOAD).plan(a_sight(LOAD, waiting, seen))) == []

    def test_cores_with_hardly_any_memory_do_not(self) -> None:
        load = a_load([], KIND, limit=300)
        seen = [a_seen_machine(f"w-{n}", KIND, a_size(11, 2 * GIB)) for n in range(200)]
        assert created(Shortfall(load).plan(a_sight(load, [a_demand(jobs=48)], seen))) == ["kind-16"]

    def test_where_nothing_waits_booting_machines_are_called_off_after_5_rounds_and_idle_ones_after_10(self) -> None:
        rule = Shortfall(LOAD)
        seen = [a_seen_machine("w-1", KIND, KIND.size), a_seen_machine("w-2", KIND)]
        plans = [rule.plan(a_sight(LOAD, [], seen)) for _ in range(10)]
        assert [gone(plan) for plan in plans] == [[]] * 4 + [["w-2"]] * 5 + [["w-1", "w-2"]]


class TestFirstFit:
    """Karpenter: first-fit decreasing, near the bound on cores and far from it on a mix with GPUs."""

    def test_it_is_within_a_percent_of_the_bound_on_cores_and_memory(self) -> None:
        """0.4 % were measured on the cores of a public trace."""
        demand, sizes = _mix(Random(1), with_gpus=False)
        kind = a_kind(32, 128)
        assert len(pack(demand, (), [kind])) / least_cost(sizes, (kind,)) < 1.01

    def test_it_is_far_from_the_bound_on_a_mix_with_gpus(self) -> None:
        """10.7 % were measured on all of that trace."""
        demand, sizes = _mix(Random(1), with_gpus=True)
        kind = a_kind(128, 768, gpus=8)
        assert len(pack(demand, (), [kind])) / least_cost(sizes, (kind,)) > 1.05

    def test_the_kind_stays_open_until_it_is_ordered_and_the_cheapest_is_taken(self) -> None:
        load = a_load([], SMALL, KIND, a_kind(64, 256, 5.0))
        assert created(FirstFit(load).plan(a_sight(load, [a_demand(jobs=12)]))) == ["kind-16"]

    def test_an_offering_that_failed_is_left_alone_for_three_minutes(self) -> None:
        load = a_load([], SMALL, KIND)
        worker, _ = a_seen_machine("w-1", SMALL)
        failed = (worker.model_copy(update={"phase": WorkerPhase.FAILED}), None)
        for after, taken in ((2.9, "kind-16"), (3.1, "kind-4")):
            sight = a_sight(load, [a_demand()], [failed], NOON + minutes(after))
            assert created(FirstFit(load).plan(sight)) == [taken]

    def test_an_empty_machine_goes_after_a_second_look_15_s_later(self) -> None:
        seen = [a_seen_machine("w-1", KIND, KIND.size)]
        for after, names in ((14, []), (16, ["w-1"])):
            sight = a_sight(LOAD, [], seen, NOON + timedelta(seconds=after))
            assert gone(FirstFit(LOAD).plan(sight)) == names

    def test_one_that_a_waiting_job_fits_on_stays(self) -> None:
        seen = [a_seen_machine("w-1", KIND, KIND.size)]
        plan = FirstFit(LOAD).plan(a_sight(LOAD, [a_demand()], seen, NOON + minutes(1)))
        assert plan.actions == ()


class TestConsolidation:
    """Karpenter where jobs may be moved: what its users report is work that was lost."""

    def test_jobs_of_two_half_empty_machines_are_put_on_one_new_one(self) -> None:
        seen = [a_seen_machine(f"w-{n}", KIND, a_size(8, 32 * GIB, KIND.size.disk_mib)) for n in (1, 2)]
        rule = Consolidating(LOAD)
        for after, names in ((0, []), (10, []), (20, ["kind-16"])):
            sight = a_sight(LOAD, [], seen, NOON + timedelta(seconds=after))
            sight = replace(sight, running=lambda name: [a_size(8, 32 * GIB)])
            assert created(rule.plan(sight)) == names

    def test_a_large_machine_is_replaced_by_a_cheaper_one_once_that_is_there(self) -> None:
        load = a_load([], SMALL, KIND)
        old, new = a_seen_machine("w-1", KIND, a_size(15, 60 * GIB, KIND.size.disk_mib)), a_seen_machine("new-1", SMALL)
        rule = Consolidating(load)

        def plan(after: int, *seen: tuple[Worker, ExecutePoint | None]) -> ScalingPlan:
            sight = a_sight(load, [], seen, NOON + timedelta(seconds=after))
            return rule.plan(replace(sight, running=lambda name: [a_size()]))

        plan(0, old)
        assert created(plan(20, old)) == ["kind-4"]
        assert plan(30, old, new).actions == ()
        joined = a_seen_machine("new-1", SMALL, SMALL.size, NOON + timedelta(seconds=35))
        assert gone(plan(40, old, joined)) == ["w-1"]

    def test_long_jobs_lose_their_work_to_it_and_to_nothing_else(self) -> None:
        """19 of 21 evictions of somebody's long workers were consolidation, the others spot."""
        jobs = [a_simulated_job(n, n * 10.0, 300 * n, size=a_size(4, 8 * GIB)) for n in range(1, 13)]
        load = a_load(jobs, SMALL, KIND)
        assert run_of(load, "consolidating").killed > 0
        assert run_of(load, "first-fit").killed == 0


def _mix(chance: Random, with_gpus: bool) -> tuple[list[Demand], dict[Size, float]]:
    """Some thousand jobs of tens of shapes, such as are in traces of GPU clusters."""
    counts: dict[Size, int] = {}
    for _ in range(2000):
        gpus = chance.choice((0, 0, 1, 1, 1, 2, 4, 8)) if with_gpus else 0
        cores = chance.choice((4, 6, 8, 11)) * gpus or chance.choice((8, 16, 32, 64) if with_gpus else (1, 1, 2, 2, 4))
        gib = cores * chance.choice((4, 4, 4, 5))
        size = Size(cpus=cores, memory_mib=gib * GIB, disk_mib=1, gpus=gpus)
        counts[size] = counts.get(size, 0) + 1
    demand = [a_demand(size=size, jobs=jobs) for size, jobs in counts.items()]
    return demand, {size: float(jobs) for size, jobs in counts.items()}


def test_a_mix_is_what_the_figures_are_about() -> None:
    demand, sizes = _mix(Random(1), with_gpus=True)
    assert sum(one.jobs for one in demand) == pytest.approx(sum(sizes.values())) == 2000

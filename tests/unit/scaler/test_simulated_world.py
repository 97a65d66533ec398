"""The simulator's world: what must hold whatever the load and whoever scales."""

from __future__ import annotations

from random import Random

import pytest
from builders import NOON, a_size
from builders_simulate import a_kind, a_load, a_simulated_job, run_of
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.machines import Size
from prominence.core.scaling import ScalingPlan
from prominence.core.snapshot import PoolSnapshot
from prominence.scaler.policy import Policy
from prominence.scaler.simulate.bound import cost_bound, least_cost
from prominence.scaler.simulate.load import Job, Load, numbered
from prominence.scaler.simulate.loads import LOADS
from prominence.scaler.simulate.outcome import most_at_once, outcome_of
from prominence.scaler.simulate.peers.seen import machines, remove
from prominence.scaler.simulate.run import simulate
from prominence.scaler.simulate.strategies import NAMES, PEERS, strategy
from prominence.scaler.simulate.strategy import Sight
from prominence.scaler.simulate.world import World

KINDS = (a_kind(4, 16, 0.2), a_kind(16, 64, 0.75), a_kind(32, 64, 1.4, gpus=2))

SIZES = st.builds(
    lambda cores, gib, gpus: a_size(cores, gib * 1024, gpus=gpus),
    st.integers(0, 16),
    st.integers(1, 60),
    st.sampled_from([0, 0, 0, 1, 2]),
)


def some_jobs(sizes: st.SearchStrategy[Size], nodes: list[int]) -> st.SearchStrategy[list[Job]]:
    return st.lists(
        st.builds(
            Job,
            number=st.just(0),
            submitted_s=st.floats(0, 2000),
            runtime_s=st.floats(1, 2000),
            size=sizes,
            user=st.sampled_from(["ann", "bob"]),
            nodes=st.sampled_from(nodes),
        ),
        min_size=1,
        max_size=12,
    )


SMALL_SIZES = st.builds(lambda cores, gib: a_size(cores, gib * 1024), st.integers(0, 16), st.integers(1, 4))


class _Watching:
    """Of a run with a strategy: the most machines of a cloud, and the wrongs that were seen."""

    def __init__(self, load: Load) -> None:
        self._limits = {cloud.name: cloud.limit for cloud in load.clouds}
        self.wrongs: list[str] = []

    def __call__(self, snapshot: PoolSnapshot, took_s: float) -> None:
        for cloud, limit in self._limits.items():
            alive = [w for w in snapshot.workers or () if w.request.cloud == cloud and not w.phase.is_over]
            if len(alive) > limit:
                self.wrongs.append(f"{len(alive)} machines on {cloud}")
        for point in snapshot.execute_points or ():
            if min(point.free.model_dump().values()) < 0 or not point.free.fits(point.total):
                self.wrongs.append(f"{point.name} has {point.free} of {point.total}")


@given(jobs=some_jobs(SIZES, nodes=[1, 1, 1, 3]), seed=st.integers(0, 1000))
def test_with_ours_every_job_runs_once_within_limits_and_for_no_less_than_the_bound(jobs: list[Job], seed: int) -> None:
    load = a_load(numbered(jobs), *KINDS, limit=12, refused=0.1, lost=0.02)
    watching = _Watching(load)
    outcome = simulate(load, strategy("ours", load, Policy(max_workers=8, creations_per_round=5), 5), seed, watching)
    assert (outcome.not_run, outcome.killed) == (0, 0)
    assert watching.wrongs == []
    assert outcome.most_machines <= 8
    assert outcome.cost >= cost_bound(load) * (1 - 1e-9)


@pytest.mark.parametrize("name", PEERS)
@given(jobs=some_jobs(SMALL_SIZES, nodes=[1]), seed=st.integers(0, 1000))
def test_with_others_too_where_cores_are_what_is_scarce(name: str, jobs: list[Job], seed: int) -> None:
    load = a_load(numbered(jobs), KINDS[1], limit=3, refused=0.1)
    watching = _Watching(load)
    outcome = simulate(load, strategy(name, load, Policy(), 5), seed, watching)
    assert outcome.not_run == 0
    assert outcome.killed == 0 or name == "consolidating"
    assert watching.wrongs == []
    assert outcome.most_machines <= 3
    assert outcome.cost >= cost_bound(load) * (1 - 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_figures_and_another_seed_others(name: str) -> None:
    load = a_load([a_simulated_job(n, 60.0 * n, 100.0 * n) for n in range(1, 11)], *KINDS)

    def figures(seed: int) -> dict[str, object]:
        told = vars(run_of(load, name, seed)).copy()
        return {key: value for key, value in told.items() if not key.endswith("decision_s")}

    assert figures(1) == figures(1)
    assert figures(1) != figures(2)


@pytest.mark.parametrize("name", LOADS)
def test_a_load_is_the_same_from_the_same_seed_and_all_its_jobs_fit(name: str) -> None:
    load = LOADS[name](Random(7))
    assert load == LOADS[name](Random(7))
    assert load.jobs != LOADS[name](Random(8)).jobs
    assert [job.number for job in load.jobs] == list(range(1, len(load.jobs) + 1))
    assert all(any(job.size.fits(flavour.size) for flavour in load.flavours) for job in load.jobs)
    standard = [flavour for flavour in load.flavours if flavour.name in load.standard]
    assert len(standard) == len(load.standard)
    assert all(any(job.size.fits(flavour.size) for flavour in standard) for job in load.jobs)


def test_the_cost_is_that_of_the_hours_from_launch_to_end() -> None:
    load = a_load([a_simulated_job(runtime_s=3600)], a_kind(4, 16, price=2.0), spread=0.0)
    outcome = run_of(load, idle_time_s=600, idle_boots=0)
    # A minute to boot, up to a second to be matched, the job, ten minutes of idleness, a round or two, seconds to end.
    assert outcome.cost == pytest.approx(2.0 * (60 + 1 + 3600 + 600 + 15) / 3600, rel=0.01)
    assert outcome.machines == 1
    assert outcome.mean_wait_s == pytest.approx(60 + 5, abs=5)
    assert outcome.utilisation == pytest.approx(0.25 * 3600 / (60 + 3600 + 615), rel=0.02)


def test_a_job_that_is_killed_with_its_machine_waits_again_and_its_lost_work_counts() -> None:
    load = a_load([a_simulated_job(runtime_s=1000)], spread=0.0)

    class Careless:
        name, interval_s, wakes, dedicated, is_steady = "careless", 10.0, False, False, False

        def __init__(self) -> None:
            self._inner = strategy("ceiling", load, Policy(), 5)
            self._has_killed = False

        def plan(self, sight: Sight) -> ScalingPlan:
            plan = self._inner.plan(sight)
            busy = [point.name for point in sight.snapshot.execute_points or () if point.claimed_slots]
            if busy and not self._has_killed:
                self._has_killed = True
                return plan.model_copy(update={"actions": (remove(machines(sight.snapshot)[0], "careless"),)})
            return plan

    outcome = simulate(load, Careless(), 1)
    assert (outcome.killed, outcome.not_run) == (1, 0)
    assert outcome.mean_wait_s > 120


def test_all_nodes_of_a_job_start_together_or_not_at_all() -> None:
    kind = a_kind(4, 16)
    three = a_simulated_job(1, nodes=3, size=a_size(4, 1000), runtime_s=100)
    outcome = run_of(a_load([three], kind), "ours")
    assert (outcome.most_machines, outcome.not_run) == (3, 0)
    assert run_of(a_load([three], kind, limit=2), "first-fit").not_run == 1


def test_room_goes_to_the_user_with_the_fewest_cores_in_use() -> None:
    jobs = numbered(
        [a_simulated_job(n, 0, 1000, user="many") for n in range(1, 9)]
        + [a_simulated_job(n, 10, 1000, user="few") for n in range(9, 11)]
    )
    load = a_load(jobs, a_kind(4, 16), limit=1)
    world = World(load, Random(1))
    rule = strategy("ceiling", load, Policy(), 5)
    names = iter(["w-1"])
    while world.now_s <= 10:
        world.advance()
    for action in rule.plan(Sight(world.snapshot(), NOON, names, world.sizes_on)).actions:
        world.carry_out(action)
    while world.running < 4:
        world.advance()
    assert sorted(run.job.user for run in world.machines["w-1"].runs) == ["few", "few", "many", "many"]


def test_a_bound_counts_each_resource() -> None:
    kind = a_kind(4, 16, price=1.0)
    assert least_cost({a_size(1, 1024): 8.0}, (kind,)) == pytest.approx(2.0)
    assert least_cost({a_size(1, 16 * 1024): 8.0}, (kind,)) == pytest.approx(8.0)
    cheaper = a_kind(8, 128, price=1.0, name="roomy")
    assert least_cost({a_size(1, 16 * 1024): 8.0}, (kind, cheaper)) == pytest.approx(1.0)
    assert least_cost({}, (kind,)) == 0.0


@given(hours=st.dictionaries(SIZES, st.floats(0.01, 100), max_size=6), factor=st.floats(0.5, 5))
def test_a_bound_grows_with_the_work_and_is_never_above_one_machine_for_each_job(
    hours: dict[Size, float], factor: float
) -> None:
    bound = least_cost(hours, KINDS)
    alone = sum(count * min(kind.price for kind in KINDS if size.fits(kind.size)) for size, count in hours.items())
    assert bound <= alone * (1 + 1e-6)
    assert least_cost({size: count * factor for size, count in hours.items()}, KINDS) == pytest.approx(bound * factor)


def test_most_machines_at_once_are_counted() -> None:
    assert most_at_once([(0, 10), (5, 15), (10, None), (11, 12)]) == 3
    assert most_at_once([]) == 0


def test_a_job_that_never_ran_has_waited_until_the_end() -> None:
    load = a_load([a_simulated_job(size=a_size(1))])
    world = World(load, Random(1))
    world.at(500.0, lambda: None)
    while world.advance():
        pass
    outcome = outcome_of(world, "none", (), ())
    assert (outcome.not_run, outcome.mean_wait_s, outcome.cost) == (1, 500.0, 0.0)

"""What jobs require of machines besides room and place, as HTCondor's own library sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from builders import NOON, a_cloud, a_flavour, a_size, minutes
from builders_scaler import LARGE, SMALL, Scaling, a_known_worker, a_point, a_pretend_pool, some_names
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from prominence.core.classads import digest
from prominence.core.machines import Flavour, Market, Worker, WorkerPhase
from prominence.core.reasons import Reason
from prominence.core.snapshot import Ad, Demand, ExecutePoint, PoolSnapshot
from prominence.scaler.adapters.classads import evaluate
from prominence.scaler.adapters.memory import PretendPool
from prominence.scaler.before import Before
from prominence.scaler.decide import decide
from prominence.scaler.matching import REMEMBERED, Matched, Matcher
from prominence.scaler.observe import observe
from prominence.scaler.policy import Policy

STORAGE = 'stringListMember("s3", TARGET.ProminenceStorage) is true'
ARM = 'TARGET.Arch == "aarch64"'
GPUS = "countMatches(MY.RequireGPUs,TARGET.AvailableGPUs) >= RequestGPUs"


def requiring(*clauses: str, **job: str) -> Ad:
    """A job's ad, with what the submit side adds."""
    text = " && ".join(f"({clause})" for clause in (*clauses, "TARGET.Memory >= RequestMemory"))
    said = {"Requirements": text, "RequestMemory": "1000", "ProminenceRequires": f'"{digest([text])}"'}
    return tuple(sorted({**said, **job}.items()))


def a_job(*clauses: str, user: str = "alice", **job: str) -> Demand:
    return Demand(size=a_size(), user=user, jobs=1, ad=requiring(*clauses, **job))


class Pool:
    """What was seen in one moment."""

    def __init__(self, *flavours: Flavour) -> None:
        self.flavours = flavours or (SMALL, LARGE)
        self.matcher = Matcher(evaluate)
        self.ads: dict[str, Ad] = {}
        self.workers: list[Worker] = []
        self.points: list[ExecutePoint] = []
        self.now = NOON

    def add(self, name: str, flavour: Flavour | None, **ad: str) -> None:
        if flavour:
            self.workers.append(a_known_worker(name, flavour=flavour))
        self.points.append(a_point(name, flavour=flavour or SMALL))
        self.ads[name] = tuple(ad.items())

    def remove(self) -> None:
        self.ads, self.workers, self.points = {}, [], []

    def match(self, *demand: Demand) -> Matched:
        return self.matcher.match(demand, self.points, self.ads, self.flavours, self.workers, self.now)

    def meeting(self, *demand: Demand) -> list[set[str]]:
        """For each, which machines and flavours meet it."""
        found = self.match(*demand)
        kinds = {f"{f.cloud}/{f.name}": found.flavour_kinds.get(f"{f.cloud}/{f.name}", 0) for f in self.flavours}
        kinds |= {point.name: point.kind for point in found.points}
        return [
            {name for name, kind in kinds.items() if one.placement.kinds is None or kind in one.placement.kinds}
            for one in found.demand
        ]


ALL = {"docker/small", "docker/large"}


def test_of_what_nobody_has_seen_nothing_is_ruled_out() -> None:
    assert Pool().meeting(a_job(STORAGE, ARM)) == [ALL]


def test_a_flavour_is_what_its_machines_are_and_else_what_its_cloud_is() -> None:
    other = a_flavour(cloud="ec2")
    pool = Pool(SMALL, LARGE, other)
    pool.add("w-1", SMALL, Arch='"X86_64"', ProminenceStorage='"webdav"', has_avx="true")
    assert pool.meeting(a_job(STORAGE)) == [{"ec2/small"}]
    assert pool.meeting(a_job("TARGET.has_avx is undefined")) == [{"docker/large", "ec2/small"}], "flavours may differ"
    assert pool.meeting(a_job('TARGET.Arch == "X86_64"')) == [ALL | {"ec2/small", "w-1"}]


def test_what_was_seen_is_believed_for_a_while() -> None:
    pool = Pool(SMALL)
    pool.add("w-1", SMALL, ProminenceStorage='"webdav"')
    assert pool.meeting(a_job(STORAGE)) == [set()]
    pool.remove()
    pool.now = NOON + REMEMBERED
    assert pool.meeting(a_job(STORAGE)) == [set()]
    pool.now += minutes(1)
    assert pool.meeting(a_job(STORAGE)) == [{"docker/small"}]


def test_a_worker_that_has_not_told_yet_what_works_there_may_have_it() -> None:
    pool = Pool(SMALL)
    pool.add("w-1", SMALL)
    pool.add("static-1", None)
    assert pool.meeting(a_job(STORAGE)) == [{"docker/small", "w-1"}]


def test_a_flavour_is_not_judged_by_a_machine_of_it_that_can_do_less_than_another() -> None:
    pool = Pool(SMALL)
    for name, kinds in (("w-1", "webdav"), ("w-2", "webdav s3"), ("w-3", "")):
        pool.add(name, SMALL, ProminenceStorage=f'"{kinds}"')
    assert pool.meeting(a_job(STORAGE)) == [{"docker/small", "w-2"}]


def test_a_machine_takes_whom_its_start_takes() -> None:
    pool = Pool(SMALL)
    pool.add("static-1", None, Start='TARGET.RequireGPUs =?= undefined && TARGET.Owner == "eve"')
    plain, with_gpus = a_job("true"), a_job(GPUS, RequireGPUs="true", RequestGPUs="0", user="bob")
    assert pool.meeting(plain, with_gpus) == [{"docker/small", "static-1"}, {"docker/small"}]


@pytest.mark.parametrize("before", [False, True])
def test_that_a_cloud_takes_one_machine_away_says_nothing_of_the_next(before: bool) -> None:
    pool = Pool(SMALL, LARGE)
    if before:
        pool.add("w-2", SMALL, ProminenceStorage='"webdav"', Start="true")
        assert pool.meeting(a_job("true")) == [ALL | {"w-2"}]
        pool.remove()
    pool.add("w-1", SMALL, ProminenceStorage='"s3"', Start="false", ProminenceLeaving="true")
    assert pool.meeting(a_job("true")) == [ALL], "it takes none itself"
    pool.remove()
    assert pool.meeting(a_job("true")) == [ALL]


def test_a_flavour_whose_machines_take_no_jobs_is_ordered_no_more() -> None:
    pool = Pool(SMALL)
    pool.add("w-1", SMALL, Start="false")
    assert pool.meeting(a_job("true")) == [set()]


def test_the_gpus_of_a_machine_are_those_that_the_job_asks_for() -> None:
    pool = Pool(SMALL)
    pool.add("w-1", SMALL, AvailableGPUs="{ [Capability=8.0;GlobalMemoryMb=16000] }")

    def wanting(capability: str) -> Demand:
        require = "Capability >= GPUsMinCapability"
        return a_job(GPUS, RequestGPUs="1", RequireGPUs=require, GPUsMinCapability=capability)

    assert pool.meeting(wanting("7.5")) == [{"docker/small", "w-1"}]
    assert pool.meeting(wanting("8.6")) == [set()]
    assert pool.match(wanting("8.6")).demand[0].unmet == ("GPUs with compute capability 8.6",)


def test_jobs_that_meet_the_same_machines_are_one_demand() -> None:
    pool = Pool(SMALL)
    pool.add("w-1", SMALL, ProminenceStorage='"webdav s3"', Arch='"X86_64"')
    (one,) = pool.match(a_job(STORAGE), a_job('TARGET.Arch == "X86_64"')).demand
    assert (one.jobs, one.ad, one.requirements, one.placement.kinds) == (2, (), (), None)
    first, second = pool.match(a_job(STORAGE), a_job(ARM)).demand
    assert first.requirements != second.requirements
    assert len(first.requirements) == len(second.requirements) == 1


@pytest.mark.parametrize("text", ["", "((", '"', "true" + " && true" * 5000, "TARGET.", "\x00"])
def test_requirements_that_cannot_be_read_hide_no_other_job(text: str) -> None:
    pool = Pool(SMALL)
    pool.add("w-1", SMALL, ProminenceStorage='"s3"')
    pool.add("w-2", SMALL, ProminenceStorage='"s3"', Start="((")
    strange = Demand(size=a_size(), user="eve", jobs=1, ad=(("Requirements", text),))
    found = pool.match(strange, a_job(STORAGE))
    assert sum(one.jobs for one in found.demand) == 2
    assert any(one.placement.takes(found.points[0].place) for one in found.demand if one.user == "alice")


class Required:
    """Rounds on a pretend pool in which machines of flavours differ."""

    def __init__(self, pool: PretendPool, policy: Policy) -> None:
        self.scaling = Scaling(pool, policy, Matcher(evaluate))
        pool.meets = lambda job, machine: evaluate(dict(job)["Requirements"], job, machine)


FLAVOURS = tuple(a_flavour(name=name, cloud=cloud) for cloud, name in (("one", "a"), ("one", "b"), ("two", "c")))
values = st.fixed_dictionaries(
    {
        "Arch": st.sampled_from(['"X86_64"', '"aarch64"']),
        "ProminenceStorage": st.sampled_from(['"s3"', '"webdav"', '""']),
        "Licence": st.sampled_from(["true", "false", "undefined"]),
        "Memory": st.just("4000"),
    }
)
wishes = st.lists(
    st.sampled_from(
        [STORAGE, ARM, "Licence", "TARGET.Licence =!= false", 'TARGET.Arch == "X86_64" || Licence', "false"]
    ),
    max_size=3,
    unique=True,
)


@given(st.lists(values, min_size=2, max_size=2), st.lists(wishes, min_size=1, max_size=4))
@settings(max_examples=20, phases=[Phase.generate])
def test_every_job_runs_that_some_flavour_meets_and_the_others_are_told_what_is_missing(
    advertised: list[dict[str, str]], jobs: list[list[str]]
) -> None:
    by_cloud = {cloud: tuple(sorted(ad.items())) for cloud, ad in zip(("one", "two"), advertised, strict=True)}
    ads = {flavour.name: by_cloud[flavour.cloud] for flavour in FLAVOURS}
    clouds = tuple(
        a_cloud(name=c, flavours=tuple(f for f in FLAVOURS if f.cloud == c), limit=3) for c in ("one", "two")
    )
    pool = PretendPool(offered=clouds, now=NOON, boot_time=minutes(0), advertised=ads)
    required = Required(pool, Policy(max_workers=6))
    for wish in jobs:
        pool.submit(a_size(), "alice", runs_for=minutes(1), ad=requiring(*wish))
    required.scaling.rounds(80, by=minutes(0.5))
    for job in pool.jobs:
        assert job.ended is any(pool.meets(job.ad, ad) for ad in ads.values()), (job.ad, ads)
    waiting = required.scaling.plans[-1].explanations
    assert {one.reason for one in waiting} <= {Reason.NO_FLAVOUR_FITS}
    assert sum(one.jobs for one in waiting) == sum(not job.ended for job in pool.jobs)
    required.scaling.rounds(20, by=minutes(1))
    assert all(worker.phase is WorkerPhase.DELETED for worker in pool.records.values())


@given(st.lists(wishes, min_size=1, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_order_in_which_jobs_and_machines_are_listed_does_not_matter(
    jobs: list[list[str]], random: st.random_module
) -> None:
    pool = Pool(*FLAVOURS)
    pool.add("w-1", FLAVOURS[0], Arch='"X86_64"', ProminenceStorage='"s3"')
    pool.add("w-2", FLAVOURS[2], Arch='"aarch64"', Licence="true")
    demand: Sequence[Any] = [a_job(*wish, user=f"user-{number}") for number, wish in enumerate(jobs)]
    plans = []
    for _ in range(2):
        found = pool.match(*demand)
        plans.append(
            decide(
                PoolSnapshot(
                    taken_at=NOON,
                    demand=found.demand,
                    execute_points=found.points,
                    workers=tuple(pool.workers),
                    clouds=(a_cloud(name="one", flavours=FLAVOURS[:2]), a_cloud(name="two", flavours=FLAVOURS[2:])),
                    flavour_kinds=found.flavour_kinds,
                ),
                Policy(),
                NOON,
                some_names(),
            )
        )
        random.shuffle(demand)  # type: ignore[attr-defined]
        pool.points.reverse()
        pool.flavours = tuple(reversed(pool.flavours))
    assert plans[0] == plans[1]


def test_a_machine_is_asked_of_no_flavour_that_its_jobs_cannot_run_on() -> None:
    pool = a_pretend_pool(SMALL, LARGE, advertised={"small": (("Licence", "false"),), "large": (("Licence", "true"),)})
    required = Required(pool, Policy())
    pool.submit(a_size(), "alice", ad=requiring("true"), runs_for=minutes(60))
    pool.submit(a_size(16, 16000), "alice", ad=requiring("true"), runs_for=minutes(60))
    required.scaling.rounds(12)
    pool.submit(a_size(), "bob", jobs=4, ad=requiring("TARGET.Licence"), runs_for=minutes(60))
    plan = required.scaling.round()
    (action,) = plan.actions
    assert (action.flavour, action.flavours) == ("large", ("docker/large",))
    assert pool.records[action.worker].request.flavours == ("docker/large",)


KEPT = 'MY.ProminencePreemptible isnt false || TARGET.ProminenceMarket isnt "spot"'
"""Required by all jobs, of those that say so."""
SPOT = a_flavour(name="small:spot", size=SMALL.size, price=0.1, market=Market.SPOT)


def test_a_job_that_may_not_be_interrupted_is_for_machines_that_are_kept() -> None:
    pool = Pool(SMALL, SPOT)
    pool.add("w-1", SMALL, ProminenceMarket='"on-demand"')
    pool.add("w-2", SPOT, ProminenceMarket='"spot"')
    pool.add("w-3", None)  # a site's own, which says nothing
    assert pool.meeting(a_job(KEPT, ProminencePreemptible="false")) == [{"docker/small", "w-1", "w-3"}]
    assert pool.meeting(a_job(KEPT)) == [{"docker/small", "docker/small:spot", "w-1", "w-2", "w-3"}]


def of_market(preemptible: bool) -> Ad:
    return requiring(KEPT) if preemptible else requiring(KEPT, ProminencePreemptible="false")


@given(st.lists(st.booleans(), min_size=1, max_size=5))
def test_no_cheaper_machine_is_ordered_for_a_job_that_may_not_be_interrupted(preemptible: list[bool]) -> None:
    pool = a_pretend_pool(a_flavour(name="small", size=SMALL.size, price=1.0), SPOT)
    for number, may_be in enumerate(preemptible):
        pool.submit(a_size(), f"user-{number}", ad=of_market(may_be), runs_for=minutes(60))
    Required(pool, Policy()).scaling.rounds(12)
    made = [worker.flavour for worker in pool.records.values() if worker.flavour]
    if not all(preemptible):
        assert any(flavour.market is Market.ON_DEMAND for flavour in made)
    if not any(preemptible):
        assert all(flavour.market is Market.ON_DEMAND for flavour in made)


def test_where_all_machines_can_be_taken_away_such_a_job_is_told_so() -> None:
    pool = a_pretend_pool(SPOT)
    pool.submit(a_size(), "alice", ad=of_market(False))
    plan = Required(pool, Policy()).scaling.round()
    assert not plan.actions
    [told] = plan.explanations
    assert told.reason is Reason.NO_FLAVOUR_FITS
    assert "machines that no cloud takes away" in told.details["detail"]


def test_while_ads_cannot_be_read_nothing_is_done() -> None:
    pool = a_pretend_pool(SMALL)
    pool.submit(a_size(), "alice", ad=requiring(ARM))
    scaling = Required(pool, Policy()).scaling
    scaling.rounds(12)
    pool.unavailable["ads"] = "the collector is away"
    snapshot = observe(pool, pool, Before(None, pool.now, minutes(2)), Matcher(evaluate))
    assert snapshot.execute_points is None
    assert snapshot.unknown["execute_points"] == "the collector is away"

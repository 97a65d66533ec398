"""Which explanation belongs to which of several jobs that are alike."""

from __future__ import annotations

from builders import NOON, a_size
from builders_restapi import an_ad, an_explanation

from prominence.core import classads
from prominence.core.lifetimes import Walltimes
from prominence.core.reasons import Reason
from prominence.core.scaling import Explanation, ScalingPlan
from prominence.core.view import JobAd
from prominence.restapi import waiting


def a_plan(*explanations: Explanation) -> ScalingPlan:
    return ScalingPlan(made_at=NOON, explanations=explanations)


def jobs(*numbers: int, **changes: object) -> list[JobAd]:
    return [an_ad(ClusterId=number, **changes) for number in numbers]


def reasons(idle: list[JobAd], *explanations: Explanation) -> dict[int, Reason]:
    return {job: one.reason for job, one in waiting.explained(idle, a_plan(*explanations)).items()}


BOOTING, LIMIT = an_explanation(Reason.WORKER_BOOTING, jobs=2), an_explanation(Reason.POOL_LIMIT, jobs=1)


def test_the_first_submitted_is_the_first_to_start() -> None:
    assert reasons(jobs(7, 5, 6), BOOTING, LIMIT) == {
        5: Reason.WORKER_BOOTING,
        6: Reason.WORKER_BOOTING,
        7: Reason.POOL_LIMIT,
    }


def test_a_job_that_the_scaler_has_not_counted_yet_is_the_last_of_its_kind() -> None:
    assert reasons(jobs(5, 6, 7, 8), BOOTING, LIMIT)[8] is Reason.POOL_LIMIT


def test_a_job_of_another_size_user_or_group_is_not_explained() -> None:
    for other in (
        {classads.REQUEST_CPUS: 2},
        {classads.REQUEST_MEMORY: 1001},
        {classads.REQUEST_DISK: 11 * 1024 * 1024},
        {classads.ACCOUNTING_USER: "bob"},
        {classads.ACCOUNTING_GROUP: "chemistry"},
    ):
        assert reasons(jobs(5, **other), BOOTING) == {}


def test_sizes_that_are_none_keep_no_other_job_from_being_explained() -> None:
    """A job that has run may have been changed by its worker."""
    for name in (classads.REQUEST_CPUS, classads.REQUEST_MEMORY, classads.REQUEST_DISK, classads.REQUEST_GPUS):
        for said in ("x", -5, 1e300):
            assert reasons([*jobs(5), *jobs(6, **{name: said})], BOOTING)[5] is Reason.WORKER_BOOTING


def test_disk_is_rounded_up_as_the_scaler_does() -> None:
    one = an_explanation(size=a_size(disk_mib=11))
    assert reasons(jobs(5, RequestDisk=10 * 1024 + 1), one) == {5: Reason.WORKER_REQUESTED}


def test_it_matters_which_job_is_first_only_where_they_wait_for_different_things() -> None:
    assert waiting.need_all(jobs(5), a_plan(BOOTING, LIMIT))
    assert not waiting.need_all(jobs(5), a_plan(BOOTING))
    assert not waiting.need_all(jobs(5), a_plan())


def test_jobs_of_several_nodes_are_counted_as_jobs_and_told_apart_from_others() -> None:
    nodes = an_explanation(Reason.WORKER_BOOTING, jobs=4, nodes=2), an_explanation(Reason.POOL_LIMIT, jobs=2, nodes=2)
    alone = an_explanation(Reason.NO_CAPACITY, jobs=5)
    several = jobs(5, 6, 7, **{classads.NODE_COUNT: 2})
    assert reasons([*several, *jobs(8)], *nodes, alone) == {
        5: Reason.WORKER_BOOTING,
        6: Reason.WORKER_BOOTING,
        7: Reason.POOL_LIMIT,
        8: Reason.NO_CAPACITY,
    }
    assert waiting.jobs((*nodes, alone)) == 3 + 5


def test_jobs_that_differ_in_what_they_require_alone_are_told_apart_where_it_matters() -> None:
    never = an_explanation(Reason.NO_FLAVOUR_FITS, jobs=1, requirements=("aaaa",))
    soon = an_explanation(Reason.WORKER_BOOTING, jobs=1, requirements=("bbbb", "cccc"))
    idle = [an_ad(ClusterId=number, ProminenceRequires=text) for number, text in ((5, "cccc"), (6, "aaaa"))]
    assert reasons(idle, soon, never) == {5: Reason.WORKER_BOOTING, 6: Reason.NO_FLAVOUR_FITS}
    assert reasons(idle, BOOTING) == {5: Reason.WORKER_BOOTING, 6: Reason.WORKER_BOOTING}
    assert reasons(jobs(7), soon, never) == {7: Reason.WORKER_BOOTING}, "of one that is not known the first is told"


def test_jobs_that_differ_in_their_walltimes_alone_are_told_apart_where_it_matters() -> None:
    never = an_explanation(Reason.NO_FLAVOUR_LASTS, jobs=2, walltimes=Walltimes(7200, None))
    soon = an_explanation(Reason.WORKER_BOOTING, jobs=1, walltimes=Walltimes(0, 3600))
    idle = [an_ad(ClusterId=number, ProminenceWalltime=s) for number, s in ((5, 7201), (6, 3600), (7, 90_000))]
    assert reasons(idle, soon, never) == {
        5: Reason.NO_FLAVOUR_LASTS,
        6: Reason.WORKER_BOOTING,
        7: Reason.NO_FLAVOUR_LASTS,
    }
    assert reasons(jobs(8, ProminenceWalltime=5000), soon, never) == {}, "the scaler has not looked at such a one"
    assert reasons(idle, BOOTING)[7] is Reason.WORKER_BOOTING

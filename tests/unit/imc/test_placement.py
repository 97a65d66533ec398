"""Which flavours are offered for a request, in which order, and why others are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from builders import NOON, a_flavour, a_request, a_size
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.core.classads import accounting_name
from prominence.core.machines import Flavour, Quota, Tier, TrackRecord, WorkerRequest
from prominence.core.placement import Area
from prominence.imc.history import History
from prominence.imc.placement import CloudView, first, place, ranked

SMALL = a_flavour(name="small", size=a_size(2, 4000, 1000), price=1.0)
LARGE = a_flavour(name="large", size=a_size(8, 16000, 1000), price=3.0)
ODD = a_flavour(name="odd", size=a_size(2, 8000, 1000), price=1.0)


def a_view(*flavours: Flavour, **changes: object) -> CloudView:
    given = {"name": "docker", "flavours": flavours or (SMALL, LARGE), "limit": 4, **changes}
    return CloudView(**given)  # type: ignore[arg-type]  # a builder


def names(request: WorkerRequest, *views: CloudView) -> list[str]:
    return [offer.name for offer in place(request, views).offers]


def test_the_cheapest_comes_first_and_of_equal_prices_the_smallest() -> None:
    assert names(a_request(size=a_size(1, 1, 1)), a_view(LARGE, ODD, SMALL)) == ["small", "odd", "large"]


def test_a_preferred_flavour_comes_before_a_cheaper_one() -> None:
    assert names(a_request(size=a_size(1, 1, 1), flavour="large"), a_view()) == ["large", "small"]


def test_a_preferred_cloud_comes_before_a_cheaper_one() -> None:
    other = a_view(a_flavour(cloud="other", name="dear", price=9.0), name="other")
    assert names(a_request(size=a_size(1, 1, 1), cloud="other"), a_view(), other) == ["dear", "small", "large"]


def test_a_preference_that_cannot_be_met_is_no_obstacle() -> None:
    assert names(a_request(size=a_size(4, 1, 1), flavour="small", cloud="nowhere"), a_view()) == ["large"]


def test_a_request_larger_than_every_flavour_is_hopeless_and_told_by_how_much() -> None:
    placement = place(a_request(size=a_size(16, 20000, 1)), [a_view()])
    assert placement.is_hopeless
    assert placement.explanation() == (
        "docker/small: has 2 CPUs where 16 are needed, 4000 MiB of memory where 20000 are needed; "
        "docker/large: has 8 CPUs where 16 are needed, 16000 MiB of memory where 20000 are needed"
    )


def test_a_full_cloud_is_a_matter_of_time() -> None:
    placement = place(a_request(size=a_size(4, 1, 1)), [a_view(occupied=4)])
    assert not placement.offers and not placement.is_hopeless
    assert placement.explanation() == "docker: 4 of 4 workers exist"


def test_nothing_is_hopeless_while_a_cloud_cannot_be_read() -> None:
    placement = place(a_request(size=a_size(99, 1, 1)), [a_view(), CloudView("other", trouble="it is down")])
    assert not placement.is_hopeless
    assert placement.explanation() == "other: it is down"


def test_a_cloud_in_trouble_offers_nothing() -> None:
    placement = place(a_request(size=a_size(1, 1, 1)), [a_view(trouble="it has no such image")])
    assert placement.explanation() == "docker: it has no such image"


def test_a_flavour_in_trouble_leaves_the_others() -> None:
    view = a_view(flavour_trouble={"small": "out of stock"})
    assert names(a_request(size=a_size(1, 1, 1)), view) == ["large"]


def test_a_worker_is_placed_where_it_must_be_even_if_that_is_not_what_is_preferred() -> None:
    other = a_view(a_flavour(cloud="other", region="north", name="dear", price=9.0), name="other")
    for within in (Area(sites=("other",)), Area(regions=("north",)), Area(sites=("other", "mars"), regions=("north",))):
        assert names(a_request(size=a_size(1, 1, 1), cloud="docker", within=within), a_view(), other) == ["dear"]


def test_a_worker_for_a_place_that_is_nowhere_is_hopeless_and_told_why() -> None:
    known = [a_view(SMALL), a_view(a_flavour(cloud="other", region="north", name="big"), name="other")]
    placement = place(a_request(within=Area(sites=("other",), regions=("south",))), known)
    assert placement.is_hopeless
    assert placement.explanation() == (
        "docker/small: is not on cloud other; other/big: is in region north and not in south"
    )


def test_a_worker_is_of_no_flavour_that_its_jobs_cannot_run_on() -> None:
    request = a_request(size=a_size(1, 1, 1), flavours=("docker/large", "other/small"))
    assert names(request, a_view()) == ["large"]
    placement = place(a_request(flavours=("other/small",)), [a_view()])
    assert placement.is_hopeless
    assert "is not one of those that its jobs can run on" in placement.explanation()


def test_without_clouds_there_is_an_explanation_too() -> None:
    assert place(a_request(), []).explanation() == "no cloud offers anything"


def test_private_clouds_come_before_partners_and_those_before_public_ones_whatever_they_cost() -> None:
    clouds = [
        a_view(a_flavour(cloud=tier, name=tier, price=price), name=tier, tier=tier)
        for tier, price in ((Tier.PUBLIC, 0.1), (Tier.PRIVATE, 9.0), (Tier.PARTNER, 1.0))
    ]
    assert names(a_request(size=a_size(1, 1, 1)), *clouds) == ["private", "partner", "public"]
    assert names(a_request(size=a_size(1, 1, 1), cloud="public"), *clouds) == ["public", "private", "partner"]


def test_of_equal_prices_what_did_better_lately_comes_first_and_then_what_boots_faster() -> None:
    kinds = [a_flavour(name=name, size=SMALL.size, price=1.0) for name in ("bad", "slow", "unknown")]
    known = {"bad": TrackRecord(joined=0.4, boot_s=10), "slow": TrackRecord(joined=1.0, boot_s=500)}
    assert names(a_request(size=a_size(1, 1, 1)), a_view(*kinds, records=known)) == ["unknown", "slow", "bad"]


def test_cpus_that_workers_may_have_are_told_with_figures_now_and_never() -> None:
    placement = place(a_request(size=a_size(1, 1, 1)), [a_view(cpu_limit=7, cpus=6)])
    assert not placement.offers and not placement.is_hopeless
    assert placement.explanation() == "docker/small: the 7 CPUs that workers may have would be exceeded by 1"
    hopeless = place(a_request(size=a_size(4, 1, 1)), [a_view(cpu_limit=7)])
    assert hopeless.is_hopeless
    assert "docker/large: has 8 CPUs where workers may have 7 in all" in hopeless.explanation()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), max_size=30))
def test_three_machines_in_a_row_that_never_join_are_all_that_is_wasted_within_an_hour(
    outcomes: list[tuple[bool, int]],
) -> None:
    history, now, row = History(), NOON, 0
    for joined, pause_min in outcomes:
        now += timedelta(minutes=pause_min)
        if history.trouble("docker", "small", now):
            assert row >= 3
            continue
        row = 0 if joined else row + 1
        if joined:
            history.joined(SMALL, 60.0, now)
        else:
            history.wasted(SMALL, now)
        assert bool(history.trouble("docker", "small", now)) == (row >= 3)
        assert not history.trouble("docker", "large", now)
        assert not history.trouble("docker", "small", now + timedelta(hours=1))
    assert all(0 <= record.joined <= 1 for record in history.of("docker").values())


sizes = st.builds(a_size, st.integers(0, 16), st.integers(0, 16), st.integers(0, 16))
flavours = st.builds(
    lambda name, region, size, price: a_flavour(name=name, region=region, size=size, price=price),
    st.sampled_from("abcdef"),
    st.sampled_from(["", "north"]),
    sizes,
    st.sampled_from([0.0, 1.0, 2.5]),
)
records = st.builds(TrackRecord, joined=st.sampled_from([0.0, 0.5, 1.0]), boot_s=st.sampled_from([30.0, 600.0]))
views = st.builds(
    lambda name, offered, **others: CloudView(
        name, tuple(f.model_copy(update={"cloud": name}) for f in offered), **others
    ),
    st.sampled_from(["one", "two"]),
    st.lists(flavours, max_size=5, unique_by=lambda f: f.name),
    limit=st.integers(0, 3),
    occupied=st.integers(0, 4),
    cpu_limit=st.none() | st.integers(0, 20),
    cpus=st.integers(0, 20),
    tier=st.sampled_from(Tier),
    trouble=st.sampled_from(["", "it is down"]),
    records=st.dictionaries(st.sampled_from("abcdef"), records),
)
clouds = st.lists(views, max_size=2, unique_by=lambda v: v.name)
requests = st.builds(
    lambda size, flavour, cloud, within: a_request(size=size, flavour=flavour, cloud=cloud, within=within),
    sizes,
    st.sampled_from(["", "a", "z"]),
    st.sampled_from(["", "one", "three"]),
    st.sampled_from([Area(), Area(sites=("one",)), Area(regions=("north",))]),
)


@settings(max_examples=60)
@given(requests, clouds)
def test_every_offer_fits_and_is_possible_now(request: WorkerRequest, known: list[CloudView]) -> None:
    by_name = {view.name: view for view in known}
    for offer in place(request, known).offers:
        view = by_name[offer.cloud]
        assert request.size.fits(offer.size) and not view.trouble and view.occupied < view.limit
        assert request.within.holds(offer.place)
        assert view.cpu_limit is None or view.cpus + offer.size.cpus <= view.cpu_limit


@settings(max_examples=60)
@given(requests, clouds)
def test_every_flavour_is_an_offer_or_a_refusal_with_a_reason(request: WorkerRequest, known: list[CloudView]) -> None:
    placement = place(request, known)
    assert len(placement.offers) + len(placement.refusals) == sum(max(1, len(view.flavours)) for view in known)
    assert all(refusal.reason for refusal in placement.refusals)
    assert placement.explanation()


@settings(max_examples=100)
@given(requests, clouds)
def test_the_first_that_can_be_had_is_what_is_offered_first(request: WorkerRequest, known: list[CloudView]) -> None:
    offers = place(request, known).offers
    assert first(ranked(request, known), {view.name: view for view in known}) == (offers[0] if offers else None)


@settings(max_examples=60)
@given(requests, clouds)
def test_the_order_of_clouds_and_flavours_does_not_matter(request: WorkerRequest, known: list[CloudView]) -> None:
    turned = [replace(view, flavours=view.flavours[::-1]) for view in reversed(known)]
    assert place(request, known).offers == place(request, turned).offers


def test_a_cloud_for_some_groups_is_never_one_for_others() -> None:
    closed = a_view(groups=("physics.lab",))
    placement = place(a_request(size=a_size(1, 1, 1), groups=("chemistry", "")), [closed])
    assert placement.is_hopeless
    assert "docker/small: is for the jobs of physics.lab and not for those of chemistry and no group" in (
        placement.explanation()
    )
    assert names(a_request(size=a_size(1, 1, 1), groups=(accounting_name("physics.lab"),)), closed)


def test_a_worker_of_which_nobody_says_whose_jobs_it_is_for_may_be_anywhere() -> None:
    assert names(a_request(size=a_size(1, 1, 1)), a_view(groups=("physics",))) == ["small", "large"]


@given(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 9)), st.integers(0, 9))
def test_of_our_limit_and_the_clouds_the_less_holds(limit: int, quota: int | None, occupied: int) -> None:
    view = a_view(limit=limit, quota=Quota(machines=quota), occupied=occupied)
    most = limit if quota is None else min(limit, quota)
    assert bool(names(a_request(size=a_size(1, 1, 1)), view)) == (occupied < most)


@pytest.mark.parametrize(
    ("quota", "told"),
    [
        (Quota(cpus=3), "docker/small: the 3 CPUs that workers may have would be exceeded by 1"),
        (
            Quota(memory_mib=5000),
            "docker/small: the 5000 MiB of memory that workers may have would be exceeded by 3000",
        ),
        (Quota(machines=1), "docker: 1 of 1 workers exist"),
    ],
)
def test_a_quota_that_is_used_up_is_a_matter_of_time(quota: Quota, told: str) -> None:
    view = a_view(SMALL, quota=quota, occupied=1, cpus=2, memory_mib=4000, cpu_limit=100)
    placement = place(a_request(size=a_size(1, 1, 1)), [view])
    assert not placement.is_hopeless
    assert placement.explanation() == told

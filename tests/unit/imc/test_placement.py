"""Which flavours are offered for a request, in which order, and why others are not."""

from __future__ import annotations

from builders import a_flavour, a_request, a_size
from hypothesis import given, settings
from hypothesis import strategies as st

from prominence.core.machines import Flavour, WorkerRequest
from prominence.imc.placement import CloudView, place

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


def test_without_clouds_there_is_an_explanation_too() -> None:
    assert place(a_request(), []).explanation() == "no cloud offers anything"


sizes = st.builds(a_size, st.integers(0, 16), st.integers(0, 16), st.integers(0, 16))
flavours = st.builds(
    lambda name, size, price: a_flavour(name=name, size=size, price=price),
    st.sampled_from("abcdef"),
    sizes,
    st.sampled_from([0.0, 1.0, 2.5]),
)
views = st.builds(
    lambda name, offered, limit, occupied, trouble: CloudView(
        name, tuple(f.model_copy(update={"cloud": name}) for f in offered), limit, occupied, trouble
    ),
    st.sampled_from(["one", "two"]),
    st.lists(flavours, max_size=5, unique_by=lambda f: f.name),
    st.integers(0, 3),
    st.integers(0, 4),
    st.sampled_from(["", "it is down"]),
)
clouds = st.lists(views, max_size=2, unique_by=lambda v: v.name)
requests = st.builds(
    lambda size, flavour, cloud: a_request(size=size, flavour=flavour, cloud=cloud),
    sizes,
    st.sampled_from(["", "a", "z"]),
    st.sampled_from(["", "one", "three"]),
)


@settings(max_examples=60)
@given(requests, clouds)
def test_every_offer_fits_and_is_possible_now(request: WorkerRequest, known: list[CloudView]) -> None:
    by_name = {view.name: view for view in known}
    for offer in place(request, known).offers:
        view = by_name[offer.cloud]
        assert request.size.fits(offer.size) and not view.trouble and view.occupied < view.limit


@settings(max_examples=60)
@given(requests, clouds)
def test_every_flavour_is_an_offer_or_a_refusal_with_a_reason(request: WorkerRequest, known: list[CloudView]) -> None:
    placement = place(request, known)
    assert len(placement.offers) + len(placement.refusals) == sum(max(1, len(view.flavours)) for view in known)
    assert all(refusal.reason for refusal in placement.refusals)
    assert placement.explanation()


@settings(max_examples=60)
@given(requests, clouds)
def test_the_order_of_clouds_and_flavours_does_not_matter(request: WorkerRequest, known: list[CloudView]) -> None:
    turned = [CloudView(v.name, tuple(reversed(v.flavours)), v.limit, v.occupied, v.trouble) for v in reversed(known)]
    assert place(request, known).offers == place(request, turned).offers

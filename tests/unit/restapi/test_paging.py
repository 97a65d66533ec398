"""Lists in pieces."""

from __future__ import annotations

import base64

import pytest
from builders_restapi import an_ad
from hypothesis import given
from hypothesis import strategies as st

from prominence.core import classads
from prominence.core.errors import Rejected
from prominence.core.view import JobAd
from prominence.restapi.paging import Key, Order, Page, cursor, read_cursor, read_order

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
orders = st.builds(Order, st.sampled_from(Key), st.booleans())


@st.composite
def many_ads(draw: st.DrawFn) -> list[JobAd]:
    """Of different ids; all else may be the same."""
    small = st.integers(1, 5)
    return [
        an_ad(ClusterId=job_id, ProminenceName=draw(names), QDate=draw(small), CompletionDate=draw(small))
        for job_id in draw(st.sets(st.integers(1, 1000), max_size=12))
    ]


def ids(ads: list[JobAd]) -> list[int]:
    return [int(ad[classads.CLUSTER_ID]) for ad in ads]


def walk(ads: list[JobAd], order: Order, limit: int) -> list[int]:
    """All pages, one after the other, as a client asks for them."""
    seen: list[int] = []
    page = Page(order, limit)
    while found := page.of(ads, order.place):
        assert len(found) <= limit
        seen += ids(found)
        again, place = read_cursor(cursor(order, order.place(found[-1])))
        page = Page(again, limit, place)
    return seen


@given(many_ads(), orders, st.integers(1, 5))
def test_pages_together_are_the_list_in_its_order(ads: list[JobAd], order: Order, limit: int) -> None:
    expected = ids(sorted(ads, key=order.place, reverse=order.descending))
    assert walk(ads, order, limit) == expected
    assert ids(Page(order).of(ads, order.place)) == expected


@given(many_ads(), orders, st.integers(1, 5), st.integers(0, 12))
def test_what_goes_meanwhile_makes_no_other_appear_twice_or_be_left_out(
    ads: list[JobAd], order: Order, limit: int, kept: int
) -> None:
    first = Page(order, limit).of(ads, order.place)
    left = ads[:kept]
    if not first:
        return
    behind = Page(order, None, order.place(first[-1])).of(left, order.place)
    assert not set(ids(first)) & set(ids(behind))
    assert {*ids(first), *ids(behind)} >= set(ids(left))


@given(orders, st.one_of(st.integers(0, 2**40), names), st.integers(1, 2**31))
def test_a_cursor_is_read_as_it_was_written(order: Order, value: int | str, job_id: int) -> None:
    if isinstance(value, str) is (order.key is Key.NAME):
        assert read_cursor(cursor(order, (value, job_id))) == (order, (value, job_id))


NO_CURSORS = [
    '["id",1]',
    '["id","1",1]',
    '["id",1,-1]',
    '["id",true,1]',
    '["name",1,1]',
    '["colour",1,1]',
    '["--id",1,1]',
    '["id",1e3,1]',
    '["id",99999999999999999999,1]',
    '["name","\\ud800",1]',
    "[" * 50_000,
    "{}",
    "\0",
]


@pytest.mark.parametrize("content", NO_CURSORS, ids=range(len(NO_CURSORS)))
def test_what_looks_like_a_cursor_is_refused(content: str) -> None:
    with pytest.raises(Rejected) as caught:
        read_cursor(base64.urlsafe_b64encode(content.encode()).decode().rstrip("="))
    assert caught.value.mistakes[0].path == "cursor"


@given(st.text())
def test_garbage_is_no_cursor(text: str) -> None:
    with pytest.raises(Rejected):
        read_cursor(text)


@pytest.mark.parametrize("order", [Order(key, descending) for key in Key for descending in (True, False)], ids=str)
def test_an_order_is_read_as_it_is_written(order: Order) -> None:
    assert read_order(str(order)) == order

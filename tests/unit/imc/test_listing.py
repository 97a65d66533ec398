"""What a cloud listed lately."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Unavailable
from prominence.imc.adapters.listing import Listing, Spared


def test_a_look_holds_for_a_while_and_until_something_is_changed() -> None:
    now, looks = [0.0], iter(range(10))
    listing: Listing[int] = Listing(lambda: now[0], 5)
    assert listing.age_s is None
    assert [listing.get(lambda: next(looks)) for _ in range(2)] == [0, 0]
    now[0] = 4.9
    assert (listing.age_s, listing.get(lambda: next(looks))) == (4.9, 0)
    now[0] = 5.0
    assert listing.get(lambda: next(looks)) == 1
    with listing.acting():
        assert listing.get(lambda: next(looks)) == 2
    assert listing.get(lambda: next(looks)) == 3


def test_what_was_seen_while_something_happened_is_not_kept() -> None:
    listing: Listing[str] = Listing(lambda: 0.0, 5)

    def look() -> str:
        with listing.acting():
            return "before"

    assert listing.get(look) == "before"
    assert listing.get(lambda: "after") == "after"


class Slow:
    """A cloud that takes so long to say nothing, until it is well."""

    def __init__(self, takes_s: float) -> None:
        self.now, self.takes_s, self.asked, self.is_well = 0.0, takes_s, 0, False

    def look(self, *_: object) -> Any:
        self.asked += 1
        if not self.is_well:
            self.now += self.takes_s
            raise Unavailable("it does not answer")
        return []


@given(st.floats(0, 100), st.floats(0, 100))
def test_of_the_time_that_a_cloud_is_in_trouble_most_is_left_for_others(takes_s: float, keep_s: float) -> None:
    cloud = Slow(takes_s)
    listing: Listing[list[str]] = Listing(lambda: cloud.now, keep_s)
    turns = 200
    for _ in range(turns):
        cloud.now += 2
        with pytest.raises(Unavailable, match="it does not answer"):
            listing.get(cloud.look)
    assert cloud.asked * takes_s <= takes_s + 0.3 * cloud.now and listing.is_in_trouble
    cloud.is_well = True
    cloud.now += 1 + max(keep_s, 3 * takes_s)
    assert listing.get(cloud.look) == [] and not listing.is_in_trouble


def test_what_fails_at_once_is_asked_again_at_once_where_nothing_is_kept() -> None:
    cloud = Slow(0)
    spared: Spared[list[str]] = Spared(lambda: cloud.now, 0)
    for _ in range(3):
        with pytest.raises(Unavailable):
            spared.ask(cloud.look)
    assert cloud.asked == 3

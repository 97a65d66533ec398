"""What a cloud listed lately."""

from __future__ import annotations

from prominence.imc.adapters.listing import Listing


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

"""Who has an address may do what it says, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prominence.core.errors import Forbidden
from prominence.restapi.objects import Terms
from prominence.restapi.signing import OF_ADDRESSES, Permission, key, permission, query

KEY = key("a secret", OF_ADDRESSES)
ALLOWED = Permission("put", "uploads/alice/x", until=1000, largest=50, size=7, sha256="a" * 64, together=90)
PARTS = ("until", "largest", "size", "sha256", "together", "signature")


def test_what_was_signed_is_permitted_until_it_expires() -> None:
    assert permission("put", ALLOWED.name, query(ALLOWED, KEY), KEY, now=999.9) == ALLOWED
    with pytest.raises(Forbidden, match="expired"):
        permission("put", ALLOWED.name, query(ALLOWED, KEY), KEY, now=1000)


@pytest.mark.parametrize(
    "changes",
    [
        {"until": "2000"}, {"largest": "51"}, {"size": "8"}, {"sha256": "b" * 64}, {"signature": "0" * 64},
        {"signature": "ä"}, {"signature": ""}, {"until": "01000"}, {"until": "1e9"}, {"until": "-1"}, {"until": "٣"},
        {"sha256": "A" * 64}, {"largest": "9" * 30}, {"together": "91"},
    ],
)  # fmt: skip
def test_whoever_changes_an_address_has_none(changes: dict[str, str]) -> None:
    with pytest.raises(Forbidden, match="signed"):
        permission("put", ALLOWED.name, {**query(ALLOWED, KEY), **changes}, KEY, now=0)


@pytest.mark.parametrize("lost", PARTS)
def test_whoever_leaves_something_out_has_none(lost: str) -> None:
    given = {name: value for name, value in query(ALLOWED, KEY).items() if name != lost}
    with pytest.raises(Forbidden):
        permission("put", ALLOWED.name, given, KEY, now=0)


def test_an_address_is_good_for_its_act_and_its_object_only() -> None:
    given = query(Permission("get", "uploads/alice/x", 1000), KEY)
    assert permission("get", "uploads/alice/x", given, KEY, 0)
    with pytest.raises(Forbidden):
        permission("put", "uploads/alice/x", given, KEY, 0)
    with pytest.raises(Forbidden):
        permission("get", "uploads/alice/y", given, KEY, 0)


@given(together=st.integers(0, 10**40) | st.none())
def test_whatever_a_quota_is_there_is_an_address(together: int | None) -> None:
    signed = Permission.to_put("uploads/alice/x", 1000, Terms(10, 50, together=together))
    assert permission("put", signed.name, query(signed, KEY), KEY, 0) == signed
    assert together is None or signed.together == min(together, 10**18 - 1)


def test_what_is_signed_for_one_purpose_is_good_for_no_other() -> None:
    other = key("a secret", "job tokens")
    with pytest.raises(Forbidden):
        permission("put", ALLOWED.name, query(ALLOWED, other), KEY, 0)


@given(given=st.dictionaries(st.sampled_from(PARTS), st.text()))
def test_no_query_but_ours_permits_anything(given: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        permission("get", "uploads/alice/x", given, KEY, 0)


def test_none_and_nought_are_not_the_same() -> None:
    unlimited = replace(ALLOWED, largest=None)
    assert query(unlimited, KEY)["signature"] != query(replace(ALLOWED, largest=0), KEY)["signature"]
